"""What the package accepts as an array, and what it says when it cannot.

float64 and float32 stay what they are; float16, integers, booleans and lists become float64; all
else is refused, because nothing may be silently downcast.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

FloatArray: TypeAlias = npt.NDArray[np.floating[Any]]

_KEPT = (np.dtype(np.float64), np.dtype(np.float32))  # of the machine's byte order


def as_floats(value: object, name: str) -> FloatArray:
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
        given = "is None" if value is None else f"has dtype {array.dtype}"
        raise TypeError(
            f"{name} {given}; expected real numbers: float64, float32, or float16, "
            f"integers and booleans, which become float64{_conversion_hint(name, array)}"
        )
    return np.require(array, dtype, "A")


def _conversion_hint(name: str, array: npt.NDArray[Any]) -> str:
    """Advise a conversion, where there is one that works."""
    if array.dtype.names:
        return f". Choose a field, e.g. {name}[{array.dtype.names[0]!r}]"
    if array.dtype.kind == "c":
        return f". Choose a part, e.g. np.real({name})"
    try:
        with np.errstate(all="ignore"):
            works = bool(np.isfinite(array.astype(np.float64)).all())
    except (TypeError, ValueError, OverflowError):
        works = False
    return f". Convert it first: np.asarray({name}).astype(np.float64)" if works else ""


def as_kernel(value: object, name: str, call: str) -> FloatArray:
    """Return a kernel matrix as floats; `call` is what to pass instead of a whole network."""
    if hasattr(value, "nngp") and hasattr(value, "ntk"):
        what = "a network" if callable(value.ntk) else "both kernels"
        raise TypeError(
            f"{name} is {what}, of type {type(value).__name__}; "
            f"expected one kernel matrix: pass {call}"
        )
    return as_floats(value, name)


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


_SHAPES = {
    1: "sequences, of shape (n_samples, length, channels)",
    2: "images, of shape (n_samples, height, width, channels)",
}


def as_images(x: npt.ArrayLike, name: str, rank: int | None) -> FloatArray:
    """Return `x` as images (n_samples, height, width, channels) of floats; no copy for its shape.

    `rank` is the number of spatial dimensions that `x` has to have, None for either. Sequences
    become images of width 1.
    """
    array = as_floats(x, name)
    ranks = (1, 2) if rank is None else (rank,)
    expected = " or ".join(_SHAPES[r] for r in ranks)
    if array.ndim - 2 not in ranks:
        raise ValueError(
            f"{name} has shape {array.shape}; expected {expected}. "
            + _image_hint(name, array.ndim, ranks[-1])
        )
    if 0 in array.shape[1:]:
        raise ValueError(
            f"{name} has shape {array.shape}, which is no feature at all; "
            f"expected {expected}, with at least one of each but samples"
        )
    return array if array.ndim == 4 else array[:, :, None, :]


def _image_hint(name: str, ndim: int, rank: int) -> str:
    if ndim == rank + 1 and rank == 2:
        return f"For images of one channel use {name}[..., None], for one image {name}[None]"
    if ndim == 4:
        return (
            f"For images in rows, one after another, use {name}.reshape(len({name}), -1, channels)"
        )
    if ndim > 4:
        return f"For every frame a sample use {name}.reshape(-1, *{name}.shape[-{rank + 1}:])"
    sizes = "length" if rank == 1 else "height, width"
    return f"For one row a sample use {name}.reshape(len({name}), {sizes}, channels)"


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


def check_apart(outputs: Mapping[str, FloatArray], inputs: Mapping[str, FloatArray]) -> None:
    """Refuse outputs that share an entry with an input or with each other."""
    others = dict(inputs)
    for name, out in outputs.items():
        for other, array in others.items():
            # Exact where that is cheap, as for any slices; "yes" where it would take too long.
            if np.may_share_memory(out, array, max_work=1000):  # type: ignore[arg-type]
                raise ValueError(
                    f"{name} overlaps {other} in memory; pass an array with memory of its own"
                )
        others[name] = out


def check_finite(array: FloatArray, name: str) -> None:
    """Refuse NaN and infinities; no temporary of the array's size unless there is one to name."""
    if array.size == 0 or (np.isfinite(array.min()) and np.isfinite(array.max())):
        return
    where = tuple(int(i) for i in np.argwhere(~np.isfinite(array))[0])
    kind = "a NaN" if np.isnan(array[where]) else "an infinity"
    place = f" at index {', '.join(map(str, where))}" if where else ""
    raise ValueError(f"{name} has {kind}{place}; expected finite numbers")
