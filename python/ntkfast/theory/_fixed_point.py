"""Limits of many equal blocks: the fixed points of variance and correlation."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from ntkfast._ntkfast import NumericalError
from ntkfast.theory._block import Block

__all__ = ["correlation_fixed_point", "root", "variance_fixed_point"]

# Variances from 1e-12 to 1e12, on a logarithmic scale. Beyond them, the limit is taken as 0 or ∞.
_FURTHEST = 12 * math.log(10)
_ROUNDING = 1e-13


def variance_fixed_point(block: Block) -> tuple[float, float]:
    """Return q* reached from 1, and a variance for slopes: q*, or a variance near a 0 or ∞ limit.

    If all variances are fixed points, as for ReLU at σ_w² = 2 without bias, q* is 1.
    """

    def growth(log_q: float) -> float:
        after = float(block.variance(np.array([math.exp(log_q)]))[0])
        return (math.log(after) if after > 0 else -math.inf) - log_q

    here, value = 0.0, growth(0.0)
    if abs(value) <= _ROUNDING:
        return 1.0, 1.0
    upward, step = value > 0, 0.5
    while True:
        there = here + (step if upward else -step)
        try:
            next_value = growth(there) if abs(there) <= _FURTHEST else value
        except NumericalError:  # the kernel exceeds the range of a float
            next_value, there = value, math.inf
        if abs(there) > _FURTHEST:
            return (math.inf, math.exp(here)) if upward else (0.0, math.exp(-_FURTHEST))
        if (next_value > 0) != upward:
            break
        here, value, step = there, next_value, 2 * step
    q = math.exp(root(growth, here, value, there, next_value))
    return q, q


def root(function: Callable[[float], float], a: float, at_a: float, b: float, at_b: float) -> float:
    """Return a root between two points of different sign, by the Illinois method."""
    for _ in range(100):
        if at_b == 0 or abs(b - a) <= _ROUNDING:
            break
        finite = math.isfinite(at_a) and math.isfinite(at_b)
        c = (a * at_b - b * at_a) / (at_b - at_a) if finite else (a + b) / 2
        at_c = function(c)
        if (at_c > 0) == (at_b > 0):
            at_a /= 2  # the other end did not move: reduce its weight
        else:
            a, at_a = b, at_b
        b, at_b = c, at_c
        if abs(at_b) <= 1e-16:
            break
    return b


def correlation_fixed_point(block: Block, q: float, margin: float) -> float:
    """Return c*: 1 unless correlations decrease near 1, by more than `margin` per layer.

    On [0, 1] the map is a power series with non-negative terms, hence convex. Newton's iterates
    from 0 increase to the only fixed point below 1 and cannot pass it.
    """
    after = float(block.variance(np.array([q]))[0])
    if after == 0:
        return 1.0
    ratio = q / after  # 1 if q is a fixed point itself

    def chi(c: float) -> float:
        return ratio * float(block.chi(np.array(c), q))

    if chi(1.0) <= 1 + margin:
        return 1.0
    c = 0.0
    for _ in range(200):
        step = (float(block.correlation(np.array(c), q)) - c) / (1 - chi(c))
        if not step > 1e-15:
            break
        c += step
    return c
