"""Layers, and how they are composed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import ntkfast as nk
from ntkfast.neural_tangents import _spec
from ntkfast.neural_tangents._kernel_fn import KernelFn

__all__ = [
    "FanInConcat",
    "FanInProd",
    "FanInSum",
    "FanOut",
    "layer_of",
    "parallel",
    "repeat",
    "serial",
]

Layer: TypeAlias = tuple[Callable[..., Any], Callable[..., Any], KernelFn]


def layer_of(*nodes: _spec.Node) -> Layer:
    """Return the layer that is these nodes, one after the other."""
    from ntkfast.neural_tangents._finite import apply_fn, init_fn

    return init_fn(nodes), apply_fn(nodes), KernelFn(nodes)


def _nodes(layer: Any, place: str) -> tuple[_spec.Node, ...]:
    """Return a layer as data."""
    kernel_fn = layer[2] if isinstance(layer, tuple) and len(layer) == 3 else layer
    if isinstance(kernel_fn, KernelFn):
        return kernel_fn.layers
    raise NotImplementedError(
        f"{place} is {layer!r}, no layer of ntkfast.neural_tangents.stax; layers of one's own "
        "are not provided: use nk.Elementwise for activations"
    )


def serial(*layers: Layer) -> Layer:
    """Compose layers, one after the other."""
    nodes = [_nodes(layer, f"serial: argument {i}") for i, layer in enumerate(layers, 1)]
    return layer_of(*(node for each in nodes for node in each))


def parallel(*layers: Layer) -> Layer:
    """Compose layers for several inputs, one for each."""
    branches = (_nodes(layer, f"parallel: argument {i}") for i, layer in enumerate(layers, 1))
    return layer_of(_spec.Parallel(tuple(branches)))


def repeat(layer: Layer, n: int) -> Layer:
    """Compose n layers like this one, each with parameters of its own."""
    if n < 1:
        raise ValueError(f"repeat: n is {n}; expected an integer >= 1")
    return layer_of(*(_nodes(layer, "repeat: layer") * n))


def FanOut(num: int) -> Layer:
    """Make copies of the input."""
    return layer_of(_spec.FanOut(num))


def FanInSum() -> Layer:
    """Add several inputs."""
    return layer_of(_spec.FanIn("FanInSum", nk.Sum))


def FanInProd() -> Layer:
    """Multiply several inputs."""
    return layer_of(_spec.FanIn("FanInProd", nk.Product))


def FanInConcat(axis: int = -1) -> Layer:
    """Put several inputs side by side along the axis of channels."""
    if axis != -1:
        raise NotImplementedError(
            f"FanInConcat: axis is {axis}; only -1, that of channels, is provided"
        )
    return layer_of(_spec.FanIn("FanInConcat", nk.Concatenate))
