"""How the error of Nyström regression falls with the number of centres, and that of RBF kernels.

Folders are those of ``mnist.py`` and ``uci.py``. Networks of one to three layers and the
regularisation are chosen by leave-one-out. scikit-learn's ``Nystroem`` with the RBF kernel has the
same centres, and chooses its scale and the regularisation of ``Ridge`` by leave-one-out
(``RidgeCV``), too. The figure and the table go into the documentation.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import mnist
import numpy as np
from harness import add_threads, base_parser, load, machine, on_threads, positive, write_json
from numpy.typing import NDArray
from pages import fill, line
from sklearn.kernel_approximation import Nystroem
from sklearn.linear_model import RidgeCV
from uci import Split, splits

import ntkfast as nk

FloatArray = NDArray[np.floating[Any]]

DOCS = Path(__file__).parents[1] / "docs"
SETS = ("kin40k", "protein", "keggdirected")
NETWORKS = {
    f"{name} {depth}": nk.mlp(depth, activation, w_std=w_std, b_std=b_std)
    for depth in (1, 2, 3)
    for name, activation, w_std, b_std in (
        ("ReLU", nk.Relu(), 2**0.5, 1.0),
        ("erf", nk.Erf(), 1.0, 0.5),
    )
}
RIDGES = np.logspace(-7, 1, 17)
SCALES = np.logspace(-1.5, 1.5, 7)
ALL = 10**9


@dataclass(frozen=True)
class Result:
    """An error: of numbers the root mean square, of digits the share of wrong ones."""

    data: str
    method: str
    centres: int
    error: float
    seconds: float
    choice: str


def ours(split: Split, centres: FloatArray | int) -> tuple[FloatArray, str, FloatArray]:
    """Choose a network and a regularisation by leave-one-out; return outputs and centres."""
    best: tuple[float, str, nk.NystroemPath] | None = None
    for name, network in NETWORKS.items():
        path = nk.NystroemPath(
            network, split.x, split.y, centres=centres, diag_reg=RIDGES, units="relative"
        )
        error = float(path.errors.min())
        if best is None or error < best[0]:
            best = error, name, path
    assert best is not None
    fit = best[2].regression()
    return fit.predict(split.x_test), best[1], fit.centres


def rbf(split: Split, centres: FloatArray) -> tuple[FloatArray, str]:
    """Choose a scale and a regularisation by leave-one-out, for the same centres."""
    some = np.random.default_rng(0).choice(len(split.x), min(2000, len(split.x)), replace=False)
    squares = ((split.x[some, None] - split.x[some[:200]]) ** 2).sum(axis=2)
    median = float(np.median(squares[squares > 0]))
    best: tuple[float, float, Any, Any] | None = None
    for scale in SCALES:
        features = Nystroem(gamma=1 / (2 * scale * median), n_components=len(centres)).fit(centres)
        model = RidgeCV(RIDGES * len(split.x) / 100, fit_intercept=False)
        model.fit(features.transform(split.x), split.y)
        if best is None or model.best_score_ > best[0]:
            best = model.best_score_, scale, features, model
    assert best is not None
    return best[3].predict(best[2].transform(split.x_test)), f"scale {best[1]:.2g}"


def problems(arguments: argparse.Namespace) -> Iterator[tuple[str, Split]]:
    """Yield the data."""
    if arguments.uci is not None:
        for name in SETS:
            (split,) = splits(arguments.uci / name, 3, 1, arguments.points)
            yield name, split
    if arguments.mnist is not None:
        train, test = mnist.read([arguments.mnist])
        train = train.first(arguments.points)
        arrays = (train.x, train.targets, test.x, test.targets)
        yield "MNIST", Split(*(array.astype(np.float32) for array in arrays))


def error_of(outputs: FloatArray, targets: FloatArray) -> float:
    """Return the share of wrong labels, or the root mean square."""
    if targets.ndim == 2:
        return float(np.mean(outputs.argmax(axis=1) != targets.argmax(axis=1)))
    return float(np.sqrt(np.mean((outputs - targets) ** 2)))


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print, draw and record; 1 if RBF kernels do better with 1,000 centres."""
    arguments = _parser().parse_args(argv)
    before, results = load(), []
    with on_threads(arguments.threads):
        for data, split in problems(arguments):
            for number in arguments.centres:
                begun = time.perf_counter()
                outputs, choice, centres = ours(split, number)
                seconds = time.perf_counter() - begun
                error = error_of(outputs, split.y_test)
                results.append(Result(data, "ntkfast", number, error, seconds, choice))
                print(results[-1], flush=True)
                if data == "MNIST":
                    continue
                begun = time.perf_counter()
                outputs, choice = rbf(split, centres)
                seconds = time.perf_counter() - begun
                error = error_of(outputs, split.y_test)
                results.append(Result(data, "RBF", number, error, seconds, choice))
                print(results[-1], flush=True)
    settings = {"machine": machine(), "load_before": before, "load_after": load()}
    write_json(arguments.output, {"settings": settings, "rows": [asdict(r) for r in results]})
    if arguments.docs:
        draw(results, DOCS / "images" / "centres.png")
        page = DOCS / "large-data.md"
        page.write_text(fill(page.read_text(), table(results), "centres"))
    pairs = {(r.data, r.method): r.error for r in results if r.centres == 1000}
    worse = [data for data in SETS if pairs.get((data, "ntkfast"), 0) > pairs.get((data, "RBF"), 1)]
    for data in worse:
        print(f"{data}: {pairs[data, 'ntkfast']:.4f}, RBF {pairs[data, 'RBF']:.4f}: missed")
    return int(bool(worse))


def table(results: Sequence[Result]) -> str:
    """Return the errors as Markdown."""
    numbers = sorted({result.centres for result in results})
    lines = [line(["data", "kernel", *(f"{number:,}" for number in numbers)])]
    lines.append(line(["---"] * (2 + len(numbers))))
    for data in dict.fromkeys(result.data for result in results):
        for method in ("ntkfast", "RBF"):
            errors = {r.centres: r.error for r in results if (r.data, r.method) == (data, method)}
            if errors:
                name = "NTK" if method == "ntkfast" else "RBF, scikit-learn"
                lines.append(line([data, name, *(f"{errors[number]:.4f}" for number in numbers)]))
    return "\n".join(lines)


def draw(results: Sequence[Result], path: Path) -> None:
    """Draw the errors against the number of centres."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(7, 4.5), layout="constrained")
    for data in dict.fromkeys(result.data for result in results):
        color = None
        for method, style in (("ntkfast", "o-"), ("RBF", "x:")):
            some = [r for r in results if (r.data, r.method) == (data, method)]
            if not some:
                continue
            label = data if method == "ntkfast" else f"{data}, RBF"
            (drawn,) = axes.loglog(
                [r.centres for r in some],
                [r.error for r in some],
                style,
                color=color,
                label=label,
            )
            color = drawn.get_color()
    axes.set_xlabel("number of centres")
    axes.set_ylabel("test error")
    axes.legend()
    figure.savefig(path, dpi=150)


def _parser() -> argparse.ArgumentParser:
    parser = base_parser(__doc__, "centres", repetitions=1)
    add_threads(parser)
    parser.add_argument("--mnist", type=Path, metavar="FOLDER")
    parser.add_argument("--uci", type=Path, metavar="FOLDER")
    parser.add_argument("--points", type=positive, default=ALL, help="training points, at most")
    parser.add_argument("--centres", type=positive, nargs="+", default=[100, 250, 500, 1000, 2000])
    parser.add_argument("--docs", action="store_true", help="write the figure and the table")
    return parser


if __name__ == "__main__":
    sys.exit(main())
