"""Evolution of a Gaussian over functions by products with operators: ensembles of many points."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ntkfast._arrays import FloatArray
from ntkfast._gram import unit_columns
from ntkfast._memory import check
from ntkfast.dynamics._arguments import Times
from ntkfast.dynamics._evolution import Block, Moments
from ntkfast.dynamics._filters import Share
from ntkfast.dynamics._predictive import TOGETHER, as_covariance
from ntkfast.dynamics._products import Products
from ntkfast.dynamics.flow import GradientFlow
from ntkfast.linalg import matmul
from ntkfast.operators import Operator

__all__ = ["EvolutionByProducts"]

# Columns of one Lanczos basis at finite times: its small matrix grows with all of them.
_COLUMNS = 16


@dataclass(frozen=True, eq=False)
class EvolutionByProducts:
    """The flow of an operator Θ, and the initial covariance Σ as an operator.

    The covariance of f(x) − w·f(X) is positive for any w, so it is computed from w = B_t as found.
    """

    flow: GradientFlow
    nngp: Operator

    @cached_property
    def _columns(self) -> Products:
        """The training of other columns than the targets, whose basis the flow keeps."""
        prepared = self.flow.prepared
        assert isinstance(prepared, Products)
        return prepared.another()

    def on_test_points(
        self, times: Times, blocks: Iterable[Block], kind: str, noise: float
    ) -> list[Moments]:
        """Compute mean and covariance at each time, block by block; "full" uses one block."""
        n, c = len(self.nngp), math.prod(self.flow.y.shape[1:])
        coefficients = self.flow.coefficients(t=times).reshape(times.size, n, c)
        means: list[list[FloatArray]] = [[] for _ in times]
        covariances: list[list[FloatArray]] = [[] for _ in times]
        for kernels, before in blocks:
            m = len(kernels.ntk)
            for mean, alpha in zip(means, coefficients, strict=True):
                mean.append(matmul(kernels.ntk, alpha))
            if before is None:
                continue
            size = 8 * m * ((3 * m if kind == "full" else 0) + (times.size + 4) * n)
            check(size, f"the covariance of {m} points", "use fewer test points or times at once")
            weights = self.evolved("gathered", times, kernels.ntk.T)
            for w, covariance in zip(weights, covariances, strict=True):
                half = (self._times_prior(w) + noise * w) / 2 - kernels.nngp
                if kind == "full":
                    product = matmul(w, half.T)
                    after = before + (product + product.T)
                else:
                    after = before + 2 * np.einsum("ij,ij->i", w, half)
                after = after.astype(before.dtype, copy=False)
                covariance.append(as_covariance(after, before, w, self._trace(noise)))
        return [
            (np.concatenate(mean), np.concatenate(covariance) if covariance else None)
            for mean, covariance in zip(means, covariances, strict=True)
        ]

    def on_training_points(self, times: Times, kind: str, noise: float) -> list[Moments]:
        """Compute mean and covariance at each time: f_t − E f_t = (1 − ΘA)·f_0 + ΘA·noise."""
        n, c = len(self.nngp), math.prod(self.flow.y.shape[1:])
        means = self.flow.predict_train(t=times).reshape(times.size, n, c)
        if kind == "none":
            return [(mean, None) for mean in means]
        full, prior = kind == "full", self.nngp.diagonal()
        if full:
            check(8 * (times.size + 4) * n * n, f"the covariance of {n} training points")
        covariances: list[list[FloatArray]] = [[] for _ in times]
        step = n if full else TOGETHER
        for top in range(0, max(n, 1), max(step, 1)):
            rows = slice(top, min(top + step, n))
            units = unit_columns(n, rows, np.dtype(np.float64))
            for kept, covariance in zip(
                self.evolved("left", times, units), covariances, strict=True
            ):
                learnt, product = units.T - kept, self._times_prior(kept)
                if full:
                    after = matmul(product, kept.T)
                    after = (after + after.T) / 2 + noise * matmul(learnt, learnt.T)
                    before = self.nngp.to_array()
                else:
                    after = np.einsum("ij,ij->i", product, kept)
                    after += noise * np.einsum("ij,ij->i", learnt, learnt)
                    before = prior[rows]
                after = after.astype(prior.dtype, copy=False)
                covariance.append(as_covariance(after, before, kept, self._trace(noise)))
        return [
            (mean, np.concatenate(covariance))
            for mean, covariance in zip(means, covariances, strict=True)
        ]

    def evolved(self, share: Share, times: Times, columns: FloatArray) -> FloatArray:
        """Return a share of each column at each time, shape (k, columns, n)."""
        step = TOGETHER if np.isinf(times).all() else _COLUMNS
        count = columns.shape[1]
        parts = [
            self._columns.evolve(share, times, np.ascontiguousarray(some))
            for some in (columns[:, i : i + step] for i in range(0, max(count, 1), step))
        ]
        return np.concatenate(parts, axis=2).swapaxes(1, 2)

    def _times_prior(self, weights: FloatArray) -> FloatArray:
        """W·Σ, for W of shape (m, n)."""
        return (self.nngp @ weights.T).T

    def _trace(self, noise: float) -> float:
        return float(self.nngp.diagonal().sum(dtype=np.float64)) + noise * len(self.nngp)
