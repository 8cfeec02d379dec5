"""Examples in docstrings print what they show, with the names of `nk` and of their own module."""

import doctest
import importlib
import pkgutil

import pytest

import ntkfast as nk

NAMES = [
    module.name
    for module in pkgutil.walk_packages(nk.__path__, "ntkfast.")
    # Those of other packages are run where these are needed.
    if not module.name.endswith(
        ("__main__", "_ntkfast", ".jax", ".torch", "._callbacks", "._transforms")
    )
    and ".sklearn" not in module.name
]
PUBLIC = {name: getattr(nk, name) for name in nk.__all__ if not name.startswith("__")}


@pytest.mark.parametrize("name", NAMES)
def test_examples_print_what_they_show(name: str) -> None:
    module = importlib.import_module(name)
    names = {"nk": nk, **PUBLIC, **vars(module)}
    failed, _ = doctest.testmod(module, globs=names)
    assert failed == 0


def test_there_are_examples() -> None:
    found = sum(
        len(test.examples)
        for name in NAMES
        for test in doctest.DocTestFinder(exclude_empty=True).find(importlib.import_module(name))
    )
    assert found > 50
