"""``ntkfast figures``: the figures of the guide, each computed from scratch."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, TypeAlias

from ntkfast._atomic import replacing
from ntkfast._optional import MissingExtraError
from ntkfast.plots.figures import FIGURES

if TYPE_CHECKING:
    from argparse import _SubParsersAction

    from matplotlib.figure import Figure as Picture

__all__ = ["add_parser"]

Figure: TypeAlias = tuple[str, ModuleType]  # the letter and the module of a figure

_EXAMPLES = """\
examples:
  ntkfast figures pictures               all figures, into the folder pictures
  ntkfast figures pictures --only f      one figure
  ntkfast figures . --only b,g,k         some figures, by letter or by name
"""


def add_parser(commands: _SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to the command line."""
    listed = "\n".join(
        f"  {key}  {_name(module):<27} {_title(module)}" for key, module in FIGURES.items()
    )
    parser = commands.add_parser(
        "figures",
        help="draw the figures of the guide",
        description=f"Compute and draw, as PNG files:\n\n{listed}",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("folder", type=Path, metavar="DIR", help="output folder; created if needed")
    parser.add_argument(
        "--only",
        metavar="WHICH",
        help="letters or names, separated by commas (default: all)",
    )
    parser.add_argument(
        "--dpi", type=int, default=150, metavar="N", help="pixels per inch (default: %(default)s)"
    )
    parser.set_defaults(run=lambda arguments: _run(arguments, parser))


def _run(arguments: argparse.Namespace, parser: argparse.ArgumentParser) -> int:
    folder, only = arguments.folder, arguments.only
    chosen = list(FIGURES.items()) if only is None else _choose(only, parser)
    if not 10 <= arguments.dpi <= 1000:
        parser.error(f"--dpi {arguments.dpi}: expected a number from 10 to 1000")
    if folder.exists() and not folder.is_dir():
        parser.error(f"DIR is {folder}, which is a file; expected a folder")
    try:
        import matplotlib  # noqa: F401  (said before the work, not after it)
    except ImportError as error:
        raise MissingExtraError("figures", "Matplotlib", "plots") from error
    folder.mkdir(parents=True, exist_ok=True)
    start = time.perf_counter()
    for key, module in _with_bar(chosen):
        begun = time.perf_counter()
        path = folder / f"{key}-{_name(module)}.png"
        _save(module.draw(module.compute()), path, arguments.dpi)
        print(f"{path}   {time.perf_counter() - begun:.1f} s   {_title(module)}", flush=True)
    print(f"{len(chosen)} figure{'s' * (len(chosen) != 1)}, {time.perf_counter() - start:.1f} s")
    return 0


def _name(module: ModuleType) -> str:
    return module.__name__.rpartition(".")[2].replace("_", "-")


def _title(module: ModuleType) -> str:
    """Return the title of a figure: the docstring of its module up to the colon."""
    return (module.__doc__ or "").partition("\n")[0].rstrip(".").partition(":")[0]


def _choose(only: str, parser: argparse.ArgumentParser) -> list[Figure]:
    """Return the figures that `only` names, without duplicates, in the order of the guide."""
    known = {word: key for key, module in FIGURES.items() for word in (key, _name(module))}
    words = {word.strip().lower().replace("_", "-") for word in only.split(",")}
    if unknown := words - known.keys():
        names = ", ".join(f"{key} ({_name(module)})" for key, module in FIGURES.items())
        parser.error(
            f"--only {only}: there is no figure {min(unknown)!r}; expected some of {names}"
        )
    wanted = {known[word] for word in words}
    return [figure for figure in FIGURES.items() if figure[0] in wanted]


def _with_bar(figures: list[Figure]) -> Iterator[Figure]:
    """Yield the figures; on a terminal with tqdm, show a progress bar with the next name."""
    try:
        from tqdm import tqdm
    except ImportError:
        yield from figures
        return
    with tqdm(total=len(figures), unit="figure", disable=not sys.stderr.isatty()) as bar:
        for key, module in figures:
            bar.set_description(_name(module))
            yield key, module
            bar.update()


def _save(picture: Picture, path: Path, dpi: int) -> None:
    """Write the file completely or not at all."""
    with replacing(path) as file:
        picture.savefig(file, format="png", dpi=dpi)
