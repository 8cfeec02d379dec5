"""Kernel matrices written to disk, block by block, in runs that can be interrupted and resumed.

Rows are written in order into ``OUT.part``. The sidecar ``OUT.part.json`` records how many of them
are on the disk and which kernel they belong to. Both kernels of a network go into one file, of
shape (2, n, m), so that they appear together. A run that finds both files resumes after these
rows. At the end the file is renamed and the sidecar is deleted. Both stand beside the file that OUT
means: if that is a symbolic link, beside its target. A Gram matrix is computed on and
above its diagonal; the entries left of the diagonal are copied from finished rows.
"""

from __future__ import annotations

import errno
import hashlib
import json
import math
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from ntkfast._arrays import FloatArray
from ntkfast._atomic import destination, keep_mode, move, naming, remove_abandoned, replacing
from ntkfast._ntkfast import Prepared, info
from ntkfast._progress import Progress
from ntkfast.cli._unfinished import beside, held, refuse_existing
from ntkfast.data._npy import open_npy
from ntkfast.kernels import KernelName, evaluate
from ntkfast.networks import Network
from ntkfast.networks.estimate import KernelChoice, wanted_kernels

__all__ = ["Elsewhere", "Job", "record", "run"]

# Bytes of work between two records in the sidecar, which limits the loss.
_BLOCK = 1 << 28
# The number of rows in a block is a multiple of this, the number that the core computes together.
# The entries then have the same bits as in a single call.
_TOGETHER = 64
# For images, whose kernels may take a hundred milliseconds each: rows between two records. This is
# the number that the core computes together, or a multiple. Within it the core orders the images.
_IMAGES = 16
# Number of columns transposed at a time, so that the lines read stay in cache.
_STRIP = 512

_CHANGED = {
    "x": "other points",
    "x2": "other points in --x2",
    "kernel": "another kernel",
    "network": "another network",
    "dtype": "another dtype",
    "shape": "another shape",
    "rows_a_block": "another block size",
    "version": "another version of ntkfast",
    "simd": "another instruction set, whose bits may differ",
}


@dataclass(frozen=True, eq=False)
class Job:
    """Kernel matrices to compute and their file; `x` and `x2` are finite, with one type."""

    network: Network
    kernel: KernelChoice
    x: FloatArray
    x2: FloatArray | None
    out: Path

    @property
    def shape(self) -> tuple[int, int]:
        """Shape of a matrix."""
        return len(self.x), len(self.x if self.x2 is None else self.x2)

    @property
    def wanted(self) -> tuple[KernelName, ...]:
        """The kernels, in the order of the file."""
        return wanted_kernels(self.kernel)

    @property
    def leading(self) -> tuple[int, ...]:
        """Shape of the file before that of a matrix: both kernels are along the first axis."""
        return (2,) if self.kernel == "both" else ()

    @property
    def size(self) -> int:
        """Size of the file in bytes."""
        return len(self.wanted) * self.shape[0] * self.shape[1] * self.x.itemsize

    @property
    def by_images(self) -> bool:
        """Whether the core computes groups of images; images with a single position are rows."""
        return self.network._spatial and math.prod(self.x.shape[1:-1]) > 1

    @property
    def rows_a_block(self) -> int:
        """Number of rows computed between two records in the sidecar."""
        if self.by_images:
            return min(self.shape[0], _IMAGES)
        rows = _BLOCK // (len(self.wanted) * self.shape[1] * self.x.itemsize)
        return min(self.shape[0], max(1, rows // _TOGETHER) * _TOGETHER)

    @property
    def memory(self) -> tuple[int, str]:
        """Bytes that are computed at a time, and what they are."""
        rows = self.rows_a_block
        return self.size // self.shape[0] * rows, f"{rows:,} rows at a time"

    def pairs(self, rows: int) -> int:
        """Return the number of entries to compute, rather than copy, for the first `rows` rows."""
        n, m = self.shape
        return rows * m if self.x2 is not None else rows * n - rows * (rows - 1) // 2

    def samples(self, rows: int) -> int:
        """Return how many samples the blocks after these rows read; each reads all to its right."""
        n, m = self.shape
        starts = range(rows, n, max(self.rows_a_block, 1))
        others = len(starts) * m if self.x2 is not None else sum(n - start for start in starts)
        return others + n - rows

    @property
    def part(self) -> Path:
        """The unfinished file."""
        return beside(self.out)[0]

    @property
    def sidecar(self) -> Path:
        """The record of the progress."""
        return beside(self.out)[1]

    @cached_property
    def fingerprint(self) -> dict[str, Any]:
        """Return everything that determines the bits of the matrix."""
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
        out: tuple[FloatArray, ...] | None = None,
        progress: Progress = None,
    ) -> list[FloatArray]:
        """Compute the kernels of some of the points."""
        return evaluate(
            self.prepared,
            x,
            x2,
            wanted=self.wanted,
            out=out or (None,) * len(self.wanted),
            diagonal=diagonal,
            progress=progress,
        )

    def finished(self, *, force: bool) -> int:
        """Return the number of rows that an earlier run finished; reject a run of another job.

        With `force`, such a run counts as no rows.
        """
        try:
            if self.sidecar.exists():
                return self._recorded()
            if self.part.exists() and self.part.stat().st_size:
                raise FileExistsError(
                    f"{self.part} exists, but {self.sidecar.name}, which describes it, does not"
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
                f"{self.part} was started with {', '.join(_CHANGED[key] for key in changed)}: "
                "repeat the original command to resume, or start again with --force"
            )
        if rows and not self.is_there():
            raise ValueError(
                f"{self.part} is not the file that {self.sidecar.name} describes; "
                "start again with --force"
            )
        return rows

    def is_there(self) -> bool:
        """Whether the unfinished file is one for this matrix."""
        try:
            found = open_npy(self.part)
        except (OSError, ValueError):
            return False
        return found.shape == (*self.leading, *self.shape) and found.dtype == self.x.dtype

    def bytes_there(self) -> int:
        """Return the bytes that the unfinished file takes on the disk."""
        return getattr(self.part.stat(), "st_blocks", 0) * 512

    def check_room(self) -> None:
        """Raise an error if the disk has no room for the whole file."""
        there = self.bytes_there() if self.part.exists() else 0
        free = shutil.disk_usage(self.part.parent).free
        if self.size - there > free:
            raise OSError(
                f"{self.out} needs {self.size - there:,} more bytes, but the disk has {free:,} free"
            )


Parts: TypeAlias = list[list[FloatArray]]
Elsewhere: TypeAlias = "Callable[[Job, int], Iterator[Parts]]"


def run(
    job: Job,
    on_pairs: Callable[[int], object],
    *,
    force: bool,
    elsewhere: Elsewhere | None = None,
) -> None:
    """Compute the rest of the matrix; `on_pairs` receives the number of computed entries.

    `elsewhere` yields the blocks after some rows, if others compute them.

    Raises FileExistsError if the file exists and not `force`, also if it appears while this runs.
    """
    n = job.shape[0]
    with held(job.part):
        refuse_existing(job.out, force=force)
        for file in (destination(job.out), job.sidecar):  # this run may write neither in this way
            remove_abandoned(file)
        rows = job.finished(force=force)
        if rows == 0:
            record(job, 0)
            _reserve(job)
        matrix = np.lib.format.open_memmap(job.part, mode="r+")
        blocks = None if elsewhere is None else elsewhere(job, rows)
        for start in range(rows, n, job.rows_a_block):
            stop = min(start + job.rows_a_block, n)
            if blocks is None:
                _write(job, matrix, start, stop, on_pairs)
            else:
                _put(job, matrix, start, next(blocks))
                on_pairs(job.pairs(stop))
            with naming(job.part):
                matrix.flush()
            record(job, stop)
        del matrix
        try:
            move(job.part, destination(job.out), overwrite=force)
        except FileExistsError:
            raise FileExistsError(
                f"{job.out} was created while the matrix was computed; run the same command with "
                f"--force to overwrite it with {job.part}, which is complete"
            ) from None
        job.sidecar.unlink(missing_ok=True)


def _write(
    job: Job, file: FloatArray, start: int, stop: int, on_pairs: Callable[[int], object]
) -> None:
    """Write only the rows from `start` to `stop`."""
    matrices = file.reshape(-1, *job.shape)  # a view
    begun, ended = job.pairs(start), job.pairs(stop)
    some = job.x[start:stop]
    if job.x2 is not None:
        rows = tuple(matrix[start:stop] for matrix in matrices)
        job.evaluate(some, job.x2, out=rows, progress=_part(on_pairs, begun, ended))
        return
    between = begun + len(some) * (len(some) + 1) // 2
    _mirror(matrices, start, stop)
    square = tuple(matrix[start:stop, start:stop] for matrix in matrices)
    job.evaluate(some, None, out=square, progress=_part(on_pairs, begun, between))
    if stop < len(job.x):
        rest = tuple(matrix[start:stop, stop:] for matrix in matrices)
        progress = _part(on_pairs, between, ended)
        if job.by_images:
            # The later image comes first, as in a Gram matrix computed in one call.
            turned = tuple(part.T for part in rest)
            job.evaluate(job.x[stop:], some, out=turned, progress=progress)
        else:
            job.evaluate(some, job.x[stop:], out=rest, progress=progress)


def _put(job: Job, file: FloatArray, start: int, parts: Parts) -> None:
    """Write rows from `start` on that others have computed."""
    matrices = file.reshape(-1, *job.shape)
    left = start if job.x2 is None else 0
    stop = start + len(parts[0][0])
    if job.x2 is None:
        _mirror(matrices, start, stop)
    for part in parts:
        right = left + part[0].shape[1]
        for matrix, entries in zip(matrices, part, strict=True):
            matrix[start:stop, left:right] = entries
        left = right


def _mirror(matrices: FloatArray, start: int, stop: int) -> None:
    """Copy the entries left of the diagonal from finished rows."""
    for left in range(0, start, _STRIP):
        right = min(left + _STRIP, start)
        for matrix in matrices:
            matrix[start:stop, left:right] = matrix[left:right, start:stop].T


def _part(
    on_pairs: Callable[[int], object], begun: int, ended: int
) -> Callable[[int, int], object]:
    """Return a progress function that converts tiles of a call to entries of the matrix."""
    return lambda done, total: on_pairs(begun + (ended - begun) * done // total)


def record(job: Job, rows: int) -> None:
    """Write to the sidecar that so many rows are on the disk."""
    with replacing(job.sidecar) as file:
        file.write(json.dumps({"rows": rows, "fingerprint": job.fingerprint}).encode())


def _reserve(job: Job) -> None:
    """Create the file at full size, because writing to a full disk would kill the process."""
    try:
        with naming(job.part):
            shape = (*job.leading, *job.shape)
            matrix = np.lib.format.open_memmap(job.part, "w+", job.x.dtype, shape=shape)
            del matrix
            keep_mode(job.part, destination(job.out))
            if hasattr(os, "posix_fallocate"):
                with job.part.open("r+b") as file:
                    os.posix_fallocate(file.fileno(), 0, job.part.stat().st_size)
    except OSError as error:
        if error.errno in (errno.EOPNOTSUPP, errno.EINVAL):
            return  # a file system that cannot reserve space
        job.part.unlink(missing_ok=True)
        job.sidecar.unlink(missing_ok=True)
        raise


def _digest(x: FloatArray) -> str:
    """Return a digest of the points, reading a few rows at a time."""
    digest = hashlib.sha256(repr((x.shape, x.dtype.str)).encode())
    step = max(1, (1 << 24) // max(1, x.itemsize * x[:1].size))
    for start in range(0, len(x), step):
        digest.update(np.ascontiguousarray(x[start : start + step]).tobytes())
    return digest.hexdigest()
