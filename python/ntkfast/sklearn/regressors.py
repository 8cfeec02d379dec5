"""Regression by infinitely wide networks."""

from __future__ import annotations

import math
from functools import partial
from typing import Any, Literal, TypeVar, overload

import numpy as np
import numpy.typing as npt
from sklearn.base import MultiOutputMixin, RegressorMixin
from sklearn.utils.validation import check_is_fitted

from ntkfast._arrays import FloatArray
from ntkfast._foreign import is_dask
from ntkfast._progress import Progress
from ntkfast._scalars import as_flag
from ntkfast.dynamics._arguments import Reduction
from ntkfast.dynamics._solvers import SolverChoice
from ntkfast.networks import Network
from ntkfast.operators import KernelOperator
from ntkfast.sklearn._base import NetworkEstimator
from ntkfast.sklearn._nngp import NNGPEstimator
from ntkfast.sklearn._ntk import NTKEstimator

__all__ = ["NNGPRegressor", "NTKRegressor", "NetworkRegressor"]

Self = TypeVar("Self", bound="NetworkRegressor")


class NetworkRegressor(MultiOutputMixin, RegressorMixin, NetworkEstimator):
    """An infinitely wide network that learns numbers."""

    normalize_y: bool

    y_mean_: npt.NDArray[np.float64] | float
    y_scale_: npt.NDArray[np.float64] | float

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
            Shape (n,) or (n, n_outputs): targets.
        sample_weight
            Shape (n,): weights w >= 0 of the squared errors. Noise or regularisation r becomes r/w,
            so a weight of 2 acts as two copies of the sample, and 0 drops it. For targets whose
            noise has known variances, use their inverses.

        Returns
        -------
        self

        Raises
        ------
        TypeError, ValueError
            Data or parameters are invalid, or ``X`` is sparse.
        NumericalError
            The matrix of the system is not positive semi-definite, even with the largest jitter.
        """
        points, targets = self._training_samples(X, y, multi_output=True, y_numeric=True)
        points, targets, weights = self._positive(points, targets, sample_weight)
        targets = targets.astype(points.dtype, copy=False)
        outputs = targets.shape[1:]
        self.y_mean_, self.y_scale_ = np.zeros(outputs), np.ones(outputs)
        if as_flag(self.normalize_y, "normalize_y"):
            # Relative to the largest, so that squares do not overflow and equal targets stay equal.
            largest = np.abs(targets).max(axis=0).astype(np.float64)
            unit = np.where(largest > 0, largest, 1.0)
            units = targets / unit
            mean = np.average(units, axis=0, weights=weights)
            spread = np.sqrt(np.average((units - mean) ** 2, axis=0, weights=weights))
            varied = units.max(axis=0) > units.min(axis=0)
            self.y_mean_, self.y_scale_ = unit * mean, np.where(varied, unit * spread, 1.0)
            targets = ((units - mean) / np.where(varied, spread, 1.0)).astype(points.dtype)
        self._kind = KernelOperator.like(X)
        self._learn(points, targets, weights)
        return self

    @overload
    def predict(
        self, X: npt.ArrayLike, return_std: Literal[False] = False, *, noise: bool = False
    ) -> FloatArray: ...

    @overload
    def predict(
        self, X: npt.ArrayLike, return_std: Literal[True], *, noise: bool = False
    ) -> tuple[FloatArray, FloatArray]: ...

    def predict(
        self, X: npt.ArrayLike, return_std: bool = False, *, noise: bool = False
    ) -> FloatArray | tuple[FloatArray, FloatArray]:
        """Predict the targets.

        Parameters
        ----------
        X
            Shape (m, n_features). For a dask.array results are dask.arrays, lazy, with its chunks.
        return_std
            Whether to return standard deviations as well.
        noise
            Whether these are of new observations, in the units of the targets: with the variance
            ``noise_variance_`` of the noise. Otherwise they are of the function.

        Returns
        -------
        mean : ndarray
            Shape (m,) or (m, n_outputs).
        std : ndarray
            Same shape: standard deviation. Only with ``return_std``.
        """
        if is_dask(X):
            return self._predict_by_chunks(X, return_std, noise)
        points = self._new_points(X)
        outputs = self._outputs(points)
        mean = (self.y_mean_ + self.y_scale_ * outputs).astype(outputs.dtype)
        if not _wants_std(return_std, noise):
            return mean
        deviations = self._deviations(points).reshape(-1, *[1] * (mean.ndim - 1))
        if as_flag(noise, "noise"):
            deviations = np.hypot(deviations, np.sqrt(self._noise()))
        return mean, (self.y_scale_ * deviations).astype(mean.dtype)

    def _predict_by_chunks(
        self, X: Any, return_std: bool, noise: bool
    ) -> FloatArray | tuple[FloatArray, FloatArray]:
        check_is_fitted(self)
        outputs = self.dual_coef_.shape[1:]
        mean: FloatArray = self._means_by_chunks(_means, X, outputs)
        if not _wants_std(return_std, noise):
            return mean
        if noise:
            self._noise()  # once, and not in each task
        return mean, self._by_chunks(partial(_deviations, noise), X, outputs)


def _wants_std(return_std: bool, noise: bool) -> bool:
    wanted = as_flag(return_std, "return_std")
    if as_flag(noise, "noise") and not wanted:
        raise ValueError(
            "noise is True, but it changes standard deviations only; pass return_std=True"
        )
    return wanted


def _means(model: NetworkRegressor, X: FloatArray) -> FloatArray:
    return model.predict(X)


def _deviations(noise: bool, model: NetworkRegressor, X: FloatArray) -> FloatArray:
    return model.predict(X, return_std=True, noise=noise)[1]


class NTKRegressor(NetworkRegressor, NTKEstimator):
    """An infinitely wide network trained by gradient flow, averaged over random initial weights.

    At ``t=inf`` this is kernel (ridge) regression with the NTK. A finite ``t`` is early stopping.
    The standard deviation is that of networks with different random initial weights: `nk.Ensemble`.

    Parameters
    ----------
    depth
        Number of hidden layers.
    activation
        The activation after each of them: a layer of ntkfast, or its name, such as ``"relu"``,
        ``"erf"`` or ``"leaky_relu"``.
    w_std, b_std
        Standard deviations of the weights and biases of every layer; ``b_std=None``: no biases.
    network
        Any network of ntkfast that ends with a Dense, instead of the four parameters above.
    t
        Training time, from 0 to infinity.
    learning_rate
        η > 0; a finite time counts as η·t.
    reduction
        ``"sum"``: the loss is ½‖f − y‖². ``"mean"``: ½·mean((f − y)²), which divides η by the
        number of targets.
    diag_reg
        Regularisation r ≥ 0, added to the diagonal of the NTK.
    relative_diag_reg
        The same in units of the NTK's mean diagonal entry, which suits any scale of ``X``. The
        small default handles duplicate points. Use 0 to interpolate exactly.
    solver
        ``"cholesky"``, ``"cg"`` or a solver of `nk.solvers`, as `nk.KernelRegression`
        has. ``"auto"`` takes conjugate gradients if the kernel and its factor would not fit into
        half of the memory that is free, or for more than 10,000 points. ``training_`` says which.
        At a finite time ``"cg"`` trains by products, and ``"auto"`` does so for as many points.
        At t = ∞ and above 200,000 samples, ``"auto"`` is approximate and warns: it learns with
        10,000 centres, or as many as fit into memory, as `NystroemRegressor` does.
    tol
        Residual of the coefficients, relative to the targets, for solvers by products; None: 1e-6
        with conjugate gradients, and 1e-4 with centres.
    memory
        Bytes for parts of the kernel that are kept, for solvers by products; None: half of the
        memory that is free.
    normalize_y
        Whether to subtract the mean of the targets and divide by their standard deviation. The
        network itself has prior mean zero.
    kernel
        ``"ntk"``, that of the network, or ``"precomputed"``: ``X`` is a kernel matrix, of shape
        (n, n) in `fit` and (m, n) in `predict`, and the parameters of the network are ignored.
    progress
        For `fit`, as for `Network.ntk`: first for the kernel, then for the solution.

    Attributes
    ----------
    network_
        The network.
    X_fit_, dual_coef_
        Training points, or centres, and coefficients: the mean is Θ(x, X_fit_)·dual_coef_.
    training_
        `nk.KernelRegression` at t = ∞, with ``leave_one_out`` and ``condition_estimate``;
        `nk.GradientFlow` for a finite time, with the whole course of training;
        `nk.NystroemRegression` above 200,000 samples.
    noise_variance_
        Variance of the noise of each output, shape () or (n_outputs,), in units of y_scale_²: the
        mean square of the leave-one-out residuals, less the variance of the networks there.
        Computed on first use, for 4·n³.
    sample_weight_
        Weights of the training points, or None.
    y_mean_, y_scale_
        Mean and scale from ``normalize_y``; 0 and 1 without it.
    n_features_in_, feature_names_in_
        As for all scikit-learn estimators.

    Notes
    -----
    Fitting costs the kernel and n³/3 at t = ∞, 9·n³ for a finite time. Means cost the kernel and
    2·m·n, standard deviations 4·m·n² more.

    References
    ----------
    Jacot, Gabriel, Hongler (2018), arXiv:1806.07572; Lee et al. (2019), arXiv:1902.06720.

    Examples
    --------
    >>> model = NTKRegressor(depth=1).fit([[0.0], [1.0], [2.0]], [0.0, 1.0, 0.0])
    >>> model.predict([[0.0], [1.0]]).round(3) + 0.0
    array([0., 1.])
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
        normalize_y: bool = False,
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
        self.normalize_y = normalize_y
        self.kernel = kernel
        self.progress = progress


class NNGPRegressor(NetworkRegressor, NNGPEstimator):
    """Gaussian process regression with the covariance of an infinitely wide network.

    Parameters
    ----------
    depth, activation, w_std, b_std, network
        The network, as for `NTKRegressor`.
    noise_variance
        Variance ≥ 0 of the noise on the targets, or ``"auto"``: the one with the largest evidence.
        With ``normalize_y`` it is in units of the variance of the targets.
    solver
        ``"cholesky"``, ``"cg"`` or a solver of `nk.solvers`, as `nk.Posterior` has. ``"auto"``: a
        Cholesky factor, in float32 if one in the type of ``X`` does not fit into memory, and
        conjugate gradients if that does not fit either. ``posterior_`` says which.
    tol
        Residual of the coefficients, relative to the targets, for solvers by products; None: 1e-6
        with conjugate gradients.
    memory
        Bytes for parts of the kernel that are kept, for solvers by products; None: half of the
        memory that is free.
    normalize_y
        As for `NTKRegressor`.
    kernel
        ``"nngp"``, that of the network, or ``"precomputed"``: ``X`` is a kernel matrix, of shape
        (n, n) in `fit` and (m, n) in `predict`, and the parameters of the network are ignored.
    progress
        For `fit`, as for `Network.ntk`: first for the kernel, then for the solution.

    Attributes
    ----------
    network_
        The network.
    X_fit_, dual_coef_
        Training points and coefficients: the mean is Σ(x, X_fit_)·dual_coef_.
    posterior_
        The `nk.Posterior`, with joint distributions, ``leave_one_out`` and ``regression``.
    noise_variance_
        The given or the chosen noise variance, in units of y_scale_².
    y_mean_, y_scale_
        Mean and scale from ``normalize_y``; 0 and 1 without it.
    n_features_in_, feature_names_in_
        As for all scikit-learn estimators.

    Notes
    -----
    Fitting costs the kernel and n³/3, with ``noise_variance="auto"`` 20 times n³/3. Means cost the
    kernel and 2·m·n, standard deviations 2·m·n² more.

    References
    ----------
    Lee et al. (2018), arXiv:1711.00165.

    Examples
    --------
    >>> model = NNGPRegressor(depth=1).fit([[0.0], [1.0], [2.0]], [0.0, 1.0, 0.0])
    >>> mean, std = model.predict([[1.0], [4.0]], return_std=True)
    >>> bool(std[0] < std[1])
    True
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
        normalize_y: bool = False,
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
        self.normalize_y = normalize_y
        self.kernel = kernel
        self.progress = progress
