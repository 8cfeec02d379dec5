"""Checks of the arguments of finite networks, and their messages."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from ntkfast._arrays import as_floats, as_points, check_finite, is_same
from ntkfast._scalars import as_size
from ntkfast.networks import Network
from ntkfast.networks.activations import Array
from ntkfast.networks.composition import Composition, as_first

__all__ = [
    "as_direction",
    "as_features",
    "as_inputs",
    "as_residual",
    "as_rows",
    "as_second",
]


def as_rows(network: object) -> Network:
    """Return the first argument `network`, after checking that it takes rows."""
    checked = as_first(network)
    for place, layer in _spatial_layers(checked, ""):
        raise TypeError(
            f"{place} is {layer!r}, a layer for images or sequences, which finite networks "
            "do not support; use a network on rows, such as nk.mlp(3)"
        )
    return checked


def _spatial_layers(network: Network, place: str) -> Iterator[tuple[str, Network]]:
    """Yield the places of layers that need positions. Flatten and global pooling take rows too."""
    if isinstance(network, Composition):
        for i, layer in enumerate(network.layers, start=1):
            name = f"layer {i} ({type(layer).__name__})"
            yield from _spatial_layers(layer, f"{name} of {place}" if place else name)
    elif network._rank is not None:
        yield place or type(network).__name__, network


def as_inputs(x: npt.ArrayLike, name: str, n_features: int) -> Array:
    """Return points as float64, after checking their number of features."""
    points = as_points(x, name)
    if points.shape[1] != n_features:
        raise ValueError(
            f"{name} has {points.shape[1]} features; expected {n_features}, "
            "the number for which the network was made"
        )
    check_finite(points, name)
    return points.astype(np.float64, copy=False)


def as_second(x: npt.ArrayLike, x2: npt.ArrayLike | None, n_features: int) -> Array | None:
    """Return the second points of a kernel, after the same checks; None if they are the first."""
    return None if x2 is None or is_same(x, x2) else as_inputs(x2, "x2", n_features)


def as_direction(value: npt.ArrayLike, name: str, n_parameters: int) -> Array:
    """Return a copy of a vector in parameter space, read-only."""
    array = as_floats(value, name)
    if array.shape != (n_parameters,):
        raise ValueError(
            f"{name} has shape {array.shape}; expected ({n_parameters},), "
            "one number per trainable parameter"
        )
    check_finite(array, name)
    result = array.astype(np.float64)
    result.flags.writeable = False
    return result


def as_residual(residual: npt.ArrayLike, shape: tuple[int, ...]) -> Array:
    """Return one number per output and point."""
    array = as_floats(residual, "residual")
    if array.shape != shape:
        raise ValueError(f"residual has shape {array.shape}; expected {shape}, that of the outputs")
    check_finite(array, "residual")
    return array.astype(np.float64, copy=False)


def as_features(input_shape: int | Sequence[int]) -> int:
    """Return the number of features."""
    if isinstance(input_shape, (tuple, list)):
        if len(input_shape) != 1:
            raise ValueError(
                f"input_shape is {input_shape!r}; expected the number of features, or a tuple that "
                "contains it, because finite networks take vectors"
            )
        return as_size(input_shape[0], "input_shape[0]", least=1)
    return as_size(input_shape, "input_shape", least=1)
