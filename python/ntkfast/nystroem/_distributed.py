"""Passes over a dask.array of points, by the workers of the current client.

Points are divided into pieces of a power of two of rows, pieces into the rows of a task, and these
into bands. All depend on the numbers of points, features and centres alone, and sums are joined in
a tree, in the order of the points. So bits depend neither on the cluster nor on the chunks.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from copy import copy
from dataclasses import dataclass
from types import ModuleType
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt

from ntkfast._arrays import FloatArray
from ntkfast._foreign import is_dask
from ntkfast._ntkfast import Prepared
from ntkfast.kernels import KernelName
from ntkfast.networks import Network
from ntkfast.nystroem._bands import AnySummary, Band, as_band, as_wanted, as_weights, check_lengths
from ntkfast.nystroem._features import Features
from ntkfast.nystroem._passes import Share, Totals, kernel_of, rows_of_bands, without_points
from ntkfast.operators.distributed import total_memory

if TYPE_CHECKING:
    from ntkfast.dask.plan import Plan

__all__ = ["DistributedPasses", "DistributedPoints"]

Task: TypeAlias = Any

# Numbers and rows of a piece at most, the fewest rows, and the pieces that there should be.
_NUMBERS, _MOST, _LEAST, _PIECES = 1 << 22, 65_536, 256, 32
# Kernel values of a task.
_ENTRIES = 1 << 25
# Summaries and sums that are joined in one task, and sums that may take gigabytes.
_FAN, _PAIR = 8, 2


class DistributedPoints:
    """What `Points` are for a dask.array.

    Workers read the points, and hold them if they take at most half of their memory. Targets and
    weights are arrays of this process, or dask.arrays.
    """

    def __init__(
        self,
        network: Network,
        x: Any,
        y: Any,
        weights: Any = None,
        dtype: npt.DTypeLike | None = None,
    ) -> None:
        from ntkfast.dask.samples import as_lazy, check_sizes, with_whole_rows

        self.network = network
        points = as_lazy(network, with_whole_rows(x, "x"), "x")
        if is_dask(y):
            check_sizes(y, "y")
        else:
            y = np.asarray(y)
        check_lengths(points.shape, y.shape)
        own = as_weights(weights.compute() if is_dask(weights) else weights, len(points))
        wanted = as_wanted(dtype)
        self.dtype: np.dtype[Any] = points.dtype if wanted is None else wanted
        self.n, self.shape, self.outputs = len(points), points.shape[1:], y.shape[1:]
        self.rows = _rows_of_pieces(self.n, math.prod(self.shape))
        self._read = self._reading(points, y, own) if self.n else []
        self._pieces: list[Task] = []
        self.held = 0
        """Bytes of the points that workers hold."""

    @property
    def pieces(self) -> list[Task]:
        """Tasks for a piece each, which workers hold if there is room."""
        if not self._pieces or not self._tasks.there(self._pieces):
            size = self.n * math.prod(self.shape) * self.dtype.itemsize
            holds = self._tasks.client() is not None and size <= total_memory(None)
            self.held = size if holds else 0
            self._pieces = self._tasks.persist(self._read) if holds else self._read
        return self._pieces

    @property
    def _tasks(self) -> ModuleType:
        from ntkfast.dask import tasks

        return tasks

    def _reading(self, x: Any, y: Any, weights: FloatArray | None) -> list[Task]:
        """Return tasks that read a piece each, as a band."""
        setting = self._tasks.shared((self.network, self.dtype))
        starts = range(0, self.n, self.rows)
        rows = [slice(start, start + self.rows) for start in starts]
        targets = _pieces(y, self.rows) if is_dask(y) else [y[some] for some in rows]
        return [
            self._tasks.task(
                _band, setting, some.start, part, target, None if weights is None else weights[some]
            )
            for some, part, target in zip(rows, _pieces(x, self.rows), targets, strict=True)
        ]

    def summary(self, summary: AnySummary, rows: int) -> AnySummary:
        """Add all points to a summary, a piece at a time."""
        if not self.n:
            return summary
        empty = self._tasks.shared(summary)
        found = [self._tasks.task(_summary, empty, piece) for piece in self.pieces]
        whole: AnySummary = self._tasks.compute(self._tasks.joined(found, _joined, _FAN))
        return whole


class DistributedPasses:
    """What `Passes` are for a dask.array: workers keep up to `memory` bytes of kernels each."""

    def __init__(
        self,
        points: DistributedPoints,
        features: Features,
        prepared: Prepared,
        memory: float | None,
    ) -> None:
        from ntkfast.dask.plan import Plan

        self.points, self.features = points, features
        self.rows = min(rows_of_bands(features.m), points.rows)
        most = min(points.rows, _power_of_two(max(_ENTRIES // features.m, 1)))
        self._step = max(self.rows, most)
        """Rows of a task, or of a part of one."""
        self._memory = memory
        plan = Plan.with_recipe(points.network, prepared.recipe)
        self._kernel = _Kernel(plan, features.kernel, features.centres, self.rows)
        self._remote: Task = None
        self._kept: list[Task] = []

    @property
    def kept(self) -> int:
        """Bytes of the kernels that workers keep."""
        if not self._kept:
            return 0
        rows = sum(part.stop - part.start for _, part in self._parts[: len(self._kept)])
        return int(rows * self._row)

    @property
    def _parts(self) -> list[tuple[Task, slice]]:
        """The pieces, and rows of them, for each task."""
        left, found = self.points.n, []
        for piece in self.points.pieces:
            rows = min(self.points.rows, left)
            starts = range(0, rows, self._step)
            found += [(piece, slice(i, min(i + self._step, rows))) for i in starts]
            left -= rows
        return found

    @property
    def _row(self) -> int:
        return self.features.m * self.points.dtype.itemsize

    def total(self, share: Share, told: Callable[[int], object] | None = None) -> Totals:
        """Return the sums over all bands; `told` hears how many points were added, at the end."""
        from ntkfast.dask import tasks

        self._distribute()
        common = tasks.shared(share)
        sources = [*self._kept, *self._parts[len(self._kept) :]]
        # Matrices with m columns take as long to add as some rows to compute.
        step = math.ceil(self.features.m / self._step) if share.large else 1
        found = [
            tasks.task(_total, common, self._remote, sources[i : i + step])
            for i in range(0, len(sources), step)
        ]
        totals: Totals = tasks.compute(tasks.joined(found, _added, _PAIR if share.large else _FAN))
        if told is not None:
            told(self.points.n)
        return totals

    def _distribute(self) -> None:
        """Have the workers compute the kernels that they keep."""
        from ntkfast.dask import tasks

        if self._remote is not None and tasks.there([self._remote, *self._kept]):
            return
        (self._remote,) = tasks.persist([tasks.shared(self._kernel)])
        room = total_memory(self._memory)
        if self._memory is None:
            room = max(room - self.points.held, 0.0)
        parts = self._parts[: int(room // (self._step * self._row))]
        self._kept = tasks.persist([tasks.task(_kept, self._remote, *part) for part in parts])

    def release(self) -> None:
        """Let the workers forget the kernels."""
        self._remote, self._kept = None, []


@dataclass(frozen=True, eq=False)
class _Kernel:
    """What a worker needs to compute kernels with the centres, in bands of so many rows."""

    plan: Plan
    name: KernelName
    centres: FloatArray
    rows: int

    def bands(self, piece: Band, rows: slice) -> Iterator[tuple[Band, FloatArray]]:
        """Yield the bands of some rows of a piece with their kernel."""
        prepared = self.plan.prepared()
        for start in range(rows.start, rows.stop, self.rows):
            band = piece.some(slice(start, min(start + self.rows, rows.stop)))
            yield band, kernel_of(prepared, self.name, band.x, self.centres)


def _rows_of_pieces(n: int, numbers: int) -> int:
    most = min(_NUMBERS // max(numbers, 1), n // _PIECES, _MOST)
    return _power_of_two(max(most, _LEAST))


def _power_of_two(most: int) -> int:
    """Return the largest power of two that is at most that."""
    return 1 << (most.bit_length() - 1)


def _pieces(x: Any, rows: int) -> list[Task]:
    """Return the rows of a dask.array, so many at a time."""
    whole = x.rechunk({0: rows, **dict.fromkeys(range(1, x.ndim), -1)})
    return list(whole.to_delayed().ravel())


# What follows are tasks on a worker.


def _band(
    setting: tuple[Network, np.dtype[Any]],
    start: int,
    x: npt.NDArray[Any],
    y: npt.NDArray[Any],
    weights: FloatArray | None,
) -> Band:
    network, dtype = setting
    return as_band(network, dtype, start, x, y, weights)


def _summary(empty: AnySummary, piece: Band) -> AnySummary:
    own = copy(empty)
    own.add(piece)
    return own


def _joined(parts: list[AnySummary]) -> AnySummary:
    whole = copy(parts[0])
    for part in parts[1:]:
        whole.join(part)
    return whole


def _kept(kernel: _Kernel, piece: Band, rows: slice) -> list[tuple[Band, FloatArray]]:
    return [(without_points(band), block) for band, block in kernel.bands(piece, rows)]


def _total(share: Share, kernel: _Kernel, sources: list[Any]) -> Totals:
    """Return sums over sources: what `_kept` returned, or its arguments.

    Blocks that came through a connection may begin anywhere in memory, and are copied then.
    """
    totals: Totals = {}
    for source in sources:
        bands = source if isinstance(source, list) else kernel.bands(*source)
        for band, block in bands:
            share.add(band, np.require(block, requirements=("C", "A")), totals)
    return totals


def _added(parts: list[Totals]) -> Totals:
    total = dict(parts[0])
    for part in parts[1:]:
        for name, value in part.items():
            total[name] = total[name] + value if name in total else value
    return total
