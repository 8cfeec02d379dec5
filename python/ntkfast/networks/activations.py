"""Activations.

A new activation is a small class, here or in the module of its family (`exponentials`). It has its
name in the core, its parameters as fields and, for finite networks, the function and derivative.
The core reads these fields by name. A class that overrides `_core_fields` is a special case of an
activation that the core knows.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, fields
from math import pi, sqrt
from typing import Any, ClassVar, TypeAlias

import numpy as np
import numpy.typing as npt

from ntkfast._optional import MissingExtraError
from ntkfast._scalars import as_real
from ntkfast.networks.base import Network

__all__ = [
    "ABRelu",
    "Abs",
    "Activation",
    "Array",
    "Cos",
    "Erf",
    "Gelu",
    "Identity",
    "LeakyRelu",
    "Relu",
    "SigmoidLike",
    "Sign",
    "Sin",
]

Array: TypeAlias = npt.NDArray[np.float64]


@dataclass(frozen=True, repr=False)
class Activation(Network):
    """An elementwise activation whose fields are all finite numbers.

    Its input must be Gaussian, so a Dense must follow the previous activation. Fields that are not
    numbers raise TypeError; NaN and infinities raise ValueError.
    """

    def __post_init__(self) -> None:
        for field in fields(self):
            name = f"{type(self).__name__}: {field.name}"
            object.__setattr__(self, field.name, as_real(getattr(self, field.name), name))

    @abstractmethod
    def _evaluate(self, x: Array) -> Array:
        """Return the function's values, element by element, for finite networks."""

    @abstractmethod
    def _derivative(self, x: Array) -> Array:
        """Return the derivative; at a kink, from the left."""

    @property
    def _kinks(self) -> tuple[float, ...]:
        """Points at which the function or its derivative jumps."""
        return ()


@dataclass(frozen=True, repr=False)
class Identity(Activation):
    """x, for linear networks. Unlike the other activations, it accepts any input."""

    _kind: ClassVar[str] = "Identity"

    def _evaluate(self, x: Array) -> Array:
        return x

    def _derivative(self, x: Array) -> Array:
        return np.ones_like(x)


@dataclass(frozen=True, repr=False)
class _PiecewiseLinear(Activation):
    """a·min(x, 0) + b·max(x, 0) for any a and b, which the core calls `ABRelu`."""

    @property
    def _slopes(self) -> tuple[float, float]:
        known = self._core_fields()
        return known["a"], known["b"]

    def _evaluate(self, x: Array) -> Array:
        a, b = self._slopes
        right = np.maximum(x, 0.0)
        return right if (a, b) == (0.0, 1.0) else a * np.minimum(x, 0.0) + b * right

    def _derivative(self, x: Array) -> Array:
        a, b = self._slopes
        right = (x > 0).astype(np.float64)  # np.where takes three times as long for random signs
        return right if (a, b) == (0.0, 1.0) else a * (1.0 - right) + b * right

    @property
    def _kinks(self) -> tuple[float, ...]:
        a, b = self._slopes
        return (0.0,) if a != b else ()


@dataclass(frozen=True, repr=False)
class ABRelu(_PiecewiseLinear):
    """a·min(x, 0) + b·max(x, 0).

    References
    ----------
    Cho, Saul (2009), "Kernel Methods for Deep Learning", section 2: arc-cosine kernels.
    """

    _kind: ClassVar[str] = "ABRelu"
    a: float
    b: float


@dataclass(frozen=True, repr=False)
class Relu(_PiecewiseLinear):
    """max(x, 0)."""

    _kind: ClassVar[str] = "ABRelu"

    def _core_fields(self) -> dict[str, Any]:
        return {"a": 0.0, "b": 1.0}


@dataclass(frozen=True, repr=False)
class LeakyRelu(_PiecewiseLinear):
    """alpha·min(x, 0) + max(x, 0)."""

    _kind: ClassVar[str] = "ABRelu"
    alpha: float = 0.01

    def _core_fields(self) -> dict[str, Any]:
        return {"a": self.alpha, "b": 1.0}


@dataclass(frozen=True, repr=False)
class Abs(_PiecewiseLinear):
    """|x|."""

    _kind: ClassVar[str] = "ABRelu"

    def _core_fields(self) -> dict[str, Any]:
        return {"a": -1.0, "b": 1.0}


@dataclass(frozen=True, repr=False)
class Sign(Activation):
    """The sign of x: -1, 0 or 1.

    Its derivative is 0 almost everywhere, so only later layers contribute to the NTK.

    References
    ----------
    Cho, Saul (2009), "Kernel Methods for Deep Learning", section 2: the arc-cosine kernel of
    degree 0, for the step function.
    """

    _kind: ClassVar[str] = "Sign"

    def _evaluate(self, x: Array) -> Array:
        return np.sign(x)

    def _derivative(self, x: Array) -> Array:
        return np.zeros_like(x)

    @property
    def _kinks(self) -> tuple[float, ...]:
        return (0.0,)


@dataclass(frozen=True, repr=False)
class _ErrorFunction(Activation):
    """a·erf(b·x) + c for any a, b and c, which the core calls `Erf`."""

    @property
    def _shape(self) -> tuple[float, float, float]:
        known = self._core_fields()
        return known["a"], known["b"], known["c"]

    def _evaluate(self, x: Array) -> Array:
        a, b, c = self._shape
        return a * _erf(b * x, type(self).__name__) + c

    def _derivative(self, x: Array) -> Array:
        a, b, _ = self._shape
        return 2.0 * a * b / sqrt(pi) * np.exp(-((b * x) ** 2))


@dataclass(frozen=True, repr=False)
class Erf(_ErrorFunction):
    """a·erf(b·x) + c.

    References
    ----------
    Williams (1997), "Computing with Infinite Networks", section 3.1.
    """

    _kind: ClassVar[str] = "Erf"
    a: float = 1.0
    b: float = 1.0
    c: float = 0.0


@dataclass(frozen=True, repr=False)
class SigmoidLike(_ErrorFunction):
    """½·erf(x/2.4020563531719796) + ½, an approximation of the logistic function 1/(1 + e^(−x)).

    It equals Erf(0.5, 1/2.4020563531719796, 0.5) and has the same closed form.
    """

    _kind: ClassVar[str] = "Erf"

    def _core_fields(self) -> dict[str, Any]:
        return {"a": 0.5, "b": 1.0 / 2.4020563531719796, "c": 0.5}


@dataclass(frozen=True, repr=False)
class Gelu(Activation):
    """x·Φ(x), where Φ is the exact normal distribution function, not an approximation by tanh.

    References
    ----------
    Hendrycks, Gimpel (2016), "Gaussian Error Linear Units".
    Tsuchida, Pearce, van der Heide, Roosta, Gallagher (2021), "Avoiding Kernel Fixed Points:
    Computing with ELU and GELU Infinite Networks": the kernel.
    """

    _kind: ClassVar[str] = "Gelu"

    def _evaluate(self, x: Array) -> Array:
        return 0.5 * x * (1.0 + _erf(x / sqrt(2.0), "Gelu"))

    def _derivative(self, x: Array) -> Array:
        density = np.exp(-0.5 * x**2) / sqrt(2.0 * pi)
        return 0.5 * (1.0 + _erf(x / sqrt(2.0), "Gelu")) + x * density


@dataclass(frozen=True, repr=False)
class Sin(Activation):
    """a·sin(b·x + c).

    References
    ----------
    Rahimi, Recht (2007), "Random Features for Large-Scale Kernel Machines", section 3: the mean
    over c, a Gaussian kernel; a single c adds a second term.
    """

    _kind: ClassVar[str] = "Sin"
    a: float = 1.0
    b: float = 1.0
    c: float = 0.0

    def _core_fields(self) -> dict[str, Any]:
        return {**super()._core_fields(), "quarter_ahead": False}

    def _evaluate(self, x: Array) -> Array:
        return self.a * np.sin(self.b * x + self.c)

    def _derivative(self, x: Array) -> Array:
        return self.a * self.b * np.cos(self.b * x + self.c)


@dataclass(frozen=True, repr=False)
class Cos(Activation):
    """a·cos(b·x + c); see Sin."""

    _kind: ClassVar[str] = "Sin"
    a: float = 1.0
    b: float = 1.0
    c: float = 0.0

    def _core_fields(self) -> dict[str, Any]:
        return {**super()._core_fields(), "quarter_ahead": True}

    def _evaluate(self, x: Array) -> Array:
        return self.a * np.cos(self.b * x + self.c)

    def _derivative(self, x: Array) -> Array:
        return -self.a * self.b * np.sin(self.b * x + self.c)


def _erf(x: Array, caller: str) -> Array:
    try:
        from scipy.special import erf
    except ImportError as error:
        raise MissingExtraError(f"{caller} in a finite network", "scipy", "scipy") from error
    values: Array = erf(x)
    return values
