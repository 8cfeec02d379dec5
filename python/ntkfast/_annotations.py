"""Checks that values from a file match a type annotation."""

from __future__ import annotations

import types
from collections.abc import Callable
from typing import Any, Literal, Union, get_args, get_origin

import numpy as np

__all__ = ["fits"]


def fits(value: object, annotation: Any) -> bool:
    """Tell whether `value` has the annotated type; for an array, whether its entries have it."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if hasattr(origin, "__value__"):  # a type alias, such as NDArray since NumPy 2.5
        return fits(value, origin.__value__[arguments])
    if origin in (Union, types.UnionType):
        return any(fits(value, one) for one in arguments)
    if origin is Literal:
        return any(value == one and type(value) is type(one) for one in arguments)
    if origin is Callable:
        return False  # functions are not read from files
    if origin is tuple and arguments[1:] == (...,):
        return isinstance(value, tuple) and all(fits(item, arguments[0]) for item in value)
    if origin is dict:
        return isinstance(value, dict) and all(fits(item, arguments[1]) for item in value.values())
    if origin is np.ndarray:
        (entry,) = get_args(arguments[1])
        kind = get_origin(entry) or entry
        return isinstance(value, np.ndarray) and (kind is Any or issubclass(value.dtype.type, kind))
    if annotation in (float, int):
        numbers = (int, float) if annotation is float else int
        return isinstance(value, numbers) and not isinstance(value, bool)
    return isinstance(value, type(None) if annotation is None else origin or annotation)
