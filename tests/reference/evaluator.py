"""The kernels of an infinitely wide network at any precision: textbook formulae in mpmath.

This file never imports the package and uses none of its methods. It computes the plain moments of
a pair, ``k11 = E[h(x)²]``, ``k12 = E[h(x)h(y)]``, ``k22 = E[h(y)²]``, and the tangent kernel ``T``.
It handles the cancellation in ``k11·k22 − k12²`` by additional digits.

A network is a nested list: ``["serial", ["dense", 1.4, 0.1], ["relu"], ["dense", 1.4, None]]``.
Numbers and coordinates are used as exact binary values.
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
    same: bool  # whether the two points are one sample, which drops the same neurons
    width: int  # how many neurons the layer has; 1 where it does not say


Visit = Callable[[str, Moments], None]


def kernels(
    network: Network,
    x: Iterable[Any],
    y: Iterable[Any],
    digits: int = WORKING_DIGITS,
    *,
    same: bool = False,
) -> tuple[Number, Number]:
    """Return the NNGP and the NTK of two points, or of one, both right to more than 50 digits."""
    with workdps(digits):
        end = propagate(network, moments(x, y, same=same))
        return end.k12, end.ntk


def every_pair(network: Network, x: Sequence[Any]) -> dict[tuple[int, int], tuple[str, str]]:
    """Return the NNGP and the NTK of all pairs j ≤ i of points, as text."""
    with workdps(WORKING_DIGITS):
        values = {
            (i, j): kernels(network, x[i], x[j], same=i == j)
            for i in range(len(x))
            for j in range(i + 1)
        }
        return {
            pair: (mp.nstr(nngp, DIGITS), mp.nstr(ntk, DIGITS))
            for pair, (nngp, ntk) in values.items()
        }


def moments(x: Iterable[Any], y: Iterable[Any], *, same: bool = False) -> Moments:
    """Return the moments of a pair of inputs: k = x·y/d, T = 0."""
    u, v = list(map(exact, x)), list(map(exact, y))
    d = len(u)
    return Moments(fdot(u, u) / d, fdot(u, v) / d, fdot(v, v) / d, mpf(0), same, d)


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
    if kind in JOINS:
        return JOINS[kind]([propagate(branch, m, visit) for branch in rest])
    if kind == "residual":
        return add([m, propagate(["serial", *rest], m, visit)])
    if kind in LAYERS:
        return LAYERS[kind](m, *rest)
    visit(kind, m)
    return activation(lambda p, k, q: DUALS[kind](p, k, q, *map(mpf, rest)), m)


def dense(
    m: Moments, w_std: float, b_std: float | None, width: int | None = None, training: str = "ntk"
) -> Moments:
    """Apply k ← σ_w²k + σ_b² and T ← σ_w²T + what is trained here.

    That is k (Jacot et al. 2018, Theorem 1); in the standard parameterization the old k, times the
    number of weights a neuron has, and 1 for a bias; nothing where the layer is frozen.
    """
    w, b = mpf(w_std) ** 2, mpf(b_std or 0) ** 2
    k12 = w * m.k12 + b
    own = {
        "ntk": k12,
        "standard": m.width * m.k12 + (b_std is not None),
        "frozen": mpf(0),
    }[training]
    return Moments(w * m.k11 + b, k12, w * m.k22 + b, own + w * m.ntk, m.same, width or 1)


def layer_norm(m: Moments, eps: float) -> Moments:
    """Divide by √((k11 + ε)(k22 + ε)), at the limit of a row that becomes zero by itself."""
    p, q = m.k11 + mpf(eps), m.k22 + mpf(eps)
    size = sqrt(p * q) or mpf(1)
    return replace(
        m, k11=m.k11 / (p or 1), k12=m.k12 / size, k22=m.k22 / (q or 1), ntk=m.ntk / size
    )


def dropout(m: Moments, keep: float) -> Moments:
    """Divide by the probability to be kept where a sample meets itself, also beside the pair."""
    r = mpf(keep)
    k12, ntk = (m.k12 / r, m.ntk / r) if m.same else (m.k12, m.ntk)
    return replace(m, k11=m.k11 / r, k12=k12, k22=m.k22 / r, ntk=ntk)


def add(branches: Sequence[Moments]) -> Moments:
    """Add branches that are independent of each other."""
    return weighted(branches, [mpf(1)] * len(branches))


def concatenate(branches: Sequence[Moments]) -> Moments:
    """Average over branches side by side, in proportion to their widths."""
    total = sum(m.width for m in branches)
    joined = weighted(branches, [mpf(m.width) / total for m in branches])
    return replace(joined, width=total)


def weighted(branches: Sequence[Moments], weights: Sequence[Number]) -> Moments:
    """Add branches times weights."""

    def total(name: str) -> Number:
        return fdot(weights, [getattr(m, name) for m in branches])

    width = max(m.width for m in branches)
    return replace(
        branches[0], **{name: total(name) for name in ("k11", "k12", "k22", "ntk")}, width=width
    )


def multiply(branches: Sequence[Moments]) -> Moments:
    """Multiply branches that are independent of each other; T by the product rule."""
    first, *others = branches
    for m in others:
        first = replace(
            first,
            k11=first.k11 * m.k11,
            k12=first.k12 * m.k12,
            k22=first.k22 * m.k22,
            ntk=first.ntk * m.k12 + first.k12 * m.ntk,
            width=max(first.width, m.width),
        )
    return first


LAYERS: dict[str, Callable[..., Moments]] = {
    "dense": dense,
    "layer_norm": layer_norm,
    "dropout": dropout,
}
JOINS: dict[str, Callable[[Sequence[Moments]], Moments]] = {
    "sum": add,
    "concatenate": concatenate,
    "product": multiply,
}


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
    # A zero row is the limit of a small bias: at a right angle to others, equal to other zero rows.
    theta = pi / 2 if bool(p) != bool(q) else atan2(root, k)
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


def sign(p: Number, k: Number, q: Number) -> Dual:
    """φ(x) = −1, 0 or 1: twice the arc-cosine kernel of degree 0 (Cho & Saul 2009), less 1."""
    if not p or not q:
        return mpf(0), mpf(0)
    return 1 - 2 * atan2(sqrt(max(p * q - k * k, mpf(0))), k) / pi, mpf(0)


def exponential(p: Number, k: Number, q: Number, a: Number, b: Number) -> Dual:
    """φ(x) = a·e^{bx}: the mean of e^{b(u+v)}, a log-normal variable."""
    value = a * a * exp(b * b * (p + q + 2 * k) / 2)
    return value, b * b * value


def exp_normalized(p: Number, k: Number, q: Number, gamma: Number, shift: Number) -> Dual:
    """The map √(pq)·e^{γ(ρ + shift)} and its derivative by k (Shankar et al. 2020)."""
    root = sqrt(p * q)
    if not root:
        return mpf(0), mpf(0)
    factor = exp(gamma * (k / root + shift))
    return root * factor, gamma * factor


def gaussian(p: Number, k: Number, q: Number, a: Number, b: Number) -> Dual:
    """φ(x) = a·e^{bx²}: a Gaussian integral."""
    d = (1 - 2 * b * p) * (1 - 2 * b * q) - 4 * b * b * k * k
    return a * a / sqrt(d), 4 * a * a * b * b * k / (d * sqrt(d))


def gabor(p: Number, k: Number, q: Number) -> Dual:
    """φ(x) = e^{−x²}·sin x: Gaussian integrals of cos(u − v) and cos(u + v)."""
    d = (1 + 2 * p) * (1 + 2 * q) - 4 * k * k
    t = p + q + 4 * (p * q - k * k)
    same, opposite = exp(-(t - 2 * k) / (2 * d)), exp(-(t + 2 * k) / (2 * d))
    u = 4 * k / d + ((1 + 4 * k) * d - 4 * k * (t - 2 * k)) / (d * d)
    v = 4 * k / d + ((4 * k - 1) * d - 4 * k * (t + 2 * k)) / (d * d)
    return (same - opposite) / (2 * sqrt(d)), (same * u - opposite * v) / (2 * sqrt(d))


# What the package's SigmoidLike is defined as, b being that float.
SIGMOID_LIKE = 0.5, 1.0 / 2.4020563531719796, 0.5


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
    "sign": sign,
    "erf": error_function,
    "sigmoid_like": lambda p, k, q: error_function(p, k, q, *map(mpf, SIGMOID_LIKE)),
    "gelu": gelu,
    "sin": sinusoid,
    "cos": lambda p, k, q, a, b, c: sinusoid(p, k, q, a, b, c + pi / 2),
    "rbf": lambda p, k, q, g: sinusoid(p, k, q, sqrt(mpf(2)), sqrt(2 * g), pi / 4),
    "exp": exponential,
    "exp_normalized": exp_normalized,
    "gaussian": gaussian,
    "gabor": gabor,
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
    "sign": (lambda x: mpf(1) if x > 0 else mpf(-1), lambda x: mpf(0)),
    "erf": (
        lambda x, a, b, c: a * erf(b * x) + c,
        lambda x, a, b, c: 2 * a * b / sqrt(pi) * exp(-((b * x) ** 2)),
    ),
    "sigmoid_like": (
        lambda x: FUNCTIONS["erf"][0](x, *map(mpf, SIGMOID_LIKE)),
        lambda x: FUNCTIONS["erf"][1](x, *map(mpf, SIGMOID_LIKE)),
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
    "rbf": (
        lambda x, g: sqrt(mpf(2)) * sin(sqrt(2 * g) * x + pi / 4),
        lambda x, g: 2 * sqrt(g) * cos(sqrt(2 * g) * x + pi / 4),
    ),
    "exp": (
        lambda x, a, b: a * exp(b * x),
        lambda x, a, b: a * b * exp(b * x),
    ),
    "gaussian": (
        lambda x, a, b: a * exp(b * x * x),
        lambda x, a, b: 2 * a * b * x * exp(b * x * x),
    ),
    "gabor": (
        lambda x: exp(-x * x) * sin(x),
        lambda x: exp(-x * x) * (cos(x) - 2 * x * sin(x)),
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
