"""The parameter `random_state` of scikit-learn as a seed of ntkfast."""

from __future__ import annotations

from numbers import Integral
from typing import TypeAlias

import numpy as np
from sklearn.utils import check_random_state

from ntkfast._scalars import as_count

__all__ = ["RandomState", "as_seed"]

RandomState: TypeAlias = int | np.random.RandomState | None


def as_seed(random_state: RandomState) -> int:
    """Return an integer as it is, and one that is drawn from a generator or from the system."""
    if isinstance(random_state, Integral):
        return as_count(random_state, "random_state", least=0)
    try:
        source = check_random_state(random_state)
    except ValueError:
        raise TypeError(
            f"random_state is {random_state!r}, of type {type(random_state).__name__}; expected an "
            "integer >= 0, a numpy.random.RandomState or None"
        ) from None
    return int(source.randint(2**31 - 1))
