"""Systems that are solved by products with the matrix, and what products tell about it."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, replace
from functools import cached_property
from os import PathLike
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from ntkfast._arrays import FloatArray, as_floats, sizes_of
from ntkfast._progress import Progress, reporting
from ntkfast._scalars import as_count, as_tolerance
from ntkfast.linalg import Cholesky, as_right_side
from ntkfast.operators import (
    CoarseOperator,
    DistributedKernelOperator,
    KernelOperator,
    Operator,
)
from ntkfast.solvers._iteration import Doubles, Iteration, Sampling, norms
from ntkfast.solvers._quadratic import Bounds, quadratic_bounds
from ntkfast.solvers._quadrature import LogDeterminant, log_determinant
from ntkfast.solvers._refinement import Refinement, SolveReport, Task
from ntkfast.solvers.protocol import Prepared

__all__ = ["PreparedByProducts", "Settings", "check_settings"]

# Columns from which on products in float32 are quicker.
_MANY = 32
# Errors of kernels of networks, in units of the rounding of their type.
_ROUNDINGS = 8


class Settings(Protocol):
    """The parameters that solvers by products share."""

    @property
    def tol(self) -> float:
        """Residual of solutions, relative to the right-hand side."""

    @property
    def most_products(self) -> int:
        """Products after which a solve ends."""

    @property
    def probes(self) -> int:
        """Random vectors for what products can only estimate."""

    @property
    def seed(self) -> int:
        """Seed of all draws."""

    @property
    def checkpoint(self) -> str | PathLike[str] | None:
        """A file for the state of a solve."""

    @property
    def progress(self) -> Progress:
        """Reports of a solve."""


def check_settings(solver: Settings) -> None:
    """Reject values out of range, before the work begins."""
    as_tolerance(solver.tol)
    as_count(solver.most_products, "most_products", least=1)
    as_count(solver.probes, "probes", least=2)
    as_count(solver.seed, "seed", least=0)


@dataclass(frozen=True, eq=False, repr=False)
class PreparedByProducts(Prepared):
    """A system with its preconditioner.

    Attributes
    ----------
    report
        The `SolveReport` of the last solve; None before the first one.
    """

    solver: Settings
    op: Operator
    inner: Operator
    preconditioner: Sampling
    name: str
    remedy: str

    @property
    def n(self) -> int:
        """The size of the system."""
        return self.op.shape[0]

    @property
    def dtype(self) -> np.dtype[np.floating]:
        """float64, the type of solutions."""
        return np.dtype(np.float64)

    @property
    def report(self) -> SolveReport | None:
        """What the last solve took."""
        report: SolveReport | None = vars(self).get("_report")
        return report

    @property
    def _shift(self) -> float | Doubles:
        """The ridge as a factor of the rows of a block."""
        if self.ridge.ndim == 0:
            return float(self.ridge)
        shift: Doubles = self.ridge.astype(np.float64)[:, None]
        return shift

    def solve(self, b: npt.ArrayLike, start: npt.ArrayLike | None = None) -> FloatArray:
        """Solve (Θ + r)·x = b for b of shape (n,) or (n, c), to the tolerance of the solver.

        Parameters
        ----------
        b
            Right-hand sides.
        start
            Shape of ``b``: a solution to begin with, such as that of fewer points padded with 0.
            The result has the same residual.

        Warns
        -----
        RuntimeWarning
            The residual stagnates, or `most_products` were not enough. `report` says what was
            reached.
        """
        right = as_right_side(b, self.n)
        columns = right.reshape(self.n, right.size // max(self.n, 1)).astype(np.float64)
        sizes = sizes_of(columns, axis=0)
        with np.errstate(over="ignore"):
            first = None
            if start is not None:
                given = as_right_side(start, self.n, "start")
                if given.shape != right.shape:
                    raise ValueError(
                        f"start has shape {given.shape}; expected {right.shape}, like b"
                    )
                first = given.reshape(columns.shape) / sizes
            solved, report = self._solve(columns / sizes, self.solver.tol, first)
            solution: FloatArray = solved * sizes
        vars(self)["_report"] = report
        return solution.reshape(right.shape)

    def _solve(
        self, b: Doubles, tol: float, start: Doubles | None = None
    ) -> tuple[Doubles, SolveReport]:
        run = Refinement(self._task(), b, tol * norms(b), start)
        with reporting(self.solver.progress, "conjugate gradients", "digit") as report:
            solution = run.run(report)
        run.warn(tol)
        return solution, run.report

    def _task(self) -> Task:
        solver = self.solver
        return Task(
            stages=(self.op,) if self.inner is self.op else (self.inner, self.op),
            ridge=self._shift,
            preconditioner=self.preconditioner,
            name=self.name,
            remedy=self.remedy,
            most_products=solver.most_products,
            checkpoint=None if solver.checkpoint is None else Path(solver.checkpoint),
            settings=(type(solver).__name__, self.inner.dtype.str, solver.seed),
            seconds=self.seconds,
        )

    def quadratic_bounds(self, k: npt.ArrayLike, least: npt.ArrayLike) -> Bounds:
        """Bound kᵢᵀ·(Θ + r)⁻¹·kᵢ for the columns of k.

        Parameters
        ----------
        k
            Shape (n, m).
        least
            Shape (m,): numbers ≥ 0 such as prior variances, from which the results are subtracted.
            The bounds are so close that the differences are known to 1 %, if rounding permits.
            Rounding of both arrays counts: float32 permits less.

        Returns
        -------
        Bounds
            Two arrays of shape (m,). Costs one solve for m columns, and at least one product in
            float64.
        """
        given, prior = as_right_side(k, self.n, "k"), as_floats(least, "least")
        if given.ndim != 2 or prior.shape != given.shape[1:]:
            raise ValueError(
                f"k has shape {given.shape} and least has shape {prior.shape}; expected "
                f"({self.n}, m) and (m,)"
            )
        if not (prior >= 0).all():
            raise ValueError(f"least has the entry {prior.min()}; expected numbers >= 0")
        columns = self._distinct(given.astype(np.float64))
        entry = _ROUNDINGS * max(float(np.finfo(part.dtype).eps) for part in (given, prior))
        task = self._exact_task(columns.shape[1])
        return quadratic_bounds(task, columns, prior.astype(np.float64), entry)

    def _distinct(self, columns: Doubles) -> Doubles:
        """Return the rows of points that the system has once."""
        return columns

    def _exact_task(self, count: int) -> Task:
        """Return the task of solving for so many columns with true residuals in float64."""
        stages: list[Operator] = [self.inner, self._exact]
        if self.inner is self._exact:
            stages.pop(0)
        elif (
            count >= _MANY
            and isinstance(self.inner, KernelOperator)  # in float32
            and not isinstance(self.inner, DistributedKernelOperator)
        ):
            stages.insert(0, CoarseOperator(self.inner))
        return replace(self._task(), stages=tuple(stages), checkpoint=None)

    @cached_property
    def _exact(self) -> Operator:
        """The kernel in float64, which keeps blocks for several calls, in the same memory."""
        op, inner = self.op, self.inner
        if not isinstance(inner, KernelOperator) or inner.dtype == np.float64:
            return op
        assert isinstance(op, KernelOperator)
        return inner._like(op.x, dtype=np.float64)

    def release(self) -> None:
        """Let the blocks go that earlier solves have kept; the next one computes them again."""
        for op in (self.op, self.inner, self._exact):
            op.release()

    @property
    def log_determinant(self) -> float:
        """An estimate of the natural logarithm of det(Θ + r), by some products, once."""
        return self._log_determinant.value

    @property
    def log_determinant_error(self) -> float:
        """The standard error of `log_determinant`."""
        return self._log_determinant.error

    @cached_property
    def _log_determinant(self) -> LogDeterminant:
        own = self.inner if self.preconditioner.rank < self.n else self.op
        found = self._estimated(own)
        if found.rounding > found.error and own is not self._exact:
            found = self._estimated(self._exact)
        return found

    def _estimated(self, op: Operator) -> LogDeterminant:
        system = Iteration(op, self._shift, self.preconditioner, self.name, self.remedy)
        return log_determinant(system, self.preconditioner, self.solver.probes, self.solver.seed)

    @property
    @abstractmethod
    def inverse_diagonal_error(self) -> float:
        """The typical relative error of `inverse_diagonal`."""

    @property
    def condition_estimate(self) -> float:
        """A lower bound of the condition number of Θ + r, from the pivots."""
        return self.preconditioner.condition

    @property
    def cholesky(self) -> Cholesky:
        """Raises ValueError: there is no exact factor."""
        raise ValueError(
            f"this system was prepared by {type(self.solver).__name__}, which computes no exact "
            "Cholesky factor; use CholeskySolver, if two matrices fit into memory"
        )
