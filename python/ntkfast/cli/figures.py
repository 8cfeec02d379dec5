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
from ntkfast.plots.style import PAPER

if TYPE_CHECKING:
    from argparse import _SubParsersAction

    from matplotlib.figure import Figure as Picture

__all__ = ["add_parser"]

Figure: TypeAlias = tuple[str, ModuleType]  # the letter and the module of a figure

_EXAMPLES = """\
examples:
  ntkfast figures pictures                          all figures, into the folder pictures
  ntkfast figures . --only b,g,k                    some figures, by letter or by name
  ntkfast figures kernel.pdf --only f               one figure, into this file
  ntkfast figures paper --format pdf --width 5.5    as wide as a column of text
"""

FORMATS = ("pdf", "svg", "png")
# Extensions that nobody means as the name of a folder.
_PICTURES = {
    f".{extension}"
    for extension in (
        *FORMATS,
        "eps",
        "gif",
        "jpeg",
        "jpg",
        "pgf",
        "ps",
        "svgz",
        "tif",
        "tiff",
        "webp",
    )
}


def add_parser(commands: _SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to the command line."""
    listed = "\n".join(
        f"  {key}  {_name(module):<27} {_title(module)}" for key, module in FIGURES.items()
    )
    parser = commands.add_parser(
        "figures",
        help="draw the figures of the guide",
        description=f"Compute and draw, with text of 8 points:\n\n{listed}",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "output",
        type=Path,
        metavar="OUT",
        help="output folder, created if needed; or with one figure, a .pdf, .svg or .png file",
    )
    parser.add_argument(
        "--only",
        metavar="WHICH",
        help="letters or names, separated by commas (default: all)",
    )
    parser.add_argument(
        "--format", choices=FORMATS, help="file format (default: that of OUT, or png)"
    )
    parser.add_argument(
        "--width",
        type=float,
        metavar="INCHES",
        help="width of each figure, from 3 to 40 (default: 6.75); narrow ones stack their panels",
    )
    parser.add_argument(
        "--dpi",
        type=int,
        default=150,
        metavar="N",
        help="pixels per inch, also of the maps in pdf and svg (default: %(default)s)",
    )
    parser.set_defaults(run=lambda arguments: _run(arguments, parser))


def _run(arguments: argparse.Namespace, parser: argparse.ArgumentParser) -> int:
    only = arguments.only
    chosen = list(FIGURES.items()) if only is None else _choose(only, parser)
    paths = _paths(arguments.output, arguments.format, chosen, parser)
    if not 10 <= arguments.dpi <= 1000:
        parser.error(f"--dpi {arguments.dpi}: expected a number from 10 to 1000")
    width = arguments.width
    if width is not None and not 3 <= width <= 40:
        parser.error(f"--width {width:g}: expected inches from 3 to 40")
    try:
        import matplotlib
    except ImportError as error:
        raise MissingExtraError("figures", "Matplotlib", "plots") from error
    paths[0].parent.mkdir(parents=True, exist_ok=True)
    start = time.perf_counter()
    for path, (_, module) in zip(paths, _with_bar(chosen), strict=True):
        begun = time.perf_counter()
        with matplotlib.rc_context(PAPER):
            picture = module.draw(
                module.compute(), figsize=None if width is None else (width, None)
            )
            _save(picture, path, arguments.dpi)
        print(f"{path}   {time.perf_counter() - begun:.1f} s   {_title(module)}", flush=True)
    print(f"{len(chosen)} figure{'s' * (len(chosen) != 1)}, {time.perf_counter() - start:.1f} s")
    return 0


def _paths(
    output: Path, wanted: str | None, chosen: list[Figure], parser: argparse.ArgumentParser
) -> list[Path]:
    """Return the file of each figure."""
    extension = output.suffix.lower()
    if extension not in _PICTURES:
        if output.exists() and not output.is_dir():
            parser.error(f"OUT is {output}, which is a file; expected a folder, or a file name.pdf")
        return [output / f"{key}-{_name(module)}.{wanted or 'png'}" for key, module in chosen]
    known = ", ".join(f".{each}" for each in FORMATS)
    if extension[1:] not in FORMATS:
        parser.error(f"OUT is {output}: unsupported file extension {extension!r}; expected {known}")
    if wanted not in (None, extension[1:]):
        parser.error(f"OUT is {output}, but --format is {wanted}; give only one of them")
    if len(chosen) != 1:
        parser.error(
            f"OUT is {output}, one file for {len(chosen)} figures; choose one, as in --only f, "
            f"or name a folder: {output.with_suffix('')} --format {extension[1:]}"
        )
    if output.is_dir():
        parser.error(f"OUT is {output}, which is a folder; expected a file")
    return [output]


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
        picture.savefig(file, format=path.suffix.lower()[1:], dpi=dpi)
