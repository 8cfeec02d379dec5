"""Points for a kernel, from a file in one of several formats."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ntkfast._arrays import FloatArray, as_floats, check_finite
from ntkfast.data._npy import open_npy
from ntkfast.data.files import read_npz

__all__ = ["read_points"]


def read_points(text: str) -> FloatArray:
    """Read a file of points, one per row: NPY, NPZ (``file.npz:name`` for one of several) or CSV.

    An NPY file is memory-mapped. Raises OSError if there is no file, and ValueError or TypeError
    unless the data are finite real numbers.
    """
    path, _, name = text.rpartition(":") if ".npz:" in text.lower() else (text, "", "")
    file = Path(path)
    readers: dict[str, Callable[[Path], npt.NDArray[Any]]] = {
        ".npy": open_npy,
        ".npz": lambda file: _npz(file, name),
        ".csv": _csv,
    }
    reader = readers.get(file.suffix.lower())
    if reader is None:
        raise ValueError(
            f"{file}: unsupported file extension {file.suffix!r}; expected {', '.join(readers)}, "
            "with one point per row"
        )
    array = as_floats(reader(file), text)
    if array.ndim == 0 or not array.size:
        raise ValueError(f"{text} has shape {array.shape}; expected one row per point")
    check_finite(array, text)
    return array


def _npz(file: Path, name: str) -> npt.NDArray[Any]:
    def choose(names: list[str]) -> list[str]:
        if name in names or (not name and len(names) == 1):
            return [name] if name else names
        given = f"has no array {name!r}" if name else f"has {len(names)} arrays"
        choices = ", ".join(f"{file}:{one}" for one in names) or "none"
        raise ValueError(f"{file} {given}; choose one: {choices}")

    (array,) = read_npz(file, choose).values()
    return array


def _csv(file: Path) -> npt.NDArray[Any]:
    try:
        names = _names(file)
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # NumPy warns of an empty file
            return np.loadtxt(file, delimiter=",", ndmin=2, skiprows=names, encoding="utf-8-sig")
    except (ValueError, UserWarning) as error:
        raise ValueError(
            f"{file}: {_fault(file) or error}; expected numbers separated by commas, the same "
            "number in each line, and at most one line of column names, none of them a number, "
            "before them. Encode categories as numbers and fill in missing values first"
        ) from None


def _rows(file: Path, errors: str = "strict") -> Iterator[tuple[int, list[str]]]:
    """Yield the number, from 1, and the cells of each line that has any."""
    with file.open(encoding="utf-8-sig", errors=errors) as lines:
        for number, line in enumerate(lines, start=1):
            cells = [cell.strip() for cell in line.partition("#")[0].split(",")]
            if cells != [""]:
                yield number, cells


def _names(file: Path) -> int:
    """Return the number of lines up to the column names, with them; 0 if there are none."""
    number, cells = next(_rows(file), (0, []))
    return number if _are_names(cells) else 0


def _are_names(cells: list[str]) -> bool:
    """Tell names from points: a row with a number, also a quoted one, is a point with a fault."""
    return not any(_is_number(cell.strip("\"'")) for cell in cells)


def _fault(file: Path) -> str:
    """Describe the first error in a table, with line and column numbers from 1."""
    width, first = 0, True
    for number, cells in _rows(file, errors="replace"):
        named, first = first and _are_names(cells), False
        if named:
            continue
        for column, cell in enumerate(cells, start=1):
            if not _is_number(cell):
                return f"line {number}, column {column} is {repr(cell) if cell else 'empty'}"
        width = width or len(cells)
        if len(cells) != width:
            return f"line {number} has {len(cells)} instead of {width} columns"
    return "" if width else "it contains no numbers"


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True
