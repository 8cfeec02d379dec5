"""Kernels on a cluster of this machine: bits, threads and memory of its workers."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ntkfast as nk
from contract import same_bits

dask = pytest.importorskip("dask")
da = pytest.importorskip("dask.array")
distributed = pytest.importorskip("distributed")

# Processes are started, and their threads counted.
pytestmark = [
    pytest.mark.alone,
    pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning"),
]

X = np.random.default_rng(3).standard_normal((400, 6))
WORKERS, THREADS = 2, 2


@pytest.fixture(scope="module")
def client() -> Iterator[Any]:
    # The variable that `pytest -n` sets would choose the threads of workers.
    before = {name: os.environ.pop(name, None) for name in ("NTKFAST_NUM_THREADS",)}
    options = {
        "n_workers": WORKERS,
        "threads_per_worker": THREADS,
        "memory_limit": "700MB",
        "dashboard_address": "127.0.0.1:0",
    }
    try:
        with (
            distributed.LocalCluster(host="127.0.0.1", **options) as cluster,
            distributed.Client(cluster) as client,
        ):
            yield client
    finally:
        os.environ.update({name: value for name, value in before.items() if value is not None})


def test_the_bits_of_one_call(client: Any) -> None:
    network = nk.Serial(
        nk.Dense(), nk.Elementwise(lambda v: np.tanh(v) + v), nk.Dense(), nk.Gelu(), nk.Dense()
    )
    lazy = da.from_array(X, chunks=(64, 6))
    for got, wanted in zip(
        client.compute([*network.kernels(lazy)]), network.kernels(X), strict=True
    ):
        assert same_bits(got.result(), wanted)
    assert same_bits(network.ntk(lazy, X[:90]).compute(), network.ntk(X, X[:90]))
    assert same_bits(network.nngp(lazy, diagonal=True).compute(), network.nngp(X, diagonal=True))


@pytest.mark.skipif(sys.platform != "linux", reason="processes are counted in /proc of Linux")
def test_tasks_share_the_cores_of_the_machine(client: Any) -> None:
    cores = len(os.sched_getaffinity(0))
    client.run(nk.info)  # imports the package
    infos = client.run(nk.info)
    assert len(infos) == WORKERS
    for info in infos.values():
        assert info["threads"] == max(1, cores // WORKERS // THREADS)
        expected = f"cores of this process ({cores}), shared by 2 processes, shared by 2 threads"
        assert info["threads_from"] == f"{expected} of a Dask worker"


SCRIPT = """
import ntkfast as nk  # in workers too, before they know the number of their threads
from distributed import Client, LocalCluster

def threads():
    return nk.num_threads(), nk.info()["threads"]

def threads_of_a_call():
    nk.mlp(1).ntk([[1.0, 2.0]])
    return nk._workers.core_num_threads()

if __name__ == "__main__":
    options = {"processes": True, "dashboard_address": "127.0.0.1:0"}
    with LocalCluster(n_workers=1, threads_per_worker=2, **options) as cluster:
        with Client(cluster) as client:
            (first,) = client.run(threads_of_a_call).values()
            print(first, *client.submit(threads).result())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="cores are counted for Linux")
def test_scripts_that_import_the_package_share_the_cores_too(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    environment = {k: v for k, v in os.environ.items() if k != "NTKFAST_NUM_THREADS"}
    found = subprocess.run(
        [sys.executable, str(script)], env=environment, capture_output=True, text=True, check=True
    )
    each = max(1, len(os.sched_getaffinity(0)) // 2)
    assert found.stdout.split() == [str(each)] * 3


@pytest.mark.skipif(sys.platform != "linux", reason="threads are counted in /proc of Linux")
def test_tasks_at_the_same_time_do_not_take_more_threads(client: Any) -> None:
    def pooled() -> int:
        from contextlib import suppress
        from pathlib import Path

        names = []
        for task in Path("/proc/self/task").iterdir():
            with suppress(OSError):  # it has ended
                names.append((task / "comm").read_text())
        return sum(name.startswith("ntkfast-") for name in names)

    lazy = da.from_array(np.tile(X, (8, 1)), chunks=(320, 6))
    future = client.compute(nk.mlp(6).ntk(lazy).sum())
    most = 0
    while not future.done():
        most = max(most, *client.run(pooled).values())
    cores = len(os.sched_getaffinity(0))
    assert np.isfinite(future.result())
    # Two tasks per worker; a pool that was larger may be idle beside them.
    assert most <= 2 * max(THREADS, cores // WORKERS)


def test_a_block_that_does_not_fit_is_refused_and_no_worker_is_lost(client: Any) -> None:
    before = client.run(os.getpid)
    lazy = da.zeros((20_032, 2), chunks=(10_048, 2))  # 800 MB per block
    message = r"a block of kernels of shape \(10048, 10048\) takes 0.808 GB, but .* smaller chunks"
    with pytest.raises(MemoryError, match=message):
        nk.mlp(1).ntk(lazy)[:10_000, :10_000].sum().compute()
    assert client.run(os.getpid) == before
    small = nk.mlp(1).ntk(lazy.rechunk({0: 4096}))[:4096, :4096]  # 134 MB
    assert np.isfinite(small.sum().compute())
    assert client.run(os.getpid) == before
