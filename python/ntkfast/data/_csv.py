"""Points in CSV files, in pieces of complete lines.

PyArrow parses a piece where it is installed, otherwise NumPy. Both round correctly. What PyArrow
refuses, NumPy decides, so that both accept the same files; and what NumPy refuses is searched for
the line with the fault.
"""

from __future__ import annotations

import csv
import gzip
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import chain, islice
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from ntkfast.data._table import Group, Pieces, Table

__all__ = ["CsvTable"]

_LONGEST = 1 << 26  # bytes of a line: a file without line ends must not fill the memory
_BOM = b"\xef\xbb\xbf"

Line = tuple[int, bytes]  # numbered from 1


class CsvTable(Table):
    """Numbers separated by commas, below a line of column names or without one."""

    @classmethod
    def open(cls, path: Path) -> CsvTable:
        """Read the first line; it has names if none of its cells is a number."""
        with _lines(path) as lines:
            line = next(lines, None)
        if line is None:
            raise ValueError(f"{path} is empty; expected numbers separated by commas")
        cells = [cell.strip() for cell in _cells(line, path)]
        for other in ";\t|" if len(cells) == 1 else "":
            if other in cells[0]:
                raise ValueError(
                    f"{path}, line {line[0]} has no comma, but {other!r}; expected cells separated "
                    "by commas, and numbers with points"
                )
        names = () if any(map(_is_number, cells)) else tuple(cells)
        return cls(path, (len(cells),), names, (np.dtype(np.float64),) * len(cells))

    def pieces(self, groups: Sequence[Group], rows: int) -> Pieces:
        """Yield the groups of columns of some lines after the other."""
        (width,) = self.row
        chosen = [range(width) if group is None else group for group in groups]
        columns = sorted({*chain.from_iterable(chosen)})
        places = [[columns.index(column) for column in group] for group in chosen]
        with _lines(self.path) as lines:
            if self.names:
                next(lines, None)
            while piece := list(islice(lines, rows)):
                block = self._numbers(piece, columns)
                yield tuple(self.pick(block, group) for group in places)

    def _numbers(self, piece: list[Line], columns: list[int]) -> NDArray[np.float64]:
        (width,) = self.row
        lines = [line for _, line in piece]
        block = _by_pyarrow(lines, width, columns)
        if block is None:
            try:
                block = _by_numpy(lines, width, columns)
            except (ValueError, csv.Error) as error:
                fault = self._fault(piece, columns) or f"{self.path}: {error}"
                raise ValueError(
                    f"{fault}; expected numbers separated by commas, {width} cells in each line. "
                    "Fill in missing values, and encode text as numbers or leave its column out, "
                    "with columns="
                ) from None
        return block

    def _fault(self, piece: list[Line], columns: list[int]) -> str:
        """Describe the first fault in some lines."""
        for line in piece:
            cells = _cells(line, self.path)
            place = f"{self.path}, line {line[0]}"
            if len(cells) != self.row[0]:
                return f"{place} has {len(cells)} cells instead of {self.row[0]}"
            for column in columns:
                cell = cells[column].strip()
                if not _is_number(cell):
                    name = f" ({self.names[column]!r})" if self.names else ""
                    what = "is empty" if not cell else f"is {cell[:40]!r}"
                    return f"{place}: column {column}{name} {what}"
        return ""


@contextmanager
def _lines(path: Path) -> Iterator[Iterator[Line]]:
    """Open a file, compressed or not; lines that are blank are left out."""
    open_bytes = gzip.open if path.name.lower().endswith(".gz") else open
    with open_bytes(path, "rb") as file:
        try:
            yield _numbered(file, path)
        except (gzip.BadGzipFile, zlib.error, EOFError) as error:
            raise ValueError(
                f"{path}: the compressed data is truncated or damaged ({error})"
            ) from None


def _numbered(file: gzip.GzipFile | IO[bytes], path: Path) -> Iterator[Line]:
    for number, line in enumerate(iter(lambda: file.readline(_LONGEST), b""), start=1):
        if len(line) == _LONGEST:
            raise ValueError(f"{path}, line {number} has more than {_LONGEST:,} bytes")
        content = line.removeprefix(_BOM) if number == 1 else line
        if content.strip():
            yield number, content


def _text(line: bytes) -> str:
    # Text in a column that is not wanted may be in any encoding.
    return line.decode("utf-8", "surrogateescape")


def _cells(line: Line, path: Path) -> list[str]:
    number, content = line
    try:
        (cells,) = csv.reader([content.decode("utf-8", "replace")], strict=True)
    except (csv.Error, ValueError) as error:
        raise ValueError(f"{path}, line {number} is not a line of CSV: {error}") from None
    return cells


def _is_number(cell: str) -> bool:
    """Tell what NumPy and PyArrow take for a number: Python accepts some more."""
    try:
        float(cell)
    except ValueError:
        return False
    return cell.isascii() and "_" not in cell


def _by_pyarrow(lines: list[bytes], width: int, columns: list[int]) -> NDArray[np.float64] | None:
    """Parse lines; None if PyArrow is not there or refuses one."""
    try:
        import pyarrow as pa
        from pyarrow import csv as reader
    except ImportError:
        return None
    names = [f"f{i}" for i in range(width)]
    chosen = [names[column] for column in columns]
    try:
        table: Any = reader.read_csv(
            pa.py_buffer(b"".join(lines)),
            read_options=reader.ReadOptions(column_names=names),
            convert_options=reader.ConvertOptions(
                column_types=dict.fromkeys(chosen, pa.float64()),
                include_columns=chosen,
                null_values=[],
            ),
        )
    except pa.ArrowException:
        return None
    if table.num_rows != len(lines):  # a quoted cell that contains the end of a line
        return None
    block = np.empty((len(lines), len(columns)))
    for i, column in enumerate(table.columns):
        block[:, i] = column.to_numpy()
    return block


def _by_numpy(lines: list[bytes], width: int, columns: list[int]) -> NDArray[np.float64]:
    """Parse lines; ValueError or csv.Error if one has other cells."""
    texts = list(map(_text, lines))
    widths = [len(cells) for cells in csv.reader(texts, strict=True)]
    if widths != [width] * len(lines):  # which NumPy lets pass where it reads some columns
        raise ValueError("the lines have different numbers of cells")
    return np.loadtxt(texts, delimiter=",", comments=None, quotechar='"', usecols=columns, ndmin=2)
