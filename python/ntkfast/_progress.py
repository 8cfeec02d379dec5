"""The argument `progress`: True for a bar, a callable(done, total), None or False for silence."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TypeAlias

from ntkfast._optional import MissingExtraError

Report: TypeAlias = Callable[[int, int], object]
Progress: TypeAlias = bool | Report | None

_SILENT: AbstractContextManager[None] = nullcontext()


def reporting(
    progress: Progress, label: str, unit: str = "tile"
) -> AbstractContextManager[Report | None]:
    """Return a context whose value is what is called as work finishes, or None."""
    if progress is None or progress is False:
        return _SILENT
    if progress is True:
        return _bar(label, unit)
    if callable(progress):
        return nullcontext(progress)
    raise TypeError(
        f"progress is {progress!r}; "
        "expected True (a tqdm bar), a callable(done, total), None or False"
    )


@contextmanager
def _bar(label: str, unit: str) -> Iterator[Report]:
    try:
        from tqdm.auto import tqdm
    except ImportError as error:
        raise MissingExtraError("progress=True", "tqdm", "progress") from error
    with tqdm(desc=label, unit=unit) as bar:

        def report(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        yield report
