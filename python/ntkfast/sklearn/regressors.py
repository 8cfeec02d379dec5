"""Regression by infinitely wide networks."""

from __future__ import annotations

import math
from typing import Literal

from ntkfast._progress import Progress
from ntkfast.dynamics._arguments import Reduction
from ntkfast.dynamics._solvers import SolverChoice
from ntkfast.networks import Network
from ntkfast.sklearn._nngp import NNGPEstimator
from ntkfast.sklearn._ntk import NTKEstimator
from ntkfast.sklearn._regressor import NetworkRegressor

__all__ = ["NNGPRegressor", "NTKRegressor"]


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
