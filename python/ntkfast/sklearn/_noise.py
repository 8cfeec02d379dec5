"""The noise of the targets, estimated from them: by evidence, or from leave-one-out residuals."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize_scalar

from ntkfast._arrays import FloatArray
from ntkfast._gram import row_blocks
from ntkfast._ntkfast import NumericalError
from ntkfast.dynamics import GradientFlow, KernelRegression, Posterior
from ntkfast.dynamics._arguments import as_time
from ntkfast.linalg import matmul
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

    It is the mean square of the leave-one-out residuals, less the variance of the networks there,
    and no less than 0. With C = (Θ + r)⁻¹ at t = ∞, or the operator C = 1 − Θ·A_t of the residuals
    at a finite time, the residual is (C·y)_i/C_ii (at a finite time up to the change of A_t by one
    point), and the variance is (C·Σ·C)_ii/C_ii². Costs 4·n³.

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
    for rows, columns in _columns(training, t):
        own = columns[rows].diagonal().astype(np.float64)
        if not (own > 0).all():
            raise NumericalError(
                "the noise cannot be estimated from leave-one-out: the network fits its training "
                "points to working precision; increase diag_reg, or train for a shorter time"
            )
        residuals = matmul(columns.T, y).astype(np.float64) / own[:, None]
        prior = columns * roots[:, None].astype(columns.dtype) if scaled else columns
        variances = np.einsum("ij,ij->j", prior, matmul(nngp, prior)).astype(np.float64) / own**2
        excess = residuals**2 - variances[:, None]
        total += np.sum(excess if scaled else roots[rows, None] ** 2 * excess, axis=0)
    noise: npt.NDArray[np.float64] = np.maximum(total / len(y), 0.0)
    return noise.reshape(training.y.shape[1:])


def _columns(
    training: KernelRegression | GradientFlow, t: float
) -> Iterator[tuple[slice, FloatArray]]:
    """Yield blocks of columns of C, shape (n, block)."""
    n = len(training.y)
    if isinstance(training, GradientFlow):
        vectors = training._filters.vectors
        kept = vectors * training._filters.left(as_time(t))[0].astype(vectors.dtype)
        for rows in row_blocks(n, n):
            yield rows, matmul(kept, vectors[rows].T)
        return
    for rows in row_blocks(n, n):
        units = np.zeros((n, rows.stop - rows.start), training.y.dtype)
        units[rows] = np.eye(units.shape[1])
        yield rows, training.prepared.solve(units)
