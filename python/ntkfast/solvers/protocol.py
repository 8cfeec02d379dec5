"""The interface of solvers and of the systems that they prepare."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ntkfast._arrays import FloatArray
from ntkfast._display import Displayed, Fact
from ntkfast._gram import as_diagonal, number_or_shape
from ntkfast._ntkfast import NumericalError
from ntkfast.linalg import Cholesky, as_square

__all__ = ["REMEDY", "Prepared", "Solver", "as_system", "vanishes"]

REMEDY = "increase the regularisation"


@dataclass(frozen=True, eq=False, repr=False)
class Prepared(Displayed, ABC):
    """The system (Θ + r)·x = b, prepared for any b by a `Solver`.

    Attributes
    ----------
    ridge
        The regularisation r ≥ 0 as given: one number, or one per point, shape (n,).
    jitter
        Number that the solver added to the diagonal in addition: 0 unless Θ + r is singular to
        working precision.
    seconds
        Wall-clock time of the preparation.
    """

    ridge: FloatArray
    jitter: float
    seconds: float

    @property
    @abstractmethod
    def n(self) -> int:
        """The size of the system."""

    @property
    @abstractmethod
    def dtype(self) -> np.dtype[np.floating]:
        """The data type of the solution."""

    @abstractmethod
    def solve(self, b: npt.ArrayLike) -> FloatArray:
        """Solve (Θ + r)·x = b for b of shape (n,) or (n, c)."""

    @property
    @abstractmethod
    def log_determinant(self) -> float:
        """Natural logarithm of det(Θ + r)."""

    @property
    def log_determinant_error(self) -> float:
        """The standard error of `log_determinant` if that is an estimate; 0 for a factor."""
        return 0.0

    @property
    @abstractmethod
    def trace(self) -> float:
        """The trace of Θ + r."""

    @property
    @abstractmethod
    def inverse_diagonal(self) -> FloatArray:
        """Shape (n,): the diagonal of (Θ + r)⁻¹."""

    @property
    def inverse_diagonal_error(self) -> float:
        """The typical relative error of `inverse_diagonal`; 0 for a factor in its own precision."""
        return 0.0

    @property
    @abstractmethod
    def condition_estimate(self) -> float:
        """A lower estimate of the condition number of Θ + r; NaN for an empty matrix."""

    def reaches(self, b: FloatArray) -> bool:
        """Whether (Θ + r)·x = b has a solution, to rounding, for every column of b."""
        return True

    @property
    @abstractmethod
    def cholesky(self) -> Cholesky:
        """The Cholesky factor of Θ + r; ValueError if the solver computes none."""

    @property
    def diagonal(self) -> FloatArray:
        """Shape (n,): numbers added to the diagonal of Θ, ``ridge`` plus ``jitter``."""
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
    """A method to solve (Θ + r)·x = b for a symmetric positive semi-definite Θ."""

    @abstractmethod
    def prepare(
        self,
        theta: Any,
        ridge: npt.ArrayLike = 0.0,
        *,
        name: str = "theta",
        remedy: str = REMEDY,
    ) -> Prepared:
        """Prepare a system for any right-hand side.

        Parameters
        ----------
        theta
            Shape (n, n): Θ, an array, or what else the solver takes. Symmetry and finite entries
            are checked. A float64 or float32 array may be kept without a copy; do not change it
            afterwards.
        ridge
            r ≥ 0: one number, or one per point, shape (n,).
        name
            The name of the matrix in messages.
        remedy
            The advice in messages about a singular matrix.

        Raises
        ------
        TypeError
            An argument does not consist of real numbers.
        ValueError
            Θ is not square, symmetric and finite, or r has another length or is negative.
        NumericalError
            Θ + r is not positive semi-definite.
        """

    def solve(
        self,
        theta: Any,
        ridge: npt.ArrayLike,
        b: npt.ArrayLike,
        *,
        name: str = "theta",
        remedy: str = REMEDY,
    ) -> tuple[Prepared, FloatArray]:
        """Prepare a system and solve it for b; some solvers do both in one step.

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
            Shape (n, c): x. The errors are those of `prepare`, and NumericalError if x overflows.
        """
        prepared = self.prepare(theta, ridge, name=name, remedy=remedy)
        solution = prepared.solve(b)
        if not np.isfinite(solution).all():
            raise NumericalError(
                f"the coefficients exceed the range of {solution.dtype}, because {name} is so "
                f"small; multiply {name} and its diagonal terms by one constant, or {remedy}"
            )
        return prepared, solution

    def __getstate__(self) -> dict[str, Any]:
        """Leave out `progress`, which is of no use elsewhere and may be a function of any kind."""
        return {name: value for name, value in vars(self).items() if name != "progress"}


def as_system(
    theta: npt.ArrayLike, ridge: npt.ArrayLike, name: str
) -> tuple[FloatArray, FloatArray]:
    """Return Θ as a square matrix of floats and r as an array; the core checks the entries of Θ."""
    matrix = as_square(theta, name)
    return matrix, as_diagonal(ridge, len(matrix), "ridge")


def vanishes(rest: FloatArray, whole: FloatArray) -> bool:
    """Whether each column of `rest` is rounding beside that of `whole`."""
    least = np.sqrt(np.finfo(whole.dtype).eps)
    return bool((np.linalg.norm(rest, axis=0) <= least * np.linalg.norm(whole, axis=0)).all())
