"""Memory that is free, and errors for arrays that would exceed it.

Systems hand out more memory than they have and end the process that uses it. Large arrays are
therefore compared with what is free before anything is computed.
"""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["FEWER", "KERNELS", "LARGE", "available", "check", "empty", "pieces", "zeros"]

LARGE = 1 << 28
"""Bytes from which arrays are compared: looking at the system takes longer than a small call."""

FEWER = "use fewer points, or float32"
"""The remedy for matrices between points."""

KERNELS = (
    "use fewer points or float32, compute blocks with x2, as in net.ntk(x[:1000], x), or pass a "
    "memory-mapped array as out, such as the file that `ntkfast gram` writes"
)
"""The remedy for kernels of networks."""

_PIECE = 1 << 21  # numbers: 16 MB in float64
_ROOT = Path("/")


def check(size: float, what: str, remedy: str = FEWER) -> None:
    """Raise MemoryError if `size` bytes for `what`, in addition to all else, are not free."""
    if size < LARGE:
        return
    free = available()
    if size > free:
        raise _lack(size, what, f"but {_gigabytes(free)} GB of memory is free", remedy)


def empty(
    shape: tuple[int, ...], dtype: npt.DTypeLike, what: str, remedy: str = FEWER
) -> npt.NDArray[Any]:
    """Return an array without values, or raise MemoryError that gives its size."""
    return _new(np.empty, shape, dtype, what, remedy)


def zeros(
    shape: tuple[int, ...], dtype: npt.DTypeLike, what: str, remedy: str = FEWER
) -> npt.NDArray[Any]:
    """Return an array of zeros, or raise MemoryError that gives its size."""
    return _new(np.zeros, shape, dtype, what, remedy)


def pieces(rows: int, columns: int) -> Iterator[slice]:
    """Yield the rows of a large array in pieces of some megabytes; its shape alone decides them."""
    step = max(64, _PIECE // max(columns, 1))
    for start in range(0, rows, step):
        yield slice(start, min(start + step, rows))


def _new(
    make: Callable[[tuple[int, ...], npt.DTypeLike], npt.NDArray[Any]],
    shape: tuple[int, ...],
    dtype: npt.DTypeLike,
    what: str,
    remedy: str,
) -> npt.NDArray[Any]:
    size = math.prod(shape) * np.dtype(dtype).itemsize
    if size >= LARGE:
        what = f"{what} of shape {shape} in {np.dtype(dtype)}"
        check(size, what, remedy)
    try:
        return make(shape, dtype)
    except (MemoryError, ValueError):  # ValueError: larger than any memory
        raise _lack(size, what, "which cannot be allocated", remedy) from None


def _lack(size: float, what: str, lack: str, remedy: str) -> MemoryError:
    return MemoryError(f"{what} takes {_gigabytes(size)} GB, {lack}; {remedy}")


def _gigabytes(size: float) -> str:
    """Format a number of bytes with three digits, without an exponent."""
    number = size / 1e9
    return f"{number:.3g}" if number < 1000 else f"{number:,.0f}"


def available() -> float:
    """Return the bytes that this process can still use; infinity if the system does not tell."""
    return max(min(_of_machine(), *_of_groups(), _of_addresses()), 0.0)


def _of_machine() -> float:
    """Return what the machine has: free memory, caches that it would give up, and swap."""
    fields = dict(_pairs(_ROOT / "proc/meminfo"))
    if "MemAvailable:" in fields:
        return 1024.0 * (fields["MemAvailable:"] + fields.get("SwapFree:", 0))
    names: dict[str, int] = getattr(os, "sysconf_names", {})
    known = [name for name in ("SC_AVPHYS_PAGES", "SC_PHYS_PAGES") if name in names]
    return float(os.sysconf("SC_PAGE_SIZE") * os.sysconf(known[0])) if known else math.inf


def _of_groups() -> Iterator[float]:
    """Yield what the control groups of Linux leave to this process, as in containers."""
    yield math.inf
    try:
        lines = (_ROOT / "proc/self/cgroup").read_text().splitlines()
    except (OSError, ValueError):
        return
    mount = _ROOT / "sys/fs/cgroup"
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if not controllers:  # version 2
            root, names = mount, ("memory.max", "memory.current", "inactive_file")
        elif "memory" in controllers.split(","):
            root = mount / "memory"
            names = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
        else:
            continue
        # A limit applies to all groups below. In a container the path may be that on the host.
        group = root / path.lstrip("/")
        for folder in (group, *group.parents):
            if folder == root or root in folder.parents:
                yield _of_group(folder, *names)


def _of_group(folder: Path, limit: str, usage: str, cache: str) -> float:
    allowed, used = _number(folder / limit), _number(folder / usage)
    if allowed is None or used is None:
        return math.inf
    # Files in memory count as used, and are given up first.
    return allowed - used + dict(_pairs(folder / "memory.stat")).get(cache, 0)


def _of_addresses() -> float:
    """Return what the limit on address space (ulimit -v) leaves."""
    if sys.platform == "win32":
        return math.inf
    import resource

    limit = resource.getrlimit(resource.RLIMIT_AS)[0]
    if limit == resource.RLIM_INFINITY:
        return math.inf
    pages = _number(_ROOT / "proc/self/statm") or 0
    return float(limit - pages * resource.getpagesize())


def _number(file: Path) -> int | None:
    """Return the first number of a file; None if there is none, such as for "max"."""
    try:
        return int(file.read_text().split()[0])
    except (OSError, ValueError, IndexError):
        return None


def _pairs(file: Path) -> Iterator[tuple[str, int]]:
    """Yield the names and numbers in the lines of a file."""
    try:
        lines = file.read_text().splitlines()
    except (OSError, ValueError):
        return
    for line in lines:
        words = line.split()
        if len(words) >= 2 and words[1].isdigit():
            yield words[0], int(words[1])
