"""Orthonormal columns in the place of a tall matrix: Gram matrices twice, in pieces of rows."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ntkfast._arrays import FloatArray
from ntkfast._memory import pieces
from ntkfast._ntkfast import eigh
from ntkfast.linalg import matmul

__all__ = ["orthonormal"]

Doubles = npt.NDArray[np.float64]

# Squares of singular values, relative to the largest, below which there is rounding.
_ROUNDING = 1e-13


def orthonormal(tall: FloatArray) -> tuple[FloatArray, Doubles]:
    """Overwrite T of shape (n, k) by orthonormal columns U, with T·Tᵀ = U·diag(s²)·Uᵀ.

    Directions of T that are rounding are left out, which makes the product smaller. Columns of the
    first pass are orthonormal to the rounding of squares; a second pass mends what is left of that
    (CholeskyQR2: Fukaya, Nakatsukasa, Yanagisawa, Yamamoto, 2014).

    Returns
    -------
    ndarray
        Shape (n, r), r ≤ k: U, the first columns of `tall`.
    ndarray
        Shape (r,): s².
    """
    squares, vectors = eigh(_gram(tall))
    kept = squares > _ROUNDING * squares.max(initial=0.0)
    squares = squares[kept]
    columns = _rotate(tall, vectors[:, kept] / np.sqrt(squares))
    if squares.size == 0:
        return columns, squares
    double, own = np.finfo(np.float64).eps, np.finfo(tall.dtype).eps
    if double * squares.max() <= own * squares.min():
        return columns, squares
    lower = np.linalg.cholesky(_gram(columns))
    squares, vectors = eigh(_symmetric(lower.T @ (squares[:, None] * lower)))
    return _rotate(columns, np.linalg.solve(lower.T, vectors)), np.maximum(squares, 0.0)


def _gram(tall: FloatArray) -> Doubles:
    total = np.zeros((tall.shape[1],) * 2)
    for some in pieces(*tall.shape):
        rows = tall[some].astype(np.float64)
        total += matmul(rows.T, rows)
    return _symmetric(total)


def _symmetric(matrix: Doubles) -> Doubles:
    return (matrix + matrix.T) / 2


def _rotate(tall: FloatArray, by: Doubles) -> FloatArray:
    """Write T·B into the first columns of T."""
    columns = tall[:, : by.shape[1]]
    for some in pieces(*tall.shape):
        columns[some] = matmul(tall[some].astype(np.float64), by)
    return columns
