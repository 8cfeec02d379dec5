"""Training on squared error in closed form, by any rule."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from ntkfast._arrays import FloatArray
from ntkfast._calls import by_keyword
from ntkfast._display import Displayed, Fact
from ntkfast._foreign import is_dask
from ntkfast._progress import Progress
from ntkfast.dynamics._arguments import Reduction, as_cross_operator, as_initial, as_jacobian
from ntkfast.dynamics._chunks import outputs_at_times
from ntkfast.dynamics._filters import Filters, through
from ntkfast.dynamics._products import Products
from ntkfast.dynamics._propagator import Eigenbasis, Propagator
from ntkfast.dynamics._setup import mean_over, set_up
from ntkfast.dynamics.rules import Rule
from ntkfast.linalg import matmul
from ntkfast.operators import Operator
from ntkfast.solvers import ConjugateGradients, EigenSolver, PreparedEigen
from ntkfast.spectrum import Spectrum

__all__ = ["SpectralTraining"]


@dataclass(frozen=True, eq=False, repr=False, init=False)
class SpectralTraining(Displayed):
    """An infinitely wide (or linearised) network trained on squared error, in closed form.

    In the eigenbasis of Θ, the rule trains every mode independently. `GradientFlow` and
    `GradientDescent` are this training with their rules.

    Attributes
    ----------
    rule
        The effect of training on a single mode.
    solver, prepared
        The solver that decomposed Θ, and the eigendecomposition with the regularisation. If Θ is an
        operator: the solver for t = ∞, and the products, with a ``report``.
    y, learning_rate, reduction, diag_reg, relative_diag_reg
        As passed by the user.
    """

    rule: Rule
    solver: EigenSolver | ConjugateGradients
    prepared: PreparedEigen | Products
    y: FloatArray
    learning_rate: float
    reduction: Reduction
    diag_reg: float
    relative_diag_reg: float

    def __init__(
        self,
        theta: npt.ArrayLike | Spectrum | Operator,
        y: npt.ArrayLike,
        rule: Rule,
        *,
        learning_rate: float,
        reduction: Reduction,
        diag_reg: float,
        relative_diag_reg: float,
        tol: float = 1e-6,
        progress: Progress = None,
    ) -> None:
        fields = set_up(
            theta,
            y,
            rule,
            learning_rate=learning_rate,
            reduction=reduction,
            diag_reg=diag_reg,
            relative_diag_reg=relative_diag_reg,
            tol=tol,
            progress=progress,
        )
        vars(self).update(fields)  # frozen from here on

    @property
    def spectrum(self) -> Spectrum:
        """The eigenvalues and eigenvectors of Θ; ValueError if Θ is an operator."""
        return self._eigen.spectrum

    @property
    def seconds(self) -> float:
        """Wall-clock time of the eigendecomposition; 0 if a `Spectrum` was given."""
        return self.prepared.seconds

    @property
    def ridge(self) -> float:
        """Number added to the diagonal of Θ: diag_reg + relative_diag_reg·mean(diag Θ)."""
        return float(self.prepared.ridge)

    @by_keyword()
    def coefficients(self, f0: npt.ArrayLike = 0.0, *, t: npt.ArrayLike) -> FloatArray:
        """Compute α_t, so that f_t(x) = f_0(x) + Θ(x, X)·α_t at any point x.

        Parameters
        ----------
        f0, t
            As in `predict_train`.

        Returns
        -------
        ndarray
            Shape t.shape + y.shape: α_t = A_t·(y − f_0). Costs 2·n²·c per time.
        """
        times, shape = self.rule.times(t)
        residual = self._initial_residual(f0, "f0")
        alpha = self._propagator.evolve("gathered", times, residual)
        return alpha.reshape(shape + self.y.shape)

    @by_keyword()
    def predict_train(self, f0: npt.ArrayLike = 0.0, *, t: npt.ArrayLike) -> FloatArray:
        """Compute the trained outputs on the training points.

        Parameters
        ----------
        f0
            The untrained outputs on the training points: a number, or an array that broadcasts to
            ``y``.
        t
            Training time, a number or an array of any shape; may be infinite.

        Returns
        -------
        ndarray
            Shape t.shape + y.shape: f_t = f_0 + Θ·A_t·(y − f_0). Costs 2·n²·c per time.
        """
        times, shape = self.rule.times(t)
        start = as_initial(f0, "f0", self.y.shape, self.y.dtype)
        learnt = self._propagator.evolve("learnt", times, self._initial_residual(f0, "f0"))
        return start + learnt.reshape(shape + self.y.shape)

    @by_keyword("the test input")
    def predict(
        self,
        k_test_train: npt.ArrayLike | Operator,
        f0_train: npt.ArrayLike = 0.0,
        f0_test: npt.ArrayLike = 0.0,
        *,
        t: npt.ArrayLike,
    ) -> FloatArray:
        """Compute the trained outputs at other points.

        Parameters
        ----------
        k_test_train
            Shape (m, n): Θ between the m points and the n training points. An operator, such as
            ``nk.KernelOperator(net, x_test, x, memory=0)``, is computed block by block. Or a
            dask.array, such as ``net.ntk(x_test, x)`` for an ``x_test`` that is one.
        f0_train, f0_test
            The untrained outputs on the training points and on the m points: numbers, or arrays
            that broadcast to the shape of ``y`` and to (m,) + y.shape[1:].
        t
            Training time, a number or an array of any shape; may be infinite.

        Returns
        -------
        ndarray
            Shape t.shape + (m,) + y.shape[1:]: f_t = f_0 + Θ*·A_t·(y − f_0).
            Costs 2·n·(n + m)·c per time. For a dask.array it is one, lazy in all that depends on
            the m points.
        """
        times, shape = self.rule.times(t)
        if is_dask(k_test_train):
            alpha = self.coefficients(f0_train, t=t)
            return outputs_at_times(alpha, k_test_train, f0_test, len(shape))
        kernel = as_cross_operator(k_test_train, len(self.y))
        rows = (len(kernel), *self.y.shape[1:])
        start = as_initial(f0_test, "f0_test", rows, self.y.dtype)
        residual = self._initial_residual(f0_train, "f0_train")
        moved = self._propagator.evolve("gathered", times, residual, kernel)
        return start + moved.reshape(shape + rows)

    @by_keyword()
    def residual(self, f0: npt.ArrayLike = 0.0, *, t: npt.ArrayLike) -> FloatArray:
        """Compute the residual y − f_t, without cancellation if it is small.

        Parameters
        ----------
        f0, t
            As in `predict_train`.

        Returns
        -------
        ndarray
            Shape t.shape + y.shape. Costs 2·n²·c per time.
        """
        times, shape = self.rule.times(t)
        left = self._propagator.evolve("left", times, self._initial_residual(f0, "f0"))
        return left.reshape(shape + self.y.shape)

    @by_keyword()
    def loss(self, f0: npt.ArrayLike = 0.0, *, t: npt.ArrayLike) -> FloatArray:
        """Compute the training loss ½‖f_t − y‖², or ½·mean((f_t − y)²), as set by the reduction.

        Parameters
        ----------
        f0, t
            As in `predict_train`.

        Returns
        -------
        ndarray
            Shape t.shape, without the penalty of a regularisation. For gradient flow the loss never
            rises before t = 1/(η·tolerance). At that time, modes up to `Spectrum.tolerance`, which
            were learnt only to the precision of their rounded eigenvalues, return to f_0. The loss
            may rise there, especially in float32. Costs 2·n²·c once and O(n) per time.
        """
        times, shape = self.rule.times(t)
        residual = self._initial_residual(f0, "f0")
        loss: FloatArray = 0.5 * self._propagator.squares(times, residual)
        loss /= mean_over(self.y, self.reduction)
        dtype = np.result_type(self.prepared.dtype, residual)
        return loss.astype(dtype).reshape(shape)[()]

    def initial_gradient(
        self, k_test_train: npt.ArrayLike | Operator, f0_train: npt.ArrayLike = 0.0
    ) -> FloatArray:
        """Compute the initial velocity of training, df/dt at t = 0.

        Parameters
        ----------
        k_test_train
            Shape (m, n): Θ between m points and the n training points. Column i is the effect of
            training point i.
        f0_train
            The untrained outputs on the training points: a number, or an array that broadcasts to
            ``y``.

        Returns
        -------
        ndarray
            Shape (m,) + y.shape[1:]: η·Θ*·(y − f_0). Costs 2·m·n·c.
        """
        kernel = as_cross_operator(k_test_train, len(self.y))
        pull = through(kernel, self._initial_residual(f0_train, "f0_train")[None])[0]
        speed: FloatArray = pull.dtype.type(self._rate) * pull
        return speed.reshape(len(kernel), *self.y.shape[1:])

    @by_keyword()
    def parameters(
        self,
        jacobian: npt.ArrayLike,
        parameters0: npt.ArrayLike,
        f0: npt.ArrayLike,
        *,
        t: npt.ArrayLike,
    ) -> FloatArray:
        """Compute the trained parameters of a finite network, linearised at its initialisation.

        Parameters
        ----------
        jacobian
            Derivatives of the outputs on the training points with respect to the P parameters, such
            that ``theta`` is J·Jᵀ. Shape (n·c, P), or y.shape + (P,), if the outputs share their
            parameters; (n, P) if each output has its own parameters and the same Jacobian.
        parameters0
            The initial parameters: shape (P,) if the outputs share them, (P,) + y.shape[1:] if each
            output has its own.
        f0, t
            As in `predict_train`; ``f0`` is the finite network itself, on its training points.

        Returns
        -------
        ndarray
            Shape t.shape + parameters0.shape: w_t = w_0 + Jᵀ·A_t·(y − f_0). Costs
            2·n·c·(n + P) per time.

        References
        ----------
        Lee et al. (2019), arXiv:1902.06720.
        """
        times, shape = self.rule.times(t)
        matrix, start = as_jacobian(jacobian, parameters0, self.y.shape)
        residual = self._initial_residual(f0, "f0")
        if start.ndim == 1:
            alpha = self._propagator.evolve("gathered", times, residual)
            moved = matmul(alpha.reshape(times.size, len(matrix)), matrix)
        else:
            moved = self._propagator.evolve("gathered", times, residual, matrix.T)
        return start + moved.reshape(shape + start.shape)

    # In the methods below y is always (n, c).

    @property
    def _rate(self) -> float:
        """η as it multiplies Θ."""
        return self.learning_rate / mean_over(self.y, self.reduction)

    @cached_property
    def _filters(self) -> Filters:
        return Filters(self.rule, self._eigen, self._rate, self.y.dtype)

    @property
    def _propagator(self) -> Propagator:
        prepared = self.prepared
        return prepared if isinstance(prepared, Products) else Eigenbasis(self._filters)

    @property
    def _eigen(self) -> PreparedEigen:
        """The eigendecomposition; ValueError if there is an operator in place of a matrix."""
        if isinstance(self.prepared, Products):
            raise ValueError(
                f"this {type(self).__name__} was made from an operator, which has no "
                f"eigendecomposition; use {type(self).__name__}(op.to_array(), y), if the matrix "
                "fits into memory"
            )
        return self.prepared

    def _initial_residual(self, f0: npt.ArrayLike, name: str) -> FloatArray:
        residual = self.y - as_initial(f0, name, self.y.shape, self.y.dtype)
        return residual.reshape(len(residual), math.prod(self.y.shape[1:]))

    def _facts(self) -> Iterator[Fact]:
        yield "", self.prepared if isinstance(self.prepared, Products) else self.spectrum
        yield "y of shape", self.y.shape
        yield "learning_rate=", f"{self.learning_rate:g}"
        yield from self.rule.facts()
        yield "reduction=", repr(self.reduction)
        yield "ridge=", f"{self.ridge:g}"

    def _remarks(self) -> Iterator[str]:
        if isinstance(self.prepared, Products):
            yield from self.prepared._remarks()
            return
        if self.seconds:
            yield f"eigendecomposition in {self.seconds:.3g} s"
        spectrum = self.spectrum
        if spectrum.n and spectrum.eigenvalues[0] < 0:
            yield (
                f"smallest eigenvalue {spectrum.eigenvalues[0]:.3g} is treated as rounding of 0; "
                "if theta was computed in float32, pass it as float32"
            )
        if spectrum.rank < spectrum.n and self.ridge == 0:
            yield (
                f"theta is singular to working precision (rank {spectrum.rank} of {spectrum.n}): "
                "at t = inf, components outside its range stay at f0; look for duplicate points, "
                "or add diag_reg"
            )
