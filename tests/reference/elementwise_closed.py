"""Closed forms of E[φ(u)φ(v)] and E[φ'(u)φ'(v)] for functions of `elementwise.py`.

All take E[u²], E[uv] and E[v²].
"""

from collections.abc import Callable
from typing import Any

from mpmath import asin, cosh, exp, expm1, gamma, hyp2f1, inf, matrix, mp, mpf, pi, sinh, sqrt

Pair = tuple[Any, Any]
Closed = Callable[[Any, Any, Any], Pair]


def sines(a: float, shift: float = 0) -> Closed:
    def closed(p: Any, k: Any, q: Any) -> Pair:
        even, odd = waves(a, p, k, q)
        return odd + shift**2, a**2 * even

    return closed


def cosines(a: float) -> Closed:
    def closed(p: Any, k: Any, q: Any) -> Pair:
        even, odd = waves(a, p, k, q)
        return even, a**2 * odd

    return closed


def waves(a: float, p: Any, k: Any, q: Any) -> Pair:
    """Return E[cos(au)·cos(av)] and that of sines."""
    near, far = exp(-a * a * (p + q - 2 * k) / 2), exp(-a * a * (p + q + 2 * k) / 2)
    return (near + far) / 2, (near - far) / 2


def z_sine(p: Any, k: Any, q: Any) -> Pair:
    """Return the values of z·sin(5z): derivatives of E[cos(au)·cos(bv)] and of sines in a and b."""
    a, even, odd, first, second_even, second_odd = 5, 0, 0, 0, 0, 0
    for sign in (
        1,
        -1,
    ):  # cos·cos and ±sin·sin as cos(au ∓ bv), whose mean is e^−(p a² + q b² ∓ 2kab)/2
        wave = exp(-a * a * (p + q - 2 * sign * k) / 2) / 2
        by_a, by_b = a * (sign * k - p), a * (sign * k - q)
        by_both = by_a * by_b + sign * k
        even, odd = even + wave, odd + sign * wave
        first += sign * wave * (by_a + by_b)
        second_even, second_odd = second_even + wave * by_both, second_odd + sign * wave * by_both
    return second_even, odd + a * first + a * a * second_odd


def bells(a: float) -> Closed:
    """Return the values of e^(−az²)."""

    def closed(p: Any, k: Any, q: Any) -> Pair:
        det = (1 + 2 * a * p) * (1 + 2 * a * q) - 4 * a * a * k * k
        return 1 / sqrt(det), 4 * a * a * k / sqrt(det) ** 3

    return closed


def bump(p: Any, k: Any, q: Any) -> Pair:
    """Return the values of 1e4·e^(−a(z−1)²), whose slopes are derivatives in the two centres."""
    a = 10**4
    inverse = (mp.eye(2) + 2 * a * matrix([[p, k], [k, q]])) ** -1
    first, second = inverse[0, 0] + inverse[0, 1], inverse[1, 0] + inverse[1, 1]
    value = 10**8 * sqrt(mp.det(inverse)) * exp(-a * (first + second))
    return value, value * (4 * a * a * first * second - 2 * a * inverse[0, 1])


def errors(a: float) -> Closed:
    def closed(p: Any, k: Any, q: Any) -> Pair:
        p, k, q = a * a * p, a * a * k, a * a * q
        product = (1 + 2 * p) * (1 + 2 * q)
        slope = 4 / (pi * sqrt(product - 4 * k * k))
        return 2 / pi * asin(2 * k / sqrt(product)), a * a * slope

    return closed


def normal(p: Any, k: Any, q: Any) -> Pair:
    product = (1 + p) * (1 + q)
    return mpf("0.25") + asin(k / sqrt(product)) / (2 * pi), 1 / (2 * pi * sqrt(product - k * k))


def z_gaussian(p: Any, k: Any, q: Any) -> Pair:
    det = (1 + p) * (1 + q) - k * k
    return k / sqrt(det) ** 3, 1 / sqrt(det) ** 3 + 3 * k * k / sqrt(det) ** 5


def even_power(exponent: Any, p: Any, k: Any, q: Any) -> Any:
    square, half = k * k / (p * q), mpf(exponent) / 2
    if square == 1 and exponent <= -0.5:
        return inf
    radial = sqrt(p * q) ** exponent * 2**exponent * gamma(half + 0.5) ** 2 / pi
    return radial * hyp2f1(-half, -half, 0.5, square)


def odd_power(exponent: Any, p: Any, k: Any, q: Any) -> Any:
    square, half = k * k / (p * q), mpf(exponent) / 2
    if square == 1 and exponent <= -0.5:
        return inf
    radial = sqrt(p * q) ** exponent * 2 ** (exponent + 1) * gamma(half + 1) ** 2 / pi
    return radial * k / sqrt(p * q) * hyp2f1(0.5 - half, 0.5 - half, 1.5, square)


def powers(exponent: float, odd: bool = False) -> Closed:
    value, slope = (odd_power, even_power) if odd else (even_power, odd_power)
    a = mpf(exponent)
    return lambda *m: (value(a, *m), a * a * slope(a - 1, *m))


CLOSED: dict[str, Closed] = {
    "sign": lambda p, k, q: (2 / pi * asin(k / sqrt(p * q)), mpf(0)),
    "step": lambda p, k, q: (mpf("0.25") + asin(k / sqrt(p * q)) / (2 * pi), mpf(0)),
    "sin_3": sines(3),
    "sin_10": sines(10),
    "cos_10": cosines(10),
    "sin_40": sines(40),
    "cos": cosines(1),
    "sin_plus_1e3": sines(1, 1000),
    "z_sin_5": z_sine,
    "bump_1e4": bump,
    "gaussian_narrow": bells(10**4),
    "gaussian": bells(1),
    "z_gaussian": z_gaussian,
    "erf_1000": errors(1000),
    "erf": errors(1),
    "normal": normal,
    "square": lambda p, k, q: (p * q + 2 * k * k, 4 * k),
    "cube": lambda p, k, q: (9 * p * q * k + 6 * k**3, 9 * (p * q + 2 * k * k)),
    "exp": lambda p, k, q: (exp((p + q) / 2 + k), exp((p + q) / 2 + k)),
    "expm1": lambda p, k, q: (
        exp((p + q) / 2) * expm1(k) + expm1(p / 2) * expm1(q / 2),
        exp((p + q) / 2 + k),
    ),
    "sinh": lambda p, k, q: (exp((p + q) / 2) * sinh(k), exp((p + q) / 2) * cosh(k)),
    "sqrt_abs": powers(0.5),
    "power_0_55": powers(0.55),
    "power_0_75": powers(0.75),
    "signed_sqrt": powers(0.5, odd=True),
    "power_1_5": powers(1.5),
}
