"""Functions as text: by the name they can be imported by, where there is one."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from functools import reduce
from pathlib import Path
from types import ModuleType

__all__ = ["shown"]


def shown(function: object) -> str:
    """Return a text that can be pasted; what has no name among modules stands in <brackets>.

    ``numpy.tanh``, ``mymodule.Class.method``; the bare name for what is built in or was defined in
    the main program, whose name space is the one that texts are pasted into. Nothing is imported.
    """
    name = _importable_name(function)
    if name is not None:
        return name
    code = getattr(function, "__code__", None)
    if code is None:
        return f"<object of type {type(function).__name__}, not to be pasted>"
    own = getattr(function, "__name__", "function")
    what = "lambda" if own == "<lambda>" else f"function {own}"
    return f"<{what} at {Path(code.co_filename).name}:{code.co_firstlineno}, not to be pasted>"


def _importable_name(function: object) -> str | None:
    """Return an expression for a function among the modules that are imported, or None."""
    name = getattr(function, "__qualname__", None) or getattr(function, "__name__", None)
    if not isinstance(name, str):
        return None
    for module in _modules(function):
        try:
            # Not getattr on modules: some of them import others when asked.
            first, *others = name.split(".")
            found = reduce(getattr, others, vars(module)[first])
        except (KeyError, AttributeError):
            continue
        if found is function:
            bare = module.__name__ in ("builtins", "__main__")
            return name if bare else f"{module.__name__}.{name}"
    return None


def _modules(function: object) -> Iterator[ModuleType]:
    """Yield where it says it is, else, as SciPy's ufuncs do not, public modules by length."""
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
