"""The handwritten digits of scikit-learn: real images without a download."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ntkfast._optional import MissingExtraError
from ntkfast._scalars import as_count

__all__ = ["load_digits", "two_digits"]


def load_digits() -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return 1,797 handwritten digits of 8 × 8 pixels, with their labels.

    They are the test set of the "Optical Recognition of Handwritten Digits" data (Alpaydin and
    Kaynak, UCI repository, 1998), which scikit-learn includes. Nothing is downloaded.

    Returns
    -------
    x : ndarray, shape (1797, 64)
        Rows of pixels, from 0 (paper) to 1 (ink).
    y : ndarray, shape (1797,)
        The digits, 0 to 9.

    Raises
    ------
    ImportError
        scikit-learn is not installed; install the extra `sklearn`.
    """
    try:
        from sklearn import datasets
    except ImportError as error:
        raise MissingExtraError("load_digits", "scikit-learn", "sklearn") from error
    pixels, labels = datasets.load_digits(return_X_y=True)
    return np.asarray(pixels, dtype=np.float64) / 16, np.asarray(labels, dtype=np.int64)


def two_digits(
    first: int = 0, second: int = 1, n: int | None = None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return images of two digits, as a problem with two classes.

    Parameters
    ----------
    first, second : int
        Two different digits, from 0 to 9.
    n : int, optional
        Number of images, the first in the order of `load_digits`. The default is all, about 360.

    Returns
    -------
    x : ndarray, shape (n, 64)
        Rows of pixels, from 0 to 1.
    y : ndarray, shape (n,)
        1 for images of `first`, −1 for those of `second`.

    Raises
    ------
    TypeError
        A digit or `n` is not an integer.
    ValueError
        An argument is not a digit, both digits are equal, or there are fewer than `n` images.
    ImportError
        scikit-learn is not installed; install the extra `sklearn`.
    """
    first, second = as_count(first, "first", least=0), as_count(second, "second", least=0)
    for name, digit in (("first", first), ("second", second)):
        if digit > 9:
            raise ValueError(f"{name} is {digit}; expected a digit, 0 to 9")
    if first == second:
        raise ValueError(f"first and second are both {first}; expected two different digits")
    pixels, labels = load_digits()
    chosen = np.flatnonzero((labels == first) | (labels == second))
    if n is not None:
        n = as_count(n, "n", least=1)
        if n > chosen.size:
            raise ValueError(f"n is {n}; there are {chosen.size} images of {first} and {second}")
        chosen = chosen[:n]
    return pixels[chosen], np.where(labels[chosen] == first, 1.0, -1.0)
