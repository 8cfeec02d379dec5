"""The kernels of an infinitely wide network at any precision: textbook formulae in mpmath.

This file never imports the package and uses none of its devices: it carries the plain moments of
a pair, ``k11 = E[h(x)²]``, ``k12 = E[h(x)h(y)]``, ``k22 = E[h(y)²]`` and the tangent kernel ``T``,
and pays for the cancellation in ``k11·k22 − k12²`` with digits instead of with care.

A network is a nested list: ``["serial", ["dense", 1.4, 0.1], ["relu"], ["dense", 1.4, None]]``.
Numbers and coordinates are taken as the exact binary values that they are.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from mpmath import atan2, cos, erf, exp, fac, fac2, fdot, ff, mp, mpf, pi, sin, sqrt, workdps

# What values in text have.
DIGITS = 50

# The difference k11·k22 − k12² may cost half of the digits in hand at coincident points, and a
# network of 50 layers a few more: what is left exceeds 60.
WORKING_DIGITS = 160

Network = Sequence[Any]
Number = Any  # an mpf; mpmath has no types
Dual = tuple[Number, Number]  # E[φ(u)φ(v)], E[φ'(u)φ'(v)]


@dataclass(frozen=True)
class Moments:
    """What one layer hands to the next about a pair of points."""

    k11: Number
    k12: Number
    k22: Number
    ntk: Number


Visit = Callable[[str, Moments], None]


def kernels(
    network: Network, x: Iterable[Any], y: Iterable[Any], digits: int = WORKING_DIGITS
) -> tuple[Number, Number]:
    """Return the NNGP and the NTK of two points, both right to more than 50 digits."""
    with workdps(digits):
        end = propagate(network, moments(x, y))
        return end.k12, end.ntk


def every_pair(network: Network, x: Sequence[Any]) -> dict[tuple[int, int], tuple[str, str]]:
    """Return the NNGP and the NTK of all pairs j ≤ i of points, as text."""
    with workdps(WORKING_DIGITS):
        values = {(i, j): kernels(network, x[i], x[j]) for i in range(len(x)) for j in range(i + 1)}
        return {
            pair: (mp.nstr(nngp, DIGITS), mp.nstr(ntk, DIGITS))
            for pair, (nngp, ntk) in values.items()
        }


def moments(x: Iterable[Any], y: Iterable[Any]) -> Moments:
    """Return the moments of a pair of inputs: k = x·y/d, T = 0."""
    u, v = list(map(exact, x)), list(map(exact, y))
    d = len(u)
    return Moments(fdot(u, u) / d, fdot(u, v) / d, fdot(v, v) / d, mpf(0))


def exact(value: Any) -> Number:
    """Return a coordinate, of whatever float type, as the number it is."""
    return value if isinstance(value, mpf) else mpf(float(value))


def nothing(kind: str, m: Moments) -> None:
    """Look away."""


def propagate(layer: Network, m: Moments, visit: Visit = nothing) -> Moments:
    """Send the moments of a pair through one layer or network; activations show theirs to visit."""
    kind, *rest = layer
    if kind == "serial":
        for part in rest:
            m = propagate(part, m, visit)
        return m
    if kind == "sum":
        return add([propagate(branch, m, visit) for branch in rest])
    if kind == "residual":
        return add([m, propagate(["serial", *rest], m, visit)])
    if kind == "dense":
        return dense(m, *rest)
    visit(kind, m)
    return activation(lambda p, k, q: DUALS[kind](p, k, q, *map(mpf, rest)), m)


def dense(m: Moments, w_std: float, b_std: float | None) -> Moments:
    """Apply k ← σ_w²k + σ_b² and T ← k + σ_w²T (Jacot et al. 2018, Theorem 1)."""
    w, b = mpf(w_std) ** 2, mpf(b_std or 0) ** 2
    k12 = w * m.k12 + b
    return Moments(w * m.k11 + b, k12, w * m.k22 + b, k12 + w * m.ntk)


def add(branches: Sequence[Moments]) -> Moments:
    """Add branches that are independent of each other."""
    first, *others = branches
    for m in others:
        first = Moments(first.k11 + m.k11, first.k12 + m.k12, first.k22 + m.k22, first.ntk + m.ntk)
    return first


def activation(dual: Callable[[Number, Number, Number], Dual], m: Moments) -> Moments:
    """Apply k ← E[φ(u)φ(v)] and T ← E[φ'(u)φ'(v)]·T."""
    k12, derivative = dual(m.k11, m.k12, m.k22)
    k11, _ = dual(m.k11, m.k11, m.k11)
    k22, _ = dual(m.k22, m.k22, m.k22)
    # Where a row is zero the derivative of a kinked φ may be undefined; T is then zero without it.
    return replace(m, k11=k11, k12=k12, k22=k22, ntk=derivative * m.ntk if m.ntk else mpf(0))


def piecewise_linear(p: Number, k: Number, q: Number, a: Number, b: Number) -> Dual:
    """φ(x) = a·min(x, 0) + b·max(x, 0): the arc-cosine kernels of Cho & Saul 2009."""
    root = sqrt(max(p * q - k * k, mpf(0)))
    theta = atan2(root, k)
    odd, even = (a - b) ** 2, (a * a + b * b) / 2
    derivative = even - odd * theta / (2 * pi)
    return odd * root / (2 * pi) + derivative * k, derivative


def error_function(p: Number, k: Number, q: Number, a: Number, b: Number, c: Number) -> Dual:
    """φ(x) = a·erf(bx) + c (Williams 1997, eq. 11)."""
    p, k, q = b * b * p, b * b * k, b * b * q
    root = sqrt((1 + 2 * p) * (1 + 2 * q) - 4 * k * k)
    value = a * a * (2 / pi) * atan2(2 * k, root) + c * c
    return value, 4 * a * a * b * b / (pi * root)


def gelu(p: Number, k: Number, q: Number) -> Dual:
    """φ(x) = x·Φ(x) (Tsuchida et al. 2021)."""
    n = (1 + p) * (1 + q)
    root = sqrt(n - k * k)
    alpha = atan2(k, root)
    value = k / 4 + ((k * k + p * q * root**2) / (n * root) + k * alpha) / (2 * pi)
    bend = k / (2 * pi * root) * (1 / root**2 + (1 - p * q) / n + 1)
    return value, mpf(1) / 4 + alpha / (2 * pi) + bend


def sinusoid(p: Number, k: Number, q: Number, a: Number, b: Number, c: Number) -> Dual:
    """φ(x) = a·sin(bx + c): a product of sines is half a difference of cosines."""
    p, k, q = b * b * p, b * b * k, b * b * q
    difference, total = exp(k - (p + q) / 2), cos(2 * c) * exp(-k - (p + q) / 2)
    return a * a / 2 * (difference - total), a * a * b * b / 2 * (difference + total)


def polynomial(p: Number, k: Number, q: Number, *coef: Number) -> Dual:
    """φ(x) = Σ a_j x^j, term by term in Hermite polynomials (O'Donnell 2014, section 11.2)."""

    def mean_of_derivative(order: int, v: Number) -> Number:
        """Return E[φ^(l)(u)] for u ~ N(0, v): even moments of what is left of each power."""
        return mp.fsum(
            a * ff(j, order) * fac2(j - order - 1) * v ** ((j - order) // 2)
            for j, a in enumerate(coef)
            if a and j >= order and (j - order) % 2 == 0
        )

    terms = [
        mean_of_derivative(order, p) * mean_of_derivative(order, q) for order in range(len(coef))
    ]
    value = mp.fsum(term * k**order / fac(order) for order, term in enumerate(terms))
    derivative = (term * k**order / fac(order) for order, term in enumerate(terms[1:]))
    return value, mp.fsum(derivative)


def power(degree: Number) -> list[Number]:
    """Return the coefficients of x**degree."""
    return [mpf(0)] * int(degree) + [mpf(1)]


def hermite(degree: Number) -> list[Number]:
    """Return the coefficients of He_n/√n!."""
    below, value = [mpf(0)], [mpf(1)]
    for n in range(int(degree)):
        padded = [*below, mpf(0), mpf(0)]
        raised = [mpf(0), *value]
        below, value = value, [a - n * b for a, b in zip(raised, padded, strict=False)]
    return [a / sqrt(fac(int(degree))) for a in value]


def rectified_power(p: Number, k: Number, q: Number, degree: Number) -> Dual:
    """φ(x) = max(x, 0)ⁿ: Cho & Saul 2009, with J_n by its recurrence; 0 where the row is zero."""
    n = int(degree)
    if not p * q:
        return mpf(0), mpf(0)
    theta = atan2(sqrt(max(p * q - k * k, mpf(0))), k)
    j = [pi - theta, sin(theta) + (pi - theta) * cos(theta)]
    for i in range(1, n):
        j.append((2 * i + 1) * cos(theta) * j[i] + i * i * sin(theta) ** 2 * j[i - 1])
    slope = n * n * sqrt(p * q) ** (n - 1) * j[n - 1] / (2 * pi) if n else mpf(0)
    return sqrt(p * q) ** n * j[n] / (2 * pi), slope


def power_sum(x: Number, coef: Sequence[Number]) -> Number:
    """Return Σ a_j x^j."""
    return mp.fsum(a * x**j for j, a in enumerate(coef) if a)


def power_sum_slope(x: Number, coef: Sequence[Number]) -> Number:
    """Return Σ j·a_j x^(j−1)."""
    return mp.fsum(j * a * x ** (j - 1) for j, a in enumerate(coef) if a and j)


DUALS: dict[str, Callable[..., Dual]] = {
    "identity": lambda p, k, q: (k, mpf(1)),
    "relu": lambda p, k, q: piecewise_linear(p, k, q, mpf(0), mpf(1)),
    "leaky_relu": lambda p, k, q, alpha: piecewise_linear(p, k, q, alpha, mpf(1)),
    "abrelu": piecewise_linear,
    "abs": lambda p, k, q: piecewise_linear(p, k, q, mpf(-1), mpf(1)),
    "erf": error_function,
    "gelu": gelu,
    "sin": sinusoid,
    "cos": lambda p, k, q, a, b, c: sinusoid(p, k, q, a, b, c + pi / 2),
    "polynomial": polynomial,
    "monomial": lambda p, k, q, degree: polynomial(p, k, q, *power(degree)),
    "hermite": lambda p, k, q, degree: polynomial(p, k, q, *hermite(degree)),
    "rectified_monomial": rectified_power,
}

# The functions themselves and their derivatives: what the duals above are expectations of.
FUNCTIONS: dict[str, tuple[Callable[..., Number], Callable[..., Number]]] = {
    "identity": (lambda x: x, lambda x: mpf(1)),
    "relu": (lambda x: max(x, mpf(0)), lambda x: mpf(x > 0)),
    "leaky_relu": (lambda x, s: x if x > 0 else s * x, lambda x, s: mpf(1) if x > 0 else s),
    "abrelu": (
        lambda x, a, b: a * min(x, mpf(0)) + b * max(x, mpf(0)),
        lambda x, a, b: b if x > 0 else a,
    ),
    "abs": (abs, lambda x: mpf(1) if x > 0 else mpf(-1)),
    "erf": (
        lambda x, a, b, c: a * erf(b * x) + c,
        lambda x, a, b, c: 2 * a * b / sqrt(pi) * exp(-((b * x) ** 2)),
    ),
    "gelu": (
        lambda x: x * mp.ncdf(x),
        lambda x: mp.ncdf(x) + x * mp.npdf(x),
    ),
    "sin": (
        lambda x, a, b, c: a * sin(b * x + c),
        lambda x, a, b, c: a * b * cos(b * x + c),
    ),
    "cos": (
        lambda x, a, b, c: a * cos(b * x + c),
        lambda x, a, b, c: -a * b * sin(b * x + c),
    ),
    "polynomial": (
        lambda x, *coef: power_sum(x, coef),
        lambda x, *coef: power_sum_slope(x, coef),
    ),
    "monomial": (
        lambda x, n: x**n,
        lambda x, n: n * x ** (n - 1),
    ),
    "hermite": (
        lambda x, n: power_sum(x, hermite(n)),
        lambda x, n: power_sum_slope(x, hermite(n)),
    ),
    "rectified_monomial": (
        lambda x, n: x**n if x > 0 else mpf(0),
        lambda x, n: n * x ** (n - 1) if x > 0 else mpf(0),
    ),
}
