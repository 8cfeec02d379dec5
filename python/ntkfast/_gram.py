"""Gram matrices, and the numbers added to their diagonals, as arguments."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Protocol

import numpy as np
import numpy.typing as npt

from ntkfast._arrays import FloatArray, as_floats, as_kernel, check_finite
from ntkfast.linalg import as_square

__all__ = [
    "as_diagonal",
    "as_gram",
    "check_symmetric",
    "number_or_shape",
    "row_blocks",
    "unit_columns",
    "with_relative",
]


class Diagonal(Protocol):
    """A matrix that tells its size and its diagonal."""

    def __len__(self) -> int: ...

    def diagonal(self) -> FloatArray:
        """Return the diagonal."""


# Maximum number of entries in a block of rows: 8 MB in float64.
_BLOCK = 1 << 20


def as_gram(value: npt.ArrayLike, name: str, call: str) -> FloatArray:
    """Return a finite symmetric matrix; `call` is the call to suggest in place of a network."""
    gram = as_square(as_kernel(value, name, call), name)
    check_symmetric(gram, name)
    return gram


def check_symmetric(gram: FloatArray, name: str) -> None:
    """Reject entries that are not finite or not symmetric within rounding, as the core does."""
    check_finite(gram, name)
    largest = max(gram.max(initial=0.0), -gram.min(initial=0.0))
    rounding = 1e3 * float(np.finfo(gram.dtype).eps) * float(largest)
    for rows in row_blocks(*gram.shape):
        gap = np.abs(gram[rows] - gram[:, rows].T)
        if gap.size and gap.max() > rounding:
            i, j = (int(k) for k in np.unravel_index(gap.argmax(), gap.shape))
            i += rows.start
            raise ValueError(
                f"{name} must be symmetric within rounding, but {name}[{i}, {j}] = {gram[i, j]:g} "
                f"and {name}[{j}, {i}] = {gram[j, i]:g}: pass a Gram matrix"
            )


def as_diagonal(value: npt.ArrayLike, n: int, name: str) -> FloatArray:
    """Return the addition to a diagonal, ≥ 0: one number, or one for each of n points."""
    diagonal = as_floats(value, name)
    if diagonal.shape not in ((), (n,)):
        raise ValueError(
            f"{name} has shape {diagonal.shape}; expected a number, or ({n},): one per point"
        )
    check_finite(diagonal, name)
    if (diagonal < 0).any():
        raise ValueError(f"{name} is {diagonal.min():g}; expected >= 0")
    return diagonal.copy()


def with_relative(
    absolute: FloatArray, relative: float, gram: FloatArray | Diagonal, name: str
) -> FloatArray:
    """Return absolute + relative·mean(diag), an addition to the diagonal of the matrix `name`."""
    if relative == 0 or not len(gram):
        return absolute
    own = gram.diagonal()
    check_finite(own, name)
    mean = math.fsum(own / own.dtype.type(len(own)))
    if mean < 0:
        raise ValueError(
            f"relative_diag_reg is {relative:g}, in units of the mean diagonal entry of {name}, "
            f"which is {mean:g}; expected a positive semi-definite matrix"
        )
    with np.errstate(over="ignore"):
        ridge = absolute.astype(np.float64) + relative * mean
    if not np.isfinite(ridge).all():
        raise ValueError(
            f"relative_diag_reg is {relative:g}, in units of the mean diagonal entry of {name}, "
            f"{mean:g}; expected a regularisation within the range of a float"
        )
    return np.asarray(ridge)


def number_or_shape(value: FloatArray) -> str:
    """Return a number, or the shape of an array, for a summary."""
    return f"{value:g}" if value.ndim == 0 else f"<array of shape {value.shape}>"


def unit_columns(n: int, rows: slice, dtype: np.dtype[np.floating]) -> FloatArray:
    """Return some columns of the identity matrix, shape (n, block), for a block of `row_blocks`."""
    rows = slice(*rows.indices(n))
    units = np.zeros((n, rows.stop - rows.start), dtype)
    units[rows] = np.eye(units.shape[1])
    return units


def row_blocks(rows: int, columns: int, least: int = 1) -> Iterator[slice]:
    """Split the rows of a matrix into blocks of bounded memory, with at least `least` rows each."""
    step = max(least, _BLOCK // max(columns, 1))
    return (slice(start, min(start + step, rows)) for start in range(0, max(rows, 1), step))
