"""Training on squared loss in the eigenbasis of Θ, for any rule that is a filter of its spectrum.

A rule (gradient flow, gradient descent, …) moves each eigendirection of the residual by itself, so
that two functions of the eigenvalue say all there is: the filter φ_t(λ) and what it leaves of the
residual, 1 − λ·φ_t(λ). A subclass gives these two; the rest is here. Θ⁻¹ is never formed.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, TypeAlias, get_args

import numpy as np
import numpy.typing as npt

from ntkfast._arrays import FloatArray
from ntkfast._scalars import as_choice, as_real
from ntkfast.dynamics._arguments import (
    Times,
    as_cross_kernel,
    as_initial,
    as_targets,
    as_times,
    check_ridge,
    check_semidefinite,
)
from ntkfast.linalg import as_square, matmul
from ntkfast.spectrum import Spectrum, eigh

__all__ = ["Reduction", "SpectralTraining"]

Reduction: TypeAlias = Literal["sum", "mean"]
Filter: TypeAlias = Callable[[Times], npt.NDArray[np.float64]]

# Numbers that one product over a block of times may hold: 8 MB, whatever the number of times.
_BLOCK = 1 << 20


@dataclass(frozen=True, eq=False, repr=False, init=False)
class SpectralTraining(ABC):
    """An infinitely wide (or linearised) network trained on squared loss, in closed form."""

    spectrum: Spectrum
    y: FloatArray
    learning_rate: float
    reduction: Reduction
    diag_reg: float
    relative_diag_reg: float

    def __init__(
        self,
        theta: npt.ArrayLike | Spectrum,
        y: npt.ArrayLike,
        *,
        learning_rate: float = 1.0,
        reduction: Reduction = "sum",
        diag_reg: float = 0.0,
        relative_diag_reg: float = 0.0,
    ) -> None:
        settings = {
            "learning_rate": as_real(learning_rate, "learning_rate", least=0.0, above=True),
            "reduction": as_choice(reduction, "reduction", get_args(Reduction)),
            "diag_reg": as_real(diag_reg, "diag_reg", least=0.0),
            "relative_diag_reg": as_real(relative_diag_reg, "relative_diag_reg", least=0.0),
        }
        # The targets are checked first: the eigendecomposition may take minutes.
        if not isinstance(theta, Spectrum):
            theta = as_square(theta, "theta")
        targets = as_targets(y, theta.n if isinstance(theta, Spectrum) else len(theta))
        spectrum = theta if isinstance(theta, Spectrum) else eigh(theta)
        check_semidefinite(spectrum)
        vars(self).update(spectrum=spectrum, y=targets, **settings)  # frozen from here on
        check_ridge(self.ridge, self.diag_reg, self.relative_diag_reg, spectrum)

    # What a rule has to say.

    @abstractmethod
    def _filter(self, t: Times) -> npt.NDArray[np.float64]:
        """φ_t(λ), shape (k, n) for k times: coefficients at time t per unit of residual."""

    @abstractmethod
    def _residual_filter(self, t: Times) -> npt.NDArray[np.float64]:
        """1 − λ·φ_t(λ), shape (k, n), without the cancellation."""

    # What every rule can answer.

    @property
    def ridge(self) -> float:
        """What is added to the diagonal of Θ: diag_reg + relative_diag_reg·mean(diag Θ)."""
        values = self.spectrum.eigenvalues
        mean = math.fsum(values / values.dtype.type(values.size)) if values.size else 0.0
        return self.diag_reg + self.relative_diag_reg * mean

    def coefficients(self, t: npt.ArrayLike, f0: npt.ArrayLike = 0.0) -> FloatArray:
        """Compute α_t, with which f_t(x) = f_0(x) + Θ(x, X)·α_t at any point x.

        Parameters
        ----------
        t, f0
            As in `predict_train`.

        Returns
        -------
        ndarray
            Shape t.shape + y.shape: α_t = A_t·(y − f_0). Costs 2·n²·c a time.
        """
        times, shape = as_times(t)
        return self._evolve(times, self._filter, self._modes(f0)).reshape(shape + self.y.shape)

    def predict_train(self, t: npt.ArrayLike, f0: npt.ArrayLike = 0.0) -> FloatArray:
        """Compute the trained network on its training points.

        Parameters
        ----------
        t
            Training time, a number or an array of any shape; may be infinite.
        f0
            The untrained network on the training points: a number, or what broadcasts to ``y``.

        Returns
        -------
        ndarray
            Shape t.shape + y.shape: f_t = f_0 + Θ·A_t·(y − f_0). Costs 2·n²·c a time.
        """
        times, shape = as_times(t)
        start = as_initial(f0, "f0", self.y.shape, self.y.dtype)
        learnt = self._evolve(times, self._fit_filter, self._modes(f0))
        return start + learnt.reshape(shape + self.y.shape)

    def predict(
        self,
        t: npt.ArrayLike,
        k_test_train: npt.ArrayLike,
        f0_train: npt.ArrayLike = 0.0,
        f0_test: npt.ArrayLike = 0.0,
    ) -> FloatArray:
        """Compute the trained network on other points.

        Parameters
        ----------
        t
            Training time, a number or an array of any shape; may be infinite.
        k_test_train
            Shape (m, n): Θ between the m points and the n training points.
        f0_train, f0_test
            The untrained network on the training points and on the m points: numbers, or what
            broadcasts to the shape of ``y`` and to (m,) + y.shape[1:].

        Returns
        -------
        ndarray
            Shape t.shape + (m,) + y.shape[1:]: f_t = f_0 + Θ*·A_t·(y − f_0).
            Costs 2·n·(n + m)·c a time.
        """
        times, shape = as_times(t)
        kernel = as_cross_kernel(k_test_train, self.spectrum.n)
        rows = (len(kernel), *self.y.shape[1:])
        start = as_initial(f0_test, "f0_test", rows, self.y.dtype)
        modes = self._modes(f0_train, "f0_train")
        return start + self._evolve(times, self._filter, modes, kernel).reshape(shape + rows)

    def residual(self, t: npt.ArrayLike, f0: npt.ArrayLike = 0.0) -> FloatArray:
        """Compute what is left to learn, y − f_t, without cancellation where that is little.

        Parameters
        ----------
        t, f0
            As in `predict_train`.

        Returns
        -------
        ndarray
            Shape t.shape + y.shape. Costs 2·n²·c a time.
        """
        times, shape = as_times(t)
        left = self._evolve(times, self._residual_filter, self._modes(f0))
        return left.reshape(shape + self.y.shape)

    def loss(self, t: npt.ArrayLike, f0: npt.ArrayLike = 0.0) -> FloatArray:
        """Compute the training loss ½‖f_t − y‖², or ½·mean((f_t − y)²) by the reduction.

        Parameters
        ----------
        t, f0
            As in `predict_train`.

        Returns
        -------
        ndarray
            Shape t.shape; without the penalty of a regularisation. Never rises over finite times;
            at t = ∞ it may exceed an earlier loss, above all in float32: modes up to
            `Spectrum.tolerance` are left alone there, but learnt at finite times as far as their
            rounded eigenvalues go. Costs 2·n²·c once and O(n) a time.
        """
        times, shape = as_times(t)
        modes = self._modes(f0)
        size = np.linalg.norm(modes.astype(np.float64, copy=False), axis=1)
        loss = np.empty(times.size)
        for block in _blocks(times.size, size.size):
            left = self._residual_filter(times[block]) * size
            loss[block] = 0.5 * np.square(left).sum(axis=1)
        return (loss / self._mean_over).astype(modes.dtype).reshape(shape)[()]

    def initial_gradient(
        self, k_test_train: npt.ArrayLike, f0_train: npt.ArrayLike = 0.0
    ) -> FloatArray:
        """Compute the speed at which training sets out, df/dt at t = 0.

        Parameters
        ----------
        k_test_train
            Shape (m, n): Θ between m points and the n training points. Column i is the pull of
            training point i.
        f0_train
            The untrained network on the training points: a number, or what broadcasts to ``y``.

        Returns
        -------
        ndarray
            Shape (m,) + y.shape[1:]: η·Θ*·(y − f_0). Costs 2·m·n·c.
        """
        kernel = as_cross_kernel(k_test_train, self.spectrum.n)
        pull = matmul(kernel, self._initial_residual(f0_train, "f0_train"))
        speed = pull.dtype.type(self._rate) * pull
        return speed.reshape(len(kernel), *self.y.shape[1:])

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}({self.spectrum!r}, y of shape {self.y.shape}, "
            f"learning_rate={self.learning_rate:g}, reduction={self.reduction!r}, "
            f"ridge={self.ridge:g})"
        )

    # In the eigenbasis. y is (n, c) here, whatever its shape.

    @property
    def _mean_over(self) -> int:
        return max(self.y.size, 1) if self.reduction == "mean" else 1

    @property
    def _rate(self) -> float:
        """η as it multiplies Θ."""
        return self.learning_rate / self._mean_over

    @cached_property
    def _eigenvalues(self) -> npt.NDArray[np.float64]:
        # Below zero is rounding, and would grow without bound as time goes on.
        return np.maximum(self.spectrum.eigenvalues.astype(np.float64), 0.0)

    @cached_property
    def _eigenvectors(self) -> FloatArray:
        dtype = np.result_type(self.spectrum.eigenvectors, self.y)
        return self.spectrum.eigenvectors.astype(dtype, copy=False)

    def _initial_residual(self, f0: npt.ArrayLike, name: str) -> FloatArray:
        residual = self.y - as_initial(f0, name, self.y.shape, self.y.dtype)
        return residual.reshape(len(residual), math.prod(self.y.shape[1:]))

    def _modes(self, f0: npt.ArrayLike, name: str = "f0") -> FloatArray:
        """Uᵀ(y − f_0), shape (n, c)."""
        return matmul(self._eigenvectors.T, self._initial_residual(f0, name))

    def _fit_filter(self, t: Times) -> npt.NDArray[np.float64]:
        """λ·φ_t(λ): the share of the residual that is learnt."""
        values = self._eigenvalues
        # Where λ = 0 nothing is learnt, even if φ = ηt has overflowed.
        return values * np.where(values > 0, self._filter(t), 0.0)

    def _evolve(
        self, times: Times, filter_: Filter, modes: FloatArray, kernel: FloatArray | None = None
    ) -> FloatArray:
        """Filter the modes at each time and map them back, through `kernel` if there is one.

        Returns shape (k, rows, c). One product serves a block of times; nothing is n × n per time.
        """
        n, c = modes.shape
        vectors = self._eigenvectors
        rows = n if kernel is None else len(kernel)
        dtype = np.result_type(vectors, modes, *(() if kernel is None else (kernel,)))
        result = np.empty((times.size, rows, c), dtype)
        for block in _blocks(times.size, max(n, rows) * c):
            gains = filter_(times[block])
            k = len(gains)
            moved: FloatArray = (gains.T[:, :, None] * modes[:, None, :]).reshape(n, k * c)
            moved = matmul(vectors, moved.astype(modes.dtype, copy=False))
            if kernel is not None:
                moved = matmul(kernel, moved)
            result[block] = moved.reshape(rows, k, c).swapaxes(0, 1)
        return result


def _blocks(k: int, size: int) -> Iterator[slice]:
    """Cut k times into blocks that hold `size` numbers each time, within bounds."""
    step = max(1, _BLOCK // max(size, 1))
    return (slice(start, start + step) for start in range(0, k, step))
