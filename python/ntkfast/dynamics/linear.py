"""Linear models, f(x) = φ(x)·w, trained by gradient flow: the model of all lazy training."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ntkfast._arrays import FloatArray, as_points, check_finite
from ntkfast._calls import by_keyword
from ntkfast._display import Displayed, Fact
from ntkfast._scalars import as_real
from ntkfast.dynamics._arguments import (
    Reduction,
    as_initial,
    as_settings,
    as_targets,
    as_time,
    check_order,
)
from ntkfast.dynamics._modes import Modes, on_weights, weighted_squares
from ntkfast.dynamics._predictive import Covariance, covariance_kind
from ntkfast.dynamics._setup import mean_over
from ntkfast.dynamics.flow import GradientFlow
from ntkfast.dynamics.normal import Normal
from ntkfast.linalg import matmul

__all__ = ["LinearModel"]


@dataclass(frozen=True, eq=False, repr=False, init=False)
class LinearModel(Displayed):
    """Linear regression on features, f = Φ·w, trained by gradient flow dw/dt = −η·∇_w L.

    Its kernel Θ = Φ·Φᵀ is constant, so everything has a closed form. With Φ = U·S·Vᵀ the modes Vᵀw
    decouple, and each converges to its target: w_t = w_0 + V·S·φ_t(S²)·Uᵀ(y − Φ·w_0) with the
    filter φ_t of `GradientFlow`. A network that is linearised in its parameters is such a model,
    with its Jacobian as Φ. Any set of functions of x gives such a model too.

    The only expensive step is one singular value decomposition. If there are fewer features than
    points, no matrix is n × n.

    Parameters
    ----------
    features
        Φ, shape (n, p): the p features of the n training points; for linear regression, the points
        themselves. Append a column of ones for an intercept.
    y
        Targets, shape (n,), (n, c) or (n, …).
    learning_rate
        η > 0.
    reduction
        ``"sum"``: L = ½‖f − y‖². ``"mean"``: L = ½·mean((f − y)²), which divides η by n·c.
    diag_reg
        r ≥ 0: a penalty ½·r·‖w − w_0‖² on the weights, as it regularises Θ.

    Raises
    ------
    TypeError, ValueError
        An argument has the wrong type, shape or range.

    Notes
    -----
    Costs about 20·n·p·min(n, p) once. At t = ∞ and r = 0 the weights are the least-squares solution
    closest to w_0. Directions with singular values up to min(n, p)·ε·s_max stay at w_0.

    References
    ----------
    Golub, Van Loan (2013), "Matrix Computations", section 5.5: least squares of minimum norm. Ali,
    Kolter, Tibshirani (2019), "A Continuous-Time View of Early Stopping for Least Squares",
    arXiv:1810.10082: the flow in the basis of singular vectors.

    Examples
    --------
    >>> model = LinearModel([[1.0, 0.0], [1.0, 1.0], [1.0, 2.0]], [0.0, 1.0, 2.0])
    >>> model.parameters(t=float("inf")).round(12) + 0.0
    array([0., 1.])
    >>> model.distribution([[1.0, 3.0]], t=2.0, covariance="diagonal").std.round(3)
    array([0.177])
    """

    modes: Modes
    y: FloatArray
    learning_rate: float
    reduction: Reduction
    diag_reg: float
    _flow: GradientFlow
    _beyond: FloatArray

    def __init__(
        self,
        features: npt.ArrayLike,
        y: npt.ArrayLike,
        *,
        learning_rate: float = 1.0,
        reduction: Reduction = "sum",
        diag_reg: float = 0.0,
    ) -> None:
        settings = as_settings(learning_rate, reduction, diag_reg, 0.0)
        del settings["relative_diag_reg"]
        check_order(features, y, "features", "features")
        matrix = as_points(features, "features")
        check_finite(matrix, "features")
        targets = as_targets(y, len(matrix), "features")
        vars(self).update(y=targets, **settings)  # frozen from here on
        modes = Modes.of(matrix)
        # Training uses only the component of the targets along the left singular vectors.
        seen = on_weights(modes.left.T, targets)
        beyond = np.zeros_like(targets)
        if modes.k < len(targets):
            beyond = targets - on_weights(modes.left, seen)
        flow = GradientFlow(
            modes.spectrum(),
            seen,
            learning_rate=self.learning_rate / mean_over(targets, self.reduction),
            diag_reg=self.diag_reg,
        )
        vars(self).update(modes=modes, _flow=flow, _beyond=beyond)

    @by_keyword()
    def parameters(self, w0: npt.ArrayLike = 0.0, *, t: npt.ArrayLike) -> FloatArray:
        """Compute the weights.

        Parameters
        ----------
        w0
            The initial weights: a number, or an array that broadcasts to (p,) + y.shape[1:].
        t
            Training time ≥ 0, a number or an array of any shape; may be infinite.

        Returns
        -------
        ndarray
            Shape t.shape + (p,) + y.shape[1:]. Costs 2·k·(k + p)·c per time, k = min(n, p).
        """
        start = self._start(w0)
        gathered = self._flow.coefficients(self._seen(start), t=t)
        return start + self._map(self.modes.right.T * self.modes.sizes, gathered)

    @by_keyword("the test input")
    def predict(
        self, features_test: npt.ArrayLike, w0: npt.ArrayLike = 0.0, *, t: npt.ArrayLike
    ) -> FloatArray:
        """Compute the outputs of the model at any points.

        Parameters
        ----------
        features_test
            Shape (m, p): the features of m points.
        w0, t
            As in `parameters`.

        Returns
        -------
        ndarray
            Shape t.shape + (m,) + y.shape[1:]. Costs 2·m·k·p once and 2·k·(k + m)·c per time.
        """
        matrix, start = self._features(features_test), self._start(w0)
        kernel = matmul(matrix, self.modes.right.T) * self.modes.sizes
        before = on_weights(matrix, start)
        return before + self._map(kernel, self._flow.coefficients(self._seen(start), t=t))

    @by_keyword()
    def predict_train(self, w0: npt.ArrayLike = 0.0, *, t: npt.ArrayLike) -> FloatArray:
        """Compute the outputs on the training points, of t.shape + y.shape; see `parameters`."""
        return self.y - self.residual(w0, t=t)

    @by_keyword()
    def residual(self, w0: npt.ArrayLike = 0.0, *, t: npt.ArrayLike) -> FloatArray:
        """Compute the residual y − f_t, without cancellation if it is small.

        Parameters
        ----------
        w0, t
            As in `parameters`.

        Returns
        -------
        ndarray
            Shape t.shape + y.shape. Costs 2·k·(k + n)·c per time.
        """
        left = self._flow.residual(self._seen(self._start(w0)), t=t)
        return self._beyond + self._map(self.modes.left, left)

    @by_keyword()
    def loss(self, w0: npt.ArrayLike = 0.0, *, t: npt.ArrayLike) -> FloatArray:
        """Compute the training loss ½‖f_t − y‖², or ½·mean((f_t − y)²), as set by the reduction.

        Parameters
        ----------
        w0, t
            As in `parameters`.

        Returns
        -------
        ndarray
            Shape t.shape, without the penalty of a regularisation. Costs O(k) per time.
        """
        within = self._flow.loss(self._seen(self._start(w0)), t=t)
        never = 0.5 * np.square(self._beyond).sum()
        total: FloatArray = (within + never) / mean_over(self.y, self.reduction)
        return total.astype(within.dtype)

    @by_keyword("the test input")
    def distribution(
        self,
        features_test: npt.ArrayLike,
        w0: npt.ArrayLike = 0.0,
        *,
        t: float = math.inf,
        covariance: Covariance = "none",
        prior_variance: float = 1.0,
        noise_variance: float = 0.0,
    ) -> Normal:
        """Compute the distribution of predictions over random initial weights w_0 ~ N(w0, τ²·I).

        Training maps a normal distribution of weights to another one. In each mode, the initial
        weight decays like the residual, and the noise of the targets enters as the mode is learnt.

        Parameters
        ----------
        features_test
            Shape (m, p): the features of m points. The identity gives the weights themselves.
        w0
            The mean of the initial weights, as in `parameters`.
        t
            Training time from 0 (the prior) to infinity.
        covariance
            ``"none"``, ``"diagonal"`` (the variance of each point) or ``"full"``.
        prior_variance
            τ² ≥ 0.
        noise_variance
            σ² ≥ 0, variance of noise on the targets. Each model has its own draw of the noise. With
            σ² = τ²·r the limit t = ∞ is the posterior of Bayesian linear regression.

        Returns
        -------
        Normal
            The distribution at the m points, for each output. Costs 2·m·k·p for each product with
            the right singular vectors (a covariance needs two of them if p > k), and 2·m²·p more
            for a full covariance.
        """
        time = as_time(t)
        kind = covariance_kind(covariance)
        prior = as_real(prior_variance, "prior_variance", least=0.0)
        noise = as_real(noise_variance, "noise_variance", least=0.0)
        matrix = self._features(features_test)
        spread = None
        if kind != "none":
            left = math.sqrt(prior) * self._flow._filters.left(time)[0]
            taken_up = math.sqrt(noise) * self.modes.sizes * self._flow._filters.gathered(time)[0]
            deviations = np.hypot(left, taken_up)
            spread = weighted_squares(self.modes, matrix, deviations, prior, full=kind == "full")
        return Normal(
            self.predict(matrix, w0, t=time)[0],
            spread,
            f"linear models trained by gradient flow to t = {time[0]:g}",
        )

    @property
    def singular_values(self) -> FloatArray:
        """Shape (min(n, p),): the singular values of the features, ascending."""
        return self.modes.sizes

    def _start(self, w0: npt.ArrayLike) -> FloatArray:
        return as_initial(w0, "w0", (self.modes.right.shape[1], *self.y.shape[1:]), self.y.dtype)

    def _seen(self, start: FloatArray) -> FloatArray:
        """Return the untrained outputs in the basis of the left singular vectors, S·Vᵀ·w_0."""
        return on_weights(self.modes.sizes[:, None] * self.modes.right, start)

    def _features(self, features_test: npt.ArrayLike) -> FloatArray:
        matrix = as_points(features_test, "features_test")
        p = self.modes.right.shape[1]
        if matrix.shape[1] != p:
            raise ValueError(
                f"features_test has shape {matrix.shape}; expected (m, {p}), one column per "
                "feature of the training points"
            )
        check_finite(matrix, "features_test")
        return matrix

    def _map(self, matrix: FloatArray, values: FloatArray) -> FloatArray:
        return self.modes.mapped(matrix, values, self.y.ndim - 1)

    def _facts(self) -> Iterator[Fact]:
        sizes = self.singular_values
        yield "", f"{self.modes.right.shape[1]} features"
        if sizes.size:
            yield "singular values", f"from {sizes[0]:.6g} to {sizes[-1]:.6g}"
        yield "y of shape", self.y.shape
        yield "learning_rate=", f"{self.learning_rate:g}"
        yield "reduction=", repr(self.reduction)
        yield "diag_reg=", f"{self.diag_reg:g}"

    def _remarks(self) -> Iterator[str]:
        rank, k = self._flow.spectrum.rank, self.modes.k
        if rank < k:
            yield (
                f"the features are linearly dependent to working precision (rank {rank} of {k}): "
                "undetermined directions stay at w_0"
            )
