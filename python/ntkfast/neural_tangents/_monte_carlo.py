"""Means of empirical kernels over random networks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from ntkfast.neural_tangents._axes import Axes
from ntkfast.neural_tangents._empirical import empirical_kernel_fn
from ntkfast.neural_tangents._finite import jax_modules
from ntkfast.neural_tangents._get import Get, canonicalize_get

__all__ = ["monte_carlo_kernel_fn"]


def monte_carlo_kernel_fn(
    init_fn: Callable[..., Any],
    apply_fn: Callable[..., Any],
    key: Any,
    n_samples: int | Iterable[int],
    batch_size: int = 0,
    device_count: int = -1,
    store_on_device: bool = True,
    trace_axes: Axes = (-1,),
    diagonal_axes: Axes = (),
    vmap_axes: Any = None,
    implementation: Any = 1,
    **ignored: Any,
) -> Callable[..., Any]:
    """Return kernel_fn(x1, x2=None, get=None): means of empirical kernels over random parameters.

    Parameters
    ----------
    init_fn, apply_fn
        The finite network.
    key
        The key of JAX from which all parameters are drawn.
    n_samples
        How many networks; several numbers: an iterator over the means of so many.
    trace_axes, diagonal_axes
        As for `empirical_ntk_fn`.
    batch_size, device_count, store_on_device, vmap_axes, implementation, **ignored
        Accepted, and without effect on the numbers.
    """
    jax, _ = jax_modules()
    empirical = empirical_kernel_fn(apply_fn, trace_axes, diagonal_axes)
    several = not isinstance(n_samples, int)
    counts = (n_samples,) if isinstance(n_samples, int) else tuple(n_samples)
    if not counts or min(counts) < 1:
        raise ValueError(f"n_samples is {n_samples!r}; expected integers >= 1")

    def means(x1: Any, x2: Any, get: Get, kwargs: dict[str, Any]) -> Iterator[Any]:
        one = jax.jit(lambda x1, x2, params, rng: empirical(x1, x2, get, params, **rng, **kwargs))
        total, own = None, key
        for drawn in range(1, max(counts) + 1):
            own, first, second = jax.random.split(own, 3)
            _, params = init_fn(first, x1.shape)
            found = one(x1, x2, params, {"rng": second})
            add = jax.tree_util.tree_map
            total = found if total is None else add(lambda a, b: a + b, total, found)
            if drawn in counts:
                yield add(lambda a, drawn=drawn: a / drawn, total)

    def kernel_fn(x1: Any, x2: Any = None, get: Get = None, **kwargs: Any) -> Any:
        """Compute the mean of empirical kernels; an iterator for several numbers of networks."""
        canonicalize_get(get)
        found = means(x1, x2, ("nngp", "ntk") if get is None else get, kwargs)
        return found if several else next(found)

    return kernel_fn
