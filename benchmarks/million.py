r"""A million points with two classes: Nyström regression beside other methods, at equal time.

The first argument is the word ``generated``, or a file such as HIGGS.csv or SUSY.csv (of the UCI
repository; the label in the first column), of which the last rows are for testing. Generated points
have 28 features, of which eight matter. The probability of the class is known, and with it the
smallest error that any method can have. Every other method gets the time that the first fit took::

    .venv/bin/python benchmarks/million.py generated --points 1000000 --centres 10000
    .venv/bin/python benchmarks/million.py SUSY.csv --centres 5000
"""

from __future__ import annotations

import argparse
import resource
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from harness import add_threads, base_parser, load, machine, on_threads, positive, write_json
from large import report
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.kernel_approximation import Nystroem
from sklearn.linear_model import SGDClassifier
from sklearn.neural_network import MLPClassifier

import ntkfast as nk

Floats = NDArray[np.float32]
Classes = Callable[[Floats], NDArray[Any]]

FEATURES, TEST = 28, 50_000
NETWORK = nk.mlp(3, w_std=2**0.5)
BARS = {"seconds": 1200.0, "gigabytes": 8.0}


@dataclass(frozen=True)
class Problem:
    """Points, labels 0 and 1, and the smallest possible error, if it is known."""

    x: Floats
    y: NDArray[np.float32]
    x_test: Floats
    y_test: NDArray[np.float32]
    least: float | None


@dataclass(frozen=True)
class Result:
    """What a method took, and its share of wrong test labels."""

    method: str
    seconds: float
    error: float


def generated(n: int, seed: int = 0) -> Problem:
    """Draw normal points and labels of probability 1/(1 + exp(−4·g(x))).

    g = x₀x₁ + sin(2x₂) + |x₃| − 0.8 + ½·x₄x₅x₆ + ½·x₇. A seed gives the same points anywhere.
    """
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((n + TEST, FEATURES), dtype=np.float32)
    g = x[:, 0] * x[:, 1] + np.sin(2 * x[:, 2]) + np.abs(x[:, 3]) - 0.8
    g += 0.5 * x[:, 4] * x[:, 5] * x[:, 6] + 0.5 * x[:, 7]
    p = 1 / (1 + np.exp(-4 * g.astype(np.float64)))
    y = (rng.random(len(p)) < p).astype(np.float32)
    least = float(np.minimum(p, 1 - p)[n:].mean())
    return Problem(x[:n], y[:n], x[n:], y[n:], least)


def from_file(path: Path, n: int) -> Problem:
    """Read the label and the features of the first n rows, and of those for testing after them."""
    rows = np.loadtxt(path, delimiter=",", dtype=np.float32, max_rows=n + TEST)
    x, y = rows[:, 1:], rows[:, 0]
    n = len(x) - TEST
    mean, scale = x[:n].mean(axis=0), x[:n].std(axis=0)
    x = (x - mean) / np.where(scale > 0, scale, 1)
    return Problem(x[:n], y[:n], x[n:], y[n:], None)


def fitted(problem: Problem, arguments: argparse.Namespace, centres: int) -> nk.NystroemRegression:
    """Fit to targets of −1 and 1."""
    return nk.NystroemRegression(
        NETWORK,
        problem.x,
        2 * problem.y - 1,
        centres=centres,
        diag_reg=arguments.ridge * len(problem.x),
        tol=arguments.tol,
        memory=arguments.memory,
        progress=report(),
    )


def labels_of(fit: nk.NystroemRegression, x: Floats) -> NDArray[Any]:
    """Return labels 0 and 1 by the sign of the outputs."""
    return np.asarray(fit.predict(x) > 0, np.float32)


def rbf(problem: Problem, budget: float, centres: int) -> Classes:
    """Fit hinge losses to Nyström features of the RBF kernel, chunk by chunk, while time lasts."""
    begun, rng = time.perf_counter(), np.random.default_rng(0)
    some = rng.choice(len(problem.x), min(20_000, len(problem.x)), replace=False)
    features = Nystroem(gamma=1 / problem.x.shape[1] / 2, n_components=centres, random_state=0)
    features.fit(problem.x[some])
    model = SGDClassifier(alpha=1e-7, random_state=0)
    while time.perf_counter() - begun < budget:
        for start in range(0, len(problem.x), 10_000):
            rows = slice(start, start + 10_000)
            labels = problem.y[rows]
            model.partial_fit(features.transform(problem.x[rows]), labels, classes=[0.0, 1.0])
            if time.perf_counter() - begun > budget:
                break
    return lambda x: np.concatenate(
        [model.predict(features.transform(x[i : i + 10_000])) for i in range(0, len(x), 10_000)]
    )


def boosting(problem: Problem, budget: float) -> Classes:
    """Grow trees while time lasts."""
    begun = time.perf_counter()
    model = HistGradientBoostingClassifier(
        max_iter=50, learning_rate=0.1, warm_start=True, early_stopping=False, random_state=0
    )
    while True:
        model.fit(problem.x, problem.y)
        if time.perf_counter() - begun > budget or model.max_iter >= 3000:
            predict: Classes = model.predict
            return predict
        model.max_iter += 50


def perceptron(problem: Problem, budget: float) -> Classes:
    """Train a network of three hidden layers of 256 neurons while time lasts."""
    begun = time.perf_counter()
    model = MLPClassifier((256, 256, 256), batch_size=512, early_stopping=False, random_state=0)
    order = np.random.default_rng(0)
    while time.perf_counter() - begun < budget:
        for rows in np.array_split(order.permutation(len(problem.x)), 20):
            model.partial_fit(problem.x[rows], problem.y[rows], classes=[0.0, 1.0])
            if time.perf_counter() - begun > budget:
                break
    predict: Classes = model.predict
    return predict


def others(problem: Problem, budget: float) -> Iterator[tuple[str, Classes]]:
    """Yield the other methods, fitted."""
    yield "scikit-learn Nystroem (RBF, 1,000 centres) and SGD", rbf(problem, budget, 1000)
    yield "scikit-learn HistGradientBoosting", boosting(problem, budget)
    yield "scikit-learn MLP, 3 × 256", perceptron(problem, budget)


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print and record; 1 if a bar is missed."""
    arguments = _parser().parse_args(argv)
    before, results = load(), []
    if arguments.data == "generated":
        problem = generated(arguments.points)
    else:
        problem = from_file(Path(arguments.data), arguments.points)

    def add(name: str, seconds: float, predict: Classes) -> None:
        wrong = float(np.mean(predict(problem.x_test) != problem.y_test))
        results.append(Result(name, seconds, wrong))
        print(f"{name}: {seconds:.0f} s, error {wrong:.4f}", flush=True)

    missed = 0
    with on_threads(arguments.threads):
        for centres in arguments.centres:
            begun = time.perf_counter()
            fit = fitted(problem, arguments, centres)
            seconds = time.perf_counter() - begun
            print(fit.report)
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9
            print(f"peak memory of the process {peak:.2f} GB")
            name = f"ntkfast NystroemRegression, {centres:,} centres"
            add(name, seconds, partial(labels_of, fit))
            if centres == 10_000 and arguments.points == 1_000_000:
                missed += seconds > BARS["seconds"] or peak > BARS["gigabytes"]
        if problem.least is not None:
            print(f"smallest possible error {problem.least:.4f}")
        if not arguments.alone:
            for begun, (name, predict) in _timed(others(problem, results[0].seconds)):
                add(name, begun, predict)
    record = {
        "settings": {"machine": machine(), "load_before": before, "load_after": load()},
        "least": problem.least,
        "rows": [asdict(each) for each in results],
    }
    write_json(arguments.output, record)
    return int(missed > 0)


def _timed(
    fits: Iterator[tuple[str, Classes]],
) -> Iterator[tuple[float, tuple[str, Classes]]]:
    """Yield what an iterator yields, and the seconds that it took."""
    while True:
        begun = time.perf_counter()
        try:
            fit = next(fits)
        except StopIteration:
            return
        yield time.perf_counter() - begun, fit


def _parser() -> argparse.ArgumentParser:
    parser = base_parser(__doc__, "million", repetitions=1)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("data", help="a file, or 'generated'")
    add_threads(parser)
    parser.add_argument("--points", type=positive, default=1_000_000)
    parser.add_argument("--centres", type=positive, nargs="+", default=[10_000])
    parser.add_argument("--ridge", type=float, default=1e-6, help="λ: the ridge is n·λ")
    parser.add_argument("--tol", type=float, default=1e-4)
    parser.add_argument("--memory", type=float, default=1e9, help="bytes of kept kernel values")
    parser.add_argument("--alone", action="store_true", help="no other methods")
    return parser


if __name__ == "__main__":
    sys.exit(main())
