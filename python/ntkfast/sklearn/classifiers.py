"""Classification by infinitely wide networks: one output per class, trained on squared error."""

from __future__ import annotations

import math
from typing import Any, Literal, TypeVar

import numpy as np
import numpy.typing as npt
from sklearn.base import ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted

from ntkfast._arrays import FloatArray
from ntkfast._foreign import is_dask
from ntkfast._progress import Progress
from ntkfast.data import one_hot
from ntkfast.dynamics._arguments import Reduction
from ntkfast.dynamics._solvers import SolverChoice
from ntkfast.networks import Network
from ntkfast.operators import KernelOperator
from ntkfast.sklearn._base import NetworkEstimator
from ntkfast.sklearn._nngp import NNGPEstimator
from ntkfast.sklearn._ntk import NTKEstimator
from ntkfast.sklearn._probability import probability_of_largest

__all__ = ["NNGPClassifier", "NTKClassifier", "NetworkClassifier", "probabilities"]

Self = TypeVar("Self", bound="NetworkClassifier")


class NetworkClassifier(ClassifierMixin, NetworkEstimator):
    """An infinitely wide network that learns labels, as rows of 1 − 1/c and −1/c for c classes."""

    classes_: npt.NDArray[Any]

    def fit(
        self: Self, X: npt.ArrayLike, y: npt.ArrayLike, sample_weight: npt.ArrayLike | None = None
    ) -> Self:
        """Fit to training data.

        Parameters
        ----------
        X
            Shape (n, n_features), one sample per row; float64 and float32 are kept. A dask.array is
            copied to this process, except by estimators that learn on centres.
        y
            Shape (n,): labels of any kind, with two classes or more.
        sample_weight
            Shape (n,): weights w >= 0, as for `NTKRegressor.fit`.

        Returns
        -------
        self

        Raises
        ------
        TypeError, ValueError
            Data or parameters are invalid, ``X`` is sparse, or there is only one class.
        NumericalError
            The matrix of the system is not positive semi-definite, even with the largest jitter.
        """
        points, labels = self._training_samples(X, y)
        check_classification_targets(labels)
        points, labels, weights = self._positive(points, labels, sample_weight)
        self.classes_, numbers = np.unique(labels, return_inverse=True)
        if len(self.classes_) < 2:
            raise ValueError(
                f"y has one class, {self.classes_.tolist()[0]!r}; "
                "expected labels of at least two classes"
            )
        targets = one_hot(numbers, len(self.classes_)) - 1 / len(self.classes_)
        self._kind = KernelOperator.like(X)
        self._learn(points, targets.astype(points.dtype), weights)
        return self

    def predict(self, X: npt.ArrayLike) -> npt.NDArray[Any]:
        """Predict the class whose mean output is the largest.

        Parameters
        ----------
        X
            Shape (m, n_features). For a dask.array the result is one, lazy, with its chunks.

        Returns
        -------
        ndarray
            Shape (m,): labels from ``classes_``.
        """
        if is_dask(X):
            check_is_fitted(self)
            lazy: npt.NDArray[Any] = self._means_by_chunks(_labels, X, (), self.classes_.dtype)
            return lazy
        outputs = self._outputs(self._new_points(X))
        labels: npt.NDArray[Any] = self.classes_[outputs.argmax(axis=1)]
        return labels

    def predict_proba(self, X: npt.ArrayLike) -> FloatArray:
        """Compute the probability that a class has the largest output.

        Outputs are normal and independent, with the means that `predict` compares and the standard
        deviation of the network at each point, without noise.

        Parameters
        ----------
        X
            As for `predict`.

        Returns
        -------
        ndarray
            Shape (m, n_classes), in the order of ``classes_``; rows sum to 1. Costs as much as the
            standard deviations, far more than `predict`.
        """
        if is_dask(X):
            check_is_fitted(self)
            lazy: FloatArray = self._by_chunks(probabilities, X, self.classes_.shape)
            return lazy
        points = self._new_points(X)
        return probability_of_largest(self._outputs(points), self._deviations(points))


def _labels(model: NetworkClassifier, X: FloatArray) -> npt.NDArray[Any]:
    return model.predict(X)


def probabilities(model: NetworkClassifier, X: FloatArray) -> FloatArray:
    """Return probabilities; a task on a worker."""
    return model.predict_proba(X)


class NTKClassifier(NetworkClassifier, NTKEstimator):
    """Classification by infinitely wide networks trained by gradient flow.

    Probabilities are the shares of networks with different random initial weights that choose a
    class. If all networks agree, as at training points that are learnt without regularisation, the
    probability is 1. The probabilities are not calibrated.

    Parameters
    ----------
    depth, activation, w_std, b_std, network
        The network, as for `NTKRegressor`.
    t, learning_rate, reduction, diag_reg, relative_diag_reg, solver, tol, memory
        Its training, as for `NTKRegressor`.
    kernel
        ``"ntk"``, that of the network, or ``"precomputed"``: ``X`` is a kernel matrix, of shape
        (n, n) in `fit` and (m, n) in `predict`, and the parameters of the network are ignored.
    progress
        For `fit`, as for `Network.ntk`: first for the kernel, then for the solution.

    Attributes
    ----------
    classes_
        The labels, sorted.
    network_, X_fit_, dual_coef_, training_, n_features_in_, feature_names_in_
        As for `NTKRegressor`, with one output per class.

    Notes
    -----
    Costs are those of `NTKRegressor`.

    References
    ----------
    Lee et al. (2019), arXiv:1902.06720; Lee et al. (2020), "Finite Versus Infinite Neural
    Networks: an Empirical Study", arXiv:2007.15801.

    Examples
    --------
    >>> model = NTKClassifier(depth=1).fit([[0.0], [1.0], [4.0]], ["low", "low", "high"])
    >>> model.predict([[0.5], [5.0]])
    array(['low', 'high'], dtype='<U4')
    """

    def __init__(
        self,
        depth: int = 2,
        activation: str | Network = "relu",
        *,
        w_std: float = math.sqrt(2),
        b_std: float | None = 1.0,
        network: Network | None = None,
        t: float = math.inf,
        learning_rate: float = 1.0,
        reduction: Reduction = "sum",
        diag_reg: float = 0.0,
        relative_diag_reg: float = 1e-6,
        solver: SolverChoice = "auto",
        tol: float | None = None,
        memory: float | None = None,
        kernel: Literal["ntk", "precomputed"] = "ntk",
        progress: Progress = None,
    ) -> None:
        self.depth = depth
        self.activation = activation
        self.w_std = w_std
        self.b_std = b_std
        self.network = network
        self.t = t
        self.learning_rate = learning_rate
        self.reduction = reduction
        self.diag_reg = diag_reg
        self.relative_diag_reg = relative_diag_reg
        self.solver = solver
        self.tol = tol
        self.memory = memory
        self.kernel = kernel
        self.progress = progress


class NNGPClassifier(NetworkClassifier, NNGPEstimator):
    """Classification by Gaussian process regression with the covariance of an infinite network.

    Labels are learnt as numbers with Gaussian noise. This has a closed form, unlike the posterior
    of `sklearn.gaussian_process.GaussianProcessClassifier`.

    Parameters
    ----------
    depth, activation, w_std, b_std, network
        The network, as for `NTKRegressor`.
    noise_variance
        Variance ≥ 0 of the noise on the one-hot targets, or ``"auto"``: the one with the largest
        evidence.
    solver, tol, memory
        As for `NNGPRegressor`.
    kernel
        ``"nngp"``, that of the network, or ``"precomputed"``: ``X`` is a kernel matrix, of shape
        (n, n) in `fit` and (m, n) in `predict`, and the parameters of the network are ignored.
    progress
        For `fit`, as for `Network.ntk`: first for the kernel, then for the solution.

    Attributes
    ----------
    classes_
        The labels, sorted.
    network_, X_fit_, dual_coef_, posterior_, noise_variance_, n_features_in_, feature_names_in_
        As for `NNGPRegressor`, with one output per class.

    Notes
    -----
    Costs are those of `NNGPRegressor`.

    References
    ----------
    Lee et al. (2018), arXiv:1711.00165, section 3: classification as regression.

    Examples
    --------
    >>> model = NNGPClassifier(depth=1).fit([[0.0], [1.0], [4.0]], [False, False, True])
    >>> model.predict_proba([[0.5], [5.0]]).argmax(axis=1)
    array([0, 1])
    """

    def __init__(
        self,
        depth: int = 2,
        activation: str | Network = "relu",
        *,
        w_std: float = math.sqrt(2),
        b_std: float | None = 1.0,
        network: Network | None = None,
        noise_variance: float | Literal["auto"] = 1e-2,
        solver: SolverChoice = "auto",
        tol: float | None = None,
        memory: float | None = None,
        kernel: Literal["nngp", "precomputed"] = "nngp",
        progress: Progress = None,
    ) -> None:
        self.depth = depth
        self.activation = activation
        self.w_std = w_std
        self.b_std = b_std
        self.network = network
        self.noise_variance = noise_variance
        self.solver = solver
        self.tol = tol
        self.memory = memory
        self.kernel = kernel
        self.progress = progress
