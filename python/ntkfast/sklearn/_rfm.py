"""Recursive feature machines: NTK regression that learns the scales of its features."""

from __future__ import annotations

import math
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from sklearn.preprocessing import StandardScaler
from sklearn.utils import check_array, check_X_y
from sklearn.utils.validation import check_is_fitted, validate_data

from ntkfast._arrays import FloatArray
from ntkfast._foreign import is_dask
from ntkfast._scalars import as_choice, as_count, as_flag, as_real
from ntkfast.dynamics._arguments import Reduction, as_settings
from ntkfast.dynamics._solvers import as_solver
from ntkfast.sklearn._columns import (
    ADVICE,
    CategoricalFeatures,
    blocks_of,
    categorical,
    coded,
    found,
    one_hot_blocks,
    seen,
)
from ntkfast.sklearn._lazy import KEPT_TYPES, dense
from ntkfast.sklearn._metric import Machine, Round, project, root_of
from ntkfast.sklearn._ntk import NTKEstimator
from ntkfast.sklearn._seeds import RandomState, as_seed
from ntkfast.sklearn._weights import check_solver_of_weights

__all__ = ["RFMEstimator"]

# Features up to which diagonal="auto" tries full metrics too.
_FULL = 500


class RFMEstimator(NTKEstimator):
    """An NTK estimator at t = ∞ of features that are multiplied by a learnt matrix."""

    relative_diag_reg: float | Literal["auto"]  # type: ignore[assignment]  # a number in the base
    rounds: int
    diagonal: bool | Literal["auto"]
    categorical_features: CategoricalFeatures
    standardize: bool
    max_samples: int | None
    random_state: RandomState

    t = math.inf
    learning_rate = 1.0
    reduction: Reduction = "sum"
    kernel = "ntk"

    relative_diag_reg_: float
    is_categorical_: npt.NDArray[np.bool_] | None
    categories_: list[npt.NDArray[Any]]
    center_: npt.NDArray[np.float64]
    projection_: FloatArray
    metric_: FloatArray
    feature_importances_: npt.NDArray[np.float64]
    leave_one_out_errors_: npt.NDArray[np.float64]
    best_round_: int

    def _training_samples(
        self, X: npt.ArrayLike, y: npt.ArrayLike, **checks: Any
    ) -> tuple[FloatArray, npt.NDArray[Any]]:
        if is_dask(X):
            X = np.asarray(dense(X))
        mask = categorical(self.categorical_features, X)
        self.is_categorical_, self.categories_ = mask, []
        if mask is None:
            try:
                return super()._training_samples(X, y, **checks)
            except ValueError as error:
                if "could not convert" in str(error):
                    raise ValueError(f"X has text: {error}; {ADVICE}") from None
                raise
        validate_data(self, X, y, skip_check_array=True)
        self.categories_ = found(X, mask)
        numbers = coded(X, mask, self.categories_)
        checked: tuple[FloatArray, npt.NDArray[Any]] = check_X_y(
            numbers, y, dtype=KEPT_TYPES, estimator=self, **checks
        )
        return checked

    def _new_points(self, X: npt.ArrayLike) -> FloatArray:
        check_is_fitted(self)
        if self.is_categorical_ is None:
            return super()._new_points(X)
        validate_data(self, X, reset=False, skip_check_array=True)
        numbers = coded(X, self.is_categorical_, self.categories_)
        checked: FloatArray = check_array(numbers, dtype=KEPT_TYPES, input_name="X", estimator=self)
        return checked

    @property
    def _sizes(self) -> list[int]:
        return [len(each) for each in self.categories_]

    def _settings(self) -> dict[str, Any]:
        return as_settings(self.learning_rate, self.reduction, 0.0, self.relative_diag_reg_)

    def _learn(self, points: FloatArray, targets: FloatArray, weights: FloatArray | None) -> None:
        as_solver(self.solver, self.tol)
        check_solver_of_weights(self.solver, weights)  # before the rounds
        ridge = self._ridge()
        if self.is_categorical_ is not None:  # samples of weight 0 are not among these
            points, self.categories_ = seen(points, self.is_categorical_, self.categories_)
        features, units = self._standardized(points, weights)
        some, blocks = self._some(len(points)), self._blocks()
        categories = [blocks[k] for k in np.flatnonzero(self._categories_mask())]
        machine = Machine(
            self._network(),
            features[some],
            # A column whose categories are all missing has no features.
            [block for block in categories if block.stop > block.start],
            targets[some],
            None if weights is None else weights[some],
            ridge,
            self.solver,
            self.tol,
            self.memory,
            self.progress,
        )
        kinds = self._kinds(features.shape[1])
        rounds = machine.rounds(as_count(self.rounds, "rounds", least=0), kinds)
        self.leave_one_out_errors_ = np.array([each.error for each in rounds])
        self.best_round_ = int(self.leave_one_out_errors_.argmin())
        self._keep(rounds[self.best_round_], units)
        super()._learn(self._projected(points), targets, weights)

    def _ridge(self) -> float | None:
        """Return the given regularisation, or None to choose it."""
        if isinstance(self.relative_diag_reg, str):
            as_choice(self.relative_diag_reg, "relative_diag_reg", ("auto",), "a number >= 0")
            return None
        return as_real(self.relative_diag_reg, "relative_diag_reg", least=0.0)

    def _some(self, n: int) -> npt.NDArray[np.intp]:
        """Return the samples from which scales are learnt."""
        most, seed = n, as_seed(self.random_state)
        if self.max_samples is not None:
            most = min(as_count(self.max_samples, "max_samples", least=1), n)
        return np.sort(np.random.default_rng(seed).permutation(n)[:most])

    def _kinds(self, width: int) -> list[bool]:
        """Return whether metrics to try are diagonal."""
        if not isinstance(self.diagonal, str):
            return [as_flag(self.diagonal, "diagonal")]
        as_choice(self.diagonal, "diagonal", ("auto",), "True or False")
        return [True, False] if 1 < width <= _FULL else [True]

    def _categories_mask(self) -> npt.NDArray[np.bool_]:
        mask = self.is_categorical_
        return np.zeros(self.n_features_in_, bool) if mask is None else mask

    def _blocks(self) -> list[slice]:
        """Return the features that each column has."""
        return blocks_of(self.is_categorical_, self._sizes, self.n_features_in_)

    def _standardized(
        self, points: FloatArray, weights: FloatArray | None
    ) -> tuple[FloatArray, npt.NDArray[np.float64]]:
        """Return features that the metric begins with, and what they were multiplied by."""
        features = one_hot_blocks(points, self.is_categorical_, self._sizes)
        numbers = np.ones(features.shape[1], bool)
        for is_category, block in zip(self._categories_mask(), self._blocks(), strict=True):
            numbers[block] = not is_category
        self.center_, units = np.zeros(numbers.size), np.ones(numbers.size)
        if as_flag(self.standardize, "standardize") and numbers.any():
            scaler = StandardScaler().fit(features[:, numbers].astype(np.float64), None, weights)
            self.center_[numbers], units[numbers] = scaler.mean_, 1 / scaler.scale_
        return project(features - self.center_, units).astype(points.dtype), units

    def _keep(self, best: Round, units: npt.NDArray[np.float64]) -> None:
        self.metric_, self.relative_diag_reg_ = best.metric, best.relative_diag_reg
        self.projection_ = (root_of(best.metric).T * units).T
        scales = best.metric if best.metric.ndim == 1 else best.metric.diagonal()
        columns = np.array(
            [scales[block].mean() if scales[block].size else 0.0 for block in self._blocks()]
        )
        self.feature_importances_ = columns / columns.sum()

    def _projected(self, points: FloatArray) -> FloatArray:
        features = one_hot_blocks(points, self.is_categorical_, self._sizes)
        return project(features - self.center_, self.projection_).astype(points.dtype)

    def _outputs(self, points: FloatArray) -> FloatArray:
        return super()._outputs(self._projected(points))

    def _deviations(self, points: FloatArray) -> FloatArray:
        return super()._deviations(self._projected(points))
