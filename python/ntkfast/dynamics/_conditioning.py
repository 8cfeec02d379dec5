"""Bayesian conditioning of a Gaussian over functions on data: the mathematics behind `Posterior`.

K = Σ + D, where D has the noise variances on its diagonal. Means are (m, c), or have the shape of y
on training points.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import TypeAlias

import numpy as np

from ntkfast._arrays import FloatArray
from ntkfast.dynamics._predictive import TOGETHER, as_covariance, prior, prior_rows, test_blocks
from ntkfast.dynamics.regression import KernelRegression
from ntkfast.kernels import as_others
from ntkfast.linalg import matmul
from ntkfast.networks import Network
from ntkfast.solvers import PreparedByProducts, PreparedConjugateGradients

__all__ = [
    "Block",
    "blocks_of_kernels",
    "blocks_of_network",
    "least_block",
    "on_test_points",
    "on_training_points",
]

# The entries of the kernel of test points that share the products of a solve.
_ENTRIES = 1 << 24

# Σ between a block of test points and the training points, and the prior of the block.
Block: TypeAlias = tuple[FloatArray, FloatArray | None]
# Mean, covariance, and bounds of variances.
Moments: TypeAlias = tuple[FloatArray, FloatArray | None, FloatArray | None]


def on_test_points(regression: KernelRegression, blocks: Iterable[Block]) -> Moments:
    """Compute the mean Σ*·α and the covariance Σ** − Σ*·K⁻¹·Σ*ᵀ, or its diagonal if Σ** is one.

    Solvers by products give bounds of variances, too.
    """
    prepared = regression.prepared
    outputs = regression.coefficients.reshape(prepared.n, math.prod(regression.y.shape[1:]))
    trace = prepared.trace
    means, covariances, bounds = [], [], []
    for nngp, before in blocks:
        means.append(matmul(nngp, outputs))
        if before is None:
            continue
        if before.ndim == 1 and isinstance(prepared, PreparedByProducts):
            found = prepared.quadratic_bounds(nngp.T, before)
            # From above: no variance is too small.
            bounds.append(np.maximum(before - np.stack([found.upper, found.lower]), 0.0))
            covariances.append(bounds[-1][1])
            continue
        weights = prepared.solve(nngp.T).T
        if before.ndim == 2:
            product = matmul(weights, nngp.T)
            after = before - (product + product.T) / 2
        else:
            after = before - np.einsum("ij,ij->i", weights, nngp)
        covariances.append(as_covariance(after, before, weights, trace))
    return (
        np.concatenate(means),
        np.concatenate(covariances) if covariances else None,
        np.concatenate(bounds, axis=1) if bounds else None,
    )


def on_training_points(regression: KernelRegression, kind: str) -> Moments:
    """Compute the mean y − D·α and the covariance D − D·K⁻¹·D, which do not need Σ."""
    if kind != "none" and isinstance(regression.prepared, PreparedConjugateGradients):
        raise ValueError(
            "conjugate gradients give no covariance for all training points at once; pass some of "
            "them, such as predict(x[:1000], covariance='diagonal')"
        )
    noise = regression.diagonal
    covariance: FloatArray | None = None
    if kind == "diagonal":
        covariance = np.maximum(noise - noise**2 * regression.inverse_diagonal, 0)
    elif kind == "full":
        product = noise[:, None] * regression.prepared.solve(np.diag(noise))
        covariance = np.diag(noise) - (product + product.T) / 2
        np.fill_diagonal(covariance, np.maximum(covariance.diagonal(), 0))
    return regression.predict_train(), covariance, None


def least_block(prepared: object) -> int:
    """Return how many test points share the products of a solve."""
    if not isinstance(prepared, PreparedByProducts):
        return 1
    return max(1, min(TOGETHER, _ENTRIES // max(prepared.n, 1)))


def blocks_of_network(
    network: Network | None,
    points: FloatArray,
    x: FloatArray | None,
    kind: str,
    least: int,
    *,
    exact: bool,
) -> Iterator[Block]:
    """Compute Σ between test and training points, for a block of test points at a time.

    `exact`: in float64, which bounds of variances need.
    """
    assert network is not None
    assert x is not None
    if exact:
        points, x = points.astype(np.float64), x.astype(np.float64)
    for rows in test_blocks(len(points), len(x), kind, least):
        some = points[rows]
        yield network.nngp(as_others(some, x), x), prior(network, some, kind)


def blocks_of_kernels(
    nngp: FloatArray, given: FloatArray | None, kind: str, least: int
) -> Iterator[Block]:
    """Split Σ between test and training points, and a prior, into blocks of test points."""
    for rows in test_blocks(len(nngp), nngp.shape[1], kind, least):
        yield nngp[rows], prior_rows(given, rows)
