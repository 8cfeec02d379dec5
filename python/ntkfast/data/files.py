"""Readers of data files that trust nothing: what is foreign or cut off is a `ValueError`.

No code that a file may bring along is run: object arrays, which are pickles, are refused.
"""

from __future__ import annotations

import gzip
import io
import math
import struct
import zipfile
import zlib
from os import PathLike
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

__all__ = ["load_idx", "load_npz"]

_Reader: TypeAlias = gzip.GzipFile | io.BufferedReader

_GZIP, _ZIP, _NPY = b"\x1f\x8b", b"PK", b"\x93NUMPY"
_IDX_TYPES = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
_IDX_CODES = [bytes([code]) for code in _IDX_TYPES]
_PIECE = 1 << 20  # bytes read at once: a header may promise more than there is


def load_idx(path: str | PathLike[str]) -> NDArray[Any]:
    """Read an array in the IDX format, that of the MNIST files, compressed by gzip or not.

    Parameters
    ----------
    path : str or path
        The file, such as ``train-images-idx3-ubyte.gz``. What it holds is told by its first bytes,
        not by its name.

    Returns
    -------
    ndarray
        Of the file's shape and type, in the byte order of the machine: (n, 28, 28) and uint8 for
        MNIST's images, (n,) for its labels.

    Raises
    ------
    OSError
        The file cannot be opened.
    ValueError
        It is in another format, cut off, or longer than its header says.
    """
    with Path(path).open("rb") as file:
        compressed = file.read(2) == _GZIP
        file.seek(0)
        try:
            return _read_idx(gzip.open(file) if compressed else file, path)
        except (gzip.BadGzipFile, zlib.error, EOFError) as error:
            raise ValueError(
                f"{path}: the compressed data is cut off or damaged ({error})"
            ) from None


def _read_idx(file: _Reader, path: object) -> NDArray[Any]:
    magic = _read(file, 4)
    if len(magic) < 4 or magic[:2] != b"\0\0" or magic[2] not in _IDX_TYPES:
        raise ValueError(
            f"{path} is no IDX file: it starts with the bytes {magic.hex(' ') or '(none)'}; "
            f"expected 00 00, a type (08, 09, 0b to 0e) and the number of dimensions. "
            + _advice(magic)
        )
    dtype, ndim = np.dtype(_IDX_TYPES[magic[2]]), magic[3]
    header = _read(file, 4 * ndim)
    if len(header) < 4 * ndim:
        raise ValueError(
            f"{path} is cut off: it ends within the sizes of its {ndim} dimensions, after "
            f"{4 + len(header)} bytes"
        )
    shape = tuple(int(size) for size in np.frombuffer(header, ">u4"))
    expected = math.prod(shape) * dtype.itemsize
    data = _read(file, expected + 1)
    if len(data) != expected:
        state = "cut off" if len(data) < expected else "longer than its header says"
        found = f"{len(data)}" if len(data) < expected else "more"
        raise ValueError(
            f"{path} is {state}: {found} bytes of data, expected {expected} for shape {shape} of "
            f"{dtype.name}"
        )
    values = np.frombuffer(data, dtype).astype(dtype.newbyteorder("="))
    try:
        return values.reshape(shape)
    except ValueError as error:
        raise ValueError(f"{path}: NumPy has no array of shape {shape} ({error})") from None


def _read(file: _Reader, size: int) -> bytes:
    """Read up to `size` bytes, with memory for what is there only."""
    data = bytearray()
    while len(data) < size and (piece := file.read(min(size - len(data), _PIECE))):
        data += piece
    return bytes(data)


def load_npz(path: str | PathLike[str]) -> dict[str, NDArray[Any]]:
    """Read all arrays of an NPZ file, as `numpy.savez` writes it.

    Parameters
    ----------
    path : str or path
        The file.

    Returns
    -------
    dict
        From names to arrays, in the order of the file.

    Raises
    ------
    OSError
        The file cannot be opened.
    ValueError
        It is in another format, cut off or damaged; a member is no array, or has Python objects.
    """
    with Path(path).open("rb") as file:
        magic = file.read(8)
        if not magic.startswith(_ZIP):
            raise ValueError(
                f"{path} is no NPZ file: it starts with the bytes {magic.hex(' ') or '(none)'}; "
                f"expected a ZIP archive. {_advice(magic)}"
            )
        file.seek(0)
        try:
            with zipfile.ZipFile(file) as archive:
                return {
                    info.filename.removesuffix(".npy"): _member(archive, info, path)
                    for info in archive.infolist()
                }
        except (zipfile.BadZipFile, NotImplementedError, UnicodeDecodeError, struct.error) as error:
            raise ValueError(f"{path} is cut off or damaged ({error})") from None


def _member(archive: zipfile.ZipFile, info: zipfile.ZipInfo, path: object) -> NDArray[Any]:
    try:
        if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise ValueError(f"NumPy writes no compression of type {info.compress_type}")
        content = archive.read(info)
        if not content.startswith(_NPY):
            raise ValueError("it is no array of NumPy")
        array: NDArray[Any] = np.load(io.BytesIO(content), allow_pickle=False)
    # A header may promise more than there is, and more than there is memory for.
    except (
        ValueError,
        OSError,
        EOFError,
        RuntimeError,
        MemoryError,
        zlib.error,
        struct.error,
    ) as error:
        raise ValueError(f"{path}: its member {info.filename!r} cannot be read ({error})") from None
    return array


def _advice(magic: bytes) -> str:
    """Say what to do with formats that are easily taken for the wrong one."""
    if magic.startswith(_ZIP):
        return "It looks like a ZIP archive: try load_npz"
    if magic.startswith(_NPY):
        return "It is a single array: use numpy.load(path, allow_pickle=False)"
    if magic.startswith(_GZIP) or (magic[:2] == b"\0\0" and magic[2:3] in _IDX_CODES):
        return "It looks like an IDX file: try load_idx"
    return "Is it the right file, and was it downloaded whole?"
