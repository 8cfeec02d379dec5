"""Kernels of functions with parameters, in JAX, and their expansions around these."""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum
from typing import Any, TypeAlias

from ntkfast.neural_tangents._axes import Axes
from ntkfast.neural_tangents._finite import jax_modules
from ntkfast.neural_tangents._get import Get, get_namedtuple

__all__ = [
    "NtkImplementation",
    "empirical_kernel_fn",
    "empirical_nngp_fn",
    "empirical_ntk_fn",
    "empirical_ntk_vp_fn",
    "linearize",
    "taylor_expand",
]

Apply: TypeAlias = Callable[..., Any]


class NtkImplementation(IntEnum):
    """How to compute an empirical NTK; all give the same numbers."""

    AUTO = 0
    JACOBIAN_CONTRACTION = 1
    NTK_VECTOR_PRODUCTS = 2
    STRUCTURED_DERIVATIVES = 3


def linearize(f: Apply, params: Any) -> Apply:
    """Return the expansion of f(params, *args) in its parameters to first order."""
    return taylor_expand(f, params, 1)


def taylor_expand(f: Apply, params: Any, degree: int) -> Apply:
    """Return the expansion of f(params, *args) in its parameters to some order."""
    jax, _ = jax_modules()

    def expanded(new: Any, *args: Any, **kwargs: Any) -> Any:
        step = jax.tree_util.tree_map(lambda a, b: a - b, new, params)

        def term(order: int) -> Callable[[Any], Any]:
            if order == 0:
                return lambda given: f(given, *args, **kwargs)
            before = term(order - 1)
            return lambda given: jax.jvp(before, (given,), (step,))[1]

        total, factor = term(0)(params), 1.0
        for order in range(1, degree + 1):
            factor /= order
            add = lambda a, b, factor=factor: a + factor * b  # noqa: E731
            total = jax.tree_util.tree_map(add, total, term(order)(params))
        return total

    return expanded


def empirical_nngp_fn(f: Apply, trace_axes: Axes = (-1,), diagonal_axes: Axes = ()) -> Apply:
    """Return nngp_fn(x1, x2, params): products of outputs, the mean over ``trace_axes``.

    Axes that are neither traced nor diagonal are there twice, one after the other.
    """

    def nngp_fn(x1: Any, x2: Any, params: Any, **kwargs: Any) -> Any:
        jax, _ = jax_modules()
        first, second = _keywords(kwargs, x2 is None)
        out1 = f(params, x1, **first)
        out2 = out1 if x2 is None else f(params, x2, **second)
        return jax.tree_util.tree_map(
            lambda a, b: _contract(a, b, a.ndim, trace_axes, diagonal_axes), out1, out2
        )

    return nngp_fn


def empirical_ntk_fn(
    f: Apply,
    trace_axes: Axes = (-1,),
    diagonal_axes: Axes = (),
    vmap_axes: Any = None,
    implementation: Any = NtkImplementation.JACOBIAN_CONTRACTION,
    **ignored: Any,
) -> Apply:
    """Return ntk_fn(x1, x2, params): the kernel of the Jacobian of f by its parameters.

    Parameters
    ----------
    f
        f(params, x, **kwargs), in functions of JAX; outputs may be a tree.
    trace_axes, diagonal_axes
        Axes of outputs of which the kernel has the mean, or only equal pairs.
    vmap_axes, implementation, **ignored
        Accepted; all implementations give the same numbers.
    """

    def ntk_fn(x1: Any, x2: Any, params: Any, **kwargs: Any) -> Any:
        jax, _ = jax_modules()
        first, second = _keywords(kwargs, x2 is None)

        def jacobian(x: Any, given: dict[str, Any]) -> Any:
            return jax.jacrev(lambda p: f(p, x, **given))(params)

        out = jax.eval_shape(lambda: f(params, x1, **first))
        j1 = jacobian(x1, first)
        j2 = j1 if x2 is None else jacobian(x2, second)
        outer = jax.tree_util.tree_structure(out)
        inner = jax.tree_util.tree_structure(params)
        shapes = jax.tree_util.tree_leaves(out)
        found = []
        leaves1, leaves2 = (jax.tree_util.tree_leaves(j) for j in (j1, j2))
        for index, shape in enumerate(shapes):
            total = 0.0
            for k in range(inner.num_leaves):
                place = index * inner.num_leaves + k
                a, b = leaves1[place], leaves2[place]
                total = total + _contract(a, b, len(shape.shape), trace_axes, diagonal_axes)
            found.append(total)
        return jax.tree_util.tree_unflatten(outer, found)

    return ntk_fn


def empirical_kernel_fn(
    f: Apply,
    trace_axes: Axes = (-1,),
    diagonal_axes: Axes = (),
    vmap_axes: Any = None,
    implementation: Any = NtkImplementation.JACOBIAN_CONTRACTION,
    **ignored: Any,
) -> Apply:
    """Return kernel_fn(x1, x2, get, params): the empirical NNGP, NTK, or both."""
    functions = {
        "nngp": empirical_nngp_fn(f, trace_axes, diagonal_axes),
        "ntk": empirical_ntk_fn(f, trace_axes, diagonal_axes),
    }

    @get_namedtuple("EmpiricalKernel")
    def kernel_fn(x1: Any, x2: Any, get: Get, params: Any, **kwargs: Any) -> dict[str, Any]:
        """Compute empirical kernels."""
        names = ("nngp", "ntk") if get is None else get
        return {name: functions[name](x1, x2, params, **kwargs) for name in names}

    return kernel_fn


def empirical_ntk_vp_fn(
    f: Apply, x1: Any, x2: Any, params: Any, **kwargs: Any
) -> Callable[[Any], Any]:
    """Return v ↦ Θ(x1, x2)·v, with v in the shape of outputs at x2, without the kernel."""
    jax, _ = jax_modules()
    first, second = _keywords(kwargs, x2 is None)
    other = x1 if x2 is None else x2
    _, pull = jax.vjp(lambda p: f(p, other, **second), params)

    def product(vector: Any) -> Any:
        return jax.jvp(lambda p: f(p, x1, **first), (params,), pull(vector))[1]

    return product


def _keywords(kwargs: dict[str, Any], same: bool) -> tuple[dict[str, Any], dict[str, Any]]:
    """Split keywords for both sets of samples: pairs are one for each, and keys differ."""
    jax, _ = jax_modules()
    first, second = {}, {}
    for name, value in kwargs.items():
        if isinstance(value, tuple) and len(value) == 2:
            first[name], second[name] = value
        elif name == "rng" and value is not None and not same:
            first[name], second[name] = jax.random.split(value)
        else:
            first[name] = second[name] = value
    return first, second


def _contract(a: Any, b: Any, ndim: int, trace_axes: Axes, diagonal_axes: Axes) -> Any:
    """Return Σ a·b over all axes beyond the first `ndim`, and the mean over traced ones."""
    _, jnp = jax_modules()
    traced, diagonal = (_axes(axes, ndim) for axes in (trace_axes, diagonal_axes))
    letters1, letters2 = list(range(ndim)), list(range(ndim, 2 * ndim))
    count, out = 1, []
    for axis in range(ndim):
        if axis in traced or axis in diagonal:
            letters2[axis] = letters1[axis]
        if axis in traced:
            count *= a.shape[axis]
        elif axis in diagonal:
            out.append(letters1[axis])
        else:
            out += [letters1[axis], letters2[axis]]
    rest = list(range(2 * ndim, ndim + a.ndim))
    return jnp.einsum(a, letters1 + rest, b, letters2 + rest, out, optimize=True) / count


def _axes(axes: Axes, ndim: int) -> set[int]:
    return {axis % ndim for axis in ((axes,) if isinstance(axes, int) else axes)}
