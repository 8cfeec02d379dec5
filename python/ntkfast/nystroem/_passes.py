"""Passes over all points, which add up what each band of them contributes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import ClassVar, Protocol, TypeAlias

import numpy as np

from ntkfast._arrays import FloatArray
from ntkfast._memory import zeros
from ntkfast._ntkfast import Prepared, multiply_blocks
from ntkfast.kernels import KernelName, as_others, evaluate
from ntkfast.nystroem._bands import AnyPoints, Band, Doubles, as_doubles
from ntkfast.nystroem._features import Features
from ntkfast.nystroem._points import Points
from ntkfast.operators._store import Room, Store

__all__ = [
    "AnyPasses",
    "Passes",
    "Share",
    "Totals",
    "add_gathered",
    "kernel_of",
    "outputs",
    "rows_of_bands",
    "total_of",
    "without_points",
]

Totals: TypeAlias = dict[str | int, FloatArray]
"""Sums by name; one that is missing is 0."""

# Kernel values of a band, which is a power of two of rows.
_ENTRIES, _LEAST, _MOST = 1 << 22, 256, 16_384


class Share(Protocol):
    """What is added up in a pass; workers of Dask get a copy of it."""

    large: ClassVar[bool]
    """Whether the sums may be matrices with m columns."""

    def add(self, band: Band, block: FloatArray, totals: Totals) -> None:
        """Add what a band contributes.

        Parameters
        ----------
        band
            Targets and weights; its points may be missing.
        block
            Shape (k, m): its kernel with the centres.
        totals
            Changed in place.
        """


class AnyPasses(Protocol):
    """Passes in this process, or on the workers of Dask."""

    @property
    def points(self) -> AnyPoints:
        """All points."""

    @property
    def features(self) -> Features:
        """Those of the centres."""

    @property
    def rows(self) -> int:
        """Rows of a band."""

    @property
    def kept(self) -> int:
        """Bytes of the kernels that are kept."""

    def total(self, share: Share, told: Callable[[int], object] | None = None) -> Totals:
        """Return the sums over all bands; `told` hears how many points were added."""

    def release(self) -> None:
        """Let the kernels go."""


class Passes:
    """The kernel between all points and the centres, in bands of rows that are kept or recomputed.

    Bands have the same bits for any chunks and any memory.
    """

    def __init__(
        self, points: Points, features: Features, prepared: Prepared, memory: float | None
    ) -> None:
        self.points, self.features, self._prepared = points, features, prepared
        self.rows = rows_of_bands(features.m)
        outputs = int(np.prod(points.outputs, dtype=float))
        numbers = features.m * points.dtype.itemsize + (outputs + 1) * 8
        self._store = Store(Room(memory), self.rows * numbers)
        self._kept: list[Band] = []
        self._complete = False

    @property
    def kept(self) -> int:
        """Bytes of the kernels that are in memory."""
        return sum(block.nbytes for block in self._store.blocks)

    def total(self, share: Share, told: Callable[[int], object] | None = None) -> Totals:
        """Return the sums over all bands; `told` hears how many points were added."""
        totals: Totals = {}
        for band, block in self.bands():
            share.add(band, block, totals)
            if told is not None:
                told(band.start + len(block))
        return totals

    def bands(self) -> Iterator[tuple[Band, FloatArray]]:
        """Yield all bands with their kernel; points are not read if all kernels are kept."""
        if self._complete:
            yield from zip(self._kept, self._store.blocks, strict=True)
            return
        self._kept, count = [], 0
        for index, band in enumerate(self.points.bands(self.rows)):
            block, count = self._block(index, band), index + 1
            if count <= len(self._store.blocks):
                self._kept.append(without_points(band))
            yield band, block
        self._complete = count == len(self._store.blocks)

    def _block(self, index: int, band: Band) -> FloatArray:
        if index < len(self._store.blocks):
            return self._store.blocks[index]
        own = self.features
        block = kernel_of(self._prepared, own.kernel, band.x, own.centres)
        self._store.offer(index, block)
        return block

    def release(self) -> None:
        """Let the bands go."""
        self._store.release()
        self._kept, self._complete = [], False


def rows_of_bands(m: int) -> int:
    """Return the rows of a band for m centres."""
    return int(np.clip(2 ** round(np.log2(_ENTRIES / m)), _LEAST, _MOST))


def without_points(band: Band) -> Band:
    """Return the targets and the weights of a band, and hold its points no longer."""
    return replace(band, x=np.empty((0, *band.x.shape[1:]), band.x.dtype))


def kernel_of(
    prepared: Prepared, kernel: KernelName, x: FloatArray, centres: FloatArray
) -> FloatArray:
    """Return the kernel between k points and the centres: (k, m), or (results, k, m) of several."""
    return evaluate(
        prepared,
        as_others(x, centres),
        centres,
        wanted=(kernel,),
        out=(None,),
        diagonal=False,
        progress=None,
        stacked=prepared.results > 1,
    )[0]


def total_of(totals: Totals, name: str | int, shape: tuple[int, ...]) -> Doubles:
    """Return one of the sums in float64 to add to, which begins at 0."""
    if name not in totals:
        totals[name] = zeros(shape, np.float64, "a sum over the points", "use fewer centres")
    return as_doubles(totals[name])


def outputs(block: FloatArray, vectors: Doubles, weights: Doubles | None = None) -> Doubles:
    """Return W·C·v for the rows of a band."""
    out = np.zeros((len(block), vectors.shape[1]))
    multiply_blocks([block], [(0, 0)], "given", _plain(vectors), out, None)
    return out if weights is None else out * weights[:, None]


def add_gathered(block: FloatArray, values: Doubles, out: Doubles) -> None:
    """Add Cᵀ·u for the rows of a band to `out`."""
    multiply_blocks([block], [(0, 0)], "transposed", _plain(values), out, None)


def _plain(values: Doubles) -> Doubles:
    """Return contiguous numbers; those that came through a connection begin anywhere in memory."""
    return np.require(values, requirements=("C", "A"))
