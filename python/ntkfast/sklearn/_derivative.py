"""Derivatives of a kernel with respect to its hyperparameters, from values of the kernel."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ntkfast._arrays import FloatArray
from ntkfast._warnings import warn

__all__ = ["FIRST_STEP", "derivative_at_zero"]

# The largest distance from 0 at which values are needed.
FIRST_STEP = 0.1
_LEVELS = 8
_SOUGHT, _PROMISED = 1e-9, 1e-6


def derivative_at_zero(f: Callable[[float], FloatArray], scale: FloatArray) -> FloatArray:
    """Compute f'(0) by central differences, extrapolated to a step of 0.

    Parameters
    ----------
    f
        Smooth around 0, at distances of up to 0.1; returns arrays with a fixed shape.
    scale
        An array with that shape: the size of f, relative to which errors count.

    Returns
    -------
    ndarray
        Romberg's table of steps 0.1, 0.05, … is continued until two of its diagonal entries
        agree within 1e-9·(scale + |f'|): about eight values of f, and sixteen at most.

    Warns
    -----
    RuntimeWarning
        The entries do not agree within 1e-6·(scale + |f'|).

    References
    ----------
    Ridders (1982), "Accurate computation of F'(x) and F'(x)F''(x)", Advances in Engineering
    Software 4, 75-76.
    """

    def difference(step: float) -> FloatArray:
        quotient: FloatArray = (f(step) - f(-step)) / (2 * step)
        return quotient

    row = [difference(FIRST_STEP)]
    best, smallest = row[0], np.inf
    for level in range(1, _LEVELS):
        before, row = row, [difference(FIRST_STEP / 2**level)]
        for power, coarser in enumerate(before, start=1):
            row.append(row[-1] + (row[-1] - coarser) / (4**power - 1))
        size = scale + np.abs(row[-1])
        gap = np.abs(row[-1] - before[-1])
        error = float(np.max(gap / np.where(size > 0, size, 1), initial=0.0))
        if error < smallest:
            best, smallest = row[-1], error
        if smallest <= _SOUGHT or error > 100 * smallest:  # only rounding from here on
            break
    if not smallest <= _PROMISED:
        warn(
            f"derivatives of a kernel are accurate only to {smallest:.1g}, because it changes too "
            "fast with its hyperparameters; bound them to smaller values, or use fewer layers"
        )
    return best
