"""Functions of one number at any precision, and their derivatives.

All take the functions of mathematics `m`, mpmath's `mp` or gmpy2, and a number z of that package,
and return φ(z) and φ'(z). Python's floats in them count as the exact binary numbers that they are.
The derivative at a kink or a step is that of one side.
"""

from collections.abc import Callable, Sequence
from typing import Any

Exact = Callable[[Any, Any], tuple[Any, Any]]


def tanh(m: Any, z: Any) -> tuple[Any, Any]:
    e = m.exp(-2 * abs(z))
    return m.tanh(z), 4 * e / (1 + e) ** 2


def sigmoid(m: Any, z: Any) -> tuple[Any, Any]:
    e = m.exp(-abs(z))
    return (1 if z > 0 else e) / (1 + e), e / (1 + e) ** 2


def softplus(m: Any, z: Any) -> tuple[Any, Any]:
    e = m.exp(-abs(z))
    return max(z, 0) + m.log1p(e), (1 if z > 0 else e) / (1 + e)


def swish(m: Any, z: Any) -> tuple[Any, Any]:
    value, slope = sigmoid(m, z)
    return z * value, value + z * slope


def mish(m: Any, z: Any) -> tuple[Any, Any]:
    e = m.exp(z)
    w = e * (e + 2)
    return z * w / (w + 2), w / (w + 2) + 4 * z * e * (e + 1) / (w + 2) ** 2


def gaussian(m: Any, z: Any, height: float = 1, rate: float = 1) -> tuple[Any, Any]:
    e = height * m.exp(-rate * z * z)
    return e, -2 * rate * z * e


def tanh_and_bump(m: Any, z: Any, height: float) -> tuple[Any, Any]:
    value, slope = tanh(m, z)
    bump, bump_slope = gaussian(m, z - 1, height, 1e6)
    return value + bump, slope + bump_slope


def normal(m: Any, z: Any) -> tuple[Any, Any]:
    return m.erfc(-z / m.sqrt(2 + 0 * z)) / 2, m.exp(-z * z / 2) / m.sqrt(8 * m.atan(1 + 0 * z))


def gelu(m: Any, z: Any) -> tuple[Any, Any]:
    value, slope = normal(m, z)
    return z * value, value + z * slope


def erf(m: Any, z: Any) -> tuple[Any, Any]:
    return m.erf(z), m.exp(-z * z) / m.sqrt(m.atan(1 + 0 * z))


def softsign(m: Any, z: Any) -> tuple[Any, Any]:
    return z / (1 + abs(z)), 1 / (1 + abs(z)) ** 2


def sinc(m: Any, z: Any) -> tuple[Any, Any]:
    if abs(z) < 0.125:  # the quotients cancel: the power series
        value, slope, term = 0 * z, 0 * z, 1 + 0 * z
        for n in range(2, 32, 2):
            value += term
            odd = -z * term / (n * (n + 1))
            slope += n * odd
            term = z * odd
        return value, slope
    return m.sin(z) / z, (m.cos(z) - m.sin(z) / z) / z


def sech(m: Any, z: Any) -> tuple[Any, Any]:
    e = m.exp(-abs(z))
    value = 2 * e / (1 + e * e)
    return value, -m.tanh(z) * value


def elu(m: Any, z: Any, alpha: float, scale: float = 1) -> tuple[Any, Any]:
    if z > 0:
        return scale * z, scale * (1 + 0 * z)
    return scale * (alpha * m.expm1(z)), scale * (alpha * m.exp(z))


def z_log_abs(m: Any, z: Any) -> tuple[Any, Any]:
    logarithm = m.log(abs(z))
    return z * logarithm, logarithm + 1


def power(exponent: float, odd: bool = False) -> Exact:
    def exact(m: Any, z: Any) -> tuple[Any, Any]:
        value = m.exp(exponent * m.log(abs(z)))
        sign = 1 if z > 0 else -1
        return (sign * value if odd else value), exponent * value / (abs(z) if odd else z)

    return exact


def scaled(exact: Exact, inner: float = 1, outer: float = 1, shift: float = 0) -> Exact:
    """Return outer·φ(inner·z) + shift."""

    def function(m: Any, z: Any) -> tuple[Any, Any]:
        value, slope = exact(m, inner * z)
        return outer * value + shift, outer * (inner * slope)

    return function


def moved(exact: Exact, offset: float) -> Exact:
    """Return φ(z − offset)."""
    return lambda m, z: exact(m, z - offset)


def steps(at: Sequence[float], values: Sequence[float]) -> Exact:
    """Return a function constant between steps."""
    return lambda m, z: (values[sum(z > step for step in at)] + 0 * z, 0 * z)


def pieces(at: Sequence[float], lines: Sequence[tuple[float, float]]) -> Exact:
    """Return a function linear between kinks: values at 0 and slopes."""

    def exact(m: Any, z: Any) -> tuple[Any, Any]:
        start, slope = lines[sum(z > kink for kink in at)]
        return start + slope * z, slope + 0 * z

    return exact


def sine(frequency: float, shift: float = 0) -> Exact:
    return lambda m, z: (
        m.sin(frequency * z) + shift,
        frequency * m.cos(frequency * z),
    )


def cosine(frequency: float) -> Exact:
    return lambda m, z: (m.cos(frequency * z), -frequency * m.sin(frequency * z))


def z_sine(frequency: float) -> Exact:
    def exact(m: Any, z: Any) -> tuple[Any, Any]:
        sin, cos = m.sin(frequency * z), m.cos(frequency * z)
        return z * sin, sin + frequency * z * cos

    return exact


def hardswish(m: Any, z: Any) -> tuple[Any, Any]:
    if abs(z) > 3:
        return (z, 1 + 0 * z) if z > 0 else (0 * z, 0 * z)
    return z * (z + 3) / 6, (2 * z + 3) / 6
