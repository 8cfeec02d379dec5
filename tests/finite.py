"""Random finite networks: their kernels from one forward and one backward pass, in NumPy.

Many networks are computed at a time: arrays are (draws, n, neurons), and every draw has its own
weights. The activation functions are those of the reference evaluator. No formula for a kernel is
used.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from mpmath import mpf, workdps
from numpy.typing import NDArray

from catalogue import Description
from reference.evaluator import FUNCTIONS

Array = NDArray[np.float32]


Back = Callable[[Array], tuple[Array, Array | float]]


@dataclass
class Value:
    """The neurons of a layer, and how a gradient by them goes back through the network.

    ``back`` takes (draws, n, neurons) and returns the gradient by the input, and what the
    parameters of this layer and those before it add to the NTK, (draws, n, n) or 0.
    """

    h: Array
    back: Back


def start(h: Array) -> Value:
    """Return a value that nothing is known to come before."""
    return Value(h, lambda g: (g, 0.0))


def after(x: Value, h: Array, local: Back) -> Value:
    """Return the value h that a layer makes of x; ``local`` is the layer's own way back."""

    def back(g: Array) -> tuple[Array, Array | float]:
        inner, own = local(g)
        first, earlier = x.back(inner)
        return first, own + earlier

    return Value(h, back)


def sized(description: Description, base: int, factor: int) -> Description:
    """Return the network with every width times a factor; layers without one have the base."""
    kind, *parts = description
    if kind == "dense":
        w_std, b_std, width, training = [*parts, *(None, "ntk")[len(parts) - 2 :]]
        return [kind, w_std, b_std, factor * (width or base), training]
    if kind == "conv":
        *geometry, width, training = parts
        return [kind, *geometry, factor * (width or base), training]
    return [kind, *(sized(p, base, factor) if isinstance(p, (list, tuple)) else p for p in parts)]


# How many networks are computed at a time: their weights fit in a cache.
TOGETHER = 50


def kernels(
    description: Description, x: NDArray[Any], draws: int, rng: np.random.Generator
) -> tuple[Array, Array]:
    """Return NNGP and NTK of random networks, averaged over their outputs: (draws, n, n) each."""
    parts = [some_kernels(description, x, TOGETHER, rng) for _ in range(draws // TOGETHER)]
    nngp, ntk = (np.concatenate(part) for part in zip(*parts, strict=True))
    return nngp, ntk


def some_kernels(
    description: Description, x: NDArray[Any], draws: int, rng: np.random.Generator
) -> tuple[Array, Array]:
    """Return the kernels of a number of networks at a time."""
    end = forward(description, start(np.broadcast_to(x.astype(np.float32), (draws, *x.shape))), rng)
    neurons = end.h.shape[-1]
    # A sum of all outputs with random signs has the NTK of one of them, in the mean.
    signs = rng.choice(np.array([-1.0, 1.0], np.float32), (draws, 1, neurons)) / neurons**0.5
    _, ntk = end.back(np.broadcast_to(signs.astype(np.float32), end.h.shape))
    nngp = gram(end.h) / neurons
    return nngp, np.broadcast_to(np.asarray(ntk, np.float32), nngp.shape)


def gram(a: Array) -> Array:
    """Return the inner products of rows, draw by draw."""
    return a @ a.swapaxes(-1, -2)


def forward(description: Description, x: Value, rng: np.random.Generator) -> Value:
    """Send a value through one layer or network."""
    kind, *rest = description
    if kind == "serial":
        for part in rest:
            x = forward(part, x, rng)
        return x
    if kind in JOINS:
        return JOINS[kind](x, [forward(branch, start(x.h), rng) for branch in rest])
    if kind == "residual":
        return add(x, [start(x.h), forward(["serial", *rest], start(x.h), rng)])
    if kind in LAYERS:
        return LAYERS[kind](x, rng, *rest)
    function, derivative = (table(kind, tuple(rest), order) for order in (0, 1))
    slope = derivative(x.h)
    return after(x, function(x.h), lambda g: (g * slope, 0.0))


def dense(
    x: Value,
    rng: np.random.Generator,
    w_std: float,
    b_std: float | None,
    width: int,
    training: str,
) -> Value:
    """Return z = (σ_w/√fan_in)·W h + σ_b·b at each place, differentiated by what is trained."""
    draws, n, *places, fan_in = x.h.shape
    rows = x.h.reshape(draws, -1, fan_in)
    scale = w_std / fan_in**0.5
    weights = scale * rng.standard_normal((draws, fan_in, width), np.float32)
    bias = (b_std or 0.0) * rng.standard_normal((draws, 1, width), np.float32)
    # Squares of dz/d(parameter) are those of h times the first, and the second.
    squares = {
        "ntk": (scale**2, (b_std or 0.0) ** 2),
        "standard": (1.0, float(b_std is not None)),
        "frozen": (0.0, 0.0),
    }[training]

    def back(g: Array) -> tuple[Array, Array]:
        g = g.reshape(draws, -1, width)
        own = gram(g) * (squares[0] * gram(rows) + squares[1])
        # All places of a sample add to one gradient.
        own = own.reshape(draws, n, rows.shape[1] // n, n, -1).sum((2, 4))
        return (g @ weights.swapaxes(-1, -2)).reshape(x.h.shape), own

    return after(x, (rows @ weights + bias).reshape(draws, n, *places, width), back)


def layer_norm(x: Value, rng: np.random.Generator, eps: float) -> Value:
    """Return (h − mean)/√(variance + ε) over the neurons."""
    centred = x.h - x.h.mean(-1, keepdims=True)
    size = np.sqrt((centred**2).mean(-1, keepdims=True) + eps)
    h = centred / size

    def back(g: Array) -> tuple[Array, float]:
        along = g.mean(-1, keepdims=True) + h * (g * h).mean(-1, keepdims=True)
        return (g - along) / size, 0.0

    return after(x, h, back)


def dropout(x: Value, rng: np.random.Generator, keep: float) -> Value:
    """Return each neuron of each sample divided by the probability, or zero."""
    mask = (rng.random(x.h.shape, np.float32) < keep) / np.float32(keep)
    return after(x, x.h * mask, lambda g: (g * mask, 0.0))


def together(
    x: Value, h: Array, branches: Sequence[Value], shares: Callable[[Array], Any]
) -> Value:
    """Return the value h of branches on x, given the gradients by each from that by h."""

    def back(g: Array) -> tuple[Array, Array | float]:
        ways = [b.back(part) for b, part in zip(branches, shares(g), strict=True)]
        return sum(inner for inner, _ in ways), sum(own for _, own in ways)  # type: ignore[return-value]

    return after(x, h, back)


def add(x: Value, branches: Sequence[Value]) -> Value:
    """Return the sum of branches."""
    h = np.sum([b.h for b in branches], axis=0)
    return together(x, h, branches, lambda g: [g] * len(branches))


def concatenate(x: Value, branches: Sequence[Value]) -> Value:
    """Return branches side by side."""
    ends = np.cumsum([b.h.shape[-1] for b in branches])[:-1]
    h = np.concatenate([b.h for b in branches], axis=-1)
    return together(x, h, branches, lambda g: np.split(g, ends, axis=-1))


def multiply(x: Value, branches: Sequence[Value]) -> Value:
    """Return the product of branches."""

    def product(values: Sequence[Value]) -> Array:
        return np.prod([b.h for b in values], axis=0)

    others = [product([*branches[:i], *branches[i + 1 :]]) for i in range(len(branches))]
    return together(x, product(branches), branches, lambda g: [g * other for other in others])


LAYERS: dict[str, Callable[..., Value]] = {
    "dense": dense,
    "layer_norm": layer_norm,
    "dropout": dropout,
}
JOINS: dict[str, Callable[[Value, Sequence[Value]], Value]] = {
    "sum": add,
    "concatenate": concatenate,
    "product": multiply,
}

# Steps of 1/128 up to here, linear in between; the two nodes at 0 leave a jump there as it is.
REACH = 16


@cache
def table(kind: str, parameters: tuple[float, ...], order: int) -> Callable[[Array], Array]:
    """Return an activation (0) or its derivative (1) as a function of arrays."""
    side = np.concatenate([[1e-9], np.arange(1, 128 * REACH + 1) / 128])
    nodes = np.concatenate([-side[::-1], side])
    with workdps(15):
        constants = [mpf(value) for value in parameters]
        values = np.array([float(FUNCTIONS[kind][order](mpf(z), *constants)) for z in nodes])

    def function(z: Array) -> Array:
        assert np.max(np.abs(z)) < REACH
        return np.interp(z, nodes, values).astype(np.float32)

    return function
