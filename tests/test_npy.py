"""Arrays in files: a header is believed only where the file can keep what it promises."""

import errno
import gzip
import io
import json
import re
import tracemalloc
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import ntkfast as nk
from ntkfast.cli._points import read_points
from ntkfast.data._npy import open_npy


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "file"


def array_file(array: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


def member(content: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("x.npy", content)
    return buffer.getvalue()


def npy(shape: str, descr: str = "'<f8'", order: str = "False", data: bytes = b"") -> bytes:
    """Return an array file with any text in its header."""
    text = f"{{'descr': {descr}, 'fortran_order': {order}, 'shape': {shape}, }}".encode()
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + data


NO_SHAPES = {
    "(-1,)": "its shape is (-1,); expected a tuple of integers >= 0",
    "(-2, -4)": "its shape is (-2, -4); expected a tuple",
    "(True,)": "its shape is (True,); expected a tuple",
    "8": "its shape is 8; expected a tuple",
    "[8]": "its shape is [8]; expected a tuple",
    "None": "its shape is None; expected a tuple",
    "(8.0,)": "its shape is (8.0,); expected a tuple",
    "('8',)": "its shape is ('8',); expected a tuple",
    f"({2**70},)": "its shape is (1180591620717411303424,), which NumPy cannot hold",
    f"({2**40},)": "it has 8 bytes of data; expected 8,796,093,022,208 for shape",
    f"({2**63}, 0)": "its shape is (9223372036854775808, 0), which NumPy cannot hold",
    f"({2**62}, {2**62}, 0)": "which NumPy cannot hold",
    "(" + "1," * 40 + ")": "which NumPy cannot hold",
    "(": "its header is damaged",
    "(" * 5000: "its header is damaged",
    "__import__('os')": "its header is damaged",
    "{}": "its shape is {}; expected a tuple",
}


@pytest.mark.parametrize("shape", NO_SHAPES)
def test_shapes_that_are_none_name_the_file(shape: str, path: Path) -> None:
    """In an archive, and in a file that the command line maps into memory."""
    single = path.with_name("x.npy")
    single.write_bytes(npy(shape, data=bytes(8)))
    path.write_bytes(member(single.read_bytes()))
    for read, name in ((nk.data.load_npz, str(path)), (nk.load, str(path)), (read_points, "x.npy")):
        with pytest.raises(ValueError, match=re.escape(NO_SHAPES[shape])) as raised:
            read(str(path if read is not read_points else single))
        assert name in str(raised.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (npy("(1,)", "'|O'", data=bytes(8)), "Object arrays are pickles"),
        (npy("(1,)", "'<U0'"), "its dtype is <U0, which has no size"),
        (npy("(1,)", "'<f9'"), "its header is damaged"),
        (npy("(1,)", "[1, 2]"), "its header is damaged"),
        (npy("(1,)", order="1", data=bytes(8)), "fortran_order is neither True nor False"),
        (npy("(1,)", data=bytes(9)), "it has 9 bytes of data; expected 8 for shape"),
        (b"\x93NUMPY\x09\x00", "it is in version 9 of the format"),
        (b"\x93NUMPY\x01\x00", "its header is damaged"),
        (b"\x93NUMPY\x02\x00\xff\xff\xff\xff", "its header has 4,294,967,295 bytes"),
        (b"\x93NUMPY\x01\x00\x02\x00{}", "its header is damaged: 'descr'"),
    ],
)
def test_headers_that_are_none_are_refused(content: bytes, message: str, path: Path) -> None:
    path.write_bytes(member(content))
    with pytest.raises(ValueError, match=re.escape(message)):
        nk.data.load_npz(path)


@pytest.mark.parametrize(
    "array",
    [
        np.arange(24.0).reshape(2, 3, 4),
        np.asfortranarray(np.arange(6).reshape(2, 3)),
        np.array(2.5),
        np.empty((0, 3)),
        np.array(["ab", "c"]),
        np.array([(1, 2.0)], dtype=[("a", "<i4"), ("ü", "<f8")]),
        np.arange(3, dtype=">f4"),
        np.array(["2020-01-01"], dtype="datetime64[D]"),
    ],
    ids=str,
)
def test_all_arrays_without_objects_are_read(array: np.ndarray, path: Path) -> None:
    for write in (np.savez, np.savez_compressed):
        with path.open("wb") as file, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # NumPy says that the names of fields are no Latin-1
            write(file, x=array)
        read = nk.data.load_npz(path)["x"]
        assert read.dtype == array.dtype
        assert read.flags.f_contiguous == array.flags.f_contiguous
        np.testing.assert_array_equal(read, array)


def zeros(size: int, **options: int) -> bytes:
    """Return an archive of one compressed array of zeros that is a thousand times larger."""
    buffer = io.BytesIO()
    options = {"compression": zipfile.ZIP_DEFLATED, "compresslevel": 9} | options
    with zipfile.ZipFile(buffer, "w", **options) as archive:
        archive.writestr("x.npy", npy(f"({size // 8},)", data=bytes(size)))
    return buffer.getvalue()


def peak(call: Callable[[], object]) -> int:
    """Return how many bytes of memory Python and NumPy took at most."""
    tracemalloc.start()
    try:
        call()
    finally:
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    return most


def test_a_small_file_takes_little_memory(path: Path) -> None:
    """`load` accepts nothing compressed; `load_npz` takes the memory for the array only once."""
    size = 30_000_000
    header = {"format": "ntkfast", "format_version": 2, "content": {"array": "x"}}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        text = array_file(np.frombuffer(json.dumps(header).encode(), np.uint8))
        archive.writestr("header.npy", text, zipfile.ZIP_STORED)
        archive.writestr("x.npy", npy(f"({size // 8},)", data=bytes(size)))
    assert path.stat().st_size < size / 500

    def refused() -> None:
        with pytest.raises(ValueError, match=r"x\.npy.*it is compressed, from 30,000,0"):
            nk.load(path)

    assert peak(refused) < size / 10
    path.write_bytes(zeros(size))
    assert peak(lambda: nk.data.load_npz(path)) < 1.2 * size


def test_sizes_that_cannot_be_are_refused_before_memory_is_taken(path: Path) -> None:
    """Sizes in the archive that the compressed data cannot have; members that share their data."""
    whole = bytearray(zeros(10**6))
    entry = whole.index(b"PK\x01\x02")
    whole[entry + 24 : entry + 28] = (2**31).to_bytes(4, "little")
    path.write_bytes(bytes(whole))
    with pytest.raises(ValueError, match=r"cannot contain the 2,147,483,648"):
        nk.data.load_npz(path)
    whole = bytearray(member(array_file(np.ones(100))))
    entry = whole.index(b"PK\x01\x02")
    end = whole.index(b"PK\x05\x06")
    twice = whole[:end] + whole[entry:end].replace(b"x.npy", b"y.npy") + whole[end:]
    end += end - entry
    twice[end + 8 : end + 12] = b"\2\0\2\0"
    twice[end + 12 : end + 16] = (end - entry).to_bytes(4, "little")
    path.write_bytes(bytes(twice))
    with pytest.raises(
        ValueError, match=r"truncated or damaged .*(overlap|File name in directory)"
    ):
        nk.data.load_npz(path)
    path.write_bytes(gzip.compress(bytes((0, 0, 8, 1)) + (2**31).to_bytes(4, "big")))
    with pytest.raises(
        ValueError, match=r"truncated: \d+ compressed bytes cannot contain the 2147"
    ):
        nk.data.load_idx(path)


def test_two_arrays_of_one_name_are_refused(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x.npy", array_file(np.ones(3)))
        archive.writestr("x", array_file(np.ones(3)))
    with pytest.raises(ValueError, match=r"damaged \(it has two arrays 'x'\)"):
        nk.data.load_npz(path)


def test_of_an_archive_only_the_named_array_is_read(path: Path) -> None:
    """The others may be damaged, or too large for the memory."""
    archive = path.with_name("a.npz")
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("x.npy", array_file(np.ones((2, 2))))
        file.writestr("y.npy", npy("(-1,)"))
    np.testing.assert_array_equal(read_points(f"{archive}:x"), np.ones((2, 2)))
    with pytest.raises(ValueError, match=r"has 2 arrays; choose one: .*a\.npz:x, .*a\.npz:y"):
        read_points(str(archive))


@pytest.mark.parametrize(
    ("number", "expected"), [(errno.ENOMEM, MemoryError), (errno.EACCES, PermissionError)]
)
def test_a_file_that_cannot_be_mapped(
    path: Path, monkeypatch: pytest.MonkeyPatch, number: int, expected: type[Exception]
) -> None:
    path.write_bytes(array_file(np.ones(3)))

    def fails(*_: object) -> None:
        raise OSError(number, "no")

    monkeypatch.setattr(np, "memmap", fails)
    with pytest.raises(expected, match="cannot be mapped" if expected is MemoryError else "no"):
        open_npy(path)
