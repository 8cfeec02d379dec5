"""Bayesian estimators: the Gaussian process of a network, given the data."""

from __future__ import annotations

from typing import Literal, overload

from sklearn.utils.validation import check_is_fitted

from ntkfast._arrays import FloatArray
from ntkfast._gram import as_gram
from ntkfast._scalars import as_choice, as_real
from ntkfast.dynamics import Posterior
from ntkfast.dynamics._predictive import as_training_points
from ntkfast.dynamics._solvers import SolverChoice, as_solver
from ntkfast.operators import KernelOperator
from ntkfast.sklearn._base import NetworkEstimator
from ntkfast.sklearn._lazy import as_lazy
from ntkfast.sklearn._noise import noise_by_evidence
from ntkfast.sklearn._weights import check_solver_of_weights, per_weight

__all__ = ["NNGPEstimator"]


class NNGPEstimator(NetworkEstimator):
    """The posterior of an infinitely wide network's random weights."""

    noise_variance: float | Literal["auto"]
    solver: SolverChoice
    tol: float | None
    memory: float | None

    noise_variance_: float
    posterior_: Posterior

    @property
    def _computed(self) -> str:
        return "nngp"

    @property
    def _trained(self) -> str:
        return "posterior_"

    def _learn(self, points: FloatArray, targets: FloatArray, weights: FloatArray | None) -> None:
        as_solver(self.solver, self.tol)
        check_solver_of_weights(self.solver, weights)
        gram = None
        if self._precomputed():
            gram = as_gram(points, "X", "net.nngp(x)")
        else:
            self.network_ = self._network()
        if isinstance(self.noise_variance, str):
            as_choice(self.noise_variance, "noise_variance", ("auto",))
            self.noise_variance_ = noise_by_evidence(
                as_training_points(self.network_, points)[0].nngp(points) if gram is None else gram,
                targets,
                weights,
            )
        else:
            self.noise_variance_ = _as_noise(self.noise_variance)
        noise = per_weight(self.noise_variance_, weights)
        if gram is not None:
            self.posterior_ = Posterior.from_kernels(
                gram, targets, noise_variance=noise, solver=self.solver, tol=self.tol
            )
        else:
            self.posterior_ = Posterior(
                self.network_,
                points if self._kind is KernelOperator else as_lazy(points),
                targets,
                noise_variance=noise,
                solver=self.solver,
                tol=self.tol,
                memory=self.memory,
                progress=self.progress,
            )
            assert self.posterior_.x is not None
            self.X_fit_ = self.posterior_.x  # not another copy
        self.dual_coef_ = self.posterior_.regression.coefficients

    def _deviations(self, points: FloatArray) -> FloatArray:
        self._check_network("standard deviations")
        self._check_trained("standard deviations")
        return self.posterior_.predict(points, covariance="diagonal").std

    def _ready_for_tasks(self) -> None:
        self._check_network("standard deviations")
        self._check_trained("standard deviations")
        self._refuse_products(self.posterior_.regression.prepared)

    def _noise(self) -> float:
        return self.noise_variance_

    @overload
    def log_marginal_likelihood(self, *, return_std: Literal[False] = False) -> float: ...
    @overload
    def log_marginal_likelihood(self, *, return_std: Literal[True]) -> tuple[float, float]: ...
    def log_marginal_likelihood(self, *, return_std: bool = False) -> float | tuple[float, float]:
        """Compute log p(y) of the targets that were learnt, summed over the outputs.

        Parameters
        ----------
        return_std
            Whether to return the standard error, too, as `Posterior.log_marginal_likelihood` does.

        Returns
        -------
        float, or two of them
            For a regressor with ``normalize_y``, of the normalised targets; for a classifier, of
            the centred one-hot targets. Use it to compare networks and noise variances.
        """
        check_is_fitted(self)
        self._check_trained("likelihoods")
        if return_std:
            return self.posterior_.log_marginal_likelihood(return_std=True)
        return self.posterior_.log_marginal_likelihood()


def _as_noise(value: object) -> float:
    """Return a noise variance >= 0; an array is refused with a hint at the weights of samples."""
    shape = getattr(value, "shape", None)
    if shape or isinstance(value, (list, tuple)):
        raise ValueError(
            f"noise_variance is {value!r}; expected one number, or 'auto'. The noise of single "
            "samples belongs to fit: noise_variance=1.0 and fit(X, y, sample_weight=1 / variances)"
        )
    return as_real(value, "noise_variance", least=0.0)
