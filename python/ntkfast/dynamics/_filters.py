"""The effect of training on the modes of the kernel, and the mapping from modes to outputs.

A rule gives the accumulated and the remaining part of a mode. This module turns them into shares of
the residual, including regularisation, rounding and t = ∞, and maps them back from the eigenbasis.
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
from ntkfast._memory import empty
from ntkfast._warnings import warn
from ntkfast.dynamics._arguments import Times
from ntkfast.dynamics.rules import Rule
from ntkfast.linalg import matmul
from ntkfast.operators import Operator
from ntkfast.solvers import PreparedEigen

__all__ = ["Filters", "Share", "blocks", "lost_in_rounding", "through"]

Share: TypeAlias = Literal["gathered", "learnt", "left"]

# Maximum number of entries in one product over a block of times: 8 MB, for any number of times.
_BLOCK = 1 << 20
# The share of the residual by which rounding of the kernel may move results without a warning.
_SHOWN = 1e-3


@dataclass(frozen=True, eq=False)
class Filters:
    """Shares of each mode at each time, shape (k, n), for a rule, a system and a learning rate.

    `dtype` is that of the targets. Eigenvectors have the wider of this and their own type.
    """

    rule: Rule
    system: PreparedEigen
    rate: float
    dtype: np.dtype[np.floating]

    @cached_property
    def vectors(self) -> FloatArray:
        """Shape (n, n): the eigenvectors U."""
        return self.system.eigenvectors(self.dtype)

    def __getstate__(self) -> dict[str, object]:
        # joblib writes an array as often as it meets it, and the system has the eigenvectors too.
        return {name: value for name, value in vars(self).items() if name != "vectors"}

    def lost(self, t: Times) -> npt.NDArray[np.bool_]:
        """Tell which modes are left untrained at which times."""
        speed = self.rule.speed(self.rate)
        return lost_in_rounding(self.system.shifted, self.system.spectrum.tolerance, speed, t)

    def warn_of_rounding(self, t: Times) -> None:
        """Warn of times at which rounding of Θ shows, and its modes are still trained."""
        tolerance = self.system.spectrum.tolerance
        rounded = int(np.count_nonzero(self.system.shifted <= tolerance))
        with np.errstate(all="ignore"):
            grown = self.rule.speed(self.rate) * t[np.isfinite(t)] * tolerance
        shown = grown[(grown > _SHOWN) & (grown < 1)]
        if rounded and shown.size:
            largest = float(shown.max())
            time = largest / (self.rule.speed(self.rate) * tolerance)
            warn(
                f"t = {time:.3g} is so long that rounding of theta shows: {rounded} of its "
                f"{self.system.n} eigenvalues are zero to working precision, and moves along them "
                f"are uncertain by up to {largest:.1g} of the residual; use t=inf, where they "
                "rest, or a shorter time, or add diag_reg, or drop duplicate points"
            )

    def gathered(self, t: Times) -> npt.NDArray[np.float64]:
        """φ_t(λ), and 0 for untrained modes."""
        gathered = self.rule.gathered(
            self.system.eigenvalues,
            t,
            rate=self.rate,
            ridge=float(self.system.ridge),
            tolerance=self.system.spectrum.tolerance,
        )
        return np.where(self.lost(t), 0.0, gathered)

    def learnt(self, t: Times) -> npt.NDArray[np.float64]:
        """λ·φ_t(λ): the learnt share of the residual."""
        return self.system.eigenvalues * self.gathered(t)

    def left(self, t: Times) -> npt.NDArray[np.float64]:
        """1 − λ·φ_t(λ): the remaining share of the residual."""
        # (r + λ·decay)/(λ+r): the part kept by the regularisation plus the part yet to decay.
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

    def squares(self, t: Times, modes: FloatArray) -> npt.NDArray[np.float64]:
        """Return the sum of the squares of the remaining parts of modes (n, c), shape (k,)."""
        size = np.linalg.norm(modes.astype(np.float64, copy=False), axis=1)
        squares = np.empty(t.size)
        for block in blocks(t.size, size.size):
            squares[block] = np.square(self.left(t[block]) * size).sum(axis=1)
        return squares

    def evolve(
        self, share: Share, t: Times, modes: FloatArray, kernel: FloatArray | Operator | None = None
    ) -> FloatArray:
        """Multiply each mode at each time by a share, and map it back, optionally through a kernel.

        Parameters
        ----------
        share
            The method that gives the share of each mode.
        t
            Shape (k,): times.
        modes
            Shape (n, c): Uᵀ(y − f_0).
        kernel
            Shape (m, n): Θ between m points and the n training points, if there are test points.
            An operator is applied to all times at once.

        Returns
        -------
        ndarray
            Shape (k, n, c), or (k, m, c). One product serves a block of times; there is no n × n
            array per time.
        """
        if isinstance(kernel, Operator):
            return through(kernel, self.evolve(share, t, modes))
        filter_ = {"gathered": self.gathered, "learnt": self.learnt, "left": self.left}[share]
        n, c = modes.shape
        rows = n if kernel is None else len(kernel)
        dtype = np.result_type(self.vectors, modes, *(() if kernel is None else (kernel,)))
        result = empty((t.size, rows, c), dtype, "the result", "use fewer times or points at once")
        for block in blocks(t.size, max(n, rows) * c):
            gains = filter_(t[block])
            k = len(gains)
            moved: FloatArray = (gains.T[:, :, None] * modes[:, None, :]).reshape(n, k * c)
            moved = matmul(self.vectors, moved.astype(modes.dtype, copy=False))
            if kernel is not None:
                moved = matmul(kernel, moved)
            result[block] = moved.reshape(rows, k, c).swapaxes(0, 1)
        return result


def through(kernel: FloatArray | Operator, values: FloatArray) -> FloatArray:
    """Return the products of a kernel (m, n) with values (k, n, c), all in one: (k, m, c)."""
    k, n, c = values.shape
    columns = values.swapaxes(0, 1).reshape(n, k * c)
    product = kernel @ columns if isinstance(kernel, Operator) else matmul(kernel, columns)
    result: FloatArray = product.reshape(len(kernel), k, c).swapaxes(0, 1)
    return result.astype(np.result_type(kernel.dtype, values.dtype), copy=False)


def lost_in_rounding(
    values: npt.NDArray[np.float64], tolerance: float, speed: float, t: Times
) -> npt.NDArray[np.bool_]:
    """Tell which modes training cannot resolve, shape (k, n) for k times and n values of λ + r.

    A mode with λ + r <= tolerance may be pure rounding. At first it is as good as untrained. From
    t = 1/(speed·tolerance) on, including t = ∞, its rounding error would become visible. So would
    the overflow of the accumulated part of a mode with λ + r = 0.
    """
    with np.errstate(all="ignore"):
        gathered = speed * t
        visible, endless = gathered * tolerance >= 1, np.isinf(1 / values)
    small = (values <= tolerance) & visible[:, None]
    lost: npt.NDArray[np.bool_] = small | (endless & np.isinf(gathered)[:, None])
    return lost


def blocks(k: int, size: int) -> Iterator[slice]:
    """Split k times into blocks of bounded memory, with `size` numbers per time."""
    step = max(1, _BLOCK // max(size, 1))
    return (slice(start, start + step) for start in range(0, k, step))
