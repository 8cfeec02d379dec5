"""Kernels between functionals of points, some rows at a time."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ntkfast._memory import zeros
from ntkfast._ntkfast import Program
from ntkfast._ntkfast import taylor as core_taylor
from ntkfast._progress import Report
from ntkfast._warnings import warn
from ntkfast.derivatives import Doubles, within
from ntkfast.differential.block import Block
from ntkfast.differential.functionals import Functionals
from ntkfast.differential.terms import count
from ntkfast.linalg import matmul

__all__ = ["check_digits", "fill"]

# Numbers of a block of rows: coefficients that stay in cache until they have been summed.
_NUMBERS = 1 << 20
# Estimated errors from which users are warned.
_FEW_DIGITS = 1e-6


def fill(
    out: npt.NDArray[np.floating],
    program: Program,
    points: tuple[Doubles, Doubles],
    functionals: tuple[Functionals, Functionals],
    *,
    ntk: bool,
    report: Report | None = None,
) -> None:
    """Write the kernel of the functionals at two sets of points to out, shape (n, a, m, b)."""
    left, right = functionals
    x, others = points
    n, m = len(x), len(others)
    degree = left.order + right.order
    used = count(degree)
    step = max(1, min(n, _NUMBERS // max(used * m, 1)))
    memory = [zeros((step, m), np.float64, "derivatives of a kernel") for _ in range(used)]
    with np.errstate(over="ignore", invalid="ignore"):
        for start in range(0, n, step):
            rows = slice(start, min(start + step, n))
            planes = [plane[: rows.stop - start] for plane in memory]
            block = _block(program, x[rows], others, degree, planes, ntk=ntk)
            for j, theirs in enumerate(right.sums):
                sums = block.shared(left, theirs)
                for i, ours in enumerate(left.sums):
                    out[rows, i, :, j] = within(block.between(ours, theirs, sums), out.dtype)
            if report is not None:
                report(rows.stop, n)


def check_digits(
    program: Program, points: Doubles, functionals: Functionals, name: str, *, ntk: bool
) -> None:
    """Warn if derivatives at the longest row are sums whose terms cancel."""
    if not len(points):
        return
    with np.errstate(over="ignore", invalid="ignore"):
        longest = points[[np.einsum("ij,ij->i", points, points).argmax()]]
        degree = 2 * functionals.order
        planes = [np.empty((1, 1)) for _ in range(count(degree))]
        block = _block(program, longest, longest, degree, planes, ntk=ntk)
        size, lost = (
            max(each.between(f, f, each.shared(functionals, f)).item() for f in functionals.sums)
            for each in (block, block.absolute())
        )
        error = np.finfo(np.float64).eps * lost / max(size, np.finfo(np.float64).tiny)
    if lost > 0 and error > _FEW_DIGITS:
        warn(
            f"derivatives of the kernel at {name} have an error of about {min(error, 1.0):.0e} of "
            "their size, as their terms cancel at rows of large norm; scale the features down"
        )


def _block(
    program: Program,
    x: Doubles,
    others: Doubles,
    degree: int,
    planes: list[Doubles],
    *,
    ntk: bool,
) -> Block:
    """Return the Taylor coefficients of some rows, written to planes."""
    features = x.shape[1]
    p, q = (np.einsum("ij,ij->i", each, each) / features for each in (x, others))
    s = np.ascontiguousarray(matmul(x, others.T)) / features
    core_taylor(program, features, [s, p, q], degree, ntk, planes)
    return Block(x, others, s, p, q, planes)
