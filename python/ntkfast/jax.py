"""Kernels as differentiable functions of JAX arrays."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ntkfast._optional import MissingExtraError
from ntkfast._scalars import as_choice
from ntkfast.kernels import KernelName, as_others
from ntkfast.networks import Network
from ntkfast.networks.composition import as_first

__all__ = ["kernel"]

try:
    import jax
    import jax.numpy as jnp
except ImportError as error:
    raise MissingExtraError("ntkfast.jax", "jax", "jax") from error

from ntkfast._callbacks import call, once


def kernel(network: Network, *, kernel: KernelName = "ntk") -> Callable[..., Any]:
    """Return a kernel as a function of JAX arrays.

    Parameters
    ----------
    network
        The network.
    kernel
        ``"ntk"`` or ``"nngp"``.

    Returns
    -------
    callable
        f(x, x2=None), with n samples in x and m in x2, rows or images as for `Network.ntk`: the
        kernel, shape (n, m), in the type of the arrays. It works under `jax.jit`, `jax.grad`,
        `jax.value_and_grad` and `jax.vmap`, which calls it once for each entry of the batch.

    Raises
    ------
    ImportError
        JAX is not installed; install the extra ``jax``.
    TypeError
        Where f is differentiated twice, or in forward mode (`jax.jvp`), which is not provided.

    Notes
    -----
    The function calls `Network.ntk` or `Network.nngp` on the CPU, and for a gradient
    `Network.ntk_vjp`. JAX computes in float32 unless ``jax_enable_x64`` is set.

    Examples
    --------
    >>> import jax, jax.numpy as jnp
    >>> from ntkfast import mlp
    >>> f = kernel(mlp(2))
    >>> x = jnp.eye(3)
    >>> jax.grad(lambda x: f(x).sum())(x).shape
    (3, 3)
    """
    as_choice(kernel, "kernel", ("ntk", "nngp"))
    between, gram = _between(as_first(network), kernel), _gram(network, kernel)

    def function(x: Any, x2: Any = None) -> Any:
        x = _as_points(network, x, "x")
        if x2 is None:
            return gram(_as_single(x)).astype(x.dtype)
        x2 = _as_points(network, x2, "x2")
        if x2.shape[1:] != x.shape[1:]:
            expected = ", ".join(map(str, x.shape[1:]))
            raise ValueError(f"x2 has shape {x2.shape}; expected (m, {expected}), as in x")
        dtype = jnp.result_type(x, x2)
        x, x2 = (_as_single(points.astype(dtype)) for points in (x, x2))
        return between(x, x2).astype(dtype)

    function.__name__ = f"{kernel}_of_network"
    function.__doc__ = f"Compute the {kernel.upper()} of {network!r}."
    return function


def _between(network: Network, name: KernelName) -> Any:
    value, vjp = getattr(network, name), getattr(network, f"{name}_vjp")

    @jax.custom_vjp
    def between(x: Any, x2: Any) -> Any:
        shape = jax.ShapeDtypeStruct((len(x), len(x2)), x.dtype)
        return call(lambda x, x2: value(as_others(x, x2), x2), shape, x, x2)

    def forward(x: Any, x2: Any) -> Any:
        return between(x, x2), (x, x2)

    @once
    def gradients(x: Any, x2: Any, g: Any) -> Any:
        shapes = jax.ShapeDtypeStruct(x.shape, x.dtype), jax.ShapeDtypeStruct(x2.shape, x2.dtype)
        return call(lambda x, x2, g: vjp(as_others(x, x2), x2, g), shapes, x, x2, g)

    between.defvjp(forward, lambda points, g: gradients(*points, g))
    return between


def _gram(network: Network, name: KernelName) -> Any:
    value, vjp = getattr(network, name), getattr(network, f"{name}_vjp")

    @jax.custom_vjp
    def gram(x: Any) -> Any:
        return call(value, jax.ShapeDtypeStruct((len(x), len(x)), x.dtype), x)

    @once
    def gradient(x: Any, g: Any) -> Any:
        return call(lambda x, g: vjp(x, None, g), jax.ShapeDtypeStruct(x.shape, x.dtype), x, g)

    gram.defvjp(lambda x: (gram(x), x), lambda x, g: (gradient(x, g),))
    return gram


def _as_points(network: Network, x: Any, name: str) -> Any:
    points = jnp.asarray(x)
    if not network._spatial and points.ndim != 2:
        raise ValueError(f"{name} has shape {points.shape}; expected (n_samples, n_features)")
    if not jnp.issubdtype(points.dtype, jnp.floating):
        points = points.astype(jnp.float64 if jax.config.jax_enable_x64 else jnp.float32)
    return points


def _as_single(points: Any) -> Any:
    """Return points of half precision in float32, which the core takes; others as they are."""
    return points.astype(jnp.promote_types(points.dtype, jnp.float32))
