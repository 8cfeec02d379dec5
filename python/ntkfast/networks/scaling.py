"""Scaling of the random weights of a network."""

from __future__ import annotations

from dataclasses import fields, replace

from ntkfast.networks.base import Network
from ntkfast.networks.composition import Composition

__all__ = ["scaled"]


def scaled(network: Network, weights: float, biases: float) -> Network:
    """Multiply every w_std by `weights` and every b_std by `biases`, in all nested networks."""
    if isinstance(network, Composition):
        return type(network)(*(scaled(layer, weights, biases) for layer in network.layers))
    names = {field.name for field in fields(network)}
    factors = {"w_std": weights, "b_std": biases}
    changes = {
        name: getattr(network, name) * factor
        for name, factor in factors.items()
        if name in names and getattr(network, name) is not None
    }
    return replace(network, **changes) if changes else network
