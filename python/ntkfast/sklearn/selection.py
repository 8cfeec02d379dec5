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
from ntkfast._progress import Progress
from ntkfast._scalars import as_count, as_real
from ntkfast.dynamics._solvers import SolverChoice
from ntkfast.networks import Network
from ntkfast.sklearn._networks import named_network
from ntkfast.sklearn._ntk import NTKEstimator
from ntkfast.sklearn._regressor import NetworkRegressor
from ntkfast.sklearn._weights import mean_diagonal, roots, scaled
from ntkfast.sklearn.classifiers import NetworkClassifier
from ntkfast.solvers import EigenSolver, PreparedEigen
from ntkfast.spectrum import eigh

__all__ = ["NTKClassifierCV", "NTKRegressorCV"]

_DEPTHS = (1, 2, 3)
_RIDGES = (1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0)


class LeaveOneOut(NTKEstimator):
    """Networks of several depths, trained to t = ∞ with several regularisations.

    One eigendecomposition per depth gives the leave-one-out predictions for every regularisation.
    One depth is in memory at a time.
    """

    depths: Sequence[int]
    relative_diag_regs: Sequence[float]

    t = math.inf  # training to t = ∞
    kernel = "ntk"
    solver: SolverChoice = "cholesky"
    tol: float | None = None
    memory: float | None = None

    best_depth_: int
    best_relative_diag_reg_: float
    best_diag_reg_: float
    best_score_: float
    cv_results_: dict[str, npt.NDArray[Any]]

    @abstractmethod
    def _score(
        self, targets: FloatArray, predicted: FloatArray, weights: FloatArray | None
    ) -> float:
        """Return the score of predictions, both of shape (n,) or (n, c); higher is better."""

    def _learn(self, points: FloatArray, targets: FloatArray, weights: FloatArray | None) -> None:
        depths = [as_count(depth, "depths", least=0) for depth in _some(self.depths, "depths")]
        ridges = [
            as_real(ridge, "relative_diag_regs", least=0.0)
            for ridge in _some(self.relative_diag_regs, "relative_diag_regs")
        ]
        self.X_fit_ = points.copy()
        scores = np.full((len(depths), len(ridges)), -math.inf)
        for row, depth in enumerate(depths):
            scores[row] = self._scores(depth, ridges, targets, weights)
        if not np.isfinite(scores).any():
            raise NumericalError(
                "the NTK is singular to working precision at every depth, so leave-one-out "
                "predictions are undefined; use larger relative_diag_regs"
            )
        row, column = divmod(int(scores.argmax()), len(ridges))
        self.best_score_ = float(scores[row, column])
        self.best_depth_, self.best_relative_diag_reg_ = depths[row], ridges[column]
        self.cv_results_ = _as_results(depths, ridges, scores)
        self.network_ = self._mlp(self.best_depth_)
        theta = self.network_.ntk(points, progress=self.progress)
        self.best_diag_reg_ = self.best_relative_diag_reg_ * mean_diagonal(theta, weights)
        self._train(theta, targets, weights, self.best_diag_reg_, math.inf, {})

    def _scores(
        self,
        depth: int,
        ridges: list[float],
        targets: FloatArray,
        weights: FloatArray | None,
    ) -> list[float]:
        """Return the score of every regularisation, from one eigendecomposition."""
        theta = self._mlp(depth).ntk(self.X_fit_, progress=self.progress)
        size, shares = mean_diagonal(theta, weights), targets
        if weights is not None:
            theta, shares = scaled(theta, targets, weights)
        root = roots(weights, targets)
        spectrum = eigh(theta, progress=self.progress)
        del theta
        scores = []
        for ridge in ridges:
            left = leave_one_out(EigenSolver().prepare(spectrum, ridge * size), shares)
            predicted = None if left is None else targets - left / root
            scores.append(
                -math.inf if predicted is None else self._score(targets, predicted, weights)
            )
        return scores

    def _mlp(self, depth: int) -> Network:
        return named_network(None, depth, self.activation, self.w_std, self.b_std)


def leave_one_out(prepared: PreparedEigen, targets: FloatArray) -> FloatArray | None:
    """Return what predictions of each point from all the others miss, after training to t = ∞.

    Returns
    -------
    ndarray or None
        Shape of targets: α_i/[(Θ + r)⁻¹]_ii; None if Θ + r is singular to working precision. Costs
        n²·(1 + 4·c).
    """
    if prepared.singular:
        return None
    alpha = prepared.solve(targets)
    by_point = prepared.inverse_diagonal.reshape(-1, *[1] * (alpha.ndim - 1))
    residuals: FloatArray = alpha / by_point
    return residuals


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
    progress
        For `fit`, as for `Network.ntk`: first for the kernel, then for the solution.

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
    network_, X_fit_, dual_coef_, training_, noise_variance_, sample_weight_, y_mean_, y_scale_
        As for `NTKRegressor`; ``training_`` is a `nk.KernelRegression`.
    n_features_in_, feature_names_in_
        As for all scikit-learn estimators.

    Raises
    ------
    NumericalError
        No pair has a kernel that is regular to working precision.

    Notes
    -----
    Costs the kernel and 9·n³ per depth, and n²·(1 + 4·c) per regularisation, instead of n fits of
    each. Memory: that of one eigendecomposition, 5·n² numbers.

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
        progress: Progress = None,
    ) -> None:
        self.depths = depths
        self.activation = activation
        self.w_std = w_std
        self.b_std = b_std
        self.relative_diag_regs = relative_diag_regs
        self.normalize_y = normalize_y
        self.progress = progress

    def _score(
        self, targets: FloatArray, predicted: FloatArray, weights: FloatArray | None
    ) -> float:
        errors = ((predicted - targets) * self.y_scale_).astype(np.float64)
        return -float(np.mean(np.average(errors**2, axis=0, weights=weights)))


class NTKClassifierCV(NetworkClassifier, LeaveOneOut):
    """An `NTKClassifier` at t = ∞ that chooses its depth and regularisation by leave-one-out.

    Parameters
    ----------
    depths, activation, w_std, b_std, relative_diag_regs
        As for `NTKRegressorCV`.
    progress
        For `fit`, as for `Network.ntk`: first for the kernel, then for the solution.

    Attributes
    ----------
    best_depth_, best_relative_diag_reg_, best_diag_reg_, cv_results_
        As for `NTKRegressorCV`.
    best_score_
        The share of points that the others classify correctly. Ties go to the first pair.
    classes_, network_, X_fit_, dual_coef_, training_, n_features_in_, feature_names_in_
        As for `NTKClassifier`; ``training_`` is a `nk.KernelRegression`.

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
        progress: Progress = None,
    ) -> None:
        self.depths = depths
        self.activation = activation
        self.w_std = w_std
        self.b_std = b_std
        self.relative_diag_regs = relative_diag_regs
        self.progress = progress

    def _score(
        self, targets: FloatArray, predicted: FloatArray, weights: FloatArray | None
    ) -> float:
        right = predicted.argmax(axis=1) == targets.argmax(axis=1)
        return float(np.average(right, weights=weights))
