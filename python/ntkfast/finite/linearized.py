"""Networks linearised at their initial parameters, and their training (lazy training)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt

from ntkfast._arrays import FloatArray
from ntkfast._calls import by_keyword
from ntkfast._display import Displayed, Fact
from ntkfast._memory import empty
from ntkfast.dynamics import GradientDescent, GradientFlow
from ntkfast.dynamics._arguments import Reduction
from ntkfast.finite._problem import as_problem, as_training, output_gram

if TYPE_CHECKING:
    from ntkfast.finite.network import FiniteNetwork

__all__ = ["LinearizedNetwork", "LinearizedTraining"]

Array = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False, repr=False)
class LinearizedNetwork(Displayed):
    """A finite network, linear in its parameters: f_lin(x, p) = f(x, p_0) + J(x)·(p − p_0).

    J is the Jacobian of the network at its parameters p_0. It is not formed: one pass of
    forward-mode differentiation gives its product with a direction. Created by
    `FiniteNetwork.linearize`.

    Attributes
    ----------
    network
        The network at p_0.

    References
    ----------
    Lee et al. (2019), arXiv:1902.06720; Chizat, Oyallon, Bach (2019), "On Lazy Training in
    Differentiable Programming", arXiv:1812.07956.

    Examples
    --------
    >>> import ntkfast as nk
    >>> net = nk.finite.init(nk.mlp(1, nk.Erf(), b_std=0.1), 1, 0, width=50)
    >>> trained = net.linearize().train([[-1.0], [1.0]], [0.5, -0.5])
    >>> trained.predict([[-1.0], [1.0]], t=float("inf")).round(9)
    array([ 0.5, -0.5])
    """

    network: FiniteNetwork

    @property
    def parameters(self) -> Array:
        """Shape (P,): p_0, the parameters of the linearisation."""
        return self.network.parameters

    def forward(self, x: npt.ArrayLike, parameters: npt.ArrayLike | None = None) -> Array:
        """Compute f_lin.

        Parameters
        ----------
        x
            Shape (n, n_features).
        parameters
            p, shape (P,); None for p_0, at which f_lin equals the network.

        Returns
        -------
        ndarray
            Shape (n,), or (n, c) for c outputs. Costs two or three forward passes.
        """
        outputs = self.network.forward(x)
        if parameters is None:
            return outputs
        moved = self.network.with_parameters(parameters).parameters - self.parameters
        return outputs + self.network.derivative(x, moved)

    def ntk(
        self, x: npt.ArrayLike, x2: npt.ArrayLike | None = None, *, full: bool = False
    ) -> Array:
        """Compute its kernel, which is that of the network at p_0 for any parameters."""
        return self.network.ntk(x, x2, full=full)

    def train(
        self,
        x: npt.ArrayLike,
        y: npt.ArrayLike,
        *,
        method: Literal["flow", "descent"] = "flow",
        learning_rate: float = 1.0,
        momentum: float = 0.0,
        reduction: Reduction = "sum",
        diag_reg: float = 0.0,
    ) -> LinearizedTraining:
        """Train on squared error, in closed form.

        Parameters
        ----------
        x
            Training points, shape (n, n_features).
        y
            Targets, with the shape of the outputs: (n,) or (n, c).
        method
            ``"flow"``, with real times, or ``"descent"``, with numbers of steps as times.
        learning_rate, reduction, diag_reg
            As for `GradientFlow`.
        momentum
            For ``"descent"``, as for `GradientDescent`.

        Returns
        -------
        LinearizedTraining
            Parameters and predictions at any time.

        Raises
        ------
        TypeError, ValueError
            An argument has the wrong type, shape or range, or descent diverges at this rate.

        Notes
        -----
        Costs the empirical NTK and its eigendecomposition, about 9·(n·c)³.
        """
        points, targets = as_problem(self.network, x, y)
        training = as_training(
            output_gram(self.network, points),
            targets.ravel(),
            method=method,
            learning_rate=learning_rate,
            momentum=momentum,
            reduction=reduction,
            diag_reg=diag_reg,
        )
        return LinearizedTraining(self, points, targets, self.network.forward(points), training)

    def _facts(self) -> Iterator[Fact]:
        yield "", self.network


@dataclass(frozen=True, eq=False, repr=False)
class LinearizedTraining(Displayed):
    """The training of a `LinearizedNetwork`, created by `train`: p_t = p_0 + Jᵀ·A_t·(y − f_0).

    Times t are numbers or arrays of any shape and may be infinite. For gradient descent they are
    whole numbers of steps.

    Attributes
    ----------
    model
        The linearised network.
    x, y
        Training points and targets, float64.
    f0
        The untrained outputs on the training points.
    training
        `GradientFlow` or `GradientDescent` with its kernel; one vector for all outputs and points.
    """

    model: LinearizedNetwork
    x: Array
    y: Array
    f0: Array
    training: GradientFlow | GradientDescent

    @by_keyword()
    def parameters(self, *, t: npt.ArrayLike) -> Array:
        """Compute the parameters, shape t.shape + (P,), with one backward pass per time."""
        network = self.model.network
        return self._at(
            t, (network.n_parameters,), lambda alpha: network.parameters + self._moved(alpha)
        )

    @by_keyword("the test input")
    def predict(self, x_test: npt.ArrayLike, *, t: npt.ArrayLike) -> Array:
        """Compute f_lin at other points, from the parameters.

        Parameters
        ----------
        x_test
            Shape (m, n_features).
        t
            Training time.

        Returns
        -------
        ndarray
            Shape t.shape + (m,) + y.shape[1:]. Costs a backward and a forward pass per time.
        """
        network = self.model.network
        before = network.forward(x_test)
        return self._at(
            t,
            before.shape,
            lambda alpha: before + network.derivative(x_test, self._moved(alpha)),
        )

    @by_keyword()
    def predict_train(self, *, t: npt.ArrayLike) -> FloatArray:
        """Compute f_lin at the training points, shape t.shape + y.shape."""
        flat = self.training.predict_train(self.f0.ravel(), t=t)
        return flat.reshape(*flat.shape[:-1], *self.y.shape)

    @by_keyword()
    def residual(self, *, t: npt.ArrayLike) -> FloatArray:
        """Compute the residual y − f_lin, shape t.shape + y.shape."""
        flat = self.training.residual(self.f0.ravel(), t=t)
        return flat.reshape(*flat.shape[:-1], *self.y.shape)

    @by_keyword()
    def loss(self, *, t: npt.ArrayLike) -> FloatArray:
        """Compute the training loss, as set by the reduction, shape t.shape."""
        return self.training.loss(self.f0.ravel(), t=t)

    @by_keyword()
    def network(self, *, t: npt.ArrayLike) -> FiniteNetwork:
        """Return the network itself, not linearised, with the parameters at one time t."""
        return self.model.network.with_parameters(self.parameters(t=t))

    def _facts(self) -> Iterator[Fact]:
        yield "", self.model
        yield "", self.training

    def _remarks(self) -> Iterator[str]:
        return self.training._remarks()

    def _moved(self, alpha: FloatArray) -> Array:
        """Jᵀ·α, the displacement of the parameters."""
        return self.model.network.gradient(self.x, alpha.reshape(self.y.shape))

    def _at(
        self, t: npt.ArrayLike, shape: tuple[int, ...], result: Callable[[FloatArray], Array]
    ) -> Array:
        """Compute a result from the coefficients α_t for each time."""
        coefficients = self.training.coefficients(self.f0.ravel(), t=t)
        times = coefficients.shape[:-1]
        every = (coefficients.size // max(self.y.size, 1), *shape)
        results = empty(every, np.float64, "the results", "use fewer times, one by one")
        for row, alpha in zip(results, coefficients.reshape(-1, self.y.size), strict=True):
            row[...] = result(alpha)
        return results.reshape(*times, *shape)
