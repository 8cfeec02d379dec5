"""Predictions at points in dask arrays, by the workers of the current client."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import accumulate
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from ntkfast._arrays import FloatArray, as_floats
from ntkfast._foreign import is_dask
from ntkfast._progress import Progress, one_step
from ntkfast.dynamics._arguments import as_cross_kernel, as_initial, check_cross_shape
from ntkfast.dynamics.normal import Normal
from ntkfast.linalg import matmul
from ntkfast.operators import Operator

__all__ = ["normals_of_chunks", "outputs_at_times", "outputs_from"]

Model = TypeVar("Model")


def outputs_from(coefficients: FloatArray, kernel: Any) -> FloatArray:
    """Return K·α for coefficients of shape (n, …); a dask.array for a kernel in a dask.array."""
    if not is_dask(kernel):
        return _outputs(coefficients, kernel)
    from ntkfast.dask.outputs import by_rows

    check_cross_shape(np.shape(kernel), len(coefficients))
    dtype = np.result_type(as_floats(kernel._meta, "k_test_train"), coefficients)
    lazy: FloatArray = by_rows(
        _outputs,
        coefficients,
        kernel,
        outputs=coefficients.shape[1:],
        dtype=dtype,
        name="k_test_train",
    )
    return lazy


def outputs_at_times(
    coefficients: FloatArray, kernel: Any, f0: npt.ArrayLike, times: int
) -> FloatArray:
    """Return f_0 + K·α_t as a dask.array.

    Parameters
    ----------
    coefficients
        Shape t.shape + (n, …), where t has so many axes as `times` says.
    kernel
        A dask.array, shape (m, n).
    f0
        A number, or an array that broadcasts to (m, …).
    """
    moved = outputs_from(np.moveaxis(coefficients, times, 0), kernel)
    outputs = coefficients.shape[times + 1 :]
    shape = (len(moved), *outputs) if np.ndim(f0) else ()
    start = as_initial(f0, "f0_test", shape, coefficients.dtype)
    found: FloatArray = start + np.moveaxis(moved, 0, times)
    return found


def _outputs(coefficients: FloatArray, kernel: npt.ArrayLike | Operator) -> FloatArray:
    n, outputs = len(coefficients), coefficients.shape[1:]
    columns = coefficients.reshape(n, math.prod(outputs))
    if isinstance(kernel, Operator):
        found = kernel @ columns
    else:
        found = matmul(as_cross_kernel(kernel, n), columns)
    return found.reshape(len(found), *outputs)


def normals_of_chunks(
    predict: Callable[[Model, FloatArray], list[Normal]],
    model: Model,
    x_test: Any,
    progress: Progress,
    name: str,
) -> list[Normal]:
    """Return distributions at points in a dask.array, of each of which a task predicts a chunk.

    Each worker gets a copy of the model. Covariances are those of single points.
    """
    from ntkfast.dask.samples import with_whole_rows
    from ntkfast.dask.tasks import compute, shared, task

    points, common = with_whole_rows(x_test, "x_test"), shared(model)
    predict(model, np.empty((0, *points.shape[1:])))  # checks, and what all chunks need
    starts = [0, *accumulate(points.chunks[0])]
    tasks = [
        task(_predicted, predict, start, common, chunk)
        for start, chunk in zip(starts, points.to_delayed().ravel(), strict=False)
    ]
    with one_step(progress, name):
        return [_joined(parts) for parts in zip(*compute(tasks), strict=True)]


def _predicted(
    predict: Callable[[Model, FloatArray], list[Normal]], start: int, model: Model, x: FloatArray
) -> list[Normal]:
    """Return distributions at a chunk, which begins at the row `start`; a task on a worker."""
    from ntkfast.dask.samples import naming_chunk

    with naming_chunk("x_test", start):
        return predict(model, x)


def _joined(parts: tuple[Normal, ...]) -> Normal:
    """Return the distribution at the points of all parts, which are independent."""
    variances = [part.covariance for part in parts if part.covariance is not None]
    bounds = [part.variance_bounds for part in parts if part.variance_bounds is not None]
    return Normal(
        np.concatenate([part.mean for part in parts]),
        np.concatenate(variances) if variances else None,
        parts[0].about,
        np.concatenate(bounds, axis=1) if bounds else None,
    )
