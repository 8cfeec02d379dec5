"""The common base of all estimators: parameters of a network, and validation of points."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from copy import copy
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted, validate_data

from ntkfast._arrays import FloatArray
from ntkfast._foreign import is_dask
from ntkfast._progress import Progress
from ntkfast._scalars import as_choice
from ntkfast.dynamics._predictive import test_blocks
from ntkfast.dynamics._products import Products
from ntkfast.kernels import as_others
from ntkfast.linalg import matmul
from ntkfast.networks import Network
from ntkfast.operators import KernelOperator
from ntkfast.sklearn._lazy import KEPT_TYPES, by_chunks, dense
from ntkfast.sklearn._networks import named_network
from ntkfast.sklearn._weights import as_weights
from ntkfast.solvers import PreparedByProducts

__all__ = ["NetworkEstimator"]

Self = TypeVar("Self", bound="NetworkEstimator")


class NetworkEstimator(BaseEstimator):
    """An infinitely wide network that learns targets, as a regressor or classifier."""

    network: Network | None
    depth: int
    activation: str | Network
    w_std: float
    b_std: float | None
    kernel: str
    progress: Progress

    _kind: type[KernelOperator] = KernelOperator
    """That of Dask after a fit to a dask.array."""

    # Fitted attributes are annotated: `nk.save` writes those annotated here and in the subclasses.
    network_: Network
    X_fit_: FloatArray
    dual_coef_: FloatArray
    n_features_in_: int
    feature_names_in_: npt.NDArray[np.object_]

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.pairwise = self.kernel == "precomputed"
        return tags

    def _precomputed(self) -> bool:
        """Whether X is a kernel matrix instead of points."""
        return as_choice(self.kernel, "kernel", (self._computed, "precomputed")) == "precomputed"

    @property
    @abstractmethod
    def _computed(self) -> str:
        """The name of the kernel that the network computes."""

    @property
    @abstractmethod
    def _trained(self) -> str:
        """The fitted attribute that holds a matrix of n² numbers, which means do not need."""

    def mean_only(self: Self) -> Self:
        """Return a copy for deployment, with the network, the points and the coefficients alone.

        `predict` of the copy gives the same bits. The copy holds n·(n_features + n_outputs) numbers
        instead of n², in memory, in pickles and in files of `nk.save`.

        Returns
        -------
        estimator
            A fitted estimator of the same class, which shares its arrays with this one. Standard
            deviations, ``predict_proba``, ``log_marginal_likelihood`` and the estimate of the noise
            need the matrix that it lacks and raise ValueError.

        Raises
        ------
        NotFittedError
            The estimator is not fitted.
        """
        check_is_fitted(self)
        light = copy(self)
        light.__dict__.pop(self._trained, None)
        return light

    def _check_trained(self, what: str) -> None:
        """Refuse a result that needs more than the network, the points and the coefficients."""
        if not hasattr(self, self._trained):
            raise ValueError(
                f"{what} need {self._trained}, which mean_only() left out; "
                "use the estimator that it was called on"
            )

    def _network(self) -> Network:
        return named_network(self.network, self.depth, self.activation, self.w_std, self.b_std)

    def _check_network(self, what: str) -> None:
        """Refuse a result that needs more than the kernel in X."""
        if self._precomputed():
            raise ValueError(
                f'{what} need the covariance of the untrained network, which kernel="precomputed" '
                "does not give; use nk.Ensemble.from_kernels or nk.Posterior.from_kernels"
            )

    def _positive(
        self, points: FloatArray, targets: npt.NDArray[Any], sample_weight: npt.ArrayLike | None
    ) -> tuple[FloatArray, npt.NDArray[Any], npt.NDArray[np.float64] | None]:
        """Return the samples with weights > 0, their targets and weights; None for equal ones."""
        weights = as_weights(sample_weight, len(points))
        if weights is None or weights.all():
            return points, targets, weights
        if self._precomputed():
            raise ValueError(
                f"sample_weight is 0 for sample {int(np.argmin(weights))}; with "
                'kernel="precomputed" drop such samples from the rows and columns of X'
            )
        kept = weights > 0
        return points[kept], targets[kept], weights[kept]

    @abstractmethod
    def _learn(self, points: FloatArray, targets: FloatArray, weights: FloatArray | None) -> None:
        """Fit to targets of shape (n,) or (n, c), with weights > 0 of shape (n,)."""

    def _outputs(self, points: FloatArray) -> FloatArray:
        """Return the mean at m points, shape (m,) or (m, c)."""
        n = len(self.dual_coef_)
        columns = self.dual_coef_.reshape(n, -1)
        if self._precomputed():
            means = [matmul(points, columns)]
        else:
            kernel = getattr(self.network_, self._computed)
            means = []
            for rows in test_blocks(len(points), n, "none"):
                cross = kernel(as_others(points[rows], self.X_fit_), self.X_fit_)
                means.append(matmul(cross, columns).astype(cross.dtype, copy=False))
        return np.concatenate(means).reshape(len(points), *self.dual_coef_.shape[1:])

    @abstractmethod
    def _deviations(self, points: FloatArray) -> FloatArray:
        """Return the standard deviation at m points, shape (m,), the same for every output."""

    @abstractmethod
    def _noise(self) -> npt.NDArray[np.float64] | float:
        """Return the variance of the noise, a number or one for each output."""

    def _new_points(self, X: npt.ArrayLike) -> FloatArray:
        """Return points to predict at, with the same features as the fitted ones."""
        check_is_fitted(self)
        points: FloatArray = validate_data(self, X, reset=False, dtype=KEPT_TYPES)
        return points

    def _training_samples(
        self, X: npt.ArrayLike, y: npt.ArrayLike, **checks: Any
    ) -> tuple[FloatArray, npt.NDArray[Any]]:
        """Return samples and targets to learn from."""
        if is_dask(X):
            X = np.asarray(dense(X))
        found: tuple[FloatArray, npt.NDArray[Any]] = validate_data(
            self, X, y, dtype=KEPT_TYPES, copy=self._precomputed(), **checks
        )
        return found

    def _type_of_means(self, samples: np.dtype[Any]) -> np.dtype[Any]:
        """Return the type of means at samples of some type."""
        return np.result_type(samples, self.dual_coef_)

    def _means_by_chunks(
        self,
        function: Callable[[Self, Any], npt.NDArray[Any]],
        X: Any,
        outputs: tuple[int, ...],
        dtype: np.dtype[Any] | None = None,
    ) -> Any:
        """Return what follows from the means at samples in a dask array, as one.

        `function` gets an estimator and a chunk of samples, and `outputs` is the shape of the
        result for one sample.
        """
        light = self.mean_only()
        return by_chunks(light, X, function, outputs, dtype or self._type_of_means)

    def _by_chunks(
        self, function: Callable[[Self, Any], npt.NDArray[Any]], X: Any, outputs: tuple[int, ...]
    ) -> Any:
        """Return what follows from means and standard deviations, as `_means_by_chunks` does."""
        check_is_fitted(self)
        self._ready_for_tasks()
        return by_chunks(self, X, function, outputs, self._type_of_means)

    @abstractmethod
    def _ready_for_tasks(self) -> None:
        """Compute what standard deviations need, or refuse to let tasks compute them."""

    def _refuse_products(self, prepared: object) -> None:
        """Refuse tasks that would wait for other tasks."""
        products = isinstance(prepared, (PreparedByProducts, Products))
        if products and self._kind is not KernelOperator:
            raise ValueError(
                "standard deviations at a dask.array are computed by tasks, and those of an "
                "estimator that learnt by products on the workers of Dask need further tasks; pass "
                "X.compute()"
            )
