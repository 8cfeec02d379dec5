"""The NTK of a finite network without its Jacobian.

The gradient of an output with respect to the weights of a dense layer is an outer product of the
layer input h and the gradient g with respect to the layer output. The gradients of two samples
therefore have the inner product (h·h')(g·g'). The NTK is a sum over layers of products of two Gram
matrices.
"""

from __future__ import annotations

import numpy as np

from ntkfast.finite._layers import Batch, Layer, Pulled
from ntkfast.networks.activations import Array

__all__ = ["gradients", "ntk_block", "ntk_diagonal", "ntk_full_block", "ntk_full_diagonal"]


def gradients(layer: Layer, batch: Batch, by: Array | None = None) -> list[Pulled]:
    """Return the factors of the gradients of all outputs, or of the sums of outputs times `by`.

    `by` has shape (n, sums, outputs).
    """
    step, found = layer.run(batch), list[Pulled]()
    if by is None:
        by = np.broadcast_to(np.eye(layer.n_out), (len(step.h), layer.n_out, layer.n_out))
    step.pull(by, found.append)
    return found


def ntk_block(left: list[Pulled], right: list[Pulled]) -> Array:
    """Return the NTK between two blocks, averaged over outputs: (n, m)."""
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
    """Return the NTK of each row with itself, averaged over outputs: (n,)."""
    parts = [_norms(p) * np.mean(np.einsum("nco,nco->nc", p.g, p.g), axis=1) for p in block]
    return np.sum(parts, axis=0) if parts else np.zeros(())


def ntk_full_diagonal(block: list[Pulled]) -> Array:
    """Return the NTK between all outputs of each row: (n, outputs, outputs)."""
    parts = [_norms(p)[:, None, None] * (p.g @ p.g.transpose(0, 2, 1)) for p in block]
    return np.sum(parts, axis=0) if parts else np.zeros(())


def _rows(g: Array) -> Array:
    return g.reshape(len(g), -1)


def _inputs(a: Pulled, b: Pulled, same: bool) -> Array:
    """Return the inner products of the factors of g in the gradients: inputs, and 1 for a bias."""
    block: Array = a.h @ (a.h if same else b.h).T
    block *= a.layer.weight_scale**2
    if a.layer.biased:
        block += a.layer.bias_scale**2
    return block


def _norms(p: Pulled) -> Array:
    bias = p.layer.bias_scale**2 if p.layer.biased else 0.0
    result: Array = p.layer.weight_scale**2 * np.einsum("ni,ni->n", p.h, p.h) + bias
    return result
