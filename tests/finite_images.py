"""Layers on images for the random networks of `finite`; importing this module registers them.

Values are (draws, n, height, width, channels) while there are positions.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

import finite
from finite import Array, Value, after

Sizes = Sequence[int]


def conv(x: Value, rng: np.random.Generator, *parameters: Any) -> Value:
    """Return a dense layer on what each window sees."""
    height, width, down, right, padding, *weights = parameters
    return finite.dense(patches(x, (height, width), (down, right), padding), rng, *weights)


def patches(x: Value, window: Sizes, strides: Sizes, padding: str) -> Value:
    """Return what windows see, one offset after another in the last axis."""
    frame, places = framed(x, window, strides, padding)
    seen = np.concatenate([frame.h[:, :, rows, columns] for rows, columns in places], axis=-1)

    def back(g: Array) -> tuple[Array, float]:
        inner = np.zeros_like(frame.h)
        for (rows, columns), part in zip(places, np.split(g, len(places), axis=-1), strict=True):
            inner[:, :, rows, columns] += part
        return inner, 0.0

    return after(frame, seen, back)


def framed(
    x: Value, window: Sizes, strides: Sizes, padding: str
) -> tuple[Value, list[tuple[slice, slice]]]:
    """Return the padded image, as much of it as windows reach, and where each offset meets it."""
    axes = [
        reached(size, *one, padding)
        for size, *one in zip(x.h.shape[2:4], window, strides, strict=True)
    ]
    # Matrices of zeros and ones that take rows and columns to their places.
    (down, _), (right, _) = axes
    h = np.einsum("Rr,Cc,dnrck->dnRCk", down, right, x.h, optimize=True)

    def back(g: Array) -> tuple[Array, float]:
        return np.einsum("Rr,Cc,dnRCk->dnrck", down, right, g, optimize=True), 0.0

    offsets = [[slice(o, o + last, step) for o in range(size)] for size, step, last in (
        (size, step, (outputs - 1) * step + 1)
        for size, step, (_, outputs) in zip(window, strides, axes, strict=True)
    )]  # fmt: skip
    return after(x, h, back), list(product(*offsets))


def reached(size: int, window: int, stride: int, padding: str) -> tuple[NDArray[Any], int]:
    """Return which pixel stands where in the padded image, as a matrix, and how many windows."""
    outputs = (size - window) // stride + 1 if padding == "VALID" else -(-size // stride)
    reach = (outputs - 1) * stride + window
    low = 0 if padding == "VALID" else max(reach - size, 0) // 2
    pixel = np.arange(reach) - low
    if padding == "CIRCULAR":
        pixel %= size
    return (pixel[:, None] == np.arange(size)).astype(np.float32), outputs


def sum_pool(x: Value, rng: np.random.Generator, *parameters: Any) -> Value:
    """Return the sum over each window."""
    height, width, down, right, padding = parameters
    seen = patches(x, (height, width), (down, right), padding)
    parts = np.split(seen.h, height * width, axis=-1)

    def back(g: Array) -> tuple[Array, float]:
        return np.concatenate([g] * len(parts), axis=-1), 0.0

    return after(seen, np.sum(parts, axis=0), back)


def avg_pool(x: Value, rng: np.random.Generator, *parameters: Any) -> Value:
    """Return the sum over each window, divided by its size."""
    return divided(sum_pool(x, rng, *parameters), parameters[0] * parameters[1])


def divided(x: Value, count: int) -> Value:
    """Return a part of a value."""
    return after(x, x.h / np.float32(count), lambda g: (g / np.float32(count), 0.0))


def global_sum_pool(x: Value, rng: np.random.Generator) -> Value:
    """Return the sum over all positions."""

    def back(g: Array) -> tuple[Array, float]:
        return np.broadcast_to(g[:, :, None, None, :], x.h.shape), 0.0

    return after(x, x.h.sum((2, 3)), back)


def global_avg_pool(x: Value, rng: np.random.Generator) -> Value:
    """Return the mean over all positions."""
    return divided(global_sum_pool(x, rng), x.h.shape[2] * x.h.shape[3])


def flatten(x: Value, rng: np.random.Generator) -> Value:
    """Return positions and channels in one row."""
    row = x.h.reshape(*x.h.shape[:2], -1)
    return after(x, row, lambda g: (g.reshape(x.h.shape), 0.0))


finite.LAYERS.update(
    {
        "conv": conv,
        "sum_pool": sum_pool,
        "avg_pool": avg_pool,
        "global_sum_pool": global_sum_pool,
        "global_avg_pool": global_avg_pool,
        "flatten": flatten,
    }
)
