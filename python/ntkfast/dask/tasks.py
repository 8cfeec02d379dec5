"""Tasks on the workers of the current client, or without one in the threads of this process."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any, TypeVar

import dask
import dask.config
from dask.delayed import Delayed, delayed

from ntkfast._version import VERSION, check_version

__all__ = [
    "Held",
    "client",
    "compute",
    "given",
    "joined",
    "persist",
    "quietly",
    "shared",
    "task",
    "there",
]

Part = TypeVar("Part")

# Targets and vectors travel with the tasks that use them, which is what Dask warns of.
_NO_ADVICE = {"distributed.admin.large-graph-warning-threshold": "1 PB"}


class Held:
    """A value in which Dask does not look for tasks, and the version of the client."""

    def __init__(self, value: Any) -> None:
        self.value, self.version = value, VERSION


def given(held: Held) -> Any:
    """Return a value; a task, which is run again if the worker that has the value ends."""
    check_version(held.version)
    return held.value


def task(function: Callable[..., Any], *arguments: Any) -> Delayed:
    """Return a call of a function as a task."""
    found: Delayed = delayed(function, pure=False)(*arguments)
    return found


def shared(value: Any) -> Delayed:
    """Return a value for tasks, which each worker gets a copy of.

    It is the result of a task, and not scattered: if the worker that has it ends, the scheduler
    runs the task again.
    """
    return task(given, Held(value))


def joined(parts: Sequence[Delayed], join: Callable[[list[Part]], Part], fan: int) -> Delayed:
    """Join the results of tasks in their order, at most `fan` at a time.

    The order of sums depends on the number of tasks alone, and so do their bits.
    """
    while len(parts) > 1:
        groups = [list(parts[i : i + fan]) for i in range(0, len(parts), fan)]
        parts = [group[0] if len(group) == 1 else task(join, group) for group in groups]
    return parts[0]


def compute(wanted: Delayed | list[Delayed], **options: Any) -> Any:
    """Return the result of a task, or of some."""
    with quietly():
        return dask.compute(wanted, **options)[0]


def persist(tasks: Sequence[Delayed], keeper: str | None = None) -> list[Delayed]:
    """Have the workers run tasks and keep the results, as long as what is returned exists.

    If the worker that is to keep them ends, others take over.
    """
    place = {"workers": [keeper], "allow_other_workers": True} if keeper else {}
    with quietly():
        return list(dask.persist(*tasks, **place)) if tasks else []


def there(kept: Sequence[Delayed]) -> bool:
    """Whether results of `persist` still exist: the client of then is in use, and not restarted."""
    try:
        from distributed import Future
    except ImportError:
        return True
    values = [value for one in kept for value in one.dask.values()]
    futures = [value for value in values if isinstance(value, Future)]
    current = client()
    if not futures:  # held in this process, or not at all
        return current is None
    return all(one.client is current and one.status != "cancelled" for one in futures)


def quietly() -> AbstractContextManager[object]:
    """Send points and vectors without the advice of Dask to load them elsewhere: they are here."""
    setting: AbstractContextManager[object] = dask.config.set(_NO_ADVICE)
    return setting


def client() -> Any:
    """Return the current client of dask.distributed, or None."""
    try:
        from distributed import get_client
    except ImportError:
        return None
    try:
        current = get_client()
    except ValueError:
        return None
    return current if current.status == "running" else None
