"""Singular vectors of features, in which training of linear models decouples into modes."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ntkfast._arrays import FloatArray
from ntkfast._memory import check
from ntkfast._ntkfast import NumericalError
from ntkfast.linalg import matmul
from ntkfast.spectrum import Spectrum

__all__ = ["Modes", "on_weights", "weighted_squares"]


class SquaredSingularValues(Spectrum):
    """Squared singular values, whose roots have an error of only ε·s_max."""

    @property
    def tolerance(self) -> float:
        """(k·ε·s_max)²."""
        if self.n == 0:
            return 0.0
        relative = self.n * float(np.finfo(self.eigenvalues.dtype).eps)
        return relative**2 * float(self.eigenvalues[-1])


@dataclass(frozen=True, eq=False)
class Modes:
    """Φ = U·diag(s)·Vᵀ: U of shape (n, k), s ascending, Vᵀ of shape (k, p), k = min(n, p)."""

    left: FloatArray
    sizes: FloatArray
    right: FloatArray

    @classmethod
    def of(cls, features: FloatArray) -> Modes:
        """Decompose features, shape (n, p). Costs about 20·n·p·min(n, p)."""
        left, sizes, right = np.linalg.svd(features, full_matrices=False)
        return cls(left[:, ::-1], sizes[::-1], right[::-1])

    @property
    def k(self) -> int:
        """The number of modes."""
        return self.sizes.size

    def spectrum(self) -> Spectrum:
        """Return the kernel in the basis of the left singular vectors: diag(s²)."""
        with np.errstate(over="ignore"):
            squares: FloatArray = self.sizes**2
        if not np.isfinite(squares).all():
            raise NumericalError(
                f"features have a singular value of {self.sizes[-1]:.3g}, whose square exceeds the "
                f"range of {self.sizes.dtype}; scale the features down"
            )
        return SquaredSingularValues(squares, np.eye(self.k, dtype=squares.dtype))

    def mapped(self, matrix: FloatArray, values: FloatArray, outputs: int) -> FloatArray:
        """Map values of the modes to the rows of a matrix (m, k), all times in one product.

        The values have shape times + (k,) + rest, where `outputs` is the length of rest.
        """
        axis = values.ndim - 1 - outputs
        times, rest = values.shape[:axis], values.shape[axis + 1 :]
        t, c = math.prod(times), math.prod(rest)
        columns = values.reshape(t, self.k, c).swapaxes(0, 1).reshape(self.k, t * c)
        rows = matmul(matrix, columns).reshape(len(matrix), t, c).swapaxes(0, 1)
        return rows.reshape(*times, len(matrix), *rest)


def on_weights(matrix: FloatArray, weights: FloatArray) -> FloatArray:
    """Multiply by weights of shape (p,), (p, c) or (p, …)."""
    flat = weights.reshape(len(weights), math.prod(weights.shape[1:]))
    return matmul(matrix, flat).reshape(len(matrix), *weights.shape[1:])


def weighted_squares(
    modes: Modes,
    features: FloatArray,
    deviations: npt.NDArray[np.float64],
    untrained_variance: float,
    *,
    full: bool,
) -> FloatArray:
    """Compute the covariance of features·w, or its diagonal, from the covariance of w in the modes.

    It is a sum of squares, so nothing cancels if training leaves little uncertainty.

    Parameters
    ----------
    features
        Shape (m, p).
    deviations
        Shape (k,): standard deviations of Vᵀ·w.
    untrained_variance
        Variance of each weight outside the modes, if there are more weights than modes.
    full
        Whether to return (m, m) instead of (m,).
    """
    if full:
        m = len(features)
        check(3 * m * m * features.itemsize, f"the covariance of {m} points")
    within = matmul(features, modes.right.T)
    covariance = _squares(within * deviations.astype(within.dtype), full)
    if modes.k < features.shape[1]:
        beyond = features - matmul(within, modes.right)
        covariance += within.dtype.type(untrained_variance) * _squares(beyond, full)
    return covariance


def _squares(a: FloatArray, full: bool) -> FloatArray:
    if not full:
        sums: FloatArray = np.einsum("ij,ij->i", a, a)
        return sums
    product = matmul(a, a.T)
    return (product + product.T) / 2
