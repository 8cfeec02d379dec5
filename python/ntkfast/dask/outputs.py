"""Functions of points as dask arrays: lazy, chunk by chunk."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import accumulate
from typing import Any, TypeVar
from uuid import uuid4

import dask.array as da
import numpy as np
import numpy.typing as npt
from dask.highlevelgraph import HighLevelGraph

from ntkfast._arrays import FloatArray, as_floats
from ntkfast._progress import Progress
from ntkfast.dask.samples import naming_chunk, with_whole_rows
from ntkfast.dask.tasks import shared

__all__ = ["by_rows", "refuse_progress"]

Model = TypeVar("Model")


def by_rows(
    function: Callable[[Model, FloatArray], npt.NDArray[Any]],
    model: Model,
    x: Any,
    *,
    outputs: tuple[int, ...],
    dtype: npt.DTypeLike,
    progress: Progress = None,
    name: str = "x",
) -> da.Array:
    """Return what a function gives for each chunk of points, as a dask array.

    Parameters
    ----------
    function
        Called as function(model, chunk), with chunks of whole rows.
    model
        What it needs beside; each worker gets one copy.
    x
        A dask array, shape (k, …), called `name` in messages.
    outputs, dtype
        Shape and type of the result for one row.
    progress
        Refused, because nothing is computed now.
    """
    refuse_progress(progress)
    x, common = with_whole_rows(x, name), shared(model)
    as_floats(x._meta, name)  # types are refused now, and not by a task
    key = f"ntkfast-{name}-outputs-{uuid4().hex}"
    dtype = np.dtype(dtype)
    applied = partial(_applied, function, outputs, dtype, name)
    starts = [0, *accumulate(x.chunks[0])]
    graph = {
        (key, i, *[0] * len(outputs)): (
            applied,
            starts[i],
            common.key,
            (x.name, i, *[0] * (x.ndim - 1)),
        )
        for i in range(x.numblocks[0])
    }
    layers = HighLevelGraph.from_collections(key, graph, dependencies=[x, common])
    chunks = (x.chunks[0], *((size,) for size in outputs))
    return da.Array(layers, key, chunks, meta=np.empty((0,) * len(chunks), dtype))


def refuse_progress(progress: Progress) -> None:
    """Refuse to report the progress of what is computed later."""
    if progress:
        raise TypeError(
            "progress is given, and the points are a dask array, so the result is lazy; drop "
            "progress, and use dask.diagnostics.ProgressBar or dask.distributed.progress"
        )


def _applied(
    function: Callable[[Model, FloatArray], npt.NDArray[Any]],
    outputs: tuple[int, ...],
    dtype: np.dtype[Any],
    name: str,
    start: int,
    model: Model,
    x: FloatArray,
) -> npt.NDArray[Any]:
    """Return the results for a chunk, which begins at the row `start`; a task on a worker."""
    if not len(x):  # which estimators refuse
        return np.empty((0, *outputs), dtype)
    with naming_chunk(name, start):
        return function(model, x).astype(dtype, copy=False)
