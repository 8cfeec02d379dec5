"""Factorisations and products of the core, with the interface of NumPy."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ntkfast._arrays import FloatArray, as_floats, as_kernel, check_finite
from ntkfast._display import Displayed, Fact
from ntkfast._memory import check
from ntkfast._ntkfast import cholesky as core_cholesky
from ntkfast._ntkfast import cholesky_solve
from ntkfast._ntkfast import matmul as core_matmul
from ntkfast._progress import Progress, one_step

__all__ = ["Cholesky", "as_square", "cholesky", "matmul"]


@dataclass(frozen=True, eq=False, repr=False)
class Cholesky(Displayed):
    """A = L·Lᵀ, usually created by `cholesky`.

    Attributes
    ----------
    factor
        Shape (n, n): the lower triangle L with a positive diagonal and zeros above it. A float64 or
        float32 array is kept without a copy; do not change it afterwards.
    """

    factor: FloatArray

    def __post_init__(self) -> None:
        factor = as_square(self.factor, "factor")
        check_finite(factor, "factor")
        # Contiguous in memory: the core stores factors column by column.
        if factor.flags.c_contiguous:
            above = any(row[i + 1 :].any() for i, row in enumerate(factor))
        else:
            above = any(column[:i].any() for i, column in enumerate(factor.T))
        if above:
            raise ValueError("factor has entries above its diagonal; expected a lower triangle")
        if not (factor.diagonal() > 0).all():
            i = int(np.argmin(factor.diagonal() > 0))
            raise ValueError(
                f"factor has {factor[i, i]} at index {i}, {i}; expected a positive diagonal"
            )
        object.__setattr__(self, "factor", factor)

    @classmethod
    def _of(cls, factor: FloatArray) -> Cholesky:
        """Return a factor from the core, which needs no further checks."""
        cholesky = cls.__new__(cls)
        object.__setattr__(cholesky, "factor", factor)
        return cholesky

    @property
    def n(self) -> int:
        """The order of the matrix."""
        return len(self.factor)

    @property
    def log_determinant(self) -> float:
        """Natural logarithm of the determinant of A."""
        return float(2.0 * np.log(self.factor.diagonal().astype(np.float64)).sum())

    def solve(self, b: npt.ArrayLike) -> FloatArray:
        """Solve A·x = b.

        Parameters
        ----------
        b
            Shape (n,) or (n, c).

        Returns
        -------
        ndarray
            Shape of ``b``, in the wider of the two types. Costs 2·n²·c.

        Raises
        ------
        TypeError
            ``b`` does not consist of real numbers.
        ValueError
            ``b`` has another length, or contains a NaN or an infinity.
        """
        return self._solve(b, "both")

    def solve_lower(self, b: npt.ArrayLike) -> FloatArray:
        """Solve L·x = b; as `solve`, for n²·c. L⁻¹ makes the covariance A the identity."""
        return self._solve(b, "lower")

    def solve_upper(self, b: npt.ArrayLike) -> FloatArray:
        """Solve Lᵀ·x = b; as `solve`, for n²·c. Lᵀ⁻¹ gives random numbers the covariance A⁻¹."""
        return self._solve(b, "upper")

    def _solve(self, b: npt.ArrayLike, factors: str) -> FloatArray:
        right = as_right_side(b, self.n)
        dtype = np.result_type(self.factor, right)
        check(right.size * dtype.itemsize, "the solution", "solve for some columns at a time")
        solution = cholesky_solve(
            self.factor.astype(dtype, copy=False),
            right.reshape(self.n, right.size // max(self.n, 1)).astype(dtype, copy=False),
            factors,
        )
        return solution.reshape(right.shape)

    def _facts(self) -> Iterator[Fact]:
        yield "n=", self.n
        yield "", self.factor.dtype
        yield "log_determinant=", f"{self.log_determinant:.6g}"


def as_right_side(b: npt.ArrayLike, n: int, name: str = "b") -> FloatArray:
    """Return the right-hand sides of a system of n equations: shape (n,) or (n, c), finite."""
    right = as_floats(b, name)
    if right.ndim not in (1, 2) or len(right) != n:
        raise ValueError(
            f"{name} has shape {right.shape}; expected ({n},) or ({n}, c), "
            "because the matrix has that many rows"
        )
    check_finite(right, name)
    return right


def cholesky(a: npt.ArrayLike, *, progress: Progress = None) -> Cholesky:
    """Factorise a symmetric positive definite matrix.

    Parameters
    ----------
    a
        Shape (n, n). float64 and float32 are kept; other real numbers become float64.
    progress
        True for a tqdm bar, or any ``callable(done, total)``. The factorisation is one step,
        reported before it and after it.

    Returns
    -------
    Cholesky
        The factor, with ``solve`` and ``log_determinant``. Costs n³/3.

    Raises
    ------
    TypeError
        ``a`` does not consist of real numbers.
    ValueError
        ``a`` is not square, not symmetric within rounding, or not finite.
    NumericalError
        ``a`` is not positive definite; the message names the pivot.
    MemoryError
        The factor would exceed the memory that is free.
    """
    matrix = as_square(a, "a")
    with one_step(progress, "Cholesky"):
        check(matrix.nbytes, "the Cholesky factor")
        return Cholesky._of(core_cholesky(matrix, matrix.diagonal()))


def matmul(a: FloatArray, b: FloatArray) -> FloatArray:
    """Multiply two matrices in the wider of their types, on the threads of the package.

    The bits of the result do not depend on the number of threads. Costs 2·m·k·n.
    """
    dtype = np.result_type(a, b)
    check(len(a) * b.shape[1] * dtype.itemsize, "the product of two matrices")
    return core_matmul(a.astype(dtype, copy=False), b.astype(dtype, copy=False))


def check_outputs(shape: tuple[int, ...], name: str) -> None:
    """Reject a kernel between all outputs of all points, and say how to make a matrix of it."""
    forms = {}
    if shape[0] == shape[1] and shape[2] == shape[3]:
        forms["n, n, c, c"] = f"{name}.transpose(0, 2, 1, 3)", shape[0], shape[2]
    if shape[:2] == shape[2:]:
        forms["n, c, n, c"] = name, shape[0], shape[1]
    uses = [
        f"use {kernel}.reshape({n * c}, {n * c}) for axes ({axes}), "
        f"with y.reshape({n * c}) for targets of shape ({n}, {c})"
        for axes, (kernel, n, c) in forms.items()
    ]
    if uses:
        raise ValueError(
            f"{name} has shape {shape}, a kernel between all outputs of all points; "
            f"expected a square matrix: {'; '.join(uses)}"
        )


def as_square(a: npt.ArrayLike, name: str) -> FloatArray:
    """Return ``a`` as a square matrix of floats; the core checks its entries."""
    matrix = as_kernel(a, name, "net.ntk(x)")
    if matrix.ndim == 4:
        check_outputs(matrix.shape, name)
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1]:
        raise ValueError(f"{name} has shape {matrix.shape}; expected a square matrix, (n, n)")
    return matrix
