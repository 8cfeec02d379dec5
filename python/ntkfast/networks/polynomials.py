"""Activations made of powers."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from typing import Any, ClassVar

import numpy as np
from numpy.polynomial import polynomial

from ntkfast._scalars import as_count, as_real
from ntkfast.networks.activations import Activation, Array

__all__ = ["Hermite", "Monomial", "Polynomial", "RectifiedMonomial"]

HIGHEST = 1000
"""The highest degree. Beyond it, a float can hold the kernel of a power at hardly any variance."""


@dataclass(frozen=True, repr=False)
class Polynomial(Activation):
    """coef[0] + coef[1]·x + coef[2]·x² + …, of degree 1000 at most.

    If the terms of the coefficients nearly cancel, the cancelled digits are lost. Use `Hermite`
    for Hermite polynomials of high degree, which avoids this loss.

    Parameters
    ----------
    coef
        The coefficients, lowest degree first. A list becomes a tuple.

    Raises
    ------
    TypeError
        ``coef`` is not a tuple or list of real numbers.
    ValueError
        ``coef`` is empty, has more than 1001 entries, or contains NaN or infinities.

    References
    ----------
    O'Donnell (2014), "Analysis of Boolean Functions", section 11.2: the kernel, term by term in
    Hermite polynomials.
    """

    _kind: ClassVar[str] = "Polynomial"
    coef: tuple[float, ...]

    def __post_init__(self) -> None:
        name = "Polynomial: coef"
        if not isinstance(self.coef, (tuple, list)):
            raise TypeError(
                f"{name} is {self.coef!r}, of type {type(self.coef).__name__}; "
                "expected a tuple of numbers, lowest degree first"
            )
        if not 1 <= len(self.coef) <= HIGHEST + 1:
            raise ValueError(
                f"{name} has {len(self.coef)} numbers; "
                f"expected 1 to {HIGHEST + 1}, lowest degree first"
            )
        coef = tuple(as_real(value, f"{name}[{i}]") for i, value in enumerate(self.coef))
        object.__setattr__(self, "coef", coef)

    def _evaluate(self, x: Array) -> Array:
        return np.asarray(polynomial.polyval(x, self.coef), np.float64)

    def _derivative(self, x: Array) -> Array:
        return np.asarray(polynomial.polyval(x, polynomial.polyder(self.coef)), np.float64)


@dataclass(frozen=True, repr=False)
class _OfDegree(Activation):
    """An activation with an integer degree from 0 to 1000; otherwise TypeError or ValueError."""

    degree: int

    def __post_init__(self) -> None:
        name = f"{type(self).__name__}: degree"
        degree = as_count(self.degree, name, least=0)
        if degree > HIGHEST:
            raise ValueError(f"{name} is {degree}; expected an integer from 0 to {HIGHEST}")
        object.__setattr__(self, "degree", degree)


@dataclass(frozen=True, repr=False)
class Monomial(_OfDegree):
    """x**degree, for degrees from 0 to 1000; see `Polynomial`."""

    _kind: ClassVar[str] = "Polynomial"

    def _core_fields(self) -> dict[str, Any]:
        return {"coef": (*[0.0] * self.degree, 1.0)}

    def _evaluate(self, x: Array) -> Array:
        return x**self.degree

    def _derivative(self, x: Array) -> Array:
        return self.degree * x ** max(self.degree - 1, 0)


@dataclass(frozen=True, repr=False)
class Hermite(_OfDegree):
    """Heₙ(x)/√n!, the probabilists' Hermite polynomial of degree n from 0 to 1000, normalised.

    At unit variance its kernel is ρⁿ. At other variances, terms of lower degree appear. They keep
    all their digits, even if the variance is very close to 1.

    References
    ----------
    Daniely, Frostig, Singer (2016), "Toward Deeper Understanding of Neural Networks": duals at unit
    variance.
    """

    _kind: ClassVar[str] = "Hermite"

    def _evaluate(self, x: Array) -> Array:
        return self._last_two(x)[1]

    def _derivative(self, x: Array) -> Array:
        return sqrt(self.degree) * self._last_two(x)[0]

    def _last_two(self, x: Array) -> tuple[Array, Array]:
        """Return those of degrees n − 1 and n, from xhₙ = √(n + 1)·hₙ₊₁ + √n·hₙ₋₁."""
        before, last = np.zeros_like(x), np.ones_like(x)
        for n in range(self.degree):
            before, last = last, (x * last - sqrt(n) * before) / sqrt(n + 1)
        return before, last


@dataclass(frozen=True, repr=False)
class RectifiedMonomial(_OfDegree):
    """max(x, 0)**degree, for degrees from 0 to 1000.

    Degree 0 is the step function, which is 1 for x > 0 and 0 otherwise. The kernel of a row of
    zeros is then 0, and the derivative is taken as 0. Degree 1 is `Relu`.

    References
    ----------
    Cho, Saul (2009), "Kernel Methods for Deep Learning", section 2: arc-cosine kernels.
    """

    _kind: ClassVar[str] = "RectifiedMonomial"

    def _evaluate(self, x: Array) -> Array:
        return np.where(x > 0, np.maximum(x, 0.0) ** self.degree, 0.0)

    def _derivative(self, x: Array) -> Array:
        return np.where(x > 0, self.degree * np.maximum(x, 0.0) ** max(self.degree - 1, 0), 0.0)

    @property
    def _kinks(self) -> tuple[float, ...]:
        return (0.0,) if self.degree <= 1 else ()
