"""Computations in blocks of rows, to limit memory, and checks for overflow."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import wraps
from typing import ParamSpec, TypeVar

import numpy as np

from ntkfast._memory import empty
from ntkfast._ntkfast import NumericalError
from ntkfast.finite._layers import Affine
from ntkfast.networks.activations import Array

__all__ = ["by_rows", "checked", "gram", "quiet", "row_blocks", "rows_at_a_time"]

# Maximum number of values and gradients in a block of rows: 128 MB.
_BUDGET = 2**24

_Prepared = TypeVar("_Prepared")
_Arguments = ParamSpec("_Arguments")
_Result = TypeVar("_Result")


def rows_at_a_time(layers: Sequence[Affine], outputs: int) -> int:
    """Return the number of rows per block, for gradients of a given number of outputs."""
    a_row = sum(layer.n_in + (2 + outputs) * layer.n_out for layer in layers)
    return max(_BUDGET // max(a_row, 1), 16)


def row_blocks(n: int, rows: int) -> list[slice]:
    """Return slices that cover n rows."""
    return [slice(start, min(start + rows, n)) for start in range(0, n, rows)]


def by_rows(
    function: Callable[[Array], Array], x: Array, rows: int, shape: tuple[int, ...]
) -> Array:
    """Return the results of a function of points with a given shape per point, block by block."""
    out = empty((len(x), *shape), np.float64, "the result", "use fewer points at a time")
    for block in row_blocks(len(x), rows):
        out[block] = function(x[block])
    return out


def gram(
    prepare: Callable[[Array], _Prepared],
    combine: Callable[[_Prepared, _Prepared], Array],
    x: Array,
    x2: Array | None,
    rows: int,
    shape: tuple[int, ...] = (),
) -> Array:
    """Return a matrix between points, with a given shape per pair, block by block.

    `prepare` computes intermediate values of some points, from which `combine` computes a block of
    the matrix. Without x2, one half mirrors the other, including any axes of outputs.
    """
    blocks, points = row_blocks(len(x), rows), x if x2 is None else x2
    shape = (len(x), len(points), *shape)
    out = empty(shape, np.float64, "the kernel", "use fewer points, or blocks with x2")
    mirror = (1, 0, 3, 2)[: out.ndim]
    for columns in row_blocks(len(points), rows):
        right = prepare(points[columns])
        for block in blocks:
            if x2 is None and block == columns:
                out[block, block] = combine(right, right)
            elif x2 is not None or block.start > columns.start:
                out[block, columns] = combine(prepare(x[block]), right)
                if x2 is None:
                    out[columns, block] = out[block, columns].transpose(mirror)
    return out


def quiet(function: Callable[_Arguments, _Result]) -> Callable[_Arguments, _Result]:
    """Silence NumPy's overflow warnings, because the results are checked."""

    @wraps(function)
    def silent(*args: _Arguments.args, **kwargs: _Arguments.kwargs) -> _Result:
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            return function(*args, **kwargs)

    return silent


def checked(result: Array, what: str) -> Array:
    """Return a result with only finite numbers; NumericalError otherwise."""
    if result.size and not (np.isfinite(result.min()) and np.isfinite(result.max())):
        raise NumericalError(
            f"{what} of the finite network exceeds the range of a float; "
            "scale the points or the weights (w_std) down"
        )
    return result
