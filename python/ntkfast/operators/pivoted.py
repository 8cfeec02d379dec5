"""Randomly pivoted Cholesky: a factor of low rank from some rows of a kernel."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ntkfast._arrays import FloatArray
from ntkfast._display import Displayed, Fact
from ntkfast._memory import pieces, zeros
from ntkfast._progress import Progress, reporting
from ntkfast._scalars import as_count, as_real
from ntkfast._seed import Seed, as_generator
from ntkfast.linalg import Cholesky, matmul
from ntkfast.operators.matrix import as_operator
from ntkfast.operators.operator import Indices, Operator

__all__ = ["PivotedCholesky", "pivoted_cholesky"]

# What is left is rounding below this share of the trace, and of an entry of the diagonal.
_REST, _ENTRY = 1e-13, 1e-10
_LEAST_BLOCK, _LARGEST_BLOCK = 10, 512


@dataclass(frozen=True, eq=False, repr=False)
class PivotedCholesky(Displayed):
    """A ≈ F·Fᵀ with r columns; created by `pivoted_cholesky`.

    Attributes
    ----------
    factor
        Shape (r, n): Fᵀ. The columns of A at the pivots are reproduced.
    pivots
        Shape (r,): the rows of A that were computed.
    residual_trace
        Trace of A − F·Fᵀ, a bound of its norm.
    trace
        Trace of A.
    """

    factor: FloatArray
    pivots: Indices
    residual_trace: float
    trace: float

    @property
    def rank(self) -> int:
        """r, the number of pivots."""
        return len(self.pivots)

    def _facts(self) -> Iterator[Fact]:
        yield "n=", self.factor.shape[1]
        yield "rank=", self.rank
        share = self.residual_trace / self.trace if self.trace else 0.0
        yield "residual trace", f"{share:.2g} of the whole"


def pivoted_cholesky(
    op: Operator | npt.ArrayLike,
    rank: int,
    *,
    seed: Seed = 0,
    tol: float = 0.0,
    progress: Progress = None,
) -> PivotedCholesky:
    """Approximate a positive semi-definite matrix by a factor of low rank.

    Pivots are drawn with probabilities in proportion to the diagonal of what is left. Blocks of
    them are drawn at once, and thinned out so that their distribution is that of single draws.

    Parameters
    ----------
    op
        Shape (n, n): a symmetric operator, or an array.
    rank
        Number of pivots, at least 0. There are fewer if the matrix has a lower rank to rounding.
    seed
        Seed of the draws. They do not depend on the number of threads.
    tol
        A share ≥ 0 of the trace. No further pivots are drawn once the residual trace is at most
        this share; 0: once it is rounding.
    progress
        True for a bar, or a callable(pivots, rank).

    Returns
    -------
    PivotedCholesky
        The factor, its pivots, and the trace of the rest.

    Raises
    ------
    TypeError, ValueError
        An argument has the wrong type or value, ``op`` is not square, or has a negative diagonal.
    MemoryError
        The factor would exceed the memory that is free.

    Notes
    -----
    Costs (rank + 1)·n entries of the matrix and 2·n·rank² operations. Memory: the factor, and a
    tenth of it in addition.

    References
    ----------
    Chen, Epperly, Tropp, Webber (2023), "Randomly pivoted Cholesky", arXiv:2207.06503. Epperly,
    Tropp, Webber (2024), "Embrace rejection", arXiv:2410.03969: accelerated by blocks.

    Examples
    --------
    >>> found = pivoted_cholesky([[4.0, 2.0], [2.0, 1.0]], 2)
    >>> found.rank
    1
    >>> (found.factor.T @ found.factor).round(3)
    array([[4., 2.],
           [2., 1.]])
    """
    matrix = as_operator(op)
    n = matrix.shape[0]
    if matrix.shape != (n, n):
        raise ValueError(f"op has shape {matrix.shape}; expected a square matrix, (n, n)")
    wanted = min(as_count(rank, "rank", least=0), n)
    left = matrix.diagonal().astype(np.float64)
    if n and left.min() < 0:
        raise ValueError(
            f"op has {left.min():g} on its diagonal; expected a positive semi-definite matrix"
        )
    trace = float(left.sum())
    # Point by point, so that it can be read and rotated in pieces.
    factor = zeros((n, wanted), matrix.dtype, "the factor")
    pivots: list[int] = []
    source = as_generator(seed)
    least = max(_REST, 10 * float(np.finfo(matrix.dtype).eps), as_real(tol, "tol", least=0.0))
    block = int(np.clip(wanted // 10, _LEAST_BLOCK, _LARGEST_BLOCK))
    with reporting(progress, "pivoted Cholesky", "pivot") as report:
        while len(pivots) < wanted and left.sum() > least * trace:
            done = len(pivots)
            drawn = source.choice(n, size=block, p=left / left.sum())
            chosen, lower = _accepted(matrix, factor[:, :done], drawn, left, source)
            if len(chosen) == 0:
                left[drawn] = 0.0
                continue
            chosen, lower = chosen[: wanted - done], lower[: wanted - done, : wanted - done]
            _append(matrix._entries(chosen, None), lower, factor, chosen, done, left)
            left[chosen] = 0.0
            pivots.extend(chosen.tolist())
            if report is not None:
                report(len(pivots), wanted)
    return PivotedCholesky(
        factor=factor[:, : len(pivots)].T,
        pivots=np.array(pivots, np.intp),
        residual_trace=float(left.sum()),
        trace=trace,
    )


def _append(
    rows: FloatArray,
    lower: npt.NDArray[np.float64],
    factor: FloatArray,
    chosen: Indices,
    done: int,
    left: npt.NDArray[np.float64],
) -> None:
    """Write the columns of new pivots, and take them from the diagonal of what is left."""
    here = factor[chosen, :done]
    for some in pieces(*factor.shape):
        rest = rows[:, some] - matmul(here, factor[some, :done].T)
        new = Cholesky._of(lower).solve_lower(rest.astype(np.float64))
        factor[some, done : done + len(chosen)] = new.T
        left[some] = np.maximum(left[some] - np.einsum("ij,ij->j", new, new), 0.0)


def _accepted(
    matrix: Operator,
    factor: FloatArray,
    drawn: Indices,
    left: npt.NDArray[np.float64],
    source: np.random.Generator,
) -> tuple[Indices, npt.NDArray[np.float64]]:
    """Return the pivots that single draws would have chosen, and the factor of the rest there."""
    here = factor[drawn]
    block = matrix._entries(drawn, drawn) - matmul(here, here.T)
    rest = block.astype(np.float64)
    columns: list[npt.NDArray[np.float64]] = []
    accepted: list[int] = []
    for j, bound in enumerate(left[drawn]):
        size = rest[j, j]
        if size <= _ENTRY * bound or (accepted and size <= source.random() * bound):
            continue
        column = rest[:, j] / np.sqrt(size)
        rest -= np.outer(column, column)
        columns.append(column)
        accepted.append(j)
    if not accepted:
        return drawn[:0], np.empty((0, 0))
    lower = np.tril(np.array(columns)[:, accepted].T)
    return drawn[accepted], lower
