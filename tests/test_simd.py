"""Every instruction set of this processor satisfies the contract, not only the best one."""

import os
import re
from pathlib import Path

import pytest

import ntkfast as nk
from processes import levels, python

# What depends on the arithmetic of the tiles: 50-digit values, and the contract of each layer.
CASES = (
    "references or extreme or slopes or homogeneous or catalogue or every or grow or one_feature"
)
NAMES = (
    *("test_precision.py", "test_contract.py", "test_many_features.py"),
    "test_derivative_kernel.py",
)
FILES = [str(Path(__file__).with_name(name)) for name in NAMES]
OPTIONS = ("-q", "-x", "-k", CASES, "-p", "no:cacheprovider")
WHICH = "import ntkfast; print(ntkfast.info()['simd'])"


def test_the_best_one_is_the_default() -> None:
    assert nk.info()["simd"] == os.environ.get("NTKFAST_SIMD", levels()[0])


@pytest.mark.parametrize("level", levels()[1:])
def test_precision_and_contract(level: str) -> None:
    assert python("-c", WHICH, NTKFAST_SIMD=level).stdout.strip() == level
    result = python("-m", "pytest", *FILES, *OPTIONS, NTKFAST_SIMD=level)
    assert result.returncode == 0, result.stdout + result.stderr
    assert re.search(r"\d{3,} passed", result.stdout), result.stdout
