"""Functions of centres at any points, some of them at a time."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from ntkfast._arrays import FloatArray
from ntkfast._progress import Progress, counted
from ntkfast.kernels import KernelName
from ntkfast.networks import Network
from ntkfast.nystroem._bands import Doubles
from ntkfast.operators import KernelOperator
from ntkfast.operators._points import as_points

__all__ = ["operators", "outputs_at"]

_ROWS = 16_384


def operators(
    network: Network,
    kernel: KernelName,
    centres: FloatArray,
    x: npt.ArrayLike,
    progress: Progress,
) -> Iterator[KernelOperator]:
    """Yield K(x, Z) for some points at a time; no points are one block without rows."""
    given = x if isinstance(x, np.ndarray) else np.asarray(x)
    if given.ndim < 2:
        as_points(network, given, "x", None)  # which says what is wrong
    if given.shape[1:] != centres.shape[1:]:
        expected = ", ".join(map(str, ("k", *centres.shape[1:])))
        raise ValueError(f"x has shape {given.shape}; expected ({expected}), as the centres")
    starts = range(0, max(len(given), 1), _ROWS)
    for start in counted(progress, "Nyström", starts, len(starts)):
        yield KernelOperator(
            network, given[start : start + _ROWS], centres, kernel=kernel, memory=0
        )


def outputs_at(
    network: Network,
    kernel: KernelName,
    centres: FloatArray,
    columns: Doubles,
    x: npt.ArrayLike,
    progress: Progress,
) -> Doubles:
    """Return K(x, Z)·β, shape (k, c)."""
    found = [op @ columns for op in operators(network, kernel, centres, x, progress)]
    return np.concatenate(found)
