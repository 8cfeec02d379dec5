"""Regression and classification on some centres, for samples by the million."""

from __future__ import annotations

import math
from typing import Literal

import numpy.typing as npt
from sklearn.utils.validation import check_is_fitted

from ntkfast._arrays import FloatArray
from ntkfast._foreign import is_dask
from ntkfast._progress import Progress
from ntkfast._scalars import as_choice, as_real
from ntkfast.networks import Network
from ntkfast.nystroem._bands import as_doubles
from ntkfast.nystroem._entropy import softmax
from ntkfast.nystroem._logistic import logistic
from ntkfast.nystroem._problem import Problem, Settings, ridge_of
from ntkfast.sklearn._nystroem import NystroemEstimator
from ntkfast.sklearn._regressor import NetworkRegressor
from ntkfast.sklearn._seeds import RandomState
from ntkfast.sklearn.classifiers import NetworkClassifier, probabilities

__all__ = ["NystroemClassifier", "NystroemRegressor"]


class NystroemRegressor(NetworkRegressor, NystroemEstimator):
    """Kernel ridge regression on some centres, for samples by the million.

    It is `NTKRegressor` at t = ∞, or the mean of `NNGPRegressor`, with functions f(x) = K(x, Z)·β
    of m centres Z. If all samples are centres, the means are equal. Memory is m², however many
    samples there are, and ``X`` is not copied.

    Parameters
    ----------
    depth, activation, w_std, b_std, network
        The network, as for `NTKRegressor`.
    kernel
        ``"ntk"`` or ``"nngp"``.
    centres
        A number of centres, or all samples if there are fewer; a share below 1: as many as leave
        this share of the trace of the kernel unexplained, at most 10,000; or the centres
        themselves, shape (m, n_features).
    sampling
        ``"pivots"``: by randomly pivoted Cholesky of 50,000 samples, or twice the number of
        centres; ``"uniform"``: at random.
    diag_reg
        Regularisation r ≥ 0, added to the diagonal of the kernel between all samples.
    relative_diag_reg
        The same in units of the kernel's mean diagonal entry; or ``"auto"``: the one of 21, from
        1e-8 to 100, that predicts 10,000 samples best that are no centres and are left out in turn.
        `nk.NystroemPath` computes the errors.
    tol
        Residual of the normal equations relative to their right-hand side, for more than 2,048
        centres; None: 1e-4.
    memory
        Bytes for kernel values that are kept between passes; None: half of the memory that is free.
    normalize_y
        As for `NTKRegressor`.
    random_state
        Seed of the centres: an integer; a RandomState, or None for another seed in every fit.
    progress
        For `fit`, as for `nk.NystroemRegression`.

    Attributes
    ----------
    network_, kernel_
        The network, and the name of its kernel.
    centres_, dual_coef_
        Centres and coefficients: the mean is K(x, centres_)·dual_coef_.
    training_
        The `nk.NystroemRegression`, with ``leave_one_out``.
    diag_reg_, noise_variance_
        r with its relative part, which is the variance of the noise, in units of y_scale_².
    unexplained_
        Share of the trace of the kernel that the centres leave, of the samples that they were
        chosen from; NaN if it is not known.
    report_
        `nk.solvers.SolveReport`: passes, residuals, memory and time.
    y_mean_, y_scale_
        Mean and scale from ``normalize_y``; 0 and 1 without it.
    n_features_in_, feature_names_in_
        As for all scikit-learn estimators.

    Notes
    -----
    Fitting costs 50,000·m² for pivots, n·m kernel values, and 2·n·m² for up to 2,048 centres. More
    centres take 10 to 20 passes over n·m kernel values. ``"auto"`` costs 2·n·m² and 10·m³. Standard
    deviations are those of the Gaussian process with this kernel and the noise r. They cost 2·m²
    per sample, after more than 2,048 centres 2·n·m² once, and grow to those of the untrained
    network far from the centres. Their size is right only if r is the variance of the noise: means
    depend on the ratio of r and the kernel alone, and ``"auto"`` chooses r for the means.
    ``training_.leave_one_out().rmse`` is the error of new observations, in units of y_scale_.

    `nk.NystroemRegression` itself also takes chunks of a file, and writes checkpoints.

    References
    ----------
    Rudi, Carratino, Rosasco (2017), arXiv:1705.10958; Quiñonero-Candela and Rasmussen (2005),
    J. Mach. Learn. Res. 6, 1939: standard deviations.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.linspace(-1, 1, 1000)[:, None]
    >>> model = NystroemRegressor(depth=1, centres=50).fit(x, np.sin(3 * x[:, 0]))
    >>> model.predict([[0.5]]).round(2)
    array([1.])
    """

    def __init__(
        self,
        depth: int = 2,
        activation: str | Network = "relu",
        *,
        w_std: float = math.sqrt(2),
        b_std: float | None = 1.0,
        network: Network | None = None,
        kernel: Literal["ntk", "nngp"] = "ntk",
        centres: npt.ArrayLike = 1000,
        sampling: Literal["pivots", "uniform"] = "pivots",
        diag_reg: float = 0.0,
        relative_diag_reg: float | Literal["auto"] = 1e-6,
        tol: float | None = None,
        memory: float | None = None,
        normalize_y: bool = False,
        random_state: RandomState = 0,
        progress: Progress = None,
    ) -> None:
        self.depth = depth
        self.activation = activation
        self.w_std = w_std
        self.b_std = b_std
        self.network = network
        self.kernel = kernel
        self.centres = centres
        self.sampling = sampling
        self.diag_reg = diag_reg
        self.relative_diag_reg = relative_diag_reg
        self.tol = tol
        self.memory = memory
        self.normalize_y = normalize_y
        self.random_state = random_state
        self.progress = progress

    @property
    def noise_variance_(self) -> float:
        """The variance of the noise, in units of y_scale_²: the regularisation."""
        return self.diag_reg_


class NystroemClassifier(NetworkClassifier, NystroemEstimator):
    """Classification on some centres, for samples by the million.

    Outputs are f(x) = K(x, Z)·β for m centres Z, one per class. With squared error this is
    `NTKClassifier` at t = ∞. With the logistic loss, outputs minimise
    Σ w·(−log p) + ½·r·βᵀ·K(Z, Z)·β for the probabilities p = softmax(f), which suits
    ``predict_proba``; for two classes p is the logistic function of one output.

    Parameters
    ----------
    depth, activation, w_std, b_std, network
        The network, as for `NTKRegressor`.
    loss
        ``"squared"`` or ``"log"``.
    kernel, centres, sampling, memory, random_state
        As for `NystroemRegressor`.
    diag_reg, relative_diag_reg
        As for `NystroemRegressor`. ``"auto"`` needs squared error. With ``loss="log"``, classes
        that can be separated need r well above 0 for probabilities below 1.
    tol
        With squared error as for `NystroemRegressor`. With ``loss="log"`` the norm of the gradient
        relative to that of coefficients 0, both in coordinates in which the mean curvature of the
        loss is 1; None: 1e-5. Half of the square of this norm is about what the loss is above its
        minimum.
    progress
        For `fit`, as for `nk.NystroemRegression`.

    Attributes
    ----------
    classes_
        The labels, sorted.
    loss_
        The loss that was used.
    network_, kernel_, centres_, dual_coef_, diag_reg_, unexplained_, report_
        As for `NystroemRegressor`, with one output per class.
    training_
        As for `NystroemRegressor`; not with ``loss="log"``.
    n_features_in_, feature_names_in_
        As for all scikit-learn estimators.

    Warns
    -----
    RuntimeWarning
        The logistic loss is not minimised to ``tol`` after 500 passes.

    Notes
    -----
    Costs with squared error are those of `NystroemRegressor`. The logistic loss takes some tens of
    passes over n·m kernel values by L-BFGS, and 2·n·m² about once in 30 of them. Passes are
    more where r is so small that probabilities are near 0 and 1.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.linspace(-1, 1, 400)[:, None]
    >>> labels = np.where(np.abs(x[:, 0]) < 0.5, "inside", "outside")
    >>> model = NystroemClassifier(centres=50, loss="log").fit(x, labels)
    >>> model.predict([[0.0], [0.9]])
    array(['inside', 'outside'], dtype='<U7')
    """

    loss_: Literal["squared", "log"]

    def __init__(
        self,
        depth: int = 2,
        activation: str | Network = "relu",
        *,
        w_std: float = math.sqrt(2),
        b_std: float | None = 1.0,
        network: Network | None = None,
        loss: Literal["squared", "log"] = "squared",
        kernel: Literal["ntk", "nngp"] = "ntk",
        centres: npt.ArrayLike = 1000,
        sampling: Literal["pivots", "uniform"] = "pivots",
        diag_reg: float = 0.0,
        relative_diag_reg: float | Literal["auto"] = 1e-6,
        tol: float | None = None,
        memory: float | None = None,
        random_state: RandomState = 0,
        progress: Progress = None,
    ) -> None:
        self.depth = depth
        self.activation = activation
        self.w_std = w_std
        self.b_std = b_std
        self.network = network
        self.loss = loss
        self.kernel = kernel
        self.centres = centres
        self.sampling = sampling
        self.diag_reg = diag_reg
        self.relative_diag_reg = relative_diag_reg
        self.tol = tol
        self.memory = memory
        self.random_state = random_state
        self.progress = progress

    def _learn(self, points: FloatArray, targets: FloatArray, weights: FloatArray | None) -> None:
        loss = as_choice(self.loss, "loss", ("squared", "log"))
        if loss == "log":
            self._learn_probabilities(points, (targets > 0).astype(targets.dtype), weights)
        else:
            super()._learn(points, targets, weights)
        self.loss_ = loss  # type: ignore[assignment]

    def _learn_probabilities(
        self, points: FloatArray, targets: FloatArray, weights: FloatArray | None
    ) -> None:
        if isinstance(self.relative_diag_reg, str):
            raise ValueError(
                f"relative_diag_reg is {self.relative_diag_reg!r} with loss='log', but leave-one-"
                "out is of squared error; pass a number, such as that of GridSearchCV with "
                "scoring='neg_log_loss'"
            )
        for name in ("diag_reg", "relative_diag_reg"):
            as_real(getattr(self, name), name, least=0.0)
        tol = self._tol(1e-5)
        settings = Settings(**self._settings(len(points)), memory=self.memory, dtype=None)
        regularisation = self.diag_reg, self.relative_diag_reg
        problem = Problem.of(
            self.network_, points, targets, weights, settings, regularisation, again=True
        )
        self.diag_reg_ = ridge_of(*regularisation, problem.known)
        self.dual_coef_, self.report_ = logistic(problem, self.diag_reg_, tol, self.progress)
        self.centres_, self.unexplained_ = problem.features.centres, problem.unexplained
        self.__dict__.pop("training_", None)  # of an earlier fit

    def predict_proba(self, X: npt.ArrayLike) -> FloatArray:
        """Compute probabilities of the classes.

        With ``loss="log"`` they are the softmax of the outputs, as they were trained. With squared
        error they are the probability that a class has the largest output, if outputs are normal
        and independent with the standard deviation of the Gaussian process, without noise.

        Parameters
        ----------
        X
            As for `predict`.

        Returns
        -------
        ndarray
            Shape (m, n_classes), in the order of ``classes_``; rows sum to 1. With squared error
            this costs as much as standard deviations.
        """
        check_is_fitted(self)
        if self.loss_ == "squared":
            return super().predict_proba(X)
        if is_dask(X):
            lazy: FloatArray = self._means_by_chunks(probabilities, X, self.classes_.shape)
            return lazy
        points = self._new_points(X)
        return softmax(as_doubles(self._outputs(points))).astype(points.dtype)
