"""Chunks of files: the numbers that NumPy reads, in pieces of any size."""

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

import ntkfast as nk
from chunk_files import ENDINGS, NAMES, TABLE, arrow, parser, whole, write

__all__ = ["parser"]


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


def test_paths_from_a_glob(tmp_path: Path) -> None:
    write(tmp_path / "1.csv", TABLE)
    chunks = nk.data.read_chunks(tmp_path.glob("*.csv"))  # type: ignore[arg-type]
    for _ in range(2):
        assert np.array_equal(whole(chunks)[1], TABLE[:, 3])
