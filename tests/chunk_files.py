"""Tables in files of all formats that are read in chunks."""

import gzip
import io
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
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
