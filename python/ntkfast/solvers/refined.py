"""A Cholesky factor in float32, with the solution refined to float64."""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from ntkfast._arrays import FloatArray, as_floats
from ntkfast._gram import check_symmetric
from ntkfast._memory import check
from ntkfast._ntkfast import solve_refined
from ntkfast.linalg import Cholesky
from ntkfast.solvers.cholesky import CholeskySolver, PreparedCholesky, condition_of_pivots
from ntkfast.solvers.protocol import REMEDY, Prepared, Solver, as_system

__all__ = ["PreparedRefined", "RefinedSolver"]

# From this size on, a factorisation in float32 is tried first.
_LARGE = 512


@dataclass(frozen=True, eq=False, repr=False)
class PreparedRefined(Prepared):
    """A system with one refined solution; created by `RefinedSolver`.

    All other results need a factor in float64, which is computed from the given Θ on first use.

    Attributes
    ----------
    theta
        Shape (n, n): Θ, the given array.
    pivots
        Shape (n,): the diagonal of the factor in float32.
    right, solution
        Shape (n, c): the b and the refined x.
    """

    theta: FloatArray
    pivots: FloatArray
    right: FloatArray
    solution: FloatArray

    @property
    def n(self) -> int:
        """The size of the system."""
        return len(self.theta)

    @property
    def dtype(self) -> np.dtype[np.floating]:
        """float64, the precision of refined solutions."""
        return self.pivots.dtype

    @property
    def condition_estimate(self) -> float:
        """(max L_ii/min L_ii)² of the factor in float32."""
        return condition_of_pivots(self.pivots)

    @property
    def trace(self) -> float:
        """The trace of Θ + r."""
        return float(np.sum(self.theta.diagonal() + self.diagonal))

    def solve(self, b: npt.ArrayLike) -> FloatArray:
        """Solve (Θ + r)·x = b with the float64 factor; n³/3 once, and 2·n²·c for c columns."""
        return self._exact.solve(b)

    @property
    def cholesky(self) -> Cholesky:
        """The factor of Θ + r in float64. Costs n³/3 once."""
        return self._exact.cholesky

    @property
    def log_determinant(self) -> float:
        """Natural logarithm of det(Θ + r). Costs n³/3 once."""
        return self._exact.log_determinant

    @property
    def inverse_diagonal(self) -> FloatArray:
        """Shape (n,): the diagonal of (Θ + r)⁻¹. Costs n³/3 once."""
        return self._exact.inverse_diagonal

    @cached_property
    def _exact(self) -> PreparedCholesky:
        prepared = CholeskySolver().prepare(self.theta, self.diagonal)
        gap = np.abs(prepared.solve(self.right) - self.solution).max()
        if gap > 1e-6 * np.abs(self.solution).max():
            raise ValueError(
                "theta has changed since this system was solved; do not change it, or pass "
                "theta.copy()"
            )
        return prepared


@dataclass(frozen=True)
class RefinedSolver(Solver):
    """Solves large float64 systems with a factor in float32, in half the time, and refines.

    From 512 points on, solutions are refined until the residual is as small as that of a float64
    solve. `CholeskySolver` handles smaller systems, float32 systems, and systems for which the
    refinement does not converge (a condition number above about 10⁵).

    References
    ----------
    Higham (2002), Accuracy and Stability of Numerical Algorithms, chapter 12.
    """

    def prepare(
        self,
        theta: npt.ArrayLike,
        ridge: npt.ArrayLike = 0.0,
        *,
        name: str = "theta",
        remedy: str = REMEDY,
    ) -> Prepared:
        """Factorise Θ + r in its own precision; without a right-hand side nothing is refined."""
        return CholeskySolver().prepare(theta, ridge, name=name, remedy=remedy)

    def solve(
        self,
        theta: npt.ArrayLike,
        ridge: npt.ArrayLike,
        b: npt.ArrayLike,
        *,
        name: str = "theta",
        remedy: str = REMEDY,
    ) -> tuple[Prepared, FloatArray]:
        """Factorise in float32 and refine for b, shape (n, c), or use `CholeskySolver`."""
        begun = time.perf_counter()
        gram, diagonal = as_system(theta, ridge, name)
        right = as_floats(b, "b")
        refined = None
        if len(gram) >= _LARGE and gram.dtype == right.dtype == np.float64:
            with np.errstate(over="ignore"):
                entries = gram.diagonal() + diagonal.astype(np.float64, copy=False)
            check(gram.nbytes / 2, f"the Cholesky factor of {name} in float32")
            try:
                refined = solve_refined(gram, entries, right)
            except ValueError:
                check_symmetric(gram, name)  # the same error, for any strides
                raise
        if refined is None:
            return CholeskySolver().solve(gram, diagonal, right, name=name, remedy=remedy)
        solution, pivots = refined
        prepared = PreparedRefined(
            ridge=diagonal,
            jitter=0.0,
            seconds=time.perf_counter() - begun,
            theta=gram,
            pivots=pivots,
            right=right,
            solution=solution,
        )
        return prepared, solution
