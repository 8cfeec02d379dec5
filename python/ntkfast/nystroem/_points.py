"""Points and targets, read in bands of rows: from arrays, or from pieces that are read anew."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import Any, TypeAlias
from zlib import crc32

import numpy as np
import numpy.typing as npt

from ntkfast.data import Chunks
from ntkfast.networks import Network
from ntkfast.nystroem._bands import (
    AnySummary,
    Band,
    as_band,
    as_wanted,
    as_weights,
    check_lengths,
)

__all__ = ["Points"]

Piece: TypeAlias = tuple[npt.NDArray[Any], npt.NDArray[Any], npt.NDArray[Any] | None]

# Rows of an array that are taken at once, before they are cut into bands.
_PIECE = 65_536


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


def _rows(piece: Piece, rows: slice) -> Piece:
    x, y, weights = piece
    return x[rows], y[rows], None if weights is None else weights[rows]


def _joined(parts: list[npt.NDArray[Any] | None]) -> npt.NDArray[Any] | None:
    there = [part for part in parts if part is not None]
    if not there:
        return None
    return there[0] if len(there) == 1 else np.concatenate(there)
