"""Arguments that are given by keyword only, and what is said where they were not."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from inspect import Parameter, signature
from typing import ParamSpec, TypeVar

__all__ = ["by_keyword"]

P = ParamSpec("P")
R = TypeVar("R")


def by_keyword(subject: str = "") -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Make a function refuse calls in another form than its own with a message that shows the form.

    The signature decides: what stands before its `*` may be given by position, the rest by keyword.
    A call with more arguments by position than that, or without a required keyword, is a TypeError.
    Any other call reaches the function, and costs two comparisons more.

    Parameters
    ----------
    subject
        What the first argument is for, in words, such as "what it predicts at"; empty where there
        is no need to say.
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
                    f"{form}; this call has {given} argument{'s' * (given != 1)} by position"
                    + (f" and no {' and no '.join(absent)}" if absent else "")
                )
            return function(*args, **kwargs)

        return checked

    return decorate


def _form(name: str, ordered: list[Parameter], named: list[Parameter], subject: str) -> str:
    """Say how to call the function of that name."""
    first = [each.name for each in ordered if each.default is Parameter.empty]
    if subject and not first:
        first = [ordered[0].name]
    keywords = [each.name for each in named if each.default is Parameter.empty] or [named[0].name]
    takes = f"{subject} first and " if subject else ""
    call = ", ".join([*first, *(f"{keyword}=..." for keyword in keywords)])
    return f"{name} takes {takes}{' and '.join(keywords)} by keyword: {name}({call})"
