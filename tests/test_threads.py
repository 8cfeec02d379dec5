"""Threads: what chooses their number, and that calls and processes at the same time share them."""

from __future__ import annotations

import os
import sys

import pytest

import ntkfast as nk
from processes import run

# Threads are counted.
pytestmark = pytest.mark.alone

linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="/proc of Linux")
CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def source(script: str, **environment: str) -> str:
    """Return what info tells about threads after a script, without the variable of the package."""
    environment = {"NTKFAST_NUM_THREADS": "", **environment}
    result = run(script + "; print(ntkfast.info()['threads_from'])", **environment)
    assert result.returncode == 0, result.stderr
    return result.stdout.strip()


def test_info_tells_where_the_number_comes_from() -> None:
    assert source("import ntkfast").startswith("cores of this process (")
    assert source("import ntkfast", NTKFAST_NUM_THREADS="3") == "NTKFAST_NUM_THREADS"
    assert source("import ntkfast; ntkfast.set_num_threads(5)") == "set_num_threads"
    named = "import multiprocessing as m; m.current_process().name = 'LokyProcess-1'; "
    assert source(named + "import ntkfast", OMP_NUM_THREADS="1") == "OMP_NUM_THREADS of joblib"
    limited = "import ntkfast, threadpoolctl; threadpoolctl.threadpool_limits(7)"
    assert source(limited) == "threadpoolctl"


@linux
def test_affinity_limits_the_threads() -> None:
    script = """
        import os
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
        import ntkfast
        print(ntkfast.num_threads(), ntkfast.info()["threads_from"])
    """
    result = run(script, NTKFAST_NUM_THREADS="")
    assert result.stdout == "1 cores of this process (1)\n", result.stderr


COUNTED = """
    import threading, time
    from pathlib import Path
    import numpy as np
    import ntkfast as nk

    def name(task):
        try:
            return (task / "comm").read_text()
        except OSError:  # it has ended
            return ""

    def pooled():
        return sum(name(task).startswith("ntkfast-") for task in Path("/proc/self/task").iterdir())

    nk.set_num_threads(4)
    x = np.random.default_rng(0).standard_normal((1500, 60))
    net, most = nk.mlp(3), 0
    expected, done = net.ntk(x), threading.Event()
    assert pooled() == 4

    def work():
        for _ in range(4):
            assert np.array_equal(net.ntk(x), expected)

    {start}
    while any(thread.is_alive() for thread in threads):
        most = max(most, pooled())
        time.sleep(0.001)
    print(most, nk.num_threads())
    assert np.array_equal(net.ntk(x), expected)
"""

THREADS = """
    threads = [threading.Thread(target=work) for _ in range(6)]
    [thread.start() for thread in threads]
"""
JOBLIB = """
    from joblib import Parallel, delayed
    def all_work():
        Parallel(6, backend="threading")(delayed(work)() for _ in range(6))
    threads = [threading.Thread(target=all_work)]
    threads[0].start()
"""
DASK = """
    import dask
    def all_work():
        dask.compute(*[dask.delayed(work)() for _ in range(6)], scheduler="threads", num_workers=6)
    threads = [threading.Thread(target=all_work)]
    threads[0].start()
"""


@linux
@pytest.mark.parametrize("start", [THREADS, JOBLIB, DASK], ids=["threads", "joblib", "dask"])
def test_calls_at_the_same_time_share_the_threads(start: str) -> None:
    """Six calls with four threads each would be 24; the first takes four, the others one each."""
    if start is DASK:
        pytest.importorskip("dask")
    result = run(COUNTED.format(start=start))
    assert result.returncode == 0, result.stderr
    most, after = map(int, result.stdout.split())
    # Of leased pools, and of the one that the first call left: it may be idle then.
    assert most <= 4 + 5 + 4 + 3
    assert after == 4


BUSY = """
    import threading, time
    import numpy as np
    import ntkfast as nk

    nk.set_num_threads(4)
    x = np.random.default_rng(0).standard_normal((400, 30))
    net = nk.mlp(3)
    net.ntk(x)
    threads = [threading.Thread(target=lambda: [net.ntk(x) for _ in range(50)]) for _ in range(8)]
    [thread.start() for thread in threads]
    [thread.join(60) for thread in threads]
    assert not any(thread.is_alive() for thread in threads)
    print("done")
"""


def test_many_short_calls_in_threads_end() -> None:
    assert run(BUSY).stdout == "done\n"


FORKED = """
    import multiprocessing, time
    import numpy as np
    import ntkfast as nk

    def count(_):
        time.sleep(1.2)  # until all processes are there, and their number is counted again
        nk.mlp(1).ntk(np.ones((600, 9)))
        return nk.num_threads(), nk.info()["threads_from"]

    if __name__ == "__main__":
        nk.mlp(1).ntk(np.ones((600, 9)))
        with multiprocessing.get_context("fork").Pool(2) as pool:
            print(sorted(set(pool.map(count, range(2), chunksize=1))))
        print(nk.num_threads())
"""


@linux
def test_processes_of_a_pool_share_the_cores() -> None:
    """Spawned ones are in test_workers.py."""
    result = run(FORKED, timeout=60, NTKFAST_NUM_THREADS="", PYTHONWARNINGS="ignore")
    found = (max(1, CORES // 2), f"cores of this process ({CORES}), shared by 2 processes")
    assert result.stdout.splitlines() == [str([found]), str(CORES)], result.stderr


@linux
def test_a_number_that_the_user_chose_holds_in_pools() -> None:
    result = run(FORKED, timeout=60, NTKFAST_NUM_THREADS="3", PYTHONWARNINGS="ignore")
    assert result.stdout.splitlines() == ["[(3, 'NTKFAST_NUM_THREADS')]", "3"], result.stderr


def test_threadpoolctl_limits_the_threads() -> None:
    from threadpoolctl import ThreadpoolController, threadpool_info, threadpool_limits

    def ours() -> list[int]:
        found = [pool for pool in threadpool_info() if pool["user_api"] == "ntkfast"]
        assert [pool["version"] for pool in found] == [nk.__version__]
        return [pool["num_threads"] for pool in found]

    before = nk.num_threads(), nk.info()["threads_from"]
    assert ours() == [before[0]]
    with threadpool_limits(limits=7):
        assert nk.num_threads() == 7
        assert ours() == [7]
        with threadpool_limits(limits={"ntkfast": 1}):
            assert nk.num_threads() == 1
        assert nk.num_threads() == 7
        with threadpool_limits(limits=1, user_api="blas"):
            assert nk.num_threads() == 7
    assert (nk.num_threads(), nk.info()["threads_from"]) == before
    with ThreadpoolController().select(user_api="ntkfast").limit(limits=9):
        assert nk.num_threads() == 9
    assert (nk.num_threads(), nk.info()["threads_from"]) == before


def test_the_package_works_without_threadpoolctl() -> None:
    script = """
        import sys
        sys.modules["threadpoolctl"] = None
        import ntkfast
        print(ntkfast.num_threads() > 0)
    """
    assert run(script).stdout == "True\n"
