"""Chunks of files: the numbers that NumPy reads, in pieces of any size; errors with a place."""

import gzip
import io
import pickle
import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

import ntkfast as nk

TABLE = np.random.default_rng(0).normal(size=(23, 4))
NAMES = ["a", "b", "c", "y"]
ENDINGS = [".npy", ".csv", ".csv.gz", ".parquet"]


def arrow() -> Any:
    return pytest.importorskip("pyarrow")


@pytest.fixture(params=["pyarrow", "numpy"])
def parser(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Read CSV with PyArrow, or as where it is not installed."""
    if request.param == "pyarrow":
        arrow()
    else:
        monkeypatch.setitem(sys.modules, "pyarrow", None)
    return str(request.param)


def csv_text(table: NDArray[Any], header: str = "") -> str:
    text = io.StringIO()
    np.savetxt(text, table, delimiter=",", fmt="%r" if table.dtype == object else "%.17g")
    return header + text.getvalue()


def write(path: Path, table: NDArray[Any], names: list[str] | None = None) -> Path:
    """Write a table in the format of the extension."""
    if path.suffix == ".npy":
        np.save(path, table)
    elif path.suffix == ".parquet":
        pa = arrow()
        from pyarrow import parquet

        columns = dict(zip(names or NAMES, table.T.copy(), strict=True))
        parquet.write_table(pa.table(columns), path, row_group_size=5)
    else:
        text = csv_text(table, ",".join(names) + "\n" if names else "").encode()
        path.write_bytes(gzip.compress(text) if path.suffix == ".gz" else text)
    return path


def whole(chunks: nk.data.Chunks) -> tuple[NDArray[Any], NDArray[Any]]:
    xs, ys = zip(*chunks, strict=True)
    return np.concatenate(xs), np.concatenate(ys)


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("rows", [1, 5, 7, 23, 100])
def test_all_formats_have_the_same_numbers(tmp_path: Path, ending: str, rows: int) -> None:
    file = write(tmp_path / f"points{ending}", TABLE)
    chunks = nk.data.read_chunks(file, rows=rows)
    sizes = [len(x) for x, _ in chunks]
    assert sizes[:-1] == [rows] * (len(sizes) - 1)
    assert sum(sizes) == 23
    for _ in range(2):
        x, y = whole(chunks)
        assert np.array_equal(x, TABLE[:, :3])
        assert np.array_equal(y, TABLE[:, 3])
        assert x.flags.writeable
        assert type(x) is np.ndarray


TABLES = hnp.arrays(
    np.float64,
    st.tuples(st.integers(1, 12), st.integers(2, 4)),
    elements=st.floats(allow_nan=True, allow_infinity=True),
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(table=TABLES, rows=st.integers(1, 14), named=st.booleans(), cut=st.integers(1, 11))
@pytest.mark.parametrize("ending", [".npy", ".csv", ".csv.gz"])
def test_any_table_in_any_pieces(
    parser: str,
    tmp_path: Path,
    ending: str,
    table: NDArray[Any],
    rows: int,
    named: bool,
    cut: int,
) -> None:
    names = [f"column {i}" for i in range(table.shape[1])] if named else None
    parts = [part for part in (table[:cut], table[cut:]) if len(part)]
    files = [write(tmp_path / f"{i}{ending}", part, names) for i, part in enumerate(parts)]
    x, y = whole(nk.data.read_chunks(files, rows=rows))
    if ending == ".npy":
        expected = np.concatenate([np.load(file) for file in files])
    else:
        skip = int(named)
        texts = [np.loadtxt(file, delimiter=",", skiprows=skip, ndmin=2) for file in files]
        expected = np.concatenate(texts)
    assert np.array_equal(np.column_stack([x, y]), expected, equal_nan=True)


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize(
    ("target", "columns", "features", "targets"),
    [
        (0, None, [1, 2, 3], 0),
        (-2, None, [0, 1, 3], 2),
        ("b", None, [0, 2, 3], 1),
        (["y", 0], None, [1, 2], [3, 0]),
        ([-1], None, [0, 1, 2], [3]),
        (np.int64(1), [3, 0], [3, 0], 1),
        (np.array([1, 2]), ["y", "a"], [3, 0], [1, 2]),
        (None, None, [0, 1, 2, 3], []),
        ([], [2], [2], []),
    ],
)
def test_columns(
    tmp_path: Path, ending: str, target: Any, columns: Any, features: Any, targets: Any
) -> None:
    used = [target, *(columns or []), *(target if isinstance(target, list) else [])]
    file = write(tmp_path / f"points{ending}", TABLE, NAMES)
    if ending == ".npy" and any(isinstance(each, str) for each in used):
        with pytest.raises(ValueError, match="has no column names; use indices from 0 to 3"):
            nk.data.read_chunks(file, target=target, columns=columns)
        return
    x, y = whole(nk.data.read_chunks(file, target=target, columns=columns, rows=10))
    assert np.array_equal(x, TABLE[:, features])
    assert np.array_equal(y, TABLE[:, targets])


@pytest.mark.parametrize("ending", ENDINGS)
def test_targets_in_files_of_their_own(tmp_path: Path, ending: str) -> None:
    files = [
        write(tmp_path / f"x{i}{ending}", part, NAMES)
        for i, part in enumerate(np.split(TABLE, [9, 20]))
    ]
    several = write(tmp_path / f"y{ending}", TABLE[:, 1:3], NAMES[1:3])
    x, y = whole(nk.data.read_chunks(files, target_path=several, rows=8))
    assert np.array_equal(x, TABLE)
    assert np.array_equal(y, TABLE[:, 1:3])
    one = write(tmp_path / f"one{ending}", TABLE[:, :1], ["a"])
    x, y = whole(nk.data.read_chunks(files, columns=[0, 2], target_path=one, target=None, rows=8))
    assert np.array_equal(x, TABLE[:, [0, 2]])
    assert np.array_equal(y, TABLE[:, :1] if ending == ".npy" else TABLE[:, 0])


@pytest.mark.parametrize("shape", [(10, 3), (10, 4, 3), (10, 4, 4, 3)])
@pytest.mark.parametrize("dtype", ["f4", "f8", "u1", ">f4", "f2"])
def test_arrays_of_any_shape(tmp_path: Path, shape: tuple[int, ...], dtype: str) -> None:
    array = np.random.default_rng(0).integers(0, 255, size=shape).astype(dtype)
    labels = np.arange(10)
    np.save(tmp_path / "x.npy", array)
    np.save(tmp_path / "y.npy", labels)
    x, y = whole(nk.data.read_chunks(tmp_path / "x.npy", target_path=tmp_path / "y.npy", rows=4))
    assert np.array_equal(x, array)
    assert np.array_equal(y, labels)
    assert x.dtype == (np.float32 if dtype.endswith("f4") else np.float64)
    assert y.dtype == np.float64
    x, y = whole(nk.data.read_chunks(tmp_path / "x.npy", target=None, rows=4))
    assert np.array_equal(x, array)
    assert y.shape == (10, 0)


def test_fortran_order(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.asfortranarray(TABLE))
    x, y = whole(nk.data.read_chunks(tmp_path / "x.npy", rows=6))
    assert np.array_equal(np.column_stack([x, y]), TABLE)


@pytest.mark.parametrize(
    ("text", "features", "targets"),
    [
        ("1,2\r\n3,4\r\n", [[1], [3]], [2, 4]),
        ("1,2\n3,4", [[1], [3]], [2, 4]),
        ("\n1,2\n\n  \n3,4\n\n", [[1], [3]], [2, 4]),
        ("\ufeff1,2\n3,4\n", [[1], [3]], [2, 4]),
        ("\ufeffp,q\n1,2\n", [[1]], [2]),
        ('"p, q","r"\n"1","2"\n', [[1]], [2]),
        (" 1 ,\t2\n+3,-4e1\n", [[1], [3]], [2, -40]),
        ("1,nan\ninf,-Infinity\nNaN,1e999\n", [[1], [np.inf], [np.nan]], [np.nan, -np.inf, np.inf]),
        (".5,1.\n", [[0.5]], [1]),
        ("nan,nan\n", [[np.nan]], [np.nan]),
    ],
)
def test_forms_of_csv(
    parser: str, tmp_path: Path, text: str, features: list[Any], targets: list[float]
) -> None:
    file = tmp_path / "points.csv"
    file.write_bytes(text.encode())
    x, y = whole(nk.data.read_chunks(file))
    assert np.array_equal(x, features, equal_nan=True)
    assert np.array_equal(y, targets, equal_nan=True)


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1"])
def test_text_in_other_columns(parser: str, tmp_path: Path, encoding: str) -> None:
    file = tmp_path / "points.csv"
    text = 'name,x,y\nZoë,1,2\n"Smith, ""J""",3,4\n,5,6\n'
    file.write_bytes(text.encode(encoding))
    x, y = whole(nk.data.read_chunks(file, columns=["x"], target="y", rows=2))
    assert np.array_equal(x, [[1], [3], [5]])
    assert np.array_equal(y, [2, 4, 6])


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
    ("p;q\n1;2\n", "has 1 target columns among 1, so there are no features"),
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


def test_names_in_the_first_of_several_files_alone(parser: str, tmp_path: Path) -> None:
    write(tmp_path / "1.csv", TABLE[:10], NAMES)
    write(tmp_path / "2.csv", TABLE[10:])
    x, y = whole(nk.data.read_chunks(tmp_path, target="a", rows=4))
    assert np.array_equal(x, TABLE[:, 1:])
    assert np.array_equal(y, TABLE[:, 0])


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_folder(tmp_path: Path, ending: str) -> None:
    for i in range(3):
        write(tmp_path / f"part-{i}{ending}", TABLE[8 * i : 8 * i + 8])
    for other in ("_SUCCESS", ".part-0.crc", "_metadata", "notes.txt"):
        (tmp_path / other).touch()
    chunks = nk.data.read_chunks(str(tmp_path), rows=5)
    x, y = whole(chunks)
    assert np.array_equal(np.column_stack([x, y]), TABLE)
    assert repr(chunks) == f"Chunks(Files(part-0{ending} and 2 more, rows=5), n=23)"
    assert np.array_equal(whole(pickle.loads(pickle.dumps(chunks)))[0], x)
    (tmp_path / "year=2020").mkdir()
    with pytest.raises(ValueError, match="has the folder 'year=2020'; pass a list of files"):
        nk.data.read_chunks(tmp_path)


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


def test_types_of_parquet(tmp_path: Path) -> None:
    pa = arrow()
    from pyarrow import parquet

    file = tmp_path / "x.parquet"
    single, double = TABLE[:, 0].astype("f4"), TABLE[:, 1]
    columns = {
        "single": single,
        "again": single,
        "double": double,
        "count": np.arange(23, dtype="i2"),
        "known": pa.array([True, None] * 11 + [False]),
        "yes": TABLE[:, 2] > 0,
        "name": ["x"] * 23,
        "gap": pa.array([1.0] * 20 + [None] * 3),
    }
    parquet.write_table(pa.table(columns), file, row_group_size=6)
    for features, expected in (
        (["single", "again"], np.float32),
        (["single", "count"], np.float64),
        (["count", "yes"], np.float64),
    ):
        chunks = nk.data.read_chunks(file, columns=features, target="double", rows=7)
        x, y = whole(chunks)
        assert x.dtype == expected
        assert np.array_equal(x, np.column_stack([columns[name] for name in features]))
        assert np.array_equal(y, double)
    for name, message in (
        ("gap", r"x\.parquet, row 20 \(from 0\): column 'gap'"),
        ("known", "row 1 "),
    ):
        with pytest.raises(ValueError, match=message):
            whole(nk.data.read_chunks(file, columns=["single", name], target="double", rows=7))
    with pytest.raises(ValueError, match="column 'name' holds no real numbers"):
        nk.data.read_chunks(file)


def test_half_precision_of_parquet(tmp_path: Path) -> None:
    pa = arrow()
    file, half = tmp_path / "x.parquet", TABLE.astype("f2")
    try:
        write(file, half)
    except pa.ArrowNotImplementedError:
        pytest.skip("this PyArrow writes no float16")
    x, y = whole(nk.data.read_chunks(file, rows=7))
    assert x.dtype == y.dtype == np.float64
    assert np.array_equal(np.column_stack([x, y]), half)


@pytest.mark.parametrize("path", [None, 3, b"x.csv", io.BytesIO(b"1,2")])
def test_what_is_no_path_is_refused(path: Any) -> None:
    with pytest.raises(TypeError, match=r"^path is of type .*; expected the path of a file"):
        nk.data.read_chunks(path)
    with pytest.raises(TypeError, match=r"^target_path is of type|^path is of type"):
        nk.data.read_chunks(path, target_path=3)  # type: ignore[arg-type]


def test_paths_from_a_glob(tmp_path: Path) -> None:
    write(tmp_path / "1.csv", TABLE)
    chunks = nk.data.read_chunks(tmp_path.glob("*.csv"))  # type: ignore[arg-type]
    for _ in range(2):
        assert np.array_equal(whole(chunks)[1], TABLE[:, 3])


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
