"""Points for a kernel, from a file in one of several formats."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ntkfast._arrays import FloatArray, as_floats, check_finite
from ntkfast.data import load_npz

__all__ = ["read_points"]


def read_points(text: str) -> FloatArray:
    """Read a file of points, one per row: NPY, NPZ (``file.npz:name`` for one of several) or CSV.

    An NPY file is memory-mapped. Raises OSError if there is no file, and ValueError or TypeError
    unless the data are finite real numbers.
    """
    path, _, name = text.rpartition(":") if ".npz:" in text.lower() else (text, "", "")
    file = Path(path)
    readers = {".npy": _npy, ".npz": lambda file: _npz(file, name), ".csv": _csv}
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


def _npy(file: Path) -> npt.NDArray[Any]:
    try:
        return np.asarray(np.lib.format.open_memmap(file, mode="r"))
    except ValueError as error:
        raise ValueError(f"{file} is truncated or not an NPY file of numbers ({error})") from None


def _npz(file: Path, name: str) -> npt.NDArray[Any]:
    arrays = load_npz(file)
    if not name and len(arrays) == 1:
        (name,) = arrays
    if name not in arrays:
        given = f"has no array {name!r}" if name else f"has {len(arrays)} arrays"
        choices = ", ".join(f"{file}:{one}" for one in arrays) or "none"
        raise ValueError(f"{file} {given}; choose one: {choices}")
    return arrays[name]


def _csv(file: Path) -> npt.NDArray[Any]:
    try:
        with file.open(encoding="utf-8-sig") as lines:
            first = lines.readline()
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # NumPy warns of an empty file
            names = 0 if _numbers(first) else 1
            return np.loadtxt(file, delimiter=",", ndmin=2, skiprows=names, encoding="utf-8-sig")
    except (ValueError, UserWarning) as error:
        raise ValueError(
            f"{file}: {_fault(file) or error}; expected numbers separated by commas, the same "
            "number in each line, and at most one line of column names before them. Encode "
            "categories as numbers and fill in missing values first"
        ) from None


def _fault(file: Path) -> str:
    """Describe the first error in a table, with line and column numbers from 1."""
    width = 0
    with file.open(encoding="utf-8-sig", errors="replace") as lines:
        for number, line in enumerate(lines, start=1):
            cells = [cell.strip() for cell in line.partition("#")[0].split(",")]
            if cells == [""] or (number == 1 and not _numbers(line)):
                continue
            for column, cell in enumerate(cells, start=1):
                if not _numbers(cell):
                    return f"line {number}, column {column} is {repr(cell) if cell else 'empty'}"
            width = width or len(cells)
            if len(cells) != width:
                return f"line {number} has {len(cells)} instead of {width} columns"
    return "" if width else "it contains no numbers"


def _numbers(line: str) -> bool:
    """Tell whether a line contains numbers rather than column names."""
    try:
        list(map(float, line.split(",")))
    except ValueError:
        return False
    return True
