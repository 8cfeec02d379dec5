"""What training makes of a residual: the interface, and its form in the eigenbasis."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ntkfast._arrays import FloatArray
from ntkfast.dynamics._arguments import Times
from ntkfast.dynamics._filters import Filters, Share
from ntkfast.linalg import matmul
from ntkfast.operators import Operator

__all__ = ["Eigenbasis", "Propagator"]


class Propagator(ABC):
    """Training from a residual y − f_0, shape (n, c), to any times, shape (k,)."""

    @abstractmethod
    def evolve(
        self,
        share: Share,
        t: Times,
        residual: FloatArray,
        kernel: FloatArray | Operator | None = None,
    ) -> FloatArray:
        """Return a share of the residual, optionally through a kernel, see `Filters.evolve`.

        Shape (k, n, c), or (k, m, c) for a kernel of shape (m, n).
        """

    @abstractmethod
    def squares(self, t: Times, residual: FloatArray) -> npt.NDArray[np.float64]:
        """Return ‖y − f_t‖², summed over all outputs, shape (k,)."""


@dataclass(frozen=True)
class Eigenbasis(Propagator):
    """Training in the eigenbasis of Θ."""

    filters: Filters

    def evolve(
        self,
        share: Share,
        t: Times,
        residual: FloatArray,
        kernel: FloatArray | Operator | None = None,
    ) -> FloatArray:
        """Multiply each mode with its share."""
        self.filters.warn_of_rounding(t)
        return self.filters.evolve(share, t, self._modes(residual), kernel)

    def squares(self, t: Times, residual: FloatArray) -> npt.NDArray[np.float64]:
        """Add the squares of the modes."""
        self.filters.warn_of_rounding(t)
        return self.filters.squares(t, self._modes(residual))

    def _modes(self, residual: FloatArray) -> FloatArray:
        """Uᵀ(y − f_0), shape (n, c)."""
        return matmul(self.filters.vectors.T, residual)
