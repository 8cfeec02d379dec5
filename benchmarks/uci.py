"""Regression on UCI data sets against scikit-learn's Gaussian processes and random forest.

The folder named on the command line has a folder for each set, with ``data.csv`` (the last column
is the target) and ``test_mask.csv`` (column s is 1 for the test rows of split s), compressed or
not. Features and targets are standardised by the training rows of a split, so that an RMSE of 1 is
that of the mean. Larger sets are thinned: the same training rows, drawn with a fixed seed, for all.
The time is that of choosing, fitting and predicting; what is chosen is chosen on training rows.

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
from sklearn.ensemble import RandomForestRegressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, ConstantKernel, Kernel, Matern, WhiteKernel
from sklearn.preprocessing import StandardScaler

import ntkfast as nk
from ntkfast.sklearn import NTKRegressorCV

FloatArray = NDArray[np.floating[Any]]
Predict = Callable[[FloatArray], tuple[FloatArray, FloatArray]]
"""From points to the means and variances of noisy observations."""

PAGE = Path(__file__).parents[1] / "docs" / "uci.md"
DEPTHS = (1, 2, 3)
ACTIVATIONS = (("relu", 2**0.5), ("erf", 1.0), ("erf", 2.0))
RIDGES = tuple(np.logspace(-6, 1, 15))
TREES = 300


@dataclass(frozen=True)
class Split:
    """Standardised points and targets to learn, and to be tested on."""

    x: FloatArray
    y: FloatArray
    x_test: FloatArray
    y_test: FloatArray


@dataclass(frozen=True)
class Result:
    """How well a method did on a split, in units of the targets' standard deviation."""

    data: str
    method: str
    split: int
    rmse: float
    log_density: float
    """Mean over the test points, in nats."""
    seconds: float


def ntk(x: FloatArray, y: FloatArray) -> Predict:
    """Choose network and ridge by leave-one-out; variances are those of a process of covariance Θ.

    Its amplitude does not change the means, and is chosen by leave-one-out, too.
    """
    models = [
        NTKRegressorCV(DEPTHS, activation, w_std=w_std, relative_diag_regs=RIDGES).fit(x, y)
        for activation, w_std in ACTIVATIONS
    ]
    model = max(models, key=lambda each: each.best_score_)
    network, ridge = model.network_, model.best_diag_reg_
    posterior = nk.Posterior.from_kernels(network.ntk(x), y, noise_variance=ridge)
    others = posterior.leave_one_out()
    amplitude = np.mean((y - others.mean) ** 2 / (others.variance + ridge))

    def predict(points: FloatArray) -> tuple[FloatArray, FloatArray]:
        kernels = network.ntk(points, x), network.ntk(points, diagonal=True)
        normal = posterior.predict_kernels(*kernels, covariance="diagonal")
        return normal.mean, amplitude * (normal.variance + ridge)

    return predict


def nngp(x: FloatArray, y: FloatArray) -> Predict:
    """Choose depth, w_std, b_std and noise by the evidence."""
    started = (
        nk.Posterior.maximize(nk.mlp(depth, w_std=2**0.5, b_std=1.0), x, y) for depth in DEPTHS
    )
    posterior = max(started, key=nk.Posterior.log_marginal_likelihood)

    def predict(points: FloatArray) -> tuple[FloatArray, FloatArray]:
        normal = posterior.predict(points, covariance="diagonal")
        return normal.mean, normal.variance + posterior.noise_variance

    return predict


def gaussian_process(
    kernel: Callable[[int], Kernel],
) -> Callable[[FloatArray, FloatArray], Predict]:
    """Return what maximises the evidence of scikit-learn's kernel, for so many features."""

    def fit(x: FloatArray, y: FloatArray) -> Predict:
        whole = ConstantKernel() * kernel(x.shape[1]) + WhiteKernel(0.1, (1e-6, 10))
        model = GaussianProcessRegressor(whole).fit(x, y)

        def predict(points: FloatArray) -> tuple[FloatArray, FloatArray]:
            mean, std = model.predict(points, return_std=True)
            return mean, std**2

        return predict

    return fit


def forest(x: FloatArray, y: FloatArray) -> Predict:
    """Grow trees; the mean squared error out of their bags is the variance."""
    model = RandomForestRegressor(TREES, oob_score=True, n_jobs=nk.num_threads(), random_state=0)
    model.fit(x, y)
    variance = np.mean((model.oob_prediction_ - y) ** 2)
    return lambda points: (model.predict(points), np.full(len(points), variance))


METHODS: dict[str, Callable[[FloatArray, FloatArray], Predict]] = {
    "NTK": ntk,
    "NNGP": nngp,
    "RBF": gaussian_process(lambda _: RBF()),
    "RBF, a length per feature": gaussian_process(lambda d: RBF(np.ones(d))),
    "Matérn 5/2": gaussian_process(lambda _: Matern(nu=2.5)),
    "random forest": forest,
}
OURS = ("NTK", "NNGP")


def read(folder: Path, name: str) -> FloatArray:
    """Return the table ``name.csv`` or ``name.csv.gz``."""
    paths = (folder / f"{name}.csv", folder / f"{name}.csv.gz")
    path = next((path for path in paths if path.exists()), None)
    if path is None:
        raise FileNotFoundError(f"{folder} has neither {name}.csv nor {name}.csv.gz")
    return np.loadtxt(path, delimiter=",", ndmin=2)


def splits(folder: Path, first: int, number: int, at_most: int) -> Iterator[Split]:
    """Cut a data set into some of its splits, thinned to so many training and test rows."""
    data, masks = read(folder, "data"), read(folder, "test_mask")
    for split, mask in enumerate(masks.T[first : first + number], first):
        rng = np.random.default_rng(split)
        train, test = (
            data[np.sort(rng.permutation(np.flatnonzero(rows))[:at_most])]
            for rows in (mask == 0, mask == 1)
        )
        scaler = StandardScaler().fit(train)
        train, test = scaler.transform(train), scaler.transform(test)
        yield Split(train[:, :-1], train[:, -1], test[:, :-1], test[:, -1])


def measure(data: str, method: str, number: int, split: Split) -> Result:
    """Learn and predict, and compare."""
    begun = time.perf_counter()
    with warnings.catch_warnings():
        # Lengths of useless features end at a bound, and scikit-learn says so every time.
        warnings.simplefilter("ignore", ConvergenceWarning)
        warnings.simplefilter("ignore", RuntimeWarning)
        mean, variance = METHODS[method](split.x, split.y)(split.x_test)
    seconds = time.perf_counter() - begun
    errors = (mean - split.y_test) ** 2
    densities = -0.5 * (errors / variance + np.log(2 * np.pi * variance))
    return Result(
        data, method, number, float(np.sqrt(errors.mean())), float(densities.mean()), seconds
    )


def markdown(
    results: Sequence[Result], quantity: str, digits: int, best: Callable[..., float]
) -> str:
    """Lay means over splits out, a line a data set; the best of each is bold."""
    sets = dict.fromkeys(result.data for result in results)
    lines = [line(["data", *METHODS]), line(["---", *["---:"] * len(METHODS)])]
    for data in sets:
        means = [
            float(
                np.mean([getattr(r, quantity) for r in results if (r.data, r.method) == (data, m)])
            )
            for m in METHODS
        ]
        shown = [f"{mean:.{digits}f}" for mean in means]
        first = f"{best(means):.{digits}f}"
        lines.append(line([data, *(f"**{cell}**" if cell == first else cell for cell in shown)]))
    return "\n".join(lines)


def main(argv: Sequence[str] | None = None) -> None:
    """Measure, print, write the page anew and the record."""
    arguments = _parser().parse_args(argv)
    names = arguments.sets or sorted(
        path.name for path in arguments.folder.iterdir() if path.is_dir()
    )
    before, sizes, results = load(), [], []
    with on_threads(arguments.threads):
        for name in names:
            some = (arguments.first, arguments.splits, arguments.at_most)
            cut = list(splits(arguments.folder / name, *some))
            sizes.append(f"{name} {len(cut[0].x):,} × {cut[0].x.shape[1]}")
            for number, split in enumerate(cut, arguments.first):
                for method in METHODS:
                    result = measure(name, method, number, split)
                    print(result, flush=True)
                    results.append(result)
    measured = (
        f"{arguments.splits} splits, from number {arguments.first} on, of at most "
        f"{arguments.at_most:,} training rows; how many, and features: {', '.join(sizes)}. "
        f"scikit-learn {version('scikit-learn')}, {machine()['processor']}, {platform.system()}, "
        f"{arguments.threads} threads; load before: {before}, after: {load()}.\n\n"
        f"RMSE:\n\n{markdown(results, 'rmse', 3, min)}\n\n"
        f"Log density of a test target, nats:\n\n{markdown(results, 'log_density', 2, max)}\n\n"
        f"Seconds per split:\n\n{markdown(results, 'seconds', 1, min)}"
    )
    print(measured)
    PAGE.write_text(fill(PAGE.read_text(encoding="utf-8"), measured), encoding="utf-8")
    settings = {name: getattr(arguments, name) for name in ("first", "splits", "at_most")}
    settings["load_before"] = before
    rows = [asdict(result) for result in results]
    write_json(arguments.output, {"settings": settings, "rows": rows})
    print(f"record: {arguments.output}")


def _parser() -> argparse.ArgumentParser:
    parser = base_parser(__doc__, "uci", repetitions=1)
    parser.add_argument("folder", type=Path, help="the folder of the data sets")
    add_threads(parser)
    parser.add_argument("--sets", nargs="*", metavar="NAME", help="data sets; all without it")
    parser.add_argument(
        "--first", type=int, default=3, help="the first split; 0 to 2 helped to choose the methods"
    )
    parser.add_argument("--splits", type=positive, default=7, help="how many of each set")
    parser.add_argument("--at-most", type=positive, default=1000, help="rows to learn from")
    return parser


if __name__ == "__main__":
    main()
