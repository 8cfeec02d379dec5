"""``ntkfast info``: information about the machine for a bug report."""

from __future__ import annotations

import argparse
import os
import platform
from importlib import metadata
from typing import TYPE_CHECKING

import numpy as np

import ntkfast

if TYPE_CHECKING:
    from argparse import _SubParsersAction

__all__ = ["add_parser"]

_OPTIONAL = ("scipy", "scikit-learn", "matplotlib", "tqdm")


def add_parser(commands: _SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to the command line."""
    parser = commands.add_parser(
        "info",
        help="print information for a bug report",
        description="Print the version, SIMD level, number of threads and build profile; the "
        "versions of Python and of the packages that ntkfast uses; the system; and the "
        "environment variables of ntkfast.",
    )
    parser.set_defaults(run=_run)


def _run(_: argparse.Namespace) -> int:
    facts = {
        **ntkfast.info(),
        "python": platform.python_version(),
        "numpy": np.__version__,
        **{package: _installed(package) for package in _OPTIONAL},
        "platform": platform.platform(),
        **{name: value for name, value in os.environ.items() if name.startswith("NTKFAST_")},
    }
    width = max(map(len, facts))
    for name, value in facts.items():
        print(f"{name:<{width}}  {value}")
    return 0


def _installed(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "not installed"
