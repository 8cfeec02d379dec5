"""Every bar on speed, measured in one run: a line each of a table, and of a JSON record.

A bar is the most that a ratio of two times may be: of a kernel and of NumPy's product of the same
points, or of a kernel and of its own time in another case, which the work then names. Both sides
allocate what they return and use the same number of threads, their repetitions alternate, and the
best of each counts. Networks are built anew in every repetition, so that whatever is compiled or
fitted counts. Small calls have bars in microseconds, memory has one in MB.
"""

from __future__ import annotations

import argparse
import math
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from harness import (
    Row,
    Work,
    add_threads,
    alternate,
    base_parser,
    header,
    line,
    load,
    on_threads,
    peak_memory,
    write_json,
)
from numpy.typing import NDArray

import ntkfast as nk

FloatArray = NDArray[np.floating[Any]]
Build = Callable[[], nk.Serial]

QUICK = 5  # times fewer points
QUICK_REPETITIONS = 2


@dataclass(frozen=True)
class Gram:
    """A Gram matrix, and how many times as long as the product it may take."""

    work: str
    build: Build
    bar: float
    get: str = "ntk"

    def of(self, x: FloatArray) -> Work:
        """Return the work: a network and its kernel."""
        return lambda: getattr(self.build(), self.get)(x)


@dataclass(frozen=True)
class Grams:
    """Gram matrices of the same random points."""

    n: int
    d: int
    dtype: str
    works: tuple[Gram, ...]


def perceptron(depth: int, activation: type[nk.Network], b_std: float | None = 0.1) -> Build:
    """Return what builds `depth` hidden layers."""
    return lambda: nk.mlp(depth, activation(), w_std=math.sqrt(2), b_std=b_std)


RELU = perceptron(3, nk.Relu)
NTK, NNGP = Gram("NTK", RELU, 1.0), Gram("NNGP", RELU, 0.9, get="nngp")

GRAMS = {
    "large": Grams(10_000, 784, "float64", (NTK, NNGP)),
    "large32": Grams(10_000, 784, "float32", (NTK, NNGP)),
    "narrow": Grams(5_000, 100, "float64", (Gram("NTK", RELU, 1.5),)),
    "narrow32": Grams(5_000, 100, "float32", (Gram("NTK", RELU, 1.5),)),
    "networks": Grams(
        5_000,
        784,
        "float64",
        (
            Gram("10 layers", perceptron(10, nk.Relu), 1.8),
            Gram("100 layers, no bias", perceptron(100, nk.Relu, b_std=None), 1.2),
            Gram("Erf", perceptron(3, nk.Erf), 2.0),
            Gram("Gelu", perceptron(3, nk.Gelu), 2.0),
            Gram("Sin", perceptron(3, nk.Sin), 2.0),
            Gram("Tanh, with its fit", perceptron(3, nk.Tanh), 4.0),
        ),
    ),
}


@dataclass(frozen=True)
class Run:
    """How to measure."""

    repetitions: int
    threads: int
    shrink: int

    def best(self, works: Mapping[str, Work]) -> dict[str, float]:
        """Time works in turn, and return the best of each."""
        seconds = alternate(works, self.repetitions)
        return {name: min(times) for name, times in seconds.items()}

    def points(self, n: int, d: int, dtype: str = "float64", seed: int = 0) -> FloatArray:
        """Gaussian samples, the same in every run."""
        rng = np.random.default_rng(seed)
        return rng.standard_normal((n // self.shrink, d), dtype=np.dtype(dtype))


def size(*points: FloatArray) -> str:
    """Write the sizes as the table does."""
    rows = " × ".join(f"{len(each):,}" for each in points)
    kind = "" if points[0].dtype == np.float64 else f", {points[0].dtype}"
    return f"{rows} points, d = {points[0].shape[1]}{kind}"


def grams(shape: Grams, run: Run) -> list[Row]:
    """Compare Gram matrices with the matrix product."""
    x = run.points(shape.n, shape.d, shape.dtype)
    works = {gram.work: gram.of(x) for gram in shape.works}
    best = run.best({**works, "product": lambda: x @ x.T})
    return [
        Row(f"{gram.work}, {size(x)}", best[gram.work], best["product"], gram.bar)
        for gram in shape.works
    ]


def cross(run: Run) -> list[Row]:
    """Compare the kernel between two sets of points with their product."""
    x, x2 = run.points(10_000, 784), run.points(1_000, 784, seed=1)
    best = run.best({"ours": lambda: RELU().ntk(x, x2), "product": lambda: x @ x2.T})
    return [Row(f"NTK, {size(x, x2)}", best["ours"], best["product"], bar=1.2)]


def near(run: Run) -> list[Row]:
    """Compare points of which many nearly coincide with random ones."""
    n, rng = 5_000 // run.shrink, np.random.default_rng(1)
    # A table whose columns follow two hidden ones: of its pairs, 6 % have cosines above 0.99.
    columns = rng.standard_normal((n, 2)) @ rng.standard_normal((2, 18)) / math.sqrt(2)
    columns += 0.2 * rng.standard_normal((n, 18))
    low, high = columns.min(axis=0), columns.max(axis=0)
    cases = {
        f"1-D grid of {n:,} against random": np.linspace(-1, 1, n)[:, np.newaxis],
        f"min–max scaled {n:,} × 18 against random": (columns - low) / (high - low),
    }
    rows = []
    for work, x in cases.items():
        best = run.best({"near": NTK.of(x), "random": NTK.of(run.points(5_000, x.shape[1]))})
        rows.append(Row(work, best["near"], best["random"], bar=1.3))
    return rows


def small(run: Run) -> list[Row]:
    """Time calls of which Python is a part: the mean of many, after pauses their median."""
    net, x = RELU(), np.random.default_rng(0).standard_normal((10, 10))

    def microseconds(calls: int, pause: float) -> float:
        times = []
        for _ in range(calls):
            time.sleep(pause)
            start = time.perf_counter()
            net.ntk(x)
            times.append(1e6 * (time.perf_counter() - start))
        return statistics.median(times)

    def hot(calls: int) -> float:
        start = time.perf_counter()
        for _ in range(calls):
            net.ntk(x)
        return 1e6 * (time.perf_counter() - start) / calls

    microseconds(calls=10, pause=0.0)
    return [
        Row(
            "NTK of 10 points, d = 10, hot",
            min(hot(calls=1000) for _ in range(run.repetitions)),
            bar=20.0,
            unit="µs",
        ),
        Row(
            "NTK of 10 points, d = 10, 1 ms pauses",
            min(microseconds(calls=200, pause=1e-3) for _ in range(run.repetitions)),
            bar=60.0,
            unit="µs",
        ),
    ]


def threads(run: Run) -> list[Row]:
    """Measure what threads gain, beside what they gain NumPy's product."""
    if run.threads == 1:
        return []
    x = run.points(10_000, 784)

    def on(number: int, work: Work) -> Work:
        def limited() -> object:
            with on_threads(number):
                return work()

        return limited

    def product() -> object:
        return x @ x.T

    best = run.best(
        {
            "ours": on(2, NTK.of(x)),
            "product": on(2, product),
            "ours alone": on(1, NTK.of(x)),
            "product alone": on(1, product),
        }
    )
    theirs = Row("NumPy's product, 2 threads against 1", best["product"], best["product alone"])
    # A gain of 1.7, or what the machine gives to the product.
    bar = max(1 / 1.7, theirs.figure)
    work = f"NTK, {size(x)}, 2 threads against 1"
    return [Row(work, best["ours"], best["ours alone"], bar), theirs]


def prepare_gram(n: int, d: int, number: int) -> Work:
    """Allocate and touch input and output; what is left is what the NTK needs beyond them."""
    nk.set_num_threads(number)
    net, x, out = RELU(), np.random.default_rng(0).standard_normal((n, d)), np.empty((n, n))
    out.fill(0)
    return lambda: net.ntk(x, out=out)


def memory(run: Run) -> list[Row]:
    """Measure what is needed beyond input and output: at most a copy of the points and 32 MB."""
    n, d = 10_000 // run.shrink, 784
    peak = peak_memory(prepare_gram, n, d, run.threads)
    if peak is None:
        print("peak memory: this system does not tell")
        return []
    work = f"memory beyond the output, {n:,} points, d = {d}"
    return [Row(work, peak / 2**20, bar=8 * n * d / 2**20 + 32, unit="MB")]


GROUPS: dict[str, Callable[[Run], list[Row]]] = {
    **{name: partial(grams, shape) for name, shape in GRAMS.items()},
    "cross": cross,
    "near": near,
    "small": small,
    "threads": threads,
    "memory": memory,
}


def main(argv: Sequence[str] | None = None) -> None:
    """Measure, print a table, write the record."""
    arguments = _parser().parse_args(argv)
    repetitions, shrink = arguments.repetitions, 1
    if arguments.quick:
        repetitions, shrink = min(repetitions, QUICK_REPETITIONS), QUICK
    run, before = Run(repetitions, arguments.threads, shrink), load()
    print(
        f"3 hidden ReLU layers with bias and float64 unless said otherwise; {run.threads} threads, "
        f"{nk.info()['simd']}; best of {run.repetitions}; load before: {before}"
    )
    if arguments.quick:
        print(f"quick: {QUICK} times fewer points than those that the bars are for")
    print(f"\n{header('NumPy, or as said')}")
    rows: list[Row] = []
    with on_threads(run.threads):
        for name in arguments.only:
            found = GROUPS[name](run)
            print("\n".join(map(line, found)), flush=True)
            rows += found
    verdicts = [row.met for row in rows if row.met is not None]
    print(f"\n{sum(verdicts)} of {len(verdicts)} bars met")
    settings = {
        "repetitions": run.repetitions,
        "threads": run.threads,
        "quick": arguments.quick,
        "load_before": before,
    }
    write_json(arguments.output, {"settings": settings, "rows": [row.record() for row in rows]})
    print(f"record: {arguments.output}")


def _parser() -> argparse.ArgumentParser:
    parser = base_parser(__doc__, "suite", repetitions=5)
    add_threads(parser)
    parser.add_argument("--quick", action="store_true", help="smaller sizes, fewer repetitions")
    parser.add_argument(
        "--only", choices=GROUPS, nargs="+", metavar="NAME", default=list(GROUPS), help="rows"
    )
    return parser


if __name__ == "__main__":
    main()
