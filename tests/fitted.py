"""Helpers for tests of fitted activations."""

import math
from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

import ntkfast as nk
from reference.elementwise import CASES, Function, committed

Array = NDArray[np.float64]
TOLERANCE = 1e-10  # of √(K_ii K_jj), for functions analytic on either side of 0


def worst(got: Array, expected: Array, diagonal: Array) -> float:
    scale = np.sqrt(np.outer(diagonal, diagonal))
    gap = np.abs(got - expected)
    assert not gap[scale == 0].any()
    return float(np.max(gap[scale > 0] / scale[scale > 0]))


def assert_kernels(got: nk.Kernels, expected: nk.Kernels, tolerance: float = TOLERANCE) -> None:
    for ours, theirs in zip(got, expected, strict=True):
        assert worst(ours, theirs, np.diagonal(theirs)) <= tolerance


def rows(scales: list[float]) -> Array:
    """Return rows in random directions whose norms are these times √4."""
    x = np.random.default_rng(3).standard_normal((len(scales), 4))
    return 2 * x / np.linalg.norm(x, axis=1, keepdims=True) * np.array(scales)[:, None]


def polar(f: Callable[[Array], Array], p: float, q: float, rho: float) -> float:
    """E[f(u)f(v)], cut where u or v is 0; nodes gather on both sides of the cuts."""
    nodes, weights = np.polynomial.legendre.leggauss(24)

    def rule(edges: Array) -> tuple[Array, Array]:
        half = np.diff(edges)[:, None] / 2
        return (edges[:-1, None] + half * (1 + nodes)).ravel(), (half * weights).ravel()

    angle = math.acos(rho)
    cuts = np.sort(np.mod([0.5, 1.5, 0.5 + angle / np.pi, 1.5 + angle / np.pi], 2)) * np.pi
    shares = np.array([0, 0.003, 0.02, 0.1, 0.3, 0.7, 0.9, 0.98, 0.997])
    arcs = np.diff(np.append(cuts, cuts[0] + 2 * np.pi))
    edges = np.append((cuts[:, None] + arcs[:, None] * shares).ravel(), cuts[0] + 2 * np.pi)
    theta, w_theta = rule(edges)
    r, w_r = rule(np.append([0, 0.03, 0.1, 0.3, 0.8], np.linspace(1.7, 9.5, 7)))
    w_r = w_r * r * np.exp(-r * r / 2) / (2 * np.pi)
    u, v = (
        np.outer(r, math.sqrt(p) * np.cos(theta)),
        np.outer(r, math.sqrt(q) * np.cos(theta - angle)),
    )
    return float(w_r @ (f(u) * f(v)) @ w_theta)


def elementwise_cases() -> Iterator[tuple[str, Function, str, Array, Array, Array]]:
    """Yield name, function, set, points, E[φ(u)φ(v)] and E[φ'(u)φ'(v)], the exact values rounded.

    The neurons u, v of rows x, x' have covariance x·x'/d. The last diagonal may be infinite.
    """
    for case in CASES:
        for name, entry in committed(case.name).items():
            x = np.array(entry["points"])
            nngp, slope = (symmetric(entry[key], len(x)) for key in ("nngp", "slope"))
            yield case.name, case.fn, name, x, nngp, slope


def symmetric(upper: list[str], n: int) -> Array:
    """Return the matrix with these entries on and above the diagonal."""
    matrix = np.empty((n, n))
    rows, columns = np.triu_indices(n)
    matrix[rows, columns] = matrix[columns, rows] = [float(text) for text in upper]
    return matrix
