"""Pooling, flattening and normalisation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from typing import Any

import ntkfast as nk
from ntkfast.neural_tangents._combinators import Layer, layer_of
from ntkfast.neural_tangents._finite import jax_modules
from ntkfast.neural_tangents._linear import check_axes, padding_of, windows
from ntkfast.neural_tangents._spec import Finite, Leaf

__all__ = [
    "AvgPool",
    "Dropout",
    "Flatten",
    "GlobalAvgPool",
    "GlobalSumPool",
    "Identity",
    "LayerNorm",
    "SumPool",
    "without_parameters",
]


def without_parameters(
    name: str,
    network: nk.Network,
    apply: Callable[..., Any],
    shape: Callable[[Any], Any] = lambda given: given,
) -> Layer:
    """Return a layer that has no parameters."""

    def outputs(params: Any, inputs: Any, **kwargs: Any) -> Any:
        return apply(inputs, **kwargs)

    return layer_of(Leaf(name, lambda _: network, Finite(shape, lambda key, given: (), outputs)))


def Identity() -> Layer:
    """Return the layer that does nothing."""
    return without_parameters("Identity", nk.Identity(), lambda x, **_: x)


def Flatten(batch_axis: int = 0, batch_axis_out: int = 0) -> Layer:
    """Return the layer that puts all positions side by side; rows stay as they are."""
    check_axes("Flatten", batch_axis or batch_axis_out, -1)
    return without_parameters(
        "Flatten",
        nk.Flatten(),
        lambda x, **_: x.reshape(len(x), -1),
        lambda given: (given[0], prod(given[1:])),
    )


def _pool(
    name: str,
    kind: Any,
    window_shape: Sequence[int],
    strides: Sequence[int] | None,
    padding: Any,
    mean: bool,
) -> Layer:
    size = tuple(int(each) for each in window_shape)
    steps = (1,) * len(size) if strides is None else tuple(int(each) for each in strides)
    around = padding_of(padding, name)

    def apply(x: Any, **_: Any) -> Any:
        jax, jnp = jax_modules()
        padded, how = x, around
        if around == "CIRCULAR":
            from ntkfast.neural_tangents._linear import _circle

            padded, how = jnp.pad(x, _circle(x.shape, size, steps), mode="wrap"), "VALID"
        window, stride = (1, *size, 1), (1, *steps, 1)
        total = jax.lax.reduce_window(padded, 0.0, jax.lax.add, window, stride, how)
        return total / prod(size) if mean else total

    def shape(given: Any) -> Any:
        return (given[0], *windows(given[1:-1], size, steps, around), given[-1])

    return without_parameters(name, kind(size, strides=steps, padding=around), apply, shape)


def AvgPool(
    window_shape: Sequence[int],
    strides: Sequence[int] | None = None,
    padding: Any = "VALID",
    normalize_edges: bool = False,
    batch_axis: int = 0,
    channel_axis: int = -1,
) -> Layer:
    """Return means over windows, whose strides are 1 if they are not given; see `ntkfast.AvgPool`.

    Raises
    ------
    NotImplementedError
        ``normalize_edges`` with a padding of zeros, or other axes.
    """
    check_axes("AvgPool", batch_axis, channel_axis)
    if normalize_edges and padding_of(padding, "AvgPool") == "SAME":
        raise NotImplementedError(
            "AvgPool: normalize_edges=True is not provided; windows over the edge are divided by "
            "the size of the whole window"
        )
    return _pool("AvgPool", nk.AvgPool, window_shape, strides, padding, True)


def SumPool(
    window_shape: Sequence[int],
    strides: Sequence[int] | None = None,
    padding: Any = "VALID",
    batch_axis: int = 0,
    channel_axis: int = -1,
) -> Layer:
    """Return sums over windows, whose strides are 1 by default; see `ntkfast.SumPool`."""
    check_axes("SumPool", batch_axis, channel_axis)
    return _pool("SumPool", nk.SumPool, window_shape, strides, padding, False)


def GlobalAvgPool(batch_axis: int = 0, channel_axis: int = -1) -> Layer:
    """Return the mean over all positions."""
    check_axes("GlobalAvgPool", batch_axis, channel_axis)
    return without_parameters(
        "GlobalAvgPool",
        nk.GlobalAvgPool(),
        lambda x, **_: x.mean(axis=tuple(range(1, x.ndim - 1))),
        lambda given: (given[0], given[-1]),
    )


def GlobalSumPool(batch_axis: int = 0, channel_axis: int = -1) -> Layer:
    """Return the sum over all positions."""
    check_axes("GlobalSumPool", batch_axis, channel_axis)
    return without_parameters(
        "GlobalSumPool",
        nk.GlobalSumPool(),
        lambda x, **_: x.sum(axis=tuple(range(1, x.ndim - 1))),
        lambda given: (given[0], given[-1]),
    )


def LayerNorm(
    axis: int | Sequence[int] = -1,
    eps: float = 1e-12,
    batch_axis: int = 0,
    channel_axis: int = -1,
) -> Layer:
    """Return layer normalisation over the channels of each position; see `ntkfast.LayerNorm`.

    Raises
    ------
    NotImplementedError
        Other axes than that of channels.
    """
    check_axes("LayerNorm", batch_axis, channel_axis)
    if axis not in (-1, (-1,), [-1]):
        raise NotImplementedError(
            f"LayerNorm: axis is {axis!r}; only -1, that of channels, is provided"
        )

    def apply(x: Any, **_: Any) -> Any:
        _, jnp = jax_modules()
        mean, variance = x.mean(axis=-1, keepdims=True), x.var(axis=-1, keepdims=True)
        return (x - mean) / jnp.sqrt(variance + eps)

    return without_parameters("LayerNorm", nk.LayerNorm(eps), apply)


def Dropout(rate: float, mode: str = "train") -> Layer:
    """Return dropout, which keeps a neuron with probability ``rate``; see `ntkfast.Dropout`.

    With ``mode="test"`` it does nothing.
    """
    if mode not in ("train", "test"):
        raise ValueError(f"Dropout: mode is {mode!r}; expected 'train' or 'test'")
    if mode == "test":
        return without_parameters("Dropout", nk.Identity(), lambda x, **_: x)

    def apply(x: Any, rng: Any = None, **_: Any) -> Any:
        jax, jnp = jax_modules()
        if rng is None:
            raise ValueError("Dropout draws random numbers; pass rng=key to apply_fn")
        keep = jax.random.bernoulli(rng, rate, x.shape)
        return jnp.where(keep, x / rate, 0)

    return without_parameters("Dropout", nk.Dropout(keep=rate), apply)
