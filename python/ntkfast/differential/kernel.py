"""Kernels between functionals of points, some rows at a time."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ntkfast._derivatives import Doubles, within
from ntkfast._memory import zeros
from ntkfast._ntkfast import Program
from ntkfast._ntkfast import taylor as core_taylor
from ntkfast._progress import Report
from ntkfast.differential.block import Block
from ntkfast.differential.functionals import Functionals
from ntkfast.differential.points import Directions, Pairs
from ntkfast.differential.terms import count
from ntkfast.linalg import matmul

__all__ = ["fill"]

# Numbers of a block of rows. For each of them, the functions of all rows on the right are computed
# again.
_NUMBERS = 1 << 22


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
    n, m = len(points[0]), len(points[1])
    used = count(left.order + right.order)
    kept = used + len(left.sums) + 4 * len(right.sums)
    step = max(1, min(n, _NUMBERS // max(kept * m, 1)))
    memory = [zeros((step, m), np.float64, "derivatives of a kernel") for _ in range(used)]
    with np.errstate(over="ignore", invalid="ignore"):
        x, others = (Directions.of(each) for each in points)
        for start in range(0, n, step):
            rows = slice(start, min(start + step, n))
            planes = [plane[: rows.stop - start] for plane in memory]
            products = matmul(points[0][rows], points[1].T) / x.features
            block = _block(program, x.part(rows), others, products, planes, ntk=ntk)
            sums = [block.shared(left, theirs) for theirs in right.sums]
            for i, ours in enumerate(left.sums):
                found = [
                    block.between(ours, theirs, shared)
                    for theirs, shared in zip(right.sums, sums, strict=True)
                ]
                out[rows, i] = within(np.stack(found, axis=-1), out.dtype)
            if report is not None:
                report(rows.stop, n)


def _block(
    program: Program,
    left: Directions,
    right: Directions,
    products: Doubles,
    planes: list[Doubles],
    *,
    ntk: bool,
) -> Block:
    """Return the Taylor coefficients of some rows, written to planes."""
    sides = [left, right]
    core_taylor(
        program,
        left.features,
        products,
        [side.variances for side in sides],
        [side.added for side in sides],
        ntk,
        planes,
    )
    scales = left.scales[:, None] * right.scales
    cosine = (products + np.sqrt(left.added)[:, None] * np.sqrt(right.added)) / scales
    lengths = left.lengths[:, None], right.lengths[None, :]
    return Block(Pairs(left.column, right.row, cosine), lengths, planes)
