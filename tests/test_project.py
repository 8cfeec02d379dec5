"""The citation and the pre-commit hooks agree with the files that they repeat."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import ntkfast as nk
from wheel import check_archive

ROOT = Path(__file__).parents[1]


def text(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def test_the_citation_is_of_this_version_and_licence() -> None:
    entries = dict(re.findall(r"^([\w-]+): *(.*)$", text("CITATION.cff"), re.MULTILINE))
    assert entries["cff-version"] == "1.2.0"
    assert {"message", "title", "authors", "type"} <= entries.keys()
    package = text("Cargo.toml").partition("[workspace.package]")[2]
    for key in ("version", "license"):
        (value,) = re.findall(rf'^{key} = "(.*)"$', package, re.MULTILINE)
        if key == "version":
            assert entries[key] == value == nk.__version__
        else:
            licences = re.search(r"^license:\n((?:  - .*\n)+)", text("CITATION.cff"), re.MULTILINE)
            assert licences
            assert re.findall(r"- (\S+)", licences[1]) == value.split(" OR ")
    (author,) = re.findall(r"^  - name: (.*)$", text("CITATION.cff"), re.MULTILINE)
    assert f'authors = [{{ name = "{author}" }}]' in text("pyproject.toml")


def test_the_hooks_of_pre_commit_are_the_steps_of_make_lint() -> None:
    recipe = re.search(r"^lint:.*\n((?:\t.*\n)+)", text("Makefile"), re.MULTILINE)
    assert recipe
    steps = [line.strip().replace("$(BIN)", ".venv/bin") for line in recipe[1].splitlines()]
    hooks = re.findall(r"^ +entry: (.*)$", text(".pre-commit-config.yaml"), re.MULTILINE)
    assert hooks == steps


@pytest.mark.skipif(not shutil.which("cargo"), reason="there is no Rust")
def test_the_source_archive_is_complete_without_git(tmp_path: Path) -> None:
    """As in an archive of the sources, which also lacks what Git ignores."""
    pytest.importorskip("maturin")
    copy = tmp_path / "ntkfast"
    left_out = shutil.ignore_patterns(
        ".*", "target", "dist", "site", "__pycache__", "*.so", "*.pyd"
    )
    shutil.copytree(ROOT, copy, ignore=left_out)
    (copy / "tests" / "__pycache__").mkdir()
    for junk in ("tests/__pycache__/a.pyc", "tests/.hidden", "python/ntkfast/_ntkfast.abi3.so"):
        (copy / junk).touch()
    command = [sys.executable, "-m", "maturin", "sdist", "--out", str(tmp_path / "dist")]
    ended = subprocess.run(
        command,
        cwd=copy,
        env={**os.environ, "GIT_CEILING_DIRECTORIES": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    (archive,) = (tmp_path / "dist").iterdir()
    check_archive(archive)
