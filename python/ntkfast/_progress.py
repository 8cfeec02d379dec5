"""The argument `progress`: True for a bar, a callable(done, total), or None or False for none."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, TypeAlias, TypeVar
from warnings import catch_warnings, simplefilter

from ntkfast._optional import MissingExtraError

Report: TypeAlias = Callable[[int, int], object]
Progress: TypeAlias = bool | Report | None

T = TypeVar("T")

_SILENT: AbstractContextManager[None] = nullcontext()


def reporting(
    progress: Progress, label: str, unit: str = "tile"
) -> AbstractContextManager[Report | None]:
    """Return a context whose value is the callable for progress reports, or None."""
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
def one_step(progress: Progress, label: str) -> Iterator[None]:
    """Report work that cannot tell how far it is: as one step, before it and after it."""
    with reporting(progress, label, "step") as report:
        if report:
            report(0, 1)
        yield
        if report:
            report(1, 1)


def counted(progress: Progress, label: str, blocks: Iterable[T], total: int) -> Iterator[T]:
    """Yield blocks, and report how many of them have been used."""
    with reporting(progress, label, "block") as report:
        if report:
            report(0, total)
        for done, block in enumerate(blocks, start=1):
            yield block
            if report:
                report(done, total)


@contextmanager
def _bar(label: str, unit: str) -> Iterator[Report]:
    with _tqdm()(desc=label, unit=unit) as bar:

        def report(done: int, total: int) -> None:
            if bar.total != total:
                # A notebook bar changes its total only through `reset`, which also resets the
                # clock. A disabled bar has no such method.
                clocks = {name: vars(bar).get(name) for name in ("start_t", "last_print_t")}
                bar.reset(total)
                vars(bar).update(clocks)
            bar.update(done - bar.n)

        yield report


def _tqdm() -> Any:
    """Return the progress bar for a notebook or a terminal."""
    try:
        with catch_warnings():
            # In a notebook without ipywidgets, tqdm warns and shows the terminal bar.
            simplefilter("ignore")
            from tqdm.auto import tqdm
    except ImportError as error:
        raise MissingExtraError("progress=True", "tqdm", "progress") from error
    return tqdm
