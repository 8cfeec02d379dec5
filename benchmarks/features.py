"""Estimators that learn features beside trees, boosting and Gaussian processes, on tables.

The folder is that of ``uci.py``; diabetes and friedman1 come from scikit-learn, and the houses of
California if they are on this machine. Features and targets are standardised by the training rows,
so that an RMSE of 1 is that of the mean. All methods have their default settings, and get the same
rows. Those that search by the evidence are left out of the table of larger sets.

The tables are printed, and written into the page of the documentation that explains them.
"""

from __future__ import annotations

import argparse
import platform
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from harness import add_threads, base_parser, load, machine, on_threads, positive, write_json
from numpy.typing import NDArray
from pages import fill, line
from sklearn.datasets import fetch_california_housing, load_diabetes, make_friedman1
from sklearn.ensemble import HistGradientBoostingRegressor, RandomForestRegressor
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, ConstantKernel, WhiteKernel
from sklearn.preprocessing import StandardScaler
from uci import Split, splits

import ntkfast as nk
from ntkfast.sklearn import NTKRegressorCV, RFMRegressor

FloatArray = NDArray[np.floating[Any]]
Predict = Callable[[FloatArray], FloatArray]

PAGE = Path(__file__).parents[1] / "docs" / "features.md"


@dataclass(frozen=True)
class Result:
    """How well a method did on a split, in units of the targets' standard deviation."""

    data: str
    method: str
    rows: int
    split: int
    rmse: float
    seconds: float


def by_evidence(x: FloatArray, y: FloatArray) -> Predict:
    """Choose the scales of features, w_std, b_std and noise of a ReLU network."""
    network = nk.mlp(2, w_std=2**0.5, b_std=1.0)
    posterior = nk.Posterior.maximize(network, x, y, feature_scales=True)
    return lambda points: posterior.predict(points).mean


def gaussian_process(x: FloatArray, y: FloatArray) -> Predict:
    """Choose a length of each feature, amplitude and noise."""
    kernel = ConstantKernel() * RBF(np.ones(x.shape[1])) + WhiteKernel(0.1, (1e-6, 10))
    return estimator(lambda: GaussianProcessRegressor(kernel))(x, y)


def estimator(make: Callable[[], Any]) -> Callable[[FloatArray, FloatArray], Predict]:
    """Return the fit of an estimator."""

    def fit(x: FloatArray, y: FloatArray) -> Predict:
        predict: Predict = make().fit(x, y).predict
        return predict

    return fit


METHODS: dict[str, Callable[[FloatArray, FloatArray], Predict]] = {
    "RFM": estimator(RFMRegressor),
    "NNGP, scales": by_evidence,
    "NTK": estimator(NTKRegressorCV),
    "RBF, lengths": gaussian_process,
    "boosting": estimator(HistGradientBoostingRegressor),
    "random forest": estimator(
        lambda: RandomForestRegressor(300, n_jobs=nk.num_threads(), random_state=0)
    ),
}
BY_EVIDENCE = ("NNGP, scales", "RBF, lengths")


def tables() -> Iterator[tuple[str, FloatArray]]:
    """Yield the tables of scikit-learn, with the target in the last column."""
    yield "diabetes", np.column_stack(load_diabetes(return_X_y=True))
    x, y = make_friedman1(3000, noise=1.0, random_state=0)
    yield "friedman1", np.column_stack([x, y])
    try:
        houses = fetch_california_housing(return_X_y=True, download_if_missing=False)
    except OSError:
        return
    yield "california", np.column_stack(houses)


def cut(table: FloatArray, number: int, at_most: int) -> Iterator[Split]:
    """Yield random splits of a table, a tenth of the rows or more to test on."""
    for split in range(number):
        order = np.random.default_rng(split).permutation(len(table))
        count = min(at_most, len(table) * 9 // 10)
        scaler = StandardScaler().fit(table[order[:count]])
        train, test = (scaler.transform(table[some]) for some in (order[:count], order[count:]))
        yield Split(train[:, :-1], train[:, -1], test[:, :-1], test[:, -1])


def every(folder: Path, number: int, at_most: int) -> Iterator[tuple[str, int, Split]]:
    """Yield all splits of all sets."""
    for path in sorted(each for each in folder.iterdir() if each.is_dir()):
        for split, each in enumerate(splits(path, 0, number, at_most)):
            yield path.name, split, each
    for name, table in tables():
        for split, each in enumerate(cut(table, number, at_most)):
            yield name, split, each


def measure(data: str, method: str, number: int, split: Split) -> Result:
    """Learn and predict, and compare."""
    begun = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about scales at their bounds
        mean = METHODS[method](split.x, split.y)(split.x_test)
    seconds = time.perf_counter() - begun
    rmse = float(np.sqrt(np.mean((mean - split.y_test) ** 2)))
    return Result(data, method, len(split.x), number, rmse, seconds)


def markdown(results: Sequence[Result], quantity: str, digits: int) -> str:
    """Lay means over splits out, a line for each data set; the best of each is bold."""
    methods = list(dict.fromkeys(result.method for result in results))
    lines = [line(["data", *methods]), line(["---", *["---:"] * len(methods)])]
    for data in dict.fromkeys(result.data for result in results):
        means = [
            np.mean([getattr(r, quantity) for r in results if (r.data, r.method) == (data, m)])
            for m in methods
        ]
        shown = [f"{mean:.{digits}f}" for mean in means]
        best = f"{min(means):.{digits}f}"
        lines.append(line([data, *(f"**{cell}**" if cell == best else cell for cell in shown)]))
    return "\n".join(lines)


def main(argv: Sequence[str] | None = None) -> None:
    """Measure, print, write the page anew and the record."""
    arguments = _parser().parse_args(argv)
    before = load()
    small: list[Result] = []
    large: list[Result] = []
    with on_threads(arguments.threads):
        for name, number, split in every(arguments.folder, arguments.splits, arguments.at_most):
            for method in METHODS:
                small.append(measure(name, method, number, split))
                print(small[-1], flush=True)
        for name, number, split in every(arguments.folder, 1, arguments.large):
            if len(split.x) <= arguments.at_most:
                continue
            for method in METHODS:
                if method not in BY_EVIDENCE:
                    large.append(measure(name, method, number, split))
                    print(large[-1], flush=True)
    measured = (
        f"scikit-learn {version('scikit-learn')}, {machine()['processor']}, {platform.system()}, "
        f"{arguments.threads} threads; load before: {before}, after: {load()}.\n\n"
        f"RMSE with at most {arguments.at_most:,} training rows, means of {arguments.splits} "
        f"splits:\n\n{markdown(small, 'rmse', 3)}\n\n"
        f"Seconds to fit and predict:\n\n{markdown(small, 'seconds', 1)}\n\n"
        f"RMSE with at most {arguments.large:,} training rows, one split:\n\n"
        f"{markdown(large, 'rmse', 3)}\n\n"
        f"Seconds to fit and predict:\n\n{markdown(large, 'seconds', 1)}"
    )
    print(measured)
    PAGE.write_text(fill(PAGE.read_text(encoding="utf-8"), measured), encoding="utf-8")
    settings = {name: getattr(arguments, name) for name in ("splits", "at_most", "large")}
    rows = [asdict(result) for result in (*small, *large)]
    write_json(arguments.output, {"settings": {**settings, "load_before": before}, "rows": rows})
    print(f"record: {arguments.output}")


def _parser() -> argparse.ArgumentParser:
    parser = base_parser(__doc__, "features", repetitions=1)
    parser.add_argument("folder", type=Path, help="the folder of the data sets")
    add_threads(parser)
    parser.add_argument("--splits", type=positive, default=3, help="how many of each set")
    parser.add_argument("--at-most", type=positive, default=500, help="rows to learn from")
    parser.add_argument("--large", type=positive, default=2000, help="rows of the second table")
    return parser


if __name__ == "__main__":
    main()
