"""Trained estimators: NTK regression at t = ∞ or at a finite time."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from ntkfast._arrays import FloatArray
from ntkfast._gram import as_gram, row_blocks
from ntkfast.dynamics import GradientFlow, KernelRegression
from ntkfast.dynamics._arguments import Reduction, as_settings, as_time
from ntkfast.dynamics._evolution import response
from ntkfast.dynamics._predictive import as_covariance, as_training_points
from ntkfast.kernels import as_others
from ntkfast.linalg import matmul
from ntkfast.sklearn._base import NetworkEstimator
from ntkfast.sklearn._noise import noise_by_leave_one_out
from ntkfast.sklearn._weights import mean_diagonal, per_weight, roots, scaled

__all__ = ["NTKEstimator"]


class NTKEstimator(NetworkEstimator):
    """An infinitely wide network trained by gradient flow from random weights.

    At t = ∞ a Cholesky factor of Θ gives both mean and variance. A finite time needs the
    eigenvectors of Θ, or of √w·Θ·√w if samples have weights w.
    """

    t: float
    learning_rate: float
    reduction: Reduction
    diag_reg: float
    relative_diag_reg: float

    training_: KernelRegression | GradientFlow
    sample_weight_: FloatArray | None

    @property
    def _computed(self) -> str:
        return "ntk"

    @property
    def _trained(self) -> str:
        return "training_"

    def _learn(self, points: FloatArray, targets: FloatArray, weights: FloatArray | None) -> None:
        time = as_time(self.t)[0]
        settings = as_settings(
            self.learning_rate, self.reduction, self.diag_reg, self.relative_diag_reg
        )
        theta = self._gram(points)
        ridge = settings["diag_reg"] + settings["relative_diag_reg"] * mean_diagonal(theta, weights)
        self._train(theta, targets, weights, ridge, time, settings)

    def _gram(self, points: FloatArray) -> FloatArray:
        """Return Θ between the training points, and keep what further kernels need."""
        if self._precomputed:
            return as_gram(points, "X", "net.ntk(x)")
        self.network_, self.X_fit_ = as_training_points(self._network(), points)
        return self.network_.ntk(points)

    def _train(
        self,
        theta: FloatArray,
        targets: FloatArray,
        weights: FloatArray | None,
        ridge: float,
        time: float,
        settings: dict[str, Any],
    ) -> None:
        """Train to a time; a weight acts as that many copies of its sample would."""
        self.__dict__.pop("noise_variance_", None)  # of an earlier fit
        self.sample_weight_ = weights
        if np.isinf(time):
            self.training_ = KernelRegression(theta, targets, diag_reg=per_weight(ridge, weights))
            self.dual_coef_ = self.training_.coefficients
            return
        rate = settings["learning_rate"]
        if weights is not None:
            theta, targets = scaled(theta, targets, weights)
            if settings["reduction"] == "mean":  # over the weights instead of the samples
                rate = rate * len(weights) / float(weights.sum())
        self.training_ = GradientFlow(
            theta, targets, learning_rate=rate, reduction=settings["reduction"], diag_reg=ridge
        )
        coefficients = self.training_.coefficients(t=time)
        self.dual_coef_ = coefficients * roots(weights, coefficients)

    @cached_property
    def noise_variance_(self) -> npt.NDArray[np.float64]:
        """The noise of each output, from leave-one-out: shape () or (n_outputs,)."""
        self._check_trained("estimates of the noise")
        return noise_by_leave_one_out(
            self.training_, float(self.t), self._prior(), self.sample_weight_
        )

    def _noise(self) -> npt.NDArray[np.float64]:
        return self.noise_variance_

    def _prior(self) -> FloatArray:
        """Σ between the training points."""
        self._check_network("standard deviations")
        self._check_trained("standard deviations")
        return self.network_.nngp(self.X_fit_)

    def _deviations(self, points: FloatArray) -> FloatArray:
        # Training maps f_0 to f_0(x) − B·f_0(X), whose covariance follows from Σ.
        nngp = self._prior()
        trace = float(nngp.trace(dtype=np.float64))
        variances = []
        for rows in row_blocks(len(points), len(nngp)):
            cross = self.network_.kernels(as_others(points[rows], self.X_fit_), self.X_fit_)
            before = self.network_.nngp(points[rows], diagonal=True)
            weights = self._weights(cross.ntk)
            change = matmul(weights, nngp) - 2 * cross.nngp
            after = before + np.einsum("ij,ij->i", weights, change)
            variances.append(as_covariance(after, before, weights, trace))
        deviations: FloatArray = np.sqrt(np.concatenate(variances))
        return deviations

    def _weights(self, ntk: FloatArray) -> FloatArray:
        """B = Θ(x, X)·A_t, so that training maps f_0 to f_0 + B·(y − f_0)."""
        if isinstance(self.training_, KernelRegression):
            return self.training_.prepared.solve(ntk.T).T
        root = roots(self.sample_weight_, ntk.T).T
        return response(self.training_, ntk * root, as_time(self.t)) * root
