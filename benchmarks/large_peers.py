"""Regression with one kernel by this package, by scikit-learn and by GPyTorch.

The kernel is the NTK of one network for all, and its time counts for all: scikit-learn gets it as
a matrix (`KernelRidge`), or as a kernel of its own interface (`GaussianProcessRegressor` without
optimiser, and `Nystroem` with `Ridge`, which is approximate); GPyTorch gets the matrix, solves by
its conjugate gradients with its own preconditioner, and is left out if it is not installed. Each
fits the same rows with the same regularisation and predicts the same test rows.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from harness import add_threads, base_parser, load, machine, on_threads, positive, write_json
from numpy.typing import NDArray
from peers import installed
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.kernel_approximation import Nystroem
from sklearn.kernel_ridge import KernelRidge
from sklearn.linear_model import Ridge
from uci import Split, splits

import ntkfast as nk

FloatArray = NDArray[np.floating[Any]]
Method = Callable[[Split, float], FloatArray]

DEPTH, W_STD = 3, 2**0.5
NETWORK = nk.mlp(DEPTH, w_std=W_STD)
COLUMNS = 1000
TOLERANCE = 1e-6


@dataclass(frozen=True)
class Result:
    """What a method took to fit and predict, and its error."""

    method: str
    n: int
    seconds: float
    rmse: float


def ours(solver: Any) -> Method:
    """Return our regression by a solver."""

    def run(split: Split, ridge: float) -> FloatArray:
        op = nk.KernelOperator(NETWORK, split.x)
        model = nk.KernelRegression(op, split.y, diag_reg=ridge, solver=solver)
        return model.predict(nk.KernelOperator(NETWORK, split.x_test, split.x, memory=0))

    return run


def kernel_ridge(split: Split, ridge: float) -> FloatArray:
    """Fit scikit-learn's KernelRidge to our matrix."""
    model = KernelRidge(alpha=ridge, kernel="precomputed").fit(NETWORK.ntk(split.x), split.y)
    return np.asarray(model.predict(NETWORK.ntk(split.x_test, split.x)))


def gaussian_process(split: Split, ridge: float) -> FloatArray:
    """Fit scikit-learn's Gaussian process with our kernel, and with nothing to optimise."""
    kernel = nk.sklearn.NTKKernel(network=NETWORK)
    model = GaussianProcessRegressor(kernel, alpha=ridge, optimizer=None).fit(split.x, split.y)
    return np.asarray(model.predict(split.x_test))


def nystroem(split: Split, ridge: float) -> FloatArray:
    """Fit scikit-learn's Ridge to some columns of our kernel."""
    kernel = nk.sklearn.NTKKernel(network=NETWORK)
    columns = Nystroem(kernel, n_components=min(COLUMNS, len(split.y)), random_state=0)
    model = Ridge(ridge).fit(columns.fit_transform(split.x), split.y)
    return np.asarray(model.predict(columns.transform(split.x_test)))


def gpytorch(split: Split, ridge: float) -> FloatArray:
    """Solve with our matrix by the conjugate gradients that GPyTorch uses."""
    import torch
    from linear_operator import settings, to_linear_operator

    matrix = to_linear_operator(torch.from_numpy(NETWORK.ntk(split.x))).add_diagonal(
        torch.tensor(ridge, dtype=torch.float64)
    )
    right = torch.from_numpy(np.ascontiguousarray(split.y))[:, None]
    with (
        torch.no_grad(),
        settings.max_cholesky_size(0),
        settings.cg_tolerance(TOLERANCE),
        settings.max_cg_iterations(2000),
        settings.min_preconditioning_size(0),
        settings.max_preconditioner_size(100),
    ):
        coefficients = matrix.solve(right).numpy()[:, 0]
    return np.asarray(NETWORK.ntk(split.x_test, split.x) @ coefficients)


def methods() -> Iterator[tuple[str, Method]]:
    """Yield the methods that can be had here."""
    yield "ntkfast, conjugate gradients", ours("cg")
    yield "ntkfast, Cholesky", ours("cholesky")
    yield "scikit-learn KernelRidge", kernel_ridge
    yield "scikit-learn GaussianProcessRegressor", gaussian_process
    yield f"scikit-learn Nystroem, {COLUMNS:,} columns, and Ridge", nystroem
    if installed("gpytorch"):
        yield "GPyTorch, conjugate gradients", gpytorch
    else:
        print("GPyTorch is not installed and left out")


def main(argv: Sequence[str] | None = None) -> None:
    """Measure, print and record."""
    arguments = _parser().parse_args(argv)
    before, results = load(), []
    (split,) = splits(arguments.folder / arguments.set, 3, 1, arguments.points)
    ridge = arguments.ridge * float(NETWORK.ntk(split.x, diagonal=True).mean())
    with on_threads(arguments.threads):
        for name, method in methods():
            begun = time.perf_counter()
            outputs = method(split, ridge)
            seconds = time.perf_counter() - begun
            rmse = float(np.sqrt(np.mean((outputs - split.y_test) ** 2)))
            results.append(Result(name, len(split.y), seconds, rmse))
            print(f"{name}: {seconds:.2f} s, error {rmse:.6f}", flush=True)
    settings = {
        "set": arguments.set,
        "machine": machine(),
        "scikit-learn": version("scikit-learn"),
        "load_before": before,
        "load_after": load(),
    }
    write_json(arguments.output, {"settings": settings, "rows": [asdict(r) for r in results]})


def _parser() -> argparse.ArgumentParser:
    parser = base_parser(__doc__, "large_peers", repetitions=1)
    parser.add_argument("folder", type=Path, help="the folder of the UCI data sets")
    add_threads(parser)
    parser.add_argument("--set", default="kin40k", help="the data set")
    parser.add_argument("--points", type=positive, default=10_000, help="training rows")
    parser.add_argument("--ridge", type=float, default=1e-2, help="relative to the mean diagonal")
    return parser


if __name__ == "__main__":
    main()
