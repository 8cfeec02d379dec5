"""The arguments that figures share: a network or an activation, data, and times."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

import ntkfast as nk
from ntkfast._arrays import as_floats, check_finite

__all__ = ["Data", "Extent", "chosen", "decay_times", "labelled", "on_a_line", "one_hidden_layer"]

Array: TypeAlias = NDArray[np.float64]
Data: TypeAlias = "tuple[ArrayLike, ArrayLike] | None"
Extent: TypeAlias = "tuple[float, float] | None"


def one_hidden_layer(activation: nk.Network) -> nk.Network:
    """Return a network for points on a line, with weights and biases from N(0, 1)."""
    return nk.Serial(nk.Dense(b_std=1), activation, nk.Dense(b_std=1))


def chosen(
    network: nk.Network | None,
    activation: nk.Network | None,
    build: Callable[[nk.Network], nk.Network],
    default: nk.Network,
) -> nk.Network:
    """Return the given network, or the network of the figure with another activation."""
    if network is not None and activation is not None:
        raise TypeError(
            f"network is {network!r} and activation {activation!r}; give only one of them: "
            "a network contains its activations"
        )
    if network is not None:
        return network
    return default if activation is None else build(activation)


def labelled(data: tuple[ArrayLike, ArrayLike]) -> tuple[Array, Array]:
    """Return points, shape (n, d) or images, and n targets."""
    try:
        points, targets = data
    except (TypeError, ValueError):
        raise TypeError(f"data is {data!r}; expected a pair (x, y) of points and targets") from None
    x = as_floats(points, "data: x").astype(np.float64)
    y = as_floats(targets, "data: y").astype(np.float64)
    for array, name in ((x, "data: x"), (y, "data: y")):
        check_finite(array, name)
    if x.ndim == 1:
        x = x[:, None]
    if y.ndim != 1 or len(x) != len(y) or len(y) == 0:
        raise ValueError(
            f"data: x has shape {x.shape} and y {y.shape}; expected n >= 1 points, one per row of "
            "x, and y of shape (n,)"
        )
    return x, y


def on_a_line(data: Data, extent: Extent, n: int) -> tuple[Array, Array, Array]:
    """Return points on a line, shape (n, 1), their targets, and a grid around them.

    Without data, they are the three points of the guide. Without an extent, the grid extends the
    range of the points on both sides by its length.
    """
    x, y = labelled(nk.data.three_points() if data is None else data)
    if data is None:
        x = x[:, :1]  # without the appended 1: the networks have biases
    if x.shape[1:] != (1,):
        raise ValueError(
            f"data: x has shape {x.shape}; expected points on a line, (n,) or (n, 1), which this "
            "figure draws over x"
        )
    length = np.ptp(x) or 1.0
    low, high = (x.min() - length, x.max() + length) if extent is None else extent
    return x, y, np.linspace(low, high, n)


def decay_times(spectrum: nk.Spectrum, k: int) -> Array:
    """Return k times, from before the fastest mode decays until the slowest has decayed."""
    values = spectrum.eigenvalues[spectrum.eigenvalues > spectrum.tolerance]
    if values.size == 0:
        raise ValueError("the kernel of the data is 0, so nothing is learnt; use other data")
    return np.geomspace(0.05 / values[-1], 5 / values[0], k)
