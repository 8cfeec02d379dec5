"""Functions of centres at any points, some of them at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ntkfast._arrays import FloatArray
from ntkfast._foreign import is_dask
from ntkfast._progress import Progress, counted
from ntkfast.kernels import KernelName
from ntkfast.networks import Network
from ntkfast.nystroem._bands import Doubles, as_doubles
from ntkfast.operators import KernelOperator
from ntkfast.operators._points import as_points

__all__ = ["Mean", "at", "operators"]

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
    _check_shape(given.shape, centres)
    starts = range(0, max(len(given), 1), _ROWS)
    for start in counted(progress, "Nyström", starts, len(starts)):
        yield KernelOperator(
            network, given[start : start + _ROWS], centres, kernel=kernel, memory=0
        )


@dataclass(frozen=True, eq=False)
class Mean:
    """Functions K(x, Z)·β.

    Attributes
    ----------
    network, kernel
        Of the regression.
    centres
        Shape (m, …).
    coefficients
        β, shape (m,) or (m, …).
    """

    network: Network
    kernel: KernelName
    centres: FloatArray
    coefficients: FloatArray

    def __call__(self, x: npt.ArrayLike, progress: Progress = None) -> Doubles:
        """Return the functions at k points, shape (k,) or (k, …)."""
        columns = as_doubles(self.coefficients).reshape(len(self.centres), -1)
        blocks = operators(self.network, self.kernel, self.centres, x, progress)
        found = np.concatenate([op @ columns for op in blocks])
        return found.reshape(len(found), *self.coefficients.shape[1:])


def at(
    x: npt.ArrayLike,
    function: Callable[[npt.ArrayLike, Progress], Doubles],
    *,
    centres: FloatArray,
    outputs: tuple[int, ...],
    progress: Progress,
) -> Doubles:
    """Return a function of points: an array, or a dask.array for points in a dask.array."""
    if not is_dask(x):
        return function(x, progress)
    from ntkfast.dask.outputs import by_rows

    _check_shape(np.shape(x), centres)
    found: Doubles = by_rows(
        _called, function, x, outputs=outputs, dtype=np.float64, progress=progress
    )
    return found


def _check_shape(given: tuple[int, ...], centres: FloatArray) -> None:
    if given[1:] != centres.shape[1:]:
        expected = ", ".join(map(str, ("k", *centres.shape[1:])))
        raise ValueError(f"x has shape {given}; expected ({expected}), as the centres")


def _called(function: Callable[[npt.ArrayLike, Progress], Doubles], x: FloatArray) -> Doubles:
    return function(x, None)
