"""Kernel matrices in Zarr arrays, chunk by chunk, in runs that can be interrupted and resumed.

Chunks are written into the folder ``OUT.part``, which becomes ``OUT`` when all of them are there.
A Gram matrix is computed on and above its diagonal. Each chunk above it is written twice, once as
its transpose, so that nothing is read. The sidecar ``OUT.part.json`` records up to which row the
matrix is on the disk, and up to the same column. A run that finds both resumes after it.
"""

from __future__ import annotations

import math
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeAlias

from ntkfast._arrays import FloatArray
from ntkfast._atomic import destination, naming, remove_abandoned
from ntkfast._optional import MissingExtraError
from ntkfast.cli._resumable import Job, record
from ntkfast.cli._unfinished import held

__all__ = ["Blocks", "Place", "ZarrJob", "is_zarr", "run_zarr", "zarr_package"]

Place: TypeAlias = tuple[slice, slice]
Blocks: TypeAlias = "Callable[[ZarrJob, list[Place]], Iterator[list[FloatArray]]]"

# Bytes of a chunk at most, and its rows if the core computes images.
_CHUNK, _IMAGES = 1 << 25, 128
# The number of rows in a chunk is a multiple of this: its entries have the bits of a single call.
_TOGETHER = 64


class ZarrJob(Job):
    """Kernel matrices to compute and the Zarr array for them."""

    @property
    def rows_a_block(self) -> int:
        """Rows of a chunk."""
        return self.sides[0]

    @property
    def sides(self) -> tuple[int, int]:
        """Rows and columns of a chunk, as even as can be: the last chunks are written in full."""
        side = math.isqrt(_CHUNK // self.x.itemsize) // _TOGETHER * _TOGETHER
        most = _IMAGES if self.by_images else side
        return _even(self.shape[0], most), _even(self.shape[1], most)

    @property
    def memory(self) -> tuple[int, str]:
        """Bytes that are computed at a time, and what they are."""
        down, across = self.sides
        size = 2 * len(self.wanted) * down * across * self.x.itemsize  # once more, to be written
        return size, f"{down:,} x {across:,} entries at a time"

    def samples(self, rows: int) -> int:
        """Return how many samples the chunks after these rows read."""
        return sum(
            down.stop - down.start + across.stop - across.start
            for down, across in self.places(rows)
        )

    def places(self, rows: int) -> list[Place]:
        """Return the chunks to compute after these rows."""
        n, m = self.shape
        down, across = self.sides
        return [
            (slice(top, min(top + down, n)), slice(left, min(left + across, m)))
            for top in range(rows, n, down)
            for left in range(top if self.x2 is None else 0, m, across)
        ]

    def block(self, place: Place) -> list[FloatArray]:
        """Compute a chunk of each kernel."""
        rows, columns = place
        if self.x2 is not None:
            return self.evaluate(self.x[rows], self.x2[columns])
        if rows == columns:
            return self.evaluate(self.x[rows], None)
        if self.by_images:  # the later image comes first, as in a Gram matrix computed in one call
            return [part.T for part in self.evaluate(self.x[columns], self.x[rows])]
        return self.evaluate(self.x[rows], self.x[columns])

    def is_there(self) -> bool:
        """Whether the unfinished array is one for this matrix."""
        try:
            found = zarr_package().open_array(self.part, mode="r")
        except (OSError, ValueError, KeyError, TypeError):
            return False
        chunks = (*(1 for _ in self.leading), *self.sides)
        return bool(
            found.shape == (*self.leading, *self.shape)
            and found.dtype == self.x.dtype
            and found.chunks == chunks
        )

    def bytes_there(self) -> int:
        """Return the bytes of the chunks that are on the disk."""
        return sum(file.stat().st_size for file in self.part.rglob("*") if file.is_file())

    def create(self) -> Any:
        """Create the unfinished array in place of what there is."""
        if self.part.is_dir():
            shutil.rmtree(self.part)
        self.part.unlink(missing_ok=True)
        # Zstandard makes kernels smaller by a tenth, and takes as long as they do.
        return zarr_package().create_array(
            store=self.part,
            shape=(*self.leading, *self.shape),
            chunks=(*(1 for _ in self.leading), *self.sides),
            dtype=self.x.dtype,
            compressors=None,
        )


def _even(count: int, most: int) -> int:
    """Return the entries of a chunk along an axis, of which there are so many."""
    chunks = math.ceil(count / most)
    return count if chunks < 2 else math.ceil(count / chunks / _TOGETHER) * _TOGETHER


def is_zarr(path: Path) -> bool:
    """Whether a folder is a Zarr array, of either format."""
    return any((path / name).is_file() for name in ("zarr.json", ".zarray"))


def run_zarr(
    job: ZarrJob,
    on_pairs: Callable[[int], object],
    *,
    force: bool,
    elsewhere: Blocks | None = None,
) -> None:
    """Compute the rest of the matrix; `on_pairs` receives the number of computed entries.

    `elsewhere` yields the chunks at some places, in their order, if others compute them.

    Raises FileExistsError if OUT exists and not `force`, also if it appears while this runs.
    """
    with held(job.part.with_name(f"{job.part.name}.lock")):
        remove_abandoned(job.sidecar)
        rows = job.finished(force=force)
        with naming(job.part):
            if rows == 0:
                record(job, 0)
                array = job.create()
            else:
                array = zarr_package().open_array(job.part, mode="r+")
            places = job.places(rows)
            blocks = map(job.block, places) if elsewhere is None else elsewhere(job, places)
            done = job.pairs(rows)
            for place, block in zip(places, blocks, strict=True):
                _write(job, array, place, block)
                done += _pairs(job, place)
                on_pairs(done)
                if place[1].stop == job.shape[1]:
                    if hasattr(os, "sync"):
                        os.sync()  # before the record says so
                    record(job, place[0].stop)
        _rename(job, force=force)
        job.sidecar.unlink(missing_ok=True)


def _write(job: ZarrJob, array: Any, place: Place, block: list[FloatArray]) -> None:
    rows, columns = place
    for index, part in enumerate(block):
        kernel = (index,) if job.leading else ()
        array[(*kernel, rows, columns)] = part
        if job.x2 is None and rows != columns:
            array[(*kernel, columns, rows)] = part.T


def _pairs(job: ZarrJob, place: Place) -> int:
    rows, columns = place
    height, width = int(rows.stop - rows.start), int(columns.stop - columns.start)
    return height * (height + 1) // 2 if job.x2 is None and rows == columns else height * width


def _rename(job: ZarrJob, *, force: bool) -> None:
    """Give the complete array its name; an older one stays until then."""
    target = destination(job.out)
    old = target.with_name(f".{target.name}.old.tmp")
    if target.exists():
        if not force:
            raise FileExistsError(
                f"{job.out} was created while the matrix was computed; run the same command with "
                f"--force to overwrite it with {job.part}, which is complete"
            )
        if old.exists():
            shutil.rmtree(old)
        target.rename(old)
    job.part.rename(target)
    if old.exists():
        shutil.rmtree(old)


def zarr_package() -> Any:
    """Return the package zarr, or raise ImportError."""
    try:
        import zarr
    except ImportError as error:
        raise MissingExtraError("a matrix in Zarr", "zarr", "zarr") from error
    if not hasattr(zarr, "create_array"):
        raise ImportError(f"a matrix in Zarr requires zarr 3; installed is {zarr.__version__}")
    return zarr
