"""Modules of the Rust crates: who uses whom, as CONTRIBUTING.md says, and no circles."""

import re
from collections import defaultdict
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

RUST = Path(__file__).parents[1] / "rust"
CRATES = ["ntkfast-base", "ntkfast-linalg", "ntkfast-core", "ntkfast-py"]
# From CONTRIBUTING.md: a module may use those before it; those of one entry may use each other.
ORDER = [
    *(
        "description",
        "scalar simd",
        "blocks",
        "real",
        "taylor",
        "dual",
        "fitted",
        "network",
        "program",
        "kernel",
        "smooth",
        "planes",
    ),
    *("samples", "model"),
]
USE = re.compile(r"^\s*(?:pub(?:\([\w ]+\))? )?use (crate|super)::([^;]+);", re.M)
INLINE = re.compile(r"\b(crate|super)::((?:\w+::)+)")


def modules(crate: str) -> dict[str, Path]:
    """Return the modules of a crate by their paths, such as ``program::strip``."""
    source = RUST / crate / "src"
    found = {}
    for path in sorted(source.rglob("*.rs")):
        parts = path.relative_to(source).with_suffix("").parts
        name = "::".join(part for part in parts if part not in ("mod", "lib"))
        if name:
            found[name] = path
    return found


def paths(text: str) -> list[str]:
    """Return the paths that ``a::{b::c, d}`` stands for."""
    head, brace, rest = text.partition("{")
    if not brace:
        return [text.split(" as ", maxsplit=1)[0].strip()]
    parts, depth, start = [], 0, 0
    inner = rest.rsplit("}", 1)[0]
    for i, letter in enumerate(inner + ","):
        depth += (letter == "{") - (letter == "}")
        if letter == "," and depth == 0:
            parts.append(inner[start:i].strip())
            start = i + 1
    return [head.strip() + path for part in parts if part for path in paths(part)]


def used(name: str, path: Path, known: dict[str, Path]) -> set[str]:
    """Return the modules whose items a module names."""
    text = re.sub(r"//.*", "", path.read_text(encoding="utf-8"))
    folder = name if path.name == "mod.rs" else name.rpartition("::")[0]
    parent = folder.rpartition("::")[0] if path.name == "mod.rs" else folder
    found = set()
    for root, tail in [*USE.findall(text), *INLINE.findall(text)]:
        for item in paths(tail.strip(":")):
            base = "" if root == "crate" else parent
            steps = [step for step in [*base.split("::"), *item.split("::")] if step]
            while steps and "::".join(steps) not in known:
                steps.pop()
            # A module that another one re-exports counts as that one.
            found.add("::".join(steps))
    return found - {"", name}


@pytest.mark.parametrize("crate", CRATES)
def test_no_circles(crate: str) -> None:
    known = modules(crate)
    graph = {
        # `mod.rs` brings the files of its folder together, and these share its definitions.
        name: {other for other in used(name, path, known) if known[other].name != "mod.rs"}
        for name, path in known.items()
        if path.name not in ("mod.rs", "lib.rs")
    }
    assert any(graph.values())
    try:
        list(TopologicalSorter(graph).static_order())
    except CycleError as error:
        pytest.fail(f"{crate}: {' -> '.join(error.args[1])}")


def test_modules_of_the_core_use_only_those_before_them() -> None:
    place = {name: i for i, names in enumerate(ORDER) for name in names.split()}
    known = modules("ntkfast-core")
    top = {name.partition("::")[0] for name in known}
    assert top == {*place, "flow"}
    wrong = defaultdict(set)
    for name, path in known.items():
        user = name.partition("::")[0]
        for other in used(name, path, known):
            owner = other.partition("::")[0]
            if owner != user and (user == "flow" or place[owner] > place[user]):
                wrong[name].add(other)
    assert not wrong
