"""The command line: ``ntkfast demo``, ``figures``, ``gram``, ``info``.

A command is a module with ``add_parser(commands)``, which sets ``run`` to a function from the
parsed arguments to an exit code. Exit codes: 0 success, 1 error, 2 bad usage, 130 interrupted.
"""

from __future__ import annotations

import argparse
import errno
import io
import os
import sys
from collections.abc import Sequence

import ntkfast
from ntkfast._optional import MissingExtraError
from ntkfast.cli import demo, figures, gram, info

__all__ = ["main"]

_EXAMPLES = """\
examples:
  ntkfast demo                       train an infinitely wide network on 1,797 digits
  ntkfast demo --output digits.pdf   the same, with the figure as PDF
  ntkfast figures pictures           draw the figures of the guide into the folder pictures
  ntkfast gram x.npy k.npy --depth 3    compute a kernel matrix from a file of points
  ntkfast info                       print information for a bug report
"""

# The exit code of shells for a program ended by SIGPIPE: 128 + 13.
_BROKEN_PIPE = 141
_INTERRUPTED = 130


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit code.

    Parameters
    ----------
    argv
        The arguments after the program's name; by default those of the process.

    Returns
    -------
    int
        0 success, 1 error, 130 interrupted, 141 if the reader of the output has closed it. Bad
        usage exits with 2 through ``SystemExit``, as in argparse.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):  # names of files may be no text at all
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        return _dispatch(argv)
    except KeyboardInterrupt:
        print("\nntkfast: interrupted", file=sys.stderr)
        return _INTERRUPTED
    except BrokenPipeError:
        _drop_output()
        return _BROKEN_PIPE
    except MissingExtraError as error:
        print(
            f"ntkfast: {error.package} is required and cannot be imported: "
            "pip install 'ntkfast[all]'",
            file=sys.stderr,
        )
        return 1
    except OSError as error:
        name = error.filename
        if name is None and error.errno == errno.ENOSPC:  # files are always named
            _drop_output()
            name = "standard output"
        named = name is not None and error.strerror
        print(
            f"ntkfast: {name}: {error.strerror}" if named else f"ntkfast: {error}",
            file=sys.stderr,
        )
        return 1
    except (ntkfast.NumericalError, MemoryError) as error:
        print(f"ntkfast: {str(error) or 'not enough memory'}", file=sys.stderr)
        return 1


def _dispatch(argv: Sequence[str] | None) -> int:
    try:
        arguments = _parser().parse_args(argv)
        code: int = arguments.run(arguments)
        return code
    finally:
        sys.stdout.flush()  # detects a broken pipe or a full disk, including after --help


def _drop_output() -> None:
    """Redirect what is left for the standard output, because Python flushes it again at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="ntkfast",
        description="Kernels of infinitely wide neural networks, and their training.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"ntkfast {ntkfast.__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    demo.add_parser(commands)
    figures.add_parser(commands)
    gram.add_parser(commands)
    info.add_parser(commands)
    return parser
