"""What a training does to the modes of its kernel, and how modes become outputs.

A rule says what it gathers of a mode and what is left of it. Here these become shares of the
residual, regularisation, rounding and t = ∞ included, and are mapped back from the eigenbasis.
Θ⁻¹ is never formed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from ntkfast._arrays import FloatArray
from ntkfast.dynamics._arguments import Times
from ntkfast.dynamics.rules import Rule
from ntkfast.linalg import matmul
from ntkfast.solvers import PreparedEigen

__all__ = ["Filters", "blocks", "lost_in_rounding"]

Share: TypeAlias = Literal["gathered", "learnt", "left"]

# Numbers that one product over a block of times may hold: 8 MB, whatever the number of times.
_BLOCK = 1 << 20


@dataclass(frozen=True, eq=False)
class Filters:
    """Shares of each mode at each time, shape (k, n): by a rule, on a system, at a rate.

    `dtype` is that of the targets: eigenvectors have the wider of theirs and this.
    """

    rule: Rule
    system: PreparedEigen
    rate: float
    dtype: np.dtype[np.floating]

    @cached_property
    def vectors(self) -> FloatArray:
        """Shape (n, n): the eigenvectors U."""
        return self.system.eigenvectors(self.dtype)

    def lost(self, t: Times) -> npt.NDArray[np.bool_]:
        """Which modes are left untrained at which times."""
        speed = self.rule.speed(self.rate)
        return lost_in_rounding(self.system.shifted, self.system.spectrum.tolerance, speed, t)

    def gathered(self, t: Times) -> npt.NDArray[np.float64]:
        """φ_t(λ), and 0 for what is left untrained."""
        gathered = self.rule.gathered(
            self.system.eigenvalues,
            t,
            rate=self.rate,
            ridge=float(self.system.ridge),
            tolerance=self.system.spectrum.tolerance,
        )
        return np.where(self.lost(t), 0.0, gathered)

    def learnt(self, t: Times) -> npt.NDArray[np.float64]:
        """λ·φ_t(λ): the share of the residual that is learnt."""
        return self.system.eigenvalues * self.gathered(t)

    def left(self, t: Times) -> npt.NDArray[np.float64]:
        """1 − λ·φ_t(λ): the share of the residual that is left."""
        # (r + λ·decay)/(λ+r): a sum of what regularisation keeps and what is still to decay.
        values, shifted = self.system.eigenvalues, self.system.shifted
        ridge = float(self.system.ridge)
        reached, ended = shifted > 0, np.isinf(t)
        kept = np.divide(ridge, shifted, out=np.zeros_like(shifted), where=reached)
        share = np.divide(values, shifted, out=np.ones_like(shifted), where=reached)
        decay = np.zeros((t.size, shifted.size))
        decay[~ended] = self.rule.decay(values, t[~ended], rate=self.rate, ridge=ridge)
        decay[self.lost(t)] = 1.0
        left: npt.NDArray[np.float64] = kept + share * decay
        return left

    def evolve(
        self, share: Share, t: Times, modes: FloatArray, kernel: FloatArray | None = None
    ) -> FloatArray:
        """Take a share of each mode at each time and map it back, and through a kernel.

        Parameters
        ----------
        share
            Which of the methods says how much of a mode.
        t
            Shape (k,): times.
        modes
            Shape (n, c): Uᵀ(y − f_0).
        kernel
            Shape (m, n): Θ between m points and the n training points, if there are such points.

        Returns
        -------
        ndarray
            Shape (k, n, c), or (k, m, c). One product serves a block of times; nothing is n × n
            for each time.
        """
        filter_ = {"gathered": self.gathered, "learnt": self.learnt, "left": self.left}[share]
        n, c = modes.shape
        rows = n if kernel is None else len(kernel)
        dtype = np.result_type(self.vectors, modes, *(() if kernel is None else (kernel,)))
        result = np.empty((t.size, rows, c), dtype)
        for block in blocks(t.size, max(n, rows) * c):
            gains = filter_(t[block])
            k = len(gains)
            moved: FloatArray = (gains.T[:, :, None] * modes[:, None, :]).reshape(n, k * c)
            moved = matmul(self.vectors, moved.astype(modes.dtype, copy=False))
            if kernel is not None:
                moved = matmul(kernel, moved)
            result[block] = moved.reshape(rows, k, c).swapaxes(0, 1)
        return result


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
