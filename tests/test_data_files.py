"""File readers: they read complete files, report errors in others, and run no code."""

import contextlib
import gzip
import io
import pickle
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import ntkfast as nk

IDX_CODES = {"u1": 0x08, "i1": 0x09, "i2": 0x0B, "i4": 0x0C, "f4": 0x0D, "f8": 0x0E}
IMAGES = np.arange(2 * 3 * 4, dtype=np.uint8).reshape(2, 3, 4)


def idx(array: np.ndarray) -> bytes:
    """Write an array in the format that the MNIST page describes."""
    code = IDX_CODES[array.dtype.str[1:]]
    header = struct.pack(f">HBB{array.ndim}I", 0, code, array.ndim, *array.shape)
    return header + array.astype(array.dtype.newbyteorder(">")).tobytes()


def npz(**arrays: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    return buffer.getvalue()


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the name of one file, which each test writes anew."""
    return tmp_path_factory.mktemp("data") / "file"


@pytest.mark.parametrize("code", IDX_CODES)
@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("shape", [(5,), (0,), (2, 3, 4), ()])
def test_idx(path: Path, code: str, compressed: bool, shape: tuple[int, ...]) -> None:
    rng = np.random.default_rng(1)
    array = np.asarray(rng.integers(-99, 99, size=shape)).astype(code)
    path.write_bytes(gzip.compress(idx(array)) if compressed else idx(array))
    read = nk.data.load_idx(str(path))
    assert read.dtype == array.dtype
    assert read.dtype.isnative
    assert np.array_equal(read, array)
    assert read.shape == shape
    assert read.flags.writeable


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("end", range(len(idx(IMAGES))))
def test_a_cut_off_idx_file_is_refused(path: Path, compressed: bool, end: int) -> None:
    whole = idx(IMAGES)
    path.write_bytes(gzip.compress(whole[:end]) if compressed else whole[:end])
    with pytest.raises(ValueError, match=r"is truncated|is not an IDX file"):
        nk.data.load_idx(path)


def test_a_cut_off_gzip_file_is_refused(path: Path) -> None:
    whole = gzip.compress(idx(IMAGES))
    for end in range(2, len(whole) - 8):  # the last bytes are a checksum, read at the end
        path.write_bytes(whole[:end])
        with pytest.raises(ValueError, match="truncated or damaged"):
            nk.data.load_idx(path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", r"not an IDX file: it starts with no bytes"),
        (b"<html>", "not an IDX file: .* 3c 68 74 6d.*download was complete"),
        (
            b"\0\0\x07\x01",
            "not an IDX file: .* 00 00 07 01; expected 00 00, a type.*the right file",
        ),
        (b"\0\0", "not an IDX file: .* 00 00; .*download was complete"),
        (npz(x=IMAGES), "looks like a ZIP archive: try load_npz"),
        (idx(IMAGES) + b"\0", "longer than its header states: more bytes"),
        (struct.pack(">HBB3I", 0, 8, 3, *[2**32 - 1] * 3), "truncated: 0 bytes of data, expected"),
        (struct.pack(">HBB4I", 0, 8, 4, 0, *[2**32 - 1] * 3), "file: NumPy cannot hold shape"),
        (struct.pack(">HBB99I", 0, 8, 99, *[1] * 99) + b"x", "file: NumPy cannot hold shape"),
    ],
)
def test_foreign_idx_files_are_refused(path: Path, content: bytes, message: str) -> None:
    path.write_bytes(content)
    with pytest.raises(ValueError, match=message):
        nk.data.load_idx(path)


def test_npz(path: Path) -> None:
    x, y = IMAGES, np.array([1.5, -2.0])
    path.write_bytes(npz(x=x, y=y))
    read = nk.data.load_npz(path)
    assert list(read) == ["x", "y"]
    assert np.array_equal(read["x"], x)
    assert np.array_equal(read["y"], y)


def test_a_cut_off_npz_file_is_refused(path: Path) -> None:
    whole = npz(x=IMAGES)
    for end in range(len(whole)):
        path.write_bytes(whole[:end])
        with pytest.raises(ValueError, match=r"truncated|not an NPZ file|cannot be read"):
            nk.data.load_npz(path)


def member(content: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("x.npy", content)
    return buffer.getvalue()


def array_file(array: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


def huge() -> bytes:
    """Return an array file that says it is of 80 TB, and is not."""
    buffer = io.BytesIO()
    header = {"descr": "<f8", "fortran_order": False, "shape": (10**13,)}
    np.lib.format.write_array_header_1_0(buffer, header)
    return buffer.getvalue() + bytes(80)


class Trap:
    """What would run code when unpickled."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (pytest.fail, ("the file's code was run",))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", r"not an NPZ file: it starts with no bytes"),
        (idx(IMAGES), "looks like an IDX file: try load_idx"),
        (array_file(IMAGES), "single array: use numpy.load"),
        (pickle.dumps(Trap()), "not an NPZ file"),
        (member(b"some text"), "member 'x.npy' cannot be read .it is not a NumPy array"),
        (member(pickle.dumps(Trap())), "member 'x.npy' cannot be read .it is not a NumPy array"),
        (npz(x=np.array([Trap()], dtype=object)), "'x.npy' cannot be read .*Object arrays"),
        (member(array_file(IMAGES)[:-1]), "member 'x.npy' cannot be read"),
        (
            member(huge()),
            "member 'x.npy' cannot be read .*80 bytes of data; expected 80,000,000,000",
        ),
    ],
)
def test_foreign_npz_files_are_refused(path: Path, content: bytes, message: str) -> None:
    path.write_bytes(content)
    with pytest.raises(ValueError, match=message):
        nk.data.load_npz(path)


@given(st.binary(max_size=4), st.integers(0, 10**6), st.sampled_from(["idx", "idx.gz", "npz"]))
def test_a_damaged_file_is_read_or_refused(
    path: Path, damage: bytes, where: int, kind: str
) -> None:
    whole = bytearray(
        {"idx": idx(IMAGES), "idx.gz": gzip.compress(idx(IMAGES)), "npz": npz(x=IMAGES)}[kind]
    )
    start = where % len(whole)
    whole[start : start + len(damage)] = damage
    path.write_bytes(whole)
    with contextlib.suppress(ValueError):  # any other error is a failure
        assert isinstance(nk.data.load_idx(path), np.ndarray)
    with contextlib.suppress(ValueError):
        assert isinstance(nk.data.load_npz(path), dict)


@pytest.mark.parametrize("load", [nk.data.load_idx, nk.data.load_npz])
def test_a_missing_file_is_an_os_error(tmp_path: Path, load: object) -> None:
    assert callable(load)
    with pytest.raises(FileNotFoundError, match="nowhere"):
        load(tmp_path / "nowhere")
