"""Layers with weights: `Dense` and `Conv`."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from math import prod, sqrt
from typing import Any

import ntkfast as nk
from ntkfast.neural_tangents._combinators import Layer, layer_of
from ntkfast.neural_tangents._finite import jax_modules
from ntkfast.neural_tangents._spec import Finite, Leaf

__all__ = ["Conv", "Dense", "Padding", "check_axes", "padding_of", "windows"]


class Padding(Enum):
    """What lies around images."""

    SAME = "SAME"
    VALID = "VALID"
    CIRCULAR = "CIRCULAR"


def padding_of(given: Any, name: str) -> str:
    """Return the name of a padding."""
    known = {each.value for each in Padding}
    text = given.value if isinstance(given, Padding) else str(given).upper()
    if text not in known:
        raise ValueError(f"{name}: padding is {given!r}; expected one of {sorted(known)}")
    return text


def check_axes(name: str, batch_axis: int, channel_axis: int) -> None:
    """Refuse other axes than the first for samples and the last for channels."""
    if batch_axis != 0 or channel_axis != -1:
        raise NotImplementedError(
            f"{name}: batch_axis is {batch_axis} and channel_axis is {channel_axis}; only 0 and "
            "-1 are provided: transpose the samples"
        )


def Dense(
    out_dim: int,
    W_std: Any = 1.0,
    b_std: Any = None,
    batch_axis: int = 0,
    channel_axis: int = -1,
    parameterization: str = "ntk",
    s: tuple[int, int] = (1, 1),
) -> Layer:
    """Return a fully connected layer; see `ntkfast.Dense`.

    Raises
    ------
    NotImplementedError
        Other axes, or another ``s`` than (1, 1).
    """
    check_axes("Dense", batch_axis, channel_axis)
    _check_scales("Dense", s)
    parameterization = parameterization.lower()
    scalars = {"W_std": W_std} | ({} if b_std is None else {"b_std": b_std})

    def build(values: dict[str, float]) -> nk.Network:
        return nk.Dense(
            out_dim,
            w_std=values["W_std"],
            b_std=values.get("b_std"),
            parameterization=parameterization,
        )

    def shape(given: Any) -> Any:
        return (*given[:-1], out_dim)

    def init(key: Any, given: Any) -> Any:
        jax, _ = jax_modules()
        first, second = jax.random.split(key)
        weights = jax.random.normal(first, (given[-1], out_dim))
        bias = None
        if b_std is not None:
            bias = jax.random.normal(second, (*([1] * (len(given) - 1)), out_dim))
        if parameterization == "standard":
            weights = weights * (W_std / sqrt(given[-1]))
            bias = None if bias is None else bias * b_std
        return weights, bias

    def apply(params: Any, inputs: Any, **_: Any) -> Any:
        _, jnp = jax_modules()
        weights, bias = params
        outputs = jnp.dot(inputs, weights)
        if parameterization == "ntk":
            outputs = outputs * (W_std / sqrt(inputs.shape[-1]))
        if bias is None:
            return outputs
        return outputs + (b_std * bias if parameterization == "ntk" else bias)

    return layer_of(Leaf("Dense", build, Finite(shape, init, apply), scalars))


def Conv(
    out_chan: int,
    filter_shape: Sequence[int],
    strides: Sequence[int] | None = None,
    padding: Any = "VALID",
    W_std: Any = 1.0,
    b_std: Any = None,
    dimension_numbers: Any = None,
    parameterization: str = "ntk",
    s: tuple[int, int] = (1, 1),
) -> Layer:
    """Return a convolution; see `ntkfast.Conv`.

    Raises
    ------
    NotImplementedError
        Other dimensions than those of (n, height, width, channels), or another ``s`` than (1, 1).
    """
    _check_scales("Conv", s)
    size = tuple(int(each) for each in filter_shape)
    if dimension_numbers is not None and tuple(dimension_numbers) not in _NUMBERS:
        raise NotImplementedError(
            f"Conv: dimension_numbers is {dimension_numbers!r}; only images (n, height, width, "
            "channels) and sequences (n, length, channels) are provided: transpose the samples"
        )
    around, parameterization = padding_of(padding, "Conv"), parameterization.lower()
    steps = (1,) * len(size) if strides is None else tuple(int(each) for each in strides)
    scalars = {"W_std": W_std} | ({} if b_std is None else {"b_std": b_std})

    def build(values: dict[str, float]) -> nk.Network:
        return nk.Conv(
            size,
            width=out_chan,
            strides=steps,
            padding=around,
            w_std=values["W_std"],
            b_std=values.get("b_std"),
            parameterization=parameterization,
        )

    def shape(given: Any) -> Any:
        return (given[0], *windows(given[1:-1], size, steps, around), out_chan)

    def init(key: Any, given: Any) -> Any:
        jax, _ = jax_modules()
        first, second = jax.random.split(key)
        weights = jax.random.normal(first, (*size, given[-1], out_chan))
        bias = None
        if b_std is not None:
            bias = jax.random.normal(second, (*([1] * (len(given) - 1)), out_chan))
        if parameterization == "standard":
            weights = weights * (W_std / sqrt(given[-1] * prod(size)))
            bias = None if bias is None else bias * b_std
        return weights, bias

    def apply(params: Any, inputs: Any, **_: Any) -> Any:
        jax, jnp = jax_modules()
        weights, bias = params
        fan_in, padded, how = inputs.shape[-1] * prod(size), inputs, around
        if around == "CIRCULAR":
            padded, how = jnp.pad(inputs, _circle(inputs.shape, size, steps), mode="wrap"), "VALID"
        letters = "DHW"[-len(size) :]
        numbers = (f"N{letters}C", f"{letters}IO", f"N{letters}C")
        outputs = jax.lax.conv_general_dilated(
            padded, weights, steps, how, dimension_numbers=numbers
        )
        if parameterization == "ntk":
            outputs = outputs * (W_std / sqrt(fan_in))
        if bias is None:
            return outputs
        return outputs + (b_std * bias if parameterization == "ntk" else bias)

    return layer_of(Leaf("Conv", build, Finite(shape, init, apply), scalars))


_NUMBERS = {("NHWC", "HWIO", "NHWC"), ("NWC", "WIO", "NWC"), ("NHC", "HIO", "NHC")}


def windows(
    positions: Sequence[int], size: Sequence[int], strides: Sequence[int], padding: str
) -> tuple[int, ...]:
    """Return how many windows there are along each axis."""
    triples = zip(positions, size, strides, strict=True)
    if padding == "VALID":
        return tuple((length - each) // step + 1 for length, each, step in triples)
    return tuple(-(-length // step) for length, _, step in triples)


def _circle(
    shape: Sequence[int], size: Sequence[int], strides: Sequence[int]
) -> list[tuple[int, int]]:
    """Return the padding with which windows go around a circle, as with "SAME"."""
    found = [(0, 0)]
    for length, each, step in zip(shape[1:-1], size, strides, strict=True):
        total = max((-(-length // step) - 1) * step + each - length, 0)
        found.append((total // 2, total - total // 2))
    return [*found, (0, 0)]


def _check_scales(name: str, s: tuple[int, int]) -> None:
    if tuple(s) != (1, 1):
        raise NotImplementedError(f"{name}: s is {s!r}; only (1, 1) is provided")
