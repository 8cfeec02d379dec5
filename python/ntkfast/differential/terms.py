"""Derivatives of a kernel by coordinates of both points, as polynomials in a few numbers.

A kernel is a function of the directions and lengths of two points: with unit vectors u and v, of
their cosine c = u·v and of both lengths. It is given by its Taylor coefficients f_abc by the change
of c and the relative changes of both lengths. If the first point moves along its coordinate i by a
share ε of its length, and the second along j by η, then, with P = 1 − uuᵀ and Q = 1 − vvᵀ,

    the length changes by ε u_i + ½ε² g_i,  g_i = 1 − u_i²,
    and u by ε P_i − ε² (½ g_i u + u_i P_i),

up to ε², and the second point likewise. So c changes by a polynomial in ε, η, c and

    u_i, g_i, Y_i = P_i·v,  v_j, h_j = 1 − v_j², Z_j = Q_j·u,  W_ij = P_i·Q_j,

and m! n! times the coefficient of ε^m η^n in the kernel is its derivative of the orders m and n.
Lengths and directions are apart because kernels of long points hardly depend on the lengths: as
functions of x·x', derivatives along a point would be differences of large numbers.
"""

from __future__ import annotations

from functools import cache
from math import factorial
from typing import NamedTuple, TypeAlias

from ntkfast._ntkfast import taylor_exponents

__all__ = ["Monomial", "count", "terms"]

_EXPONENTS = taylor_exponents()

# Powers of ε, η, u, Y, g, v, Z, h, W and c, and their coefficients.
_Polynomial: TypeAlias = dict[tuple[int, ...], float]


class Monomial(NamedTuple):
    """Powers of u_i, Y_i and g_i, of v_j, Z_j and h_j, and of W_ij."""

    left: tuple[int, int, int]
    right: tuple[int, int, int]
    both: int


def _times(one: _Polynomial, other: _Polynomial) -> _Polynomial:
    """Return a product up to ε² and η²."""
    product: _Polynomial = {}
    for a, x in one.items():
        for b, y in other.items():
            powers = tuple(map(sum, zip(a, b, strict=True)))
            if max(powers[:2]) <= 2:
                product[powers] = product.get(powers, 0.0) + x * y
    return product


def _powers(text: str) -> tuple[int, ...]:
    return tuple(text.count(letter) for letter in "enuYgvZhWc")


# Changes of the cosine and of both lengths.
_CHANGES: tuple[_Polynomial, ...] = tuple(
    {_powers(text): factor for text, factor in changes.items()}
    for changes in (
        {
            "eY": 1.0,
            "nZ": 1.0,
            "enW": 1.0,
            "eegc": -0.5,
            "eeuY": -1.0,
            "nnhc": -0.5,
            "nnvZ": -1.0,
            "eengZ": -0.5,
            "eenuW": -1.0,
            "ennhY": -0.5,
            "ennvW": -1.0,
            "eennghc": 0.25,
            "eenngvZ": 0.5,
            "eennhuY": 0.5,
            "eennuvW": 1.0,
        },
        {"eu": 1.0, "eeg": 0.5},
        {"nv": 1.0, "nnh": 0.5},
    )
)


@cache
def _power(kind: int, power: int) -> _Polynomial:
    if power == 0:
        return {_powers(""): 1.0}
    return _times(_power(kind, power - 1), _CHANGES[kind])


def count(degree: int) -> int:
    """Return how many Taylor coefficients there are up to a degree."""
    return sum(sum(powers) <= degree for powers in _EXPONENTS)


@cache
def terms(m: int, n: int) -> dict[Monomial, dict[int, dict[int, float]]]:
    """Return the derivative of the orders m and n as a sum of monomials.

    For each monomial, the powers of c, and for each of them the places of Taylor coefficients with
    their factors.
    """
    found: dict[Monomial, dict[int, dict[int, float]]] = {}
    for place, (a, b, c) in enumerate(_EXPONENTS):
        if a + b + c > m + n:
            continue
        whole = _times(_times(_power(0, a), _power(1, b)), _power(2, c))
        for (e, h, *rest), factor in whole.items():
            if (e, h) != (m, n):
                continue
            monomial = Monomial((rest[0], rest[1], rest[2]), (rest[3], rest[4], rest[5]), rest[6])
            places = found.setdefault(monomial, {}).setdefault(rest[7], {})
            places[place] = places.get(place, 0.0) + factor * factorial(m) * factorial(n)
    return found
