"""Trained estimators: NTK regression at t = ∞ or at a finite time."""

from __future__ import annotations

import numpy as np

from ntkfast._arrays import FloatArray
from ntkfast._gram import row_blocks
from ntkfast.dynamics import GradientFlow, KernelRegression
from ntkfast.dynamics._arguments import Reduction, as_settings, as_time
from ntkfast.dynamics._evolution import response
from ntkfast.dynamics._predictive import as_covariance, as_training_points, test_blocks
from ntkfast.kernels import as_others
from ntkfast.linalg import matmul
from ntkfast.sklearn._base import NetworkEstimator

__all__ = ["NTKEstimator"]


class NTKEstimator(NetworkEstimator):
    """An infinitely wide network trained by gradient flow from random weights.

    At t = ∞ a Cholesky factor of Θ gives both mean and variance. A finite time needs the
    eigenvectors of Θ.
    """

    t: float
    learning_rate: float
    reduction: Reduction
    diag_reg: float
    relative_diag_reg: float

    training_: KernelRegression | GradientFlow
    X_fit_: FloatArray
    dual_coef_: FloatArray

    def _learn(self, points: FloatArray, targets: FloatArray) -> None:
        self.network_, self.X_fit_ = as_training_points(self._network(), points)
        time = as_time(self.t)[0]
        settings = as_settings(
            self.learning_rate, self.reduction, self.diag_reg, self.relative_diag_reg
        )
        theta = self.network_.ntk(points)
        if np.isinf(time):
            size = float(theta.diagonal().mean(dtype=np.float64))
            ridge = settings["diag_reg"] + settings["relative_diag_reg"] * size
            self.training_ = KernelRegression(theta, targets, diag_reg=ridge)
            self.dual_coef_ = self.training_.coefficients
        else:
            self.training_ = GradientFlow(theta, targets, **settings)
            self.dual_coef_ = self.training_.coefficients(t=time)

    def _outputs(self, points: FloatArray) -> FloatArray:
        n = len(self.X_fit_)
        columns = self.dual_coef_.reshape(n, -1)
        means = [
            matmul(self.network_.ntk(as_others(points[rows], self.X_fit_), self.X_fit_), columns)
            for rows in test_blocks(len(points), n, "none")
        ]
        return np.concatenate(means).reshape(len(points), *self.dual_coef_.shape[1:])

    def _deviations(self, points: FloatArray) -> FloatArray:
        # Training maps f_0 to f_0(x) − B·f_0(X), whose covariance follows from Σ.
        nngp = self.network_.nngp(self.X_fit_)
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
        return response(self.training_, ntk, as_time(self.t))
