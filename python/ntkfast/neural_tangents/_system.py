"""A kernel of training points with its regularisation: solutions, and functions of it."""

from __future__ import annotations

import functools
from typing import Any

from ntkfast.neural_tangents._arrays import as_numpy, is_jax, namespace
from ntkfast.neural_tangents._axes import make_2d

__all__ = ["System"]


class System:
    """Θ + r, where r is `diag_reg` times the mean of the diagonal, or `diag_reg` itself."""

    def __init__(self, kernel: Any, diag_reg: Any, absolute: bool) -> None:
        self.kernel = kernel if is_jax(kernel) else as_numpy(kernel)
        self.rows = self.kernel.shape[::2]
        matrix = make_2d(self.kernel)
        self.xp = namespace(matrix, diag_reg)
        self.ridge = diag_reg if absolute else diag_reg * self.xp.trace(matrix) / len(matrix)
        self.matrix = matrix + self.ridge * self.xp.eye(len(matrix), dtype=matrix.dtype)

    @functools.cached_property
    def _factor(self) -> Any:
        """A Cholesky factor; where there is none, eigenvalues and eigenvectors."""
        if is_jax(self.matrix):
            import jax

            return jax.scipy.linalg.cho_factor(self.matrix)
        import scipy.linalg

        try:
            return scipy.linalg.cho_factor(self.matrix)
        except scipy.linalg.LinAlgError:
            return None

    def solve(self, values: Any) -> Any:
        """Return (Θ + r)⁻¹·values; where Θ + r is singular, the solution of least norm."""
        if is_jax(self.matrix, values):
            import jax

            return jax.scipy.linalg.cho_solve(self._factor, values)
        if self._factor is None:
            return self.function(self._inverse, values)
        import scipy.linalg

        return scipy.linalg.cho_solve(self._factor, values)

    @functools.cached_property
    def eigen(self) -> tuple[Any, Any]:
        """Eigenvalues, of which none is negative, and eigenvectors."""
        values, vectors = self.xp.linalg.eigh(self.matrix)
        return self.xp.maximum(values, 0.0), vectors

    def function(self, of: Any, values: Any) -> Any:
        """Return f(Θ + r)·values, for functions of eigenvalues with leading axes of times."""
        eigenvalues, vectors = self.eigen
        return (vectors * of(eigenvalues)[..., None, :]) @ (vectors.T @ values)

    def decay(self, time: Any, count: int) -> Any:
        """Return λ ↦ e^(−λ·time/count), with an axis for the times in front; 1 where λ = 0."""
        xp = self.xp

        def of(values: Any) -> Any:
            rate, small = time[:, None] / count, self._negligible(values)
            infinite = xp.isinf(rate)
            finite = xp.exp(-xp.where(small, 0.0, values) * xp.where(infinite, 0.0, rate))
            return xp.where(infinite & ~small, 0.0, finite)

        return of

    def integral(self, time: Any, count: int) -> Any:
        """Return λ ↦ (1 − e^(−λ·time/count))/λ, and its limit where λ = 0.

        At infinite time and λ = 0 it is 0: a kernel with such points does not see the direction.
        """
        xp = self.xp

        def of(values: Any) -> Any:
            rate = time[:, None] / count
            small = self._negligible(values)
            exponent = xp.where(small, 0.0, values) * xp.where(xp.isinf(rate), 1.0, rate)
            safe = xp.where(exponent > 0, exponent, 1.0)
            early = xp.where(exponent > 0, -xp.expm1(-safe) / safe, 1.0) * rate
            late = xp.where(small, 0.0, 1.0 / xp.where(small, 1.0, values))
            return xp.where(xp.isinf(rate), late, early)

        return of

    def _inverse(self, values: Any) -> Any:
        small = self._negligible(values)
        return self.xp.where(small, 0.0, 1.0 / self.xp.where(small, 1.0, values))

    def _negligible(self, values: Any) -> Any:
        return values <= values.max() * len(self.matrix) * self.xp.finfo(values.dtype).eps
