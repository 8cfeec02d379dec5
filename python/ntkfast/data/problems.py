"""Small problems: points on a line with targets, points on circles and spheres."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from ntkfast._memory import check
from ntkfast._scalars import as_real, as_size
from ntkfast._seed import Seed, as_generator

__all__ = ["chirp", "circle", "sine", "sphere", "step", "three_points"]

Array = NDArray[np.float64]


def three_points() -> tuple[Array, Array]:
    """Return the smallest example problem: three points on a line.

    Returns
    -------
    x : ndarray, shape (3, 2)
        0.2, 0.4 and 0.8, with a 1 appended for the bias, as `append_one` does.
    y : ndarray, shape (3,)
        −0.05, −0.2 and 0.3.

    Examples
    --------
    >>> x, y = three_points()
    >>> x[:, 0], y
    (array([0.2, 0.4, 0.8]), array([-0.05, -0.2 ,  0.3 ]))
    """
    return np.array([[0.2, 1.0], [0.4, 1.0], [0.8, 1.0]]), np.array([-0.05, -0.2, 0.3])


def sine(n: int, *, noise_std: float = 0.0, seed: Seed = 0) -> tuple[Array, Array]:
    """Return n points of one period of a sine: y = sin(πx) + noise.

    Parameters
    ----------
    n : int
        Number of points, ≥ 1, evenly spaced from −1 to 1.
    noise_std : float
        Standard deviation of Gaussian noise on the targets, ≥ 0.
    seed : int, numpy.random.SeedSequence or numpy.random.Generator
        Seed of the noise.

    Returns
    -------
    x : ndarray, shape (n, 1)
    y : ndarray, shape (n,)
    """
    x = _line(n)
    return x, _noisy(np.sin(np.pi * x[:, 0]), noise_std, seed)


def step(n: int, *, noise_std: float = 0.0, seed: Seed = 0) -> tuple[Array, Array]:
    """Return n points of a step: y = −1 for x < 0 and 1 otherwise, + noise.

    Parameters and results are those of `sine`. Continuous kernels fit a step slowly.
    """
    x = _line(n)
    return x, _noisy(np.where(x[:, 0] < 0, -1.0, 1.0), noise_std, seed)


def chirp(n: int, *, noise_std: float = 0.0, seed: Seed = 0) -> tuple[Array, Array]:
    """Return n points of a chirp with rising frequency: y = sin(π(1 + x)²) + noise.

    Parameters and results are those of `sine`. The left part is learnt long before the right part.
    """
    x = _line(n)
    return x, _noisy(np.sin(np.pi * (1 + x[:, 0]) ** 2), noise_std, seed)


def circle(n: int) -> Array:
    """Return n evenly spaced points on the unit circle, shape (n, 2).

    Point i is (cos α, sin α) with α = 2πi/n, so a kernel of the angle is a circulant matrix.
    """
    n = as_size(n, "n", least=0)
    angle = 2 * np.pi * np.arange(n) / max(n, 1)
    return np.stack([np.cos(angle), np.sin(angle)], axis=1)


def sphere(n: int, n_features: int, seed: Seed) -> Array:
    """Draw n points uniformly from the unit sphere, shape (n, n_features).

    Parameters
    ----------
    n : int
        Number of points, ≥ 0.
    n_features : int
        The dimension of the surrounding space, ≥ 1.

    seed : int, numpy.random.SeedSequence or numpy.random.Generator
        The same integer gives the same points.
    """
    shape = as_size(n, "n", least=0), as_size(n_features, "n_features", least=1)
    check(2 * 8 * math.prod(shape), f"two arrays of shape {shape} in float64", "draw fewer points")
    points = as_generator(seed).standard_normal(shape)
    unit: Array = points / np.linalg.norm(points, axis=1, keepdims=True)
    return unit


def _line(n: int) -> Array:
    n = as_size(n, "n", least=1)
    return np.linspace(-1, 1, n)[:, None] if n > 1 else np.zeros((1, 1))


def _noisy(y: Array, noise_std: float, seed: Seed) -> Array:
    std = as_real(noise_std, "noise_std", least=0.0)
    return y + std * as_generator(seed).standard_normal(y.size)
