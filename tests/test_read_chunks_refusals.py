"""Files that cannot be read in chunks: errors that name the file, and the line or the row."""

import gzip
import io
import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ntkfast as nk
from chunk_files import NAMES, TABLE, arrow, csv_text, parser, whole, write

__all__ = ["parser"]


FAULTS = [
    ("p,q\n1,2\n3,x\n", r"points\.csv, line 3: column 1 \('q'\) is 'x'; expected numbers"),
    ("1,2\n\n3,\n", r"line 3: column 1 is empty; .*Fill in missing values"),
    ("1,2\n3,NA\n", "line 2: column 1 is 'NA'"),
    ("1,2\n3\n", "line 2 has 1 cells instead of 2"),
    ("1,2\n3,4,5\n", "line 2 has 3 cells instead of 2"),
    ("1,2\n1_0,2\n", "line 2: column 0 is '1_0'"),
    ("1,2\n0x10,2\n", "line 2: column 0 is '0x10'"),
    ("1,2\n١,2\n", "line 2: column 0 is '١'"),
    ("1,2\n# 3,4\n", "line 2: column 0 is '# 3'"),
    ('1,2\n"3,4\n5,6"\n', r"line 2 is not a line of CSV: unexpected end of data"),
    ("1,2\n3,4\r5,6\n", r"line 2 is not a line of CSV: new-line character"),
    ("p;q\n1;2\n", r"points\.csv, line 1 has no comma, but ';'; expected cells separated by comm"),
    ("\n1\t2\n", r"line 2 has no comma, but '\\t'"),
    ("p\n1\n", "has 1 target columns among 1, so there are no features"),
    ("p,q\n" + "1,2\n" * 40 + "3;4\n", "line 42 has 1 cells instead of 2"),
    ("", "is empty; expected numbers"),
    ("\n\n", "is empty; expected numbers"),
    ("p,q\n", "source has no points"),
]


@pytest.mark.parametrize(("text", "message"), FAULTS)
@pytest.mark.parametrize("compressed", [False, True])
def test_faults_of_csv(
    parser: str, tmp_path: Path, text: str, message: str, compressed: bool
) -> None:
    file = tmp_path / ("points.csv.gz" if compressed else "points.csv")
    file.write_bytes(gzip.compress(text.encode()) if compressed else text.encode())
    message = message.replace(r"\.csv", r"\.csv\.gz") if compressed else message
    with pytest.raises(ValueError, match=message):
        whole(nk.data.read_chunks(file, rows=3))


@pytest.mark.parametrize("columns", [["x"], [0]])
def test_a_ragged_line_is_a_fault_whatever_columns_are_read(
    parser: str, tmp_path: Path, columns: list[Any]
) -> None:
    file = tmp_path / "points.csv"
    file.write_text("x,name,y\n1,b,2\n3,Smith, J,4\n")
    with pytest.raises(ValueError, match="line 3 has 4 cells instead of 3"):
        whole(nk.data.read_chunks(file, columns=columns))


def test_other_encodings_and_binary_files_are_refused(parser: str, tmp_path: Path) -> None:
    file = tmp_path / "points.csv"
    for content in ("1,2\n3,4\n".encode("utf-16"), bytes(range(256)), b"\0\0,1\n1,2\n"):
        file.write_bytes(content)
        with pytest.raises(ValueError, match=re.escape(str(file))):
            whole(nk.data.read_chunks(file))


def test_a_line_without_end_does_not_fill_the_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ntkfast.data._csv._LONGEST", 1000)
    file = tmp_path / "points.csv.gz"
    file.write_bytes(gzip.compress(b"1,2\n" + b"1," * 500))
    with pytest.raises(ValueError, match="line 2 has more than 1,000 bytes"):
        whole(nk.data.read_chunks(file))


@pytest.mark.parametrize("end", [1, 5, 12, 100, -9, -1])
def test_a_cut_off_gzip_file_is_refused(parser: str, tmp_path: Path, end: int) -> None:
    file = tmp_path / "points.csv.gz"
    file.write_bytes(gzip.compress(csv_text(TABLE).encode())[:end])
    with pytest.raises(ValueError, match=r"points\.csv\.gz: .* truncated or damaged"):
        whole(nk.data.read_chunks(file))


def test_a_plain_file_that_is_called_gz_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "points.csv.gz"
    file.write_text("1,2\n")
    with pytest.raises(ValueError, match=r"points\.csv\.gz: .* truncated or damaged"):
        nk.data.read_chunks(file)


def test_files_that_do_not_fit_together_are_refused(tmp_path: Path) -> None:
    four, three = write(tmp_path / "4.csv", TABLE, NAMES), write(tmp_path / "3.csv", TABLE[:, :3])
    others = write(tmp_path / "names.csv", TABLE, ["a", "b", "c", "z"])
    array, single = write(tmp_path / "8.npy", TABLE), write(tmp_path / "4.npy", TABLE.astype("f4"))
    mixed = tmp_path / "mixed"
    mixed.mkdir()
    write(mixed / "1.csv", TABLE)
    write(mixed / "2.npy", TABLE)
    for files, message in (
        ([four, three], r"3\.csv has rows of shape \(3,\), but .*4\.csv has the columns 'a', 'b'"),
        ([four, others], r"names\.csv has the columns .*'z', but .*expected the same columns"),
        ([four, array], r"8\.npy and .*4\.csv are of two kinds"),
        ([array, single], r"4\.npy has numbers of type float32, but .*8\.npy has float64"),
        ([], "path is an empty list"),
        (mixed, "are of two kinds"),
    ):
        with pytest.raises(ValueError, match=message):
            nk.data.read_chunks(files)  # type: ignore[arg-type]


def test_targets_that_are_not_as_many_are_refused(tmp_path: Path) -> None:
    x = write(tmp_path / "x.npy", TABLE)
    for n, more in ((10, "points"), (20, "points"), (16, "points")):
        y = write(tmp_path / "y.npy", TABLE[:n, 0])
        with pytest.raises(ValueError, match=f"x.npy and y.npy .* more {more} after {n} rows"):
            whole(nk.data.read_chunks(x, target_path=y, rows=8))
    y = write(tmp_path / "y.npy", np.zeros(30))
    with pytest.raises(ValueError, match=r"x.npy and y.npy .* more targets after 23 rows"):
        whole(nk.data.read_chunks(x, target_path=y, rows=8))


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"target": 4}, ValueError, r"target has 4, but .*x\.csv has 4 columns; .* from -4 to 3"),
        (
            {"target": "d"},
            ValueError,
            r"target has 'd', and .* no columns of that name; it has 'a'",
        ),
        ({"target": 1.0}, TypeError, "target has 1.0, of type float"),
        ({"target": True}, TypeError, "target has True, of type bool"),
        ({"columns": "a"}, TypeError, r"columns is 'a'; expected a list of columns: \['a'\]"),
        ({"columns": 0}, TypeError, r"columns is 0; expected a list of columns: \[0\]"),
        ({"columns": [0, 3]}, ValueError, "column 'y' is both a target and a feature"),
        ({"columns": []}, ValueError, "so there are no features"),
        ({"target": [0, 1, 2, 3]}, ValueError, "4 target columns among 4"),
        ({"rows": 0}, ValueError, "rows is 0; expected an integer >= 1"),
        ({"rows": 2.5}, TypeError, "rows is 2.5"),
        ({"target": 0, "target_path": "y.npy"}, ValueError, "pass one of them"),
        ({"target": [-1], "target_path": "y.npy"}, ValueError, "pass one of them"),
    ],
)
def test_arguments(
    tmp_path: Path, arguments: dict[str, Any], error: type[Exception], message: str
) -> None:
    file = write(tmp_path / "x.csv", TABLE, NAMES)
    with pytest.raises(error, match=message):
        nk.data.read_chunks(file, **arguments)


def test_files_that_are_not_what_they_should_be_are_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "text.npy", np.array([["a", "b"]]))
    np.save(tmp_path / "objects.npy", np.array([[None]]), allow_pickle=True)
    np.save(tmp_path / "cut.npy", TABLE)
    (tmp_path / "cut.npy").write_bytes((tmp_path / "cut.npy").read_bytes()[:-1])
    np.save(tmp_path / "row.npy", TABLE[0])
    np.save(tmp_path / "number.npy", 1.0)
    np.save(tmp_path / "images.npy", np.ones((2, 3, 3, 1)))
    (tmp_path / "twice.csv").write_text("a,b,a\n1,2,3\n")
    (tmp_path / "plain.csv").write_text("1,2\n")
    for name in ("x.npz", "x.txt", "x"):
        (tmp_path / name).touch()
    (tmp_path / "empty").mkdir()
    for name, target, error, message in (
        ("text.npy", -1, TypeError, r"text\.npy has dtype <U1"),
        ("objects.npy", -1, ValueError, "Object arrays are pickles"),
        ("cut.npy", -1, ValueError, "truncated"),
        ("row.npy", -1, ValueError, r"row\.npy has shape \(n,\); .*use target_path="),
        ("number.npy", -1, ValueError, r"shape \(\)"),
        ("images.npy", -1, ValueError, r"shape \(n, 3, 3, 1\); .*use target_path="),
        ("twice.csv", "a", ValueError, "has 2 columns of that name"),
        ("plain.csv", "a", ValueError, "has no column names; use indices from 0 to 1"),
        ("x.npz", -1, ValueError, r"extension '\.npz'; expected \.npy, .*nk\.data\.load_npz"),
        ("x.txt", -1, ValueError, r"unsupported file extension '\.txt'"),
        ("x", -1, ValueError, "unsupported file extension ''"),
        ("empty", -1, ValueError, "has no files that end in"),
        ("missing.csv", -1, FileNotFoundError, r"missing\.csv"),
        ("missing.csv.gz", -1, FileNotFoundError, r"missing\.csv"),
        ("missing.npy", -1, FileNotFoundError, r"missing\.npy"),
    ):
        with pytest.raises(error, match=message):
            nk.data.read_chunks(tmp_path / name, target=target)


def test_parquet_needs_pyarrow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "x.parquet").touch()
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(ImportError, match=r"requires pyarrow.*'ntkfast\[parquet\]'$"):
        nk.data.read_chunks(tmp_path / "x.parquet")


@pytest.mark.parametrize("path", [None, 3, b"x.csv", io.BytesIO(b"1,2")])
def test_what_is_no_path_is_refused(path: Any) -> None:
    with pytest.raises(TypeError, match=r"^path is of type .*; expected the path of a file"):
        nk.data.read_chunks(path)
    with pytest.raises(TypeError, match=r"^target_path is of type|^path is of type"):
        nk.data.read_chunks(path, target_path=3)  # type: ignore[arg-type]


def test_a_parquet_file_for_which_memory_is_lacking(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = write(tmp_path / "x.parquet", TABLE)

    def fails(*_: object) -> None:
        raise arrow().ArrowMemoryError("malloc failed")

    monkeypatch.setattr("pyarrow.parquet.ParquetFile", fails)
    with pytest.raises(MemoryError):
        nk.data.read_chunks(file)


def test_damaged_parquet_files_are_refused(tmp_path: Path) -> None:
    file = write(tmp_path / "x.parquet", TABLE)
    complete = file.read_bytes()
    damaged = bytearray(complete)
    damaged[20:200] = b"\xff" * 180
    for content in (b"", b"PAR1", complete[:-1], complete[: len(complete) // 2], bytes(damaged)):
        file.write_bytes(content)
        with pytest.raises(ValueError, match=r"x\.parquet is truncated or not a Parquet file"):
            whole(nk.data.read_chunks(file))
    with pytest.raises(FileNotFoundError):
        nk.data.read_chunks(tmp_path / "missing.parquet")
