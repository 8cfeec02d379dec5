"""Trained estimators: NTK regression at t = ∞ or at a finite time."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.utils.validation import check_is_fitted

from ntkfast._arrays import FloatArray
from ntkfast._gram import as_gram, row_blocks
from ntkfast.dynamics import GradientFlow, KernelRegression
from ntkfast.dynamics._arguments import Reduction, as_settings, as_time
from ntkfast.dynamics._by_products import EvolutionByProducts
from ntkfast.dynamics._conditioning import least_block
from ntkfast.dynamics._evolution import response
from ntkfast.dynamics._predictive import as_covariance, as_training_points
from ntkfast.dynamics._products import Products
from ntkfast.dynamics._solvers import SolverChoice, as_solver, fits
from ntkfast.kernels import as_others
from ntkfast.linalg import matmul
from ntkfast.nystroem import NystroemRegression
from ntkfast.operators import KernelOperator, Operator
from ntkfast.sklearn import _many
from ntkfast.sklearn._base import NetworkEstimator
from ntkfast.sklearn._lazy import as_lazy
from ntkfast.sklearn._noise import noise_by_leave_one_out
from ntkfast.sklearn._weights import (
    check_solver_of_weights,
    mean_diagonal,
    per_weight,
    roots,
    scaled,
)
from ntkfast.solvers import PreparedByProducts

__all__ = ["NTKEstimator"]

# Error of training by products.
_TOL = 1e-6


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
    solver: SolverChoice
    tol: float | None
    memory: float | None

    training_: KernelRegression | GradientFlow | NystroemRegression
    t_: float
    sample_weight_: FloatArray | None

    @property
    def _computed(self) -> str:
        return "ntk"

    @property
    def _trained(self) -> str:
        return "training_"

    def _learn(self, points: FloatArray, targets: FloatArray, weights: FloatArray | None) -> None:
        time = as_time(self.t)[0]
        as_solver(self.solver, self.tol)  # also where no solver is needed
        settings = self._settings()
        many = self.solver == "auto" and np.isinf(time) and len(points) > _many.MANY
        if many and not self._precomputed():
            self._train_on_centres(points, targets, weights, time, settings)
            return
        theta = self._gram(points, weights, time)
        ridge = settings["diag_reg"] + settings["relative_diag_reg"] * mean_diagonal(theta, weights)
        self._train(theta, targets, weights, ridge, time, settings)

    def _settings(self) -> dict[str, Any]:
        """Check the parameters of training, and return them."""
        return as_settings(
            self.learning_rate, self.reduction, self.diag_reg, self.relative_diag_reg
        )

    def _gram(
        self, points: FloatArray, weights: FloatArray | None, time: float
    ) -> FloatArray | Operator:
        """Return Θ between the training points, and keep what further kernels need."""
        if self._precomputed():
            return as_gram(points, "X", "net.ntk(x)")
        self.network_, self.X_fit_ = as_training_points(self._network(), points)
        # At t = ∞ the regression itself decides whether to compute the matrix.
        large = self.solver == "auto" and not fits(len(points), points.dtype)
        if np.isinf(time) or (weights is None and (self.solver == "cg" or large)):
            return self._kind(
                self.network_, self.X_fit_, memory=self.memory, progress=self.progress
            )
        return self.network_.ntk(points, progress=self.progress)

    def _train_on_centres(
        self,
        points: FloatArray,
        targets: FloatArray,
        weights: FloatArray | None,
        time: float,
        settings: dict[str, Any],
    ) -> None:
        self.__dict__.pop("noise_variance_", None)  # of an earlier fit
        self.network_, self.sample_weight_, self.t_ = self._network(), weights, float(time)
        self.training_ = _many.on_centres(
            self.network_,
            points if self._kind is KernelOperator else as_lazy(points),
            targets,
            weights,
            diag_reg=settings["diag_reg"],
            relative_diag_reg=settings["relative_diag_reg"],
            tol=self.tol,
            memory=self.memory,
            progress=self.progress,
        )
        self.X_fit_, self.dual_coef_ = self.training_.centres, self.training_.coefficients

    def _train(
        self,
        theta: FloatArray | Operator,
        targets: FloatArray,
        weights: FloatArray | None,
        ridge: float,
        time: float,
        settings: dict[str, Any],
    ) -> None:
        """Train to a time; a weight acts as that many copies of its sample would."""
        self.__dict__.pop("noise_variance_", None)  # of an earlier fit
        self.sample_weight_ = weights
        self.t_ = float(time)
        if np.isinf(time):
            check_solver_of_weights(self.solver, weights)
            self.training_ = KernelRegression(
                theta,
                targets,
                diag_reg=per_weight(ridge, weights),
                solver=self.solver,
                tol=self.tol,
                progress=self.progress,
            )
            self.dual_coef_ = self.training_.coefficients.astype(targets.dtype, copy=False)
            if isinstance(theta, Operator):
                theta.release()  # predictions read no blocks of it
            return
        rate = settings["learning_rate"]
        if weights is not None:
            assert not isinstance(theta, Operator)
            theta, targets = scaled(theta, targets, weights)
            if settings["reduction"] == "mean":  # over the weights instead of the samples
                rate = rate * len(weights) / float(weights.sum())
        self.training_ = GradientFlow(
            theta,
            targets,
            learning_rate=rate,
            reduction=settings["reduction"],
            diag_reg=ridge,
            tol=_TOL if self.tol is None else self.tol,
            progress=self.progress,
        )
        coefficients = self.training_.coefficients(t=time)
        self.dual_coef_ = coefficients * roots(weights, coefficients)
        if isinstance(theta, Operator):
            theta.release()

    @cached_property
    def noise_variance_(self) -> npt.NDArray[np.float64]:
        """The noise of each output, from leave-one-out: shape () or (n_outputs,)."""
        check_is_fitted(self)
        training = self._exact("estimates of the noise")
        nngp = self._prior()
        if isinstance(nngp, Operator):
            raise ValueError(
                "the noise is estimated from leave-one-out residuals, which need a factor of the "
                "kernel in the precision of X; use solver='cholesky' and few enough samples, or an "
                "NNGP estimator"
            )
        return noise_by_leave_one_out(training, self.t_, nngp, self.sample_weight_)

    def __dir__(self) -> list[str]:
        # Notebooks show all fitted attributes named here, and that of scikit-learn evaluates all
        # attributes: either would compute the noise, or fail.
        names = list(object.__dir__(self))
        if "noise_variance_" not in vars(self):
            names.remove("noise_variance_")
        return names

    def _noise(self) -> npt.NDArray[np.float64]:
        return self.noise_variance_

    def _exact(self, what: str) -> KernelRegression | GradientFlow:
        """Return the training with all points, for a result that needs it."""
        self._check_network(what)
        self._check_trained(what)
        if isinstance(self.training_, NystroemRegression):
            raise ValueError(
                f"{what} need the kernel between all samples, and solver='auto' learnt from "
                f"{self.training_.n:,} samples with {len(self.X_fit_):,} centres; use "
                "nk.sklearn.NystroemRegressor or NystroemClassifier, or solver='cg'"
            )
        return self.training_

    def _prior(self) -> FloatArray | Operator:
        """Σ between the training points; an operator if Θ was one."""
        prepared = self._exact("standard deviations").prepared
        if isinstance(prepared, (PreparedByProducts, Products)):
            return self._kind(self.network_, self.X_fit_, kernel="nngp", memory=self.memory)
        return self.network_.nngp(self.X_fit_)

    def _deviations(self, points: FloatArray) -> FloatArray:
        # Training maps f_0 to f_0(x) − B·f_0(X), whose covariance follows from Σ.
        nngp = self._prior()
        trace = float(nngp.diagonal().sum(dtype=np.float64))
        variances = []
        prepared = self._exact("standard deviations").prepared
        least = least_block(prepared)
        for rows in row_blocks(len(points), len(nngp), least):
            cross = self.network_.kernels(as_others(points[rows], self.X_fit_), self.X_fit_)
            before = self.network_.nngp(points[rows], diagonal=True)
            weights = self._weights(cross.ntk, nngp)
            spread = weights @ nngp if isinstance(nngp, Operator) else matmul(weights, nngp)
            change = spread - 2 * cross.nngp
            after = before + np.einsum("ij,ij->i", weights, change)
            variances.append(as_covariance(after, before, weights, trace))
        if isinstance(prepared, PreparedByProducts):
            prepared.release()
        deviations: FloatArray = np.sqrt(np.concatenate(variances))
        return deviations

    def _ready_for_tasks(self) -> None:
        self._refuse_products(self._exact("standard deviations").prepared)

    def _weights(self, ntk: FloatArray, nngp: FloatArray | Operator) -> FloatArray:
        """B = Θ(x, X)·A_t, so that training maps f_0 to f_0 + B·(y − f_0)."""
        training = self._exact("standard deviations")
        if isinstance(training, KernelRegression):
            return training.prepared.solve(ntk.T).T
        if isinstance(nngp, Operator):
            evolution = EvolutionByProducts(training, nngp)
            found: FloatArray = evolution.evolved("gathered", as_time(self.t_), ntk.T)[0]
            return found
        root = roots(self.sample_weight_, ntk.T).T
        return response(training, ntk * root, as_time(self.t_)) * root
