"""The number of threads: what chose it, and the limits of worker processes of joblib and Dask."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from typing import Any

from ntkfast._ntkfast import before_next_call, cores, share_threads
from ntkfast._ntkfast import info as core_info
from ntkfast._ntkfast import num_threads as core_num_threads
from ntkfast._ntkfast import set_num_threads as core_set_num_threads

__all__ = [
    "Setting",
    "info",
    "limit",
    "num_threads",
    "obey_limits",
    "set_num_threads",
    "setting",
]


@dataclass(frozen=True)
class Setting:
    """Threads of the process, 0 for all of its cores; the calls that share them; and the source."""

    threads: int = 0
    calls: int = 1
    source: str = "cores"


_setting = Setting()


def setting() -> Setting:
    """Return what is in force."""
    return _setting


def limit(new: Setting) -> None:
    """Use other threads from the next call on."""
    global _setting  # noqa: PLW0603 - the number is that of the process
    share_threads(new.threads, new.calls)
    _setting = new


def num_threads() -> int:
    """Return the number of threads that one call takes."""
    _obey_dask()
    return core_num_threads()


def set_num_threads(n: int) -> None:
    """Set the number of threads of this process, from the next call on.

    Parameters
    ----------
    n
        From 1 to 4096. Calls that run at the same time in several threads of Python share them.

    Raises
    ------
    TypeError, ValueError
        ``n`` is not an integer, or is out of range.
    """
    global _setting  # noqa: PLW0603
    core_set_num_threads(n)
    _setting = Setting(num_threads(), source="set_num_threads")


def info() -> dict[str, Any]:
    """Describe the build, and the threads of this process.

    Returns
    -------
    dict
        ``version``, ``simd`` (the instruction set), ``threads`` (as `num_threads`),
        ``threads_from`` (what chose that number), and ``profile`` of the build.
    """
    _obey_dask()
    facts = core_info()
    facts["threads_from"] = _shown(_setting)
    return facts


def _shown(setting: Setting) -> str:
    if setting.threads:
        return setting.source
    available, processes = cores()
    text = f"cores of this process ({available})"
    if processes > 1:
        text += f", shared by {processes} processes"
    if setting.calls > 1:
        text += f", shared by {setting.calls} threads of a {setting.source}"
    return text


def obey_limits() -> None:
    """Use as many threads as a worker process is allowed, unless the user has chosen a number.

    joblib tells its workers by OMP_NUM_THREADS. Everywhere else this variable is for others: it is
    often 1 on machines whose users want all cores for this package, and Dask sets it to 1 whatever
    the number of its workers. A worker of Dask has its cores for all of its threads together.
    """
    global _setting  # noqa: PLW0603
    name = _name()
    if os.environ.get("NTKFAST_NUM_THREADS", "").strip():
        _setting = Setting(num_threads(), source="NTKFAST_NUM_THREADS")
    elif name.startswith("Loky"):
        first = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0].strip()
        if first.isdecimal() and int(first):
            threads = min(int(first), num_threads())
            limit(Setting(threads, source="OMP_NUM_THREADS of joblib"))
    elif name.startswith("Dask Worker"):
        _setting = Setting(source="Dask")
        _obey_dask()


def _obey_dask() -> None:
    """Share the cores among the threads of a worker of Dask.

    Scripts that import this package are imported in the process of a worker before the worker is
    made; then the first call asks again.
    """
    if _setting == Setting(source="Dask"):
        if calls := _threads_of_dask():
            limit(Setting(calls=calls, source="Dask worker"))
        else:
            before_next_call(_obey_dask)


def _name() -> str:
    """Return the name of this process; empty if multiprocessing is not in use."""
    process = sys.modules.get("multiprocessing.process")  # imported in every worker
    return "" if process is None else str(process.current_process().name)


def _threads_of_dask() -> int:
    """Return how many tasks the workers in this process run at the same time."""
    worker = sys.modules.get("distributed.worker")
    workers = [] if worker is None else list(worker.Worker._instances)
    return sum(int(one.state.nthreads) for one in workers)
