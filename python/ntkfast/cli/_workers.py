"""Rows of a kernel matrix computed by the workers of Dask."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from ntkfast._arrays import FloatArray
from ntkfast._ntkfast import Prepared
from ntkfast._optional import MissingExtraError
from ntkfast.cli._resumable import Job
from ntkfast.kernels import KernelName, evaluate
from ntkfast.networks import Network
from ntkfast.operators.distributed import Held, given

__all__ = ["connected", "strips"]

# Blocks of rows under way or waiting to be written, for each thread of a worker.
_AHEAD = 2
_SECONDS = "10s"


@dataclass(frozen=True)
class _Work:
    """What a worker needs to compute rows; prepared once in each worker."""

    network: Network
    recipe: dict[str, Any]
    x: FloatArray
    x2: FloatArray | None
    wanted: tuple[KernelName, ...]
    by_images: bool

    def prepared(self) -> Prepared:
        """Return the network, as it was prepared for the whole matrix."""
        known: Prepared | None = vars(self).get("_prepared")
        if known is None:
            known = self.network._program.prepare_again(self.recipe)
            vars(self)["_prepared"] = known
        return known

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != "_prepared"}


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

    client = get_client()
    work = _Work(
        job.network, job.prepared.recipe, job.x, job.x2, job.wanted, by_images=job.by_images
    )
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
    some = work.x[start:stop]
    if work.x2 is not None:
        return [_evaluated(work, some, work.x2)]
    parts = [_evaluated(work, some, None)]
    if stop < len(work.x):
        rest = work.x[stop:]
        if work.by_images:
            # The later image comes first, as in a Gram matrix computed in one call.
            parts.append([part.T for part in _evaluated(work, rest, some)])
        else:
            parts.append(_evaluated(work, some, rest))
    return parts


def _evaluated(work: _Work, x: FloatArray, x2: FloatArray | None) -> list[FloatArray]:
    return evaluate(
        work.prepared(),
        x,
        x2,
        wanted=work.wanted,
        out=(None,) * len(work.wanted),
        diagonal=False,
        progress=None,
    )
