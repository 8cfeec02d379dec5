"""Paths to files of points: one file, several, or a folder of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from os import PathLike
from pathlib import Path
from typing import TypeAlias

from ntkfast._arrays import as_floats
from ntkfast.data._csv import CsvTable
from ntkfast.data._npy import open_npy
from ntkfast.data._parquet import ParquetTable
from ntkfast.data._table import Group, Pieces, Table

__all__ = ["NpyTable", "Paths", "open_tables"]

Paths: TypeAlias = str | PathLike[str] | Sequence[str | PathLike[str]]


class NpyTable(Table):
    """An array, mapped into memory; its first axis counts the rows."""

    @classmethod
    def open(cls, path: Path) -> NpyTable:
        """Read the header."""
        array = open_npy(path)
        if array.ndim == 0:
            raise ValueError(f"{path} has shape (); expected one row per point")
        dtype = as_floats(array[:0], str(path)).dtype
        width = array.shape[1] if array.ndim == 2 else 1
        return cls(path, array.shape[1:], (), (dtype,) * width)

    def pieces(self, groups: Sequence[Group], rows: int) -> Pieces:
        """Yield the groups of columns of some rows after the other."""
        array = open_npy(self.path)
        for start in range(0, len(array), rows):
            block = array[start : start + rows]
            yield tuple(as_floats(self.pick(block, group), str(self.path)) for group in groups)


_OPEN: dict[str, Callable[[Path], Table]] = {
    ".npy": NpyTable.open,
    ".csv": CsvTable.open,
    ".csv.gz": CsvTable.open,
    ".parquet": ParquetTable.open,
}


def open_tables(paths: Paths, name: str) -> list[Table]:
    """Open files that are read one after the other; `name` is that of the argument.

    Raises OSError if a file cannot be opened, TypeError if there are no paths, ValueError unless
    all files are of one kind and have the same columns.
    """
    if not isinstance(paths, (str, PathLike)):
        given: object = paths
        if not isinstance(given, Iterable) or isinstance(given, bytes) or hasattr(given, "read"):
            raise TypeError(
                f"{name} is of type {type(given).__name__}; expected the path of a file or of a "
                "folder, or a list of paths"
            )
        files = list(map(Path, paths))
    elif Path(paths).is_dir():
        files = _files_in(Path(paths))
    else:
        files = [Path(paths)]
    if not files:
        raise ValueError(f"{name} is an empty list; expected at least one file")
    tables = [_OPEN[_kind(file)](file) for file in files]
    for table in tables[1:]:
        _compare(table, tables[0])
    return tables


def _kind(file: Path) -> str:
    for ending in _OPEN:
        if file.name.lower().endswith(ending):
            return ending
    advice = ". For .npz use nk.data.load_npz" if file.suffix.lower() == ".npz" else ""
    raise ValueError(
        f"{file}: unsupported file extension {file.suffix!r}; expected {', '.join(_OPEN)}{advice}"
    )


def _files_in(folder: Path) -> list[Path]:
    """Return the files of points in a folder, by name; hidden files do not count."""
    # Writers of Parquet leave files such as _SUCCESS and _metadata.
    seen = sorted(path for path in folder.iterdir() if path.name[0] not in "._")
    for path in seen:
        if path.is_dir():
            raise ValueError(f"{folder} has the folder {path.name!r}; pass a list of files instead")
    files = [path for path in seen if path.name.lower().endswith(tuple(_OPEN))]
    if not files:
        raise ValueError(f"{folder} has no files that end in {', '.join(_OPEN)}")
    return files


def _compare(table: Table, first: Table) -> None:
    if type(table) is not type(first):
        raise ValueError(f"{table.path} and {first.path} are of two kinds; expected one kind")
    # The parts of a CSV file that was split have names in the first part only.
    same_names = table.names == first.names or (isinstance(table, CsvTable) and not table.names)
    if table.row != first.row or not same_names:
        raise ValueError(
            f"{table.path} has {_columns(table)}, but {first.path} has {_columns(first)}; expected "
            "the same columns in all files"
        )
    if table.types != first.types:
        types = [", ".join(map(str, dict.fromkeys(each.types))) for each in (table, first)]
        raise ValueError(
            f"{table.path} has numbers of type {types[0]}, but {first.path} has {types[1]}; "
            "expected the same types in all files"
        )


def _columns(table: Table) -> str:
    if table.names:
        return f"the columns {', '.join(map(repr, table.names[:20]))}"
    return f"rows of shape {table.row}"
