"""What the package accepts as an array, and what it says when it cannot.

float64 and float32 stay what they are; float16, integers, booleans and lists become float64; all
else is refused, because nothing may be silently downcast.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

FloatArray: TypeAlias = npt.NDArray[np.floating[Any]]

_KEPT = (np.dtype(np.float64), np.dtype(np.float32))  # of the machine's byte order


def as_floats(value: npt.ArrayLike, name: str) -> FloatArray:
    """Return `value` as an aligned array of native float64 or float32, copied only if need be."""
    if type(value) is np.ndarray and value.dtype in _KEPT and value.flags.aligned:
        return value  # the usual case, spared the questions
    if isinstance(value, np.ma.MaskedArray):
        raise TypeError(
            f"{name} is a masked array, whose mask would be lost; "
            f"fill or drop the masked entries first, e.g. {name}.filled(0.0)"
        )
    try:
        array = np.asarray(value)
    except ValueError as error:
        raise ValueError(
            f"{name} cannot be made into an array; expected numbers in rows of one length ({error})"
        ) from None
    native = array.dtype.newbyteorder("=")
    if native in _KEPT and not isinstance(value, (list, tuple)):
        dtype = native
    elif native in _KEPT or native.kind in "biu" or native == np.float16:
        dtype = np.dtype(np.float64)
    else:
        raise TypeError(
            f"{name} has dtype {array.dtype}; expected real numbers: float64, float32, or float16, "
            "integers and booleans, which become float64. Convert it first, "
            f"e.g. {name}.astype(np.float64)"
        )
    return np.require(array, dtype, "A")


def as_points(x: npt.ArrayLike, name: str) -> FloatArray:
    """Return `x` as a matrix of floats: samples in rows, features in columns."""
    array = as_floats(x, name)
    if array.ndim != 2:
        raise ValueError(
            f"{name} has shape {array.shape}; expected (n_samples, n_features). "
            + _reshape_hint(name, array.ndim)
        )
    if array.shape[1] == 0:
        raise ValueError(
            f"{name} has shape {array.shape}, which is no feature at all; "
            "expected (n_samples, n_features) with n_features >= 1"
        )
    return array


def _reshape_hint(name: str, ndim: int) -> str:
    if ndim == 0:
        return f"For one sample of one feature use [[{name}]]"
    if ndim == 1:
        return f"For one feature use {name}[:, None], for one sample {name}[None, :]"
    return f"For one row a sample use {name}.reshape(len({name}), -1)"


def as_output(out: object, name: str, shape: tuple[int, ...], dtype: np.dtype[Any]) -> FloatArray:
    """Return a new array where `out` is None, else `out` itself, if the core can write to it."""
    if out is None:
        return np.empty(shape, dtype)
    expected = f"expected a writeable numpy array of shape {shape} and dtype {dtype}"
    if not isinstance(out, np.ndarray):
        raise TypeError(f"{name} is of type {type(out).__name__}; {expected}")
    given = f"{name} has shape {out.shape}, dtype {out.dtype}"
    if out.dtype != dtype:
        raise TypeError(f"{given}; {expected}")
    if out.shape != shape:
        raise ValueError(f"{given}; {expected}")
    if not out.flags.writeable:
        raise ValueError(f"{given}, and is read-only; {expected}")
    if not out.flags.aligned:
        raise ValueError(f"{given}, and is not aligned in memory; {expected}")
    return out


def check_finite(array: FloatArray, name: str) -> None:
    """Refuse NaN and infinities; no temporary of the array's size unless there is one to name."""
    if array.size == 0 or (np.isfinite(array.min()) and np.isfinite(array.max())):
        return
    where = tuple(int(i) for i in np.argwhere(~np.isfinite(array))[0])
    kind = "a NaN" if np.isnan(array[where]) else "an infinity"
    place = f" at index {', '.join(map(str, where))}" if where else ""
    raise ValueError(f"{name} has {kind}{place}; expected finite numbers")
