"""Kernels in batches, which need none here: blocks fit in memory as they are computed."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from ntkfast.neural_tangents._arrays import as_numpy, like
from ntkfast.neural_tangents._kernel import Kernel
from ntkfast.neural_tangents._kernel_fn import KernelFn

__all__ = ["batch"]


def batch(
    kernel_fn: Callable[..., Any],
    batch_size: int = 0,
    device_count: int = -1,
    store_on_device: bool = True,
) -> Callable[..., Any]:
    """Return a function that computes a kernel in batches.

    Parameters
    ----------
    kernel_fn
        A kernel function. Analytic ones are returned as they are: they take no more memory than
        their result. Others are called with blocks of ``batch_size`` samples.
    batch_size
        Samples in a block of either set; 0: all. A last block may be smaller.
    device_count, store_on_device
        Accepted, and without effect: there is one device, the CPU.
    """
    if isinstance(kernel_fn, KernelFn) or batch_size <= 0:
        return kernel_fn

    @functools.wraps(kernel_fn)
    def batched(x1: Any, x2: Any = None, *args: Any, **kwargs: Any) -> Any:
        same = x2 is None
        other = x1 if same else x2
        rows = []
        for i in _starts(len(x1), batch_size):
            blocks = []
            for j in _starts(len(other), batch_size):
                second = None if same and i == j else other[j : j + batch_size]
                blocks.append(kernel_fn(x1[i : i + batch_size], second, *args, **kwargs))
            rows.append(_joined(blocks, axis=1, arguments=(x1, x2)))
        return _joined(rows, axis=0, arguments=(x1, x2))

    return batched


def _starts(count: int, size: int) -> range:
    return range(0, max(count, 1), size)


def _joined(blocks: list[Any], axis: int, arguments: tuple[Any, ...]) -> Any:
    """Put results side by side: arrays, or tuples and kernels of them."""
    first = blocks[0]
    if len(blocks) == 1 or first is None:
        return first
    if isinstance(first, Kernel):
        parts = {
            name: _joined([getattr(block, name) for block in blocks], axis, arguments)
            for name in ("nngp", "ntk")
        }
        return first.replace(**parts)
    if isinstance(first, tuple) and hasattr(first, "_fields"):
        columns = zip(*blocks, strict=True)
        return type(first)(*(_joined(list(column), axis, arguments) for column in columns))
    return like(np.concatenate([as_numpy(block) for block in blocks], axis=axis), *arguments)
