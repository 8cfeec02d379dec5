"""What follows from conditioning a Gaussian on data: predictions, evidence, leave-one-out."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import partial
from typing import Literal, overload

import numpy as np
import numpy.typing as npt

from ntkfast._arrays import FloatArray
from ntkfast._calls import by_keyword
from ntkfast._display import Displayed, Fact
from ntkfast._foreign import is_dask
from ntkfast._gram import number_or_shape
from ntkfast._progress import Progress, counted, one_step
from ntkfast._warnings import warn
from ntkfast.dynamics import _conditioning
from ntkfast.dynamics._arguments import as_cross_kernel
from ntkfast.dynamics._chunks import normals_of_chunks
from ntkfast.dynamics._predictive import (
    Covariance,
    as_prior,
    as_test_points,
    covariance_kind,
    test_blocks,
)
from ntkfast.dynamics._scaled import scaled_features
from ntkfast.dynamics.normal import Normal
from ntkfast.dynamics.regression import KernelRegression
from ntkfast.networks import Network
from ntkfast.solvers import PreparedByProducts, PreparedConjugateGradients

__all__ = ["ConditionedGaussian", "evidence"]


class ConditionedGaussian(Displayed):
    """The results of a `Posterior`, which knows how it was made."""

    network: Network | None
    x: FloatArray | None
    noise_variance: FloatArray
    regression: KernelRegression
    relative_diag_reg: float
    feature_scales: FloatArray | None
    feature_center: FloatArray | None

    @by_keyword("the test input")
    def predict(
        self,
        x_test: npt.ArrayLike | None = None,
        *,
        covariance: Covariance = "none",
        progress: Progress = None,
    ) -> Normal:
        """Compute the distribution of the function without noise.

        Parameters
        ----------
        x_test
            Shape (m, n_features); None for the training points. Workers of Dask predict the chunks
            of a dask.array; by products, and for ``"full"``, its points are computed here.
        covariance
            ``"none"``; ``"diagonal"``, the variance of each point, computed in blocks of points
            without an m × m array; or ``"full"``.
        progress
            True for a tqdm bar, or any ``callable(done, total)``, called as blocks of ``x_test``
            finish. The training points, and all points of ``"full"``, are one block.

        Returns
        -------
        Normal
            The distribution at the m points, for each output. Its
            ``log_density(y_test, noise_variance=…)`` is the log predictive density of observations.

        Raises
        ------
        TypeError, ValueError
            An argument has the wrong type or shape, or points are given without a network.

        Notes
        -----
        Costs the kernel, 2·m·n for the mean, 2·m·n² for variances, 2·m²·n more for covariances.
        """
        kind = covariance_kind(covariance)
        if x_test is None:
            with one_step(progress, "Posterior"):
                return self._normal(*_conditioning.on_training_points(self.regression, kind))
        by_products = isinstance(self.regression.prepared, PreparedByProducts)
        if is_dask(x_test) and kind != "full" and not by_products:
            predict = partial(_at, covariance=covariance)
            return normals_of_chunks(predict, self, x_test, progress, "Posterior")[0]
        points = as_test_points(x_test, self.x, "Posterior")
        assert self.x is not None

        least = _conditioning.least_block(self.regression.prepared)
        exact = kind == "diagonal" and by_products
        blocks = _conditioning.blocks_of_network(
            self.network,
            self._features(points),
            self._features(self.x),
            kind,
            least,
            exact=exact,
        )
        count = len(list(test_blocks(len(points), len(self.regression.y), kind, least)))
        blocks = counted(progress, "Posterior", blocks, count)
        mean, *rest = _conditioning.on_test_points(self.regression, blocks)
        dtype = np.result_type(points, self.regression.coefficients)
        return self._normal(mean.astype(dtype, copy=False), *rest)

    @by_keyword("the test input")
    def predict_kernels(
        self,
        nngp_test_train: npt.ArrayLike,
        nngp_test: npt.ArrayLike | None = None,
        *,
        covariance: Covariance = "none",
    ) -> Normal:
        """Compute the distribution of the function from kernels.

        Parameters
        ----------
        nngp_test_train
            Shape (m, n): Σ between the m points and the n training points.
        nngp_test
            Σ of the m points: shape (m, m), as from ``net.nngp(x_test)``. Its diagonal, (m,), is
            enough for ``covariance="diagonal"``, and None for ``"none"``.
        covariance
            As in `predict`.

        Returns
        -------
        Normal
            The distribution at the m points, for each output.
        """
        kind = covariance_kind(covariance)
        n = len(self.regression.y)
        cross = as_cross_kernel(nngp_test_train, n, "nngp_test_train", "net.nngp")
        given = as_prior(nngp_test, len(cross), kind)
        least = _conditioning.least_block(self.regression.prepared)
        blocks = _conditioning.blocks_of_kernels(cross, given, kind, least)
        return self._normal(*_conditioning.on_test_points(self.regression, blocks))

    @overload
    def log_marginal_likelihood(self, *, return_std: Literal[False] = False) -> float: ...
    @overload
    def log_marginal_likelihood(self, *, return_std: Literal[True]) -> tuple[float, float]: ...
    def log_marginal_likelihood(self, *, return_std: bool = False) -> float | tuple[float, float]:
        """Compute log p(y), the evidence for the network and the noise, summed over the outputs.

        For each output it is −½(yᵀK⁻¹y + log det K + n·log 2π). If K is singular, as copies of
        points without noise make it, and no jitter was added, it is −∞ for targets that K does not
        reach, such as two for one point, and otherwise ∞.

        Parameters
        ----------
        return_std
            Whether to return the standard error, too. It is 0 for a factor in the precision of the
            points. Otherwise log det K is an estimate with the random vectors of the solver. Common
            ones (its ``seed``) serve comparisons; differences far below the error decide nothing.

        Returns
        -------
        float, or two of them
            The evidence, and its standard error.

        Warns
        -----
        RuntimeWarning
            The standard error exceeds 1, and was not asked for.
        """
        value = evidence(self.regression)
        outputs = math.prod(self.regression.y.shape[1:])
        error = 0.5 * outputs * self.regression.prepared.log_determinant_error
        if return_std:
            return value, error
        if error > 1:
            warn(
                f"log_marginal_likelihood is an estimate with a standard error of {error:.2g}, "
                "because no factor of the kernel was computed; pass return_std=True, and compare "
                "candidates only where they differ by more, or increase probes of the solver"
            )
        return value

    def leave_one_out(self) -> Normal:
        """Predict each training point from all the others.

        Returns
        -------
        Normal
            The distribution of the function: mean y_i − α_i/[K⁻¹]_ii, variance 1/[K⁻¹]_ii − σ². Its
            ``log_density(y, noise_variance=…)`` is the log predictive probability of
            leave-one-out cross-validation. Costs n³/3 once instead of n factorisations. By products
            1/[K⁻¹]_ii, the variance of an observation, is an estimate, and printing the result says
            how good it is. If σ² is most of it, single variances of the function mean little then,
            and may be 0.
        """
        variance = 1 / self.regression.inverse_diagonal - self.regression.diagonal
        mean = self.regression.leave_one_out()
        about = "NNGP posterior, leave-one-out"
        if isinstance(self.regression.prepared, PreparedConjugateGradients):
            error = self.regression.prepared.inverse_diagonal_error
            about += f" estimated by products, variances of observations to {error:.2g}"
        return Normal(mean, np.maximum(variance, 0), about)

    def _normal(
        self,
        mean: FloatArray,
        covariance: FloatArray | None,
        bounds: FloatArray | None = None,
    ) -> Normal:
        outputs = self.regression.y.shape[1:]
        return Normal(mean.reshape(len(mean), *outputs), covariance, "NNGP posterior", bounds)

    def _features(self, x: FloatArray) -> FloatArray:
        """Return the features whose kernels are computed."""
        return scaled_features(x, self.feature_center, self.feature_scales)

    def _facts(self) -> Iterator[Fact]:
        yield "", "kernels" if self.network is None else self.network
        yield "noise_variance=", number_or_shape(self.noise_variance)
        if self.relative_diag_reg:
            yield "relative_diag_reg=", f"{self.relative_diag_reg:g}"
        if self.feature_scales is not None:
            yield "feature_scales=", number_or_shape(self.feature_scales)
        yield "", self.regression

    def _remarks(self) -> Iterator[str]:
        return self.regression._remarks()


def _at(model: ConditionedGaussian, x: FloatArray, *, covariance: Covariance) -> list[Normal]:
    return [model.predict(x, covariance=covariance)]


def evidence(regression: KernelRegression) -> float:
    """Compute log p(y), summed over the outputs."""
    y, prepared = regression.y, regression.prepared
    if not prepared.reaches(y):
        return -math.inf
    fit = float(np.sum(y * regression.coefficients, dtype=np.float64))
    complexity = prepared.log_determinant + prepared.n * math.log(2 * math.pi)
    return -0.5 * (fit + math.prod(y.shape[1:]) * complexity)
