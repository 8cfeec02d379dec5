"""Orthonormal features of points: their kernel with centres, times the factor of the centres."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ntkfast._arrays import FloatArray
from ntkfast._ntkfast import NumericalError
from ntkfast.kernels import KernelName
from ntkfast.linalg import Cholesky, cholesky
from ntkfast.networks import Network
from ntkfast.nystroem._bands import Doubles, as_doubles
from ntkfast.operators import KernelOperator

__all__ = ["Features", "whitening"]


@dataclass(frozen=True, eq=False)
class Features:
    """Centres and the factor L of their kernel: features C·L⁻ᵀ of points.

    Attributes
    ----------
    network, kernel
        Of the regression.
    centres
        Shape (m, …).
    factor
        L, in float64.
    jitter
        j, beside which rounding of the kernel in its type is small.
    """

    network: Network
    kernel: KernelName
    centres: FloatArray
    factor: Cholesky
    jitter: float

    @property
    def m(self) -> int:
        """Number of centres."""
        return len(self.centres)

    def of(self, kernel: FloatArray) -> Doubles:
        """Return features of k points, shape (m, k), from their kernel, shape (k, m).

        Costs k·m². Products of features keep the digits that those of kernels lose where the kernel
        of the centres is nearly singular.
        """
        return as_doubles(self.factor.solve_lower(kernel.T.astype(np.float64)))

    def digest(self) -> str:
        """Return a digest of the network, the centres and the jitter."""
        op = KernelOperator(self.network, self.centres, kernel=self.kernel, memory=0)
        return f"{op.fingerprint()} {self.jitter!r}"


def whitening(
    network: Network, kernel: KernelName, centres: FloatArray, least: float = 0.0
) -> Features:
    """Factorise the kernel of the centres, with a jitter of ε·trace, or more where it has to be."""
    matrix = getattr(network, kernel)(centres.astype(np.float64))
    trace = float(np.trace(matrix))
    if not trace > 0:
        raise NumericalError(
            "the kernel of the centres is 0, so nothing can be learnt from it; choose other centres"
        )
    jitter = max(float(np.finfo(centres.dtype).eps) * trace, least)
    on_diagonal = matrix.reshape(-1)[:: len(matrix) + 1]
    total = 0.0
    for _ in range(6):
        on_diagonal += jitter - total
        total = jitter
        try:
            # Row after row, which solves for many columns in less than half of the time.
            rows = Cholesky._of(np.ascontiguousarray(cholesky(matrix).factor))
            return Features(network, kernel, centres, rows, jitter)
        except NumericalError:
            jitter *= 10
    raise NumericalError(
        f"the kernel of the centres is not positive definite, even with {total:.2g} added to its "
        "diagonal; choose other centres"
    )
