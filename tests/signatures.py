"""The table of signatures in docs/api.md: arguments and return types of every public callable.

`.venv/bin/python tests/signatures.py` generates the table from the package.
"""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import ntkfast as nk
from ntkfast.dynamics import losses

PAGE = Path(__file__).parents[1] / "docs" / "api.md"
BEGIN, END = "<!-- signatures: begin -->\n", "<!-- signatures: end -->"

# What is exported from where, in the order of the table.
MODULES = {
    "nk": nk,
    "nk.classic": nk.classic,
    "nk.data": nk.data,
    "nk.finite": nk.finite,
    "nk.operators": nk.operators,
    "nk.solvers": nk.solvers,
    "nk.theory": nk.theory,
    "nk.plots": nk.plots,
    "nk.sklearn": nk.sklearn,
    "ntkfast.dynamics.losses": losses,
}

_STUB = Path(nk.__file__).parent / "_ntkfast.pyi"


def table() -> str:
    """Return the table, in Markdown."""
    rows = [f"| `{name}` | `{signature}` | {returns} |" for name, signature, returns in entries()]
    return "\n".join(["| callable | signature | returns |", "|---|---|---|", *rows])


def entries() -> Iterator[tuple[str, str, str]]:
    """Yield names, signatures and types of what is returned; a class before its methods."""
    classes = [each for _, each in exported() if inspect.isclass(each)]
    for name, each in exported():
        if not inspect.isclass(each):
            yield name, signature(each), returned(each)
            continue
        # Some classes are not made by their users, and have parameters that are private.
        told = not issubclass(each, Exception)
        if told and not any(word.startswith("_") for word in inspect.signature(each).parameters):
            yield name, signature(each), f"`{each.__name__}`"
        others = [other for other in classes if other is not each and issubclass(each, other)]
        for word, method in methods(each):
            if not any(getattr(other, word, None) == getattr(each, word) for other in others):
                yield f"{name}.{word}", signature(method, bound=True), returned(method)


def exported() -> Iterator[tuple[str, Any]]:
    """Yield the names and values of public callables, each once."""
    seen: list[object] = []
    for prefix, module in MODULES.items():
        for name in sorted(module.__all__):
            value = getattr(module, name)
            if (inspect.isroutine(value) or inspect.isclass(value)) and not any(
                value is other for other in seen
            ):
                seen.append(value)
                yield f"{prefix}.{name}", value


def methods(class_: type) -> Iterator[tuple[str, Callable[..., Any]]]:
    """Yield the public methods that this package defines."""
    for name in sorted(dir(class_)):
        found = inspect.getattr_static(class_, name)
        function = getattr(found, "__func__", found)
        if (
            not name.startswith("_")
            and inspect.isfunction(function)
            and function.__module__.startswith("ntkfast")
        ):
            yield name, function


def signature(function: Callable[..., Any], *, bound: bool = False) -> str:
    """Return names, defaults and marks, without types; of a method without its object."""
    whole = inspect.signature(function)
    parameters = list(whole.parameters.values())[bound:]
    plain = [each.replace(annotation=inspect.Parameter.empty) for each in parameters]
    text = str(whole.replace(parameters=plain, return_annotation=inspect.Signature.empty))
    return text.replace("|", r"\|")


def returned(function: Callable[..., Any]) -> str:
    """Return the annotation of the result, without the names of modules."""
    annotation = inspect.signature(function).return_annotation
    if annotation is inspect.Signature.empty:
        annotation = _in_stub(function.__name__)
    text = annotation if isinstance(annotation, str) else inspect.formatannotation(annotation)
    text = re.sub(r"\b[a-z]+\.(?=[A-Z])", "", text.strip("'\""))
    escaped = text.replace("|", r"\|")
    return f"`{escaped}`"


def _in_stub(name: str) -> str:
    for node in ast.parse(_STUB.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef) and node.name == name and node.returns is not None:
            return ast.unparse(node.returns)
    raise LookupError(f"{name} has no type of what it returns")


def between(page: str) -> str:
    """Return what stands between the marks of the page."""
    return page.partition(BEGIN)[2].partition(END)[0].strip()


if __name__ == "__main__":
    text = PAGE.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    PAGE.write_text(
        f"{before}{BEGIN}\n{table()}\n\n{END}{rest.partition(END)[2]}", encoding="utf-8"
    )
