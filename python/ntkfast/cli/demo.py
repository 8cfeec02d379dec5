"""``ntkfast demo``: from images to test accuracy, using all parts of the package."""

from __future__ import annotations

import argparse
import sys
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import ntkfast as nk
from ntkfast._atomic import replacing
from ntkfast._optional import MissingExtraError
from ntkfast._progress import Report
from ntkfast.cli import _digits
from ntkfast.cli._digits import Digits, Stage
from ntkfast.plots.style import PAPER

if TYPE_CHECKING:
    from argparse import _SubParsersAction

__all__ = ["add_parser"]

_OUTPUT = Path("ntkfast-demo.png")

_EXAMPLES = """\
examples:
  ntkfast demo                       write the figure to ntkfast-demo.png
  ntkfast demo --output digits.pdf   use any format that Matplotlib supports
"""


def add_parser(commands: _SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to the command line."""
    parser = commands.add_parser(
        "demo",
        help="train an infinitely wide network on handwritten digits",
        description="Train an infinitely wide ReLU network on half of scikit-learn's handwritten "
        "digits, in closed form, and classify the other half.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--output",
        "-o",
        type=Path,
        default=_OUTPUT,
        metavar="FILE",
        help="file for the figure (default: %(default)s); its extension selects the format",
    )
    parser.set_defaults(run=lambda arguments: _run(arguments.output, parser))


def _run(output: Path, parser: argparse.ArgumentParser) -> int:
    try:
        from matplotlib import rc_context

        from ntkfast.cli import _figure
    except ImportError as error:
        raise MissingExtraError("the demonstration", "Matplotlib", "plots") from error
    # Checked before the work.
    if not output.parent.is_dir():
        parser.error(f"--output {output}: {output.parent} is not a folder")
    if (formats := _figure.formats()).isdisjoint([output.suffix.lower().lstrip(".")]):
        parser.error(
            f"--output {output}: the file extension must be one of {', '.join(sorted(formats))}"
        )

    network = textwrap.fill(repr(_digits.NETWORK), 90, subsequent_indent=" " * 7)
    print(
        f"ntkfast {nk.__version__} classifies handwritten digits with an infinitely wide network\n"
        f"\n{network}\n",
        flush=True,
    )
    digits = _digits.run(_print_stage, on_start=_announce, progress=_bar_on_terminal())
    _print_findings(digits)
    print()
    _announce("figure")
    with rc_context(PAPER), replacing(output) as file:
        # At the resolution of the figure, not at that of the user's settings.
        _figure.draw(digits).savefig(file, dpi="figure", format=output.suffix.lower().lstrip("."))
    print(f"figure: {output}")
    return 0


def _announce(name: str) -> None:
    """Show on a terminal which step starts; its result overwrites the line."""
    if sys.stdout.isatty():
        print(f"{name} ...", end="\r", flush=True)


def _print_stage(stage: Stage) -> None:
    print(f"{stage.name:<28}{stage.seconds:8.3f} s   {stage.outcome}", flush=True)


def _print_findings(digits: Digits) -> None:
    values = digits.spectrum.eigenvalues
    print(
        f"\neigenvalues from {values[0]:.4g} to {values[-1]:.4g}, "
        f"condition number {digits.spectrum.condition_number:.4g}\n\n"
        f"{'time t':>8}{'training loss':>17}{'test accuracy':>17}"
    )
    for t, loss, accuracy in zip(digits.t, digits.loss, digits.accuracy, strict=True):
        print(f"{t:>8g}{loss:>17.4g}{accuracy:>16.1%}")


def _bar_on_terminal() -> Report | None:
    """Make a progress bar for kernels that take over a second; none without terminal or tqdm."""
    try:
        from tqdm import tqdm
    except ImportError:
        return None
    if not sys.stderr.isatty():
        return None
    bar: tqdm[NoReturn] | None = None

    def report(done: int, total: int) -> None:
        nonlocal bar
        if bar is None:
            bar = tqdm(total=total, unit="tile", delay=1, leave=False)
        bar.update(done - bar.n)
        if done >= total:
            bar.close()
            bar = None

    return report
