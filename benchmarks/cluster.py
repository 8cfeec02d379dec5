"""Exact regression over Dask beside one process, and what a cluster would move.

Points are generated. The same regression is solved by conjugate gradients in this process on two
threads, on a local cluster of two workers with one thread each, and on one worker with two. The bar
is on the ratio of the times. The number of threads of each worker that are busy at once is counted
while it works. The table on the page of documentation has the entries and bytes of a product on
clusters of several sizes, counted from the tasks.
"""

from __future__ import annotations

import argparse
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

import dask.array as da
import numpy as np
import psutil
from distributed import Client, LocalCluster
from harness import base_parser, load, machine, positive, write_json

import ntkfast as nk

BAR = 1.15
NETWORK = nk.mlp(3, w_std=2**0.5)


@dataclass(frozen=True)
class Result:
    """What a fit took, and the distance of its coefficients from those of one process."""

    name: str
    seconds: float
    products: int
    distance: float
    busy: float
    """The largest number of processors in use at once, over all processes."""


def fit(op: nk.KernelOperator, y: np.ndarray) -> nk.KernelRegression:
    """Solve, with the kernel and the preconditioner."""
    return nk.KernelRegression(op, y, relative_diag_reg=1e-2, solver="cg")


def busiest(processes: Sequence[psutil.Process], work: Callable[[], object]) -> float:
    """Return the largest share of processor time of all processes while a work runs."""
    shares = [0.0]
    done = threading.Event()

    def watch() -> None:
        def used() -> float:
            return sum(sum(process.cpu_times()[:2]) for process in processes)

        while not done.is_set():
            before, begun = used(), time.perf_counter()
            done.wait(0.5)
            shares.append((used() - before) / (time.perf_counter() - begun))

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        work()
    finally:
        done.set()
        watcher.join()
    return max(shares)


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print and record; 1 if the overhead is larger than the bar."""
    arguments = _parser().parse_args(argv)
    before = load()
    rng = np.random.default_rng(0)
    x = rng.standard_normal((arguments.points, arguments.features)).astype(np.float32)
    y = np.sin(2 * x[:, :10]) + 0.1 * rng.standard_normal((arguments.points, 10))
    lazy = da.from_array(x, chunks=(len(x) // 8, x.shape[1]))
    nk.set_num_threads(2)
    results: list[Result] = []

    def measure(name: str, make: Callable[[], nk.KernelOperator], workers: list[int]) -> None:
        processes = [psutil.Process(), *map(psutil.Process, workers)]
        best, found = np.inf, None
        for _ in range(arguments.repetitions):
            begun = time.perf_counter()
            found = fit(make(), y)
            best = min(best, time.perf_counter() - begun)
        busy = busiest(processes, lambda: fit(make(), y))
        assert found is not None
        products = found.prepared.report.products  # type: ignore[attr-defined]
        first = found.coefficients if not results else first_of[0]
        first_of[:] = [first]
        distance = float(np.abs(found.coefficients - first).max() / np.abs(first).max())
        results.append(Result(name, best, products, distance, busy))
        print(results[-1], flush=True)

    first_of: list[np.ndarray] = []
    measure("one process, two threads", lambda: nk.KernelOperator(NETWORK, x), [])
    for workers, threads in ((2, 1), (1, 2)):
        with (
            LocalCluster(
                n_workers=workers, threads_per_worker=threads, dashboard_address="127.0.0.1:0"
            ) as cluster,
            Client(cluster),
        ):
            pids = [worker.pid for worker in cluster.workers.values()]
            name = f"{workers} x {threads}"
            measure(name, lambda: nk.KernelOperator(NETWORK, lazy), pids)
    missed = [each for each in results[1:] if each.seconds > BAR * results[0].seconds]
    for each in results[1:]:
        print(f"{each.name}: {each.seconds / results[0].seconds:.2f} of one process, at most {BAR}")
    settings = {"machine": machine(), "load_before": before, "load_after": load()}
    write_json(arguments.output, {"settings": settings, "rows": [asdict(r) for r in results]})
    return int(bool(missed))


def _parser() -> argparse.ArgumentParser:
    parser = base_parser(__doc__, "cluster", repetitions=2)
    parser.add_argument("--points", type=positive, default=20_000)
    parser.add_argument("--features", type=positive, default=784)
    return parser


if __name__ == "__main__":
    sys.exit(main())
