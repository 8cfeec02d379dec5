"""Keyword-only arguments, and the messages for calls that pass them by position."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from inspect import Parameter, signature
from typing import ParamSpec, TypeVar

__all__ = ["by_keyword"]

P = ParamSpec("P")
R = TypeVar("R")


def by_keyword(subject: str = "") -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Reject calls that do not match the signature of a function, with a message that shows it.

    The signature decides: arguments before its `*` may be given by position, the others by keyword.
    A call with more positional arguments, or without a required keyword, raises a TypeError. Any
    other call reaches the function, at the cost of two comparisons.

    Parameters
    ----------
    subject
        A description of the first argument, such as "the test input".
        Empty if it is obvious.
    """

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        parameters = list(signature(function).parameters.values())
        ordered = [each for each in parameters if each.kind is Parameter.POSITIONAL_OR_KEYWORD]
        named = [each for each in parameters if each.kind is Parameter.KEYWORD_ONLY]
        required = [each.name for each in named if each.default is Parameter.empty]
        of_self = 1 if ordered and ordered[0].name == "self" else 0
        form = _form(function.__name__, ordered[of_self:], named, subject)
        most = len(ordered)

        @wraps(function)
        def checked(*args: P.args, **kwargs: P.kwargs) -> R:
            if len(args) > most or any(name not in kwargs for name in required):
                given = len(args) - of_self
                absent = [name for name in required if name not in kwargs]
                raise TypeError(
                    f"{form}; this call has {given} positional argument{'s' * (given != 1)}"
                    + (f" and no {' and no '.join(absent)}" if absent else "")
                )
            return function(*args, **kwargs)

        return checked

    return decorate


def _form(name: str, ordered: list[Parameter], named: list[Parameter], subject: str) -> str:
    """Describe how to call the function with this name."""
    first = [each.name for each in ordered if each.default is Parameter.empty]
    if subject and not first:
        first = [ordered[0].name]
    keywords = [each.name for each in named if each.default is Parameter.empty] or [named[0].name]
    takes = f"{subject} as first argument and " if subject else ""
    call = ", ".join([*first, *(f"{keyword}=..." for keyword in keywords)])
    return f"{name} takes {takes}{' and '.join(keywords)} by keyword: {name}({call})"
