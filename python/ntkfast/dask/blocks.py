"""Blocks of kernels: what a task computes on a worker."""

from __future__ import annotations

from ntkfast._arrays import FloatArray
from ntkfast.dask.memory import room_for
from ntkfast.dask.plan import Plan
from ntkfast.kernels import KernelName, as_others, evaluate

__all__ = ["block", "diagonal"]

_Result = FloatArray | tuple[FloatArray, ...]


def block(
    wanted: tuple[KernelName, ...],
    turned: bool,
    plan: Plan,
    x: FloatArray,
    x2: FloatArray | None = None,
) -> _Result:
    """Return a block of each wanted kernel, or the block itself if there is only one.

    Without `x2` the block is on the diagonal. If `turned`, the samples of `x2` come first when
    pairs are computed: in a Gram matrix of images that is computed in one call, the later does.
    """
    if x2 is not None:
        x = as_others(x, x2)  # one chunk may be in memory once, and stand for other points as well
    shape = len(x), len(x if x2 is None else x2)
    with room_for(len(wanted) * shape[0] * shape[1] * x.dtype.itemsize, shape):
        if not turned or x2 is None:
            return _kernels(wanted, plan, x, x2)
        found = _kernels(wanted, plan, x2, x)
        return tuple(part.T for part in found) if isinstance(found, tuple) else found.T


def diagonal(wanted: tuple[KernelName, ...], plan: Plan, x: FloatArray) -> _Result:
    """Return the kernels of each sample with itself."""
    return _kernels(wanted, plan, x, None, diagonal=True)


def _kernels(
    wanted: tuple[KernelName, ...],
    plan: Plan,
    x: FloatArray,
    x2: FloatArray | None,
    *,
    diagonal: bool = False,
) -> _Result:
    found = evaluate(
        plan.prepared(),
        x,
        x2,
        wanted=wanted,
        out=(None,) * len(wanted),
        diagonal=diagonal,
        progress=None,
        rank=plan.network._rank,
    )
    return found[0] if len(found) == 1 else tuple(found)
