"""Kernels under transformations of JAX: calls to the native package, with exact derivatives."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import ntkfast as nk
from ntkfast._callbacks import call, once
from ntkfast.neural_tangents._arrays import as_numpy, is_traced
from ntkfast.neural_tangents._compute import compute
from ntkfast.neural_tangents._spec import Node, leaves, native

__all__ = ["traced"]


def traced(
    layers: tuple[Node, ...], x1: Any, x2: Any, values: Sequence[Any], wanted: set[str]
) -> dict[str, Any]:
    """Return the wanted kernels as functions of traced arrays."""
    dtype = jnp.result_type(*(jnp.asarray(x) for x in (x1, x2) if x is not None))
    dtype = jnp.promote_types(dtype if jnp.issubdtype(dtype, jnp.floating) else float, jnp.float32)
    first = jnp.asarray(x1, dtype)
    second = None if x2 is None else jnp.asarray(x2, dtype)
    scales = jnp.asarray(values, dtype) if values else jnp.zeros(0, dtype)
    moving = is_traced(*values)
    found = {}
    for name in sorted(wanted & {"nngp", "ntk"}):
        if second is None:
            found[name] = _gram(layers, name, moving)(first, scales)
        else:
            found[name] = _cross(layers, name, moving)(first, second, scales)
    for name, points in (("cov1", first), ("cov2", second)):
        if name in wanted and points is not None:
            one = _gram(layers, "nngp", moving)
            found[name] = jax.lax.map(lambda x, one=one: one(x[None], scales)[0, 0], points)
    same = second is None or (first.shape == second.shape and jnp.all(first == second))
    return {**found, "x1_is_x2": jnp.asarray(same)}


def _value(layers: tuple[Node, ...], name: str, x1: Any, x2: Any, scales: Any) -> Any:
    first, second = as_numpy(x1), None if x2 is None else as_numpy(x2)
    if second is not None and first.shape == second.shape and np.array_equal(first, second):
        second = None
    return compute(native(layers, scales.tolist()), first, second, {name})[name].astype(x1.dtype)


@functools.lru_cache(maxsize=256)
def _cross(layers: tuple[Node, ...], name: str, moving: bool) -> Any:
    """Return a kernel of two sets of samples; one function for each network, which `jit` knows."""

    @jax.custom_vjp
    def kernel(x1: Any, x2: Any, scales: Any) -> Any:
        shape = jax.ShapeDtypeStruct((len(x1), len(x2)), x1.dtype)
        return call(functools.partial(_value, layers, name), shape, x1, x2, scales)

    @once
    def gradients(x1: Any, x2: Any, scales: Any, g: Any) -> Any:
        shapes = tuple(jax.ShapeDtypeStruct(each.shape, each.dtype) for each in (x1, x2, scales))
        found = functools.partial(_gradients, layers, name, moving)
        return call(found, shapes, x1, x2, scales, g)

    kernel.defvjp(lambda *given: (kernel(*given), given), lambda given, g: gradients(*given, g))
    return kernel


@functools.lru_cache(maxsize=256)
def _gram(layers: tuple[Node, ...], name: str, moving: bool) -> Any:
    """Return a kernel of one set of samples."""

    @jax.custom_vjp
    def kernel(x: Any, scales: Any) -> Any:
        def value(x: Any, scales: Any) -> Any:
            return _value(layers, name, x, None, scales)

        return call(value, jax.ShapeDtypeStruct((len(x), len(x)), x.dtype), x, scales)

    @once
    def gradients(x: Any, scales: Any, g: Any) -> Any:
        def found(x: Any, scales: Any, g: Any) -> Any:
            by_x, _, by_scales = _gradients(layers, name, moving, x, None, scales, g)
            return by_x, by_scales

        shapes = tuple(jax.ShapeDtypeStruct(each.shape, each.dtype) for each in (x, scales))
        return call(found, shapes, x, scales, g)

    kernel.defvjp(lambda *given: (kernel(*given), given), lambda given, g: gradients(*given, g))
    return kernel


def _gradients(
    layers: tuple[Node, ...], name: str, moving: bool, x1: Any, x2: Any, scales: Any, g: Any
) -> tuple[Any, Any, Any]:
    """Return gradients of Σ g∘K by both sets of samples, and by all scalars if they are traced."""
    network = native(layers, scales.tolist())
    if x2 is not None and x1.shape == x2.shape and np.array_equal(x1, x2):
        x2 = x1  # one set of samples, as for the value
    by_points = getattr(network, f"{name}_vjp")(x1, x2, g)
    by_x1, by_x2 = (by_points, None) if x2 is None else by_points
    by_scales = np.zeros_like(scales)
    if moving:
        by_scales[:] = _by_scales(layers, network, name, x1, x2, g)
    return by_x1, by_x2, by_scales


def _by_scales(
    layers: tuple[Node, ...], network: nk.Network, name: Any, x1: Any, x2: Any, g: Any
) -> list[float]:
    """Return gradients by W_std and b_std of all layers.

    Raises
    ------
    NotImplementedError
        The network takes images.
    """
    if network._spatial:
        raise NotImplementedError(
            "W_std and b_std of networks on images have no derivatives yet; differentiate by the "
            "images alone, with numbers as W_std and b_std"
        )
    found = nk.kernel_gradients(network, x1, x2, tied=False, kernel=name)
    dense = [leaf for leaf in leaves(layers) if leaf.scalars]
    return [
        float((g * found[scalar.lower()][index]).sum())
        for index, leaf in enumerate(dense)
        for scalar in leaf.scalars
    ]
