"""The number of threads in worker processes of joblib and Dask, which limit theirs."""

from __future__ import annotations

import os
import sys

from ntkfast._ntkfast import num_threads, set_num_threads

__all__ = ["obey_limits"]

# Names of processes. joblib's are those of loky.
_WORKERS = ("Loky", "Dask Worker")


def obey_limits() -> None:
    """Use as many threads as a worker process is allowed, unless the user has chosen a number.

    Both packages tell their workers by OMP_NUM_THREADS. Everywhere else this variable is for
    others: it is often 1 on machines whose users want all cores for this package.
    """
    limit = _limit()
    if limit and not os.environ.get("NTKFAST_NUM_THREADS", "").strip():
        set_num_threads(min(limit, num_threads()))


def _limit() -> int:
    """Return the number of threads that a worker process is allowed; 0 outside of workers."""
    process = sys.modules.get("multiprocessing.process")  # imported in every worker
    if process is None or not process.current_process().name.startswith(_WORKERS):
        return 0
    first = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0].strip()
    return int(first) if first.isdecimal() else 0
