"""Calls of functions of NumPy arrays, out of functions that JAX compiles or transforms."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import numpy as np

__all__ = ["call", "once"]


def call(function: Callable[..., Any], shapes: Any, *arguments: Any) -> Any:
    """Call a function of NumPy arrays, once for each entry of a batch under `jax.vmap`."""

    def plain(*given: Any) -> Any:
        return function(*map(np.asarray, given))

    try:
        return jax.pure_callback(plain, shapes, *arguments, vmap_method="sequential")
    except TypeError:  # before JAX 0.4.34
        return jax.pure_callback(plain, shapes, *arguments, vectorized=False)


def once(function: Callable[..., Any]) -> Any:
    """Return a function whose derivative is refused by name."""
    own = jax.custom_jvp(function)

    @own.defjvp
    def refuse(primals: Any, tangents: Any) -> Any:
        raise TypeError(
            "kernels of ntkfast are differentiated once; second derivatives are not provided"
        )

    return own
