"""Squared loss in the eigenbasis of Θ, where every rule of training moves each mode by itself.

A rule (gradient flow, gradient descent, …) says two functions of time and λ: what it has gathered
of a mode, the filter φ_t(λ), and what it has left of it, the decay 1 − (λ + r)·φ_t(λ). All answers
follow from these two. Θ⁻¹ is never formed.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from ntkfast._arrays import FloatArray
from ntkfast.dynamics._arguments import (
    Reduction,
    Times,
    as_initial,
    as_settings,
    as_targets,
    as_times,
    check_ridge,
)
from ntkfast.linalg import as_square, matmul
from ntkfast.solvers import EigenSolver, PreparedEigen
from ntkfast.spectrum import Spectrum

__all__ = ["Eigenbasis", "Filter", "blocks", "lost_in_rounding"]

Filter: TypeAlias = Callable[[Times], npt.NDArray[np.float64]]

# Numbers that one product over a block of times may hold: 8 MB, whatever the number of times.
_BLOCK = 1 << 20


@dataclass(frozen=True, eq=False, repr=False, init=False)
class Eigenbasis(ABC):
    """A kernel, targets and a learning rate, seen from the eigenvectors of the kernel."""

    solver: EigenSolver
    prepared: PreparedEigen
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
        settings = as_settings(learning_rate, reduction, diag_reg, relative_diag_reg)
        # The targets are checked first: the eigendecomposition may take minutes.
        if not isinstance(theta, Spectrum):
            theta = as_square(theta, "theta")
        targets = as_targets(y, theta.n if isinstance(theta, Spectrum) else len(theta))
        solver = EigenSolver()
        prepared = solver.prepare(theta)
        ridge = _ridge(prepared.spectrum, settings)
        check_ridge(ridge, settings["diag_reg"], settings["relative_diag_reg"], prepared.spectrum)
        vars(self).update(
            solver=solver, prepared=prepared.with_ridge(ridge), y=targets, **settings
        )  # frozen from here on

    # What a rule has to say.

    @abstractmethod
    def _gathered(self, t: Times) -> npt.NDArray[np.float64]:
        """φ_t(λ), shape (k, n) for k times: coefficients at time t per unit of residual.

        Any number will do for modes that are lost in rounding.
        """

    @abstractmethod
    def _decay(self, t: Times) -> npt.NDArray[np.float64]:
        """1 − (λ + r)·φ_t(λ), shape (k, n), at finite times, without the cancellation."""

    @property
    def _speed(self) -> float:
        """φ_t(0)/t: how fast a mode gathers that is not held back by what it has learnt."""
        return self._rate

    def _times(self, t: npt.ArrayLike) -> tuple[Times, tuple[int, ...]]:
        """Return times as a flat array, and their shape; a rule may ask for more of them."""
        return as_times(t)

    # What follows. y is (n, c) here, whatever its shape.

    @property
    def spectrum(self) -> Spectrum:
        """The eigenvalues and eigenvectors of Θ."""
        return self.prepared.spectrum

    @property
    def seconds(self) -> float:
        """Wall-clock time of the eigendecomposition; 0 where a `Spectrum` was given."""
        return self.prepared.seconds

    @property
    def ridge(self) -> float:
        """What is added to the diagonal of Θ: diag_reg + relative_diag_reg·mean(diag Θ)."""
        return float(self.prepared.ridge)

    @property
    def _mean_over(self) -> int:
        return max(self.y.size, 1) if self.reduction == "mean" else 1

    @property
    def _rate(self) -> float:
        """η as it multiplies Θ."""
        return self.learning_rate / self._mean_over

    @property
    def _eigenvalues(self) -> npt.NDArray[np.float64]:
        return self.prepared.eigenvalues

    @cached_property
    def _eigenvectors(self) -> FloatArray:
        return self.prepared.eigenvectors(self.y.dtype)

    def _initial_residual(self, f0: npt.ArrayLike, name: str) -> FloatArray:
        residual = self.y - as_initial(f0, name, self.y.shape, self.y.dtype)
        return residual.reshape(len(residual), math.prod(self.y.shape[1:]))

    def _modes(self, f0: npt.ArrayLike, name: str = "f0") -> FloatArray:
        """Uᵀ(y − f_0), shape (n, c)."""
        return matmul(self._eigenvectors.T, self._initial_residual(f0, name))

    def _lost(self, t: Times) -> npt.NDArray[np.bool_]:
        """Which modes are left untrained at which times, shape (k, n)."""
        shifted = self._eigenvalues + self.ridge
        return lost_in_rounding(shifted, self.spectrum.tolerance, self._speed, t)

    def _filter(self, t: Times) -> npt.NDArray[np.float64]:
        """φ_t(λ), shape (k, n), and 0 for what is left untrained."""
        return np.where(self._lost(t), 0.0, self._gathered(t))

    def _fit_filter(self, t: Times) -> npt.NDArray[np.float64]:
        """λ·φ_t(λ): the share of the residual that is learnt."""
        return self._eigenvalues * self._filter(t)

    def _residual_filter(self, t: Times) -> npt.NDArray[np.float64]:
        """1 − λ·φ_t(λ): the share of the residual that is left."""
        # (r + λ·decay)/(λ+r): a sum of what regularisation keeps and what is still to decay.
        shifted = self._eigenvalues + self.ridge
        reached, ended = shifted > 0, np.isinf(t)
        kept = np.divide(self.ridge, shifted, out=np.zeros_like(shifted), where=reached)
        share = np.divide(self._eigenvalues, shifted, out=np.ones_like(shifted), where=reached)
        decay = np.zeros((t.size, shifted.size))
        decay[~ended] = self._decay(t[~ended])
        decay[self._lost(t)] = 1.0
        left: npt.NDArray[np.float64] = kept + share * decay
        return left

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
        for block in blocks(times.size, max(n, rows) * c):
            gains = filter_(times[block])
            k = len(gains)
            moved: FloatArray = (gains.T[:, :, None] * modes[:, None, :]).reshape(n, k * c)
            moved = matmul(vectors, moved.astype(modes.dtype, copy=False))
            if kernel is not None:
                moved = matmul(kernel, moved)
            result[block] = moved.reshape(rows, k, c).swapaxes(0, 1)
        return result


def _ridge(spectrum: Spectrum, settings: dict[str, Any]) -> float:
    values = spectrum.eigenvalues
    mean = math.fsum(values / values.dtype.type(values.size)) if values.size else 0.0
    ridge: float = settings["diag_reg"] + settings["relative_diag_reg"] * mean
    return ridge


def lost_in_rounding(
    values: npt.NDArray[np.float64], tolerance: float, speed: float, t: Times
) -> npt.NDArray[np.bool_]:
    """Tell which modes training cannot see, shape (k, n) for k times and n values of λ + r.

    A mode with λ + r <= tolerance may be nothing but rounding. Left alone at first it is as good as
    untrained; from t = 1/(speed·tolerance) on, t = ∞ included, its rounding would show. So would
    the overflow of what a mode of λ + r = 0 gathers.
    """
    with np.errstate(all="ignore"):
        gathered = speed * t
        visible, endless = gathered * tolerance >= 1, np.isinf(1 / values)
    small = (values <= tolerance) & visible[:, None]
    lost: npt.NDArray[np.bool_] = small | (endless & np.isinf(gathered)[:, None])
    return lost


def blocks(k: int, size: int) -> Iterator[slice]:
    """Cut k times into blocks that hold `size` numbers each time, within bounds."""
    step = max(1, _BLOCK // max(size, 1))
    return (slice(start, start + step) for start in range(0, k, step))
