"""The reference page has every public name, and no others."""

import importlib
import pkgutil
import re
from pathlib import Path
from types import ModuleType

import pytest

import ntkfast as nk
from ntkfast.plots import figures

PAGE = (Path(__file__).parents[1] / "docs" / "api.md").read_text(encoding="utf-8")
ENTRIES = re.findall(r"^::: (\S+)$", PAGE, re.MULTILINE)
MODULES = [
    nk,
    nk.classic,
    nk.data,
    nk.finite,
    nk.operators,
    nk.solvers,
    nk.theory,
    nk.plots,
    nk.sklearn,
]


def named(path: str) -> object:
    """Return what a dotted path leads to, as the builder of the page looks it up."""
    module, _, name = path.rpartition(".")
    try:
        return importlib.import_module(path)
    except ModuleNotFoundError:
        return getattr(importlib.import_module(module), name)


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__)
def test_every_public_name_is_on_it(module: ModuleType) -> None:
    entries = [named(entry) for entry in ENTRIES]
    missing = [
        name
        for name in module.__all__
        if not name.startswith("__")
        and not isinstance(value := getattr(module, name), ModuleType)
        and not any(value is entry for entry in entries)
        and not re.search(rf"`(nk\.)?{name}\b", PAGE)  # told in a sentence
        and module.__name__ not in ENTRIES  # with all that is in it
    ]
    assert missing == []


@pytest.mark.parametrize("entry", ENTRIES)
def test_every_entry_is_there_and_has_a_docstring(entry: str) -> None:
    assert (named(entry).__doc__ or "").strip()


def test_every_figure_has_its_entry() -> None:
    modules = {f"{figures.__name__}.{each.name}" for each in pkgutil.iter_modules(figures.__path__)}
    drawn = {name for name in modules if hasattr(importlib.import_module(name), "draw")}
    assert drawn == {entry for entry in ENTRIES if entry.startswith(f"{figures.__name__}.")}
