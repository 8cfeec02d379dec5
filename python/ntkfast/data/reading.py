"""Chunks of points and targets from files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, zip_longest

import numpy as np

from ntkfast._arrays import FloatArray
from ntkfast._display import Displayed, Fact
from ntkfast._scalars import as_size
from ntkfast.data._columns import Column, check_numbers, feature_columns, target_columns
from ntkfast.data._formats import NpyTable, Paths, open_tables
from ntkfast.data._table import Group, Pieces, Table
from ntkfast.data.chunks import Chunks, Pair

__all__ = ["read_chunks"]


def read_chunks(
    path: Paths,
    *,
    target: Column | Sequence[Column] | None = -1,
    target_path: Paths | None = None,
    rows: int = 65536,
    columns: Sequence[Column] | None = None,
) -> Chunks:
    r"""Read points and targets from files that do not fit into memory, `rows` rows at a time.

    Parameters
    ----------
    path : str, path, or sequence of them
        A file, a folder of files, or a list of files, which are read one after the other (those of
        a folder by name). The extension gives the format: ``.npy``, ``.csv``, ``.csv.gz`` or
        ``.parquet``, the same for all files. All must have the same columns and types.

        The first line of a CSV file has the names of its columns if none of its cells is a number.
        Blank lines do not count. Parquet files require PyArrow, ``pip install
        'ntkfast[parquet]'``; CSV files are read two to three times faster where it is installed.
    target : int, str, sequence of them, or None, default -1
        The column with the targets, by index (from 0; negative from the end) or by name; y then has
        shape (k,). For a list y has shape (k, c). None if there are no targets; y then has shape
        (k, 0).
    target_path : str, path, or sequence of them, optional
        Files with the targets alone, in the order of the points; `path` then has points alone. y
        has the shape of an array in NPY files. A CSV or Parquet file with one column gives shape
        (k,).
    rows : int, default 65536
        The number of points per chunk. The last chunk may have fewer.
    columns : sequence of int or str, optional
        The columns with the features, in this order; by default all columns except the targets.
        Other columns may contain text.

    Returns
    -------
    Chunks
        x has shape (k, n_features), or (k, height, width, channels) and the like from NPY files
        without targets in their columns. float32 stays float32; CSV files, integers and booleans
        give float64. Columns of both types give float64. Each pass reads the files again.

    Raises
    ------
    OSError
        A file cannot be opened.
    ValueError
        A file has another format, is truncated or damaged, there is no such column, or a column is
        both a feature and a target. While chunks are read: a cell is empty or has no number, or a
        line has more or fewer cells than the first one; the message has the file and the line
        (CSV, from 1) or the row (Parquet, from 0). NaN and infinities are not errors.
    TypeError
        An NPY file holds no real numbers, or an argument has the wrong type.
    MissingExtraError
        PyArrow is required and not installed.

    Notes
    -----
    A chunk takes `rows` times the number of columns times 8 bytes, and while it is read some times
    as much. Parquet files are read by row groups, which take memory, too. No code in a file is run.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> folder = tempfile.TemporaryDirectory()
    >>> file = pathlib.Path(folder.name) / "homes.csv"
    >>> _ = file.write_text("area,rooms,price\n50,2,1.5\n80,3,2.5\n120,5,3.5\n")
    >>> for x, y in read_chunks(file, target="price", rows=2):
    ...     print(x.tolist(), y.tolist())
    [[50.0, 2.0], [80.0, 3.0]] [1.5, 2.5]
    [[120.0, 5.0]] [3.5]
    >>> folder.cleanup()
    """
    n_rows = as_size(rows, "rows", least=1)
    tables = open_tables(path, "path")
    single = np.ndim(target) == 0 and target is not None  # type: ignore[arg-type]
    if target_path is None:
        targets = target_columns(target, tables[0])
        features = feature_columns(columns, targets, tables[0])
        return Chunks(Files(tables, [], features, targets, single, n_rows))
    if target is not None and not (single and target == -1):
        raise ValueError(
            "target chooses columns of path, but target_path has all targets; pass one of them"
        )
    others = open_tables(target_path, "target_path")
    check_numbers(range(len(others[0].types)), others[0])
    single = others[0].row == (1,) and not isinstance(others[0], NpyTable)
    features = feature_columns(columns, [], tables[0])
    return Chunks(Files(tables, others, features, None, single, n_rows))


@dataclass(frozen=True, repr=False)
class Files(Displayed):
    """What each pass reads: files, and the columns to take from them."""

    tables: list[Table]
    others: list[Table]  # with the targets, if those have files of their own
    features: Group
    targets: Group
    single: bool  # whether y has one axis
    rows: int

    def __iter__(self) -> Iterator[Pair]:
        for x, y in self._pairs():
            yield x, y[:, 0] if self.single else y

    def _pairs(self) -> Iterator[Pair]:
        if self.others:
            yield from self._side_by_side()
        elif self.targets:
            for x, y in _read(self.tables, [self.features, self.targets], self.rows):
                yield x, y
        else:
            for (x,) in _read(self.tables, [self.features], self.rows):
                yield x, np.empty((len(x), 0), x.dtype)

    def _side_by_side(self) -> Iterator[Pair]:
        points = _read(self.tables, [self.features], self.rows)
        targets = _read(self.others, [None], self.rows)
        n_points = n_targets = 0
        none = (np.empty(0),)
        for (x,), (y,) in zip_longest(points, targets, fillvalue=none):
            n_points, n_targets = n_points + len(x), n_targets + len(y)
            if n_points != n_targets:  # the side that is behind has come to its end
                more = "points" if n_points > n_targets else "targets"
                raise ValueError(
                    f"{_names(self.tables)} and {_names(self.others)} have different numbers of "
                    f"rows: there are more {more} after {min(n_points, n_targets)} rows"
                )
            yield x, y

    def _facts(self) -> Iterator[Fact]:
        yield "", _names(self.tables)
        if self.others:
            yield "targets=", _names(self.others)
        yield "rows=", self.rows


def _names(tables: list[Table]) -> str:
    first = tables[0].path.name
    return first if len(tables) == 1 else f"{first} and {len(tables) - 1} more"


def _read(tables: list[Table], groups: list[Group], rows: int) -> Pieces:
    """Read files one after the other, in pieces of exactly `rows` rows but for the last."""
    held: list[tuple[FloatArray, ...]] = []
    n_held = 0
    for piece in chain.from_iterable(table.pieces(groups, rows) for table in tables):
        if len(piece[0]):
            held.append(piece)
        n_held += len(piece[0])
        if n_held >= rows:
            whole = _joined(held)
            yield tuple(array[:rows] for array in whole)
            n_held -= rows
            held = [tuple(array[rows:] for array in whole)] if n_held else []
    if n_held:
        yield _joined(held)


def _joined(pieces: list[tuple[FloatArray, ...]]) -> tuple[FloatArray, ...]:
    return pieces[0] if len(pieces) == 1 else tuple(map(np.concatenate, zip(*pieces, strict=True)))
