"""A Cholesky factor in the precision of the matrix, with jitter if necessary."""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from ntkfast._arrays import FloatArray, check_finite
from ntkfast._gram import check_symmetric
from ntkfast._memory import check
from ntkfast._ntkfast import NumericalError, inverse_diagonal
from ntkfast._ntkfast import cholesky as factorise
from ntkfast._warnings import warn
from ntkfast.linalg import Cholesky
from ntkfast.solvers.protocol import REMEDY, Prepared, Solver, as_system
from ntkfast.spectrum import relative_rounding

__all__ = ["CholeskySolver", "PreparedCholesky", "condition_of_pivots", "prepare_regular"]

# Jitter in units of the largest diagonal entry, as powers of ε: 4e-11, 4e-10, 1.5e-8 in float64.
# A jitter j causes a relative error of j at λ ~ 1, and of ε/j for contradictory labels.
_JITTERS = (2 / 3, 3 / 5, 1 / 2)
# Inverse iterations for the smallest eigenvalue, and the factor by which it may still be too large.
_ITERATIONS = 10
_MARGIN = 4


@dataclass(frozen=True, eq=False, repr=False)
class PreparedCholesky(Prepared):
    """A system with a Cholesky factor; created by `CholeskySolver`.

    Attributes
    ----------
    factor
        The factor of Θ + r, with the jitter; also called `cholesky`.
    """

    factor: Cholesky

    @property
    def cholesky(self) -> Cholesky:
        """The factor of Θ + r, with the jitter."""
        return self.factor

    @property
    def n(self) -> int:
        """The size of the system."""
        return self.factor.n

    @property
    def dtype(self) -> np.dtype[np.floating]:
        """The type of the factor, which is that of Θ."""
        return self.factor.factor.dtype

    def solve(self, b: npt.ArrayLike) -> FloatArray:
        """Solve (Θ + r)·x = b; costs 2·n²·c for c columns. See `Cholesky.solve`."""
        return self.factor.solve(b)

    @property
    def log_determinant(self) -> float:
        """Natural logarithm of det(Θ + r)."""
        return self.factor.log_determinant

    @property
    def trace(self) -> float:
        """The trace of Θ + r, ‖L‖² of its factor."""
        lower = self.factor.factor
        return float(np.einsum("ij,ij", lower, lower))

    @cached_property
    def inverse_diagonal(self) -> FloatArray:
        """Shape (n,): the diagonal of (Θ + r)⁻¹. Costs n³/3 once."""
        return inverse_diagonal(self.factor.factor, None).astype(self.dtype, copy=False)

    @property
    def condition_estimate(self) -> float:
        """(max L_ii/min L_ii)² of the factor L, a lower bound of the condition number."""
        return condition_of_pivots(self.factor.factor.diagonal())


@dataclass(frozen=True)
class CholeskySolver(Solver):
    """Solves by a Cholesky factor in the precision of the matrix. Costs n³/3."""

    def prepare(
        self,
        theta: npt.ArrayLike,
        ridge: npt.ArrayLike = 0.0,
        *,
        name: str = "theta",
        remedy: str = REMEDY,
    ) -> PreparedCholesky:
        """Factorise Θ + r.

        Jitter is added if the matrix is singular to working precision: if a pivot is no larger than
        the rounding error of its diagonal entry, as in `Spectrum.tolerance`. A RuntimeWarning
        reports it.

        Parameters
        ----------
        theta, ridge, name, remedy
            As for `Solver.prepare`.
        """
        begun = time.perf_counter()
        gram, diagonal = as_system(theta, ridge, name)
        entries = _raised(gram, diagonal, name, remedy)
        largest = float(entries.max(initial=0.0)) or 1.0
        jitter, eps = 0.0, float(np.finfo(gram.dtype).eps)
        for jitter in (0.0, *(eps**power * largest for power in _JITTERS)):
            factor = _factor(gram, entries + entries.dtype.type(jitter), name)
            if factor is not None:
                break
        else:
            raise NumericalError(
                f"{name} is not positive semi-definite: even with {jitter:.2g} added to its "
                f"diagonal, {jitter / largest:.1g} of the largest entry, it has no Cholesky "
                f"factor; {remedy}"
            )
        if jitter:
            warn(
                f"{name} is singular to working precision: {jitter:.2g} was added to its diagonal, "
                f"{jitter / largest:.1g} of the largest entry; {remedy}"
            )
        seconds = time.perf_counter() - begun
        return PreparedCholesky(ridge=diagonal, jitter=jitter, seconds=seconds, factor=factor)


def prepare_regular(
    theta: FloatArray, ridge: float, *, name: str = "theta"
) -> PreparedCholesky | None:
    """Factorise Θ + r without jitter; None if it is, or may be, singular to working precision.

    The smallest eigenvalue is compared with the tolerance of `Spectrum`, for which the trace stands
    in for the largest eigenvalue. Costs n³/3 and 40·n².
    """
    begun = time.perf_counter()
    gram, diagonal = as_system(theta, ridge, name)
    raised = _raised(gram, diagonal, name, REMEDY)
    factor = _factor(gram, raised, name)
    if factor is None:
        return None
    trace = float(raised.sum(dtype=np.float64))
    if (
        len(gram)
        and _smallest(factor) <= _MARGIN * relative_rounding(len(gram), gram.dtype) * trace
    ):
        return None
    seconds = time.perf_counter() - begun
    return PreparedCholesky(ridge=diagonal, jitter=0.0, seconds=seconds, factor=factor)


def _raised(gram: FloatArray, diagonal: FloatArray, name: str, remedy: str) -> FloatArray:
    """Return the diagonal of Θ + r, if memory is free for a factor."""
    check(gram.nbytes, f"the Cholesky factor of {name}")
    with np.errstate(over="ignore"):
        entries: FloatArray = (gram.diagonal() + diagonal).astype(gram.dtype, copy=False)
    if not np.isfinite(entries).all():
        check_finite(gram.diagonal(), f"the diagonal of {name}")
        raise ValueError(f"the diagonal of {name} exceeds the range of {gram.dtype}; {remedy}")
    return entries


def _factor(gram: FloatArray, raised: FloatArray, name: str) -> Cholesky | None:
    """Factorise Θ with another diagonal; None if a pivot is no larger than its rounding error."""
    try:
        factor = Cholesky._of(factorise(gram, raised))
    except NumericalError:
        return None
    except ValueError:
        check_symmetric(gram, name)  # the same error, with the caller's name of the matrix
        raise
    # Compare square roots, because the square of a pivot may not be representable.
    pivots = factor.factor.diagonal()
    regular = (pivots > np.sqrt(relative_rounding(len(gram), gram.dtype)) * np.sqrt(raised)).all()
    return factor if regular else None


def _smallest(factor: Cholesky) -> float:
    """Estimate the smallest eigenvalue by inverse iteration; never too small but for rounding."""
    vector: FloatArray = np.random.default_rng(0).standard_normal(factor.n)
    for _ in range(_ITERATIONS):
        vector /= np.linalg.norm(vector)
        vector = factor.solve(vector)
    return 1 / float(np.linalg.norm(vector))


def condition_of_pivots(pivots: FloatArray) -> float:
    """(max L_ii/min L_ii)², a lower bound of the condition number."""
    if pivots.size == 0:
        return float("nan")
    ratio = float(pivots.max()) / float(pivots.min())
    return ratio * ratio
