"""The soak runs a trial of each kind, counts it, and ends with 1 if one fails."""

import os
import re
from pathlib import Path

import pytest

from processes import python

SOAK = Path(__file__).parents[1] / "fuzz" / "soak.py"


@pytest.mark.alone
@pytest.mark.skipif(os.name != "posix", reason="signals and forks are those of POSIX")
def test_a_trial_of_each_kind() -> None:
    result = python(str(SOAK), "--only", "files,forks,signals", "--trials", "2", timeout=300)
    assert result.returncode == 0, result.stdout + result.stderr
    last = result.stdout.splitlines()[-1]
    assert re.fullmatch(
        r" +\d+ s  files 2 \(0 failed\), forks 2 \(0 failed\), signals 2 \(0 failed\)", last
    )


@pytest.mark.skipif(os.name != "posix", reason="signals and forks are those of POSIX")
def test_a_failure_is_counted_and_can_be_repeated() -> None:
    code = """
import sys
sys.path.insert(0, sys.argv.pop(1))
import soak
def fails(trial):
    (trial.folder / "left").touch()
    trial.only("a")
soak.PARTS["files"] = (fails,)
sys.argv[0] = "soak.py"
sys.exit(soak.main())
"""
    options = ("--only", "files", "--seed", "3", "--start", "5", "--trials", "1")
    result = python("-c", code, str(SOAK.parent), *options)
    assert result.returncode == 1, result.stderr
    assert result.stdout.count("\n") == 2, result.stdout + result.stderr
    first, last = result.stdout.splitlines()
    assert first == "failed: --seed 3: files 5 (fails): the folder has ['left']; expected ['a']"
    assert last.endswith("files 1 (1 failed)")
    unknown = python(str(SOAK), "--only", "disks")
    assert unknown.returncode == 2
    assert "no part disks; expected files, forks, limits, signals" in unknown.stderr
