"""How data move a Gaussian over functions by Bayes' rule: the mathematics behind `Posterior`.

K = Σ + D, with D the noise on the diagonal. Means are (m, c) here, or as y is on training points.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import TypeAlias

import numpy as np

from ntkfast._arrays import FloatArray
from ntkfast.dynamics._predictive import as_covariance
from ntkfast.dynamics.regression import KernelRegression
from ntkfast.linalg import matmul

__all__ = ["Block", "on_test_points", "on_training_points"]

# Σ between a block of test points and the training points, and the prior of the block.
Block: TypeAlias = tuple[FloatArray, FloatArray | None]
Moments: TypeAlias = tuple[FloatArray, FloatArray | None]


def on_test_points(regression: KernelRegression, blocks: Iterable[Block]) -> Moments:
    """Compute mean Σ*·α and covariance Σ** − Σ*·K⁻¹·Σ*ᵀ, or its diagonal, as the prior is."""
    factor = regression.cholesky
    outputs = regression.coefficients.reshape(factor.n, math.prod(regression.y.shape[1:]))
    trace = float(np.einsum("ij,ij", factor.factor, factor.factor))
    means, covariances = [], []
    for nngp, before in blocks:
        means.append(matmul(nngp, outputs))
        if before is None:
            continue
        weights = factor.solve(nngp.T).T
        if before.ndim == 2:
            product = matmul(weights, nngp.T)
            after = before - (product + product.T) / 2
        else:
            after = before - np.einsum("ij,ij->i", weights, nngp)
        covariances.append(as_covariance(after, before, weights, trace))
    return np.concatenate(means), np.concatenate(covariances) if covariances else None


def on_training_points(regression: KernelRegression, kind: str) -> Moments:
    """Compute mean y − D·α and covariance D − D·K⁻¹·D, which need no Σ."""
    noise = regression.diagonal
    covariance: FloatArray | None = None
    if kind == "diagonal":
        covariance = np.maximum(noise - noise**2 * regression.inverse_diagonal, 0)
    elif kind == "full":
        product = noise[:, None] * regression.cholesky.solve(np.diag(noise))
        covariance = np.diag(noise) - (product + product.T) / 2
        np.fill_diagonal(covariance, np.maximum(covariance.diagonal(), 0))
    return regression.predict_train(), covariance
