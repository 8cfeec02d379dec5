"""Kernel matrices written to disk, block by block, by runs that may be killed and go on later.

Rows are written in order, into ``OUT.part``. Beside it ``OUT.part.json``, the sidecar, says how
many of them are on the disk, and of what they are the kernel. A run that finds both goes on behind
these rows; at the end the file takes its name, and the sidecar goes. A Gram matrix is computed on
and above its diagonal: what is left of it is copied from rows that are finished.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np

from ntkfast._arrays import FloatArray
from ntkfast._atomic import replacing
from ntkfast._ntkfast import Prepared, info
from ntkfast._progress import Progress
from ntkfast.kernels import evaluate
from ntkfast.networks import Network

__all__ = ["Job", "run"]

# Bytes that are computed between two entries in the sidecar, and lost at most.
_BLOCK = 1 << 28
# A block has a multiple of so many rows, which the core computes together: so have their pairs the
# bits that they have in one call.
_TOGETHER = 64
# Of images, whose kernels may take a hundred milliseconds each: rows between two entries. As many
# as the core computes together, or a multiple: within these it decides which image comes first.
_IMAGES = 16
# Columns that are transposed at a time, so that the lines read stay in cache.
_STRIP = 512

_CHANGED = {
    "x": "other points",
    "x2": "other points in --x2",
    "kernel": "another kernel",
    "network": "another network",
    "dtype": "another type of numbers",
    "shape": "another shape",
    "rows_a_block": "other blocks",
    "version": "another version of ntkfast",
    "simd": "another instruction set, whose bits may differ",
}


@dataclass(frozen=True, eq=False)
class Job:
    """A kernel matrix to compute and where it goes; `x` and `x2` are finite, and of one type."""

    network: Network
    kernel: Literal["ntk", "nngp"]
    x: FloatArray
    x2: FloatArray | None
    out: Path

    @property
    def shape(self) -> tuple[int, int]:
        """Of the matrix."""
        return len(self.x), len(self.x if self.x2 is None else self.x2)

    @property
    def size(self) -> int:
        """Bytes of the matrix."""
        return self.shape[0] * self.shape[1] * self.x.itemsize

    @property
    def rows_a_block(self) -> int:
        """How many rows are computed between two entries in the sidecar."""
        if self.network._spatial:
            return min(self.shape[0], _IMAGES)
        rows = _BLOCK // (self.shape[1] * self.x.itemsize)
        return min(self.shape[0], max(1, rows // _TOGETHER) * _TOGETHER)

    def pairs(self, rows: int) -> int:
        """Return how many entries have to be computed, not copied, for so many first rows."""
        n, m = self.shape
        return rows * m if self.x2 is not None else rows * n - rows * (rows - 1) // 2

    @property
    def part(self) -> Path:
        """The file while it is not finished."""
        return self.out.with_name(f"{self.out.name}.part")

    @property
    def sidecar(self) -> Path:
        """What says how far it is."""
        return self.out.with_name(f"{self.out.name}.part.json")

    @cached_property
    def fingerprint(self) -> dict[str, Any]:
        """Return all that the bits of the matrix depend on."""
        return {
            "x": _digest(self.x),
            "x2": None if self.x2 is None else _digest(self.x2),
            "kernel": self.kernel,
            "network": self.network.to_dict(),
            "dtype": self.x.dtype.name,
            "shape": list(self.shape),
            "rows_a_block": self.rows_a_block,
            "version": info()["version"],
            "simd": info()["simd"],
        }

    @cached_property
    def prepared(self) -> Prepared:
        """The network, prepared once for all points: blocks have the bits of the whole matrix."""
        return self.network._program.prepare(self.x, self.x2)

    def evaluate(
        self,
        x: FloatArray,
        x2: FloatArray | None,
        *,
        diagonal: bool = False,
        out: FloatArray | None = None,
        progress: Progress = None,
    ) -> FloatArray:
        """Compute the kernel of some of the points."""
        return evaluate(
            self.prepared,
            x,
            x2,
            wanted=(self.kernel,),
            out=(out,),
            diagonal=diagonal,
            progress=progress,
        )[0]

    def finished(self, *, force: bool) -> int:
        """Return how many rows an earlier run has finished; refuse what is not a run of this job.

        With `force` that counts as none instead.
        """
        try:
            if self.sidecar.exists():
                return self._recorded()
            if self.part.exists() and self.part.stat().st_size:
                raise FileExistsError(
                    f"{self.part} is there, but not {self.sidecar.name}, which would say what it is"
                    "; remove it, or start again with --force"
                )
        except (ValueError, FileExistsError):
            if not force:
                raise
        return 0

    def _recorded(self) -> int:
        try:
            record = json.loads(self.sidecar.read_bytes())
            rows, fingerprint = record["rows"], record["fingerprint"]
            changed = [key for key in _CHANGED if fingerprint[key] != self.fingerprint[key]]
            if type(rows) is not int or not 0 <= rows <= self.shape[0]:
                raise ValueError(f"{rows!r} rows of {self.shape[0]}")
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            raise ValueError(
                f"{self.sidecar} is damaged ({error}); start again with --force"
            ) from None
        if changed:
            raise ValueError(
                f"{self.part} was begun with {', '.join(_CHANGED[key] for key in changed)}: "
                "repeat the command as it was to go on, or start again with --force"
            )
        if rows:
            try:
                found = np.lib.format.open_memmap(self.part, mode="r")
                fits = found.shape == self.shape and found.dtype == self.x.dtype
            except (OSError, ValueError):
                fits = False
            if not fits:
                raise ValueError(
                    f"{self.part} is not the file that {self.sidecar.name} tells of; "
                    "start again with --force"
                )
        return rows

    def check_room(self) -> None:
        """Refuse to begin where the disk has not the room for the whole file."""
        there = 0
        if self.part.exists():
            there = getattr(self.part.stat(), "st_blocks", 0) * 512
        free = shutil.disk_usage(self.out.parent).free
        if self.size - there > free:
            raise OSError(
                f"{self.out} needs {self.size - there:,} more bytes, and the disk has {free:,} free"
            )


def run(job: Job, on_pairs: Callable[[int], object], *, force: bool) -> None:
    """Compute what is left of the matrix; `on_pairs` is told how many entries are computed."""
    n = job.shape[0]
    with _held(job.part):
        rows = job.finished(force=force)
        if rows == 0:
            _record(job, 0)
            _reserve(job)
        matrix = np.lib.format.open_memmap(job.part, mode="r+")
        for start in range(rows, n, job.rows_a_block):
            stop = min(start + job.rows_a_block, n)
            _write(job, matrix, start, stop, on_pairs)
            matrix.flush()
            _record(job, stop)
        del matrix
    job.part.replace(job.out)
    job.sidecar.unlink()


def _write(
    job: Job, matrix: FloatArray, start: int, stop: int, on_pairs: Callable[[int], object]
) -> None:
    """Write the rows from `start` to `stop`, and no others."""
    begun, ended = job.pairs(start), job.pairs(stop)
    some = job.x[start:stop]
    if job.x2 is not None:
        job.evaluate(some, job.x2, out=matrix[start:stop], progress=_part(on_pairs, begun, ended))
        return
    between = begun + len(some) * (len(some) + 1) // 2
    for left in range(0, start, _STRIP):
        right = min(left + _STRIP, start)
        matrix[start:stop, left:right] = matrix[left:right, start:stop].T
    square = matrix[start:stop, start:stop]
    job.evaluate(some, None, out=square, progress=_part(on_pairs, begun, between))
    if stop < len(job.x):
        rest, progress = matrix[start:stop, stop:], _part(on_pairs, between, ended)
        if job.network._spatial:
            # The later image first: to the bit what a Gram matrix in one call has.
            job.evaluate(job.x[stop:], some, out=rest.T, progress=progress)
        else:
            job.evaluate(some, job.x[stop:], out=rest, progress=progress)


def _part(
    on_pairs: Callable[[int], object], begun: int, ended: int
) -> Callable[[int, int], object]:
    """Return what turns the tiles of a call into entries of the whole matrix."""
    return lambda done, total: on_pairs(begun + (ended - begun) * done // total)


def _record(job: Job, rows: int) -> None:
    with replacing(job.sidecar) as unfinished:
        unfinished.write_text(
            json.dumps({"rows": rows, "fingerprint": job.fingerprint}), encoding="utf-8"
        )


def _reserve(job: Job) -> None:
    """Make the file with all its room, as a process dies that writes where the disk is full."""
    try:
        matrix = np.lib.format.open_memmap(job.part, "w+", job.x.dtype, shape=job.shape)
        del matrix
        if hasattr(os, "posix_fallocate"):
            with job.part.open("r+b") as file:
                os.posix_fallocate(file.fileno(), 0, job.part.stat().st_size)
    except OSError as error:
        if error.errno in (errno.EOPNOTSUPP, errno.EINVAL):
            return  # a file system that cannot promise room
        job.part.unlink(missing_ok=True)
        job.sidecar.unlink(missing_ok=True)
        raise


@contextmanager
def _held(part: Path) -> Iterator[None]:
    """Keep other processes from the file, where the system can; it is made if need be."""
    with part.open("ab") as file:
        try:
            import fcntl
        except ImportError:
            yield
            return
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BlockingIOError(f"{part}: another process is at work on it") from None
        except OSError:
            pass  # a file system without locks
        yield


def _digest(x: FloatArray) -> str:
    """Return what tells points apart from others, read a few rows at a time."""
    digest = hashlib.sha256(repr((x.shape, x.dtype.str)).encode())
    step = max(1, (1 << 24) // max(1, x.itemsize * x[:1].size))
    for start in range(0, len(x), step):
        digest.update(np.ascontiguousarray(x[start : start + step]).tobytes())
    return digest.hexdigest()
