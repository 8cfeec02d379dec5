"""Functions as text: the name by which they can be imported, if there is one."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from functools import reduce
from pathlib import Path
from types import ModuleType

__all__ = ["shown"]


def shown(function: object) -> str:
    """Return code for the function; a function without an importable name appears in <brackets>.

    Examples are ``numpy.tanh`` and ``mymodule.Class.method``. Builtins and functions of the main
    program appear by their bare name, because code is pasted into its namespace. Nothing is
    imported.
    """
    name = _importable_name(function)
    if name is not None:
        return name
    code = getattr(function, "__code__", None)
    if code is None:
        return f"<object of type {type(function).__name__}, cannot be pasted>"
    own = getattr(function, "__name__", "function")
    what = "lambda" if own == "<lambda>" else f"function {own}"
    return f"<{what} at {Path(code.co_filename).name}:{code.co_firstlineno}, cannot be pasted>"


def _importable_name(function: object) -> str | None:
    """Return an expression for a function in the imported modules, or None."""
    name = getattr(function, "__qualname__", None) or getattr(function, "__name__", None)
    if not isinstance(name, str):
        return None
    for module in _modules(function):
        try:
            # vars instead of getattr, because some modules import others on attribute access.
            first, *others = name.split(".")
            found = reduce(getattr, others, vars(module)[first])
        except (KeyError, AttributeError):
            continue
        if found is function:
            bare = module.__name__ in ("builtins", "__main__")
            return name if bare else f"{module.__name__}.{name}"
    return None


def _modules(function: object) -> Iterator[ModuleType]:
    """Yield the function's own module, or public modules by length if it names none (SciPy)."""
    home = getattr(function, "__module__", None)
    if isinstance(home, str):
        names = [home]
    else:
        public = (name for name in sys.modules if "._" not in f".{name}")
        names = sorted(public, key=lambda name: (name.count("."), len(name), name))
    for name in names:
        module = sys.modules.get(name)
        if isinstance(module, ModuleType) and module.__name__ == name:
            yield module
