"""The noise of the targets, estimated from them: by evidence, or from leave-one-out residuals."""

from __future__ import annotations

import math
import warnings

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize_scalar

from ntkfast._arrays import FloatArray
from ntkfast._ntkfast import NumericalError
from ntkfast.dynamics import GradientFlow, KernelRegression, Posterior
from ntkfast.linalg import matmul
from ntkfast.sklearn._left_out import left_out
from ntkfast.sklearn._weights import per_weight

__all__ = ["noise_by_evidence", "noise_by_leave_one_out"]

# The evidence may have two maxima: one that explains everything by noise, and one by the network.
_CANDIDATES = 8


def noise_by_evidence(gram: FloatArray, targets: FloatArray, weights: FloatArray | None) -> float:
    """Return the noise variance with the largest evidence.

    Candidates over the whole range, from the jitter of singular kernels to ten times the mean
    square of the targets, both for the weights, and Brent's method near the best one. Costs about
    twenty Cholesky factors.
    """
    largest = float(gram.diagonal().max(initial=0.0))
    lowest = float(np.finfo(gram.dtype).eps) ** (2 / 3) * largest or 1e-10
    squares = np.square(targets, dtype=np.float64)
    if weights is not None:
        lowest *= float(weights.mean())
        squares *= weights.reshape(-1, *[1] * (squares.ndim - 1))
    highest = max(10 * float(squares.mean()), 1e3 * lowest)

    def cost(logarithm: float) -> float:
        noise = per_weight(math.exp(logarithm), weights)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # about jitter of candidates
                posterior = Posterior.from_kernels(gram, targets, noise_variance=noise)
        except NumericalError:
            return math.inf
        return -posterior.log_marginal_likelihood()

    candidates = np.linspace(math.log(lowest), math.log(highest), _CANDIDATES)
    best = int(np.argmin([cost(candidate) for candidate in candidates]))
    bounds = candidates[max(best - 1, 0)], candidates[min(best + 1, _CANDIDATES - 1)]
    found = minimize_scalar(cost, bounds=bounds, method="bounded", options={"xatol": 1e-2})
    return math.exp(found.x)


def noise_by_leave_one_out(
    training: KernelRegression | GradientFlow,
    t: float,
    nngp: FloatArray,
    weights: FloatArray | None,
) -> npt.NDArray[np.float64]:
    """Return the noise variance of each output, shape y.shape[1:].

    It is the mean square of the leave-one-out residuals L·y, less the variance of the networks
    there, (L·Σ·Lᵀ)_ii, and no less than 0. Costs 4·n³.

    Parameters
    ----------
    training
        With its targets y; a `GradientFlow` is that of √w·Θ·√w and √w·y.
    t
        The time of training.
    nngp
        Shape (n, n): Σ.
    weights
        Shape (n,): w, or None.
    """
    y = training.y.reshape(len(training.y), -1)
    roots = np.ones(len(y)) if weights is None else np.sqrt(weights)
    scaled = isinstance(training, GradientFlow)
    total = np.zeros(y.shape[1])
    for rows, left in left_out(training, t):
        residuals = matmul(left, y).astype(np.float64)
        prior = left * roots.astype(left.dtype) if scaled else left
        variances = np.einsum("ij,ij->i", matmul(prior, nngp), prior).astype(np.float64)
        excess = residuals**2 - variances[:, None]
        total += np.sum(excess if scaled else roots[rows, None] ** 2 * excess, axis=0)
    noise: npt.NDArray[np.float64] = np.maximum(total / len(y), 0.0)
    return noise.reshape(training.y.shape[1:])
