"""What a function is asked for: `get` is a name, several, or None for everything."""

from __future__ import annotations

import functools
from collections import namedtuple
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

__all__ = ["Get", "canonicalize_get", "get_namedtuple", "named"]

Get: TypeAlias = str | Sequence[str] | None


def canonicalize_get(get: Get) -> tuple[bool, tuple[str, ...] | None]:
    """Return whether one thing is asked for, and all names; None for everything."""
    if get is None:
        return True, None
    if isinstance(get, str):
        return True, (get.lower(),)
    names = tuple(str(name).lower() for name in get)
    if not names:
        raise ValueError("get is empty; expected a name such as 'ntk', several, or None")
    if len(set(names)) != len(names):
        raise ValueError(f"get is {get!r}; expected every name once")
    return False, names


@functools.cache
def _type(name: str, fields: tuple[str, ...]) -> Any:
    return namedtuple(name, fields)


def named(name: str, get: Get, results: dict[str, Any]) -> Any:
    """Return results as they were asked for: one, or a namedtuple in the order of `get`."""
    one, names = canonicalize_get(get)
    if names is None:
        names = tuple(results)
    elif one:
        return results[names[0]]
    return _type(name, names)(*(results[each] for each in names))


def get_namedtuple(name: str) -> Callable[[Callable[..., dict[str, Any]]], Callable[..., Any]]:
    """Return a decorator of functions of `get` that return results by name.

    `get` is given by keyword, or where the function has it.
    """

    def decorate(function: Callable[..., dict[str, Any]]) -> Callable[..., Any]:
        code = function.__code__
        place = code.co_varnames[: code.co_argcount].index("get")

        @functools.wraps(function)
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            get = args[place] if len(args) > place else kwargs.get("get")
            _, names = canonicalize_get(get)
            if len(args) > place:
                args = (*args[:place], names, *args[place + 1 :])
            else:
                kwargs["get"] = names
            return named(name, get, function(*args, **kwargs))

        return wrapped

    return decorate
