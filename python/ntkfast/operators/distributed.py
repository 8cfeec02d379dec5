"""Kernels whose blocks are computed, kept and multiplied by the workers of Dask."""

from __future__ import annotations

from types import ModuleType
from typing import Any
from uuid import uuid4

import numpy as np
import numpy.typing as npt

from ntkfast._arrays import FloatArray
from ntkfast._foreign import is_dask
from ntkfast._memory import available
from ntkfast._optional import MissingExtraError
from ntkfast._progress import Progress, Report
from ntkfast.kernels import KernelName
from ntkfast.networks import Network
from ntkfast.operators import _tasks
from ntkfast.operators._estimate import ProductEstimate
from ntkfast.operators._store import SHARE
from ntkfast.operators._tasks import Batch, Doubles
from ntkfast.operators.kernel import KernelOperator
from ntkfast.operators.operator import Form, Indices

__all__ = ["DistributedKernelOperator", "total_memory"]

# Blocks of a task, and the least and the most tasks of a product. These numbers fix the order of
# sums, and so the bits, on any cluster.
_TOGETHER, _FEW, _MANY = 16, 4, 64
# Shares that one task adds, 2^k.
_FAN = 8
# Bytes of vectors, for all tasks together, up to which each task has them in itself, and some
# shares return: two steps less, of some milliseconds each.
_SMALL = 1 << 25
# Entries from which rows are computed by the workers.
_ENTRIES = 1 << 21


class DistributedKernelOperator(KernelOperator):
    """What `KernelOperator` is for a dask.array of points.

    The current client of Dask computes: without one, the threads of this process. Workers hold the
    points, n·d numbers each, and as many blocks as `memory` allows. Blocks that a worker takes with
    it when it ends are computed again, as are all after a restart, or with another client.

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
    in another order than those of one process. A product sends n·c numbers to each worker, and
    takes some 30 ms beside its work. Its up to 64 tasks return at most as many numbers each, which
    workers add in groups of eight. If all blocks are kept, there is about one task for each thread.
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
        self._kept: list[Any] = []  # of the first batches, their blocks
        self._kept_runs: list[Batch] = []

    @property
    def kept(self) -> int:
        """Bytes of the blocks that workers hold."""
        return sum(map(self._size, self._batches()[: len(self._kept)]))

    @property
    def fits(self) -> bool:
        """Whether there is room for all blocks."""
        total = len(self._batches())
        return not total or any(stop == total for (_, stop), _ in self._groups())

    def _size(self, batch: Batch) -> int:
        sizes = (
            (rows.stop - rows.start) * (columns.stop - columns.start)
            for rows, columns in self._places[slice(*batch)]
        )
        return int(sum(sizes)) * self.dtype.itemsize

    def _batches(self) -> list[Batch]:
        """Return runs of blocks, one for each task: 2^k, so that they divide evenly."""
        total = len(self._places)
        tasks = min(_power(min(max(total // _TOGETHER, _FEW), _MANY)), total)
        return [(total * i // tasks, total * (i + 1) // tasks) for i in range(tasks)]

    def _groups(self) -> list[tuple[Batch, str | None]]:
        """Return runs of batches that one worker keeps, and the worker.

        If all are kept, there is about one run for each thread: a task for each batch would take
        longer to hand out. Otherwise a run is a batch, as long as there is room.
        """
        workers = _workers(self.memory)
        threads = sum(threads for _, threads in workers.values())
        total = len(self._batches())
        runs = _power(threads)
        runs = runs if runs == threads else 4 * runs  # which threads share more evenly
        found = self._shared_out(workers, max(1, _power(total) // runs))
        complete = any(stop == total for (_, stop), _ in found)
        return found if complete else self._shared_out(workers, 1)

    def _shared_out(
        self, workers: dict[str | None, tuple[float, int]], together: int
    ) -> list[tuple[Batch, str | None]]:
        """Give each run of batches to the worker that then has least for its threads."""
        sizes = [self._size(batch) for batch in self._batches()]
        taken = dict.fromkeys(workers, 0)
        found: list[tuple[Batch, str | None]] = []
        for start in range(0, len(sizes), together):
            size = sum(sizes[start : start + together])
            fitting = [name for name, (room, _) in workers.items() if taken[name] + size <= room]
            if not fitting:
                break
            keeper = min(fitting, key=lambda name: (taken[name] + size) / workers[name][1])
            taken[keeper] += size
            found.append(((start, min(start + together, len(sizes))), keeper))
        return found

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
        self._distribute()
        if not self._places:
            return np.zeros((self.shape[1 if form == "transposed" else 0], vectors.shape[1]))
        shares = _dask().compute(self._shares(vectors, form), optimize_graph=False)
        _, product = _tasks.added(shares)
        return product

    def _shares(self, vectors: Doubles, form: Form) -> list[Any]:
        """Return tasks for shares of a product: few, or one if they are large.

        Their graph is written down, because each dask.delayed takes a millisecond.
        """
        from dask.delayed import Delayed
        from dask.highlevelgraph import HighLevelGraph

        batches = self._batches()
        single = [(i, i + 1) for i in range(len(self._kept), len(batches))]
        runs = [*self._kept_runs, *single]
        keys = [task.key for task in self._kept] + [None] * len(single)
        token = uuid4().hex
        graph: dict[Any, Any] = {}
        small = len(runs) * vectors.nbytes <= _SMALL
        shared: Any = (_dask().given, _dask().Held(vectors))
        if not small:
            graph[f"vectors-{token}"] = shared
            shared = f"vectors-{token}"
        found: list[str] = []
        for start, stop in runs:
            found.append(f"multiplied-{token}-{start}")
            work = keys[start:stop], batches[start:stop], shared, form
            graph[found[-1]] = (_tasks.multiplied, self._remote.key, *work)
        while len(found) > (_FAN if small else 1):
            parts = [found[i : i + _FAN] for i in range(0, len(found), _FAN)]
            found = [f"added-{part[0]}" for part in parts]
            graph |= {key: (_tasks.added, part) for key, part in zip(found, parts, strict=True)}
        parents = [self._remote, *self._kept]
        layers = HighLevelGraph.from_collections(token, graph, dependencies=parents)
        return [Delayed(key, layers, layer=token) for key in found]

    def _distribute(self) -> None:
        """Give the workers the points, and have them compute the blocks that they keep."""
        tasks = _dask()
        if self._remote is not None and tasks.there([self._remote, *self._kept]):
            return
        (self._remote,) = tasks.persist([tasks.shared(self._plain())])
        groups, batches = self._groups(), self._batches()
        kept: dict[int, Any] = {}
        for keeper in dict.fromkeys(keeper for _, keeper in groups):
            own = [i for run, name in groups if name == keeper for i in range(*run)]
            work = [tasks.task(_tasks.blocks, self._remote, batches[i]) for i in own]
            kept |= zip(own, tasks.persist(work, keeper), strict=True)
        self._kept = [kept[i] for i in range(len(kept))]
        self._kept_runs = [run for run, _ in groups]

    def _entries(self, rows: Indices, columns: Indices | None) -> FloatArray:
        width = self.shape[1]
        if columns is not None or len(rows) * width < _ENTRIES:
            return super()._entries(rows, columns)
        tasks = _dask()
        step = max(1, min(width, _ENTRIES // max(len(rows), 1)))
        pieces = [np.arange(i, min(i + step, width)) for i in range(0, width, step)]
        self._distribute()
        found = [tasks.task(_tasks.rows, self._remote, rows, some) for some in pieces]
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
        held = ("_remote", "_kept", "_kept_runs")
        return {name: value for name, value in state.items() if name not in held}

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        self._reset()


def _computed(x: Any) -> Any:
    return x.compute() if is_dask(x) else x


def _dask() -> ModuleType:
    try:
        from ntkfast.dask import tasks
    except ImportError as error:
        raise MissingExtraError("KernelOperator of a dask.array", "dask", "dask") from error
    return tasks


def total_memory(memory: float | None) -> float:
    """Return the bytes for kept blocks on all workers together."""
    return sum(room for room, _ in _workers(memory).values())


def _workers(memory: float | None) -> dict[str | None, tuple[float, int]]:
    """Return the bytes for kept blocks and the threads of each worker; None for this process."""
    client = _dask().client()
    if client is None:
        return {None: (SHARE * available() if memory is None else memory, 1)}
    workers = client.scheduler_info(n_workers=-1)["workers"]
    return {
        address: (
            SHARE * (worker["memory_limit"] or available() / len(workers))
            if memory is None
            else memory,
            worker["nthreads"],
        )
        for address, worker in workers.items()
    }


def _power(count: int) -> int:
    """Return the least power of two that is not smaller."""
    return 1 << max(count - 1, 0).bit_length()
