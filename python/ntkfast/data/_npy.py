"""Arrays in NumPy's format, whose header is compared with the file before any memory is taken."""

from __future__ import annotations

import ast
import errno
import math
import struct
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["NPY", "open_npy", "read_npy"]

NPY = b"\x93NUMPY"

_LENGTHS = {1: "<H", 2: "<I", 3: "<I"}  # format of the header's length, by version
_ENCODINGS = {1: "latin1", 2: "latin1", 3: "utf-8"}
_LONGEST = 10_000  # bytes of a header, as in NumPy
_PIECE = 1 << 20  # bytes per read

Header = tuple[tuple[int, ...], np.dtype[Any], bool, int]  # shape, dtype, Fortran order, its bytes


def read_npy(file: IO[bytes], size: int) -> NDArray[Any]:
    """Read an array from a stream that says it has `size` bytes.

    Raises ValueError before taking memory for the data unless the header promises as many, and
    afterwards unless there are as many.
    """
    shape, dtype, fortran, start = _header(file)
    _compare(shape, dtype, size - start, exact=True)
    array: NDArray[Any] = np.empty(shape, dtype, "F" if fortran else "C")
    content = array.reshape(-1, order="A").view(np.uint8) if array.size else np.empty(0, np.uint8)
    done = 0
    while done < content.size and (piece := file.read(min(_PIECE, content.size - done))):
        content[done : done + len(piece)] = np.frombuffer(piece, np.uint8)
        done += len(piece)
    if done < content.size or file.read(1):
        raise ValueError(f"it does not have the {size:,} bytes that it should have")
    return array


def open_npy(path: Path) -> NDArray[Any]:
    """Map a file into memory, to be read; ValueError unless it has what its header promises.

    Raises MemoryError if there is no space for the mapping.
    """
    with path.open("rb") as file:
        try:
            shape, dtype, fortran, start = _header(file)
            _compare(shape, dtype, path.stat().st_size - start, exact=False)
        except ValueError as error:
            raise ValueError(
                f"{path} is truncated or not an NPY file of numbers ({error})"
            ) from None
    if not math.prod(shape):
        return np.empty(shape, dtype)
    try:
        return np.memmap(path, dtype, "r", start, shape, "F" if fortran else "C")
    except OSError as error:
        if error.errno != errno.ENOMEM:
            raise
        raise MemoryError(f"{path} cannot be mapped into memory: {error.strerror}") from None


def _header(file: IO[bytes]) -> Header:
    """Read a header; ValueError unless it is one, of an array that NumPy can hold."""
    start = file.read(8)
    if not start.startswith(NPY) or len(start) < 8:
        raise ValueError("it is not a NumPy array")
    version = start[6]
    if version not in _LENGTHS:
        raise ValueError(f"it is in version {version} of the format; expected 1, 2 or 3")
    packed = file.read(struct.calcsize(_LENGTHS[version]))
    try:
        (length,) = struct.unpack(_LENGTHS[version], packed)
        if length > _LONGEST:
            raise ValueError(f"its header has {length:,} bytes; expected at most {_LONGEST:,}")
        text = file.read(length)
        fields = ast.literal_eval(text.decode(_ENCODINGS[version]).strip())
        descr, fortran, shape = (fields[key] for key in ("descr", "fortran_order", "shape"))
        dtype = np.lib.format.descr_to_dtype(descr)
    except (
        *(ValueError, TypeError, KeyError, IndexError, SyntaxError, struct.error),
        *(OverflowError, RecursionError, MemoryError),
    ) as error:
        raise ValueError(f"its header is damaged: {error}") from None
    sizes = shape if isinstance(shape, tuple) else (None,)
    if not all(type(size) is int and size >= 0 for size in sizes):
        raise ValueError(f"its shape is {str(shape)[:80]}; expected a tuple of integers >= 0")
    if type(fortran) is not bool:
        raise ValueError("its header is damaged: fortran_order is neither True nor False")
    if dtype.hasobject:
        raise ValueError("Object arrays are pickles, which are never opened")
    if not dtype.itemsize:
        raise ValueError(f"its dtype is {dtype}, which has no size")
    return shape, dtype, fortran, 8 + len(packed) + len(text)


def _compare(shape: tuple[int, ...], dtype: np.dtype[Any], size: int, *, exact: bool) -> None:
    """Compare what a header promises with the bytes behind it; `exact` allows no others."""
    # A shape with a zero takes no memory, whatever its other numbers are.
    if len(shape) > 32 or math.prod(filter(None, shape)) * dtype.itemsize > np.iinfo(np.intp).max:
        raise ValueError(f"its shape is {str(shape)[:80]}, which NumPy cannot hold")
    expected = math.prod(shape) * dtype.itemsize
    if size < expected or (exact and size > expected):
        raise ValueError(f"it has {size:,} bytes of data; expected {expected:,} for shape {shape}")
