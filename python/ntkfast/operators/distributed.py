"""Kernels whose blocks are computed, kept and multiplied by the workers of Dask."""

from __future__ import annotations

import math
from collections.abc import Sequence
from types import ModuleType
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from ntkfast._arrays import FloatArray
from ntkfast._foreign import is_dask
from ntkfast._memory import available, zeros
from ntkfast._ntkfast import multiply_blocks
from ntkfast._optional import MissingExtraError
from ntkfast._progress import Progress, Report
from ntkfast.kernels import KernelName
from ntkfast.networks import Network
from ntkfast.operators._estimate import ProductEstimate
from ntkfast.operators._store import SHARE
from ntkfast.operators.kernel import KernelOperator
from ntkfast.operators.operator import Form, Indices

__all__ = ["DistributedKernelOperator", "total_memory"]

Doubles: TypeAlias = npt.NDArray[np.float64]
Batch: TypeAlias = tuple[int, int]

# Blocks of a task, and the least and the most tasks of a product: these numbers fix the order of
# sums, and so the bits, on any cluster.
_TOGETHER, _FEW, _MANY = 16, 4, 64
# Partial sums that are added in one task.
_FAN = 8
# Entries from which rows are computed by the workers.
_ENTRIES = 1 << 21


class DistributedKernelOperator(KernelOperator):
    """What `KernelOperator` is for a dask.array of points.

    The current client of Dask computes: without one, the threads of this process. Workers hold the
    points, n·d numbers each, and as many blocks as `memory` allows. Blocks that a worker takes with
    it when it ends are computed again.

    Parameters
    ----------
    network, kernel, dtype, progress
        As for `KernelOperator`.
    x, x2
        dask.arrays, or arrays. Their points are copied to this process and to each worker.
    memory
        Bytes for kept blocks on each worker. None: half of what a worker may use, or of what is
        free. 0: none.

    Raises
    ------
    RuntimeError
        Workers have another version of ntkfast.
    KilledWorker
        Of Dask: several workers ended while they did the same task, mostly for lack of memory.

    Notes
    -----
    Entries have the bits of ``network.ntk(x)``. Products have the same bits on any cluster, but add
    in another order than those of one process. A product sends n·c numbers to each worker. Each of
    its 4 to 64 tasks returns as many, which the workers add up in groups of eight.
    """

    def __init__(
        self,
        network: Network,
        x: Any,
        x2: Any = None,
        *,
        kernel: KernelName = "ntk",
        memory: float | None = None,
        dtype: npt.DTypeLike | None = None,
        progress: Progress = None,
    ) -> None:
        same = x2 is x
        x, x2 = _computed(x), None if same or x2 is None else _computed(x2)
        super().__init__(
            network, x, x2, kernel=kernel, memory=memory, dtype=dtype, progress=progress
        )
        self._reset()

    def _reset(self) -> None:
        """Forget what the workers hold."""
        self._remote: Any = None
        self._kept: list[Any] | None = None

    @property
    def kept(self) -> int:
        """Bytes of the blocks that workers hold."""
        batches = self._batches()[: len(self._kept or ())]
        return sum(self._size(batch) for batch in batches)

    @property
    def fits(self) -> bool:
        """Whether there is room for all blocks."""
        return self._room() == len(self._batches())

    def _size(self, batch: Batch) -> int:
        sizes = (
            (rows.stop - rows.start) * (columns.stop - columns.start)
            for rows, columns in self._places[slice(*batch)]
        )
        return int(sum(sizes)) * self.dtype.itemsize

    def _batches(self) -> list[Batch]:
        """Return runs of blocks, one for each task."""
        total = len(self._places)
        tasks = min(max(total // _TOGETHER, _FEW), _MANY)
        step = max(1, math.ceil(total / tasks))
        return [(start, min(start + step, total)) for start in range(0, total, step)]

    def _room(self) -> int:
        """Return how many batches can be kept."""
        left = total_memory(self.memory)
        batches = self._batches()
        for count, batch in enumerate(batches):
            left -= self._size(batch)
            if left < 0:
                return count
        return len(batches)

    def _plain(self) -> KernelOperator:
        """Return what a worker needs to compute blocks."""
        plain: KernelOperator = KernelOperator.__new__(KernelOperator)
        plain.__setstate__({**KernelOperator.__getstate__(self), "memory": 0})
        return plain

    def _add(
        self,
        parts: list[Doubles],
        sums: list[Doubles],
        form: Form,
        report: Report | None,
    ) -> None:
        for i, part in enumerate(parts):
            sums[i] += self._product(part, form)
            if report is not None:
                report(i + 1, len(parts))

    def _product(self, vectors: Doubles, form: Form) -> Doubles:
        tasks = _tasks()
        self._distribute()
        length = self.shape[1 if form == "transposed" else 0]
        common = tasks.shared(vectors)
        kept = self._kept or []
        found = [
            tasks.task(
                _multiply,
                self._remote,
                kept[i] if i < len(kept) else None,
                batch,
                common,
                form,
                length,
            )
            for i, batch in enumerate(self._batches())
        ]
        if not found:
            return np.zeros((length, vectors.shape[1]))
        total: Doubles = tasks.compute(tasks.joined(found, _sum, _FAN))
        return total

    def _distribute(self) -> None:
        """Give the workers the points, and have them compute the blocks that they keep."""
        if self._remote is not None:
            return
        tasks = _tasks()
        (self._remote,) = tasks.persist([tasks.shared(self._plain())])
        batches = self._batches()[: self._room()]
        self._kept = tasks.persist([tasks.task(_blocks, self._remote, batch) for batch in batches])

    def _entries(self, rows: Indices, columns: Indices | None) -> FloatArray:
        width = self.shape[1]
        if columns is not None or len(rows) * width < _ENTRIES:
            return super()._entries(rows, columns)
        tasks = _tasks()
        step = max(1, min(width, _ENTRIES // max(len(rows), 1)))
        pieces = [np.arange(i, min(i + step, width)) for i in range(0, width, step)]
        self._distribute()
        found = [tasks.task(_rows, self._remote, rows, some) for some in pieces]
        return np.concatenate(tasks.compute(found), axis=1)

    def release(self) -> None:
        """Let the workers forget points and blocks. The next product computes them again."""
        self._reset()

    def estimate(self, columns: int = 1) -> ProductEstimate:
        """Raise ValueError: rates of workers are not measured."""
        raise ValueError(
            "estimates are for one machine; make a KernelOperator of an array of the points, and "
            "divide its seconds by the number of workers like this machine"
        )

    def __getstate__(self) -> dict[str, Any]:
        state = super().__getstate__()
        return {name: value for name, value in state.items() if name not in ("_remote", "_kept")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        self._reset()


def _blocks(op: KernelOperator, batch: Batch) -> list[FloatArray]:
    """Return some blocks; a task on a worker."""
    return [op._block(*place) for place in op._places[slice(*batch)]]


def _multiply(
    op: KernelOperator,
    blocks: Sequence[FloatArray] | None,
    batch: Batch,
    vectors: Doubles,
    form: Form,
    length: int,
) -> Doubles:
    """Return the share of some blocks in a product; a task on a worker.

    Arrays that came through a connection may begin anywhere in memory, and are copied then.
    """
    aligned = np.require(vectors, np.float64, ("C", "A"))
    out = zeros((length, vectors.shape[1]), np.float64, "the product")
    for i, (rows, columns) in enumerate(op._places[slice(*batch)]):
        block = op._block(rows, columns) if blocks is None else blocks[i]
        block = np.require(block, requirements=("C", "A"))
        multiply_blocks([block], [(rows.start, columns.start)], form, aligned, out, None)
    return out


def _rows(op: KernelOperator, rows: Indices, columns: Indices) -> FloatArray:
    """Return entries; a task on a worker."""
    return op._entries(rows, columns)


def _sum(parts: list[Doubles]) -> Doubles:
    """Add shares in their order; a task on a worker."""
    total = parts[0].copy()
    for part in parts[1:]:
        total += part
    return total


def _computed(x: Any) -> Any:
    return x.compute() if is_dask(x) else x


def _tasks() -> ModuleType:
    try:
        from ntkfast.dask import tasks
    except ImportError as error:
        raise MissingExtraError("KernelOperator of a dask.array", "dask", "dask") from error
    return tasks


def total_memory(memory: float | None) -> float:
    """Return the bytes for kept blocks on all workers together."""
    client = _tasks().client()
    if client is None:
        return SHARE * available() if memory is None else memory
    workers = client.scheduler_info(n_workers=-1)["workers"].values()
    if memory is not None:
        return memory * len(workers)
    limits = [worker["memory_limit"] or available() / len(workers) for worker in workers]
    return SHARE * float(sum(limits))
