"""Activations: the native layer, and the function in JAX."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from math import pi, sqrt
from typing import Any

import numpy as np

import ntkfast as nk
from ntkfast.neural_tangents._combinators import Layer
from ntkfast.neural_tangents._finite import jax_modules
from ntkfast.neural_tangents._spatial import without_parameters

__all__ = [
    "ABRelu",
    "Abs",
    "Cos",
    "Elementwise",
    "ElementwiseNumerical",
    "Erf",
    "Exp",
    "ExpNormalized",
    "Gabor",
    "Gaussian",
    "Gelu",
    "Hermite",
    "LeakyRelu",
    "Monomial",
    "Polynomial",
    "Rbf",
    "RectifiedMonomial",
    "Relu",
    "Sigmoid_like",
    "Sign",
    "Sin",
]


def _activation(name: str, network: nk.Network, function: Callable[[Any, Any, Any], Any]) -> Layer:
    """Return an activation; `function` takes jax, jax.numpy and the inputs."""

    def apply(x: Any, **_: Any) -> Any:
        return function(*jax_modules(), x)

    return without_parameters(name, network, apply)


def ABRelu(a: float, b: float, do_stabilize: bool = False, do_backprop: bool = False) -> Layer:
    """Return a·min(x, 0) + b·max(x, 0)."""
    network = nk.ABRelu(float(a), float(b))
    return _activation(
        "ABRelu", network, lambda jax, jnp, x: a * jnp.minimum(x, 0) + b * jnp.maximum(x, 0)
    )


def Relu(do_stabilize: bool = False, do_backprop: bool = False) -> Layer:
    """Return max(x, 0)."""
    return _activation("Relu", nk.Relu(), lambda jax, jnp, x: jnp.maximum(x, 0))


def LeakyRelu(alpha: float, do_stabilize: bool = False, do_backprop: bool = False) -> Layer:
    """Return alpha·min(x, 0) + max(x, 0)."""
    network = nk.LeakyRelu(float(alpha))
    return _activation(
        "LeakyRelu", network, lambda jax, jnp, x: alpha * jnp.minimum(x, 0) + jnp.maximum(x, 0)
    )


def Abs(do_stabilize: bool = False, do_backprop: bool = False) -> Layer:
    """Return |x|."""
    return _activation("Abs", nk.Abs(), lambda jax, jnp, x: jnp.abs(x))


def Sign() -> Layer:
    """Return the sign of x."""
    return _activation("Sign", nk.Sign(), lambda jax, jnp, x: jnp.sign(x))


def Erf(a: float = 1.0, b: float = 1.0, c: float = 0.0, do_backprop: bool = False) -> Layer:
    """Return a·erf(b·x) + c."""
    network = nk.Erf(float(a), float(b), float(c))
    return _activation("Erf", network, lambda jax, jnp, x: a * jax.scipy.special.erf(b * x) + c)


def Sigmoid_like() -> Layer:
    """Return ½·erf(x/2.4020563531719796) + ½."""
    return Erf(0.5, 1 / 2.4020563531719796, 0.5)


def Gelu(approximate: bool = False, do_backprop: bool = False) -> Layer:
    """Return x·Φ(x); ``approximate`` concerns finite networks alone."""
    return _activation(
        "Gelu", nk.Gelu(), lambda jax, jnp, x: jax.nn.gelu(x, approximate=approximate)
    )


def Sin(a: float = 1.0, b: float = 1.0, c: float = 0.0) -> Layer:
    """Return a·sin(b·x + c)."""
    network = nk.Sin(float(a), float(b), float(c))
    return _activation("Sin", network, lambda jax, jnp, x: a * jnp.sin(b * x + c))


def Cos(a: float = 1.0, b: float = 1.0, c: float = 0.0) -> Layer:
    """Return a·cos(b·x + c)."""
    network = nk.Cos(float(a), float(b), float(c))
    return _activation("Cos", network, lambda jax, jnp, x: a * jnp.cos(b * x + c))


def Rbf(gamma: float = 1.0) -> Layer:
    """Return √2·sin(√(2γ)·x + π/4), whose kernel is a Gaussian."""
    return _activation(
        "Rbf",
        nk.Rbf(float(gamma)),
        lambda jax, jnp, x: sqrt(2) * jnp.sin(sqrt(2 * gamma) * x + pi / 4),
    )


def Exp(a: float = 1.0, b: float = 1.0) -> Layer:
    """Return a·e^(b·x)."""
    return _activation("Exp", nk.Exp(float(a), float(b)), lambda jax, jnp, x: a * jnp.exp(b * x))


def Gaussian(a: float = 1.0, b: float = -1.0) -> Layer:
    """Return a·e^(b·x²)."""
    network = nk.Gaussian(float(a), float(b))
    return _activation("Gaussian", network, lambda jax, jnp, x: a * jnp.exp(b * x**2))


def Gabor() -> Layer:
    """Return e^(−x²)·sin(x)."""
    return _activation("Gabor", nk.Gabor(), lambda jax, jnp, x: jnp.exp(-(x**2)) * jnp.sin(x))


def Monomial(degree: int) -> Layer:
    """Return x^degree."""
    return _activation("Monomial", nk.Monomial(degree), lambda jax, jnp, x: x**degree)


def RectifiedMonomial(degree: int) -> Layer:
    """Return max(x, 0)^degree, and the step function for degree 0."""

    def function(jax: Any, jnp: Any, x: Any) -> Any:
        return jnp.where(x >= 0, x**degree, 0)

    return _activation("RectifiedMonomial", nk.RectifiedMonomial(degree), function)


def Polynomial(coef: Sequence[float]) -> Layer:
    """Return Σ coef[i]·x^i."""
    numbers = tuple(float(each) for each in coef)
    return _activation(
        "Polynomial",
        nk.Polynomial(numbers),
        lambda jax, jnp, x: jnp.polyval(jnp.asarray(numbers[::-1], x.dtype), x),
    )


def Hermite(degree: int) -> Layer:
    """Return the normalised Hermite polynomial of a degree."""
    coefficients = np.polynomial.hermite_e.herme2poly([0.0] * degree + [1.0])
    size = sqrt(float(np.prod(np.arange(1, degree + 1, dtype=float))))
    numbers = coefficients[::-1] / size
    return _activation(
        "Hermite",
        nk.Hermite(degree),
        lambda jax, jnp, x: jnp.polyval(jnp.asarray(numbers, x.dtype), x),
    )


def ExpNormalized(gamma: float = 1.0, shift: float = -1.0, do_clip: bool = False) -> Layer:
    """Return the map √(pq)·e^(γ·(ρ + shift)) of kernels, which has no finite network."""

    def function(jax: Any, jnp: Any, x: Any) -> Any:
        raise NotImplementedError("ExpNormalized is a map of kernels and has no finite network")

    return _activation("ExpNormalized", nk.ExpNormalized(float(gamma), float(shift)), function)


def ElementwiseNumerical(
    fn: Callable[[Any], Any],
    deg: int = 25,
    df: Callable[[Any], Any] | None = None,
    do_backprop: bool = False,
) -> Layer:
    """Return an activation that is known by its values; ``deg`` and ``df`` have no effect.

    See `ntkfast.Elementwise`: the number of nodes is chosen so that the error is known.
    """
    network = nk.Elementwise(_on_arrays(fn))
    return _activation("ElementwiseNumerical", network, lambda jax, jnp, x: fn(x))


def Elementwise(
    fn: Callable[[Any], Any] | None = None,
    nngp_fn: Callable[..., Any] | None = None,
    d_nngp_fn: Callable[..., Any] | None = None,
) -> Layer:
    """Return an activation that is known by its values.

    Raises
    ------
    NotImplementedError
        ``nngp_fn`` is given without ``fn``: kernels in Python are not provided.
    """
    if fn is None:
        raise NotImplementedError(
            "Elementwise: kernels given as functions (nngp_fn) are not provided; pass fn, the "
            "activation itself"
        )
    return ElementwiseNumerical(fn)


def _on_arrays(fn: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Return a function of NumPy arrays in float64; `fn` may be written in JAX."""

    def function(x: Any) -> Any:
        jax = sys.modules.get("jax")
        if jax is None:
            return np.asarray(fn(x), dtype=np.float64)
        double = jax if hasattr(jax, "enable_x64") else jax.experimental
        with double.enable_x64(True):
            return np.asarray(fn(x), dtype=np.float64)

    function.__name__ = getattr(fn, "__name__", "function")
    function.__qualname__ = function.__name__
    return function
