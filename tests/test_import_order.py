"""Imports among the modules of training and solvers: no circles, and a fixed order."""

import ast
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import ntkfast as nk

PACKAGE = Path(nk.__file__).parent


def modules(folder: str) -> dict[str, Path]:
    """Return the modules below a folder of the package, by their dotted names."""
    found = {}
    for path in sorted((PACKAGE / folder).rglob("*.py")):
        parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
        found[".".join(part for part in parts if part != "__init__")] = path
    return found


def imported(path: Path) -> Iterator[str]:
    """Yield what a module imports from the package, also for type checkers and inside functions."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            assert node.level == 0
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("folder", ["dynamics", "solvers"])
def test_no_circles(folder: str) -> None:
    known = modules(folder)
    package = f"ntkfast.{folder}"
    graph = {
        name: {other for other in imported(path) if other in known} - {package}
        for name, path in known.items()
    }
    assert len(graph) > 4
    order = list(TopologicalSorter(graph).static_order())  # raises CycleError
    assert set(order) == {*known}


def test_solvers_know_nothing_of_training_and_networks() -> None:
    for path in modules("solvers").values():
        names = {name for name in imported(path) if name.startswith("ntkfast")}
        assert not {name for name in names if name.startswith(("ntkfast.dynamics", "ntkfast.net"))}


def test_nothing_outside_knows_how_a_solver_works() -> None:
    """Only solvers, and the factorisations for users, call the core's."""
    core = {"solve_refined", "cholesky_solve"}
    for path in sorted(PACKAGE.rglob("*.py")):
        inside = path.parent.name == "solvers" or path.name == "linalg.py"
        text = path.read_text(encoding="utf-8")
        assert inside or not any(word in text for word in core), path
