"""Pools of threads: forks, changes of the number of threads, and calls within calls."""

from __future__ import annotations

import shutil
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import numpy as np
import pytest

import ntkfast as nk
from processes import run

# Threads are counted, and what hangs is stopped after a while.
pytestmark = pytest.mark.alone

linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="/proc of Linux")

X = np.random.default_rng(0).standard_normal((400, 30))

# Parent and child are both process 1, each of its own namespace.
SHARED = """
    import ctypes, os, signal
    import numpy as np
    import ntkfast as nk

    nk.set_num_threads(2)
    net = nk.mlp(2, nk.Relu())
    x = np.random.default_rng(0).standard_normal((400, 30))
    assert os.getpid() == 1
    k = net.ntk(x)
    # For children: the first of them is process 1 of a namespace inside this one.
    assert ctypes.CDLL(None, use_errno=True).unshare(0x20000000) == 0, ctypes.get_errno()
    child = os.fork()
    if child == 0:
        signal.alarm(20)
        assert os.getpid() == 1
        os._exit(0 if np.array_equal(net.ntk(x), k) else 7)
    assert os.waitpid(child, 0)[1] == 0
    assert np.array_equal(net.ntk(x), k)
    print("done")
"""

SPACES = ("unshare", "--user", "--map-root-user", "--pid", "--fork", "--kill-child")


@linux
@pytest.mark.filterwarnings("ignore:.*fork")
def test_a_child_with_the_process_id_of_its_parent_has_pools_of_its_own() -> None:
    unshare = shutil.which("unshare")
    if unshare is None or subprocess.run([*SPACES, "true"], check=False).returncode:
        pytest.skip("there are no namespaces here")
    script = textwrap.dedent(SHARED)
    result = subprocess.run(
        [*SPACES, sys.executable, "-W", "ignore", "-c", script],
        cwd=Path(__file__).parents[1],
        env={"OPENBLAS_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout == "done\n"


FORKS = """
    import os, signal, threading
    import numpy as np
    import ntkfast as nk

    nk.set_num_threads(2)
    net = nk.mlp(2, nk.Relu())
    x = np.random.default_rng(0).standard_normal((200, 30))
    k, stop = net.ntk(x), threading.Event()

    def work():
        while not stop.is_set():
            net.ntk(x)

    workers = [threading.Thread(target=work) for _ in range(3)]
    [worker.start() for worker in workers]
    for _ in range(50):  # while pools are leased, given back and made
        child = os.fork()
        if child == 0:
            signal.alarm(20)
            os._exit(0 if np.array_equal(net.ntk(x), k) else 7)
        assert os.waitpid(child, 0)[1] == 0
    stop.set()
    print("done")
"""


@pytest.mark.skipif(not hasattr(__import__("os"), "fork"), reason="no fork here")
def test_forks_at_any_moment_leave_usable_pools() -> None:
    result = run(FORKS, PYTHONWARNINGS="ignore")
    assert result.stdout == "done\n", result.stderr


def threads() -> int:
    """Return how many threads this process has."""
    return len(list(Path("/proc/self/task").iterdir()))


@linux
def test_pools_end_when_the_number_of_threads_changes() -> None:
    before, count = nk.num_threads(), threads()
    try:
        net = nk.mlp(2, nk.Relu())
        k = net.ntk(X)
        for number in range(1, 40):
            nk.set_num_threads(number)
            assert np.array_equal(net.ntk(X), k)
        nk.set_num_threads(1)
        end = time.monotonic() + 10
        while threads() > count + 2 and time.monotonic() < end:
            time.sleep(0.01)
        assert threads() <= count + 2
    finally:
        nk.set_num_threads(before)


MANY = """
    import threading
    import numpy as np
    import ntkfast as nk
    from pathlib import Path

    nk.set_num_threads(2)
    net, x = nk.mlp(2, nk.Relu()), np.random.default_rng(0).standard_normal((400, 30))
    workers = [threading.Thread(target=net.ntk, args=(x,)) for _ in range(30)]
    [worker.start() for worker in workers]
    [worker.join() for worker in workers]
    import time
    time.sleep(0.5)
    print(len(list(Path("/proc/self/task").iterdir())))
"""


@linux
def test_pools_of_many_calls_at_once_end() -> None:
    result = run(MANY, OPENBLAS_NUM_THREADS="1")
    assert result.returncode == 0, result.stderr
    assert int(result.stdout) <= 1 + 8 * 2


def test_a_function_that_computes_a_kernel_of_its_own_network_is_refused() -> None:
    depth = 0

    def tanh(z: np.ndarray) -> np.ndarray:
        nonlocal depth
        depth += 1
        network().ntk(X[:5])
        return np.tanh(z)

    def network() -> nk.Network:
        return nk.Serial(nk.Dense(), nk.Elementwise(tanh), nk.Dense())

    with pytest.raises(RecursionError, match=r"8 calls wait for each other.*Elementwise"):
        network().ntk(X[:5])
    assert depth <= 8
    with pytest.raises(RecursionError, match="8 calls"):
        network().summary()


def test_a_function_that_computes_another_kernel_is_accepted() -> None:
    other = nk.Serial(nk.Dense(), nk.Elementwise(np.tanh), nk.Dense())
    expected = other.ntk(X[:5])

    def tanh(z: np.ndarray) -> np.ndarray:
        assert np.array_equal(other.ntk(X[:5]), expected)
        return np.tanh(z)

    net = nk.Serial(nk.Dense(), nk.Elementwise(tanh), nk.Dense())
    assert np.array_equal(net.ntk(X[:5]), expected)


def test_networks_that_share_layers_are_compiled_in_linear_time() -> None:
    begun = time.monotonic()
    network: nk.Network = nk.mlp(1, nk.Relu(), w_std=0.7)
    for _ in range(40):  # as a tree, 2⁴⁰ layers
        network = nk.Sum(network, network)
    ntk = network.ntk(X[:3])
    assert time.monotonic() - begun < 2
    assert np.allclose(ntk, 2.0**40 * nk.mlp(1, nk.Relu(), w_std=0.7).ntk(X[:3]), rtol=1e-13)
    chain: nk.Network = nk.mlp(1, nk.Relu(), w_std=0.7)
    for _ in range(30):  # equal layers before the shared ones, each an object of its own
        chain = nk.Sum(nk.Serial(nk.Dense(w_std=0.7), chain), nk.Serial(nk.Dense(w_std=0.7), chain))
    assert np.isfinite(chain.ntk(X[:3])).all()
    assert time.monotonic() - begun < 2
