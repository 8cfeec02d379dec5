"""Rows of points and targets that follow each other, and their checks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt

from ntkfast._arrays import FloatArray, as_floats
from ntkfast.kernels import as_samples
from ntkfast.networks import Network

__all__ = [
    "AnyPoints",
    "AnySummary",
    "Band",
    "Doubles",
    "Summary",
    "as_band",
    "as_doubles",
    "as_wanted",
    "as_weights",
    "check_lengths",
]

Doubles: TypeAlias = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Band:
    """Rows that follow each other.

    Attributes
    ----------
    start
        Number of the first row.
    x, y
        Shapes (k, …) and (k, c): points in the type of the kernel, and targets.
    weights
        Shape (k,): numbers ≥ 0; None if all are 1.
    """

    start: int
    x: FloatArray
    y: Doubles
    weights: Doubles | None

    def some(self, rows: slice) -> Band:
        """Return some of the rows."""
        weights = None if self.weights is None else self.weights[rows]
        return Band(self.start + rows.start, self.x[rows], self.y[rows], weights)


class Summary(Protocol):
    """What is found out about points; a copy of it can be made before any are added."""

    def add(self, band: Band) -> None:
        """Look at further points."""

    def join(self, later: Any, /) -> None:
        """Join a summary of points that follow."""


AnySummary = TypeVar("AnySummary", bound=Summary)


class AnyPoints(Protocol):
    """Points in this process, or on the workers of Dask."""

    @property
    def network(self) -> Network:
        """The network that takes them."""

    @property
    def dtype(self) -> np.dtype[np.floating[Any]]:
        """Type of the points and the kernel."""

    @property
    def outputs(self) -> tuple[int, ...]:
        """Shape of the targets of one point."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one point."""

    def summary(self, summary: AnySummary, rows: int) -> AnySummary:
        """Add all points to a summary, at most `rows` at a time."""


def as_doubles(values: FloatArray) -> Doubles:
    """Return values as float64, which most of them are."""
    return values.astype(np.float64, copy=False)


def as_wanted(dtype: npt.DTypeLike | None) -> np.dtype[Any] | None:
    """Check the argument `dtype`."""
    if dtype is not None and np.dtype(dtype) not in (np.float32, np.float64):
        raise ValueError(f"dtype is {np.dtype(dtype)}; expected float32 or float64")
    return None if dtype is None else np.dtype(dtype)


def as_band(
    network: Network,
    dtype: np.dtype[np.floating[Any]],
    start: int,
    x: npt.NDArray[Any],
    y: npt.NDArray[Any],
    weights: npt.NDArray[Any] | None,
) -> Band:
    """Return rows as numbers in the type of the kernel; they have to be finite."""
    points = as_samples(network._program, as_floats(x, "x"), "x", network._rank)
    _check_finite(points, start, "points")
    with np.errstate(over="ignore"):
        cast = np.array(points, dtype, order="C")
    if not np.isfinite(cast).all():
        raise ValueError(
            f"the points from row {start} on have entries beyond the range of {dtype}; "
            "scale them down, or use float64"
        )
    targets = as_floats(y, "y").astype(np.float64, copy=False)
    _check_finite(targets, start, "targets")
    own = None if weights is None else as_floats(weights, "sample_weight").astype(np.float64)
    return Band(start, cast, targets.reshape(len(targets), -1), own)


def check_lengths(points: tuple[int, ...], targets: tuple[int, ...]) -> None:
    """Refuse targets of another number of points, and those without outputs."""
    if not points or not targets or points[0] != targets[0]:
        raise ValueError(
            f"x has shape {points} and y has shape {targets}; expected one row of y for each row "
            "of x"
        )
    if 0 in targets[1:]:
        raise ValueError(f"y has shape {targets}, so it has no outputs")


def as_weights(weights: npt.ArrayLike | None, n: int) -> FloatArray | None:
    """Return the weights of n points; None if all are 1."""
    if weights is None:
        return None
    own = as_floats(weights, "sample_weight")
    if own.shape != (n,):
        raise ValueError(f"sample_weight has shape {own.shape}; expected ({n},)")
    if not (own >= 0).all() or not np.isfinite(own).all() or (len(own) and not own.any()):
        raise ValueError("sample_weight has to consist of finite numbers >= 0 that are not all 0")
    return own


def _check_finite(values: FloatArray, start: int, name: str) -> None:
    good = np.isfinite(values).reshape(len(values), -1).all(axis=1)
    if not good.all():
        row = start + int(np.argmin(good))
        raise ValueError(
            f"row {row} of the {name} has a NaN or an infinity; rows are counted from 0"
        )
