"""Classic kernels: polynomial and squared exponential.

Use their Gram matrices like those of a network: in `GradientFlow`, `KernelRegression`,
`Ensemble.from_kernels` and `Posterior.from_kernels`. Both are kernels of small networks, so the
same tiles compute them, without cancellation for nearly identical points.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from ntkfast._arrays import FloatArray, as_points, check_finite, is_same
from ntkfast._ntkfast import NumericalError
from ntkfast._progress import Progress
from ntkfast._scalars import as_count, as_real
from ntkfast.networks import Dense, Rbf, Serial

__all__ = ["polynomial_kernel", "squared_exponential_kernel"]


def polynomial_kernel(
    x: npt.ArrayLike,
    x2: npt.ArrayLike | None = None,
    *,
    degree: int,
    scale: float = 1.0,
    offset: float = 1.0,
    diagonal: bool = False,
    progress: Progress = None,
) -> FloatArray:
    """Compute the polynomial kernel (scale·x·x' + offset)^degree.

    Its features are the monomials up to this degree, or of this degree only if the offset is 0.
    Degree 1 is the kernel of linear regression with an intercept.

    Parameters
    ----------
    x
        Shape (n, d), one sample per row.
    x2
        Shape (m, d); None for the Gram matrix of ``x``.
    degree
        At least 1.
    scale
        > 0, in inverse units of x². 1/d gives the input kernel of a network.
    offset
        ≥ 0.
    diagonal
        Whether to compute only the kernel of each row of ``x`` with itself.
    progress
        True for a tqdm bar, or any ``callable(done, total)``.

    Returns
    -------
    ndarray
        Shape (n, n), exactly symmetric; (n, m) with ``x2``; (n,) if ``diagonal``.

    Raises
    ------
    TypeError, ValueError
        An argument has the wrong type, shape or range.
    NumericalError
        The power exceeds the range of the data type.

    Examples
    --------
    >>> polynomial_kernel([[1.0, 2.0], [3.0, -1.0]], degree=2)
    array([[ 36.,   4.],
           [  4., 121.]])
    """
    degree = as_count(degree, "degree", least=1)
    scale = as_real(scale, "scale", least=0.0, above=True)
    offset = as_real(offset, "offset", least=0.0)
    points = as_points(x, "x")
    # A dense layer divides by the number of features.
    affine = Serial(Dense(w_std=math.sqrt(scale * points.shape[1]), b_std=math.sqrt(offset)))
    inner = affine.nngp(points, x2, diagonal=diagonal, progress=progress)
    with np.errstate(over="ignore"):
        kernel = np.power(inner, degree)
    if not np.isfinite(kernel).all():
        raise NumericalError(
            f"the polynomial kernel of degree {degree} exceeds the range of {kernel.dtype}: "
            f"scale·x·x' + offset goes up to {np.abs(inner).max():.3g}; lower scale or degree"
        )
    return kernel


def squared_exponential_kernel(
    x: npt.ArrayLike,
    x2: npt.ArrayLike | None = None,
    *,
    length_scale: float = 1.0,
    variance: float = 1.0,
    diagonal: bool = False,
    progress: Progress = None,
) -> FloatArray:
    """Compute the squared-exponential (Gaussian, RBF) kernel variance·e^(−‖x − x'‖²/(2ℓ²)).

    It is the NNGP of an infinitely wide layer of random Fourier features, `Rbf`, and is computed
    from the angle and the norms of a pair, not from ‖x‖² + ‖x'‖² − 2x·x'.

    Parameters
    ----------
    x
        Shape (n, d), one sample per row.
    x2
        Shape (m, d); None for the Gram matrix of ``x``.
    length_scale
        ℓ > 0, in units of x.
    variance
        > 0: the kernel of a point with itself.
    diagonal, progress
        As for `polynomial_kernel`.

    Returns
    -------
    ndarray
        Shape (n, n), exactly symmetric; (n, m) with ``x2``; (n,) if ``diagonal``. It is exactly
        ``variance`` for identical points and never exceeds it.

    Raises
    ------
    TypeError, ValueError
        An argument has the wrong type, shape or range.

    References
    ----------
    Rahimi, Recht (2007), "Random Features for Large-Scale Kernel Machines".

    Examples
    --------
    >>> squared_exponential_kernel([[0.0], [1.0]], [[0.0], [2.0]]).round(6)
    array([[1.      , 0.135335],
           [0.606531, 0.606531]])
    """
    length = as_real(length_scale, "length_scale", least=0.0, above=True)
    amplitude = as_real(variance, "variance", least=0.0, above=True)
    points, others = _centred(x, x2)
    features = Serial(Dense(w_std=math.sqrt(points.shape[1]) / length), Rbf(0.5))
    kernel = features.nngp(points, others, diagonal=diagonal, progress=progress)
    return kernel.dtype.type(amplitude) * kernel


def _centred(x: npt.ArrayLike, x2: npt.ArrayLike | None) -> tuple[FloatArray, FloatArray | None]:
    """Centre the data, which keeps distances. Data far from the origin would lose digits."""
    points = as_points(x, "x")
    check_finite(points, "x")
    if is_same(x, x2):
        x2 = None
    others = points if x2 is None else as_points(x2, "x2")
    if others.shape[1] != points.shape[1]:
        raise ValueError(
            f"x2 has shape {others.shape} and x has shape {points.shape}; expected the same number "
            "of features in both"
        )
    dtype = np.result_type(points, others)
    points = points.astype(dtype, copy=False)
    centre = (points / dtype.type(max(len(points), 1))).sum(axis=0)
    return points - centre, None if x2 is None else others.astype(dtype, copy=False) - centre
