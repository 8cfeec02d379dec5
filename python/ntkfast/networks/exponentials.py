"""Activations made of exponentials, and activations with Gaussian kernels."""

from __future__ import annotations

from dataclasses import dataclass
from math import pi, sqrt
from typing import Any, ClassVar

import numpy as np

from ntkfast._scalars import as_real
from ntkfast.networks.activations import Activation, Array

__all__ = ["Exp", "ExpNormalized", "Gabor", "Gaussian", "Rbf"]


@dataclass(frozen=True, repr=False)
class Exp(Activation):
    """a·e^(b·x).

    Its variance a²·e^(2b²p) grows fast with the variance p of its input. A sample whose variance is
    too large for the type of the result raises NumericalError.

    References
    ----------
    Daniely, Frostig, Singer (2016), "Toward Deeper Understanding of Neural Networks": its dual at
    unit variance.
    """

    _kind: ClassVar[str] = "Exp"
    a: float = 1.0
    b: float = 1.0

    def _core_fields(self) -> dict[str, Any]:
        return {**super()._core_fields(), "wave": False}

    def _evaluate(self, x: Array) -> Array:
        return self.a * np.exp(self.b * x)

    def _derivative(self, x: Array) -> Array:
        return self.a * self.b * np.exp(self.b * x)


@dataclass(frozen=True, repr=False)
class Rbf(Activation):
    """√2·sin(√(2γ)·x + π/4), which has the Gaussian kernel e^(−γ·(p + q − 2k)).

    p, q and k are the variances and the covariance of the input. ``gamma`` must be >= 0; other
    values raise ValueError.

    References
    ----------
    Rahimi, Recht (2007), "Random Features for Large-Scale Kernel Machines", section 3.
    """

    _kind: ClassVar[str] = "Exp"
    gamma: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        as_real(self.gamma, "Rbf: gamma", least=0.0)

    def _core_fields(self) -> dict[str, Any]:
        return {"a": 1.0, "b": sqrt(2.0) * sqrt(self.gamma), "wave": True}

    def _evaluate(self, x: Array) -> Array:
        return sqrt(2.0) * np.sin(sqrt(2.0) * sqrt(self.gamma) * x + pi / 4)

    def _derivative(self, x: Array) -> Array:
        return 2.0 * sqrt(self.gamma) * np.cos(sqrt(2.0) * sqrt(self.gamma) * x + pi / 4)


@dataclass(frozen=True, repr=False)
class ExpNormalized(Activation):
    """The map √(pq)·e^(γ·(ρ + shift)) of kernels. It is not a function of x and exact at any scale.

    p and q are the variances and ρ is the correlation of the input. Rows of zeros have kernel 0.
    The NTK is multiplied by the derivative of the map with respect to the covariance, instead of by
    E[φ'φ']. ``gamma`` must be >= 0; other values raise ValueError.

    References
    ----------
    Shankar et al. (2020), "Neural Kernels Without Tangents", arXiv:2003.02237: the normalised
    Gaussian kernel.
    """

    _kind: ClassVar[str] = "ExpNormalized"
    gamma: float = 1.0
    shift: float = -1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        as_real(self.gamma, "ExpNormalized: gamma", least=0.0)

    def _evaluate(self, x: Array) -> Array:
        raise ValueError(
            "ExpNormalized is a map of kernels and not a function of a neuron, so it has no finite "
            "network; use Rbf or Exp, which are functions with exponential kernels"
        )

    def _derivative(self, x: Array) -> Array:
        return self._evaluate(x)


@dataclass(frozen=True, repr=False)
class Gaussian(Activation):
    """a·e^(b·x²), b < 0.

    Its kernel is a²/√((1 − 2bp)(1 − 2bq) − 4b²k²), where p, q and k are the variances and the
    covariance of the input. b >= 0 raises ValueError, because e^(b·x²) then has infinite variance
    for large inputs, or is constant.
    """

    _kind: ClassVar[str] = "Gaussian"
    a: float = 1.0
    b: float = -1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.b >= 0.0:
            raise ValueError(
                f"Gaussian: b is {self.b!r}; expected a number < 0, because a·e^(b·x²) has "
                "infinite variance otherwise (or is constant): use b = -1/(2·s²) for width s"
            )

    def _evaluate(self, x: Array) -> Array:
        return self.a * np.exp(self.b * x**2)

    def _derivative(self, x: Array) -> Array:
        return 2.0 * self.a * self.b * (x * np.exp(self.b * x**2))


@dataclass(frozen=True, repr=False)
class Gabor(Activation):
    """e^(−x²)·sin(x): an odd wave under a Gaussian envelope."""

    _kind: ClassVar[str] = "Gabor"

    def _evaluate(self, x: Array) -> Array:
        return np.exp(-(x**2)) * np.sin(x)

    def _derivative(self, x: Array) -> Array:
        envelope = np.exp(-(x**2))
        return envelope * np.cos(x) - 2.0 * (x * envelope) * np.sin(x)
