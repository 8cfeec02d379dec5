"""The argument `solver` of regressions, and the choice for users who do not choose."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from ntkfast._arrays import FloatArray
from ntkfast._memory import available
from ntkfast._progress import Progress
from ntkfast._scalars import as_choice, as_real, as_tolerance
from ntkfast.kernels import KernelName
from ntkfast.networks import Network
from ntkfast.operators import KernelOperator, Operator
from ntkfast.solvers import (
    CholeskySolver,
    ConjugateGradients,
    EigenSolver,
    RefinedSolver,
    SingleCholeskySolver,
    Solver,
)

__all__ = ["SolverChoice", "as_solver", "chosen", "fits", "kernel_between"]

SolverChoice: TypeAlias = Literal["auto", "cholesky", "eigen", "cg"] | Solver

_NAMES = ("auto", "cholesky", "eigen", "cg")

# Up to so many points a factor of an operator is computed sooner than an iterative solution.
_FACTORED = 10_000
# The share of free memory that a matrix and its factor may take: for the mean alone, and where
# only a factor gives what is wanted.
_FOR_MEANS, _FOR_FACTORS = 0.5, 0.8


def as_solver(solver: SolverChoice, tol: float | None = None) -> SolverChoice:
    """Check the arguments `solver` and `tol`."""
    if isinstance(solver, type) and issubclass(solver, Solver):
        raise TypeError(f"solver is the class {solver.__name__}; pass one, {solver.__name__}()")
    if not isinstance(solver, Solver):
        as_choice(solver, "solver", _NAMES, "a solver of nk.solvers")
    elif tol is not None:
        raise ValueError(
            f"tol is {tol!r} beside the solver {solver!r}; give it to the solver, such as "
            "nk.solvers.ConjugateGradients(tol=1e-8), or pass solver='cg'"
        )
    if tol is not None:
        as_tolerance(tol)
    return solver


def kernel_between(
    network: Network,
    x: FloatArray,
    kernel: KernelName,
    *,
    solver: SolverChoice,
    ridge: npt.ArrayLike,
    memory: float | None,
    progress: Progress,
    kind: type[KernelOperator] = KernelOperator,
) -> FloatArray | Operator:
    """Return a kernel as a matrix if the solver factorises one, and otherwise as an operator."""
    if memory is not None:
        as_real(memory, "memory", least=0.0)
    if _named(solver, len(x), x.dtype, ridge, factors=True) in _ON_MATRICES:
        return getattr(network, kernel)(x, progress=progress)  # type: ignore[no-any-return]
    return kind(network, x, kernel=kernel, memory=memory, progress=progress)


def chosen(
    solver: SolverChoice,
    theta: FloatArray | Operator,
    ridge: npt.ArrayLike,
    *,
    tol: float | None = None,
    progress: Progress = None,
    factors: bool = False,
) -> tuple[Solver, FloatArray | Operator]:
    """Return the solver, and the matrix in the form that it takes.

    With `factors`, evidence and leave-one-out are wanted: they are exact with a factor in float64,
    nearly so in float32, and random estimates otherwise.
    """
    solver = as_solver(solver, tol)
    if isinstance(theta, Operator):
        name = _named(solver, len(theta), theta.dtype, ridge, factors=factors)
    else:
        name = {"auto": "cholesky"}.get(solver, solver) if isinstance(solver, str) else ""
    if isinstance(theta, Operator) and name in _ON_MATRICES:
        theta = theta.to_array()
    if isinstance(solver, (ConjugateGradients, SingleCholeskySolver)) and solver.progress is None:
        return replace(solver, progress=progress), theta
    if isinstance(solver, Solver):
        return solver, theta
    if name in ("cg", "single"):
        kind = ConjugateGradients if name == "cg" else SingleCholeskySolver
        found = kind(progress=progress)
        return found if tol is None else replace(found, tol=tol), theta
    if name == "eigen":
        return EigenSolver(), theta
    return CholeskySolver() if factors else RefinedSolver(), theta


_ON_MATRICES = ("cholesky", "eigen")


def _named(
    solver: SolverChoice,
    n: int,
    dtype: np.dtype[np.floating],
    ridge: npt.ArrayLike,
    *,
    factors: bool,
) -> str:
    """Return "cholesky" (a factor beside the matrix), "single" (in its place), "eigen" or "cg"."""
    if isinstance(solver, Solver):
        return "cg" if isinstance(solver, (ConjugateGradients, SingleCholeskySolver)) else "eigen"
    if solver not in ("auto", "cholesky"):
        return solver
    if solver == "auto" and not factors and np.ndim(ridge) == 0:
        return "cholesky" if fits(n, dtype) else "cg"
    free = available()
    if 2 * n * n * dtype.itemsize <= _FOR_FACTORS * free:
        return "cholesky"
    # Conjugate gradients take one ridge for all points.
    if solver == "cholesky" or np.ndim(ridge) or 4 * n * n <= _FOR_FACTORS * free:
        return "single"
    return "cg"


def fits(n: int, dtype: np.dtype[np.floating]) -> bool:
    """Whether a factor is better than products if only means are wanted."""
    return n <= _FACTORED and 2 * n * n * dtype.itemsize <= _FOR_MEANS * available()
