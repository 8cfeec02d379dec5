"""The examples in the README and the documentation are correct.

A ``python`` block is run in the namespace of the blocks before it. It must print the ``text`` block
that follows it. The ``pycon`` blocks of a page are one session with Python's output. A ``console``
block is a session of ``ntkfast``, in which the seconds may differ. A ``toml`` block that begins
with the name of a file is that file. Blocks of a page other than ``pycon`` are run in order, in one
folder of their own. The make targets in a ``sh`` block exist.
"""

import contextlib
import doctest
import io
import re
import shlex
from itertools import pairwise
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

import ntkfast as nk
from ntkfast.cli import main
from ntkfast.networks import activations, elementwise, exponentials, polynomials

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
SECONDS = re.compile(r" *\d+\.\d{3} s\b")
# The buffers of all threads are part of it.
MEMORY = re.compile(r"[\d.]+ [kMG]?B(?=: two copies| of work)")


def of_any_machine(text: str) -> str:
    """Return what is printed, without times and memory."""
    return MEMORY.sub("B", SECONDS.sub(" s", text))


def blocks(page: Path) -> list[tuple[str, str]]:
    """Language and text of each fenced block."""
    return re.findall(r"^```(\w+)\n(.*?)^```$", page.read_text(encoding="utf-8"), re.M | re.S)


def of_language(language: str) -> list[Any]:
    """Blocks of one language on all pages, as parameters of a test."""
    return [
        pytest.param(text, id=f"{page.name}: {text.splitlines()[0]}")
        for page in PAGES
        for found, text in blocks(page)
        if found == language
    ]


def printed_by(code: str, namespace: dict[str, object]) -> str:
    output = io.StringIO()
    with contextlib.redirect_stdout(output):
        exec(compile(code, "<block>", "exec"), namespace)
    return output.getvalue()


def printed_in(session: str) -> str:
    """Return what a session of the command prints, behind its first line."""
    prompt, program, *arguments = shlex.split(session.split("\n", 1)[0])
    assert (prompt, program) == ("$", "ntkfast")
    output = io.StringIO()
    with contextlib.redirect_stdout(output):
        assert main(arguments) == 0
    return of_any_machine(output.getvalue())


@pytest.mark.parametrize(
    "page",
    [page for page in PAGES if re.search("```(python|console)", page.read_text(encoding="utf-8"))],
    ids=lambda page: page.name,
)
def test_blocks_print_what_is_shown(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if page.name == "dask.md":
        pytest.importorskip("dask.array")
    monkeypatch.chdir(tmp_path)  # where figures are saved
    namespace: dict[str, object] = {}
    found = [*blocks(page), ("", "")]
    for (language, text), (next_language, shown) in pairwise(found):
        if language == "python":
            printed = printed_by(text, namespace)
            assert printed == (shown if next_language == "text" else "")
        elif language == "console":
            assert printed_in(text) == of_any_machine(text.split("\n", 1)[1])
        elif language == "toml" and (name := re.match(r"# (\S+\.toml)\n", text)):
            pytest.importorskip("tomllib", reason="it came with Python 3.11")
            Path(name[1]).write_text(text, encoding="utf-8")


@pytest.mark.parametrize(
    "page",
    [page for page in PAGES if "```pycon" in page.read_text(encoding="utf-8")],
    ids=lambda page: page.name,
)
def test_sessions_of_python_are_what_it_answers(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    # An answer ends at a blank line, which a fence is not; lines keep their numbers.
    session = re.sub(r"^```\w*$", "", text, flags=re.M)
    test = doctest.DocTestParser().get_doctest(session, {}, page.name, str(page), 0)
    result = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE).run(test)
    assert result.attempted > 0
    assert result.failed == 0


@pytest.mark.parametrize("commands", of_language("sh"))
def test_make_targets_exist(commands: str) -> None:
    targets = re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M)
    wanted = re.findall(r"^make ([\w-]+)$", commands, re.M)
    assert wanted
    assert set(wanted) <= set(targets)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_within_the_project_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)#:]+)\)", page.read_text(encoding="utf-8"))
    assert [link for link in links if not (page.parent / link).exists()] == []


def test_every_activation_has_its_row() -> None:
    page = (ROOT / "docs" / "activations.md").read_text(encoding="utf-8")
    families = (activations, exponentials, polynomials, elementwise)
    names = {name for family in families for name in family.__all__ if name in nk.__all__}
    rows = re.findall(r"^\| `(\w+)\(", page, re.MULTILINE)
    assert sorted(rows) == sorted(names)


def test_badges_say_what_the_project_says() -> None:
    tomllib = pytest.importorskip("tomllib", reason="it came with Python 3.11")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    python = "Programming Language :: Python :: 3."
    minors = [name[len(python) :] for name in project["classifiers"] if name.startswith(python)]
    said = {
        "python": "python: " + " | ".join(f"3.{minor}" for minor in minors),
        "licence": "licence: " + project["license"].replace(" OR ", " or "),
        "dependencies": "needs: " + ", ".join(project["dependencies"]),
    }
    assert project["requires-python"] == f">=3.{minors[0]}"
    folder = ROOT / "docs" / "images" / "badges"
    badges = {path.stem: ElementTree.parse(path).getroot() for path in folder.glob("*.svg")}
    assert {name: badge.get("aria-label") for name, badge in badges.items()} == said
    for name, badge in badges.items():
        texts = [element.text for element in badge.iter("{http://www.w3.org/2000/svg}text")]
        assert ": ".join(texts) == said[name]


def test_the_picture_is_small_enough_for_a_repository() -> None:
    picture = (ROOT / "docs" / "images" / "demo.png").read_bytes()
    assert picture.startswith(b"\x89PNG")
    assert len(picture) < 150_000
