"""Exact regression on complete UCI data sets, and the same errors by every solver.

The folder is that of ``uci.py``. Each set is fitted with all training rows of a split by conjugate
gradients; the bar is a minute. On a subset, a Cholesky factor, the eigendecomposition and conjugate
gradients to a residual of 1e-10 each give the test error; the bar on their differences is 1e-6.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from harness import add_threads, base_parser, load, machine, on_threads, positive, write_json
from uci import Split, splits

import ntkfast as nk
from ntkfast.solvers import ConjugateGradients

SETS = ("kin40k", "protein", "keggdirected")
SOLVERS: dict[str, Any] = {
    "cholesky": "cholesky",
    "eigen": "eigen",
    "cg": ConjugateGradients(tol=1e-10),
}
SECONDS, DIFFERENCE = 60.0, 1e-6
ALL = 10**9
NETWORK = nk.mlp(3, w_std=2**0.5)


@dataclass(frozen=True)
class Fit:
    """What a fit took, and its error in units of the targets' standard deviation."""

    data: str
    solver: str
    n: int
    seconds: float
    rmse: float
    products: int | None = None
    residual: float | None = None


def fit(data: str, name: str, solver: Any, split: Split, ridge: float) -> Fit:
    """Fit by a solver and predict; the time is that of the fit, with its kernel."""
    begun = time.perf_counter()
    op = nk.KernelOperator(NETWORK, split.x)
    model = nk.KernelRegression(op, split.y, relative_diag_reg=ridge, solver=solver)
    seconds = time.perf_counter() - begun
    outputs = model.predict(nk.KernelOperator(NETWORK, split.x_test, split.x, memory=0))
    rmse = float(np.sqrt(np.mean((outputs - split.y_test) ** 2)))
    report = getattr(model.prepared, "report", None)
    products = None if report is None else report.products
    residual = None if report is None else float(report.residuals.max())
    return Fit(data, name, len(split.y), seconds, rmse, products, residual)


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print and record; 1 if a bar is missed."""
    arguments = _parser().parse_args(argv)
    before, fits, differences = load(), [], {}
    with on_threads(arguments.threads):
        for data in arguments.sets:
            folder, ridge = arguments.folder / data, arguments.ridge
            if not arguments.subset_only:
                (whole,) = splits(folder, arguments.split, 1, ALL)
                fits.append(fit(data, "cg", "cg", whole, ridge))
                print(fits[-1], flush=True)
            (some,) = splits(folder, arguments.split, 1, arguments.subset)
            found = [fit(data, name, solver, some, ridge) for name, solver in SOLVERS.items()]
            print(*found, sep="\n", flush=True)
            differences[data] = float(np.ptp([each.rmse for each in found]))
            print(f"{data}: errors differ by {differences[data]:.1e}", flush=True)
            fits.extend(found)
    slow = [each for each in fits if each.n > arguments.subset and each.seconds > SECONDS]
    different = [data for data, value in differences.items() if not value <= DIFFERENCE]
    for each in slow:
        print(f"{each.data}: {each.seconds:.0f} s, at most {SECONDS:.0f} s: missed")
    for data in different:
        print(f"{data}: {differences[data]:.1e}, at most {DIFFERENCE:.0e}: missed")
    record = {
        "settings": {"machine": machine(), "load_before": before, "load_after": load()},
        "fits": [asdict(each) for each in fits],
        "differences": differences,
    }
    write_json(arguments.output, record)
    return 1 if slow or different else 0


def _parser() -> argparse.ArgumentParser:
    parser = base_parser(__doc__, "large_uci", repetitions=1)
    parser.add_argument("folder", type=Path, help="the folder of the data sets")
    add_threads(parser)
    parser.add_argument("--sets", nargs="*", default=SETS, metavar="NAME", help="data sets")
    parser.add_argument("--split", type=int, default=3, help="which split of each set")
    parser.add_argument("--subset", type=positive, default=10_000, help="rows for all solvers")
    parser.add_argument("--subset-only", action="store_true", help="no fit of all rows")
    parser.add_argument("--ridge", type=float, default=1e-2, help="relative to the mean diagonal")
    return parser


if __name__ == "__main__":
    sys.exit(main())
