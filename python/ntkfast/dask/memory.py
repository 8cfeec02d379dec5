"""Memory of a worker of dask.distributed, whose limit is that of Dask and not of the system.

Dask ends a worker that exceeds its limit, and the tasks with it. A block that does not fit is
therefore refused before it is computed, and blocks that do not fit at the same time wait.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Condition
from typing import Any

import dask.config

__all__ = ["room_for"]

# Bytes from which blocks are counted: asking for the memory in use takes longer than a small block.
_LARGE = 1 << 24


class _Underway:
    """Bytes of the blocks that this process computes at the moment."""

    def __init__(self) -> None:
        self.size, self.changed = 0, Condition()


_UNDERWAY = _Underway()


@contextmanager
def room_for(size: int, shape: tuple[int, ...]) -> Iterator[None]:
    """Wait until a block of `size` bytes fits into the memory of the worker, and count it.

    Raises
    ------
    MemoryError
        It does not fit, although no other block is being computed.
    """
    worker = _worker() if size >= _LARGE else None
    if worker is None or not worker.memory_manager.memory_limit:
        yield
        return
    with _UNDERWAY.changed:
        while size > (free := _free(worker)) - _UNDERWAY.size:
            if not _UNDERWAY.size:
                raise MemoryError(
                    f"a block of kernels of shape {shape} takes {size / 1e9:.3g} GB, but "
                    f"{free / 1e9:.3g} GB of the memory limit of the worker is free; pass points "
                    "in smaller chunks, as in x.rechunk({0: 1024}), or use workers with more memory"
                )
            _UNDERWAY.changed.wait(1.0)
        _UNDERWAY.size += size
    try:
        yield
    finally:
        with _UNDERWAY.changed:
            _UNDERWAY.size -= size
            _UNDERWAY.changed.notify_all()


def _worker() -> Any:
    """Return the worker whose task this thread runs; None outside of dask.distributed."""
    module = sys.modules.get("distributed.worker")
    if module is None:
        return None
    try:
        return module.get_worker()
    except ValueError:
        return None


def _free(worker: Any) -> float:
    """Return the bytes that a task may take, once results that are held have been spilled."""
    most = dask.config.get("distributed.worker.memory.terminate") or 1.0
    spilled = getattr(worker.data, "spilled_total", None)
    held = 0 if spilled is None else worker.state.nbytes - spilled.memory
    used = worker.monitor.get_process_memory()
    return float(most * worker.memory_manager.memory_limit - max(0, used - held))
