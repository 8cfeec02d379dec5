"""Class probabilities: the probability that one of several normal variables is the largest."""

from __future__ import annotations

import numpy as np
from scipy.special import log_ndtr

from ntkfast._arrays import FloatArray
from ntkfast._gram import row_blocks

__all__ = ["probability_of_largest"]

# The integrand is an entire function with Gaussian decay on either side, for which the trapezoidal
# rule converges faster than any power. At nine standard deviations it is below 1e-18.
_STEP = 0.125
_NODES = np.arange(-9.0, 9.0 + _STEP, _STEP)


def probability_of_largest(mean: FloatArray, std: FloatArray) -> FloatArray:
    """Compute the probability that an output is the largest in its row.

    Parameters
    ----------
    mean
        Shape (m, c): means of independent normal variables.
    std
        Shape (m,): their common standard deviation, ≥ 0. At 0 the largest mean wins, and equal
        means share the probability.

    Returns
    -------
    ndarray
        Shape (m, c), rows that sum to 1: ∫ φ(z − μ_i)·∏_{j≠i} Φ(z − μ_j) dz with μ = mean/std, by
        the trapezoidal rule, to an absolute error of 1e-14 for a thousand outputs. Costs
        145·m·c values of Φ.
    """
    means = mean.astype(np.float64, copy=False)
    below = means - means.max(axis=1, keepdims=True)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        scaled = np.where(below == 0, 0.0, below / std[:, None].astype(np.float64))
    probability = np.empty_like(scaled)
    for rows in row_blocks(len(scaled), scaled.shape[1] * _NODES.size):
        distance = _NODES[:, None] - scaled[rows, None, :]  # (rows, nodes, c)
        logarithms = log_ndtr(distance)
        others = logarithms.sum(axis=2, keepdims=True) - logarithms
        with np.errstate(under="ignore", over="ignore"):
            probability[rows] = np.exp(others - distance**2 / 2).sum(axis=1)
    probability /= probability.sum(axis=1, keepdims=True)
    return probability.astype(mean.dtype, copy=False)
