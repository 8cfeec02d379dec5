"""The argument `seed` of all random functions."""

from __future__ import annotations

from numbers import Integral
from typing import TypeAlias

import numpy as np

from ntkfast._scalars import as_count, plain

__all__ = ["Seed", "as_generator"]

Seed: TypeAlias = int | np.random.SeedSequence | np.random.Generator


def as_generator(seed: Seed) -> np.random.Generator:
    """Return a generator from a seed; a generator is returned as it is."""
    if isinstance(seed, (np.random.Generator, np.random.SeedSequence)):
        return np.random.default_rng(seed)
    if not isinstance(plain(seed), Integral) or isinstance(plain(seed), bool):
        raise TypeError(
            f"seed is {seed!r}, of type {type(seed).__name__}; expected an integer >= 0, "
            "a numpy.random.Generator or a SeedSequence"
        )
    return np.random.default_rng(as_count(seed, "seed", least=0))
