"""Preconditioned conjugate gradients: exact regression with products alone."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ntkfast._arrays import FloatArray
from ntkfast._gram import as_diagonal
from ntkfast._ntkfast import NumericalError
from ntkfast._progress import Progress, reporting
from ntkfast._scalars import as_count, as_real
from ntkfast.linalg import Cholesky, as_right_side
from ntkfast.operators import KernelOperator, Operator, as_operator
from ntkfast.solvers._checkpoint import check_folder
from ntkfast.solvers._copies import copies_of, distinct
from ntkfast.solvers._preconditioner import Preconditioner, automatic_rank
from ntkfast.solvers._refinement import Refinement, SolveReport, Task
from ntkfast.solvers._symmetry import check_symmetry
from ntkfast.solvers.protocol import REMEDY, Prepared, Solver

__all__ = ["ConjugateGradients", "PreparedConjugateGradients", "SolveReport"]


@dataclass(frozen=True, eq=False, repr=False)
class PreparedConjugateGradients(Prepared):
    """A system with its preconditioner; created by `ConjugateGradients`.

    Attributes
    ----------
    report
        The `SolveReport` of the last solve; None before the first one.
    """

    solver: ConjugateGradients
    op: Operator
    groups: npt.NDArray[np.intp] | None
    preconditioner: Preconditioner
    name: str
    remedy: str
    inner: Operator

    @property
    def n(self) -> int:
        """The size of the system."""
        return self.op.shape[0] if self.groups is None else len(self.groups)

    @property
    def dtype(self) -> np.dtype[np.floating]:
        """float64, the type of solutions."""
        return np.dtype(np.float64)

    @property
    def report(self) -> SolveReport | None:
        """What the last solve took."""
        report: SolveReport | None = vars(self).get("_report")
        return report

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
        # Powers of two, so that squares neither overflow nor vanish, and no bit changes.
        sizes = np.ldexp(1.0, np.frexp(np.abs(columns).max(axis=0, initial=0.0))[1] - 1)
        first = None
        if start is not None:
            first = as_right_side(start, self.n).reshape(columns.shape) / sizes
        with np.errstate(over="ignore"):
            solution: FloatArray = self._merged(columns / sizes, first) * sizes
        return solution.reshape(right.shape)

    def _merged(
        self, columns: npt.NDArray[np.float64], start: npt.NDArray[np.float64] | None
    ) -> npt.NDArray[np.float64]:
        """Solve; copies of a point share the coefficient of the point with their mean target."""
        if self.groups is None:
            return self._solve(columns, start)
        counts = np.bincount(self.groups)[:, None]
        means = np.zeros((len(counts), columns.shape[1]))
        np.add.at(means, self.groups, columns)
        first = None
        if start is not None:
            first = np.zeros_like(means)
            np.add.at(first, self.groups, start)
        solution = self._solve(means / counts, first)
        shared: npt.NDArray[np.float64] = (solution / counts)[self.groups]
        return shared

    def _solve(
        self, b: npt.NDArray[np.float64], start: npt.NDArray[np.float64] | None
    ) -> npt.NDArray[np.float64]:
        solver = self.solver
        if not self.ridge:  # a row of zeros reaches no target but 0
            b = np.where(self.op.diagonal()[:, None] > 0, b, 0.0)
        task = Task(
            op=self.op,
            inner=self.inner,
            ridge=float(self.ridge),
            preconditioner=self.preconditioner,
            name=self.name,
            remedy=self.remedy,
            tol=solver.tol,
            most_products=solver.most_products,
            checkpoint=None if solver.checkpoint is None else Path(solver.checkpoint),
            settings=(solver.mixed, solver.seed),
            seconds=self.seconds,
        )
        run = Refinement(task, b, start)
        with reporting(self.solver.progress, "conjugate gradients", "digit") as report:
            solution = run.run(report)
        vars(self)["_report"] = run.report
        return solution

    @property
    def trace(self) -> float:
        """The trace of Θ + r."""
        diagonal = self.op.diagonal().astype(np.float64)
        if self.groups is not None:
            diagonal = diagonal[self.groups]
        return float(diagonal.sum() + float(self.ridge) * len(diagonal))

    @property
    def condition_estimate(self) -> float:
        """A lower bound of the condition number of Θ + r, from the pivots."""
        return self.preconditioner.condition

    @property
    def log_determinant(self) -> float:
        """Raises ValueError: products give no determinant."""
        raise ValueError(_NO.format("log determinant"))

    @property
    def inverse_diagonal(self) -> FloatArray:
        """Raises ValueError: products give no diagonal of the inverse."""
        raise ValueError(_NO.format("diagonal of the inverse"))

    @property
    def cholesky(self) -> Cholesky:
        """Raises ValueError: there is no factor."""
        raise ValueError(_NO.format("Cholesky factor"))


_NO = (
    "this system was prepared by ConjugateGradients, which computes no {}; use CholeskySolver, if "
    "the matrix fits into memory"
)


@dataclass(frozen=True)
class ConjugateGradients(Solver):
    """Solves with products alone, to a stated residual, for kernels that do not fit into memory.

    Parameters
    ----------
    tol
        Residual ‖b − A·x‖/‖b‖ > 0 that every column reaches, computed from x itself.
    rank
        Number of pivots of the preconditioner; None: min(1000, n/10, 2·√n).
    mixed
        Whether products with a `KernelOperator` in float64 are taken in float32, between
        corrections in float64: half the time and memory, and the same residual. It goes on in
        float64 if a correction gains too little. Smooth kernels of few features, of which float32
        resolves fewer than `rank` pivots, are solved in float64.
    most_products
        Number of products after which a solve ends with a warning.
    seed
        Seed of the pivots.
    checkpoint
        A file. The state of a solve is written to it about once a minute. A solve of the same
        system goes on from there, to the same result; the file is removed at the end.
    progress
        True for a bar, or a callable(done, wanted): correct digits of the worst column, in tenths
        of a digit.

    Notes
    -----
    The preconditioner costs (rank + 1)·n entries of the kernel and 4·n·rank² operations. A step
    costs one product and 4·n·rank·c operations. Steps number about √κ of the preconditioned matrix:
    20 to 130 for 3,000 to 40,000 points at relative ridges down to 0.

    A ridge of 0 is possible. Equal points of a `KernelOperator` then count as one point with the
    mean of their targets, and points with a kernel of 0 have targets of 0, which gives the
    predictions of minimum norm.

    References
    ----------
    Hestenes and Stiefel (1952). Díaz, Epperly, Frangella, Tropp, Webber (2023), arXiv:2304.12465:
    randomly pivoted Cholesky as preconditioner.

    Examples
    --------
    >>> prepared = ConjugateGradients().prepare([[2.0, 0.0], [0.0, 1.0]], 1.0)
    >>> prepared.solve([3.0, 4.0]).round(6)
    array([1., 2.])
    """

    tol: float = 1e-6
    rank: int | None = None
    mixed: bool = True
    most_products: int = 2000
    seed: int = 0
    checkpoint: str | PathLike[str] | None = None
    progress: Progress = field(default=None, compare=False)

    def prepare(
        self,
        theta: npt.ArrayLike | Operator,
        ridge: npt.ArrayLike = 0.0,
        *,
        name: str = "theta",
        remedy: str = REMEDY,
    ) -> PreparedConjugateGradients:
        """Compute the preconditioner.

        Parameters
        ----------
        theta
            Shape (n, n): an operator, or an array. Symmetry is checked: of an array in all entries,
            of an operator in some.
        ridge
            r ≥ 0, one number.
        name, remedy
            As for `Solver.prepare`.
        """
        if as_real(self.tol, "tol", least=0.0, above=True) >= 1:
            raise ValueError(f"tol is {self.tol!r}; expected a number from 0 to 1")
        as_count(self.most_products, "most_products", least=1)
        op = as_operator(theta)
        n = op.shape[0]
        if op.shape != (n, n):
            raise ValueError(f"{name} has shape {op.shape}; expected a square operator, (n, n)")
        shift = as_diagonal(ridge, n, "ridge")
        if shift.ndim:
            raise ValueError(
                f"ridge has shape {shift.shape}; expected one number, because the preconditioner "
                "needs the same regularisation for every point; use CholeskySolver for one per "
                "point, as for sample weights"
            )
        rank = automatic_rank(n) if self.rank is None else as_count(self.rank, "rank", least=0)
        check_folder(self.checkpoint)
        check_symmetry(op, name)
        begun = time.perf_counter()
        groups = None if float(shift) else copies_of(op)
        if groups is not None:
            op = distinct(op, groups)
        inner, preconditioner = op, None
        if self.mixed and isinstance(op, KernelOperator) and op.dtype == np.float64:
            with suppress(ValueError, NumericalError):  # beyond the range of float32
                single = op.cast(np.float32)
                found = Preconditioner.of(single, float(shift), rank, self.seed)
                if found.rank == min(rank, len(op)):  # fewer if rounding hides the rest
                    preconditioner, inner = found, single
                    op = op.cast(np.float64, memory=0)  # which leaves the memory to `inner`
        if preconditioner is None:
            preconditioner = Preconditioner.of(op, float(shift), rank, self.seed)
        return PreparedConjugateGradients(
            ridge=shift,
            jitter=0.0,
            seconds=time.perf_counter() - begun,
            solver=self,
            op=op,
            groups=groups,
            preconditioner=preconditioner,
            name=name,
            remedy=remedy,
            inner=inner,
        )
