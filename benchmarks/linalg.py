"""Eigendecomposition and the solve for t = ∞ against NumPy and SciPy, in one run.

`eigh` against ``numpy.linalg.eigh``; `KernelRegression`, which checks the matrix, factorises and
solves, against ``scipy.linalg.cho_factor`` and ``cho_solve``.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

import numpy as np
import scipy.linalg
from harness import (
    Row,
    add_threads,
    alternate,
    base_parser,
    on_threads,
    positive,
    table,
    write_json,
)
from numpy.typing import NDArray

import ntkfast as nk

OTHERS = "numpy, scipy"


def gram(n: int) -> NDArray[np.floating[Any]]:
    """Compute the NTK of a ReLU network on Gaussian points, the same in every run."""
    x = np.random.default_rng(0).standard_normal((n, 50))
    return nk.mlp(2, nk.Relu(), w_std=2**0.5, b_std=0.1).ntk(x)


def compare_eigh(n: int, repetitions: int) -> Row:
    """Time both eigendecompositions in turn."""
    theta = gram(n)
    works = {"ours": lambda: nk.eigh(theta), "theirs": lambda: np.linalg.eigh(theta)}
    seconds = alternate(works, repetitions)
    return Row(f"eigh, n = {n}", min(seconds["ours"]), min(seconds["theirs"]), bar=1.15)


def compare_solve(n: int, c: int, repetitions: int) -> Row:
    """Time both ways to the coefficients at t = ∞ in turn."""
    theta, y = gram(n), np.random.default_rng(1).standard_normal((n, c))
    works = {
        "ours": lambda: nk.KernelRegression(theta, y).coefficients,
        "theirs": lambda: scipy.linalg.cho_solve(scipy.linalg.cho_factor(theta), y),
    }
    seconds = alternate(works, repetitions)
    return Row(f"t = inf, n = {n}", min(seconds["ours"]), min(seconds["theirs"]), bar=0.8)


def main(argv: Sequence[str] | None = None) -> None:
    """Measure, print a table, write the record."""
    arguments = _parser().parse_args(argv)
    threads, repetitions = arguments.threads, arguments.repetitions
    print(
        f"float64, {arguments.c} outputs, {threads} threads, {nk.info()['simd']}; "
        f"best of {repetitions}\n"
    )
    with on_threads(threads):
        rows = [compare_eigh(n, repetitions) for n in arguments.eigh]
        rows += [compare_solve(n, arguments.c, repetitions) for n in arguments.solve]
    print(table(rows, OTHERS))
    settings = {"c": arguments.c, "threads": threads}
    write_json(arguments.output, {"settings": settings, "rows": [row.record() for row in rows]})
    print(f"\nrecord: {arguments.output}")


def _parser() -> argparse.ArgumentParser:
    parser = base_parser(__doc__, "linalg", repetitions=3)
    add_threads(parser)
    parser.add_argument(
        "--eigh", type=positive, nargs="*", default=[2000, 4000], metavar="N", help="sizes"
    )
    parser.add_argument(
        "--solve", type=positive, nargs="*", default=[4000], metavar="N", help="sizes"
    )
    parser.add_argument("-c", type=positive, default=10, help="outputs")
    return parser


if __name__ == "__main__":
    main()
