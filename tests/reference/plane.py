"""Integrals over two normal variables of functions that have kinks, steps and narrow features.

E[φ(u)φ(v)] = ∫ φ(u) ∫ φ(v) dN(v; βu, τ²) dN(u; 0, p), with β = k/p and τ² = q − k²/p. Both
integrals are sums of Gauss–Legendre rules on panels. A panel ends at each kink or step, is at most
two standard deviations wide, and is at most about as wide as its distance to poles. For the outer
integral, a kink or step of the inner one is a feature of width τ/β. Where φ is singular, panels
that touch 0 have a doubly exponential rule. Where φ has no structure within the inner normal
distribution, inner integrals are Gauss–Hermite rules.

All numbers are gmpy2's, at 120 bits.
"""

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from itertools import pairwise
from typing import Any

import gmpy2
import numpy as np
from gmpy2 import exp, mpfr, sqrt
from mpmath import hermite, legendre, mp, workdps

from reference.elementwise import Case

BITS = 120
gmpy2.get_context().precision = BITS
PI = gmpy2.const_pi()
Nodes = list[tuple[Any, Any]]
Pair = tuple[Any, Any]  # of φ and of φ'
Panel = list[tuple[Any, Any, Any]]  # node, weight·φ, weight·φ'


@dataclass(frozen=True)
class Rule:
    """How fine: nodes on a panel, its largest width."""

    nodes: int
    width: float  # standard deviations
    steps: int  # of the rule at a singularity, per unit
    hermite: int


COARSE = Rule(nodes=20, width=2, steps=12, hermite=18)
FINE = Rule(nodes=27, width=1.9, steps=17, hermite=24)


def number(x: Any) -> Any:
    """Return mpmath's number as gmpy2's."""
    return mpfr(mp.nstr(x, 45))


@cache
def gauss_legendre(n: int) -> Nodes:
    """Return nodes and weights on [−1, 1]."""
    with workdps(50):
        found = []
        for start in np.polynomial.legendre.leggauss(n)[0]:
            x = mp.findroot(lambda t: legendre(n, t), start)
            slope = n * (x * legendre(n, x) - legendre(n - 1, x)) / (x * x - 1)
            found.append((number(x), number(2 / ((1 - x * x) * slope**2))))
    return found


@cache
def gauss_hermite(n: int) -> Nodes:
    """Return nodes and weights for a standard normal variable."""
    with workdps(50):
        found = []
        for start in np.polynomial.hermite.hermgauss(n)[0]:
            x = mp.findroot(lambda t: hermite(n, t), start)
            weight = 2 ** (n - 1) * mp.factorial(n) / (n * hermite(n - 1, x)) ** 2
            found.append((number(x * mp.sqrt(2)), number(weight)))
    return found


@cache
def doubly_exponential(steps: int) -> Nodes:
    """Return nodes and weights on [0, 1], for functions like powers above −1 at 0."""
    found = []
    for n in range(-7 * steps, 5 * steps):
        t = mpfr(n) / steps
        q = exp(-PI * gmpy2.sinh(t))
        found.append((1 / (1 + q), PI * gmpy2.cosh(t) * q / (1 + q) ** 2 / steps))
    return [(x, w) for x, w in found if w > 1e-300]


@dataclass
class Line:
    """A function on [−reach, reach] in panels, made and evaluated where they are asked for."""

    case: Case
    rule: Rule
    reach: Any
    deviation: Any  # of the normal distribution that is to be integrated
    splits: list[Any]
    features: list[tuple[Any, Any]]
    made: dict[tuple[int, int], list[tuple[Any, Any, Panel]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        inside = [split for split in self.splits if abs(split) < self.reach]
        self.edges = sorted({-self.reach, self.reach, *inside})
        width = self.rule.width * self.deviation
        if self.case.frequency:
            width = min(width, 2.5 * self.rule.width / mpfr(self.case.frequency))
        if self.case.singular:
            self.features = [*self.features, (mpfr(0), self.deviation)]
        self.counts = [int((b - a) / width) + 1 for a, b in pairwise(self.edges)]

    def within(self, low: Any, high: Any) -> Iterator[Panel]:
        """Yield the panels that meet an interval."""
        first = max(bisect_right(self.edges, low) - 1, 0)
        for i in range(first, len(self.counts)):
            a, b = self.edges[i], self.edges[i + 1]
            if a >= high:
                return
            width = (b - a) / self.counts[i]
            start = max(int((low - a) / width), 0)
            for j in range(start, min(int((high - a) / width) + 1, self.counts[i])):
                if (i, j) not in self.made:
                    end = b if j + 1 == self.counts[i] else a + (j + 1) * width
                    self.made[i, j] = [*self.panels(a + j * width, end)]
                for left, right, panel in self.made[i, j]:
                    if left < high and right > low:
                        yield panel

    def panels(self, a: Any, b: Any) -> Iterator[tuple[Any, Any, Panel]]:
        """Yield panels that are narrow enough for what is near them."""
        half = (b - a) / 2
        touches = self.case.singular and 0 in (a, b)
        near = self.case.singular and not touches and half > min(abs(a), abs(b)) / 2
        share = mpfr(0.125) if touches else mpfr(0.5)
        if near or any(
            half > max(width * share, (a - centre) / 2, (centre - b) / 2)
            for centre, width in self.features
        ):
            middle = (a + b) / 2
            yield from self.panels(a, middle)
            yield from self.panels(middle, b)
            return
        if touches:
            found = [((b + a) * x, w * (b - a)) for x, w in doubly_exponential(self.rule.steps)]
        else:
            middle = (a + b) / 2
            found = [(middle + half * x, half * w) for x, w in gauss_legendre(self.rule.nodes)]
        values = [self.case.exact(gmpy2, x) for x, _ in found]
        pairs = zip(found, values, strict=True)
        yield a, b, [(x, w * value, w * slope) for (x, w), (value, slope) in pairs]


@dataclass(frozen=True)
class Plane:
    """The integrals of one function."""

    case: Case
    rule: Rule

    def expectations(self, p: Any, k: Any, q: Any) -> Pair:
        """Return E[φ(u)φ(v)] and E[φ'(u)φ'(v)] for rational moments p, k, q."""
        if p < q:
            p, q = q, p
        if k * k == p * q:
            return self.on_line(mpfr(p), mpfr(k / p))
        return self.on_plane(mpfr(p), mpfr(k / p), mpfr(q), mpfr(q - k * k / p))

    def line(
        self, p: Any, deviation: Any, splits: list[Any], features: list[tuple[Any, Any]]
    ) -> Line:
        """Return φ of a variable of variance p, with further splits and features."""
        s = sqrt(p)
        reach = (self.case.reach + 2 * self.case.growth * s) * s
        splits = [*map(mpfr, self.case.splits), *splits]
        features = [*((mpfr(c), mpfr(w)) for c, w in self.case.features), *features]
        return Line(self.case, self.rule, reach, deviation, splits, features)

    def on_line(self, p: Any, beta: Any) -> Pair:
        """Return E[φ(u)φ(βu)] and that of slopes."""
        features = [(mpfr(c) / beta, mpfr(w) / abs(beta)) for c, w in self.case.features]
        line = self.line(p, sqrt(p), [mpfr(c) / beta for c in self.case.splits], features)
        scale, total, slopes = 1 / sqrt(2 * PI * p), mpfr(0), mpfr(0)
        for panel in line.within(-line.reach, line.reach):
            for u, value, slope in panel:
                density = exp(-u * u / (2 * p)) * scale
                other, other_slope = self.case.exact(gmpy2, beta * u)
                total += density * value * other
                slopes += density * slope * other_slope
        return total, slopes

    def on_plane(self, p: Any, beta: Any, q: Any, variance: Any) -> Pair:
        """Return E[φ(u)φ(v)] and that of slopes, for v of this variance around βu."""
        tau = sqrt(variance)
        inner = self.line(q, tau, [], [])
        smoothed = [(mpfr(c) / beta, max(tau, mpfr(w)) / abs(beta)) for c, w in self.case.features]
        smoothed += [(mpfr(c) / beta, tau / abs(beta)) for c in self.case.splits]
        outer = self.line(p, sqrt(p), [], smoothed)
        reach = (13 + 2 * self.case.growth * tau) * tau
        scale = 1 / (2 * PI * sqrt(p * variance))
        total, slopes = mpfr(0), mpfr(0)
        for panel in outer.within(-outer.reach, outer.reach):
            for u, value, slope in panel:
                if value == 0 and slope == 0:
                    continue
                weight = exp(-u * u / (2 * p)) * scale
                inner_value, inner_slope = self.inner(beta * u, tau, reach, inner)
                total += weight * value * inner_value
                slopes += weight * slope * inner_slope
        return total, slopes

    def inner(self, mean: Any, tau: Any, reach: Any, line: Line) -> Pair:
        """Integrate φ and φ' times exp(−(v − mean)²/(2τ²))."""
        total, slopes = mpfr(0), mpfr(0)
        if self.smooth(mean, tau, reach):
            for x, w in gauss_hermite(self.rule.hermite):
                value, slope = self.case.exact(gmpy2, mean + tau * x)
                total += w * value
                slopes += w * slope
            scale = tau * sqrt(2 * PI)
            return total * scale, slopes * scale
        rate = -1 / (2 * tau * tau)
        for panel in line.within(mean - reach, mean + reach):
            for v, value, slope in panel:
                density = exp(rate * (v - mean) ** 2)
                total += density * value
                slopes += density * slope
        return total, slopes

    def smooth(self, mean: Any, tau: Any, reach: Any) -> bool:
        """Return whether φ is nearly a polynomial within the reach of the inner integral."""
        far = 25 * tau
        kinks = far if self.case.singular else reach
        return (
            self.case.frequency * tau < 0.25
            and self.case.growth * tau < 0.25
            and all(abs(mean - split) > kinks for split in self.case.splits)
            and all(max(w, abs(mean - c)) > far for c, w in self.case.features)
        )
