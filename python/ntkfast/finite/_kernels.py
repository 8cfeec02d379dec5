"""Kernels of finite networks, block by block of rows, without Jacobians.

The gradient of an output by the weights of a dense layer is an outer product of the layer's input h
and the gradient g by its values, so that two samples' gradients have the inner product
(h·h')(g·g'). The NTK is a sum of products of two Gram matrices, one a layer.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import wraps
from typing import ParamSpec, TypeVar

import numpy as np

from ntkfast._ntkfast import NumericalError
from ntkfast.finite._layers import Affine, Batch, Layer, Pulled
from ntkfast.networks.activations import Array

__all__ = [
    "checked",
    "gradients",
    "gram",
    "ntk_block",
    "ntk_diagonal",
    "ntk_full_block",
    "ntk_full_diagonal",
    "quiet",
    "row_blocks",
    "rows_at_a_time",
]

# Numbers that the values and gradients of a block of rows may take: 128 MB of them.
_BUDGET = 2**24

_Prepared = TypeVar("_Prepared")
_Arguments = ParamSpec("_Arguments")
_Result = TypeVar("_Result")


def rows_at_a_time(layers: Sequence[Affine], outputs: int) -> int:
    """Return how many rows to run at a time, with gradients of a number of outputs."""
    a_row = sum(layer.n_in + (2 + outputs) * layer.n_out for layer in layers)
    return max(_BUDGET // max(a_row, 1), 16)


def row_blocks(n: int, rows: int) -> list[slice]:
    """Return slices that cover n rows."""
    return [slice(start, min(start + rows, n)) for start in range(0, n, rows)]


def gram(
    prepare: Callable[[Array], _Prepared],
    combine: Callable[[_Prepared, _Prepared], Array],
    x: Array,
    x2: Array | None,
    rows: int,
    out: Array,
) -> Array:
    """Fill a matrix between points block by block; without x2 half of it is the other's mirror.

    `prepare` makes of a block of points that by which `combine` computes a block of the matrix.
    """
    blocks, points = row_blocks(len(x), rows), x if x2 is None else x2
    mirror = (1, 0, 3, 2)[: out.ndim]  # of outputs, too, where there are axes of them
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


def gradients(layer: Layer, batch: Batch, by: Array | None = None) -> list[Pulled]:
    """Return what the gradients of all outputs are made of, or of the sums of outputs times `by`.

    `by` is (n, sums, outputs).
    """
    step, found = layer.run(batch), list[Pulled]()
    if by is None:
        by = np.broadcast_to(np.eye(layer.n_out), (len(step.h), layer.n_out, layer.n_out))
    step.pull(by, found.append)
    return found


def ntk_block(left: list[Pulled], right: list[Pulled]) -> Array:
    """Return the NTK between two blocks, its mean over outputs: (n, m)."""
    same = left is right
    total = None
    for a, b in zip(left, right, strict=True):
        outputs, block = a.g.shape[1], _inputs(a, b, same)
        g = _rows(a.g)
        block *= g @ (g if same else _rows(b.g)).T
        block /= outputs
        total = block if total is None else np.add(total, block, out=total)
    return np.zeros(()) if total is None else total


def ntk_full_block(left: list[Pulled], right: list[Pulled]) -> Array:
    """Return the NTK between all outputs of two blocks: (n, m, outputs, outputs)."""
    same = left is right
    total = None
    for a, b in zip(left, right, strict=True):
        (n, outputs, width), m = a.g.shape, len(b.g)
        g = a.g.reshape(-1, width)
        pairs = (g @ (g if same else b.g.reshape(-1, width)).T).reshape(n, outputs, m, outputs)
        pairs *= _inputs(a, b, same)[:, None, :, None]
        total = pairs if total is None else np.add(total, pairs, out=total)
    return np.zeros(()) if total is None else total.transpose(0, 2, 1, 3)


def ntk_diagonal(block: list[Pulled]) -> Array:
    """Return the NTK of each row with itself, its mean over outputs: (n,)."""
    parts = [_norms(p) * np.mean(np.einsum("nco,nco->nc", p.g, p.g), axis=1) for p in block]
    return np.sum(parts, axis=0) if parts else np.zeros(())


def ntk_full_diagonal(block: list[Pulled]) -> Array:
    """Return the NTK between all outputs of each row: (n, outputs, outputs)."""
    parts = [_norms(p)[:, None, None] * (p.g @ p.g.transpose(0, 2, 1)) for p in block]
    return np.sum(parts, axis=0) if parts else np.zeros(())


def quiet(function: Callable[_Arguments, _Result]) -> Callable[_Arguments, _Result]:
    """Silence NumPy about overflow: results are checked."""

    @wraps(function)
    def silent(*args: _Arguments.args, **kwargs: _Arguments.kwargs) -> _Result:
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            return function(*args, **kwargs)

    return silent


def checked(result: Array, what: str) -> Array:
    """Return a result whose numbers are all finite; NumericalError otherwise."""
    if result.size and not (np.isfinite(result.min()) and np.isfinite(result.max())):
        raise NumericalError(
            f"{what} of the finite network leaves the range of a float; "
            "scale the points or the weights (w_std) down"
        )
    return result


def _rows(g: Array) -> Array:
    return g.reshape(len(g), -1)


def _inputs(a: Pulled, b: Pulled, same: bool) -> Array:
    """Return the inner products of what multiplies g in the gradients: inputs, and 1 for a bias."""
    block: Array = a.h @ (a.h if same else b.h).T
    block *= a.layer.weight_scale**2
    if a.layer.biased:
        block += a.layer.bias_scale**2
    return block


def _norms(p: Pulled) -> Array:
    bias = p.layer.bias_scale**2 if p.layer.biased else 0.0
    result: Array = p.layer.weight_scale**2 * np.einsum("ni,ni->n", p.h, p.h) + bias
    return result
