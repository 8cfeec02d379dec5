"""The argument `seed` of everything that is drawn at random."""

from __future__ import annotations

from numbers import Integral
from typing import TypeAlias

import numpy as np

__all__ = ["Seed", "as_generator"]

Seed: TypeAlias = int | np.random.Generator


def as_generator(seed: object) -> np.random.Generator:
    """Return a generator of NumPy; a seed has to be given, so that results can be repeated."""
    if isinstance(seed, np.random.Generator):
        return seed
    expected = "expected an integer >= 0 or a numpy.random.Generator"
    if not isinstance(seed, Integral) or isinstance(seed, bool):
        raise TypeError(f"seed is {seed!r}, of type {type(seed).__name__}; {expected}")
    if seed < 0:
        raise ValueError(f"seed is {int(seed)}; {expected}")
    return np.random.default_rng(int(seed))
