"""Bayesian estimators: the Gaussian process of a network, given the data."""

from __future__ import annotations

import numpy.typing as npt
from sklearn.utils.validation import check_is_fitted

from ntkfast._arrays import FloatArray
from ntkfast.dynamics import Posterior
from ntkfast.sklearn._base import NetworkEstimator

__all__ = ["NNGPEstimator"]


class NNGPEstimator(NetworkEstimator):
    """The posterior of an infinitely wide network's random weights."""

    noise_variance: npt.ArrayLike

    posterior_: Posterior

    def _learn(self, points: FloatArray, targets: FloatArray) -> None:
        self.network_ = self._network()
        self.posterior_ = Posterior(
            self.network_, points, targets, noise_variance=self.noise_variance
        )

    def _outputs(self, points: FloatArray) -> FloatArray:
        return self.posterior_.predict(points).mean

    def _deviations(self, points: FloatArray) -> FloatArray:
        return self.posterior_.predict(points, covariance="diagonal").std

    def log_marginal_likelihood(self) -> float:
        """Compute log p(y) of the targets that were learnt, summed over the outputs.

        Returns
        -------
        float
            For a regressor with ``normalize_y``, of the normalised targets; for a classifier, of
            the centred one-hot targets. Use it to compare networks and noise variances.
        """
        check_is_fitted(self)
        return self.posterior_.log_marginal_likelihood()
