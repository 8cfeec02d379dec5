"""The citation and the pre-commit hooks agree with the files that they repeat."""

import re
from pathlib import Path

import ntkfast as nk

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
