"""MNIST: test accuracies against those expected, and what fitting and predicting costs.

The files are named on the command line: a directory with ``mnist_train.npz`` and ``mnist_test.npz``
(arrays ``X`` and ``y``) or with the four IDX files by their usual names, compressed or not; or two
NPZ files.

Accuracy: the first n training images, rows of unit norm, bias-free ReLU networks with w_std² = 2, a
ridge of 1e-4 of the kernel's diagonal, targets one-hot − 0.1, all test images; every count of right
answers has to be the one expected. Speed: fit to n images and predict as many, for ten outputs at
once, against NumPy's ``X @ X.T``, SciPy's Cholesky solve and NumPy's ``X_test @ X.T``, which take
turns with ours; and the memory of it in a fresh process, in units of an n × n matrix of the type.

The tables are also written into the documentation. The exit code is 1 where an accuracy differs or
a bar is missed.
"""

from __future__ import annotations

import argparse
import platform
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import scipy.linalg
from harness import (
    Row,
    Work,
    add_threads,
    alternate,
    base_parser,
    load,
    machine,
    on_threads,
    peak_memory,
    positive,
    write_json,
)
from numpy.typing import NDArray
from pages import fill, line

import ntkfast as nk
from ntkfast.sklearn import NNGPClassifier, NNGPRegressor, NTKClassifier, NTKRegressor

FloatArray = NDArray[np.floating[Any]]

PAGE = Path(__file__).parents[1] / "docs" / "mnist.md"
IDX_NAMES = {
    "train": ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"),
    "test": ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"),
}
RIDGE = 1e-4
DTYPES = ("float64", "float32")

# Settled before, by number of training images and of hidden layers: of the NNGP, and of the NTK.
EXPECTED = {
    (1_000, 1): (0.9198, 0.9177),
    (1_000, 3): (0.9248, 0.9187),
    (5_000, 1): (0.9619, 0.9607),
    (5_000, 3): (0.9646, 0.9609),
    (10_000, 3): (0.9739, 0.9716),
}

REFERENCE = "NumPy and SciPy"
MOST_TIME, MOST_MEMORY = 2.0, 3.0  # of the reference's time, and of an n × n matrix


@dataclass(frozen=True)
class Run:
    """How to measure."""

    threads: int
    repetitions: int


@dataclass(frozen=True)
class Images:
    """Rows of unit norm, and digits."""

    x: FloatArray
    y: NDArray[np.integer[Any]]

    def first(self, n: int) -> Images:
        """Return the first n of them."""
        if n > len(self.x):
            raise ValueError(f"{n:,} images were asked for, and the files have {len(self.x):,}")
        return Images(self.x[:n], self.y[:n])

    @property
    def targets(self) -> FloatArray:
        """Rows that are 0.9 at the digit, and -0.1 elsewhere."""
        return nk.data.one_hot(self.y, 10) - 0.1


def read(paths: Sequence[Path]) -> tuple[Images, Images]:
    """Return training and test images from a directory or from two NPZ files."""
    if len(paths) == 2:
        train, test = map(_from_npz, paths)
    elif (paths[0] / "mnist_train.npz").exists():
        train, test = (_from_npz(paths[0] / f"mnist_{part}.npz") for part in IDX_NAMES)
    else:
        train, test = (_from_idx(paths[0], names) for names in IDX_NAMES.values())
    return train, test


def _from_npz(path: Path) -> Images:
    arrays = nk.data.load_npz(path)
    return _images(arrays["X"], arrays["y"])


def _from_idx(directory: Path, names: tuple[str, str]) -> Images:
    found = [
        next((path for path in (directory / name, directory / f"{name}.gz") if path.exists()), None)
        for name in names
    ]
    images, labels = found
    if images is None or labels is None:
        raise FileNotFoundError(
            f"{directory} has neither mnist_train.npz and mnist_test.npz nor "
            f"{' and '.join(names)} (with or without .gz)"
        )
    return _images(nk.data.load_idx(images), nk.data.load_idx(labels))


def _images(pixels: NDArray[Any], labels: NDArray[Any]) -> Images:
    return Images(nk.data.unit_norm(pixels.reshape(len(pixels), -1) / 255), labels.astype(int))


@dataclass(frozen=True)
class Accuracy:
    """How many of the test images are told right, and how many have to be."""

    n: int
    depth: int
    kernel: str
    measured: float
    expected: float

    @property
    def same(self) -> bool:
        """Whether they are the same number of images."""
        return round(self.measured, 4) == self.expected


def accuracies(train: Images, test: Images, sizes: Sequence[int]) -> list[Accuracy]:
    """Fit the classifiers of the protocol, and count."""
    results = []
    for (n, depth), pair in EXPECTED.items():
        if n not in sizes:
            continue
        some = train.first(n)
        network = nk.mlp(depth, w_std=2**0.5)
        variance = float(network.nngp(some.x[:1], diagonal=True)[0])
        models = {
            "NNGP": NNGPClassifier(network=network, noise_variance=RIDGE * variance),
            "NTK": NTKClassifier(network=network, relative_diag_reg=RIDGE),
        }
        for (kernel, model), expected in zip(models.items(), pair, strict=True):
            score = float(model.fit(some.x, some.y).score(test.x, test.y))
            results.append(Accuracy(n, depth, kernel, score, expected))
            print(f"n = {n:,}, depth {depth}, {kernel}: {score:.4f}, expected {expected}")
    return results


MODELS: dict[str, Callable[[], Any]] = {
    "NTKRegressor, 3 layers, ridge 1e-4": lambda: NTKRegressor(
        3, b_std=None, relative_diag_reg=RIDGE
    ),
    "NTKRegressor as it comes, at t = ∞": NTKRegressor,
    "NNGPRegressor as it comes": NNGPRegressor,
}


def problem(paths: Sequence[Path], n: int, dtype: str) -> tuple[FloatArray, ...]:
    """Return n points, their targets and n test points, in one type."""
    train, test = (part.first(n) for part in read(paths))
    return train.x.astype(dtype), train.targets.astype(dtype), test.x.astype(dtype)


def estimate(model: str, x: FloatArray, y: FloatArray, x_test: FloatArray) -> FloatArray:
    """Fit and predict in one go."""
    prediction: FloatArray = MODELS[model]().fit(x, y).predict(x_test)
    return prediction


def prepare(model: str, paths: Sequence[Path], n: int, dtype: str, threads: int) -> Work:
    """Return a work to be weighed in a process of its own."""
    nk.set_num_threads(threads)
    return partial(estimate, model, *problem(paths, n, dtype))


def reference(x: FloatArray, y: FloatArray, x_test: FloatArray) -> FloatArray:
    """Do with NumPy and SciPy what no kernel regression can do without, and copy nothing."""
    gram = x @ x.T
    gram.flat[:: len(x) + 1] += 1  # fewer features than points: singular
    factor = scipy.linalg.cho_factor(gram.T, lower=True, overwrite_a=True, check_finite=False)
    coefficients = scipy.linalg.cho_solve(factor, y, check_finite=False)
    prediction: FloatArray = (x_test @ x.T) @ coefficients
    return prediction


def costs(paths: Sequence[Path], n: int, dtype: str, run: Run) -> list[Row]:
    """Time every estimator in turn with the reference, and weigh it."""
    data = problem(paths, n, dtype)
    works: dict[str, Work] = {name: partial(estimate, name, *data) for name in MODELS}
    works[REFERENCE] = partial(reference, *data)
    with on_threads(run.threads):
        best = {name: min(times) for name, times in alternate(works, run.repetitions).items()}
    rows = [Row(f"{name}, {dtype}", best[name], best[REFERENCE], bar=MOST_TIME) for name in MODELS]
    for name in MODELS:
        peak = peak_memory(prepare, name, paths, n, dtype, run.threads)
        if peak is not None:
            matrices = peak / (data[0].itemsize * n**2)
            rows.append(Row(f"memory: {name}, {dtype}", matrices, bar=MOST_MEMORY, unit="n²"))
    return rows


def accuracy_table(results: Sequence[Accuracy]) -> str:
    """Lay the accuracies out in Markdown."""
    cells = [
        (
            f"{each.n:,}",
            f"{each.depth}",
            each.kernel,
            f"{each.measured:.4f}",
            f"{each.expected:.4f}",
            "yes" if each.same else "no",
        )
        for each in results
    ]
    heads = ["training images", "hidden layers", "kernel", "measured", "expected", "the same"]
    rule = ["---:", "---:", "---", "---:", "---:", "---"]
    return "\n".join(map(line, [heads, rule, *cells]))


def cost_table(rows: Sequence[Row]) -> str:
    """Lay times and memory out in Markdown."""

    def cells(row: Row) -> list[str]:
        bar = f"{row.bar:g}" if row.met else f"{row.bar:g}, missed"
        if row.reference is None:
            return [row.work, "", "", f"{row.ours:.2f} {row.unit}", bar]
        times = f"{row.ours:.2f} s", f"{row.reference:.2f} s"
        return [row.work, *times, f"{row.figure:.2f}", bar]

    heads = ["work", "ntkfast", REFERENCE, "ratio, or memory", "at most"]
    return "\n".join(map(line, [heads, ["---", *["---:"] * 4], *map(cells, rows)]))


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print, write the page anew and the record; 1 where something is not as it should."""
    arguments = _parser().parse_args(argv)
    run, before = Run(arguments.threads, arguments.repetitions), load()
    # First, while the machine is as idle as it was found.
    rows = [
        row for dtype in arguments.dtypes for row in costs(arguments.paths, arguments.n, dtype, run)
    ]
    after = load()
    results = accuracies(*read(arguments.paths), arguments.sizes)
    measured = (
        f"{accuracy_table(results)}\n\n"
        f"{arguments.n:,} images to fit, as many to predict, ten outputs; {run.threads} threads, "
        f"best of {run.repetitions}; {machine()['processor']}, {nk.info()['simd']}, "
        f"{platform.system()}. Load before: {before}, after: {after}.\n\n{cost_table(rows)}"
    )
    print(measured)
    PAGE.write_text(fill(PAGE.read_text(encoding="utf-8"), measured), encoding="utf-8")
    record = {
        "settings": {"n": arguments.n, "load_before": before, "load_after": after, **asdict(run)},
        "accuracies": [asdict(result) for result in results],
        "rows": [row.record() for row in rows],
    }
    write_json(arguments.output, record)
    print(f"\nrecord: {arguments.output}")
    return 0 if all(r.same for r in results) and all(row.met for row in rows) else 1


def _parser() -> argparse.ArgumentParser:
    parser = base_parser(__doc__, "mnist", repetitions=3)
    parser.add_argument("paths", type=Path, nargs="+", metavar="PATH", help="where the files are")
    add_threads(parser)
    parser.add_argument("-n", type=positive, default=10_000, help="images whose cost is measured")
    parser.add_argument("--dtypes", nargs="*", choices=DTYPES, default=DTYPES, help="of the costs")
    parser.add_argument(
        "--sizes",
        type=positive,
        nargs="*",
        default=sorted({n for n, _ in EXPECTED}),
        metavar="N",
        help="numbers of training images whose accuracy is compared",
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
