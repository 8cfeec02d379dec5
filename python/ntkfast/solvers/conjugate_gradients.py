"""Preconditioned conjugate gradients: exact regression with products alone."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from os import PathLike

import numpy as np
import numpy.typing as npt

from ntkfast._arrays import FloatArray
from ntkfast._gram import as_diagonal
from ntkfast._ntkfast import NumericalError
from ntkfast._progress import Progress
from ntkfast._scalars import as_count, as_flag
from ntkfast.operators import KernelOperator, Operator
from ntkfast.solvers._checkpoint import check_folder
from ntkfast.solvers._copies import merged
from ntkfast.solvers._draws import signs
from ntkfast.solvers._merged import PreparedWithCopies
from ntkfast.solvers._preconditioner import Preconditioner, automatic_rank
from ntkfast.solvers._products import check_settings
from ntkfast.solvers._refinement import SolveReport
from ntkfast.solvers._symmetry import as_symmetric
from ntkfast.solvers.protocol import REMEDY, Solver

__all__ = ["ConjugateGradients", "PreparedConjugateGradients", "SolveReport"]

# Residual to which the columns of random probes are solved, far below their random errors.
_PROBED = 1e-4


@dataclass(frozen=True, eq=False, repr=False)
class PreparedConjugateGradients(PreparedWithCopies):
    """A system with a preconditioner of low rank; created by `ConjugateGradients`.

    Attributes
    ----------
    report
        The `SolveReport` of the last solve; None before the first one.
    """

    @property
    def inverse_diagonal(self) -> FloatArray:
        """An estimate of the diagonal of (Θ + r)⁻¹, shape (n,), by a solve for `probes` columns.

        Single entries have errors of some `inverse_diagonal_error`; the root mean square of
        leave-one-out residuals is more exact.

        References
        ----------
        Bekas, Kokiopoulou, Saad (2007), Appl. Numer. Math. 57, 1214.
        """
        return self._probed[0]

    @property
    def inverse_diagonal_error(self) -> float:
        """The median of the relative standard errors of `inverse_diagonal`."""
        return self._probed[1]

    @cached_property
    def _probed(self) -> tuple[FloatArray, float]:
        ridge = float(self.ridge)
        if not ridge:
            raise ValueError(
                f"without regularisation, products do not give the diagonal of the inverse of "
                f"{self.name}; {self.remedy}"
            )
        source = np.random.default_rng([self.solver.seed, 2])
        z = signs(source, self.n, self.solver.probes)
        estimates = z * self._solve(z, max(self.solver.tol, _PROBED))[0]
        least = 1 / (self.op.diagonal().astype(np.float64) + ridge)
        diagonal = np.clip(estimates.mean(axis=1), least, 1 / ridge)
        spread = estimates.std(axis=1) / self.solver.probes**0.5
        return diagonal, float(np.median(spread / diagonal)) if self.n else 0.0


@dataclass(frozen=True)
class ConjugateGradients(Solver):
    """Solves with products alone, to a stated residual, for kernels that do not fit into memory.

    Parameters
    ----------
    tol
        Residual ‖b − A·x‖/‖b‖ > 0 that every column reaches, computed from x itself.
    rank
        Number of pivots of the preconditioner; None: min(2000, n/10, 4·√n).
    mixed
        Whether products with a `KernelOperator` in float64 are taken in float32, between
        corrections in float64: half the time and memory, and the same residual. It goes on in
        float64 if a correction gains too little. Smooth kernels of few features, of which float32
        resolves fewer than `rank` pivots, are solved in float64.
    most_products
        Number of products after which a solve ends with a warning.
    seed
        Seed of the pivots.
    probes
        Random vectors, at least 2, for the log determinant and leave-one-out, which products only
        estimate. Errors fall with the root of their number.
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
    probes: int = 64
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
        check_settings(self)
        as_flag(self.mixed, "mixed")
        given = op = as_symmetric(theta, name)
        n = op.shape[0]
        shift = as_diagonal(ridge, n, "ridge")
        if shift.ndim:
            raise ValueError(
                f"the regularisation (ridge, diag_reg or noise_variance) has shape {shift.shape}; "
                "expected one number, because the preconditioner needs the same for every point; "
                "for one per point, as for sample weights, use solver='cholesky' or "
                "nk.solvers.SingleCholeskySolver()"
            )
        rank = automatic_rank(n) if self.rank is None else as_count(self.rank, "rank", least=0)
        check_folder(self.checkpoint)
        begun = time.perf_counter()
        op, groups = merged(op, shift)
        inner: Operator = op
        preconditioner = None
        if self.mixed and isinstance(op, KernelOperator) and op.dtype == np.float64:
            with suppress(ValueError, NumericalError):  # beyond the range of float32
                single = op.cast(np.float32)
                found = Preconditioner.of(single, float(shift), rank, self.seed)
                if found.rank == min(rank, len(op)):  # fewer if rounding hides the rest
                    preconditioner, inner = found, single
                    op = op.cast(np.float64, memory=0)  # which leaves the memory to `inner`
        if preconditioner is None:
            preconditioner = Preconditioner.of(op, float(shift), rank, self.seed)
        if isinstance(inner, KernelOperator) and inner is not theta and not inner.fits:
            given.release()  # blocks that this solve does not read, in the same memory
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

    def solve(
        self,
        theta: npt.ArrayLike | Operator,
        ridge: npt.ArrayLike,
        b: npt.ArrayLike,
        *,
        name: str = "theta",
        remedy: str = REMEDY,
    ) -> tuple[PreparedConjugateGradients, FloatArray]:
        """Prepare a system and solve it; blocks that only the solver keeps are released."""
        prepared, solution = super().solve(theta, ridge, b, name=name, remedy=remedy)
        assert isinstance(prepared, PreparedConjugateGradients)
        for own in (prepared.op, prepared.inner):
            if own is not theta:
                own.release()
        return prepared, solution
