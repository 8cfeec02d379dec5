"""Checks of scalar arguments."""

from __future__ import annotations

import math
from numbers import Integral, Real

import numpy as np


def plain(value: object) -> object:
    """Return the Python or NumPy number that `value` holds; everything else as it is.

    Arrays without dimensions hold a number, of whatever library (NumPy, JAX, PyTorch, …), and so
    do numbers that Python does not count as such (`decimal.Decimal`). Arrays of one entry do not.
    """
    if isinstance(value, (Real, str, bytes, np.generic, np.ma.MaskedArray)):
        return value
    try:
        shape = getattr(value, "shape", None)
        if shape is None:
            return float(value) if hasattr(type(value), "__float__") else value  # type: ignore[arg-type]
        if tuple(shape) != ():
            return value
        item = getattr(value, "item", None)
        return item() if callable(item) else np.asarray(value).item()
    except (TypeError, ValueError, RuntimeError):
        return value  # no number, such as a symbol of SymPy or a tracer of JAX


def as_real(value: object, name: str, *, least: float = -math.inf, above: bool = False) -> float:
    """Return `value` as a finite float that is at least `least`, or greater than it if `above`.

    Raises TypeError unless it is a real number (booleans are not), ValueError outside the range.
    """
    expected = "a finite number"
    if math.isfinite(least):
        expected += f" {'>' if above else '>='} {least:g}"
    real = plain(value)
    if not isinstance(real, Real) or isinstance(real, bool):
        raise TypeError(f"{name} is {value!r}, of type {type(value).__name__}; expected {expected}")
    try:
        number = float(real)
    except OverflowError:
        raise ValueError(f"{name} is outside the range of a float; expected {expected}") from None
    if not math.isfinite(number) or number < least or (above and number == least):
        raise ValueError(f"{name} is {number!r}; expected {expected}")
    return number


def as_tolerance(value: object) -> float:
    """Return `tol`, a number > 0 and < 1; TypeError or ValueError otherwise."""
    number = as_real(value, "tol", least=0.0, above=True)
    if number >= 1:
        raise ValueError(f"tol is {value!r}; expected a number > 0 and < 1")
    return number


# The largest number of neurons, features or entries along an axis: eight terabytes, and sums and
# products of several are still exact in the core.
LARGEST = 10**12


def as_count(value: object, name: str, *, least: int, most: int | None = None) -> int:
    """Return `value` as an int from `least` to `most`; TypeError or ValueError otherwise."""
    expected = f"an integer >= {least}" + ("" if most is None else f" and <= {most}")
    integer = plain(value)
    if not isinstance(integer, Integral) or isinstance(integer, bool):
        raise TypeError(f"{name} is {value!r}, of type {type(value).__name__}; expected {expected}")
    number = int(integer)
    if number < least or (most is not None and number > most):
        raise ValueError(f"{name} is {number}; expected {expected}")
    return number


def as_size(value: object, name: str, *, least: int) -> int:
    """Return `value` as a number of neurons, features or entries, at least `least`."""
    return as_count(value, name, least=least, most=LARGEST)


def as_choice(value: object, name: str, choices: tuple[str, ...], other: str = "") -> str:
    """Return `value` if it is one of the `choices`; TypeError or ValueError otherwise.

    `other` describes what the caller takes besides.
    """
    expected = " or ".join([*map(repr, choices), *filter(None, [other])])
    if not isinstance(value, str):
        raise TypeError(f"{name} is of type {type(value).__name__}; expected {expected}")
    if value not in choices:
        raise ValueError(f"{name} is {value!r}; expected {expected}")
    return value


def as_flag(value: object, name: str) -> bool:
    """Return `value` if it is a boolean; TypeError otherwise."""
    flag = plain(value)
    if not isinstance(flag, (bool, np.bool_)):
        raise TypeError(
            f"{name} is {value!r}, of type {type(value).__name__}; expected True or False"
        )
    return bool(flag)
