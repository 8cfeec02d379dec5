"""Derivatives of a kernel by coordinates of both points, from its Taylor coefficients.

A kernel is a function F of s = x·x'/d, p = ‖x‖²/d and q = ‖x'‖²/d with Taylor coefficients f_abc.
If x moves by ε along its coordinate i, and x' by η along j, then

    s moves by (ε x'_i + η x_j + εη [i = j])/d,  p by (2εx_i + ε²)/d,  q by (2ηx'_j + η²)/d,

and m! n! times the coefficient of ε^m η^n in F is its derivative of the orders m and n.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from itertools import product
from math import comb, factorial

from ntkfast._ntkfast import taylor_exponents

__all__ = ["Monomial", "count", "terms"]

_EXPONENTS = [tuple(powers) for powers in taylor_exponents()]


@dataclass(frozen=True)
class Monomial:
    """x_i^a·x'_i^b of the left coordinate i and x_j^c·x'_j^e of the right coordinate j.

    Or, if `equal`, the same where i = j, and 0 elsewhere.
    """

    left: tuple[int, int]
    right: tuple[int, int]
    equal: bool


def count(degree: int) -> int:
    """Return how many coefficients there are up to a degree."""
    return sum(sum(powers) <= degree for powers in _EXPONENTS)


@cache
def terms(m: int, n: int) -> dict[Monomial, dict[int, tuple[float, int]]]:
    """Return the derivative of the orders m and n as a sum of monomials times coefficients.

    For each monomial, the places of its coefficients, each with its factor and the power of 1/d.
    """
    found: dict[Monomial, dict[int, tuple[float, int]]] = {}
    for place, (a, b, c) in enumerate(_EXPONENTS):
        # How often both points move in s, and how often p and q move by squares.
        for both, r, t in product(range(a + 1), range(b + 1), range(c + 1)):
            ours, theirs = m - both - b - r, n - both - c - t
            if ours < 0 or theirs < 0 or ours + theirs + both != a:
                continue
            ways = factorial(a) // (factorial(ours) * factorial(theirs) * factorial(both))
            factor = ways * comb(b, r) * comb(c, t) * 2 ** (b - r + c - t)
            monomial = Monomial((b - r, ours), (theirs, c - t), both > 0)
            places = found.setdefault(monomial, {})
            before = places.get(place, (0.0, 0))[0]
            places[place] = (before + factor * factorial(m) * factorial(n), a + b + c)
    return found
