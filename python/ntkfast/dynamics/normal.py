"""Normal distributions of function values at given points."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from ntkfast._arrays import FloatArray, as_floats, check_finite
from ntkfast._calls import by_keyword
from ntkfast._display import Displayed, Fact
from ntkfast._gram import as_diagonal
from ntkfast._memory import check
from ntkfast._ntkfast import NumericalError
from ntkfast._scalars import as_size
from ntkfast.linalg import cholesky, matmul
from ntkfast.spectrum import eigh

__all__ = ["Normal"]

Seed: TypeAlias = int | np.random.Generator | None


@dataclass(frozen=True, eq=False, repr=False)
class Normal(Displayed):
    """A normal distribution of functions at m points, as returned by `Ensemble` and `Posterior`.

    Several outputs are independent and share one covariance. Their joint covariance is K ⊗ I, which
    is never formed.

    float64 and float32 arrays are kept without a copy; do not change them afterwards.

    Attributes
    ----------
    mean
        Shape (m,) for one output, (m, c) or (m, …) for more.
    covariance
        Shape (m, m); or (m,), only the variances; or None, if only the mean was requested.
    about
        A description of the distribution, for the summary.
    variance_bounds
        Shape (2, m): numbers below and above the exact variances, if these were computed without a
        factor of the kernel; None otherwise. The variances are those from above.
    """

    mean: FloatArray
    covariance: FloatArray | None = None
    about: str = ""
    variance_bounds: FloatArray | None = None

    def __post_init__(self) -> None:
        mean = as_floats(self.mean, "mean")
        if mean.ndim == 0:
            raise ValueError("mean has shape (); expected (m,) or (m, c), one row per point")
        check_finite(mean, "mean")
        object.__setattr__(self, "mean", mean)
        if self.covariance is None:
            return
        covariance = as_floats(self.covariance, "covariance")
        m = len(mean)
        if covariance.shape not in ((m,), (m, m)):
            raise ValueError(
                f"covariance has shape {covariance.shape}; expected ({m},), the variances, or "
                f"({m}, {m}), because mean has {m} rows"
            )
        check_finite(covariance, "covariance")
        object.__setattr__(self, "covariance", covariance)
        if (self.variance < 0).any():
            i = int(np.argmin(self.variance))
            raise ValueError(
                f"covariance has a variance of {self.variance[i]:g} at index {i}; expected >= 0"
            )
        if self.variance_bounds is not None:
            bounds = as_floats(self.variance_bounds, "variance_bounds")
            if bounds.shape != (2, m):
                raise ValueError(f"variance_bounds has shape {bounds.shape}; expected (2, {m})")
            object.__setattr__(self, "variance_bounds", bounds)

    @property
    def variance(self) -> FloatArray:
        """Shape (m,): the variance at each point, the same for every output."""
        covariance = self._known("variance")
        return covariance if covariance.ndim == 1 else covariance.diagonal()

    @property
    def std(self) -> FloatArray:
        """Shape (m,): the standard deviation at each point, the same for every output."""
        deviation: FloatArray = np.sqrt(self.variance)
        return deviation

    def sample(self, n: int = 1, seed: Seed = None) -> FloatArray:
        """Draw functions.

        Parameters
        ----------
        n
            Number of functions.
        seed
            An integer or a NumPy generator; None for different draws every time.

        Returns
        -------
        ndarray
            Shape (n,) + mean.shape. Without a full covariance, the points are drawn independently:
            the marginals are correct, but the functions are not. The first call with a full
            covariance decomposes it, about 9·m³. This works for singular covariances too.

        Raises
        ------
        ValueError
            There is no covariance.
        """
        n = as_size(n, "n", least=0)
        m, c = len(self.mean), math.prod(self.mean.shape[1:])
        dtype = np.result_type(self._known("sample"), self.mean)
        check(3 * 8 * n * m * c, f"{n} samples at {m} points", "draw fewer at a time")
        noise = np.random.default_rng(seed).standard_normal((n, m, c)).astype(dtype)
        if self._root.ndim == 1:
            drawn: FloatArray = self._root[:, None] * noise
        else:
            columns = noise.swapaxes(0, 1).reshape(m, n * c)
            drawn = matmul(self._root, columns).reshape(m, n, c).swapaxes(0, 1)
        draws: FloatArray = self.mean + drawn.reshape(n, *self.mean.shape)
        return draws

    @by_keyword()
    def log_density(self, y: npt.ArrayLike, *, noise_variance: npt.ArrayLike = 0.0) -> float:
        """Compute the logarithm of the density at observed values.

        Parameters
        ----------
        y
            Values at the m points, in the shape of ``mean``.
        noise_variance
            Variance of independent noise on these values, a number or one per point, shape (m,).

        Returns
        -------
        float
            −½(rᵀK⁻¹r + log det K + m·log 2π), summed over the outputs, where r = y − mean and K is
            the covariance with the noise on its diagonal. With variances only, it is the sum of the
            log densities of the points. Costs m³/3 with the full covariance.

        Raises
        ------
        ValueError
            There is no covariance, ``y`` has another shape, or a variance is negative.
        NumericalError
            The covariance is singular, so there is no density. Noise makes it regular.
        """
        covariance = self._known("log_density")
        values = as_floats(y, "y")
        if values.shape != self.mean.shape:
            raise ValueError(f"y has shape {values.shape}; expected {self.mean.shape}, as for mean")
        check_finite(values, "y")
        m, c = len(self.mean), math.prod(self.mean.shape[1:])
        residual = (values - self.mean).reshape(m, c)
        total = self.variance + as_diagonal(noise_variance, m, "noise_variance").astype(
            covariance.dtype
        )
        if not (total > 0).all():
            raise self._singular(f"the variance at point {int(np.argmin(total))} is 0")
        if covariance.ndim == 1:
            scaled = residual / np.sqrt(total)[:, None]
            square = float(np.square(scaled, dtype=np.float64).sum())
            log_determinant = float(np.log(total, dtype=np.float64).sum())
        else:
            shifted = covariance.copy()
            np.fill_diagonal(shifted, total)
            try:
                factor = cholesky(shifted)
            except NumericalError:
                raise self._singular("it has no Cholesky factor") from None
            square = float(np.sum(residual * factor.solve(residual), dtype=np.float64))
            log_determinant = factor.log_determinant
        return -0.5 * (square + c * (log_determinant + m * math.log(2 * math.pi)))

    def _facts(self) -> Iterator[Fact]:
        m, c = len(self.mean), math.prod(self.mean.shape[1:])
        yield f"{self.about}:" if self.about else "", f"{m} point{'s' * (m != 1)}"
        yield "", f"{c} output{'s' * (c != 1)}"
        if self.covariance is None:
            yield "", "no covariance"
        else:
            yield "", "full covariance" if self.covariance.ndim == 2 else "variances"
            if m:
                yield "std", f"from {self.std.min():.3g} to {self.std.max():.3g}"
            if m and self.variance_bounds is not None:
                lower, upper = self.variance_bounds
                width = float(((upper - lower) / np.where(upper > 0, upper, 1.0)).max())
                yield "variances known to", f"{100 * width:.2g} %"
        yield "", self.mean.dtype

    def _known(self, what: str) -> FloatArray:
        if self.covariance is None:
            raise ValueError(
                f"{what} needs a covariance, but only the mean was requested: predict with "
                'covariance="diagonal" or covariance="full"'
            )
        return self.covariance

    @cached_property
    def _root(self) -> FloatArray:
        """R with R·Rᵀ = K; the standard deviations if K is diagonal."""
        covariance = self._known("sample")
        if covariance.ndim == 1:
            return self.std
        spectrum = eigh(covariance)
        # Negative values are rounding.
        root: FloatArray = spectrum.eigenvectors * np.sqrt(np.maximum(spectrum.eigenvalues, 0))
        return root

    @staticmethod
    def _singular(why: str) -> NumericalError:
        return NumericalError(
            f"the covariance is singular to working precision ({why}), so the Gaussian has no "
            "density; give the noise of the observations as noise_variance"
        )
