"""Kernels as dask arrays: graphs of tasks, one per block on and above the diagonal."""

from __future__ import annotations

import math
from collections.abc import Hashable
from functools import partial
from operator import getitem
from typing import TYPE_CHECKING, Any, TypeAlias

import dask.array as da
import numpy as np
from dask.base import tokenize
from dask.delayed import Delayed
from dask.highlevelgraph import HighLevelGraph

from ntkfast._progress import Progress
from ntkfast._version import VERSION
from ntkfast.dask import blocks, plan
from ntkfast.dask.outputs import refuse_progress
from ntkfast.dask.samples import as_lazy, in_blocks
from ntkfast.kernels import KernelName, check_pair

if TYPE_CHECKING:
    from ntkfast.networks.base import Network

__all__ = ["lazy"]

_Graph: TypeAlias = dict[Hashable, Any]
_Chunks: TypeAlias = tuple[tuple[int, ...], ...]


def lazy(
    network: Network,
    x: Any,
    x2: Any,
    *,
    wanted: tuple[KernelName, ...],
    out: tuple[object, ...],
    diagonal: bool,
    progress: Progress,
) -> list[Any]:
    """Return the wanted kernels as dask arrays, with the bits of one call on NumPy arrays.

    Arguments are those of `kernels.evaluate`; at least one of `x` and `x2` is a dask array. Nothing
    is computed, and no memory beyond the graph is taken: O(blocks).
    """
    _refuse(out, progress)
    if x2 is not None and diagonal:
        raise ValueError(
            "diagonal=True computes the kernel of each row of x with itself and takes no x2; "
            "drop x2, or drop diagonal=True to get the whole cross kernel"
        )
    if x2 is not None:
        check_pair(x, x2, wanted)
    x = as_lazy(network, x, "x")
    if x2 is not None:
        x2 = as_lazy(network, x2, "x2")
        x2 = None if x2.name == x.name else x2
    if x2 is not None and x2.shape[1:] != x.shape[1:]:
        expected = ", ".join(map(str, x.shape[1:]))
        raise ValueError(f"x2 has shape {x2.shape}; expected (m, {expected}), as in x")
    if x2 is not None and x2.dtype != x.dtype:
        x, x2 = x.astype(np.float64), x2.astype(np.float64)
    # Refuses sizes that the network does not take.
    network._program.prepare(np.empty((0, *x.shape[1:]), x.dtype), None, 0)

    name = f"{'-'.join(wanted)}-{tokenize(network, x, x2, wanted, diagonal, VERSION)}"
    chunks: _Chunks
    if diagonal:
        frozen = plan.of(network, x, pairs=0)
        graph, chunks = _diagonal(name, wanted, frozen, x), (x.chunks[0],)
    elif x2 is None:
        x = in_blocks(x)
        frozen = plan.of(network, x)
        graph, chunks = _gram(name, network, wanted, frozen, x), x.chunks[:1] * 2
    else:
        x, x2 = in_blocks(x), in_blocks(x2)
        frozen = plan.of(network, x, x2)
        graph, chunks = _cross(name, wanted, frozen, x, x2), (x.chunks[0], x2.chunks[0])
    parents = [frozen, x] if x2 is None else [frozen, x, x2]
    layers = HighLevelGraph.from_collections(name, graph, dependencies=parents)
    if len(wanted) == 1:
        return [da.Array(layers, name, chunks, dtype=x.dtype)]
    return [_part(layers, name, k, kernel, chunks, x.dtype) for k, kernel in enumerate(wanted)]


def _gram(
    name: str, network: Network, wanted: tuple[KernelName, ...], frozen: Delayed, x: da.Array
) -> _Graph:
    """Return tasks for blocks on and above the diagonal, and for transposes of those above."""
    turned = math.prod(x.shape[1:-1]) > 1
    task = partial(blocks.block, wanted, turned)
    graph: _Graph = {}
    for i in range(x.numblocks[0]):
        graph[name, i, i] = task, frozen.key, _chunk(x, i)
        for j in range(i + 1, x.numblocks[0]):
            graph[name, i, j] = task, frozen.key, _chunk(x, i), _chunk(x, j)
            graph[name, j, i] = _transposed, (name, i, j)
    return graph


def _cross(
    name: str, wanted: tuple[KernelName, ...], frozen: Delayed, x: da.Array, x2: da.Array
) -> _Graph:
    task = partial(blocks.block, wanted, False)
    return {
        (name, i, j): (task, frozen.key, _chunk(x, i), _chunk(x2, j))
        for i in range(x.numblocks[0])
        for j in range(x2.numblocks[0])
    }


def _diagonal(name: str, wanted: tuple[KernelName, ...], frozen: Delayed, x: da.Array) -> _Graph:
    task = partial(blocks.diagonal, wanted)
    return {(name, i): (task, frozen.key, _chunk(x, i)) for i in range(x.numblocks[0])}


def _chunk(x: da.Array, index: int) -> tuple[Any, ...]:
    return x.name, index, *[0] * (x.ndim - 1)


def _transposed(found: Any) -> Any:
    return tuple(part.T for part in found) if isinstance(found, tuple) else found.T


def _part(
    layers: HighLevelGraph,
    both: str,
    index: int,
    kernel: KernelName,
    chunks: _Chunks,
    dtype: np.dtype[Any],
) -> da.Array:
    """Return one of two kernels, whose blocks are computed together."""
    name = f"{kernel}-of-{both}"
    places = np.ndindex(*map(len, chunks))
    graph = {(name, *place): (getitem, (both, *place), index) for place in places}
    whole = HighLevelGraph({**layers.layers, name: graph}, {**layers.dependencies, name: {both}})
    return da.Array(whole, name, chunks, dtype=dtype)


def _refuse(out: tuple[object, ...], progress: Progress) -> None:
    if any(given is not None for given in out):
        raise TypeError(
            "out is given, and the points are a dask array, so the kernel is lazy; drop out, and "
            "write the result with its to_zarr or dask.array.store"
        )
    refuse_progress(progress)
