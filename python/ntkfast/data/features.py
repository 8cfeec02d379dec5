"""Preprocessing of inputs."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from ntkfast._arrays import FloatArray, as_floats, as_points, check_finite

__all__ = ["append_one", "unit_norm"]


def append_one(x: ArrayLike) -> FloatArray:
    """Append a feature that is 1 for every sample. Its weights are the biases of the first layer.

    Parameters
    ----------
    x : array_like, shape (n, d)
        One sample per row.

    Returns
    -------
    ndarray, shape (n, d + 1)
        A new array. float32 stays float32; all other types become float64.

    Raises
    ------
    TypeError
        `x` does not consist of real numbers of at most 64 bits.
    ValueError
        `x` is not two-dimensional.

    Notes
    -----
    The NTK parameterization divides inner products by the number of features, which is now d + 1.
    ``Dense(w_std=(d + 1) ** 0.5)`` gives weights and biases of standard deviation 1.

    Examples
    --------
    >>> append_one([[0.2], [0.4]])
    array([[0.2, 1. ],
           [0.4, 1. ]])
    """
    points = as_points(x, "x")
    return np.hstack([points, np.ones((len(points), 1), points.dtype)])


def unit_norm(x: ArrayLike) -> FloatArray:
    """Scale every sample to Euclidean norm one. A sample of zeros does not change.

    Parameters
    ----------
    x : array_like, shape (n, ...)
        One sample per row, of any shape (images are scaled as a whole).

    Returns
    -------
    ndarray, shape (n, ...)
        A new array. float32 stays float32; all other types become float64.

    Raises
    ------
    TypeError
        `x` does not consist of real numbers of at most 64 bits.
    ValueError
        `x` has fewer than two dimensions, or contains a NaN or an infinity.
    """
    array = as_floats(x, "x")
    if array.ndim < 2:
        raise ValueError(f"x has shape {array.shape}; expected (n, ...), one sample per row")
    check_finite(array, "x")
    each = tuple(range(1, array.ndim))
    # First scale the largest entry to one, so that squares neither overflow nor vanish.
    array = array / _nonzero(np.abs(array).max(axis=each, initial=0, keepdims=True))
    return array / _nonzero(np.sqrt((array * array).sum(axis=each, keepdims=True)))


def _nonzero(scale: FloatArray) -> FloatArray:
    return np.where(scale > 0, scale, scale.dtype.type(1))
