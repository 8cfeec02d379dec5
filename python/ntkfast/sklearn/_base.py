"""What all the estimators share: parameters of a network, and looking at points."""

from __future__ import annotations

from abc import abstractmethod

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted, validate_data

from ntkfast._arrays import FloatArray
from ntkfast.networks import Network
from ntkfast.sklearn._networks import named_network

__all__ = ["KEPT_TYPES", "NetworkEstimator"]

# What scikit-learn's validation leaves as it is; the first is what all else becomes.
KEPT_TYPES = [np.float64, np.float32]


class NetworkEstimator(BaseEstimator):
    """An infinitely wide network that learns targets; regressors and classifiers say which."""

    network: Network | None
    depth: int
    activation: str | Network
    w_std: float
    b_std: float | None

    # What fitting adds is annotated: `nk.save` writes what it finds here, and in the subclasses.
    network_: Network
    n_features_in_: int
    feature_names_in_: npt.NDArray[np.object_]

    def _network(self) -> Network:
        return named_network(self.network, self.depth, self.activation, self.w_std, self.b_std)

    @abstractmethod
    def _learn(self, points: FloatArray, targets: FloatArray) -> None:
        """Fit to targets of shape (n,) or (n, c)."""

    @abstractmethod
    def _outputs(self, points: FloatArray) -> FloatArray:
        """Return the mean at m points, shape (m,) or (m, c)."""

    @abstractmethod
    def _deviations(self, points: FloatArray) -> FloatArray:
        """Return the standard deviation at m points, shape (m,), the same for every output."""

    def _new_points(self, X: npt.ArrayLike) -> FloatArray:
        """Return points to predict at, with the features that were fitted."""
        check_is_fitted(self)
        points: FloatArray = validate_data(self, X, reset=False, dtype=KEPT_TYPES)
        return points
