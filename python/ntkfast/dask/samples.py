"""Points in dask arrays: their checks before anything is computed, and their chunks."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import dask.array as da
import numpy as np

from ntkfast._arrays import as_floats
from ntkfast._foreign import is_dask
from ntkfast.kernels import as_samples

if TYPE_CHECKING:
    from ntkfast.networks.base import Network

__all__ = ["as_lazy", "check_sizes", "in_blocks", "naming_chunk", "with_whole_rows"]

# Blocks have the bits of the whole matrix if they begin at multiples of these samples.
_STEP = 64
# Bytes of a block, unless the chunks of the points say otherwise.
_BLOCK = 100e6


def as_lazy(network: Network, value: Any, name: str) -> da.Array:
    """Return points as a dask array of float64 or float32 with whole samples in each chunk.

    Types and shapes are checked as for NumPy arrays, as far as they are known.
    """
    if not is_dask(value):
        array = as_samples(network._program, value, name, network._rank)
        return da.from_array(array, chunks=("auto", *array.shape[1:]))
    check_sizes(value, name)
    meta = as_floats(value._meta, name)
    # Without its numbers: of an array of this shape that has one number in memory.
    stand_in = np.broadcast_to(np.zeros((), meta.dtype), value.shape)
    as_samples(network._program, stand_in, name, network._rank)
    split = [axis for axis in range(1, value.ndim) if value.numblocks[axis] > 1]
    if split:
        sizes = ", ".join(f"{axis}: -1" for axis in split)
        raise ValueError(
            f"{name} has chunks of shape {value.chunksize}; expected chunks with whole samples, of "
            f"shape (k, {', '.join(map(str, value.shape[1:]))}): pass {name}.rechunk({{{sizes}}})"
        )
    return value if value.dtype == meta.dtype else value.astype(meta.dtype)


def check_sizes(value: Any, name: str) -> None:
    """Refuse chunks of unknown sizes."""
    if any(math.isnan(size) for size in value.shape):
        raise ValueError(
            f"{name} has chunks of unknown sizes; call {name}.compute_chunk_sizes() first, which "
            "computes them"
        )


def with_whole_rows(value: Any, name: str) -> da.Array:
    """Return a dask array whose chunks hold whole samples."""
    check_sizes(value, name)
    return value.rechunk(dict.fromkeys(range(1, value.ndim), -1))


@contextmanager
def naming_chunk(name: str, start: int) -> Iterator[None]:
    """Say in errors about a chunk where it begins, as they count rows from there."""
    try:
        yield
    except ValueError as error:
        if not start:
            raise
        raise ValueError(f"{error} (in the chunk of {name} that begins at row {start})") from None


def in_blocks(x: da.Array) -> da.Array:
    """Return the points in chunks that begin at multiples of 64 samples.

    Chunks that do so already are kept if there are several. Others become chunks of one size: that
    of the largest, rounded up, but at most that of square blocks of 100 MB.
    """
    n, given = len(x), tuple(size for size in x.chunks[0] if size)
    if len(given) > 1 and not any(size % _STEP for size in given[:-1]):
        return x.rechunk({0: given})
    most = int(math.sqrt(_BLOCK / x.dtype.itemsize)) // _STEP * _STEP
    size = min(math.ceil(max(given, default=1) / _STEP) * _STEP, most)
    return x.rechunk({0: min(size, max(n, 1))})
