"""A Gaussian over functions after infinite training, by a Cholesky factor.

With A = (Θ + r)⁻¹, gradient flow ends at f_0(x) + B·(y − f_0(X)) with B = Θ(x, X)·A.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from ntkfast._arrays import FloatArray
from ntkfast._gram import row_blocks, unit_columns
from ntkfast._memory import check
from ntkfast.dynamics._arguments import Times
from ntkfast.dynamics._by_products import EvolutionByProducts
from ntkfast.dynamics._evolution import Block, Evolution, Moments
from ntkfast.dynamics._predictive import as_covariance
from ntkfast.linalg import matmul
from ntkfast.solvers import PreparedCholesky

__all__ = ["Limit", "moments_at"]


@dataclass(frozen=True, eq=False)
class Limit:
    """The system Θ + r, targets (n, c), and the initial covariance Σ; with `readout`, Θ is Σ."""

    prepared: PreparedCholesky
    y: FloatArray
    nngp: FloatArray
    readout: bool

    def on_test_points(self, blocks: Iterable[Block], kind: str, noise: float) -> Moments:
        """Compute mean and covariance, block by block; "full" uses one block."""
        coefficients = self.prepared.solve(self.y)
        means, covariances = [], []
        for kernels, before in blocks:
            means.append(matmul(kernels.ntk, coefficients))
            if before is None:
                continue
            if kind == "full":  # the terms of the covariance, and what they are products of
                size = len(kernels.ntk) * (3 * len(kernels.ntk) + 3 * self.prepared.n)
                check(size * before.itemsize, f"the covariance of {len(kernels.ntk)} points")
            weights = self.prepared.solve(kernels.ntk.T).T
            # Σ** + B·Hᵀ + H·Bᵀ with H = ½·B·(Σ + σ²) − Σ*, which is exactly symmetric.
            half = self._times_prior(weights, kernels.ntk, noise) / 2 - kernels.nngp
            if kind == "full":
                product = matmul(weights, half.T)
                after = before + (product + product.T)
            else:
                after = before + 2 * np.einsum("ij,ij->i", weights, half)
            covariances.append(as_covariance(after, before, weights, self._trace(noise)))
        return np.concatenate(means), np.concatenate(covariances) if covariances else None

    def on_training_points(self, kind: str, noise: float) -> Moments:
        """Compute mean and covariance: f − E f = r·A·f_0 + (1 − r·A)·noise, and nothing cancels."""
        ridge = self.prepared.ridge.astype(self.y.dtype)
        mean = self.y - ridge * self.prepared.solve(self.y)
        if kind == "none":
            return mean, None
        n, dtype = len(self.nngp), np.result_type(self.nngp, self.y)
        covariances = []
        for rows in [slice(0, n)] if kind == "full" else row_blocks(n, n):
            units = unit_columns(n, rows, dtype)
            kept = ridge * self.prepared.solve(units) if ridge else 0 * units
            learnt, prior = units - kept, matmul(self.nngp, kept)
            if kind == "full":
                after = matmul(kept.T, prior)
                after = (after + after.T) / 2 + noise * matmul(learnt.T, learnt)
                before = self.nngp
            else:
                after = np.einsum("ij,ij->j", kept, prior)
                after += noise * np.einsum("ij,ij->j", learnt, learnt)
                before = self.nngp.diagonal()[rows]
            covariances.append(as_covariance(after, before, kept.T, self._trace(noise)))
        return mean, np.concatenate(covariances)

    def _times_prior(self, weights: FloatArray, theta: FloatArray, noise: float) -> FloatArray:
        """B·(Σ + σ²); where Θ is Σ, B·Σ = Θ* − r·B."""
        if self.readout:
            shift = weights.dtype.type(noise - float(self.prepared.ridge))
            return theta + shift * weights
        product = matmul(weights, self.nngp)
        return product + weights.dtype.type(noise) * weights if noise else product

    def _trace(self, noise: float) -> float:
        return float(self.nngp.diagonal().sum(dtype=np.float64)) + noise * len(self.nngp)


def moments_at(
    times: Times,
    limit: Limit | None,
    evolution: Callable[[], Evolution | EvolutionByProducts],
    blocks: Callable[[], Iterator[Block]] | None,
    kind: str,
    noise: float,
) -> list[Moments]:
    """Compute mean and covariance at each time: by `limit` at t = ∞ if it is not None.

    `blocks` makes the kernels of the test points; None stands for the training points.
    """
    moments: dict[int, Moments] = {}
    ended = np.isinf(times)
    if limit is not None and ended.any():
        if blocks is None:
            end = limit.on_training_points(kind, noise)
        else:
            end = limit.on_test_points(blocks(), kind, noise)
        moments = dict.fromkeys(np.flatnonzero(ended).tolist(), end)
    others = [i for i in range(len(times)) if i not in moments]
    if others:
        found: Iterable[Moments]
        if blocks is None:
            found = evolution().on_training_points(times[others], kind, noise)
        else:
            found = evolution().on_test_points(times[others], blocks(), kind, noise)
        moments.update(zip(others, found, strict=True))
    return [moments[i] for i in range(len(times))]
