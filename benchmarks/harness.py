"""What every benchmark shares: fair timing, memory of a fresh process, a table, a JSON record."""

from __future__ import annotations

import argparse
import contextlib
import gc
import json
import multiprocessing
import platform
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np

import ntkfast as nk

Work = Callable[[], object]


def alternate(
    works: Mapping[str, Work],
    repetitions: int,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, list[float]]:
    """Time each work `repetitions` times, in turn, so that a machine's drift hits all alike.

    Results are dropped before the next work starts. One round before the first is not counted:
    it wakes the threads and compiles the programs. For work on one thread the clock may be
    ``time.process_time``, which stands still while others have the processor.
    """
    seconds: dict[str, list[float]] = {name: [] for name in works}
    for repetition in range(-1, repetitions):
        for name, work in works.items():
            gc.collect()
            start = clock()
            result = work()
            elapsed = clock() - start
            del result
            if repetition >= 0:
                seconds[name].append(elapsed)
    return seconds


@dataclass(frozen=True)
class Row:
    """One comparison: best of several, in seconds."""

    work: str
    ours: float
    numpy: float

    @property
    def ratio(self) -> float:
        """Our time in units of NumPy's."""
        return self.ours / self.numpy


def positive(text: str) -> int:
    """Read a command-line argument that has to be at least 1."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"is {number}, expected 1 or more")
    return number


def table(rows: Sequence[Row], numpy_work: str) -> str:
    """Lay the comparisons out in columns."""
    header = f"{'work':<20}{'ntkfast':>12}{numpy_work:>18}{'ratio':>9}"
    lines = [
        f"{row.work:<20}{row.ours:>10.3f} s{row.numpy:>16.3f} s{row.ratio:>9.2f}" for row in rows
    ]
    return "\n".join([header, *lines])


def peak_memory(prepare: Callable[..., Work], *arguments: object) -> int | None:
    """Bytes that a work needs beyond what its preparation holds, in a process of its own.

    Parameters
    ----------
    prepare
        A function of a module, which allocates inputs and outputs and returns the work.
    *arguments
        What `prepare` is called with.

    Returns
    -------
    int or None
        How far the work lifts the high-water mark of the resident set, with everything that a
        first call brings: threads, buffers, copies. None where the system does not tell.
    """
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    child = context.Process(target=_measure, args=(sender, prepare, arguments))
    child.start()
    sender.close()
    try:
        peak: int | None = receiver.recv()
    except EOFError:
        raise RuntimeError("the process that measures memory died; its message is above") from None
    finally:
        child.join()
    return peak


def _measure(
    sender: Connection, prepare: Callable[..., Work], arguments: tuple[object, ...]
) -> None:
    work = prepare(*arguments)
    _forget_peak()
    before = _high_water_mark()
    work()
    after = _high_water_mark()
    sender.send(None if before is None or after is None else after - before)


def _forget_peak() -> None:
    """Let the high-water mark start anew, so that no peak of the preparation hides the work."""
    # Where that is not allowed the mark stays, and the work may seem to need less.
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def _high_water_mark() -> int | None:
    """Largest resident set of this process so far, in bytes; on Linux.

    Not ru_maxrss of getrusage: a new process inherits that from the one that started it.
    """
    status = Path("/proc/self/status")
    if status.exists():
        for line in status.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    return None


def machine() -> dict[str, Any]:
    """Facts without which a time says little."""
    from threadpoolctl import threadpool_info

    blas = [pool for pool in threadpool_info() if pool["user_api"] == "blas"]
    return {
        "ntkfast": nk.info(),
        "numpy": np.__version__,
        "blas": [f"{pool['internal_api']} {pool['version']}" for pool in blas],
        "python": platform.python_version(),
        "platform": platform.platform(),
        "processor": _processor(),
    }


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor()


def write_json(path: Path, record: Mapping[str, Any]) -> None:
    """Write a record, with the machine and the date."""
    path.parent.mkdir(parents=True, exist_ok=True)
    stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    path.write_text(json.dumps({"date": stamp, "machine": machine(), **record}, indent=2) + "\n")
