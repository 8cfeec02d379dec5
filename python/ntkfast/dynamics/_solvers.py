"""The argument `solver` of regressions, and the choice for users who do not choose."""

from __future__ import annotations

from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from ntkfast._arrays import FloatArray
from ntkfast._memory import available
from ntkfast._scalars import as_choice
from ntkfast.operators import Operator
from ntkfast.solvers import ConjugateGradients, EigenSolver, RefinedSolver, Solver

__all__ = ["SolverChoice", "as_solver", "chosen", "fits"]

SolverChoice: TypeAlias = Literal["auto", "cholesky", "eigen", "cg"] | Solver

# Up to so many points a factor of an operator is computed sooner than an iterative solution.
_FACTORED = 10_000


def as_solver(solver: SolverChoice) -> SolverChoice:
    """Check the argument `solver`."""
    if not isinstance(solver, Solver):
        as_choice(solver, "solver", ("auto", "cholesky", "eigen", "cg"))
    return solver


def chosen(
    solver: SolverChoice, theta: FloatArray | Operator, ridge: npt.ArrayLike
) -> tuple[Solver, FloatArray | Operator]:
    """Return the solver, and the matrix in the form that it takes."""
    solver = as_solver(solver)
    if isinstance(solver, Solver):
        found = solver
    else:
        if solver == "auto":
            # Conjugate gradients take one ridge for all points.
            there = not isinstance(theta, Operator) or np.ndim(ridge)
            solver = "cholesky" if there or fits(len(theta), theta.dtype) else "cg"
        kinds = {"cholesky": RefinedSolver, "eigen": EigenSolver, "cg": ConjugateGradients}
        found = kinds[solver]()
    if isinstance(theta, Operator) and not isinstance(found, ConjugateGradients):
        return found, theta.to_array()
    return found, theta


def fits(n: int, dtype: np.dtype[np.floating]) -> bool:
    """Whether a factor is better than products: matrix and factor take half of the memory."""
    return n <= _FACTORED and 2 * n * n * dtype.itemsize <= available() / 2
