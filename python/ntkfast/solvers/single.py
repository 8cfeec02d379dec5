"""A Cholesky factor in float32, in the memory of the matrix, with solutions refined by products."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from functools import cached_property
from os import PathLike

import numpy as np
import numpy.typing as npt

from ntkfast._arrays import FloatArray
from ntkfast._gram import as_diagonal
from ntkfast._memory import empty
from ntkfast._ntkfast import NumericalError, cholesky_in_place, inverse_diagonal
from ntkfast._progress import Progress, reporting
from ntkfast._warnings import warn
from ntkfast.linalg import Cholesky
from ntkfast.operators import KernelOperator, MatrixOperator, Operator
from ntkfast.solvers._copies import merged
from ntkfast.solvers._draws import signs
from ntkfast.solvers._iteration import Doubles
from ntkfast.solvers._merged import PreparedWithCopies
from ntkfast.solvers._products import check_settings
from ntkfast.solvers._symmetry import as_symmetric
from ntkfast.solvers.protocol import REMEDY, Solver

__all__ = ["PreparedSingleCholesky", "SingleCholeskySolver"]

# What is added to the diagonal of the factor alone, relative to its mean and to ε·√n: rounding may
# make smaller pivots negative. The second and third attempts add more.
_SHIFTS = (1.0, 10.0, 1000.0)
# Diagonal entries from which on, and to the inverse of which, nothing leaves the range of float32.
_LEAST = 1e-30
# Points at which the diagonal of the inverse is compared with solutions, their residual, and the
# relative error that is not accepted in silence.
_COMPARED, _RESIDUAL, _INEXACT = 16, 1e-6, 0.05
_REMEDY = 'use fewer points, or solver="cg", which needs no factor'


@dataclass(frozen=True, eq=False)
class SingleFactor:
    """P = L·Lᵀ with L in float32."""

    factor: Cholesky
    shift: float
    condition: float
    raised: bool  # whether the diagonal is larger than that of the matrix

    @property
    def rank(self) -> int:
        """n: the factor knows all rows."""
        return self.factor.n

    @property
    def memory(self) -> int:
        """Bytes of the factor."""
        return self.factor.factor.nbytes

    @property
    def log_determinant(self) -> float:
        """Natural logarithm of det P."""
        return self.factor.log_determinant

    def solve(self, r: Doubles) -> Doubles:
        """Return ρ·P⁻¹·r for r of shape (n, c)."""
        sizes = np.abs(r).max(axis=0, initial=0.0)
        sizes[sizes == 0] = 1.0
        solved = self.factor.solve((r / sizes).astype(np.float32)).astype(np.float64)
        scaled: Doubles = solved * (sizes * self.shift)
        return scaled

    def sample(self, source: np.random.Generator, count: int) -> Doubles:
        """Draw vectors of mean 0 and covariance P, shape (n, count)."""
        product = MatrixOperator(self.factor.factor.T).T @ signs(source, self.rank, count)
        return product.astype(np.float64, copy=False)


@dataclass(frozen=True, eq=False, repr=False)
class PreparedSingleCholesky(PreparedWithCopies):
    """A system with a factor in float32; created by `SingleCholeskySolver`.

    Attributes
    ----------
    report
        The `SolveReport` of the last solve; None before the first one.
    """

    preconditioner: SingleFactor

    @cached_property
    def inverse_diagonal(self) -> FloatArray:
        """Shape (n,): the diagonal of (Θ + r)⁻¹ from the factor. Costs n³/3 once.

        Warns
        -----
        RuntimeWarning
            The factor has a larger diagonal than Θ + r, and `inverse_diagonal_error` exceeds 5 %.
        """
        if self.groups is not None:
            raise ValueError(
                f"without regularisation, copies of points make {self.name} singular, and it has "
                f"no inverse; {self.remedy}"
            )
        with reporting(self.solver.progress, "diagonal of the inverse", "panel") as report:
            found = inverse_diagonal(self.preconditioner.factor.factor, report)
        if self.preconditioner.raised and (error := self._compared(found)) > _INEXACT:
            warn(
                f"the diagonal of the inverse of {self.name}, and so leave-one-out, has errors of "
                f"{error:.0%}, because float32 does not resolve the regularisation; use "
                f"CholeskySolver with points in float64, or {self.remedy}"
            )
        return found

    @cached_property
    def inverse_diagonal_error(self) -> float:
        """The largest relative error of `inverse_diagonal` at some points, by solving there."""
        return self._compared(self.inverse_diagonal)

    def _compared(self, diagonal: FloatArray) -> float:
        n = self.n
        some = np.random.default_rng([self.solver.seed, 3]).permutation(n)[:_COMPARED]
        units = np.zeros((n, len(some)))
        units[some, np.arange(len(some))] = 1.0
        solved, _ = self._solve(units, max(self.solver.tol, _RESIDUAL))
        exact = solved[some, np.arange(len(some))]
        return float(np.abs(diagonal[some] / exact - 1).max(initial=0.0))


@dataclass(frozen=True)
class SingleCholeskySolver(Solver):
    """Solves with a Cholesky factor in float32, which takes the place of the matrix.

    One n × n array of 4·n² bytes is all that exists: 14 GB for 60,000 points. Solutions are refined
    by products with the kernel, which is computed again for each, and have the residual `tol`.

    Parameters
    ----------
    tol
        Residual ‖b − A·x‖/‖b‖ > 0 that every column reaches, computed from x itself.
    most_products
        Number of products after which a solve ends with a warning.
    probes
        Random vectors, at least 2, that correct the log determinant of the factor and estimate its
        error.
    seed
        Seed of the random vectors.
    progress
        True for bars, or a callable(done, total): for the kernel, the factor and each solve.

    Notes
    -----
    Costs the kernel and n³/3 in float32. A solve costs some products, and 4·n²·c for c columns. If
    the matrix is singular to the precision of float32, the factor is that of a matrix with a larger
    diagonal. Solutions then need more products, but are those of the given matrix.

    `log_determinant` is that of the factor, corrected by a random estimate of what it lacks;
    `log_determinant_error` is the standard error. The diagonal of the inverse is that of the factor
    and `inverse_diagonal_error` its largest relative error at some points.

    Examples
    --------
    >>> prepared = SingleCholeskySolver().prepare([[2.0, 0.0], [0.0, 1.0]], 1.0)
    >>> prepared.solve([3.0, 4.0]).round(6)
    array([1., 2.])
    """

    tol: float = 1e-10
    most_products: int = 200
    probes: int = 16
    seed: int = 0
    progress: Progress = field(default=None, compare=False)

    @property
    def checkpoint(self) -> str | PathLike[str] | None:
        """None: there is nothing to save but the factor."""
        return None

    def prepare(
        self,
        theta: npt.ArrayLike | Operator,
        ridge: npt.ArrayLike = 0.0,
        *,
        name: str = "theta",
        remedy: str = REMEDY,
    ) -> PreparedSingleCholesky:
        """Compute the matrix in float32 and factorise it in place.

        Parameters
        ----------
        theta
            Shape (n, n): an operator, or an array. Symmetry is checked: of an array in all entries,
            of an operator in some.
        ridge, name, remedy
            As for `Solver.prepare`.

        Raises
        ------
        MemoryError
            4·n² bytes are not free.
        """
        check_settings(self)
        op = as_symmetric(theta, name)
        diagonal = as_diagonal(ridge, op.shape[0], "ridge")
        begun = time.perf_counter()
        op, groups = merged(op, diagonal)
        if isinstance(op, KernelOperator):
            op = op.cast(op.dtype, memory=0)  # the memory is for the factor
        factor = self._factor(op, diagonal, name, remedy)
        return PreparedSingleCholesky(
            ridge=diagonal,
            jitter=0.0,
            seconds=time.perf_counter() - begun,
            solver=self,
            op=op,
            inner=op,
            groups=groups,
            preconditioner=factor,
            name=name,
            remedy=remedy,
        )

    def _factor(self, op: Operator, ridge: FloatArray, name: str, remedy: str) -> SingleFactor:
        """Factorise op + ridge; if a pivot is not positive, with a larger diagonal."""
        n = op.shape[0]
        own = op.diagonal().astype(np.float64)
        mean = float((own + ridge).mean()) if n else 1.0
        if not _LEAST < mean <= float((own + ridge).max(initial=mean)) < 1 / _LEAST:
            raise ValueError(
                f"the diagonal of {name} has a mean of {mean:g} and a maximum of "
                f"{(own + ridge).max():g}, beyond the range of float32; scale {name} and its "
                "regularisation by one constant, or use CholeskySolver"
            )
        rounding = float(np.finfo(np.float32).eps) * n**0.5 * mean
        matrix = empty((n, n), np.float32, f"{name} in float32", _REMEDY)
        raised = own
        for shift in _SHIFTS:
            raised = own + np.maximum(ridge, shift * rounding)
            op.to_array(out=matrix)
            np.fill_diagonal(matrix, raised)
            try:
                with reporting(self.progress, "Cholesky", "panel") as report:
                    cholesky_in_place(matrix, report)
            except NumericalError:
                continue
            pivots = matrix.diagonal().astype(np.float64)
            condition = float((pivots.max() / pivots.min()) ** 2) if n else float("nan")
            beyond = bool(np.any(ridge < shift * rounding))
            return SingleFactor(Cholesky._of(matrix.T), mean, condition, beyond)
        raise NumericalError(
            f"{name} is not positive semi-definite: even with {raised.max() - own.max():.2g} added "
            f"to its diagonal, it has no Cholesky factor in float32; {remedy}"
        )
