"""What a rule of training has to say of a single mode of the kernel."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from ntkfast._display import Fact
from ntkfast.dynamics._arguments import Times, as_times

__all__ = ["Rule", "Values"]

Values: TypeAlias = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Rule(ABC):
    """How training on squared loss moves a mode of eigenvalue λ: by itself, whatever the others do.

    Two functions of time and λ say all: what has been gathered of the residual in the coefficients,
    the filter φ_t(λ), and what is left of the mode, the decay 1 − (λ + r)·φ_t(λ). A training has a
    rule; `SpectralTraining` makes all its answers of these two. λ is ≥ 0, r the regularisation, and
    the rate is η as it multiplies Θ.
    """

    @abstractmethod
    def gathered(
        self, values: Values, t: Times, *, rate: float, ridge: float, tolerance: float
    ) -> Values:
        """Compute φ_t(λ), the coefficients at time t per unit of residual.

        Parameters
        ----------
        values
            Shape (n,): λ.
        t
            Shape (k,): times as `times` returns them; infinite ones included.
        rate, ridge
            η and r.
        tolerance
            A mode with λ + r up to this may be rounding. Where it shows, any number will do: its
            modes are left untrained.

        Returns
        -------
        ndarray
            Shape (k, n).
        """

    @abstractmethod
    def decay(self, values: Values, t: Times, *, rate: float, ridge: float) -> Values:
        """Compute 1 − (λ + r)·φ_t(λ) at finite times, without the cancellation; shape (k, n)."""

    def speed(self, rate: float) -> float:
        """Return φ_t(0)/t: how fast a mode gathers that what it has learnt does not hold back."""
        return rate

    @property
    def limit(self) -> float:
        """η·(λ + r) from which on training does not converge; infinite where it always does."""
        return math.inf

    def times(self, t: npt.ArrayLike) -> tuple[Times, tuple[int, ...]]:
        """Return times as a flat array, and their shape; ValueError for what is no time."""
        return as_times(t)

    def facts(self) -> Iterator[Fact]:
        """Yield what sets it apart, for summaries and messages."""
        yield from ()
