"""Arrays of NumPy and of JAX, which is used where it is loaded and not imported."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

__all__ = ["Array", "as_numpy", "is_jax", "is_traced", "like", "namespace"]


class Array(np.ndarray[Any, Any]):
    """A NumPy array with the methods of JAX arrays that programs call."""

    def block_until_ready(self) -> Array:
        """Return the array, which is ready."""
        return self


def is_jax(*values: object) -> bool:
    """Return whether some value is an array of JAX, traced or not."""
    jax = sys.modules.get("jax")
    return jax is not None and any(isinstance(value, jax.Array) for value in values)


def is_traced(*values: object) -> bool:
    """Return whether some value is inside of a transformation of JAX."""
    jax = sys.modules.get("jax")
    return jax is not None and any(isinstance(value, jax.core.Tracer) for value in values)


def namespace(*values: object) -> Any:
    """Return jax.numpy if some value is an array of JAX, and NumPy otherwise."""
    if is_jax(*values):
        import jax.numpy as jnp

        return jnp
    return np


def as_numpy(value: Any) -> np.ndarray[Any, Any]:
    """Return an array that is not traced as one of NumPy, of numbers that kernels take."""
    array = np.asarray(value)
    if (array.dtype.kind == "f" and array.dtype.itemsize < 4) or array.dtype.kind == "V":
        return array.astype(np.float32)  # half precision, also bfloat16
    return array


def like(value: np.ndarray[Any, Any], *arguments: object) -> Any:
    """Return a result as an array of the kind of the arguments."""
    if is_jax(*arguments):
        import jax.numpy as jnp

        return jnp.asarray(value)
    return np.asarray(value).view(Array)
