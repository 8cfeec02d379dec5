"""Gradient flow: the limit of gradient descent with infinitely small steps."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ntkfast._ntkfast import flow_filter
from ntkfast.dynamics._arguments import Times
from ntkfast.dynamics.rules.rule import Rule, Values

__all__ = ["ContinuousTime"]

# e^{−40} = 4e-18 of a mode is left.
_ENDED = 40.0


@dataclass(frozen=True)
class ContinuousTime(Rule):
    """φ_t(λ) = −expm1(−η(λ+r)t)/(λ+r), with the decay e^{−η(λ+r)t}: the rule of `GradientFlow`."""

    def gathered(
        self, values: Values, t: Times, *, rate: float, ridge: float, tolerance: float
    ) -> Values:
        """Compute φ_t(λ), shape (k, n)."""
        return flow_filter(values, t, rate, ridge, tolerance)

    def decay(self, values: Values, t: Times, *, rate: float, ridge: float) -> Values:
        """Compute e^{−η(λ+r)t}, shape (k, n)."""
        shifted = values + ridge
        decay = np.ones((t.size, shifted.size))
        begun = t > 0  # avoids 0·∞ if η(λ+r) overflows
        with np.errstate(over="ignore", under="ignore"):
            decay[begun] = np.exp(-np.multiply.outer(t[begun], rate * shifted))
        return decay

    def ended(self, t: Times, rate: float, ridge: float) -> npt.NDArray[np.bool_]:
        """Tell whether e^{−ηrt} is below rounding."""
        with np.errstate(all="ignore"):
            grown = np.where(np.isinf(t), np.inf, rate * ridge * t)
        return np.asarray(grown > _ENDED)
