"""Signals, threads, processes and callbacks at the edge between Python and the core."""

import os
import re
import signal
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

import ntkfast as nk
from contract import same_bits
from ntkfast import _ntkfast
from processes import run

# Ctrl-C within a limit of time, threads, forks.
pytestmark = pytest.mark.alone

NETWORK = nk.mlp(3, nk.Relu(), w_std=1.4, b_std=0.1)


INTERRUPT = """
    import signal, threading, time
    import numpy as np
    import ntkfast as nk

    signal.signal(signal.SIGINT, signal.default_int_handler)
    sent = []

    def send():
        sent.append(time.perf_counter())
        signal.raise_signal(signal.SIGINT)

    def delay(call):
        timer = threading.Timer({after}, send)
        timer.start()
        try:
            call()
        except KeyboardInterrupt:
            return time.perf_counter() - sent[-1]
        raise SystemExit("the call came to its end before the signal")

    rng = np.random.default_rng(0)
    x = rng.standard_normal(({n}, 10))
    deep = nk.mlp(1000, nk.Relu(), w_std=1.4)
    shallow = nk.mlp(2, nk.Relu(), w_std=1.4)
    expected = shallow.ntk(x[:100])
    {setup}
    # One attempt is all the package needs; the others are for a machine that is shared.
    for attempt in range(3):
        latency = delay(lambda: {call})
        if latency < {limit}:
            break
    print(latency)
    assert np.array_equal(shallow.ntk(x[:100]), expected)
"""

FLOW = """spectrum = nk.Spectrum(np.arange(1.0, 3001), np.eye(3000))
    flow = nk.GradientFlow(spectrum, rng.standard_normal((3000, 1000)))"""

# Its fit takes seconds.
STEEP = """steep = nk.Elementwise(lambda u: np.tanh(1000 * u))
    net = nk.Serial(nk.Dense(), steep)"""
# Nearly parallel pairs are integrated one by one.
KINKED = """net = nk.Serial(nk.Dense(), nk.Hardtanh())"""


@pytest.mark.parametrize(
    ("call", "setup", "n", "after", "limit"),
    [
        ("deep.ntk(x)", "", 3000, 0.3, 0.2),
        ("deep.kernels(x)", "", 3000, 0.3, 0.2),
        ("deep.nngp(x, x[::-1])", "", 3000, 0.3, 0.2),
        ("deep.ntk(x, progress=lambda done, total: None)", "", 3000, 0.3, 0.2),
        ("nk.eigh(a)", "a = shallow.ntk(x)", 2000, 0.3, 0.2),
        # Early: while the matrix is still being looked at and copied.
        ("nk.eigh(a)", "a = shallow.ntk(x)", 4000, 0.01, 0.3),
        ("nk.cholesky(a)", "a = shallow.ntk(x) + np.eye(4000)", 4000, 0.1, 0.3),
        ("c.solve(a)", "a = shallow.ntk(x) + np.eye(4000); c = nk.cholesky(a)", 4000, 0.1, 0.3),
        ("flow.predict(spectrum.eigenvectors, t=np.linspace(0, 1, 9))", FLOW, 10, 0.5, 0.3),
        ("net.nngp(x[:20] * np.linspace(0.5, 2, 20)[:, None])", STEEP, 1000, 0.3, 0.2),
        ("net.nngp((9 + x) * np.linspace(0.1, 0.3, len(x))[:, None])", KINKED, 1000, 0.7, 0.2),
    ],
    ids=[
        "ntk",
        "kernels",
        "cross",
        "progress",
        "eigh",
        "eigh early",
        "cholesky",
        "solve",
        "flow",
        "fit",
        "integrated",
    ],
)
def test_ctrl_c_ends_a_call_soon(call: str, setup: str, n: int, after: float, limit: float) -> None:
    script = INTERRUPT.format(call=call, setup=setup, n=n, after=after, limit=limit)
    result = run(script)
    assert result.returncode == 0, result.stderr
    assert float(result.stdout) < limit


def test_ctrl_c_while_idle_is_pythons_own() -> None:
    NETWORK.ntk(np.ones((300, 3)))
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)


@pytest.mark.parametrize("n", [1, 5, 70, 700])
@pytest.mark.parametrize("two_sets", [False, True])
def test_progress_counts_up_to_the_total(n: int, two_sets: bool, rng: np.random.Generator) -> None:
    calls: list[tuple[int, int, int]] = []
    x = rng.standard_normal((n, 4))
    points = (x, x[::-1]) if two_sets else (x,)
    result = NETWORK.ntk(
        *points, progress=lambda *counts: calls.append((*counts, threading.get_ident()))
    )
    assert same_bits(result, NETWORK.ntk(*points))
    done = [call[0] for call in calls]
    assert done == sorted(done)
    assert {type(count) for call in calls for count in call} == {int}
    assert len({total for _, total, _ in calls}) == 1
    assert done[-1] == calls[-1][1]
    assert {thread for _, _, thread in calls} == {threading.get_ident()}


@pytest.mark.parametrize("error", [ZeroDivisionError, KeyboardInterrupt, SystemExit])
def test_exception_in_progress_ends_the_call(
    error: type[BaseException], rng: np.random.Generator
) -> None:
    x = rng.standard_normal((1500, 10))
    network = nk.mlp(500, nk.Relu(), w_std=1.4)  # long enough to be reported on before its end
    expected, calls = NETWORK.ntk(x), []

    def progress(done: int, total: int) -> None:
        calls.append((done, total))
        raise error("enough")

    with pytest.raises(error, match="enough"):
        network.ntk(x, progress=progress)
    assert len(calls) == 1
    assert calls[0][0] < calls[0][1]
    assert same_bits(NETWORK.ntk(x), expected)


def test_kernels_inside_a_progress_callback(rng: np.random.Generator) -> None:
    x = rng.standard_normal((700, 5))
    expected, inner = NETWORK.ntk(x), []
    NETWORK.nngp(x, progress=lambda done, total: inner.append(NETWORK.ntk(x)))
    assert inner
    assert all(same_bits(k, expected) for k in inner)


def test_python_threads_at_once(rng: np.random.Generator) -> None:
    networks = [nk.mlp(depth, nk.Erf(), w_std=1.3, b_std=0.2) for depth in (1, 2, 3, 4)]
    points = [rng.standard_normal((n, 8)) for n in (10, 150, 400, 700)]
    jobs = [(network, x) for network in networks for x in points]
    expected = [network.kernels(x) for network, x in jobs]
    spectra = [nk.eigh(k.ntk).eigenvalues for k in expected]

    def job(number: int) -> tuple[Any, Any]:
        network, x = jobs[number]
        k = network.kernels(x)
        return k, nk.eigh(k.ntk).eigenvalues

    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(job, list(range(len(jobs))) * 2))
    for i, (k, eigenvalues) in enumerate(results):
        number = i % len(jobs)
        assert same_bits(k.ntk, expected[number].ntk)
        assert same_bits(k.nngp, expected[number].nngp)
        assert same_bits(eigenvalues, spectra[number])


def test_changing_the_number_of_threads_during_a_call(
    rng: np.random.Generator, threads: None
) -> None:
    x = rng.standard_normal((1200, 20))
    expected = NETWORK.ntk(x)
    with ThreadPoolExecutor(2) as pool:
        results = [pool.submit(NETWORK.ntk, x) for _ in range(6)]
        for count in (1, 3, 2, 1, 2):
            nk.set_num_threads(count)
        assert all(same_bits(result.result(), expected) for result in results)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_use_after_fork() -> None:
    script = """
        import os, sys, warnings
        import numpy as np
        import ntkfast as nk

        warnings.simplefilter("ignore")  # newer Pythons warn of forks with threads about
        x = np.random.default_rng(0).standard_normal((900, 20))
        network = nk.mlp(3, nk.Relu(), w_std=1.4, b_std=0.1)
        before = network.ntk(x)
        values = nk.eigh(before).eigenvalues
        child = os.fork()
        after = network.ntk(x)
        same = np.array_equal(before, after) and np.array_equal(values, nk.eigh(after).eigenvalues)
        if child == 0:
            grandchild = os.fork()
            same = same and np.array_equal(before, network.ntk(x))
            if grandchild:
                same = same and os.waitstatus_to_exitcode(os.waitpid(grandchild, 0)[1]) == 0
            os._exit(0 if same else 1)
        sys.exit(0 if same and os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0 else 1)
    """
    result = run(script)
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize("count", ["1", "3"])
def test_number_of_threads_from_the_environment(count: str) -> None:
    result = run(
        "import ntkfast; print(ntkfast.num_threads(), ntkfast.info()['threads'])",
        NTKFAST_NUM_THREADS=count,
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout.split() == [count, count]


@pytest.mark.parametrize("value", ["0", "-1", "two", "1.5", "999999999999999999999"])
def test_wrong_number_of_threads_in_the_environment(value: str) -> None:
    script = "import ntkfast as nk; nk.mlp(1).ntk([[1.0]] * 600); nk.num_threads()"
    result = run(script, NTKFAST_NUM_THREADS=value)
    assert result.returncode == 1
    last = result.stderr.strip().splitlines()[-1]
    assert last.startswith("ValueError: ")
    assert f'NTKFAST_NUM_THREADS is "{value}"; expected an integer' in last


@pytest.mark.skipif(sys.platform == "win32", reason="variables are always Unicode there")
@pytest.mark.parametrize("name", ["NTKFAST_NUM_THREADS", "NTKFAST_SIMD"])
def test_a_variable_that_is_no_text_is_refused_by_name(name: str) -> None:
    result = run("import ntkfast", **{name: "1\udcff"})
    assert result.returncode == 1
    last = result.stderr.strip().splitlines()[-1]
    assert last.startswith(f"ValueError: the environment variable {name} is ")
    assert "xFF" in last
    assert "which is not UTF-8" in last


def test_what_info_says() -> None:
    info = nk.info()
    assert info["version"] == nk.__version__
    assert info["threads"] == nk.num_threads() >= 1
    assert info["simd"]
    assert info["profile"] in ("release", "debug")


@pytest.mark.parametrize("operations", [0, 10**9], ids=["here", "on the pool"])
@pytest.mark.parametrize("message", ["index out of bounds", "{}", ""])
def test_a_panic_names_its_message_and_place(message: str, operations: int) -> None:
    with pytest.raises(RuntimeError) as caught:
        _ntkfast.panic_for_test(message, operations)
    text = str(caught.value)
    assert text.startswith(f"internal error in ntkfast {nk.__version__}: {message} (at rust/")
    assert re.search(r"\(at rust/ntkfast-py/src/door\.rs:\d+\)", text)
    assert "please report this message" in text
    assert "ntkfast.info()" in text
    nk.mlp(1).ntk(np.eye(3))  # calls after it are as before
