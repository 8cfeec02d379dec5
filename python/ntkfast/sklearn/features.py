"""Features whose inner products approximate the kernel of a network."""

from __future__ import annotations

import math
from typing import Literal, TypeVar

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted, validate_data

from ntkfast._arrays import FloatArray
from ntkfast._foreign import is_dask
from ntkfast._gram import row_blocks
from ntkfast._memory import empty
from ntkfast._progress import Progress
from ntkfast._scalars import as_choice
from ntkfast.kernels import as_others
from ntkfast.linalg import Cholesky
from ntkfast.networks import Network
from ntkfast.nystroem._problem import Problem, Settings
from ntkfast.sklearn._lazy import KEPT_TYPES, by_chunks, lazy_samples
from ntkfast.sklearn._networks import named_network
from ntkfast.sklearn._nystroem import KERNELS, at_most
from ntkfast.sklearn._seeds import RandomState, as_seed

__all__ = ["NystroemFeatures"]

Self = TypeVar("Self", bound="NystroemFeatures")


class NystroemFeatures(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """Features for linear models, whose inner products approximate the kernel of a network.

    With centres Z and K(Z, Z) = L·Lᵀ they are K(x, Z)·L⁻ᵀ, shape (n, m) for m centres. A linear
    model on them is kernel regression on the centres. The name of scikit-learn's `Nystroem` for
    ``centres`` is ``n_components``.

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
    random_state
        Seed of the centres: an integer; a RandomState, or None for another seed in every fit.
    progress
        For `fit`, as for `nk.pivoted_cholesky`.

    Attributes
    ----------
    network_, kernel_
        The network, and the name of its kernel.
    centres_
        Shape (m, n_features).
    factor_
        The `nk.Cholesky` factor L, with a jitter of ε·trace.
    unexplained_
        Share of the trace of the kernel that the features leave, of the samples that the centres
        were chosen from; NaN if it is not known.
    n_features_in_, feature_names_in_
        As for all scikit-learn estimators.

    Notes
    -----
    Fitting costs 50,000·m² with pivots, and m³/3. `transform` costs n·m kernel values and n·m².

    References
    ----------
    Williams and Seeger (2001), "Using the Nyström Method to Speed Up Kernel Machines"; Chen,
    Epperly, Tropp, Webber (2023), arXiv:2207.06503: centres by randomly pivoted Cholesky.

    Examples
    --------
    >>> from sklearn.linear_model import Ridge
    >>> from sklearn.pipeline import make_pipeline
    >>> x = np.linspace(-1, 1, 500)[:, None]
    >>> model = make_pipeline(NystroemFeatures(centres=50), Ridge(1e-4)).fit(x, np.sin(3 * x[:, 0]))
    >>> model.predict([[0.5]]).round(2)
    array([1.])
    """

    network_: Network
    kernel_: Literal["ntk", "nngp"]
    centres_: FloatArray
    factor_: Cholesky
    unexplained_: float
    n_features_in_: int
    feature_names_in_: npt.NDArray[np.object_]

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
        self.random_state = random_state
        self.progress = progress

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags

    def fit(self: Self, X: npt.ArrayLike, y: object = None) -> Self:
        """Choose the centres.

        Parameters
        ----------
        X
            Shape (n, n_features), one sample per row; float64 and float32 are kept. A dask.array is
            read by its workers.
        y
            Not used.

        Returns
        -------
        self

        Raises
        ------
        TypeError, ValueError
            Data or parameters are invalid, or ``X`` is sparse.
        NumericalError
            The kernel of the centres is not positive semi-definite.
        MemoryError
            The matrix of m² numbers exceeds the memory that is free.
        """
        if is_dask(X):
            points = lazy_samples(self, X, reset=True)
        else:
            points = validate_data(self, X, dtype=KEPT_TYPES)
        self.kernel_ = as_choice(self.kernel, "kernel", KERNELS)  # type: ignore[assignment]
        self.network_ = named_network(
            self.network, self.depth, self.activation, self.w_std, self.b_std
        )
        settings = Settings(
            at_most(self.centres, len(points)),
            self.sampling,
            self.kernel_,
            as_seed(self.random_state),
            0,
            None,
            self.progress,
        )
        no_targets = np.broadcast_to(0.0, len(points))
        problem = Problem.of(self.network_, points, no_targets, None, settings)
        self.centres_, self.factor_ = problem.features.centres, problem.features.factor
        self.unexplained_ = problem.unexplained
        return self

    def transform(self, X: npt.ArrayLike) -> FloatArray:
        """Compute the features.

        Parameters
        ----------
        X
            Shape (n, n_features).

        Returns
        -------
        ndarray
            Shape (n, m), in the type of ``X``, float64 or float32. For a dask.array it is one,
            lazy, with its chunks.

        Raises
        ------
        NotFittedError
            The estimator is not fitted.
        MemoryError
            The features exceed the memory that is free.
        """
        check_is_fitted(self)
        if is_dask(X):
            lazy: FloatArray = by_chunks(self, X, _features, self.centres_.shape[:1], np.dtype)
            return lazy
        points: FloatArray = validate_data(self, X, reset=False, dtype=KEPT_TYPES)
        n, m = len(points), len(self.centres_)
        features: FloatArray = empty(
            (n, m), points.dtype, "the features", "transform fewer rows at a time"
        )
        kernel = getattr(self.network_, self.kernel_)
        for rows in row_blocks(n, m):
            cross = kernel(as_others(points[rows], self.centres_), self.centres_)
            features[rows] = self.factor_.solve_lower(cross.T.astype(np.float64)).T
        return features

    @property
    def _n_features_out(self) -> int:
        return len(self.centres_)


def _features(model: NystroemFeatures, X: FloatArray) -> FloatArray:
    return model.transform(X)
