"""Conversion of arguments to arrays, and the messages for arguments that cannot be converted.

float64 and float32 are kept. float16, integers, booleans and lists become float64. All other types
are rejected, because nothing may be downcast silently.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from ntkfast._foreign import advice, as_numbers
from ntkfast._memory import KERNELS, check, empty

FloatArray: TypeAlias = npt.NDArray[np.floating[Any]]

_KEPT = (np.dtype(np.float64), np.dtype(np.float32))  # in native byte order


def as_floats(value: object, name: str) -> FloatArray:
    """Return `value` as an aligned array of native float64 or float32, copied only if necessary."""
    if type(value) is np.ndarray and value.dtype in _KEPT and value.flags.aligned:
        return value  # the common case, without further checks
    if isinstance(value, np.ma.MaskedArray):
        raise TypeError(
            f"{name} is a masked array, and its mask would be lost; "
            f"fill or drop the masked entries first, e.g. {name}.filled(0.0)"
        )
    try:
        array = np.asarray(value)
    except ValueError as error:
        raise ValueError(
            f"{name} cannot be converted to an array; expected rows of numbers of equal length "
            f"({error})"
        ) from None
    if callable(getattr(value, "nngp", None)):
        raise TypeError(
            f"{name} is a network, {value!r}; expected an array. The network comes before the "
            "points: (network, x, ...)"
        )
    if array.dtype.kind == "O":
        array = as_numbers(value, array)
    native = array.dtype.newbyteorder("=")
    if native in _KEPT and not isinstance(value, (list, tuple)):
        dtype = native
    elif native in _KEPT or native.kind in "biu" or native == np.float16:
        dtype = np.dtype(np.float64)
    else:
        given = "is None" if value is None else f"has dtype {array.dtype}"
        raise TypeError(
            f"{name} {given}; expected real numbers: float64 or float32, or types that become "
            f"float64 (float16, integers, booleans){advice(value, array, name)}"
        )
    if array.dtype != dtype:
        check(array.size * dtype.itemsize, f"{name}, converted to {dtype},", "pass float32")
    return np.require(array, dtype, "A")


def as_kernel(value: object, name: str, call: str) -> FloatArray:
    """Return a kernel matrix as floats; `call` is the call to suggest in place of a network."""
    if hasattr(value, "nngp") and hasattr(value, "ntk"):
        what = "a network" if callable(value.ntk) else "both kernels"
        raise TypeError(
            f"{name} is {what}, of type {type(value).__name__}; "
            f"expected one kernel matrix: pass {call}"
        )
    if callable(value) and hasattr(value, "__self__"):
        raise TypeError(f"{name} is a method, which was not called; pass its result: {call}")
    return as_floats(value, name)


def as_points(x: npt.ArrayLike, name: str) -> FloatArray:
    """Return `x` as a matrix of floats: one sample per row, one feature per column."""
    array = as_floats(x, name)
    if array.ndim != 2:
        raise ValueError(
            f"{name} has shape {array.shape}; expected (n_samples, n_features). "
            + _reshape_hint(name, array.ndim)
        )
    if array.shape[1] == 0:
        raise ValueError(
            f"{name} has shape {array.shape}, so it has no features; "
            "expected (n_samples, n_features) with n_features >= 1"
        )
    return array


def _reshape_hint(name: str, ndim: int) -> str:
    if ndim == 0:
        return f"For one sample with one feature use [[{name}]]"
    if ndim == 1:
        return f"For one feature use {name}[:, None], for one sample {name}[None, :]"
    return f"To get one row per sample use {name}.reshape(len({name}), -1)"


_SHAPES = {
    0: "rows, of shape (n_samples, n_features)",
    1: "sequences, of shape (n_samples, length, channels)",
    2: "images, of shape (n_samples, height, width, channels)",
}


def as_images(x: npt.ArrayLike, name: str, rank: int | None) -> FloatArray:
    """Return `x` as floats: images (n_samples, height, width, channels), or with fewer axes.

    `rank` is the required number of spatial dimensions of `x`. None accepts images, sequences, and
    rows, which are images of one position.
    """
    array = as_floats(x, name)
    ranks = (0, 1, 2) if rank is None else (rank,)
    expected = " or ".join(_SHAPES[r] for r in ranks)
    if array.ndim - 2 not in ranks:
        raise ValueError(
            f"{name} has shape {array.shape}; expected {expected}. "
            + _image_hint(name, array.ndim, ranks)
        )
    if 0 in array.shape[1:]:
        raise ValueError(
            f"{name} has shape {array.shape}, so it has no features; "
            f"expected {expected}, with at least one of each except samples"
        )
    return array


def _image_hint(name: str, ndim: int, ranks: tuple[int, ...]) -> str:
    if ndim < 2 and 0 in ranks:
        return _reshape_hint(name, ndim)
    rank = ranks[-1]
    if ndim == rank + 1 and rank == 2:
        return f"For images with one channel use {name}[..., None], for one image {name}[None]"
    if ndim == 4:
        return f"For images stored as rows use {name}.reshape(len({name}), -1, channels)"
    if ndim > 4:
        return f"To get one sample per frame use {name}.reshape(-1, *{name}.shape[-{rank + 1}:])"
    sizes = "length" if rank == 1 else "height, width"
    return f"To reshape one row per sample use {name}.reshape(len({name}), {sizes}, channels)"


def as_output(out: object, name: str, shape: tuple[int, ...], dtype: np.dtype[Any]) -> FloatArray:
    """Return a new array if `out` is None; otherwise `out`, if the core can write to it."""
    if out is None:
        try:
            return np.empty(shape, dtype)  # compared with what is free, if it is large
        except (MemoryError, ValueError):
            return empty(shape, dtype, "the result", KERNELS)  # an error that gives the size
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


def is_same(x: object, x2: object) -> bool:
    """Tell whether both are one object, or arrays that read the same memory in the same way."""
    if x is x2:
        return x is not None
    if not (isinstance(x, np.ndarray) and isinstance(x2, np.ndarray)) or type(x) is not type(x2):
        return False  # a mask is rejected later
    return (
        x.dtype == x2.dtype
        and x.shape == x2.shape
        and x.strides == x2.strides
        and x.__array_interface__["data"] == x2.__array_interface__["data"]
    )


def check_apart(outputs: Mapping[str, FloatArray], inputs: Mapping[str, FloatArray]) -> None:
    """Reject outputs that share memory with an input or with each other."""
    others = dict(inputs)
    for name, out in outputs.items():
        for other, array in others.items():
            # The test is exact where that is cheap, as for slices; otherwise it reports an overlap.
            if np.may_share_memory(out, array, max_work=1000):  # type: ignore[arg-type]
                raise ValueError(
                    f"{name} overlaps {other} in memory; pass an array with its own memory"
                )
        others[name] = out


def check_finite(array: FloatArray, name: str) -> None:
    """Reject NaN and infinities, without a temporary array unless there is an entry to report."""
    if array.size == 0 or (np.isfinite(array.min()) and np.isfinite(array.max())):
        return
    where = tuple(int(i) for i in np.argwhere(~np.isfinite(array))[0])
    kind = "a NaN" if np.isnan(array[where]) else "an infinity"
    place = f" at index {', '.join(map(str, where))}" if where else ""
    raise ValueError(f"{name} has {kind}{place}; expected finite numbers")


def sizes_of(values: npt.NDArray[np.float64], axis: int | None = None) -> npt.NDArray[np.float64]:
    """Return powers of two: squares of values/size neither overflow nor vanish, and keep bits."""
    largest = np.abs(values).max(axis=axis, initial=0.0)
    sizes: npt.NDArray[np.float64] = np.ldexp(1.0, np.frexp(largest)[1] - 1)
    return sizes
