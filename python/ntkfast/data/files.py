"""Readers for untrusted data files: a foreign or truncated file raises a `ValueError`.

No code in a file is run. Object arrays, which are pickles, are rejected.
"""

from __future__ import annotations

import gzip
import io
import math
import os
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterable
from os import PathLike
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ntkfast.data._npy import NPY, read_npy

__all__ = ["load_idx", "load_npz"]

_Reader: TypeAlias = gzip.GzipFile | io.BufferedReader

_GZIP, _ZIP = b"\x1f\x8b", b"PK"
_IDX_TYPES = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
_IDX_CODES = [bytes([code]) for code in _IDX_TYPES]
_PIECE = 1 << 20  # bytes per read, because a header may claim more data than the file contains
_RATIO = 1032  # bytes that one byte of compressed data stands for, at most


def load_idx(path: str | PathLike[str]) -> NDArray[Any]:
    """Read an array in the IDX format of the MNIST files, optionally compressed by gzip.

    Parameters
    ----------
    path : str or path
        The file, such as ``train-images-idx3-ubyte.gz``. Its first bytes, not its name, determine
        the format.

    Returns
    -------
    ndarray
        An array with the file's shape and type, in native byte order: (n, 28, 28) and uint8 for
        MNIST images, (n,) for the labels.

    Raises
    ------
    OSError
        The file cannot be opened.
    ValueError
        The file has another format, is truncated, or is longer than its header states.
    """
    with Path(path).open("rb") as file:
        compressed = file.read(2) == _GZIP
        file.seek(0)
        try:
            return _read_idx(gzip.open(file) if compressed else file, path)
        except (gzip.BadGzipFile, zlib.error, EOFError) as error:
            raise ValueError(
                f"{path}: the compressed data is truncated or damaged ({error})"
            ) from None


def _read_idx(file: _Reader, path: object) -> NDArray[Any]:
    magic = _read(file, 4)
    if len(magic) < 4 or magic[:2] != b"\0\0" or magic[2] not in _IDX_TYPES:
        raise ValueError(
            f"{path} is not an IDX file: it starts with {magic.hex(' ') or 'no bytes'}; "
            f"expected 00 00, a type (08, 09, 0b to 0e) and the number of dimensions. "
            + _advice(magic)
        )
    dtype, ndim = np.dtype(_IDX_TYPES[magic[2]]), magic[3]
    header = _read(file, 4 * ndim)
    if len(header) < 4 * ndim:
        raise ValueError(
            f"{path} is truncated: it ends within the sizes of its {ndim} dimensions, after "
            f"{4 + len(header)} bytes"
        )
    shape = tuple(int(size) for size in np.frombuffer(header, ">u4"))
    expected = math.prod(shape) * dtype.itemsize
    size = os.fstat(file.fileno()).st_size
    if isinstance(file, gzip.GzipFile) and expected > size * _RATIO:
        raise ValueError(
            f"{path} is truncated: {size} compressed bytes cannot contain the {expected} bytes of "
            f"data for shape {shape} of {dtype.name}"
        )
    data = _read(file, expected + 1)
    if len(data) != expected:
        state = "truncated" if len(data) < expected else "longer than its header states"
        found = f"{len(data)}" if len(data) < expected else "more"
        raise ValueError(
            f"{path} is {state}: {found} bytes of data, expected {expected} for shape {shape} of "
            f"{dtype.name}"
        )
    values = np.frombuffer(data, dtype).astype(dtype.newbyteorder("="))
    try:
        return values.reshape(shape)
    except ValueError as error:
        raise ValueError(f"{path}: NumPy cannot hold shape {shape} ({error})") from None


def _read(file: _Reader, size: int) -> bytes:
    """Read up to `size` bytes, using memory only for the data that exist."""
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
        Arrays by name, in the order of the file.

    Raises
    ------
    OSError
        The file cannot be opened.
    ValueError
        The file has another format, is truncated or damaged, or a member is not an array,
        contains Python objects, or has other than the bytes that its header promises.
    """
    return read_npz(path)


def read_npz(
    path: str | PathLike[str],
    choose: Callable[[list[str]], Iterable[str]] | None = None,
    *,
    compressed: bool = True,
) -> dict[str, NDArray[Any]]:
    """Read the arrays that `choose` selects by their names, and no others; None selects all.

    Without `compressed`, an array that takes more memory than the file has bytes is rejected.
    """
    with Path(path).open("rb") as file:
        magic = file.read(8)
        if not magic.startswith(_ZIP):
            raise ValueError(
                f"{path} is not an NPZ file: it starts with {magic.hex(' ') or 'no bytes'}; "
                f"expected a ZIP archive. {_advice(magic)}"
            )
        file.seek(0)
        try:
            with zipfile.ZipFile(file) as archive:
                members = _members(archive, os.fstat(file.fileno()).st_size)
                chosen = members if choose is None else choose(list(members))
                return {name: _member(archive, members[name], path, compressed) for name in chosen}
        except (zipfile.BadZipFile, NotImplementedError, UnicodeDecodeError, struct.error) as error:
            raise ValueError(f"{path} is truncated or damaged ({error})") from None


def _members(archive: zipfile.ZipFile, size: int) -> dict[str, zipfile.ZipInfo]:
    """Return the members by the names of their arrays; together they are no larger than the file.

    Members that share their data would take more memory than the file allows for.
    """
    members: dict[str, zipfile.ZipInfo] = {}
    for info in archive.infolist():
        name = info.filename.removesuffix(".npy")
        if name in members:
            raise zipfile.BadZipFile(f"it has two arrays {name!r}")
        members[name] = info
    if sum(info.compress_size for info in members.values()) > size:
        raise zipfile.BadZipFile("its members overlap")
    return members


def _member(
    archive: zipfile.ZipFile, info: zipfile.ZipInfo, path: object, compressed: bool
) -> NDArray[Any]:
    try:
        if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise ValueError(f"unsupported compression type {info.compress_type}")
        if info.compress_type != zipfile.ZIP_STORED and not compressed:
            raise ValueError(
                f"it is compressed, from {info.file_size:,} bytes to {info.compress_size:,}; "
                "expected an array as it is in memory"
            )
        if info.file_size > info.compress_size * (_RATIO if info.compress_type else 1):
            raise ValueError(
                f"{info.compress_size:,} bytes cannot contain the {info.file_size:,} that it "
                "should have"
            )
        with archive.open(info) as member:
            return read_npy(member, info.file_size)
    except (
        ValueError,
        OSError,
        EOFError,
        RuntimeError,
        zlib.error,
        struct.error,
    ) as error:
        raise ValueError(f"{path}: its member {info.filename!r} cannot be read ({error})") from None


def _advice(magic: bytes) -> str:
    """Suggest a reader for formats that are easily confused."""
    if magic.startswith(_ZIP):
        return "It looks like a ZIP archive: try load_npz"
    if magic.startswith(NPY):
        return "It is a single array: use numpy.load(path, allow_pickle=False)"
    if magic.startswith(_GZIP) or (magic[:2] == b"\0\0" and magic[2:3] in _IDX_CODES):
        return "It looks like an IDX file: try load_idx"
    return "Check that it is the right file and that the download was complete"
