"""Arrays as operators: precomputed kernels, in memory or in files."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from ntkfast._arrays import FloatArray, as_kernel
from ntkfast._memory import zeros
from ntkfast._ntkfast import multiply_blocks
from ntkfast.operators._columns import columns_of
from ntkfast.operators.operator import Indices, Operator

__all__ = ["MatrixOperator", "as_operator"]

# Rows and columns of a block, which one thread multiplies: 4 MB in float32. Blocks per call of the
# core, which a file is read for before that.
_ROWS, _COLUMNS, _TOGETHER = 256, 4096, 32


class MatrixOperator(Operator):
    """An array as an operator; created by `as_operator`."""

    def __init__(self, matrix: FloatArray) -> None:
        self._matrix = matrix

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        rows, columns = self._matrix.shape
        return rows, columns

    @property
    def dtype(self) -> np.dtype[np.floating]:
        """The type of the entries."""
        return self._matrix.dtype

    @property
    def symmetric(self) -> bool:
        """False: both triangles of an array are used."""
        return False

    def _multiply(self, vectors: npt.NDArray[np.float64], *, transposed: bool) -> FloatArray:
        matrix = self._matrix
        if matrix.strides[0] == matrix.itemsize < matrix.strides[1]:
            matrix, transposed = matrix.T, not transposed  # whose rows are contiguous
        parts = columns_of(vectors)
        rows = matrix.shape[1 if transposed else 0]
        sums = [zeros((rows, part.shape[1]), np.float64, "the product") for part in parts]
        form = "transposed" if transposed else "given"
        places = list(_places(*matrix.shape))
        for start in range(0, len(places), _TOGETHER):
            some = places[start : start + _TOGETHER]
            blocks = [_with_rows(matrix[place]) for place in some]
            starts = [(top.start, left.start) for top, left in some]
            for part, out in zip(parts, sums, strict=True):
                multiply_blocks(blocks, starts, form, part, out, None)
        return sums[0] if len(sums) == 1 else np.concatenate(sums, axis=1)

    def _entries(self, rows: Indices, columns: Indices | None) -> FloatArray:
        return self._matrix[rows] if columns is None else self._matrix[np.ix_(rows, columns)]

    def _diagonal(self) -> FloatArray:
        return np.array(self._matrix.diagonal())


def _places(n: int, m: int) -> Iterator[tuple[slice, slice]]:
    """Yield rows and columns of all blocks, row by row."""
    for top in range(0, n, _ROWS):
        for left in range(0, m, _COLUMNS):
            yield slice(top, min(top + _ROWS, n)), slice(left, min(left + _COLUMNS, m))


def _with_rows(block: FloatArray) -> FloatArray:
    """Return a block with contiguous rows, without a copy if it has them."""
    own = block.strides[1] == block.itemsize and block.flags.aligned
    return block if own else np.ascontiguousarray(block)


def as_operator(matrix: npt.ArrayLike | Operator) -> Operator:
    """Return an array as an operator, or an operator as it is.

    Parameters
    ----------
    matrix
        Shape (n, m), float64 or float32; kept without a copy, also if it is memory-mapped. Do not
        change it afterwards.

    Returns
    -------
    Operator
        Products read the array once, and add in float64.

    Raises
    ------
    TypeError, ValueError
        ``matrix`` does not consist of real numbers, or has another number of axes.

    Examples
    --------
    >>> as_operator([[2.0, 1.0], [1.0, 2.0]]) @ [1.0, 1.0]
    array([3., 3.])
    """
    if isinstance(matrix, Operator):
        return matrix
    array = as_kernel(matrix, "matrix", "net.ntk(x)")
    if array.ndim != 2:
        raise ValueError(f"matrix has shape {array.shape}; expected (n, m)")
    return MatrixOperator(array)
