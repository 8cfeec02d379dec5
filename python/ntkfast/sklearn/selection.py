"""Selection of depth and regularisation by leave-one-out, in closed form."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ntkfast._arrays import FloatArray
from ntkfast._ntkfast import NumericalError
from ntkfast._scalars import as_count, as_real
from ntkfast.dynamics import GradientFlow
from ntkfast.networks import Network, ntk_by_depth
from ntkfast.sklearn._networks import named_network
from ntkfast.sklearn._ntk import NTKEstimator
from ntkfast.sklearn.classifiers import NetworkClassifier
from ntkfast.sklearn.regressors import NetworkRegressor
from ntkfast.spectrum import eigh

__all__ = ["NTKClassifierCV", "NTKRegressorCV"]

_DEPTHS = (1, 2, 3)
_RIDGES = (1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0)


class LeaveOneOut(NTKEstimator):
    """Networks of several depths, trained to t = ∞ with several regularisations.

    One pass gives the kernels of all depths. One eigendecomposition per depth gives the
    leave-one-out predictions for every regularisation.
    """

    depths: Sequence[int]
    relative_diag_regs: Sequence[float]

    t = math.inf  # training to t = ∞

    best_depth_: int
    best_relative_diag_reg_: float
    best_diag_reg_: float
    best_score_: float
    cv_results_: dict[str, npt.NDArray[Any]]

    @abstractmethod
    def _score(self, targets: FloatArray, predicted: FloatArray) -> float:
        """Return the score of predictions, both of shape (n,) or (n, c); higher is better."""

    def _learn(self, points: FloatArray, targets: FloatArray) -> None:
        depths = [as_count(depth, "depths", least=0) for depth in _some(self.depths, "depths")]
        ridges = [
            as_real(ridge, "relative_diag_regs", least=0.0)
            for ridge in _some(self.relative_diag_regs, "relative_diag_regs")
        ]
        self.X_fit_ = points.copy()
        thetas = ntk_by_depth(self._mlp(max(depths)), points)
        scores = np.full((len(depths), len(ridges)), -math.inf)
        best: GradientFlow | None = None
        for row, depth in enumerate(depths):
            spectrum = eigh(thetas[depth])
            for column, ridge in enumerate(ridges):
                flow = GradientFlow(spectrum, targets, relative_diag_reg=ridge)
                predicted = leave_one_out(flow)
                if predicted is None:
                    continue
                scores[row, column] = self._score(targets, predicted)
                if best is None or scores[row, column] > self.best_score_:
                    best, self.best_score_ = flow, float(scores[row, column])
                    self.best_depth_, self.best_relative_diag_reg_ = depth, ridge
        if best is None:
            raise NumericalError(
                "the NTK is singular to working precision at every depth, so leave-one-out "
                "predictions are undefined; use larger relative_diag_regs"
            )
        self.best_diag_reg_ = best.ridge
        self.network_ = self._mlp(self.best_depth_)
        self.training_, self.dual_coef_ = best, best.coefficients(t=math.inf)
        self.cv_results_ = _as_results(depths, ridges, scores)

    def _mlp(self, depth: int) -> Network:
        return named_network(None, depth, self.activation, self.w_std, self.b_std)


def leave_one_out(flow: GradientFlow) -> FloatArray | None:
    """Predict each point from all the others, after training to t = ∞.

    Returns
    -------
    ndarray or None
        Shape of y: y_i − α_i/[(Θ + r)⁻¹]_ii; None if Θ + r is singular to working precision.
        Costs 2·n²·(1 + c).
    """
    if flow.prepared.singular:
        return None
    alpha = flow.coefficients(t=math.inf)
    by_point = flow.prepared.inverse_diagonal.reshape(-1, *[1] * (alpha.ndim - 1))
    predicted: FloatArray = flow.y - alpha / by_point
    return predicted


def _some(values: Sequence[Any], name: str) -> list[Any]:
    if np.ndim(values) != 1 or len(values) == 0:
        raise ValueError(f"{name} is {values!r}; expected a list of at least one number")
    return list(values)


def _as_results(
    depths: list[int], ridges: list[float], scores: npt.NDArray[np.float64]
) -> dict[str, npt.NDArray[Any]]:
    flat = scores.ravel()
    return {
        "param_depth": np.repeat(depths, len(ridges)),
        "param_relative_diag_reg": np.tile(ridges, len(depths)),
        "mean_test_score": flat,
        "rank_test_score": 1 + np.array([int((flat > score).sum()) for score in flat]),
    }


class NTKRegressorCV(NetworkRegressor, LeaveOneOut):
    """An `NTKRegressor` at t = ∞ that chooses its depth and regularisation by leave-one-out.

    Parameters
    ----------
    depths
        Candidate numbers of hidden layers.
    activation, w_std, b_std
        The network, as for `NTKRegressor`.
    relative_diag_regs
        Candidate regularisations, in units of the NTK's mean diagonal entry at each depth.
    normalize_y
        As for `NTKRegressor`, with the mean and standard deviation of all targets, even when one of
        them is left out.

    Attributes
    ----------
    best_depth_, best_relative_diag_reg_, best_diag_reg_
        The chosen values; the last one is the number added to the diagonal.
    best_score_
        Its score: the negative mean squared error of leave-one-out, over points and outputs.
    cv_results_
        A dictionary of arrays, one entry for each pair of a depth and a regularisation:
        ``param_depth``, ``param_relative_diag_reg``, ``mean_test_score`` (−inf if the kernel is
        singular to working precision), ``rank_test_score``.
    network_, X_fit_, dual_coef_, training_, y_mean_, y_scale_, n_features_in_, feature_names_in_
        As for `NTKRegressor`; ``training_`` is a `nk.GradientFlow`.

    Raises
    ------
    NumericalError
        No pair has a kernel that is regular to working precision.

    Notes
    -----
    Costs one pass for the kernels of all depths, 9·n³ per depth, and 2·n²·(1 + c) per
    regularisation, instead of n fits of each. Memory: one matrix per depth up to the largest.

    Examples
    --------
    >>> x = [[0.1 * i] for i in range(8)]
    >>> model = NTKRegressorCV(depths=(0, 1, 2)).fit(x, [row[0] for row in x])
    >>> model.best_depth_  # a straight line needs no hidden layer
    0
    """

    def __init__(
        self,
        depths: Sequence[int] = _DEPTHS,
        activation: str | Network = "relu",
        *,
        w_std: float = math.sqrt(2),
        b_std: float | None = 1.0,
        relative_diag_regs: Sequence[float] = _RIDGES,
        normalize_y: bool = False,
    ) -> None:
        self.depths = depths
        self.activation = activation
        self.w_std = w_std
        self.b_std = b_std
        self.relative_diag_regs = relative_diag_regs
        self.normalize_y = normalize_y

    def _score(self, targets: FloatArray, predicted: FloatArray) -> float:
        errors = (predicted - targets) * self.y_scale_
        return -float(np.mean(errors**2, dtype=np.float64))


class NTKClassifierCV(NetworkClassifier, LeaveOneOut):
    """An `NTKClassifier` at t = ∞ that chooses its depth and regularisation by leave-one-out.

    Parameters
    ----------
    depths, activation, w_std, b_std, relative_diag_regs
        As for `NTKRegressorCV`.

    Attributes
    ----------
    best_depth_, best_relative_diag_reg_, best_diag_reg_, cv_results_
        As for `NTKRegressorCV`.
    best_score_
        The share of points that the others classify correctly. Ties go to the first pair.
    classes_, network_, X_fit_, dual_coef_, training_, n_features_in_, feature_names_in_
        As for `NTKClassifier`; ``training_`` is a `nk.GradientFlow`.

    Notes
    -----
    Costs are those of `NTKRegressorCV`.

    Examples
    --------
    >>> x, y = [[0.0], [1.0], [5.0], [6.0]], ["low", "low", "high", "high"]
    >>> NTKClassifierCV().fit(x, y).best_score_
    1.0
    """

    def __init__(
        self,
        depths: Sequence[int] = _DEPTHS,
        activation: str | Network = "relu",
        *,
        w_std: float = math.sqrt(2),
        b_std: float | None = 1.0,
        relative_diag_regs: Sequence[float] = _RIDGES,
    ) -> None:
        self.depths = depths
        self.activation = activation
        self.w_std = w_std
        self.b_std = b_std
        self.relative_diag_regs = relative_diag_regs

    def _score(self, targets: FloatArray, predicted: FloatArray) -> float:
        return float(np.mean(predicted.argmax(axis=1) == targets.argmax(axis=1)))
