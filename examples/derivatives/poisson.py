"""Poisson's equation −Δu = f on the unit square, with given values on its boundary.

The solution is the Gaussian process with a network's NTK as covariance that has the given values
on the boundary, and the given Laplacians at points inside. All operators on the kernel are exact.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

import ntkfast as nk

Array = NDArray[Any]
NETWORK = nk.mlp(2, nk.Erf(), w_std=1.5, b_std=1.0)


def exact(points: Array) -> Array:
    """Return the solution that the error is measured against."""
    x, y = points.T
    values: Array = np.sin(np.pi * x) * np.cos(2 * y) + x * y
    return values


def source(points: Array) -> Array:
    """Return f = −Δu."""
    x, y = points.T
    values: Array = (np.pi**2 + 4) * np.sin(np.pi * x) * np.cos(2 * y)
    return values


def grid(n: int) -> tuple[Array, Array]:
    """Return the points of a grid on the boundary of the square, and inside of it."""
    line = np.linspace(0.0, 1.0, n)
    points = np.stack(np.meshgrid(line, line), axis=-1).reshape(-1, 2)
    inside = ((points > 0) & (points < 1)).all(axis=1)
    return points[~inside], points[inside]


def solve(n: int, at: Array) -> Array:
    """Return the solution at some points, from a grid of n × n."""
    boundary, inside = grid(n)
    observed = [("value", boundary), ({"laplacian": -1.0}, inside)]
    given = np.concatenate([exact(boundary), source(inside)])
    gram = nk.derivative_gram(NETWORK, observed)
    gram[np.diag_indices_from(gram)] *= 1 + 1e-13  # for rounding
    return nk.derivative_gram(NETWORK, [("value", at)], observed) @ np.linalg.solve(gram, given)


def main() -> None:
    """Print how the largest error falls with the number of points."""
    at = np.random.default_rng(0).random((500, 2))
    print("  grid   points   largest error")
    for n in (4, 6, 8, 12, 16):
        error = abs(solve(n, at) - exact(at)).max()
        print(f"{n:>2} × {n:<2}  {n * n:>6}         {error:.1e}")


if __name__ == "__main__":
    main()
