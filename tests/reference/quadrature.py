"""The duals of the evaluator against their defining integrals, independent of any formula.

``E[φ(u)φ(v)]`` and ``E[φ'(u)φ'(v)]`` are integrated numerically from φ and φ' themselves, over
``u = √p·z``, ``v = √q·(ρz + √(1−ρ²)·y)`` with z, y independent standard normal.
"""

from collections.abc import Callable, Iterator
from functools import partial
from itertools import product

from mpmath import acos, cos, exp, fac, linspace, mp, mpf, pi, quad, sqrt, workdps

from reference.evaluator import DUALS, FUNCTIONS, Dual, Number

DIGITS = 30
# Degrees of activations that are positively homogeneous, with their one kink or jump at 0, where it
# is not a parameter; the others are entire.
HOMOGENEOUS = {"identity": 1, "relu": 1, "leaky_relu": 1, "abrelu": 1, "abs": 1, "sign": 0}
POLYNOMIAL = {"polynomial", "monomial", "hermite"}
EXAMPLES: list[tuple[str, tuple[str, ...]]] = [
    ("identity", ()),
    ("relu", ()),
    ("leaky_relu", ("0.01",)),
    ("abrelu", ("0.5", "2")),
    ("abrelu", ("-0.5", "1.5")),
    ("abs", ()),
    ("erf", ("1", "1", "0")),
    ("erf", ("1.3", "0.6", "-0.4")),
    ("sign", ()),
    ("gelu", ()),
    ("sin", ("1", "1", "0")),
    ("sin", ("1.3", "-0.6", "0.4")),
    ("cos", ("1", "1", "0")),
    ("cos", ("0.7", "1.2", "-2")),
    ("rbf", ("0.8",)),
    ("exp", ("1.5", "0.3")),
    ("gaussian", ("-2", "-0.3")),
    ("gabor", ()),
    ("polynomial", ("0.5", "-1", "0.3", "0.2")),
    ("monomial", ("2",)),
    ("hermite", ("3",)),
    ("rectified_monomial", ("0",)),
    ("rectified_monomial", ("1",)),
    ("rectified_monomial", ("4",)),
]
# Variances p, q and correlation ρ.
MOMENTS = [("1", "1", "0.3"), ("2.5", "0.4", "-0.7"), ("0.2", "0.9", "0.97"), ("1", "0.5", "0")]


def discrepancies() -> Iterator[tuple[str, float]]:
    """Yield, for each dual at each example, how far formula and integral are apart."""
    for (kind, parameters), moments in product(EXAMPLES, MOMENTS):
        yield f"{kind}{parameters} at {moments}", discrepancy(kind, parameters, moments)


def discrepancy(kind: str, parameters: tuple[str, ...], moments: tuple[str, str, str]) -> float:
    """Return how far formula and integral are apart, for one dual at one p, q and ρ."""
    with workdps(DIGITS):
        constants = [mpf(text) for text in parameters]
        p, q, rho = map(mpf, moments)
        formula = DUALS[kind](p, rho * sqrt(p * q), q, *constants)
        integral = expectations(kind, constants, p, q, rho)
        return max(float(abs(v - w)) for v, w in zip(formula, integral, strict=True))


def expectations(kind: str, constants: list[Number], p: Number, q: Number, rho: Number) -> Dual:
    """Integrate E[φ(u)φ(v)] and E[φ'(u)φ'(v)] numerically."""
    function, derivative = (partial(bind, f, constants) for f in FUNCTIONS[kind])
    if kind in HOMOGENEOUS or kind == "rectified_monomial":
        degree = HOMOGENEOUS[kind] if kind in HOMOGENEOUS else int(constants[0])
        slope = polar(derivative, max(degree - 1, 0), p, q, rho)
        return polar(function, degree, p, q, rho), slope
    # Polynomials grow, but a wide step does for them.
    nodes = linspace(-14, 14, 71) if kind in POLYNOMIAL else linspace(-12, 12, 121)
    return trapezoid(function, nodes, p, q, rho), trapezoid(derivative, nodes, p, q, rho)


def bind(f: Callable[..., Number], constants: list[Number], x: Number) -> Number:
    """Return f at x with its constants."""
    return f(x, *constants)


def polar(f: Callable[[Number], Number], degree: int, p: Number, q: Number, rho: Number) -> Number:
    """Integrate f of the given degree of homogeneity over the angle, split at its kinks."""
    # (z, y) = r·(cos t, sin t): u = r√p·cos t, v = r√q·cos(t − α), with a kink where one vanishes.
    alpha = acos(rho)
    zeros = (pi / 2, -pi / 2, alpha + pi / 2, alpha - pi / 2)
    kinks = sorted({(t + 2 * pi) % (2 * pi) for t in zeros})
    angles = [*kinks, kinks[0] + 2 * pi]
    if degree < 0:  # the derivative of what is constant on either side of its kink
        return mpf(0)
    radial = 2**degree * fac(degree)  # ∫ r^(2·degree + 1)·e^(−r²/2) dr
    angular = quad(lambda t: f(sqrt(p) * cos(t)) * f(sqrt(q) * cos(t - alpha)), angles)
    return radial * angular / (2 * pi)


def trapezoid(
    f: Callable[[Number], Number], nodes: list[Number], p: Number, q: Number, rho: Number
) -> Number:
    """Integrate a smooth f over the plane; the error falls faster than any power of the step."""
    step = nodes[1] - nodes[0]
    weights = [exp(-z * z / 2) * step / sqrt(2 * pi) for z in nodes]
    weighted = list(zip(nodes, weights, strict=True))
    orthogonal = sqrt(1 - rho * rho)
    total = mpf(0)
    for z, w in weighted:
        inner = mp.fsum(wy * f(sqrt(q) * (rho * z + orthogonal * y)) for y, wy in weighted)
        total += w * f(sqrt(p) * z) * inner
    return total
