"""Data for examples, and the two things one does to it before a kernel sees it."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ntkfast._arrays import FloatArray, as_floats, check_finite
from ntkfast._optional import MissingExtraError
from ntkfast._scalars import as_count

__all__ = ["load_digits", "one_hot", "unit_norm"]


def load_digits() -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return 1,797 handwritten digits of 8 × 8 pixels, with their labels.

    The test set of the "Optical Recognition of Handwritten Digits" data (Alpaydin and Kaynak,
    UCI repository, 1998), as it comes with scikit-learn: nothing is downloaded.

    Returns
    -------
    x : ndarray, shape (1797, 64)
        Rows of pixels, from 0 (paper) to 1 (ink).
    y : ndarray, shape (1797,)
        The digits, 0 to 9.

    Raises
    ------
    ImportError
        scikit-learn is not installed; the extra `sklearn` brings it.
    """
    try:
        from sklearn import datasets
    except ImportError as error:
        raise MissingExtraError("load_digits", "scikit-learn", "sklearn") from error
    pixels, labels = datasets.load_digits(return_X_y=True)
    return np.asarray(pixels, dtype=np.float64) / 16, np.asarray(labels, dtype=np.int64)


def one_hot(labels: ArrayLike, n_classes: int | None = None) -> NDArray[np.float64]:
    """Turn class labels into rows of zeros with a single one.

    Parameters
    ----------
    labels : array_like, shape (n,)
        Integers from 0 to `n_classes` − 1.
    n_classes : int, optional
        The number of columns; by default the largest label plus one. Give it where the last
        class may be missing from `labels`.

    Returns
    -------
    ndarray, shape (n, n_classes)
        float64.

    Raises
    ------
    TypeError
        `labels` or `n_classes` are not integers.
    ValueError
        `labels` are not one-dimensional, or one of them lies outside the classes.

    Examples
    --------
    >>> one_hot([2, 0])
    array([[0., 0., 1.],
           [1., 0., 0.]])
    """
    classes = np.asarray(labels)
    if classes.ndim != 1:
        raise ValueError(f"labels has shape {classes.shape}; expected one dimension, (n,)")
    # An empty list is float64 by NumPy's default, and no reason to complain.
    if classes.size and classes.dtype.kind not in "iu":
        whole = classes.dtype.kind == "f" and np.array_equal(classes, np.rint(classes))
        advice = (
            "convert them, np.asarray(labels).astype(int)"
            if whole
            else "for other labels use the second result of "
            "numpy.unique(labels, return_inverse=True)"
        )
        raise TypeError(f"labels has dtype {classes.dtype}; expected integers; {advice}")
    smallest, largest = (int(classes.min()), int(classes.max())) if classes.size else (0, -1)
    if n_classes is None:
        n_classes = largest + 1
    n_classes = as_count(n_classes, "n_classes", least=0)
    if smallest < 0 or largest >= n_classes:
        i = int(classes.argmin() if smallest < 0 else classes.argmax())
        raise ValueError(
            f"labels[{i}] is {classes[i]}; expected 0 ≤ label < n_classes = {n_classes}"
        )
    try:
        rows = np.zeros((classes.size, n_classes))
    except ValueError:  # beyond any memory
        raise ValueError(
            f"n_classes is {n_classes}; no array has {classes.size} rows of so many columns"
        ) from None
    rows[np.arange(classes.size), classes.astype(np.intp)] = 1
    return rows


def unit_norm(x: ArrayLike) -> FloatArray:
    """Scale every sample to Euclidean norm one; a sample of zeros stays as it is.

    Parameters
    ----------
    x : array_like, shape (n, ...)
        One sample a row, of any shape (images are scaled as a whole).

    Returns
    -------
    ndarray, shape (n, ...)
        A new array; float32 stays float32, all else becomes float64.

    Raises
    ------
    TypeError
        `x` is not real numbers of at most 64 bits.
    ValueError
        `x` has fewer than two dimensions, or holds a NaN or an infinity.
    """
    array = as_floats(x, "x")
    if array.ndim < 2:
        raise ValueError(f"x has shape {array.shape}; expected (n, ...), one sample a row")
    check_finite(array, "x")
    each = tuple(range(1, array.ndim))
    # First to largest entry one: squares can neither overflow nor vanish then.
    array = array / _nonzero(np.abs(array).max(axis=each, initial=0, keepdims=True))
    return array / _nonzero(np.sqrt((array * array).sum(axis=each, keepdims=True)))


def _nonzero(scale: FloatArray) -> FloatArray:
    return np.where(scale > 0, scale, scale.dtype.type(1))
