"""Recursive feature machines: networks that learn which features, or directions, matter."""

from __future__ import annotations

import math
from typing import Literal

from ntkfast._progress import Progress
from ntkfast.dynamics._solvers import SolverChoice
from ntkfast.networks import Network
from ntkfast.sklearn._columns import CategoricalFeatures
from ntkfast.sklearn._regressor import NetworkRegressor
from ntkfast.sklearn._rfm import RFMEstimator
from ntkfast.sklearn._seeds import RandomState
from ntkfast.sklearn.classifiers import NetworkClassifier

__all__ = ["RFMClassifier", "RFMRegressor"]


class RFMRegressor(NetworkRegressor, RFMEstimator):
    """An `NTKRegressor` that learns scales of its features: a recursive feature machine.

    It trains the network to t = ∞ on features x·M^{1/2}, first with M = 1. The next M is the mean
    outer product of the gradients of what was learnt, at the training points. It stretches features
    that matter, and shrinks the others. The round with the least leave-one-out error is kept.

    Parameters
    ----------
    depth, activation, w_std, b_std, network
        The network, as for `NTKRegressor`.
    rounds
        How often M is computed, 0 or more.
    diagonal
        Whether M is diagonal: a scale for each feature. Otherwise it has scales for all directions.
        ``"auto"``: the one with the smaller leave-one-out error, and diagonal for more than 500
        features.
    relative_diag_reg
        Regularisation ≥ 0, in units of the NTK's mean diagonal entry. ``"auto"``: from 1e-6 to 10,
        the one with the least leave-one-out error in each round.
    categorical_features
        The columns that are categories: names, indices or booleans, or ``"from_dtype"``, those of
        the categorical types of pandas and Polars; None: no columns. Each becomes a one-hot block
        with one scale for all of its categories. Missing categories, and those that `predict` meets
        first, are blocks of zeros.
    standardize
        Whether numbers get mean 0 and standard deviation 1, as M = 1 assumes.
    max_samples
        Samples, drawn at random, from which M and the regularisation are learnt; None: all. The
        last fit takes all samples.
    solver, tol, memory
        As for `NTKRegressor`, for the last fit, and in the rounds too if ``relative_diag_reg`` is
        a number.
    normalize_y
        Whether to subtract the mean of the targets and divide by their standard deviation.
    random_state
        For ``max_samples``: an integer, a ``RandomState``, or None.
    progress
        As for `NTKRegressor`, for each round and the last fit.

    Attributes
    ----------
    feature_importances_
        Shape (n_features,): the diagonal of M by column of ``X``, in units of standardised columns;
        of categories their common scale. They sum to 1.
    metric_
        M of the best round, shape (p, p), or (p,) if it is diagonal, for p features with one-hot
        blocks. Its largest entry is 1.
    leave_one_out_errors_
        The mean square of leave-one-out residuals of each round, in units of y_scale_². The first
        is that of M = 1. It is optimistic, because M has seen all targets.
    best_round_
        The round that was kept; 0 is M = 1.
    relative_diag_reg_
        The given or the chosen regularisation.
    center_, projection_
        Features are (x − center_)·projection_.
    is_categorical_, categories_
        Which columns are categories, or None; and the categories of each.
    network_, X_fit_, dual_coef_, training_, noise_variance_, sample_weight_, y_mean_, y_scale_
        As for `NTKRegressor`; ``X_fit_`` are features.
    n_features_in_, feature_names_in_
        As for all scikit-learn estimators.

    Raises
    ------
    TypeError, ValueError
        As for `NTKRegressor`; ``X`` has no such column, or text in a column of numbers.

    Notes
    -----
    Each round costs a kernel, its eigendecomposition, 9·n³ (with a given regularisation 4·n³/3),
    and about five kernels of gradients per output. ``diagonal="auto"`` has twice as many rounds.
    Leave-one-out with ``solver="cg"`` is an estimate by random vectors.

    References
    ----------
    Radhakrishnan, Beaglehole, Pandit, Belkin (2024), Science 383, arXiv:2212.13881.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.random.default_rng(0).normal(size=(200, 5))
    >>> model = RFMRegressor(depth=1).fit(x, x[:, 0] * x[:, 3])
    >>> np.argsort(model.feature_importances_)[-2:]
    array([0, 3])
    """

    def __init__(
        self,
        depth: int = 2,
        activation: str | Network = "relu",
        *,
        w_std: float = math.sqrt(2),
        b_std: float | None = 1.0,
        network: Network | None = None,
        rounds: int = 5,
        diagonal: bool | Literal["auto"] = "auto",
        relative_diag_reg: float | Literal["auto"] = "auto",
        categorical_features: CategoricalFeatures = "from_dtype",
        standardize: bool = True,
        max_samples: int | None = 5000,
        solver: SolverChoice = "auto",
        tol: float | None = None,
        memory: float | None = None,
        normalize_y: bool = True,
        random_state: RandomState = 0,
        progress: Progress = None,
    ) -> None:
        self.depth = depth
        self.activation = activation
        self.w_std = w_std
        self.b_std = b_std
        self.network = network
        self.rounds = rounds
        self.diagonal = diagonal
        self.relative_diag_reg = relative_diag_reg
        self.categorical_features = categorical_features
        self.standardize = standardize
        self.max_samples = max_samples
        self.solver = solver
        self.tol = tol
        self.memory = memory
        self.normalize_y = normalize_y
        self.random_state = random_state
        self.progress = progress


class RFMClassifier(NetworkClassifier, RFMEstimator):
    """An `NTKClassifier` that learns scales of its features: a recursive feature machine.

    Parameters
    ----------
    depth, activation, w_std, b_std, network
        The network, as for `NTKRegressor`.
    rounds, diagonal, relative_diag_reg, categorical_features, standardize, max_samples
        How it learns, as for `RFMRegressor`. Leave-one-out is of squared error.
    solver, tol, memory, random_state, progress
        As for `RFMRegressor`.

    Attributes
    ----------
    classes_
        The labels, sorted.
    feature_importances_, metric_, leave_one_out_errors_, best_round_, relative_diag_reg_
        As for `RFMRegressor`; the errors are means over samples and classes.
    center_, projection_, is_categorical_, categories_
        As for `RFMRegressor`.
    network_, X_fit_, dual_coef_, training_, n_features_in_, feature_names_in_
        As for `RFMRegressor`, with one output per class.

    Notes
    -----
    Costs are those of `RFMRegressor`, with gradients of one output fewer than there are classes.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.random.default_rng(0).normal(size=(200, 5))
    >>> model = RFMClassifier(depth=1).fit(x, x[:, 0] * x[:, 3] > 0)
    >>> np.argsort(model.feature_importances_)[-2:]
    array([0, 3])
    """

    def __init__(
        self,
        depth: int = 2,
        activation: str | Network = "relu",
        *,
        w_std: float = math.sqrt(2),
        b_std: float | None = 1.0,
        network: Network | None = None,
        rounds: int = 5,
        diagonal: bool | Literal["auto"] = "auto",
        relative_diag_reg: float | Literal["auto"] = "auto",
        categorical_features: CategoricalFeatures = "from_dtype",
        standardize: bool = True,
        max_samples: int | None = 5000,
        solver: SolverChoice = "auto",
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
        self.rounds = rounds
        self.diagonal = diagonal
        self.relative_diag_reg = relative_diag_reg
        self.categorical_features = categorical_features
        self.standardize = standardize
        self.max_samples = max_samples
        self.solver = solver
        self.tol = tol
        self.memory = memory
        self.random_state = random_state
        self.progress = progress
