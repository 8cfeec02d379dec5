"""The tolerances of the package, in one place. A test with another tolerance explains why."""

from decimal import Decimal
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

# |error of K_ij| ≤ CONTRACT · √(K_ii K_jj), for the NNGP and the NTK, wherever the points lie.
CONTRACT = {"float64": 1e-13, "float32": 1e-5}

# A kinked activation after a smooth one, at pairs that nearly coincide (CORRELATED or more).
KINK_AFTER_SMOOTH = {"float64": 1e-8, "float32": 1e-4}
CORRELATED = 0.99

# Factors of ‖A‖·n·ε: residuals and orthogonality of factorisations (backward errors).
FACTORIZATION = 10


def contract(dtype: Any) -> float:
    """Return the contract's tolerance for a dtype."""
    return CONTRACT[np.dtype(dtype).name]


def pair_scale(left: ArrayLike, right: ArrayLike) -> NDArray[np.float64]:
    """Return √(K_ii K_jj) from two diagonals, without overflow."""
    a, b = np.asarray(left, dtype=np.float64), np.asarray(right, dtype=np.float64)
    return np.multiply.outer(np.sqrt(a), np.sqrt(b))


def worst(got: ArrayLike, expected: ArrayLike, scale: ArrayLike) -> float:
    """Return the largest |got − expected| / scale; where the scale is 0 the two must be equal."""
    gap = np.abs(np.asarray(got, np.float64) - np.asarray(expected, np.float64)).ravel()
    size = np.asarray(scale, np.float64).ravel()
    assert np.all(np.isfinite(gap)), "NaN or inf where a number is expected"
    assert not np.any(gap[size == 0]), "not exactly zero where a row has no variance"
    return float(np.max(gap[size > 0] / size[size > 0], initial=0.0))


def exact_error(got: float, expected: Decimal, scale: Decimal) -> float:
    """Return |got − expected| / scale for an expected value with more digits than a float holds."""
    gap = abs(Decimal(float(got)) - expected)
    if scale == 0:
        return 0.0 if gap == 0 else float("inf")
    return float(gap / scale)
