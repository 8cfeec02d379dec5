"""Weights of samples: the noise of a sample of weight w is 1/w of the usual."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ntkfast._arrays import FloatArray, as_floats, check_finite
from ntkfast.dynamics._solvers import SolverChoice
from ntkfast.operators import Operator
from ntkfast.solvers import ConjugateGradients, EigenSolver

__all__ = [
    "as_weights",
    "check_solver_of_weights",
    "mean_diagonal",
    "per_weight",
    "roots",
    "scaled",
]


def as_weights(sample_weight: npt.ArrayLike | None, n: int) -> npt.NDArray[np.float64] | None:
    """Return one weight >= 0 for each of n samples, not all of them 0; None for equal weights."""
    if sample_weight is None:
        return None
    weights = as_floats(sample_weight, "sample_weight").astype(np.float64)
    if weights.shape not in ((), (n,)):
        raise ValueError(
            f"sample_weight has shape {weights.shape}; expected ({n},), one weight for each row "
            "of X, or a number"
        )
    check_finite(weights, "sample_weight")
    if weights.min(initial=0.0) < 0:
        raise ValueError(
            f"sample_weight has the entry {weights.min():g}; expected weights >= 0, such as the "
            "inverse variances of the noise"
        )
    if n and not weights.any():
        raise ValueError("sample_weight is zero for every sample; expected at least one weight > 0")
    return np.array(np.broadcast_to(weights, n))


def per_weight(number: float, weights: FloatArray | None) -> npt.ArrayLike:
    """Return number/weight for each sample, or the number if there are no weights."""
    if weights is None:
        return number
    with np.errstate(over="ignore"):
        numbers: FloatArray = number / weights
    if not np.isfinite(numbers).all():
        raise ValueError(
            f"sample_weight has the entry {weights.min():g}, and {number:g} divided by it exceeds "
            "the range of float64; use 0 to drop a sample"
        )
    return numbers


def check_solver_of_weights(solver: SolverChoice, weights: FloatArray | None) -> None:
    """Refuse weights with a solver that takes one regularisation for all samples."""
    one = solver in ("cg", "eigen") or isinstance(solver, (ConjugateGradients, EigenSolver))
    if weights is not None and one:
        raise ValueError(
            "sample_weight divides the regularisation, or the noise, of each sample, but this "
            "solver takes one number for all; use solver='cholesky'"
        )


def mean_diagonal(theta: FloatArray | Operator, weights: FloatArray | None) -> float:
    """Return the mean diagonal entry of a kernel, the unit of relative regularisation."""
    return float(np.average(theta.diagonal().astype(np.float64), weights=weights))


def roots(weights: FloatArray | None, like: FloatArray) -> FloatArray:
    """Return √w in the type of an array whose rows are samples, in a shape that broadcasts."""
    if weights is None:
        return np.ones((1,) * like.ndim, like.dtype)
    return np.sqrt(weights).astype(like.dtype).reshape(-1, *[1] * (like.ndim - 1))


def scaled(
    theta: FloatArray, targets: FloatArray, weights: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Return √w·Θ·√w in the place of Θ, and √w·y.

    Training on these is training of the loss Σ w·(f − y)² with Θ.
    """
    root = roots(weights, theta)
    theta *= root
    theta *= root.T
    return theta, targets * roots(weights, targets)
