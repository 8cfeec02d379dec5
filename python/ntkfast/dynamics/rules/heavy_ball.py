"""Gradient descent in discrete steps, with or without momentum."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ntkfast._display import Fact
from ntkfast._ntkfast import descent_filter
from ntkfast.dynamics._arguments import Times, as_momentum, as_times
from ntkfast.dynamics.rules.rule import Rule, Values

__all__ = ["HeavyBall"]


@dataclass(frozen=True)
class HeavyBall(Rule):
    """Polyak's heavy ball, where times are steps: the rule of `GradientDescent`.

    φ_k = g_k with g_{k+1} = (1 + m − η(λ+r))·g_k − m·g_{k−1} + η from g_0 = g_{−1} = 0, in closed
    form.

    Attributes
    ----------
    momentum
        m, 0 <= m < 1; 0 for plain descent.
    """

    momentum: float = 0.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "momentum", as_momentum(self.momentum))

    def gathered(
        self, values: Values, t: Times, *, rate: float, ridge: float, tolerance: float
    ) -> Values:
        """Compute g_k(λ), shape (k, n); the limit 1/(λ + r) at t = ∞."""
        shifted = values + ridge
        ended = np.isinf(t)
        result = np.empty((t.size, shifted.size))
        result[ended] = np.divide(1.0, shifted, out=np.zeros_like(shifted), where=shifted > 0)
        gathered, _ = descent_filter(rate * shifted, t[~ended], self.momentum)
        with np.errstate(over="ignore"):  # for untrained modes
            result[~ended] = rate * gathered
        return result

    def decay(self, values: Values, t: Times, *, rate: float, ridge: float) -> Values:
        """Compute 1 − (λ + r)·g_k(λ), shape (k, n)."""
        return descent_filter(rate * (values + ridge), t, self.momentum)[1]

    def speed(self, rate: float) -> float:
        """Return η/(1 − m), the effective learning rate with momentum."""
        return rate / (1 - self.momentum)

    def grid(self, t: float, fastest: float) -> Times:
        """Return steps from 0 to t: first each, then eight while their number doubles."""
        return np.unique(np.rint(super().grid(t, fastest)))

    @property
    def limit(self) -> float:
        """2(1 + m)."""
        return 2 * (1 + self.momentum)

    def times(self, t: npt.ArrayLike) -> tuple[Times, tuple[int, ...]]:
        """Return steps as a flat array, and their shape. Steps are integers or inf."""
        steps, shape = as_times(t)
        wrong = np.flatnonzero(steps != np.floor(steps))
        if wrong.size:
            raise ValueError(
                f"t is {steps[wrong[0]]}; expected a whole number of steps, or inf. For other "
                "times use GradientFlow"
            )
        return steps, shape

    def facts(self) -> Iterator[Fact]:
        """Yield the momentum."""
        yield "momentum=", f"{self.momentum:g}"
