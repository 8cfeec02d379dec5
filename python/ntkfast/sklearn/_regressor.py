"""The common part of all regressors: targets, their scale, and predictions."""

from __future__ import annotations

from functools import partial
from typing import Any, Literal, TypeVar, overload

import numpy as np
import numpy.typing as npt
from sklearn.base import MultiOutputMixin, RegressorMixin
from sklearn.utils.validation import check_is_fitted

from ntkfast._arrays import FloatArray
from ntkfast._foreign import is_dask
from ntkfast._scalars import as_flag
from ntkfast.operators import KernelOperator
from ntkfast.sklearn._base import NetworkEstimator

__all__ = ["NetworkRegressor"]

Self = TypeVar("Self", bound="NetworkRegressor")


class NetworkRegressor(MultiOutputMixin, RegressorMixin, NetworkEstimator):
    """An infinitely wide network that learns numbers."""

    normalize_y: bool

    y_mean_: npt.NDArray[np.float64] | float
    y_scale_: npt.NDArray[np.float64] | float

    def fit(
        self: Self, X: npt.ArrayLike, y: npt.ArrayLike, sample_weight: npt.ArrayLike | None = None
    ) -> Self:
        """Fit to training data.

        Parameters
        ----------
        X
            Shape (n, n_features), one sample per row; float64 and float32 are kept. A dask.array is
            copied to this process, except by estimators that learn on centres.
        y
            Shape (n,) or (n, n_outputs): targets.
        sample_weight
            Shape (n,): weights w >= 0 of the squared errors. Noise or regularisation r becomes r/w,
            so a weight of 2 acts as two copies of the sample, and 0 drops it. For targets whose
            noise has known variances, use their inverses.

        Returns
        -------
        self

        Raises
        ------
        TypeError, ValueError
            Data or parameters are invalid, or ``X`` is sparse.
        NumericalError
            The matrix of the system is not positive semi-definite, even with the largest jitter.
        """
        points, targets = self._training_samples(X, y, multi_output=True, y_numeric=True)
        points, targets, weights = self._positive(points, targets, sample_weight)
        targets = targets.astype(points.dtype, copy=False)
        outputs = targets.shape[1:]
        self.y_mean_, self.y_scale_ = np.zeros(outputs), np.ones(outputs)
        if as_flag(self.normalize_y, "normalize_y"):
            # Relative to the largest, so that squares do not overflow and equal targets stay equal.
            largest = np.abs(targets).max(axis=0).astype(np.float64)
            unit = np.where(largest > 0, largest, 1.0)
            units = targets / unit
            mean = np.average(units, axis=0, weights=weights)
            spread = np.sqrt(np.average((units - mean) ** 2, axis=0, weights=weights))
            varied = units.max(axis=0) > units.min(axis=0)
            self.y_mean_, self.y_scale_ = unit * mean, np.where(varied, unit * spread, 1.0)
            targets = ((units - mean) / np.where(varied, spread, 1.0)).astype(points.dtype)
        self._kind = KernelOperator.like(X)
        self._learn(points, targets, weights)
        return self

    @overload
    def predict(
        self, X: npt.ArrayLike, return_std: Literal[False] = False, *, noise: bool = False
    ) -> FloatArray: ...

    @overload
    def predict(
        self, X: npt.ArrayLike, return_std: Literal[True], *, noise: bool = False
    ) -> tuple[FloatArray, FloatArray]: ...

    def predict(
        self, X: npt.ArrayLike, return_std: bool = False, *, noise: bool = False
    ) -> FloatArray | tuple[FloatArray, FloatArray]:
        """Predict the targets.

        Parameters
        ----------
        X
            Shape (m, n_features). For a dask.array results are dask.arrays, lazy, with its chunks.
        return_std
            Whether to return standard deviations as well.
        noise
            Whether these are of new observations, in the units of the targets: with the variance
            ``noise_variance_`` of the noise. Otherwise they are of the function.

        Returns
        -------
        mean : ndarray
            Shape (m,) or (m, n_outputs).
        std : ndarray
            Same shape: standard deviation. Only with ``return_std``.
        """
        if is_dask(X):
            return self._predict_by_chunks(X, return_std, noise)
        points = self._new_points(X)
        outputs = self._outputs(points)
        mean = (self.y_mean_ + self.y_scale_ * outputs).astype(outputs.dtype)
        if not _wants_std(return_std, noise):
            return mean
        deviations = self._deviations(points).reshape(-1, *[1] * (mean.ndim - 1))
        if as_flag(noise, "noise"):
            deviations = np.hypot(deviations, np.sqrt(self._noise()))
        return mean, (self.y_scale_ * deviations).astype(mean.dtype)

    def _predict_by_chunks(
        self, X: Any, return_std: bool, noise: bool
    ) -> FloatArray | tuple[FloatArray, FloatArray]:
        check_is_fitted(self)
        outputs = self.dual_coef_.shape[1:]
        mean: FloatArray = self._means_by_chunks(_means, X, outputs)
        if not _wants_std(return_std, noise):
            return mean
        if noise:
            self._noise()  # once, and not in each task
        return mean, self._by_chunks(partial(_deviations, noise), X, outputs)


def _wants_std(return_std: bool, noise: bool) -> bool:
    wanted = as_flag(return_std, "return_std")
    if as_flag(noise, "noise") and not wanted:
        raise ValueError(
            "noise is True, but it changes standard deviations only; pass return_std=True"
        )
    return wanted


def _means(model: NetworkRegressor, X: FloatArray) -> FloatArray:
    return model.predict(X)


def _deviations(noise: bool, model: NetworkRegressor, X: FloatArray) -> FloatArray:
    return model.predict(X, return_std=True, noise=noise)[1]
