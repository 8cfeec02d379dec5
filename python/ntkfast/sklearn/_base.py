"""The common base of all estimators: parameters of a network, and validation of points."""

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

# Types that scikit-learn's validation keeps. All others become the first one.
KEPT_TYPES = [np.float64, np.float32]


class NetworkEstimator(BaseEstimator):
    """An infinitely wide network that learns targets, as a regressor or classifier."""

    network: Network | None
    depth: int
    activation: str | Network
    w_std: float
    b_std: float | None

    # Fitted attributes are annotated: `nk.save` writes those annotated here and in the subclasses.
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
        """Return points to predict at, with the same features as the fitted ones."""
        check_is_fitted(self)
        points: FloatArray = validate_data(self, X, reset=False, dtype=KEPT_TYPES)
        return points
