"""Systems without a ridge, in which equal points count as one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ntkfast._arrays import FloatArray
from ntkfast.solvers._iteration import Doubles
from ntkfast.solvers._products import PreparedByProducts
from ntkfast.solvers._refinement import SolveReport
from ntkfast.solvers.protocol import vanishes

__all__ = ["PreparedWithCopies"]


@dataclass(frozen=True, eq=False, repr=False)
class PreparedWithCopies(PreparedByProducts):
    """A system of distinct points; `groups` has the number of that of each point, or is None."""

    groups: npt.NDArray[np.intp] | None

    @property
    def n(self) -> int:
        """The size of the system."""
        return self.op.shape[0] if self.groups is None else len(self.groups)

    def _solve(
        self, b: Doubles, tol: float, start: Doubles | None = None
    ) -> tuple[Doubles, SolveReport]:
        """Solve; copies of a point share the coefficient of the point with their mean target."""
        if self.groups is None:
            return super()._solve(self._possible(b), tol, start)
        if start is not None:
            start = self._means(start) * self._counts
        shared, report = super()._solve(self._possible(self._means(b)), tol, start)
        return (shared / self._counts)[self.groups], report

    def _possible(self, b: Doubles) -> Doubles:
        """Without a ridge, a row of zeros reaches no target but 0."""
        return b if self.ridge.any() else np.where(self.op.diagonal()[:, None] > 0, b, 0.0)

    def reaches(self, b: FloatArray) -> bool:
        """Whether copies of a point have one target, and points with a kernel of 0 that of 0."""
        columns = b.reshape(self.n, b.size // max(self.n, 1)).astype(np.float64)
        reached = self._possible(self._distinct(columns))
        if self.groups is not None:
            reached = reached[self.groups]
        return vanishes(columns - reached, columns)

    @property
    def _counts(self) -> Doubles:
        counts: Doubles = np.bincount(self._groups)[:, None].astype(np.float64)
        return counts

    @property
    def _groups(self) -> npt.NDArray[np.intp]:
        assert self.groups is not None
        return self.groups

    def _means(self, b: Doubles) -> Doubles:
        means = np.zeros((self.op.shape[0], b.shape[1]))
        np.add.at(means, self._groups, b)
        averaged: Doubles = means / self._counts
        return averaged

    def _distinct(self, columns: Doubles) -> Doubles:
        return columns if self.groups is None else self._means(columns)

    @property
    def log_determinant(self) -> float:
        """An estimate of the natural logarithm of det(Θ + r), by some products, once."""
        return -np.inf if self.groups is not None else super().log_determinant

    @property
    def log_determinant_error(self) -> float:
        """The standard error of `log_determinant`; 0 for copies of points, of determinant 0."""
        return 0.0 if self.groups is not None else super().log_determinant_error

    @property
    def trace(self) -> float:
        """The trace of Θ + r."""
        diagonal = self.op.diagonal().astype(np.float64)
        if self.groups is not None:
            diagonal = diagonal[self.groups]
        return float(np.sum(diagonal + self.ridge))
