"""Predictions of ensembles at test points, at training points, and from kernels."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from functools import partial
from typing import TypeAlias

import numpy.typing as npt

from ntkfast._arrays import FloatArray
from ntkfast._calls import by_keyword
from ntkfast._display import Displayed
from ntkfast._foreign import is_dask
from ntkfast._progress import Progress, counted, one_step
from ntkfast._scalars import as_real
from ntkfast.dynamics._arguments import Times, as_time, as_times
from ntkfast.dynamics._chunks import normals_of_chunks
from ntkfast.dynamics._evolution import (
    Block,
    as_cross_kernels,
    blocks_of_kernels,
    blocks_of_network,
)
from ntkfast.dynamics._predictive import (
    TOGETHER,
    Covariance,
    as_prior,
    as_test_points,
    covariance_kind,
    test_blocks,
)
from ntkfast.dynamics.normal import Normal
from ntkfast.kernels import Kernels
from ntkfast.networks import Network
from ntkfast.operators import Operator

__all__ = ["Blocks", "Predictions"]

# Makes the kernels of the test points, block by block; None stands for the training points.
Blocks: TypeAlias = Callable[[], Iterator[Block]] | None


class Predictions(Displayed, ABC):
    """What an ensemble predicts, from the distributions that it computes of blocks of kernels."""

    network: Network | None
    x: FloatArray | None
    y: FloatArray
    nngp: FloatArray | Operator
    trained: str

    @abstractmethod
    def _gaussians(self, times: Times, blocks: Blocks, kind: str, noise: float) -> list[Normal]:
        """Return the distributions at test points, or at the training points for None."""

    @by_keyword("the test input")
    def predict(
        self,
        x_test: npt.ArrayLike | None = None,
        *,
        t: float = math.inf,
        covariance: Covariance = "none",
        noise_variance: float = 0.0,
        progress: Progress = None,
    ) -> Normal:
        """Compute the distribution of the trained networks' outputs.

        Parameters
        ----------
        x_test
            Shape (m, n_features); None for the training points. Workers of Dask predict the chunks
            of a dask.array; by products, and for ``"full"``, its points are computed here.
        t
            Training time from 0 (the prior) to infinity. Use `trajectory` for several times.
        covariance
            ``"none"``; ``"diagonal"``, the variance of each point, computed in blocks of points
            without an m × m array; or ``"full"``.
        noise_variance
            Variance σ² of noise on the targets. Each network has its own draw of the noise, which
            adds σ²·B_t·B_tᵀ. The result does not include the noise of new observations.
        progress
            True for a tqdm bar, or any ``callable(done, total)``, called as blocks of ``x_test``
            finish. The training points, and all points of ``"full"``, are one block.

        Returns
        -------
        Normal
            The distribution at the m points, for each output.

        Raises
        ------
        TypeError, ValueError
            An argument has the wrong type, shape or range, or points are given without a network.

        Notes
        -----
        Costs the kernels and 2·m·n² for the mean, 4·m·n² more for variances (2·m·n² less if only
        the readout is trained), 2·m²·n more for the full covariance. It is positive semi-definite
        up to rounding, and no variance is negative.
        """
        return self.trajectory(
            x_test,
            t=as_time(t),
            covariance=covariance,
            noise_variance=noise_variance,
            progress=progress,
        )[0]

    @by_keyword("the test input")
    def trajectory(
        self,
        x_test: npt.ArrayLike | None = None,
        *,
        t: npt.ArrayLike,
        covariance: Covariance = "none",
        noise_variance: float = 0.0,
        progress: Progress = None,
    ) -> list[Normal]:
        """Compute the distributions at several times, computing the kernels once.

        Parameters
        ----------
        x_test
            As in `predict`.
        t
            Shape (k,): times from 0 to infinity.
        covariance, noise_variance, progress
            As in `predict`.

        Returns
        -------
        list of Normal
            One for each time.
        """
        times, shape = as_times(t)
        if len(shape) != 1:
            raise ValueError(f"t has shape {shape}; expected (k,), one time or more")
        kind = covariance_kind(covariance)
        noise = as_real(noise_variance, "noise_variance", least=0.0)
        if x_test is None:
            with one_step(progress, "Ensemble"):
                return self._gaussians(times, None, kind, noise)
        if is_dask(x_test) and kind != "full" and not isinstance(self.nngp, Operator):
            predict = partial(_at, t=times, covariance=covariance, noise_variance=noise)
            return normals_of_chunks(predict, self, x_test, progress, "Ensemble")
        points = as_test_points(x_test, self.x, "Ensemble")
        least = TOGETHER if isinstance(self.nngp, Operator) else 1
        rows = list(test_blocks(len(points), len(self.nngp), kind, least))

        def blocks() -> Iterator[Block]:
            made = blocks_of_network(self.network, points, self.x, self.trained, kind, rows)
            return counted(progress, "Ensemble", made, len(rows))

        return self._gaussians(times, blocks, kind, noise)

    @by_keyword("the test input")
    def predict_kernels(
        self,
        kernels: Kernels,
        nngp_test: npt.ArrayLike | None = None,
        *,
        t: float = math.inf,
        covariance: Covariance = "none",
        noise_variance: float = 0.0,
    ) -> Normal:
        """Compute the distribution of the trained networks' outputs from kernels.

        Parameters
        ----------
        kernels
            Shape (m, n): both kernels between the m points and the n training points, as from
            ``net.kernels(x_test, x)``. If only the readout is trained, only Σ is used.
        nngp_test
            Σ of the m points: shape (m, m), as from ``net.nngp(x_test)``. Its diagonal, (m,), is
            enough for ``covariance="diagonal"``, and None for ``"none"``.
        t, covariance, noise_variance
            As in `predict`.

        Returns
        -------
        Normal
            The distribution at the m points, for each output.
        """
        times = as_time(t)
        kind = covariance_kind(covariance)
        noise = as_real(noise_variance, "noise_variance", least=0.0)
        both = as_cross_kernels(kernels, len(self.nngp), self.trained)
        given = as_prior(nngp_test, len(both.nngp), kind)

        def blocks() -> Iterator[Block]:
            return blocks_of_kernels(both, given, kind)

        return self._gaussians(times, blocks, kind, noise)[0]


def _at(
    model: Predictions, x: FloatArray, *, t: Times, covariance: Covariance, noise_variance: float
) -> list[Normal]:
    return model.trajectory(x, t=t, covariance=covariance, noise_variance=noise_variance)
