"""The map from targets to leave-one-out residuals, after training to t = ∞ or for a finite time."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from ntkfast._arrays import FloatArray
from ntkfast._gram import row_blocks, unit_columns
from ntkfast.dynamics import GradientFlow, KernelRegression
from ntkfast.linalg import matmul

__all__ = ["left_out"]


def left_out(
    training: KernelRegression | GradientFlow, t: float
) -> Iterator[tuple[slice, FloatArray]]:
    """Yield blocks of rows of L, shape (block, n): (L·y)_i is what others miss of point i.

    With C(z) = (Θ + r + z)⁻¹ the rows are C_i(0)/C_ii(0) at t = ∞. Leave-one-out of gradient flow
    for a time t is the inverse Laplace transform of C_i(z)/(z·C_ii(z)), because its Laplace
    transform is that of ridge regression. Costs 2·n³.
    """
    if isinstance(training, KernelRegression):
        return _at_the_end(training)
    filters = training._filters
    return _at_a_time(training, filters.rule.speed(filters.rate) * t)


def _at_the_end(training: KernelRegression) -> Iterator[tuple[slice, FloatArray]]:
    n = len(training.y)
    for rows in row_blocks(n, n):
        columns = training.prepared.solve(unit_columns(n, rows, training.y.dtype))
        yield rows, (columns / columns[rows].diagonal()).T


def _at_a_time(training: GradientFlow, time: float) -> Iterator[tuple[slice, FloatArray]]:
    n, vectors = len(training.y), training._filters.vectors
    shifted = np.maximum(training._eigen.shifted, 0).astype(np.float64)
    nodes, shares = _talbot()
    for rows in row_blocks(n, n):
        own = vectors[rows].astype(np.float64)
        if time == 0:  # nothing is learnt
            yield rows, np.eye(n, dtype=vectors.dtype)[rows]
            continue
        modes = np.zeros_like(own)
        for node, share in zip(nodes / time, shares, strict=True):
            inverse = 1 / (shifted + node)
            modes += (own * inverse * (share / (own**2 @ inverse))[:, None]).real
        yield rows, matmul(modes.astype(vectors.dtype), vectors.T)


def _talbot() -> tuple[npt.NDArray[np.complex128], npt.NDArray[np.complex128]]:
    """Return z and c: f(t) = Re Σ c·z/t·F(z/t) is the inverse Laplace transform to nine digits.

    Trefethen, Weideman, Schmelzer (2006), eq. 3.1 with N = 16, for F with its singularities at
    z <= 0.
    """
    count = 16
    angles = np.pi / count * np.arange(1, count, 2)
    cotangents, bend = 1 / np.tan(0.6407 * angles), 0.5017 * 0.6407 * angles
    nodes = count * (0.5017 * angles * cotangents - 0.6122 + 0.2645j * angles)
    slopes = 0.5017 * cotangents - bend / np.sin(0.6407 * angles) ** 2 + 0.2645j
    return nodes, 2 * np.exp(nodes) * slopes / (1j * nodes)
