"""``ntkfast info``: what a bug report should say of the machine."""

from __future__ import annotations

import argparse
import platform
from typing import TYPE_CHECKING

import numpy as np

import ntkfast

if TYPE_CHECKING:
    from argparse import _SubParsersAction

__all__ = ["add_parser"]


def add_parser(commands: _SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to the command line."""
    parser = commands.add_parser(
        "info",
        help="version, SIMD level, threads and build profile",
        description="Print the version, SIMD level, number of threads and build profile.",
    )
    parser.set_defaults(run=_run)


def _run(_: argparse.Namespace) -> int:
    facts = {
        **ntkfast.info(),
        "python": platform.python_version(),
        "numpy": np.__version__,
        "platform": platform.platform(),
    }
    width = max(map(len, facts))
    for name, value in facts.items():
        print(f"{name:<{width}}  {value}")
    return 0
