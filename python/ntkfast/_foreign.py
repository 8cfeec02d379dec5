"""Arguments that NumPy does not see as numbers: tables, other numbers, advice on the rest.

Other libraries are recognised by the methods of their classes, so that none is imported.
"""

from __future__ import annotations

import datetime
import sys
from numbers import Real
from typing import Any

import numpy as np
import numpy.typing as npt

from ntkfast._scalars import plain

__all__ = ["advice", "as_numbers", "is_dask"]

_DAYS = "np.timedelta64(1, 'D')"


def is_dask(value: object) -> bool:
    """Tell whether `value` is a dask array. There are none before dask.array is imported."""
    module = sys.modules.get("dask.array")
    return module is not None and isinstance(value, getattr(module, "Array", ()))


def as_numbers(value: Any, array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return float64 for a number of any type, or a table whose columns are all numbers.

    `array` is what NumPy makes of `value`, of dtype object. It is returned if `value` is neither.
    Columns of several types make NumPy see objects, even if all of them are numbers or booleans.
    """
    try:
        if array.ndim == 0:
            number = plain(value)
            known = isinstance(number, Real) and not isinstance(number, np.generic)
            return np.asarray(float(number)) if known else array  # type: ignore[arg-type]
        columns = _columns(value)
        if columns and all(map(_is_real, columns.values())):
            numbers: npt.NDArray[Any] = value.to_numpy(np.float64)
            return numbers
    except (TypeError, ValueError, OverflowError):  # missing values, or a number without bounds
        pass
    return array


def advice(value: Any, array: npt.NDArray[Any], name: str) -> str:
    """Suggest how to make numbers of an argument that has none; empty if there is no way."""
    if callable(getattr(value, "toarray", None)):
        return f". It is a sparse matrix: pass {name}.toarray()"
    if array.dtype.names:
        return f". Choose a field, e.g. {name}[{array.dtype.names[0]!r}]"
    if array.dtype.kind == "c":
        return f". Choose a part, e.g. np.real({name})"
    columns = _columns(value) if array.ndim == 2 else {}
    for column, dtype in columns.items():
        if getattr(dtype, "kind", "") in ("m", "M"):
            days = f"({name}[{column!r}] - {name}[{column!r}].min()) / {_DAYS}"
            return f". Column {column!r} holds dates: make numbers of them, such as days: {days}"
        if not _is_real(dtype):
            return (
                f". Column {column!r} holds no numbers: encode it or drop it, "
                f"then pass {name}.to_numpy(float)"
            )
    if columns:
        return f". Fill its missing values or drop them, then pass {name}.to_numpy(float)"
    return _of_dates(name, _kind_of_dates(array)) or _conversion(name, array)


def _columns(value: Any) -> dict[Any, Any]:
    """Return the types of the columns of a table (pandas), by name; of a single column too."""
    if not callable(getattr(value, "to_numpy", None)) or not hasattr(value, "dtypes"):
        return {}
    dtypes = value.dtypes
    items = getattr(dtypes, "items", None)
    return dict(items()) if callable(items) else {getattr(value, "name", None): dtypes}


def _is_real(dtype: Any) -> bool:
    """Whether a column of this type holds numbers that float64 takes without loss of range."""
    return getattr(dtype, "kind", "") in ("b", "i", "u", "f") and getattr(dtype, "itemsize", 8) <= 8


def _kind_of_dates(array: npt.NDArray[Any]) -> str:
    """Return "M" for dates, "m" for durations, and "" for everything else."""
    if array.dtype.kind in "mM":
        return array.dtype.kind
    first = array.flat[0] if array.dtype.kind == "O" and array.size else None
    if isinstance(first, datetime.timedelta):
        return "m"
    return "M" if isinstance(first, datetime.date) else ""


def _of_dates(name: str, kind: str) -> str:
    if kind == "M":
        first = f"np.asarray({name}, 'M8[us]')"
        return f". Make numbers of dates, such as days: ({first} - {first}.min()) / {_DAYS}"
    if kind == "m":
        return f". Make numbers of durations, such as days: np.asarray({name}, 'm8[us]') / {_DAYS}"
    return ""


def _conversion(name: str, array: npt.NDArray[Any]) -> str:
    """Suggest a conversion, if one works."""
    try:
        with np.errstate(all="ignore"):
            works = bool(np.isfinite(array.astype(np.float64)).all())
    except (TypeError, ValueError, OverflowError):
        works = False
    return f". Convert it first: np.asarray({name}).astype(np.float64)" if works else ""
