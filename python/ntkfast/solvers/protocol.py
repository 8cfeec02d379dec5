"""What every solver does, and what can be asked of the system that it has prepared."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ntkfast._arrays import FloatArray
from ntkfast._display import Displayed, Fact
from ntkfast._gram import as_diagonal, number_or_shape
from ntkfast._ntkfast import NumericalError
from ntkfast.linalg import Cholesky, as_square

__all__ = ["REMEDY", "Prepared", "Solver", "as_system"]

REMEDY = "regularise more"


@dataclass(frozen=True, eq=False, repr=False)
class Prepared(Displayed, ABC):
    """The system (Θ + r)·x = b, made ready for any b by a `Solver`.

    Attributes
    ----------
    ridge
        The regularisation r ≥ 0 as it was given: one number, or one a point, shape (n,).
    jitter
        What the solver added to the diagonal beyond it: 0 unless Θ + r is singular to working
        precision.
    seconds
        Wall-clock time of the preparation.
    """

    ridge: FloatArray
    jitter: float
    seconds: float

    @property
    @abstractmethod
    def n(self) -> int:
        """The order of the system."""

    @property
    @abstractmethod
    def dtype(self) -> np.dtype[np.floating]:
        """The type that it is solved in."""

    @abstractmethod
    def solve(self, b: npt.ArrayLike) -> FloatArray:
        """Solve (Θ + r)·x = b for b of shape (n,) or (n, c)."""

    @property
    @abstractmethod
    def log_determinant(self) -> float:
        """Natural logarithm of det(Θ + r)."""

    @property
    @abstractmethod
    def trace(self) -> float:
        """The trace of Θ + r."""

    @property
    @abstractmethod
    def inverse_diagonal(self) -> FloatArray:
        """Shape (n,): the diagonal of (Θ + r)⁻¹."""

    @property
    @abstractmethod
    def condition_estimate(self) -> float:
        """An estimate of the condition number of Θ + r, not above it; NaN for an empty matrix."""

    @property
    @abstractmethod
    def cholesky(self) -> Cholesky:
        """The Cholesky factor of Θ + r; ValueError from a solver that has none."""

    @property
    def diagonal(self) -> FloatArray:
        """Shape (n,): what is added to the diagonal of Θ, ``ridge`` and ``jitter``."""
        added: FloatArray = np.broadcast_to(self.ridge + self.jitter, self.n)
        return added.astype(self.dtype)

    def _facts(self) -> Iterator[Fact]:
        yield "n=", self.n
        yield "ridge=", number_or_shape(self.ridge)
        yield "jitter=", f"{self.jitter:.2g}"
        yield "condition number", f">= {self.condition_estimate:.3g}"
        yield "", self.dtype


@dataclass(frozen=True)
class Solver(ABC):
    """A way to solve (Θ + r)·x = b for a symmetric positive semi-definite Θ."""

    @abstractmethod
    def prepare(
        self,
        theta: npt.ArrayLike,
        ridge: npt.ArrayLike = 0.0,
        *,
        name: str = "theta",
        remedy: str = REMEDY,
    ) -> Prepared:
        """Make a system ready for any right-hand side.

        Parameters
        ----------
        theta
            Shape (n, n): Θ, checked for symmetry and finite entries on the way. An array of float64
            or float32 may be kept as it is: leave it alone afterwards.
        ridge
            r ≥ 0: one number, or one a point, shape (n,).
        name
            What messages call the matrix.
        remedy
            What they tell the caller to do where it is singular.

        Raises
        ------
        TypeError
            Arguments that are not real numbers.
        ValueError
            Θ is not square, symmetric and finite; r has another length or is negative.
        NumericalError
            Θ + r is not positive semi-definite.
        """

    def solve(
        self,
        theta: npt.ArrayLike,
        ridge: npt.ArrayLike,
        b: npt.ArrayLike,
        *,
        name: str = "theta",
        remedy: str = REMEDY,
    ) -> tuple[Prepared, FloatArray]:
        """Prepare a system and solve it for b, which some methods do in one go.

        Parameters
        ----------
        theta, ridge, name, remedy
            As for `prepare`.
        b
            Shape (n, c).

        Returns
        -------
        Prepared
            The system, for other right-hand sides.
        ndarray
            Shape (n, c): x. Raises what `prepare` does, and NumericalError where x overflows.
        """
        prepared = self.prepare(theta, ridge, name=name, remedy=remedy)
        solution = prepared.solve(b)
        if not np.isfinite(solution).all():
            raise NumericalError(
                f"the coefficients leave the range of {solution.dtype}, as {name} is so small; "
                f"multiply {name} and what is added to its diagonal by one constant, or {remedy}"
            )
        return prepared, solution


def as_system(
    theta: npt.ArrayLike, ridge: npt.ArrayLike, name: str
) -> tuple[FloatArray, FloatArray]:
    """Return Θ as a square matrix of floats, whose entries the core looks at, and r as an array."""
    matrix = as_square(theta, name)
    return matrix, as_diagonal(ridge, len(matrix), "ridge")
