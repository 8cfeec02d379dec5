"""Run a program for neural-tangents as it is: ``python -m ntkfast.neural_tangents script.py …``."""

from __future__ import annotations

import argparse
import json
import runpy
import sys
from collections.abc import Sequence
from pathlib import Path

from ntkfast.neural_tangents._old_names import OldNames

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a script or a notebook, and say which modules were replaced."""
    parser = argparse.ArgumentParser(
        prog="python -m ntkfast.neural_tangents",
        description="Run a program for neural-tangents over ntkfast, without changing it.",
    )
    parser.add_argument("program", type=Path, help="a script (.py) or a notebook (.ipynb)")
    parser.add_argument("arguments", nargs=argparse.REMAINDER, help="what the program is given")
    options = parser.parse_args(arguments)
    if not options.program.is_file():
        parser.error(f"{options.program}: no such file")
    names = OldNames()
    names.install()
    sys.argv = [str(options.program), *options.arguments]
    sys.path.insert(0, str(options.program.resolve().parent))
    try:
        if options.program.suffix == ".ipynb":
            _run_notebook(options.program)
        else:
            runpy.run_path(str(options.program), run_name="__main__")
    finally:
        for old, new in sorted(names.replaced.items()):
            sys.stderr.write(f"ntkfast: replaced {old} by {new}\n")
    return 0


def _run_notebook(path: Path) -> None:
    """Run the cells with code in order, without the lines that are commands of notebooks."""
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    names = {"__name__": "__main__", "__file__": str(path)}
    for number, cell in enumerate(cells, start=1):
        if cell["cell_type"] != "code":
            continue
        source = cell["source"]
        lines = (source if isinstance(source, str) else "".join(source)).splitlines()
        if lines and lines[0].startswith("%%"):
            continue
        kept = ["" if line.lstrip().startswith(("%", "!")) else line for line in lines]
        exec(compile("\n".join(kept), f"{path}, cell {number}", "exec"), names)


if __name__ == "__main__":
    sys.exit(main())
