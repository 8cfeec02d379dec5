"""The interface of a training rule: its effect on a single mode of the kernel."""

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

__all__ = ["Rate", "Rule", "Values"]

# Times of a grid while time doubles.
_PER_OCTAVE = 8

Values: TypeAlias = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Rate:
    """A learning rate, the reduction of the loss, and the number of targets that it divides by."""

    learning_rate: float
    reduction: str
    count: int

    @property
    def value(self) -> float:
        """η as it multiplies Θ."""
        return self.learning_rate / self.count


@dataclass(frozen=True)
class Rule(ABC):
    """The effect of training on squared error on a single mode, with eigenvalue λ.

    Two functions of time and λ define a rule: the filter φ_t(λ), which is the part of the residual
    accumulated in the coefficients, and the decay 1 − (λ + r)·φ_t(λ), which is the remaining part
    of the mode. `SpectralTraining` computes all its results from the two functions of its rule.
    λ is ≥ 0, r is the regularisation, and the rate is η as it multiplies Θ.
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
            Shape (k,): times as `times` returns them, including infinite ones.
        rate, ridge
            η and r.
        tolerance
            A mode with λ + r up to this value may be rounding. The result is arbitrary at times
            when its rounding shows, because such modes are left untrained.

        Returns
        -------
        ndarray
            Shape (k, n).
        """

    @abstractmethod
    def decay(self, values: Values, t: Times, *, rate: float, ridge: float) -> Values:
        """Compute 1 − (λ + r)·φ_t(λ) at finite times without cancellation; shape (k, n)."""

    def speed(self, rate: float) -> float:
        """Return φ_t(0)/t: the rate at which a mode accumulates if it does not decay."""
        return rate

    @property
    def limit(self) -> float:
        """Return the η·(λ + r) from which on training diverges; infinite if it never does."""
        return math.inf

    def ended(self, t: Times, rate: float, ridge: float) -> npt.NDArray[np.bool_]:
        """Tell at which times all modes are at their limit to rounding, whatever their λ."""
        return np.isinf(t)

    def grid(self, t: float, fastest: float) -> Times:
        """Return times from 0 to t, so dense that decays with speeds up to `fastest` are smooth."""
        first = 0.1 / fastest if fastest > 0 else t
        if t <= first:
            return np.array([0.0, t])
        count = math.ceil(_PER_OCTAVE * math.log2(t / first))
        return np.concatenate([[0.0], np.geomspace(first, t, count + 1)])

    def check(self, rate: Rate, largest: float) -> None:
        """Reject a learning rate at which the fastest mode, with the largest λ + r, diverges."""
        if math.isfinite(self.limit) and rate.value * largest >= self.limit:
            stable = self.limit / largest * rate.count
            details = "".join(f"{name}{value} and " for name, value in self.facts())
            raise ValueError(
                f"learning_rate is {rate.learning_rate:g}, at which training does not converge: "
                f"the largest eigenvalue of theta, {largest:g} with its regularisation, requires "
                f"learning_rate < {stable:.6g} with {details}reduction={rate.reduction!r}"
            )

    def times(self, t: npt.ArrayLike) -> tuple[Times, tuple[int, ...]]:
        """Return times as a flat array, and their shape; ValueError for an invalid time."""
        return as_times(t)

    def facts(self) -> Iterator[Fact]:
        """Yield the parameters of the rule, for summaries and messages."""
        yield from ()
