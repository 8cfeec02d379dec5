"""A preconditioner of low rank: the matrix is taken for F·Fᵀ + ρ with F of some pivots."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ntkfast._arrays import FloatArray
from ntkfast._gram import row_blocks
from ntkfast._seed import Seed
from ntkfast.linalg import Cholesky, cholesky, matmul
from ntkfast.operators import Operator, PivotedCholesky, as_operator, pivoted_cholesky
from ntkfast.solvers._draws import signs

__all__ = ["Preconditioner", "automatic_rank"]

# ρ relative to the mean diagonal entry. P⁻¹ enlarges the rounding of products outside the range of
# F, so with less, singular systems that have solutions are not solved.
_LEAST = 1e-11


@dataclass(frozen=True, eq=False)
class Preconditioner:
    """P = F·Fᵀ + ρ, with ρ the ridge plus the mean of the rest.

    The ridge alone would make the rest look smaller than it is: with a ridge of 0 on digits, that
    takes 617 products in place of 46. Of F nothing is changed, so that P is what is solved with, to
    rounding in float64, even if F is in float32.
    """

    factor: Operator  # Fᵀ, of shape (r, n)
    inner: Cholesky  # of FᵀF + ρ
    shift: float
    condition: float

    @classmethod
    def of(cls, op: Operator, ridge: float, rank: int, seed: Seed) -> Preconditioner:
        """Return the preconditioner for op + ridge, from `rank` rows of op."""
        n = op.shape[0]
        found = pivoted_cholesky(op, rank, seed=seed)
        shift = ridge + found.residual_trace / max(n, 1)
        shift = max(shift, _LEAST * found.trace / max(n, 1)) or 1.0
        products = _products(found.factor)
        inner = cholesky(products + shift * np.eye(found.rank))
        squares = np.asarray(np.linalg.eigvalsh(products), np.float64)
        condition = _condition(found, squares, ridge)
        return cls(as_operator(found.factor), inner, shift, condition)

    @property
    def rank(self) -> int:
        """Number of pivots."""
        return self.factor.shape[0]

    @property
    def memory(self) -> int:
        """Bytes of the factor."""
        return self.factor.shape[0] * self.factor.shape[1] * self.factor.dtype.itemsize

    @property
    def log_determinant(self) -> float:
        """Natural logarithm of det P."""
        rank, n = self.factor.shape
        return self.inner.log_determinant + (n - rank) * float(np.log(self.shift))

    def solve(self, r: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Return ρ·P⁻¹·r for r of shape (n, c), by the formula of Woodbury."""
        if self.rank == 0:
            return r.copy()
        solved: npt.NDArray[np.float64] = r - self.factor.T @ self.inner.solve(self.factor @ r)
        return solved

    def sample(self, source: np.random.Generator, count: int) -> npt.NDArray[np.float64]:
        """Draw vectors of mean 0 and covariance P, shape (n, count)."""
        rank, n = self.factor.shape
        inside = self.factor.T @ signs(source, rank, count)
        drawn: npt.NDArray[np.float64] = inside + self.shift**0.5 * signs(source, n, count)
        return drawn


def _products(factor: FloatArray) -> npt.NDArray[np.float64]:
    """Return FᵀF in float64 for Fᵀ of shape (r, n), some columns at a time."""
    total = np.zeros((len(factor), len(factor)))
    for columns in row_blocks(factor.shape[1], len(factor)):
        block = factor[:, columns].astype(np.float64)
        total += matmul(block, np.ascontiguousarray(block.T))
    return total


def _condition(found: PivotedCholesky, squares: npt.NDArray[np.float64], ridge: float) -> float:
    """Return a lower bound of the condition number; NaN for an empty matrix.

    A is at least F·Fᵀ, and its trace is at most that of the rest on the n − r vectors that Fᵀ maps
    to 0.
    """
    rank, n = found.factor.shape
    if n == 0:
        return float("nan")
    largest = max(float(squares.max(initial=0.0)), found.trace / n)
    rounding = float(np.finfo(found.factor.dtype).eps) * found.trace
    rest = max(found.residual_trace, rounding) / (n - rank) if rank < n else float(squares.min())
    if rest + ridge == 0:
        return float("inf")
    return float(max(1.0, (largest + ridge) / (rest + ridge)))


def automatic_rank(n: int) -> int:
    """Return the number of pivots that usually pays: the products are few, and the factor small.

    Products number about rank^(-1/2). With 4·√n pivots the factor takes as long as some ten
    products from kept blocks. Doubling them gains little even where there are hundreds of products.
    """
    return int(min(2000, n / 10, 4 * n**0.5))
