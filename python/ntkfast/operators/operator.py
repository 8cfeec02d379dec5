"""What all operators share: products with arrays, transposes, sums and multiples."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Iterator
from numbers import Number
from typing import Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from ntkfast._arrays import FloatArray, as_floats, check_finite
from ntkfast._display import Displayed, Fact
from ntkfast._gram import row_blocks
from ntkfast._memory import empty
from ntkfast._scalars import as_real

__all__ = ["Form", "Indices", "Operator"]

Form: TypeAlias = Literal["given", "transposed", "symmetric"]
Indices: TypeAlias = npt.NDArray[np.intp]

_REMEDY = "multiply the operator with vectors instead, or take some of its rows"


class Operator(Displayed, ABC):
    """A matrix of shape (n, m) that is known by its products, rows and diagonal.

    ``op @ v`` and ``v @ op`` take vectors and blocks of vectors, and return float64 arrays.
    ``op.T`` is the transpose. Operators of one shape can be added, and multiplied with numbers.
    ``scipy.sparse.linalg.aslinearoperator`` accepts an operator.
    """

    __array_ufunc__ = None  # so that NumPy leaves `array @ op` and `2.0 * op` to this class

    @property
    @abstractmethod
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""

    @property
    @abstractmethod
    def dtype(self) -> np.dtype[np.floating]:
        """The type of the entries. Products are float64."""

    @property
    @abstractmethod
    def symmetric(self) -> bool:
        """Whether the operator is its own transpose by construction."""

    @abstractmethod
    def _multiply(self, vectors: npt.NDArray[np.float64], *, transposed: bool) -> FloatArray:
        """Return the product of the matrix, or its transpose, with (m, c) or (n, c) vectors."""

    @abstractmethod
    def _entries(self, rows: Indices, columns: Indices | None) -> FloatArray:
        """Return some rows, or the entries at some rows and columns."""

    @abstractmethod
    def _diagonal(self) -> FloatArray:
        """Return the entries (i, i) of a square matrix."""

    @property
    def ndim(self) -> int:
        """2, the number of axes."""
        return 2

    @property
    def T(self) -> Operator:
        """The transpose."""
        return self if self.symmetric else Transposed(self)

    def __len__(self) -> int:
        return self.shape[0]

    def __matmul__(self, other: npt.ArrayLike) -> FloatArray:
        return self._times(other, transposed=False)

    def __rmatmul__(self, other: npt.ArrayLike) -> FloatArray:
        left = as_floats(other, "the left factor")
        return self._times(left.T, transposed=True).T

    def _times(self, other: npt.ArrayLike, *, transposed: bool) -> FloatArray:
        vectors = as_floats(other, "v")
        rows, columns = self.shape[::-1] if transposed else self.shape
        if vectors.ndim not in (1, 2) or len(vectors) != columns:
            raise ValueError(
                f"the operator has shape {self.shape} and the other factor {np.shape(other)}; "
                f"expected vectors of length {columns}: ({columns},) or ({columns}, c)"
            )
        check_finite(vectors, "v")
        blocks = np.ascontiguousarray(vectors.reshape(columns, -1 if columns else 1), np.float64)
        if blocks.shape[1] == 0 or columns == 0:
            return np.zeros((rows, *vectors.shape[1:]))
        return self._multiply(blocks, transposed=transposed).reshape(rows, *vectors.shape[1:])

    # The names by which SciPy knows products.

    def matvec(self, v: npt.ArrayLike) -> FloatArray:
        """Return the product with a vector of shape (m,) or (m, 1)."""
        return self @ v

    def matmat(self, v: npt.ArrayLike) -> FloatArray:
        """Return the product with vectors of shape (m, c)."""
        return self @ v

    def rmatvec(self, v: npt.ArrayLike) -> FloatArray:
        """Return the product of the transpose with a vector of shape (n,) or (n, 1)."""
        return self.T @ v

    def rmatmat(self, v: npt.ArrayLike) -> FloatArray:
        """Return the product of the transpose with vectors of shape (n, c)."""
        return self.T @ v

    def rows(self, indices: npt.ArrayLike) -> FloatArray:
        """Compute some rows.

        Parameters
        ----------
        indices
            Shape (k,): integers from −n to n − 1.

        Returns
        -------
        ndarray
            Shape (k, m), in the type of the operator; to rounding the entries that products use.
        """
        return self._entries(_as_indices(indices, self.shape[0]), None)

    def diagonal(self) -> FloatArray:
        """Compute the diagonal of a square operator, shape (n,)."""
        if self.shape[0] != self.shape[1]:
            raise ValueError(
                f"the operator has shape {self.shape}; only square ones have a diagonal"
            )
        return self._diagonal()

    def trace(self) -> float:
        """Compute the sum of the diagonal, or a bound where that is as good for its purpose."""
        return float(self.diagonal().astype(np.float64).sum())

    def to_array(self, *, out: FloatArray | None = None) -> FloatArray:
        """Compute the whole matrix.

        Parameters
        ----------
        out
            Shape (n, m), float32 or float64, row after row: an array for the entries.

        Returns
        -------
        ndarray
            `out`, or a new array in the type of the operator; MemoryError if it would not fit.
        """
        if out is None:
            what = f"the matrix of shape {self.shape} in {self.dtype}"
            out = empty(self.shape, self.dtype, what, _REMEDY)
        self._write(out)
        return out

    def _write(self, out: FloatArray) -> None:
        """Write all entries to an array of the same shape, in its type."""
        for rows in row_blocks(*self.shape):
            out[rows] = self._entries(np.arange(*rows.indices(len(self))), None)

    def release(self) -> None:
        """Give back memory that products fill and can fill again; most operators have none."""

    def fingerprint(self) -> str:
        """Return a digest of the shape, the type, the diagonal and some rows."""
        digest = hashlib.sha256(repr((self.shape, self.dtype.str)).encode())
        for part in (self.diagonal(), self.rows(np.arange(min(len(self), 4)))):
            digest.update(np.ascontiguousarray(part).tobytes())
        return digest.hexdigest()

    def __array__(
        self, dtype: npt.DTypeLike | None = None, copy: bool | None = None
    ) -> npt.NDArray[Any]:
        if copy is False:
            raise ValueError("an operator has no array to share; use copy=True, or to_array()")
        return self.to_array().astype(dtype or self.dtype, copy=False)

    def __add__(self, other: Operator) -> Operator:
        if not isinstance(other, Operator):
            if isinstance(other, np.ndarray):
                raise TypeError(
                    "an operator and an array cannot be added; use as_operator(array), or "
                    "to_array()"
                )
            if isinstance(other, Number):
                raise TypeError(
                    "an operator and a number cannot be added; a regularisation of its diagonal is "
                    "the diag_reg of what solves, or of a product: op @ v + diag_reg * v"
                )
            return NotImplemented
        if self.shape != other.shape:
            raise ValueError(f"operators of shapes {self.shape} and {other.shape} cannot be added")
        return Combination(((1.0, self), (1.0, other)))

    __radd__ = __add__  # without which NumPy would speak of concatenation

    def __mul__(self, factor: float) -> Operator:
        return Combination(((as_real(factor, "the factor of an operator"), self),))

    __rmul__ = __mul__

    def __neg__(self) -> Operator:
        return self * -1.0

    def __sub__(self, other: Operator) -> Operator:
        return self + -other

    def __truediv__(self, divisor: float) -> Operator:
        number = as_real(divisor, "the divisor of an operator")
        if number == 0:
            raise ZeroDivisionError("an operator cannot be divided by 0")
        return self * (1 / number)

    def _facts(self) -> Iterator[Fact]:
        yield "shape", self.shape
        yield "", self.dtype


class Transposed(Operator):
    """The transpose of an operator."""

    def __init__(self, of: Operator) -> None:
        self._of = of

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self._of.shape[::-1]

    @property
    def dtype(self) -> np.dtype[np.floating]:
        """The type of the entries."""
        return self._of.dtype

    @property
    def symmetric(self) -> bool:
        """False: a symmetric operator is its own transpose."""
        return False

    @property
    def T(self) -> Operator:
        """The operator itself."""
        return self._of

    def _multiply(self, vectors: npt.NDArray[np.float64], *, transposed: bool) -> FloatArray:
        return self._of._multiply(vectors, transposed=not transposed)

    def _entries(self, rows: Indices, columns: Indices | None) -> FloatArray:
        if columns is None:
            columns = np.arange(self.shape[1])
        return np.ascontiguousarray(self._of._entries(columns, rows).T)

    def _diagonal(self) -> FloatArray:
        return self._of._diagonal()

    def release(self) -> None:
        """Release what the operator keeps."""
        self._of.release()


class Combination(Operator):
    """A sum of multiples of operators of one shape."""

    def __init__(self, terms: tuple[tuple[float, Operator], ...]) -> None:
        flat: list[tuple[float, Operator]] = []
        for factor, term in terms:
            inner = term.terms if isinstance(term, Combination) else ((1.0, term),)
            flat.extend((factor * own, operator) for own, operator in inner)
        self.terms: tuple[tuple[float, Operator], ...] = tuple(flat)

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.terms[0][1].shape

    @property
    def dtype(self) -> np.dtype[np.floating]:
        """The widest type of the terms."""
        return np.result_type(*(term.dtype for _, term in self.terms))

    @property
    def symmetric(self) -> bool:
        """Whether all terms are symmetric."""
        return all(term.symmetric for _, term in self.terms)

    def _multiply(self, vectors: npt.NDArray[np.float64], *, transposed: bool) -> FloatArray:
        return sum_of((f, t._multiply(vectors, transposed=transposed)) for f, t in self.terms)

    def _entries(self, rows: Indices, columns: Indices | None) -> FloatArray:
        return sum_of((f, t._entries(rows, columns)) for f, t in self.terms).astype(self.dtype)

    def _diagonal(self) -> FloatArray:
        return sum_of((f, t._diagonal()) for f, t in self.terms).astype(self.dtype)

    def release(self) -> None:
        """Release what the terms keep."""
        for _, term in self.terms:
            term.release()


def sum_of(terms: Iterator[tuple[float, FloatArray]]) -> FloatArray:
    """Add multiples of arrays, one at a time."""
    total: FloatArray | None = None
    for factor, array in terms:
        total = factor * array if total is None else total + factor * array
    assert total is not None
    return total


def _as_indices(indices: npt.ArrayLike, n: int) -> Indices:
    given = np.asarray(indices)
    if given.ndim != 1 or (given.size and given.dtype.kind not in "iu"):
        raise TypeError(
            f"indices has shape {given.shape} and dtype {given.dtype}; expected integers, (k,)"
        )
    found = given.astype(np.intp)
    if found.size and not (-n <= found.min() and found.max() < n):
        raise IndexError(
            f"indices go from {found.min()} to {found.max()}; expected {-n} to {n - 1}"
        )
    return np.where(found < 0, found + n, found)
