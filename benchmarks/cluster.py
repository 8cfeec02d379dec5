"""Exact regression over Dask beside one process.

The same regression is solved by conjugate gradients in this process on two threads, on a local
cluster of two workers with one thread each, and on one worker with two, in turn. Points are
generated, or images of MNIST. The bar is on the ratio of the times. Blocks must have the bits of
one process, and solutions agree to their tolerance. The processors that all processes use together
are recorded while they work.
"""

from __future__ import annotations

import argparse
import contextlib
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np
import psutil
from distributed import Client, LocalCluster
from harness import alternate, base_parser, load, machine, positive, write_json

import ntkfast as nk

BAR = 1.15
NETWORK = nk.mlp(3, w_std=2**0.5)


@dataclass(frozen=True)
class Result:
    """What a fit took, and how it differs from that of one process."""

    name: str
    seconds: float
    """The median."""
    ratio: float
    products: int
    distance: float
    """Of the coefficients, relative to the largest."""
    same_bits: bool
    """Of the blocks that a worker keeps."""
    threads: int
    """Of ntkfast, for all tasks at once on all workers."""
    busy: float
    """The largest number of processors in use at once, over all processes."""


class Place:
    """Where a fit runs: in this process, or on a cluster with its client."""

    def __init__(self, x: Any, y: np.ndarray, client: Client | None, pids: Sequence[int]) -> None:
        self.x, self.y, self.client = x, y, client
        self.processes = [psutil.Process(), *map(psutil.Process, pids)]
        self.op: Any = None
        self.found: Any = None

    def fit(self) -> None:
        """Solve, with the kernel and the preconditioner."""
        with self.client.as_current() if self.client else contextlib.nullcontext():
            self.op = None  # and its blocks
            self.op = nk.KernelOperator(NETWORK, self.x)
            self.found = nk.KernelRegression(self.op, self.y, relative_diag_reg=1e-2, solver="cg")

    def blocks(self) -> list[np.ndarray]:
        """Return some blocks that it has kept."""
        if self.client is None:
            return list(self.op._store.blocks)
        with self.client.as_current():
            return list(self.op._kept[0].compute())

    def threads(self) -> int:
        """Return the threads of all tasks at once."""
        if self.client is None:
            return nk.num_threads()
        workers = self.client.nthreads()
        each = self.client.run(nk.num_threads)
        return sum(workers[address] * each[address] for address in workers)


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
    x, y = _data(arguments)
    lazy = da.from_array(x, chunks=(max(1, len(x) // 8), x.shape[1]))
    nk.set_num_threads(2)
    places = {"one process": Place(x, y, None, [])}
    with contextlib.ExitStack() as stack:
        for workers, threads in ((2, 1), (1, 2)):
            cluster = stack.enter_context(
                LocalCluster(
                    n_workers=workers, threads_per_worker=threads, dashboard_address="127.0.0.1:0"
                )
            )
            client = stack.enter_context(Client(cluster, set_as_default=False))
            pids = [worker.pid for worker in cluster.workers.values()]
            places[f"{workers} x {threads}"] = Place(lazy, y, client, pids)
        works = {name: place.fit for name, place in places.items()}
        seconds = alternate(works, arguments.repetitions)
        results = [_result(name, seconds, places) for name in places]
    missed = [each for each in results[1:] if each.ratio > BAR]
    for each in results:
        print(each)
    print(f"at most {BAR} of one process: {'missed' if missed else 'met'}")
    settings: dict[str, Any] = {"machine": machine(), "load_before": before, "load_after": load()}
    settings |= {"shape": x.shape, "mnist": arguments.mnist is not None}
    write_json(arguments.output, {"settings": settings, "rows": [asdict(r) for r in results]})
    return int(bool(missed))


def _result(name: str, seconds: dict[str, list[float]], places: dict[str, Place]) -> Result:
    place, first = places[name], places["one process"]
    busy = busiest(place.processes, place.fit)
    expected = first.found.coefficients
    median = float(np.median(seconds[name]))
    return Result(
        name=name,
        seconds=median,
        ratio=median / float(np.median(seconds["one process"])),
        products=place.found.prepared.report.products,
        distance=float(np.abs(place.found.coefficients - expected).max() / np.abs(expected).max()),
        same_bits=all(map(np.array_equal, place.blocks(), first.blocks())),
        threads=place.threads(),
        busy=busy,
    )


def _data(arguments: argparse.Namespace) -> tuple[np.ndarray, np.ndarray]:
    """Return points in float32 and ten targets."""
    n = arguments.points
    if arguments.mnist is not None:
        with np.load(arguments.mnist) as file:
            images, labels = file["X"][:n], file["y"][:n]
        x = images.reshape(len(images), -1).astype(np.float32)
        x /= np.linalg.norm(x, axis=1, keepdims=True)
        return x, np.eye(10)[labels.astype(int)] - 0.1
    rng = np.random.default_rng(0)
    x = rng.standard_normal((n, arguments.features)).astype(np.float32)
    return x, np.sin(2 * x[:, :10]) + 0.1 * rng.standard_normal((n, 10))


def _parser() -> argparse.ArgumentParser:
    parser = base_parser(__doc__, "cluster", repetitions=3)
    parser.add_argument("--points", type=positive, default=20_000)
    parser.add_argument("--features", type=positive, default=784)
    parser.add_argument("--mnist", type=Path, metavar="FILE", help="an NPZ file with X and y")
    return parser


if __name__ == "__main__":
    sys.exit(main())
