"""Every instruction set that this processor has keeps the contract, not only the best one."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import ntkfast as nk

# What depends on the arithmetic of the tiles: 50-digit values, and the contract of each layer.
CASES = "references or extreme or slopes or homogeneous or catalogue or every"


def levels() -> list[str]:
    """Return the names of the instruction sets to be had here, as the package lists them."""
    result = import_with("nonsense")
    listed = re.search(r"this processor has (.+)", result.stderr)
    assert listed, result.stderr
    return listed[1].strip().split(", ")


def import_with(level: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-c", "import ntkfast; print(ntkfast.info()['simd'])"],
        env=os.environ | {"NTKFAST_SIMD": level},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_best_one_is_the_default() -> None:
    assert nk.info()["simd"] == os.environ.get("NTKFAST_SIMD", levels()[0])


@pytest.mark.skipif("NTKFAST_SIMD" in os.environ, reason="an instruction set is chosen already")
@pytest.mark.parametrize("level", levels()[1:])
def test_precision_and_contract(level: str) -> None:
    assert import_with(level).stdout.strip() == level
    folder = Path(__file__).parent
    tests = [folder / "test_precision.py", folder / "test_contract.py"]
    result = subprocess.run(
        [sys.executable, "-m", "pytest", *tests, "-q", "-x", "-k", CASES, "-p", "no:cacheprovider"],
        cwd=folder.parent,
        env=os.environ | {"NTKFAST_SIMD": level},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    assert re.search(r"\d{3,} passed", result.stdout), result.stdout
