"""Labels: one-hot encoding and random labels."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ntkfast._memory import zeros
from ntkfast._scalars import as_real, as_size
from ntkfast._seed import Seed, as_generator

__all__ = ["one_hot", "random_labels"]


def one_hot(labels: ArrayLike, n_classes: int | None = None) -> NDArray[np.float64]:
    """Turn class labels into rows of zeros with a single one.

    Parameters
    ----------
    labels : array_like, shape (n,)
        Integers from 0 to `n_classes` − 1.
    n_classes : int, optional
        The number of columns; by default the largest label plus one. Set it if the last class may
        be missing from `labels`.

    Returns
    -------
    ndarray, shape (n, n_classes)
        float64.

    Raises
    ------
    TypeError
        `labels` or `n_classes` are not integers.
    ValueError
        `labels` are not one-dimensional, or one of them is outside the classes.
    MemoryError
        The array would exceed the memory that is free.

    Examples
    --------
    >>> one_hot([2, 0])
    array([[0., 0., 1.],
           [1., 0., 0.]])
    """
    classes = np.asarray(labels)
    if classes.ndim != 1:
        raise ValueError(f"labels has shape {classes.shape}; expected one dimension, (n,)")
    # An empty list is float64 by NumPy's default and is accepted.
    if classes.size and classes.dtype.kind not in "iu":
        whole = classes.dtype.kind == "f" and np.array_equal(classes, np.rint(classes))
        advice = (
            "convert them with np.asarray(labels).astype(int)"
            if whole
            else "for other labels use the second result of "
            "numpy.unique(labels, return_inverse=True)"
        )
        raise TypeError(f"labels has dtype {classes.dtype}; expected integers; {advice}")
    smallest, largest = (int(classes.min()), int(classes.max())) if classes.size else (0, -1)
    if n_classes is None:
        n_classes = largest + 1
    n_classes = as_size(n_classes, "n_classes", least=0)
    if smallest < 0 or largest >= n_classes:
        i = int(classes.argmin() if smallest < 0 else classes.argmax())
        raise ValueError(
            f"labels[{i}] is {classes[i]}; expected 0 ≤ label < n_classes = {n_classes}"
        )
    if n_classes * max(classes.size, 1) > np.iinfo(np.intp).max // 8:  # larger than any memory
        raise ValueError(
            f"n_classes is {n_classes}; an array of {classes.size} rows cannot have so many columns"
        )
    what = f"the encoding of {classes.size} labels with n_classes = {n_classes}"
    rows = zeros((classes.size, n_classes), np.float64, what, "number the classes from 0")
    rows[np.arange(classes.size), classes.astype(np.intp)] = 1
    return rows


def random_labels(labels: ArrayLike, fraction: float, seed: Seed) -> NDArray[Any]:
    """Replace a part of the labels by random labels, which are independent of the inputs.

    Parameters
    ----------
    labels : array_like, shape (n,)
        Class labels: integers, or any numbers, such as ±1.
    fraction : float
        From 0 to 1. round(fraction·n) samples, drawn without replacement, get a new label, drawn
        uniformly from the values that occur in `labels`. It may equal the old one. At `fraction` 1
        the labels are independent of the inputs.
    seed : int, numpy.random.SeedSequence or numpy.random.Generator
        The same integer gives the same labels.

    Returns
    -------
    ndarray, shape (n,)
        A new array of the same type.

    Raises
    ------
    TypeError
        `labels` are not real numbers, or `fraction` or `seed` have the wrong type.
    ValueError
        `labels` are not one-dimensional or contain a NaN, or `fraction` is outside [0, 1].

    References
    ----------
    Zhang, Bengio, Hardt, Recht, Vinyals (2017), "Understanding deep learning requires rethinking
    generalization", arXiv:1611.03530.

    Examples
    --------
    >>> random_labels([1, 1, -1, -1], 0.0, seed=0)
    array([ 1,  1, -1, -1])
    """
    result = np.array(labels)
    if result.ndim != 1:
        raise ValueError(f"labels has shape {result.shape}; expected one dimension, (n,)")
    if result.dtype.kind not in "biuf":
        raise TypeError(
            f"labels has dtype {result.dtype}; expected real numbers; for other labels use the "
            "second result of numpy.unique(labels, return_inverse=True)"
        )
    if np.isnan(result).any():
        raise ValueError(f"labels has a NaN at index {int(np.isnan(result).argmax())}")
    share = as_real(fraction, "fraction", least=0.0)
    if share > 1:
        raise ValueError(f"fraction is {share!r}; expected a number from 0 to 1")
    generator = as_generator(seed)
    chosen = generator.choice(result.size, size=round(share * result.size), replace=False)
    if chosen.size:
        result[chosen] = generator.choice(np.unique(result), size=chosen.size)
    return result
