"""What benchmarks share: arguments, fair timing, memory of a fresh process, a table, a record."""

from __future__ import annotations

import argparse
import contextlib
import gc
import json
import multiprocessing
import os
import platform
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np

import ntkfast as nk

Work = Callable[[], object]

WIDTH = 52  # of the column that names works
PAUSE = 0.25  # seconds: idle threads of OpenBLAS look for work for some 0.025, of OpenMP for 0.2


def alternate(
    works: Mapping[str, Work],
    repetitions: int,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, list[float]]:
    """Time each work `repetitions` times, in turn, so that a machine's drift hits all alike.

    Results are dropped before the next work starts, and there is a pause: a library's threads look
    for more work for some time, in which the next one would share its processors with them. One
    round before the first is not counted: it wakes the threads and compiles the programs. For work
    on one thread the clock may be ``time.process_time``, which stands still while others have the
    processor.
    """
    seconds: dict[str, list[float]] = {name: [] for name in works}
    for repetition in range(-1, repetitions):
        for name, work in works.items():
            gc.collect()
            time.sleep(PAUSE)
            start = clock()
            result = work()
            elapsed = clock() - start
            del result
            if repetition >= 0:
                seconds[name].append(elapsed)
    return seconds


@dataclass(frozen=True)
class Row:
    """What a work took, and a reference where there is one; best of several."""

    work: str
    ours: float
    reference: float | None = None
    bar: float | None = None
    """The most that the ratio may be, or `ours` where there is no reference."""
    unit: str = "s"

    @property
    def figure(self) -> float:
        """What the bar is on: the ratio, or `ours` where there is no reference."""
        return self.ours if self.reference is None else self.ours / self.reference

    @property
    def met(self) -> bool | None:
        """Whether the figure is within the bar; None without one."""
        return None if self.bar is None else self.figure <= self.bar

    def record(self) -> dict[str, Any]:
        """Return everything, for a JSON record."""
        return {**asdict(self), "figure": self.figure, "met": self.met}


def header(reference: str) -> str:
    """Name the columns, and what the works are compared with."""
    return f"{'work':<{WIDTH}}{'ntkfast':>12}{reference:>20}{'ratio':>8}{'at most':>10}"


def line(row: Row) -> str:
    """Lay a comparison out in columns."""

    def quantity(value: float | None) -> str:
        return "" if value is None else f"{value:.{3 if row.unit == 's' else 1}f} {row.unit}"

    def figure(value: float | None) -> str:
        if row.reference is None:
            return quantity(value)
        return "" if value is None else f"{value:.2f}"

    ratio = "" if row.reference is None else figure(row.figure)
    verdict = {None: "", True: "met", False: "missed"}[row.met]
    cells = f"{quantity(row.ours):>12}{quantity(row.reference):>20}{ratio:>8}{figure(row.bar):>10}"
    return f"{row.work:<{WIDTH}}{cells}  {verdict}".rstrip()


def table(rows: Sequence[Row], reference: str) -> str:
    """Lay the comparisons out in columns, under their names."""
    return "\n".join([header(reference), *map(line, rows)])


def positive(text: str) -> int:
    """Read a command-line argument that has to be at least 1."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"is {number}, expected 1 or more")
    return number


def base_parser(description: str | None, record: str, repetitions: int) -> argparse.ArgumentParser:
    """Return a parser of what every benchmark takes; its record is called `record`."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--repetitions", type=positive, default=repetitions, help="the best counts")
    parser.add_argument(
        "--output",
        type=Path,
        default=Path(__file__).parent / "results" / f"{record}.json",
        metavar="FILE",
        help="where to write the record, as JSON",
    )
    return parser


def add_threads(parser: argparse.ArgumentParser) -> None:
    """Let a parser take the number of threads."""
    parser.add_argument("--threads", type=positive, default=nk.num_threads(), help="of both sides")


@contextlib.contextmanager
def on_threads(number: int) -> Iterator[None]:
    """Let both sides compute on as many threads."""
    from threadpoolctl import threadpool_limits

    before = nk.num_threads()
    nk.set_num_threads(number)
    with threadpool_limits(limits=number, user_api="blas"):
        try:
            yield
        finally:
            nk.set_num_threads(before)


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
    return _in_fresh_process(prepare, arguments).lift


@dataclass(frozen=True)
class Cost:
    """What a work took in a process of its own."""

    seconds: float
    lift: int | None
    """Bytes by which it lifted the peak of memory; None where the system does not tell."""
    peak: int | None
    """That peak: everything in the process, with its inputs, Python and the libraries."""


def cost(prepare: Callable[..., Work], *arguments: object) -> Cost:
    """Time a work that is run once, and measure its memory, in a process of its own."""
    return _in_fresh_process(prepare, arguments)


def _in_fresh_process(prepare: Callable[..., Work], arguments: tuple[object, ...]) -> Cost:
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    child = context.Process(target=_measure, args=(sender, prepare, arguments))
    child.start()
    sender.close()
    try:
        found: Cost = receiver.recv()
    except EOFError:
        raise RuntimeError("the process that measures memory died; its message is above") from None
    finally:
        child.join()
    return found


def _measure(
    sender: Connection, prepare: Callable[..., Work], arguments: tuple[object, ...]
) -> None:
    work = prepare(*arguments)
    _forget_peak()
    before = _high_water_mark()
    begun = time.perf_counter()
    work()
    seconds = time.perf_counter() - begun
    after = _high_water_mark()
    lift = None if before is None or after is None else after - before
    sender.send(Cost(seconds, lift, after))


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


def load() -> float | None:
    """Return how many processes were running over the last minute; None where nobody tells.

    On an idle machine a benchmark finds it near 0.
    """
    return round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None


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
