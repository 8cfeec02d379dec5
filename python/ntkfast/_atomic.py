"""Files that are written completely or not at all, whoever else writes to the same place.

A file is written under a temporary name in its own folder, ``.NAME.TOKEN.tmp``, and then takes the
place of the old one. The token is random, because threads share a process number and containers
repeat it. The writer of a temporary file holds a lock on it (``flock``) from before its first byte
until it has its final name. The lock ends with its process, however that ends, and other containers
of the machine see it. So a temporary file without a lock is abandoned, and whoever writes the same
file next removes it. Without locks (Windows, some network file systems) only temporary files older
than a day count as abandoned.
"""

from __future__ import annotations

import errno
import os
import re
import secrets
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

__all__ = ["destination", "keep_mode", "lock", "move", "naming", "remove_abandoned", "replacing"]

_POSIX = os.name == "posix"
_DAY = 86_400.0  # seconds
_SHOWN = 40  # characters of the name in that of the temporary file, so that it is never too long


def destination(path: Path) -> Path:
    """Return the file that `path` means: itself, or the file that a symbolic link points to."""
    return Path(os.path.realpath(path)) if path.is_symlink() else path


@contextmanager
def naming(path: object, *, instead: bool = False) -> Iterator[None]:
    """Name the file in an OSError that names none, such as that of a full disk.

    With `instead`, `path` also replaces the name that an error has.
    """
    try:
        yield
    except OSError as error:
        if error.filename is not None and not instead:
            raise
        if error.errno is None:
            raise OSError(f"{path} cannot be written: {error}") from error
        raise OSError(error.errno, error.strerror, str(path)) from error


@contextmanager
def replacing(path: Path, *, overwrite: bool = True) -> Iterator[IO[bytes]]:
    """Yield a temporary file, which becomes `path` if the block ends without an error.

    The data is on the disk before the file gets its name, so a crash leaves no partial file. An
    existing file is replaced and keeps its permissions, a new one gets those that ``open`` would
    give it; a symbolic link stays, and what it points to is replaced. A device or a pipe is written
    to directly.

    Raises OSError before the block if `path` is a folder or its folder does not exist, and
    FileExistsError if there is a file and not `overwrite`, also if it appears during the block.
    Every OSError names a file.
    """
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    target = destination(path)
    if not target.parent.is_dir():
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path))
    if target.exists() and not target.is_file():
        with naming(path), target.open("wb") as device:
            yield device
        return
    remove_abandoned(target)
    with naming(path, instead=True):
        file, unfinished = _temporary(target)
    try:
        keep_mode(unfinished, target)
        with naming(path):
            yield file
        with naming(path, instead=True):
            file.flush()
            os.fsync(file.fileno())
            if not _POSIX:
                file.close()  # Windows renames no open file
            move(unfinished, target, overwrite=overwrite)
    finally:
        with suppress(OSError):  # of data that could not be written before either
            file.close()
        unfinished.unlink(missing_ok=True)


def move(source: Path, path: Path, *, overwrite: bool) -> None:
    """Give a complete file its final name, in the same folder, and record that on the disk.

    Raises FileExistsError if there is a file called `path` and not `overwrite`; nobody can create
    one between the check and the renaming.
    """
    if overwrite:
        source.replace(path)
    elif _POSIX:
        _rename_to_new(source, path)
    else:
        source.rename(path)  # which replaces nothing on Windows
    # Both names stay if they were hard links to one file before.
    source.unlink(missing_ok=True)
    if _POSIX:
        _sync_folder(path.parent)


def _rename_to_new(source: Path, path: Path) -> None:
    try:
        path.hardlink_to(source)
    except FileExistsError:
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path)) from None
    except OSError:  # a file system without hard links: an empty file takes the name first
        with path.open("xb"):
            pass
        try:
            source.replace(path)
        except OSError:
            path.unlink()
            raise


def _sync_folder(folder: Path) -> None:
    with suppress(OSError):  # a folder that cannot be read, or a file system that cannot do this
        number = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(number)
        finally:
            os.close(number)


def lock(file: IO[bytes]) -> bool | None:
    """Lock an open file until it is closed: False if somebody else has, None without locks."""
    try:
        import fcntl
    except ImportError:  # Windows
        return None
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # a file system without locks
        return None
    return True


def _temporary(target: Path) -> tuple[IO[bytes], Path]:
    """Create a temporary file and lock it."""
    while True:
        path = target.with_name(f".{target.name[:_SHOWN]}.{secrets.token_hex(8)}.tmp")
        file = path.open("xb")  # unlike `tempfile`, with the permissions of any new file
        # Another writer may have found it abandoned before it was locked.
        if lock(file) is not False and (not _POSIX or os.fstat(file.fileno()).st_nlink):
            return file, path
        file.close()


def remove_abandoned(target: Path) -> None:
    """Remove temporary files of the same name whose writers were killed."""
    pattern = re.compile(rf"\.{re.escape(target.name[:_SHOWN])}\.[0-9a-f]{{16}}\.tmp", re.DOTALL)
    with suppress(OSError):  # a folder that cannot be read
        for path in target.parent.iterdir():
            if pattern.fullmatch(path.name):
                with suppress(OSError):  # already gone, or not ours to remove
                    _remove_if_abandoned(path)


def _remove_if_abandoned(path: Path) -> None:
    with path.open("rb") as file:
        free = lock(file)
        if free:
            path.unlink()  # while locked, so that a writer who has just created it sees that
    if free is None and time.time() - path.stat().st_mtime > _DAY:
        path.unlink()


def keep_mode(unfinished: Path, target: Path) -> None:
    """Give a file the permissions of the one that it will replace, as writing to that would."""
    if _POSIX:
        with suppress(OSError):  # there is none, or the file system has no permissions
            unfinished.chmod(stat.S_IMODE(target.stat().st_mode))
