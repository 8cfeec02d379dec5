"""Evolution of a Gaussian over functions under gradient flow: the mathematics behind `Ensemble`.

All computations use the eigenbasis of Θ, in which training is diagonal. Outputs are (n, c).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias

import numpy as np

from ntkfast._arrays import FloatArray
from ntkfast._memory import check
from ntkfast._progress import Progress
from ntkfast.dynamics._arguments import Times, as_cross_kernel
from ntkfast.dynamics._predictive import as_covariance, prior, prior_rows, test_blocks
from ntkfast.dynamics.flow import GradientFlow
from ntkfast.kernels import Kernels, as_others
from ntkfast.linalg import matmul
from ntkfast.networks import Network

__all__ = [
    "Block",
    "Evolution",
    "Moments",
    "as_cross_kernels",
    "blocks_of_kernels",
    "blocks_of_network",
    "kernels_of",
    "response",
]

# Kernels between a block of test points and the training points, and the prior of the block.
Block: TypeAlias = tuple[Kernels, FloatArray | None]
# Mean (m, c), and covariance (m, m), variances (m,), or None.
Moments: TypeAlias = tuple[FloatArray, FloatArray | None]


@dataclass(frozen=True, eq=False)
class Evolution:
    """The flow and its initial covariance Σ; with `readout`, Θ is Σ."""

    flow: GradientFlow
    nngp: FloatArray
    readout: bool

    def on_test_points(
        self, times: Times, blocks: Iterable[Block], kind: str, noise: float
    ) -> list[Moments]:
        """Compute mean and covariance at each time, block by block; "full" uses one block."""
        filters, modes = self.flow._filters, self._modes
        filters.warn_of_rounding(times)
        vectors, all_gains = filters.vectors, filters.gathered(times)
        means: list[list[FloatArray]] = [[] for _ in times]
        covariances: list[list[FloatArray]] = [[] for _ in times]
        for kernels, before in blocks:
            if kind == "full":  # the terms of the covariance, and what they are products of
                size = len(kernels.ntk) * (3 * len(kernels.ntk) + 4 * len(vectors))
                check(size * vectors.itemsize, f"the covariance of {len(kernels.ntk)} points")
            theta = matmul(kernels.ntk, vectors)
            sigma = theta
            if before is not None and not self.readout:
                sigma = matmul(kernels.nngp, vectors)
            for gains, mean, covariance in zip(all_gains, means, covariances, strict=True):
                weights = theta * gains.astype(theta.dtype)
                mean.append(matmul(weights, modes))
                if before is None:
                    continue
                # Σ** + B·Hᵀ + H·Bᵀ with H = ½·B·(Σ + σ²) − Σ*, which is exactly symmetric.
                half = self._times_prior(weights, noise) / 2 - sigma
                if kind == "full":
                    product = matmul(weights, half.T)
                    after = before + (product + product.T)
                else:
                    after = before + 2 * _row_sums(weights, half)
                covariance.append(as_covariance(after, before, weights, self._trace(noise)))
        return [
            (np.concatenate(mean), np.concatenate(covariance) if covariance else None)
            for mean, covariance in zip(means, covariances, strict=True)
        ]

    def on_training_points(self, times: Times, kind: str, noise: float) -> Iterator[Moments]:
        """Compute mean and covariance at each time: f_t − E f_t = (1 − ΘA)·f_0 + ΘA·noise.

        The remaining part of f_0 uses the filter of the residual, so nothing cancels.
        """
        filters, modes = self.flow._filters, self._modes
        filters.warn_of_rounding(times)
        vectors = filters.vectors
        if kind != "none":  # six matrices at the peak of "full", four otherwise
            count = 6 if kind == "full" else 4
            check(count * vectors.nbytes, f"the covariance of {len(vectors)} training points")
        for gains, left in zip(filters.gathered(times), filters.left(times), strict=True):
            share = (self.flow._eigen.eigenvalues * gains).astype(vectors.dtype)
            mean = matmul(vectors, share[:, None] * modes)
            if kind == "none":
                yield mean, None
                continue
            kept, learnt = vectors * left.astype(vectors.dtype), vectors * share
            if kind == "full":
                after = matmul(self._times_prior(kept), kept.T)
                after = (after + after.T) / 2 + noise * matmul(learnt, learnt.T)
                before = self.nngp
            else:
                after = _row_sums(self._times_prior(kept), kept)
                after += noise * _row_sums(learnt, learnt)
                before = self.nngp.diagonal()
            yield mean, as_covariance(after, before, kept, self._trace(noise))

    def _times_prior(self, weights: FloatArray, noise: float = 0.0) -> FloatArray:
        """W·(Σ + σ²), with Σ in the eigenbasis of Θ."""
        if self.readout:
            return weights * (self.flow._eigen.eigenvalues + noise).astype(weights.dtype)
        product = matmul(weights, self._rotated_prior)
        return product + weights.dtype.type(noise) * weights if noise else product

    @property
    def _modes(self) -> FloatArray:
        """Uᵀ·y, shape (n, c)."""
        return matmul(self.flow._filters.vectors.T, self.flow._initial_residual(0.0, "f0"))

    @cached_property
    def _rotated_prior(self) -> FloatArray:
        vectors = self.flow._filters.vectors
        return matmul(vectors.T, matmul(self.nngp, vectors))

    def _trace(self, noise: float) -> float:
        return float(self.nngp.diagonal().sum(dtype=np.float64)) + noise * len(self.nngp)


def _row_sums(a: FloatArray, b: FloatArray) -> FloatArray:
    sums: FloatArray = np.einsum("ij,ij->i", a, b)
    return sums


def response(flow: GradientFlow, kernel: FloatArray, times: Times) -> FloatArray:
    """B_t = Θ*·A_t at the first of the times: training maps f_0 to f_0 + B_t·(y − f_0)."""
    vectors = flow._filters.vectors
    gains = flow._filters.gathered(times)[0].astype(vectors.dtype)
    return matmul(matmul(kernel, vectors) * gains, vectors.T)


def kernels_of(
    network: Network,
    x: FloatArray,
    x2: FloatArray | None,
    trained: str,
    progress: Progress = None,
) -> Kernels:
    """Σ and Θ; if only the readout is trained, Θ is Σ."""
    if trained == "all":
        return network.kernels(x, x2, progress=progress)
    nngp = network.nngp(x, x2, progress=progress)
    return Kernels(nngp=nngp, ntk=nngp)


def blocks_of_network(
    network: Network | None,
    points: FloatArray,
    x: FloatArray | None,
    trained: str,
    kind: str,
    blocks: Iterable[slice],
) -> Iterator[Block]:
    """Compute kernels between test and training points, for a block of test points at a time."""
    assert network is not None
    assert x is not None
    for rows in blocks:
        some = points[rows]
        yield kernels_of(network, as_others(some, x), x, trained), prior(network, some, kind)


def blocks_of_kernels(kernels: Kernels, given: FloatArray | None, kind: str) -> Iterator[Block]:
    """Split kernels between test and training points, and a prior, into blocks of test points."""
    nngp, ntk = kernels
    for rows in test_blocks(len(nngp), nngp.shape[1], kind):
        yield Kernels(nngp[rows], ntk[rows]), prior_rows(given, rows)


def as_cross_kernels(kernels: Kernels, n: int, trained: str) -> Kernels:
    """Return kernels between test points and the n training points, after checking them."""
    if not isinstance(kernels, Kernels):
        raise TypeError(
            f"kernels is of type {type(kernels).__name__}; expected a Kernels, as returned by "
            "net.kernels, or Kernels(nngp=…, ntk=…)"
        )
    nngp = ntk = as_cross_kernel(kernels.nngp, n, "kernels.nngp", "net.nngp")
    if trained == "all":
        ntk = as_cross_kernel(kernels.ntk, n, "kernels.ntk", "net.ntk")
    if ntk.shape != nngp.shape:
        raise ValueError(
            f"kernels.nngp has shape {nngp.shape} and kernels.ntk has shape {ntk.shape}; "
            "expected the same shape, (m, n), for both"
        )
    return Kernels(nngp=nngp, ntk=ntk)
