"""Conjugate gradients for several right-hand sides at once, in steps that can be saved."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import numpy.typing as npt

from ntkfast._ntkfast import NumericalError
from ntkfast.operators import Operator

__all__ = [
    "Iteration",
    "Preconditioning",
    "Sampling",
    "State",
    "lanczos_matrix",
    "norms",
    "ritz_values",
]

Doubles = npt.NDArray[np.float64]

# Steps without a residual of half the size, after which more of them do not help.
_PATIENCE = 300


class Preconditioning(Protocol):
    """A matrix P like op + ridge that is easy to solve with, and its size ρ."""

    @property
    def rank(self) -> int:
        """Rows of the matrix that P knows."""

    @property
    def shift(self) -> float:
        """ρ, which keeps the numbers of an iteration near those of its right-hand sides."""

    @property
    def memory(self) -> int:
        """Bytes that P takes."""

    def solve(self, r: Doubles) -> Doubles:
        """Return ρ·P⁻¹·r for r of shape (n, c)."""


class Sampling(Preconditioning, Protocol):
    """One with which determinants are estimated."""

    @property
    def condition(self) -> float:
        """A lower bound of the condition number of op + ridge."""

    @property
    def log_determinant(self) -> float:
        """Natural logarithm of det P."""

    def sample(self, source: np.random.Generator, count: int) -> Doubles:
        """Draw vectors of mean 0 and covariance P, shape (n, count)."""


@dataclass
class State:
    """All that a step depends on beside the system. Columns that have converged are left alone.

    Attributes
    ----------
    d, r, p
        Shape (n, c): the solution, what is left of the right-hand side, and the directions.
    rz
        Shape (c,): r·z of the last step.
    goals
        Shape (c,): norms of r to reach.
    active
        Columns that have not reached them.
    best, since
        The smallest size of the residual relative to the goals, and the steps since it halved.
    alpha, beta
        Shape (c,): the scalars of the last step.
    column, alphas, betas
        The first column that is active, and its scalars of all steps.
    changing
        Whether a step is changing it, so that its parts do not belong together.
    """

    d: Doubles
    r: Doubles
    p: Doubles
    rz: Doubles
    goals: Doubles
    active: npt.NDArray[np.intp]
    alpha: Doubles
    beta: Doubles
    best: float = math.inf
    since: int = 0
    column: int = 0
    alphas: list[float] = field(default_factory=list)
    betas: list[float] = field(default_factory=list)
    changing: bool = field(default=False, init=False)

    @property
    def worst(self) -> float:
        """The largest residual relative to its goal."""
        with np.errstate(divide="ignore", invalid="ignore"):
            ratios = norms(self.r) / self.goals
        return float(np.nan_to_num(ratios, nan=0.0).max(initial=0.0))


@dataclass(frozen=True, eq=False)
class Iteration:
    """The system op + ridge with its preconditioner."""

    op: Operator
    ridge: float | Doubles  # one number, or one per row, shape (n, 1)
    preconditioner: Preconditioning
    name: str
    remedy: str

    def times(self, v: Doubles) -> Doubles:
        """Return (op + ridge)·v."""
        product: Doubles = self.op @ v + self.ridge * v
        return product

    def begin(self, b: Doubles, goals: Doubles) -> State:
        """Return the state before the first step, from a solution of 0."""
        z = self.preconditioner.solve(b)
        active = np.flatnonzero(norms(b) > goals)
        column = int(active[0]) if active.size else 0
        scalars = np.zeros(b.shape[1]), np.zeros(b.shape[1])
        rz = _inner(b, z)
        return State(np.zeros_like(b), b.copy(), z, rz, goals, active, *scalars, column=column)

    def step(self, state: State) -> bool:
        """Take a step with one product; False if there is nothing to gain any more."""
        if state.active.size == 0:
            return False
        some = state.active
        p = np.ascontiguousarray(state.p[:, some])
        q = self.times(p)
        curvature = _inner(p, q)
        if not (curvature > 0).all():
            if not np.isfinite(curvature).all():
                raise NumericalError(f"the products of {self.name} overflow; scale it down")
            if self._is_negative(p, curvature):
                raise NumericalError(
                    f"{self.name} is not positive semi-definite: v·A·v is "
                    f"{curvature.min():.3g} for a vector v of norm {norms(p).max():.3g}; "
                    f"{self.remedy}"
                )
            return False
        alpha = state.rz[some] / curvature
        state.changing = True
        state.d[:, some] += alpha * p
        state.r[:, some] -= alpha * q
        r = np.ascontiguousarray(state.r[:, some])
        z = self.preconditioner.solve(r)
        rz = _inner(r, z)
        beta = rz / state.rz[some]
        state.p[:, some] = z + beta * p
        state.rz[some] = rz
        state.alpha[some], state.beta[some] = alpha, beta
        if some[0] == state.column:
            state.alphas.append(float(alpha[0]))
            state.betas.append(float(beta[0]))
        worst = state.worst
        state.active = some[norms(r) > state.goals[some]]
        if worst <= state.best / 2:
            state.best, state.since = worst, 0
        else:
            state.since += 1
        state.changing = False
        return state.since < _PATIENCE

    def _is_negative(self, p: Doubles, curvature: Doubles) -> bool:
        """Whether rounding cannot explain a curvature that is not positive."""
        size = self.op.trace() + float(np.max(self.ridge))
        rounding = 1e2 * float(np.finfo(self.op.dtype).eps) * size
        return bool((curvature < -rounding * norms(p) ** 2).any())


def norms(a: Doubles) -> Doubles:
    """Return the norm of each column."""
    found: Doubles = np.linalg.norm(a, axis=0)
    return found


def _inner(a: Doubles, b: Doubles) -> Doubles:
    products: Doubles = np.einsum("ij,ij->j", a, b)
    return products


def ritz_values(alphas: list[float], betas: list[float]) -> Doubles:
    """Return the Ritz values of the preconditioned matrix, from the scalars of a column."""
    values = np.linalg.eigvalsh(lanczos_matrix(alphas, betas))
    return np.asarray(values, np.float64)


def lanczos_matrix(alphas: Sequence[float] | Doubles, betas: Sequence[float] | Doubles) -> Doubles:
    """Return the tridiagonal matrix of Lanczos that belongs to scalars of conjugate gradients."""
    a: Doubles = np.array(alphas)
    b: Doubles = np.array(betas[: len(alphas) - 1])
    diagonal: Doubles = 1 / a
    diagonal[1:] += b / a[:-1]
    beside: Doubles = np.sqrt(np.maximum(b, 0)) / a[:-1]
    found: Doubles = np.diag(diagonal) + np.diag(beside, 1) + np.diag(beside, -1)
    return found
