"""Python in a separate process, and the available instruction sets."""

import os
import re
import subprocess
import sys
import textwrap
from pathlib import Path

Finished = subprocess.CompletedProcess[str]


def python(*arguments: str, timeout: float | None = None, **environment: str) -> Finished:
    """Run Python with arguments and with changes to the environment."""
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=Path(__file__).parents[1],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )


def run(script: str, timeout: float = 120, **environment: str) -> Finished:
    """Run a script, without the panic of anything."""
    result = python("-c", textwrap.dedent(script), timeout=timeout, **environment)
    assert "panicked" not in result.stderr
    return result


def levels() -> list[str]:
    """Return the names of the instruction sets to be had here, the best first."""
    result = python("-c", "import ntkfast", NTKFAST_SIMD="nonsense")
    listed = re.search(r"on this processor, (.+)", result.stderr)
    assert listed, result.stderr
    return listed[1].strip().split(", ")
