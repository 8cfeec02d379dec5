"""Rows of a kernel matrix computed by the workers of Dask."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

from ntkfast._arrays import FloatArray
from ntkfast._optional import MissingExtraError
from ntkfast.cli._resumable import Job
from ntkfast.cli._zarr import Place, ZarrJob
from ntkfast.kernels import KernelName

__all__ = ["blocks", "connected", "strips"]

# Blocks of rows under way or waiting to be written, for each thread of a worker.
_AHEAD = 2
_SECONDS = "10s"


class _Work(NamedTuple):
    """What a worker needs to compute rows."""

    plan: Any
    x: FloatArray
    x2: FloatArray | None
    wanted: tuple[KernelName, ...]
    by_images: bool


@contextmanager
def connected(address: str) -> Iterator[None]:
    """Connect to a scheduler, or start a cluster on this machine if the address is a number."""
    try:
        from distributed import Client, LocalCluster
    except ImportError as error:
        raise MissingExtraError("--dask", "dask", "dask") from error
    if not address.isdecimal():
        try:
            # Not the default client of this process, which a failed one would remain.
            client = Client(address, timeout=_SECONDS, set_as_default=False)
        except (OSError, ValueError) as error:
            raise ValueError(
                f"--dask {address}: no scheduler answers there ({error}); expected an address such "
                "as tcp://10.0.0.1:8786, or a number of workers on this machine"
            ) from None
        with client, client.as_current():
            yield
        return
    if not int(address):
        raise ValueError("--dask 0: expected at least one worker, or an address")
    with (
        LocalCluster(
            n_workers=int(address), threads_per_worker=1, dashboard_address="127.0.0.1:0"
        ) as own,
        Client(own),
    ):
        yield


def strips(job: Job, rows: int) -> Iterator[list[list[FloatArray]]]:
    """Yield blocks of rows from `rows` on, in their order.

    A block is a list of the parts of a strip: entries within its rows, and those to the right of
    them; without a diagonal one part. Each part has an array for each kernel.
    """
    n, step = job.shape[0], job.rows_a_block
    calls = [(start, min(start + step, n)) for start in range(rows, n, step)]
    found: Iterator[list[list[FloatArray]]] = _in_order(job, _strip, calls)
    return found


def blocks(job: ZarrJob, places: list[Place]) -> Iterator[list[FloatArray]]:
    """Yield the chunks at some places, in their order: an array for each kernel."""
    found: Iterator[list[FloatArray]] = _in_order(job, _block, places)
    return found


def _in_order(
    job: Job, function: Callable[..., object], calls: Sequence[tuple[object, object]]
) -> Iterator[Any]:
    """Yield results of workers in the order of the calls, with few under way at once."""
    from distributed import get_client

    from ntkfast.dask.plan import Plan
    from ntkfast.dask.tasks import Held, given, quietly

    client = get_client()
    plan = Plan.with_recipe(job.network, job.prepared.recipe)
    work = _Work(plan, job.x, job.x2, job.wanted, job.by_images)
    with quietly():
        remote = client.submit(given, Held(work), pure=False)
    most = _AHEAD * max(1, sum(client.nthreads().values()))
    waiting: deque[Any] = deque()
    for call in calls:
        waiting.append(client.submit(function, remote, *call, pure=False))
        if len(waiting) >= most:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()


def _strip(work: _Work, start: int, stop: int) -> list[list[FloatArray]]:
    """Compute a block of rows; a task on a worker."""
    from ntkfast.dask.blocks import block

    some = work.x[start:stop]
    if work.x2 is not None:
        parts = [block(work.wanted, False, work.plan, some, work.x2)]
    else:
        parts = [block(work.wanted, False, work.plan, some)]
        if stop < len(work.x):
            parts.append(block(work.wanted, work.by_images, work.plan, some, work.x[stop:]))
    return [list(part) if isinstance(part, tuple) else [part] for part in parts]


def _block(work: _Work, rows: slice, columns: slice) -> list[FloatArray]:
    """Compute a chunk of each kernel; a task on a worker."""
    from ntkfast.dask.blocks import block

    if work.x2 is not None:
        part = block(work.wanted, False, work.plan, work.x[rows], work.x2[columns])
    elif rows == columns:
        part = block(work.wanted, False, work.plan, work.x[rows])
    else:
        part = block(work.wanted, work.by_images, work.plan, work.x[rows], work.x[columns])
    return list(part) if isinstance(part, tuple) else [part]
