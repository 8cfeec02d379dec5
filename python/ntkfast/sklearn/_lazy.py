"""Samples in dask arrays: checks before anything is computed, and results chunk by chunk."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator
from sklearn.utils import check_X_y
from sklearn.utils.validation import validate_data

from ntkfast._arrays import FloatArray
from ntkfast._foreign import is_dask

__all__ = ["KEPT_TYPES", "as_lazy", "by_chunks", "dense", "lazy_samples", "samples"]

# Types that scikit-learn's validation keeps. All others become the first one.
KEPT_TYPES = [np.float64, np.float32]

Model = TypeVar("Model", bound=BaseEstimator)


def samples(
    estimator: BaseEstimator, X: Any, y: npt.ArrayLike, **checks: Any
) -> tuple[Any, npt.NDArray[Any]]:
    """Return samples and targets to learn from; samples in a dask array stay there.

    `checks` are those of `check_X_y`, for the targets.
    """
    if not is_dask(X):
        found: tuple[Any, npt.NDArray[Any]] = validate_data(
            estimator, X, y, dtype=KEPT_TYPES, **checks
        )
        return found
    points = lazy_samples(estimator, X, reset=True)
    # As many samples, without their numbers.
    stand_in = np.broadcast_to(np.zeros((), points.dtype), (len(points), 1))
    return points, check_X_y(stand_in, y, dtype=KEPT_TYPES, estimator=estimator, **checks)[1]


def lazy_samples(estimator: BaseEstimator, X: Any, *, reset: bool) -> Any:
    """Return a dask array of samples as float64 or float32; numbers of features are checked."""
    from ntkfast.dask.samples import with_whole_rows

    points = with_whole_rows(dense(X), "X")
    one = np.zeros((min(len(points), 1), *points.shape[1:]), points.dtype)
    dtype = validate_data(estimator, one, reset=reset, dtype=KEPT_TYPES).dtype
    return points if points.dtype == dtype else points.astype(dtype)


def dense(X: Any) -> Any:
    """Refuse a dask array whose chunks are no arrays."""
    if not isinstance(X._meta, np.ndarray):
        raise TypeError(
            f"X is a dask array with chunks of type {type(X._meta).__name__}; expected arrays of "
            "NumPy: for sparse matrices pass X.map_blocks(lambda chunk: chunk.toarray())"
        )
    return X


def as_lazy(points: FloatArray) -> Any:
    """Return an array as a dask array, whose products are those of workers."""
    import dask.array as da

    return da.from_array(points, chunks=points.shape, name=False)


def by_chunks(
    estimator: Model,
    X: Any,
    function: Callable[[Model, Any], npt.NDArray[Any]],
    outputs: tuple[int, ...],
    dtype: np.dtype[Any] | Callable[[np.dtype[Any]], np.dtype[Any]],
) -> Any:
    """Return what a fitted estimator gives for each chunk of a dask array, as a dask array.

    `function` gets the estimator and a chunk. `outputs` is the shape for one sample, and `dtype`
    the type, or a function of that of the samples.
    """
    from ntkfast.dask.outputs import by_rows

    points = lazy_samples(estimator, X, reset=False)
    found = dtype(points.dtype) if callable(dtype) else dtype
    return by_rows(function, estimator, points, outputs=outputs, dtype=found, name="X")
