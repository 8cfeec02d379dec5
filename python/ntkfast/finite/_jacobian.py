"""Derivatives with respect to all parameters, from the backward pass at dense layers."""

from __future__ import annotations

import numpy as np

from ntkfast._memory import check, zeros
from ntkfast.finite._layers import Pulled
from ntkfast.networks.activations import Array

__all__ = ["add_gradient", "allocate_jacobian", "write_jacobian"]

_REMEDY = "use ntk, gradient or derivative, which never form it"


def allocate_jacobian(n: int, outputs: int, parameters: int) -> Array:
    """Return zeros of shape (n, outputs, parameters), or a MemoryError that gives the size."""
    what = f"the Jacobian of {n} points, {outputs} outputs and {parameters} parameters"
    check(8 * n * outputs * parameters, what, _REMEDY)
    return zeros((n, outputs, parameters), np.float64, "the Jacobian", _REMEDY)


def write_jacobian(pulled: list[Pulled], out: Array) -> None:
    """Write the gradients of all outputs at a block of rows, (rows, outputs, parameters)."""
    for layer, h, g in pulled:
        shape = (*g.shape[:2], layer.n_in, layer.n_out)
        weights = out[:, :, layer.weights].reshape(shape)  # a view
        np.multiply(h[:, None, :, None], g[:, :, None, :], out=weights)
        weights *= layer.weight_scale
        if layer.biased:
            out[:, :, layer.biases] = layer.bias_scale * g


def add_gradient(pulled: list[Pulled], out: Array) -> None:
    """Add the gradients of one sum of outputs, summed over a block of rows, (parameters,)."""
    for layer, h, g in pulled:
        out[layer.weights] += layer.weight_scale * (h.T @ g[:, 0]).reshape(-1)
        if layer.biased:
            out[layer.biases] += layer.bias_scale * g[:, 0].sum(axis=0)
