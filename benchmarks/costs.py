"""Time and memory of the main functions, by the number of points.

Every number is from a process of its own, which runs the work on a few points before: that starts
threads and imports modules. Memory is the peak of that process, with Python, the libraries and all
inputs. The table is printed, and with `--page` written into the documentation.
"""

from __future__ import annotations

import argparse
import platform
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from harness import Cost, Work, add_threads, base_parser, cost, load, machine, positive, write_json
from numpy.typing import NDArray
from pages import fill, line

import ntkfast as nk
from ntkfast._quantities import in_bytes

PAGE = Path(__file__).parents[1] / "docs" / "time-and-memory.md"

FEATURES, OUTPUTS, TESTED = 100, 10, 1000
"""Features of a point, outputs, and test points."""

FEW = 200
"""Points of the run that is not counted."""

Array = NDArray[np.floating[Any]]
NETWORK = nk.mlp(3, nk.Relu(), w_std=2**0.5, b_std=0.1)


def points(n: int) -> tuple[Array, Array, Array]:
    """Return training points, their targets, and test points."""
    rng = np.random.default_rng(0)
    x, test = rng.standard_normal((n, FEATURES)), rng.standard_normal((TESTED, FEATURES))
    return x, rng.standard_normal((n, OUTPUTS)), test


def of_points(work: Callable[[Array, Array, Array], object]) -> Callable[[int], Work]:
    """Return what prepares a work on points."""

    def prepare(n: int) -> Work:
        given = points(n)
        return lambda: work(*given)

    return prepare


def of_kernel(work: Callable[[Array, Array], object]) -> Callable[[int], Work]:
    """Return what prepares a work on the NTK and the targets."""

    def prepare(n: int) -> Work:
        x, y, _ = points(n)
        theta = NETWORK.ntk(x)
        return lambda: work(theta, y)

    return prepare


def estimator(name: str) -> Callable[[int], Work]:
    """Return what prepares an estimator: it is fitted and predicts the test points."""

    def work(x: Array, y: Array, test: Array) -> object:
        target = y.argmax(axis=1) if name.endswith("Classifier") else y
        return getattr(nk.sklearn, name)(network=NETWORK).fit(x, target).predict(test)

    return of_points(work)


WORKS: dict[str, Callable[[int], Work]] = {
    "`net.ntk(x)`": of_points(lambda x, *_: NETWORK.ntk(x)),
    "`net.kernels(x)`": of_points(lambda x, *_: NETWORK.kernels(x)),
    "`eigh(theta)`": of_kernel(lambda theta, _: nk.eigh(theta)),
    "`cholesky(theta)`": of_kernel(lambda theta, _: nk.cholesky(theta)),
    "`KernelRegression(theta, y)`": of_kernel(nk.KernelRegression),
    "`GradientFlow(theta, y)`": of_kernel(nk.GradientFlow),
    "`Ensemble(net, x, y)`": of_points(lambda x, y, _: nk.Ensemble(NETWORK, x, y)),
    "`Ensemble`, variances at t = 1": of_points(
        lambda x, y, test: nk.Ensemble(NETWORK, x, y).predict(test, t=1.0, covariance="diagonal")
    ),
    "`Ensemble`, variances at t = inf": of_points(
        lambda x, y, test: nk.Ensemble(NETWORK, x, y).predict(test, covariance="diagonal")
    ),
    "`Posterior(net, x, y)`": of_points(lambda x, y, _: nk.Posterior(NETWORK, x, y)),
    "`Posterior`, variances": of_points(
        lambda x, y, test: nk.Posterior(NETWORK, x, y).predict(test, covariance="diagonal")
    ),
    "`NTKRegressor`": estimator("NTKRegressor"),
    "`NTKClassifier`": estimator("NTKClassifier"),
    "`NNGPRegressor`": estimator("NNGPRegressor"),
}


def prepare(name: str, n: int, threads: int) -> Work:
    """Prepare a work by its name, in the process that runs it."""
    nk.set_num_threads(threads)
    WORKS[name](FEW)()
    return WORKS[name](n)


def measure(name: str, n: int, threads: int, repetitions: int) -> Cost:
    """Return the cost of the fastest of several processes."""
    found = [cost(prepare, name, n, threads) for _ in range(repetitions)]
    return min(found, key=lambda each: each.seconds)


def table(costs: dict[str, list[Cost]], sizes: Sequence[int], *, times: bool = True) -> str:
    """Lay memory out, and times, one column per number of points."""
    rows = [line(["", *(f"n = {n:,}" for n in sizes)]), line(["---", *["---:"] * len(sizes)])]
    for name, found in costs.items():
        cells = [
            (f"{each.seconds:.3g} s, " if times else "")
            + ("?" if each.peak is None else in_bytes(each.peak))
            for each in found
        ]
        rows.append(line([name, *cells]))
    return "\n".join(rows)


def main(argv: Sequence[str] | None = None) -> None:
    """Measure, print, write the page anew and the record."""
    arguments = _parser().parse_args(argv)
    before = load()
    costs: dict[str, list[Cost]] = {}
    for name in WORKS:
        costs[name] = [
            measure(name, n, arguments.threads, arguments.repetitions) for n in arguments.sizes
        ]
        print(table({name: costs[name]}, arguments.sizes).splitlines()[-1], flush=True)
    settings = (
        f"ntkfast {nk.__version__}, {machine()['processor']}, {nk.info()['simd']}, "
        f"{arguments.threads} threads, {platform.system()}, float64"
    )
    if arguments.memory:
        settings += ". Memory only: other work on this machine would have changed the times."
    else:
        settings += f"; best of {arguments.repetitions}, load {before} before the first."
    measured = f"{settings}\n\n{table(costs, arguments.sizes, times=not arguments.memory)}"
    print(measured)
    if arguments.page:
        PAGE.write_text(fill(PAGE.read_text(encoding="utf-8"), measured), encoding="utf-8")
    rows = {name: [asdict(each) for each in found] for name, found in costs.items()}
    write_json(arguments.output, {"settings": settings, "sizes": arguments.sizes, "rows": rows})


def _parser() -> argparse.ArgumentParser:
    parser = base_parser(__doc__, "costs", repetitions=3)
    add_threads(parser)
    parser.add_argument(
        "--sizes", type=positive, nargs="+", default=[1000, 2000, 4000, 8000], metavar="N"
    )
    parser.add_argument("--memory", action="store_true", help="no times, on a busy machine")
    parser.add_argument("--page", action="store_true", help=f"write {PAGE.name}")
    return parser


if __name__ == "__main__":
    main()
