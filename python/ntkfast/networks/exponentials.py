"""Nonlinearities made of exponentials, and those with Gaussian kernels."""

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

    Its variance a²·e^(2b²p) grows fast with that of its input, p: a sample for which it is too
    large for the result's type is refused with NumericalError.

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
    """√2·sin(√(2γ)·x + π/4), whose kernel is the Gaussian one, e^(−γ·(p + q − 2k)).

    p, q and k are variances and covariance of the input. Raises ValueError unless ``gamma`` >= 0.

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
        # The wave with the cosine of Exp.
        return {"a": 1.0, "b": sqrt(2.0) * sqrt(self.gamma), "wave": True}

    def _evaluate(self, x: Array) -> Array:
        return sqrt(2.0) * np.sin(sqrt(2.0) * sqrt(self.gamma) * x + pi / 4)

    def _derivative(self, x: Array) -> Array:
        return 2.0 * sqrt(self.gamma) * np.cos(sqrt(2.0) * sqrt(self.gamma) * x + pi / 4)


@dataclass(frozen=True, repr=False)
class ExpNormalized(Activation):
    """The map √(pq)·e^(γ·(ρ + shift)) of kernels: no function of x, and exact for any scale.

    p and q are variances, ρ the correlation of the input. Rows of zeros have kernel 0. In place of
    E[φ'φ'], the NTK is multiplied by the derivative of the map by the covariance. Raises ValueError
    unless ``gamma`` >= 0.

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
            "ExpNormalized is a map of kernels and no function of a neuron, so that there is no "
            "finite network of it; Rbf and Exp are functions with kernels of exponentials"
        )

    def _derivative(self, x: Array) -> Array:
        return self._evaluate(x)


@dataclass(frozen=True, repr=False)
class Gaussian(Activation):
    """a·e^(b·x²), b < 0.

    Its kernel is a²/√((1 − 2bp)(1 − 2bq) − 4b²k²), p, q and k being variances and covariance of the
    input. Raises ValueError for b >= 0: e^(b·x²) then has an infinite variance for large inputs, or
    is constant.
    """

    _kind: ClassVar[str] = "Gaussian"
    a: float = 1.0
    b: float = -1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.b >= 0.0:
            raise ValueError(
                f"Gaussian: b is {self.b!r}; expected a number < 0, as a·e^(b·x²) has no finite "
                "variance otherwise (or is constant): for a bump of width s use b = -1/(2·s²)"
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
