"""Points and targets, read in bands of rows: from arrays, or from pieces that are read anew."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol, TypeAlias, TypeVar
from zlib import crc32

import numpy as np
import numpy.typing as npt

from ntkfast._arrays import FloatArray, as_floats
from ntkfast.data import Chunks
from ntkfast.kernels import as_samples
from ntkfast.networks import Network

__all__ = [
    "AnyPoints",
    "AnySummary",
    "Band",
    "Doubles",
    "Points",
    "Summary",
    "as_band",
    "as_doubles",
    "as_wanted",
    "as_weights",
    "check_lengths",
]

Doubles: TypeAlias = npt.NDArray[np.float64]
Piece: TypeAlias = tuple[npt.NDArray[Any], npt.NDArray[Any], npt.NDArray[Any] | None]

# Rows of an array that are taken at once, before they are cut into bands.
_PIECE = 65_536


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


class Points:
    """Points and targets of a problem, which may be larger than memory.

    Parameters
    ----------
    network
        The network that takes the points.
    x, y
        Arrays, maybe memory-mapped; or `Chunks`, and None.
    weights
        Shape (n,), for arrays; None if all are 1.
    dtype
        Type of the kernel; None: that of the points.
    """

    def __init__(
        self,
        network: Network,
        x: npt.ArrayLike | Chunks,
        y: npt.ArrayLike | None,
        weights: npt.ArrayLike | None = None,
        dtype: npt.DTypeLike | None = None,
    ) -> None:
        self.network = network
        self._chunks: Chunks | None = None
        self._arrays: Piece | None = None
        if isinstance(x, Chunks):
            if y is not None or weights is not None:
                given = "y" if y is not None else "sample_weight"
                raise TypeError(
                    f"{given} was passed beside Chunks, which hold the targets; drop it"
                )
            self._chunks = x
        else:
            self._arrays = _as_arrays(x, y, weights)
        self._wanted = as_wanted(dtype)
        self._checksums: list[int] | None = None  # of a complete pass

    @cached_property
    def dtype(self) -> np.dtype[np.floating[Any]]:
        """Type of the points and the kernel."""
        wanted = self._first[0].dtype if self._wanted is None else self._wanted
        return np.dtype(np.float32 if wanted == np.float32 else np.float64)

    @cached_property
    def outputs(self) -> tuple[int, ...]:
        """Shape of the targets of one point."""
        return self._first[1].shape[1:]

    @cached_property
    def shape(self) -> tuple[int, ...]:
        """Shape of one point."""
        return self._first[0].shape[1:]

    @cached_property
    def _first(self) -> Piece:
        for piece in self._pieces():
            return piece
        raise ValueError("there are no points; expected at least one")

    def summary(self, summary: AnySummary, rows: int) -> AnySummary:
        """Add all points to a summary, at most `rows` at a time."""
        for band in self.bands(rows):
            summary.add(band)
        return summary

    def bands(self, rows: int) -> Iterator[Band]:
        """Yield all points in their order, `rows` at a time and the rest at the end.

        Raises ValueError after the last ones of `Chunks` that are not those of the first pass.
        """
        if self._chunks is None:
            yield from self._cut(rows)
            return
        found = [0, 0]
        for band in self._cut(rows):
            parts = band.x.data, np.ascontiguousarray(band.y).data
            found = [crc32(part, old) for part, old in zip(parts, found, strict=True)]
            yield band
        if self._checksums not in (None, found):
            raise ValueError(
                "the chunks had other points, or another order, in an earlier pass; expected the "
                "same in each pass: shuffle them once, or with a fixed seed"
            )
        self._checksums = found

    def _cut(self, rows: int) -> Iterator[Band]:
        held: list[Piece] = []
        start = count = 0
        for piece in self._pieces():
            while len(piece[0]):
                held.append(_rows(piece, slice(0, rows - count)))
                piece = _rows(piece, slice(rows - count, None))  # noqa: PLW2901
                count += len(held[-1][0])
                if count == rows:
                    yield self._band(start, held)
                    held, start, count = [], start + rows, 0
        if held:
            yield self._band(start, held)

    def _pieces(self) -> Iterator[Piece]:
        if self._arrays is not None:
            for start in range(0, len(self._arrays[0]), _PIECE):
                yield _rows(self._arrays, slice(start, start + _PIECE))
            return
        assert self._chunks is not None
        for x, y in self._chunks:
            if 0 in y.shape[1:]:
                raise ValueError(
                    "the chunks have no targets; pass target=... to read_chunks, or yield pairs "
                    "(x, y) with the targets as y"
                )
            yield x, y, None

    def _band(self, start: int, held: list[Piece]) -> Band:
        x, y, weights = (_joined([piece[i] for piece in held]) for i in range(3))
        assert x is not None
        assert y is not None
        return as_band(self.network, self.dtype, start, x, y, weights)


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


def _as_arrays(x: npt.ArrayLike, y: npt.ArrayLike | None, weights: npt.ArrayLike | None) -> Piece:
    if y is None:
        again = hasattr(x, "__next__")
        raise TypeError(
            f"y is None, and x is of type {type(x).__name__}"
            + (
                ", which can be read once, but a fit reads the points several times"
                if again
                else ""
            )
            + "; pass arrays x and y, or nk.data.Chunks(function) with a function that returns an "
            "iterable of pairs (x, y)"
        )
    points, targets = (a if isinstance(a, np.ndarray) else np.asarray(a) for a in (x, y))
    check_lengths(points.shape, targets.shape)
    return points, targets, as_weights(weights, len(points))


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


def _rows(piece: Piece, rows: slice) -> Piece:
    x, y, weights = piece
    return x[rows], y[rows], None if weights is None else weights[rows]


def _joined(parts: list[npt.NDArray[Any] | None]) -> npt.NDArray[Any] | None:
    there = [part for part in parts if part is not None]
    if not there:
        return None
    return there[0] if len(there) == 1 else np.concatenate(there)


def _check_finite(values: FloatArray, start: int, name: str) -> None:
    good = np.isfinite(values).reshape(len(values), -1).all(axis=1)
    if not good.all():
        row = start + int(np.argmin(good))
        raise ValueError(
            f"row {row} of the {name} has a NaN or an infinity; rows are counted from 0"
        )
