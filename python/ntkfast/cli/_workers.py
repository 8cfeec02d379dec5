"""Rows of a kernel matrix computed by the workers of Dask."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from ntkfast._arrays import FloatArray
from ntkfast._optional import MissingExtraError
from ntkfast.cli._resumable import Job
from ntkfast.kernels import KernelName

__all__ = ["connected", "strips"]

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
    from distributed import get_client

    from ntkfast.dask.plan import Plan
    from ntkfast.dask.tasks import Held, given

    client = get_client()
    plan = Plan.with_recipe(job.network, job.prepared.recipe)
    work = _Work(plan, job.x, job.x2, job.wanted, job.by_images)
    remote = client.submit(given, Held(work), pure=False)
    most = _AHEAD * max(1, sum(client.nthreads().values()))
    waiting: deque[Any] = deque()
    n = job.shape[0]
    for start in range(rows, n, job.rows_a_block):
        stop = min(start + job.rows_a_block, n)
        waiting.append(client.submit(_strip, remote, start, stop, pure=False))
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
