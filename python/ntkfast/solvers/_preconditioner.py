"""A preconditioner of low rank: the matrix is taken for F·Fᵀ + ρ with F of some pivots."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ntkfast._seed import Seed
from ntkfast.operators import MatrixOperator, Operator, PivotedCholesky, pivoted_cholesky
from ntkfast.solvers._orthonormal import orthonormal

__all__ = ["Preconditioner", "automatic_rank"]

# ρ relative to the mean diagonal entry, below which it would be rounding.
_LEAST = 1e-14


@dataclass(frozen=True, eq=False)
class Preconditioner:
    """P/ρ = U·diag(s²/ρ)·Uᵀ + 1 with orthonormal U, and ρ the ridge plus the mean of the rest.

    The ridge alone would make the rest look smaller than it is: with a ridge of 0 on digits, that
    takes 617 products in place of 46.
    """

    vectors: Operator
    kept: npt.NDArray[np.float64]
    shift: float
    condition: float

    @classmethod
    def of(cls, op: Operator, ridge: float, rank: int, seed: Seed) -> Preconditioner:
        """Return the preconditioner for op + ridge, from `rank` rows of op."""
        n = op.shape[0]
        found = pivoted_cholesky(op, rank, seed=seed)
        shift = ridge + found.residual_trace / max(n, 1)
        shift = max(shift, _LEAST * found.trace / max(n, 1)) or 1.0
        vectors, squares = orthonormal(found.factor.T)  # in the memory of the factor
        return cls(
            MatrixOperator(vectors),
            squares / (squares + shift),
            shift,
            _condition(found, squares, ridge),
        )

    @property
    def rank(self) -> int:
        """Number of directions: of pivots, without those that are rounding."""
        return len(self.kept)

    def solve(self, r: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Return ρ·P⁻¹·r for r of shape (n, c)."""
        if self.rank == 0:
            return r.copy()
        shares = self.kept[:, None] * (self.vectors.T @ r)
        solved: npt.NDArray[np.float64] = r - self.vectors @ shares
        return solved


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
