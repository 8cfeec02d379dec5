"""The files of an unfinished run of ``ntkfast gram``: their names, and who may write to them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ntkfast._atomic import destination, lock

__all__ = ["beside", "held", "refuse_existing"]


def beside(out: Path) -> tuple[Path, Path]:
    """Return the names of the unfinished file and of its sidecar."""
    target = destination(out)
    return target.with_name(f"{target.name}.part"), target.with_name(f"{target.name}.part.json")


def refuse_existing(out: Path, *, force: bool) -> None:
    """Raise FileExistsError if there is a file and not `force`."""
    part, sidecar = beside(out)
    with suppress(OSError):  # there is only one of them, as usual
        if part.samefile(out):  # a run was killed between giving the new name and removing the old
            sidecar.unlink(missing_ok=True)
            part.unlink(missing_ok=True)
    if out.exists() and not force:
        raise FileExistsError(f"{out} already exists; use --force to overwrite it")


@contextmanager
def held(part: Path) -> Iterator[None]:
    """Lock the file against other processes if the system supports it; create it if needed."""
    while True:
        with part.open("ab") as file:
            free = lock(file)
            if free is False:
                raise BlockingIOError(f"{part}: another process is writing to it")
            if free:
                # Before it was locked, another process may have given it its final name.
                if not _is(part, file.fileno()):
                    continue
                try:
                    yield
                finally:
                    if _is(part, file.fileno()) and not part.stat().st_size:
                        part.unlink()  # nothing was written
                return
        yield  # without locks; Windows renames no open file
        return


def _is(path: Path, number: int) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(number))
    except FileNotFoundError:
        return False
