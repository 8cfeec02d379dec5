"""Networks as plain data: dictionaries, lists, strings and numbers, for JSON and TOML files.

The core reads networks in the same form, with all fields explicit and functions among them.

Reading builds layers of the package from their names and numbers. It never runs code from a file
and never looks up a function. No layer is imported here: the package calls `register` to list them.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from dataclasses import MISSING, fields
from difflib import get_close_matches
from functools import cache, cached_property
from inspect import isabstract
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias, cast

if TYPE_CHECKING:
    from ntkfast.networks.base import Network

__all__ = [
    "Described",
    "Description",
    "build",
    "describe",
    "for_core",
    "meant",
    "read",
    "register",
]

Description: TypeAlias = dict[str, Any]

# The types of most values. Networks are built often, and this test is faster than all the others.
_PLAIN = {float, int, str, bool, type(None)}

# No network may be nested deeper. Deeper files are rejected before Python's recursion limit.
_DEEPEST = 110

_NO_FUNCTIONS = (
    "functions cannot be saved, because loading must not run code; use an activation with a name "
    "(Tanh, Softplus, Polynomial, ...), or pickle the network only if you trust the file's source"
)

_LAYERS: dict[str, type[Network]] = {}


class Described(ABC):
    """Base class of every network: a description that JSON and TOML can hold."""

    _holds_functions: ClassVar[bool] = False
    """Whether fields are functions, which a description cannot hold."""

    @property
    @abstractmethod
    def _kind(self) -> str:
        """The name of the layer in the core, a constant of its class."""

    def _core_fields(self) -> dict[str, Any]:
        """Return the fields that the core reads under that name: by default, the layer's own.

        A layer that is a special case of another layer in the core overrides this method.
        """
        return {name: getattr(self, name) for name in _core_names(cast(Any, type(self)))}

    @cached_property
    def _core(self) -> Description:
        """The layer as the core reads it. Layers are frozen, so networks can share it."""
        return _described(self._kind, self._core_fields(), for_core)

    def _given(self) -> dict[str, Any]:
        """Return the fields that differ from their defaults."""
        values = ((field, getattr(self, field.name)) for field in fields(cast(Any, self)))
        return {field.name: value for field, value in values if value != field.default}

    def to_dict(self) -> dict[str, Any]:
        """Describe the network as plain data, which JSON and TOML can hold.

        Returns
        -------
        dict
            The layer's name as ``"type"``, and the fields that differ from their defaults: numbers,
            strings, booleans, and lists of these or of further descriptions. The dictionary is new
            and may be changed.

        Raises
        ------
        TypeError
            An `Elementwise`, because functions cannot be saved, or a class of your own.

        Examples
        --------
        >>> Serial(Dense(w_std=1.4), Relu()).to_dict()
        {'type': 'Serial', 'layers': [{'type': 'Dense', 'w_std': 1.4}, {'type': 'Relu'}]}
        """
        return describe(self)

    @staticmethod
    def from_dict(description: Mapping[str, Any]) -> Network:
        """Build the network that `to_dict` described.

        Parameters
        ----------
        description
            The result of `to_dict`, possibly read from a file. No code in it is run.

        Returns
        -------
        Network
            Equal to the network that was described.

        Raises
        ------
        TypeError, ValueError
            An unknown layer or field (the message suggests the closest known name), a missing
            field, or any value that the layers reject. The message gives the location.

        Examples
        --------
        >>> Network.from_dict({"type": "LeakyRelu", "alpha": 0.2})
        LeakyRelu(alpha=0.2)
        """
        return build(description)

    @staticmethod
    def from_file(path: str | PathLike[str]) -> Network:
        """Build the network that a file describes, in the format of `to_dict`.

        Parameters
        ----------
        path
            A file with the extension ``.json`` or ``.toml`` (which requires Python 3.11 or later).

        Returns
        -------
        Network
            The network. No code in the file is run.

        Raises
        ------
        OSError
            The file cannot be read.
        TypeError, ValueError
            The file has another format, or contains something that `from_dict` rejects. The message
            begins with the path.
        ImportError
            The file is TOML and Python has no ``tomllib``.
        """
        return read(path)


def describe(network: Described) -> Description:
    """Return a description from which `build` makes the same network; see `Network.to_dict`."""
    if network._holds_functions:
        raise TypeError(f"{network!r} cannot be described: {_NO_FUNCTIONS}")
    name = type(network).__name__
    if _LAYERS.get(name) is not type(network):
        raise TypeError(
            f"{network!r} cannot be described: {name} is not a layer of ntkfast, so a reader of "
            "the file could not build it; pickle the network only if you trust the file's source"
        )
    return _described(name, network._given(), describe)


def for_core(network: Described) -> Description:
    """Return the network as the core reads it, with all fields. The result is not a copy."""
    return network._core


def _described(
    name: str, values: dict[str, Any], inner: Callable[[Described], Description]
) -> Description:
    """Return a layer with these fields; `inner` describes layers among them."""
    description = {"type": name}
    for key, value in values.items():
        description[key] = value if type(value) in _PLAIN else _plain(value, inner)
    return description


def _plain(value: Any, inner: Callable[[Described], Description]) -> Any:
    if isinstance(value, tuple):
        return [item if type(item) in _PLAIN else _plain(item, inner) for item in value]
    return inner(value) if isinstance(value, Described) else value


@cache
def _core_names(layer: type[Described]) -> tuple[str, ...]:
    """Return the fields of the class that defines the name in the core; subclasses may add more."""
    named = next(base for base in layer.__mro__ if "_kind" in vars(base))
    return tuple(field.name for field in fields(cast(Any, named)))


def build(data: object, place: str = "the network", nesting: int = 0) -> Network:
    """Return the network that `data` describes; messages call it `place`."""
    if not isinstance(data, Mapping):
        raise TypeError(
            f"{place} is of type {type(data).__name__}; expected a table with the name of a layer "
            'and its fields, such as {"type": "Dense", "w_std": 1.4}'
        )
    if nesting > _DEEPEST:
        raise ValueError(f"{place} is nested more than {_DEEPEST} deep; lengthen a chain instead")
    layer = _layer(data, place)
    given = {key: value for key, value in data.items() if key != "type"}
    known = {field.name: field for field in fields(layer)}
    for key in given:
        if key not in known:
            raise ValueError(
                f"{place}: {layer.__name__} has no field {key!r}{meant(key, known)}; "
                f"expected {', '.join(known) or 'none'}"
            )
    for key, field in known.items():
        if key not in given and field.default is MISSING:
            raise ValueError(f"{place}: {layer.__name__} needs the field {key!r}")
    branches: list[Network] = []
    if "layers" in known:  # a composition takes its layers as separate arguments
        inner = given.pop("layers")
        if not isinstance(inner, (list, tuple)):
            raise TypeError(
                f"{place}: layers is of type {type(inner).__name__}; expected a list of layers"
            )
        inside = "" if nesting == 0 else f"{place}."
        branches = [
            build(item, f"{inside}layers[{i}]", nesting + 1) for i, item in enumerate(inner)
        ]
    try:
        return layer(*branches, **{key: _frozen(value) for key, value in given.items()})
    except TypeError as error:
        raise TypeError(f"{place}: {error}") from None
    except ValueError as error:
        raise ValueError(f"{place}: {error}") from None


def _layer(data: Mapping[str, Any], place: str) -> type[Network]:
    """Return the class that the description names."""
    known = {name: layer for name, layer in _LAYERS.items() if not layer._holds_functions}
    name = data.get("type")
    if not isinstance(name, str):
        what = f"has the type {name!r}" if "type" in data else "has no type"
        raise ValueError(f'{place} {what}; expected the name of a layer, such as "Dense"')
    if name in _LAYERS and name not in known:
        raise ValueError(f"{place} is an {name}: {_NO_FUNCTIONS}")
    if name not in known:
        raise ValueError(
            f"{place}: there is no layer {name!r}{meant(name, known)}; "
            f"expected one of {', '.join(sorted(known))}"
        )
    return known[name]


def register(exported: Iterable[object]) -> None:
    """Register by name all layers among the names that the package exports."""
    for layer in exported:
        if isinstance(layer, type) and issubclass(layer, Described) and not isabstract(layer):
            _LAYERS[layer.__name__] = cast("type[Network]", layer)


def meant(name: object, known: Iterable[str]) -> str:
    """Suggest the closest known name, if one is close."""
    by_lower = {word.lower(): word for word in known}
    near = get_close_matches(str(name).lower(), by_lower, n=1)
    return f" (did you mean {by_lower[near[0]]!r}?)" if near else ""


def _frozen(value: Any) -> Any:
    return tuple(map(_frozen, value)) if isinstance(value, list) else value


def read(path: str | PathLike[str]) -> Network:
    """Return the network that a TOML or JSON file describes; see `Network.from_file`."""
    file = Path(path)
    form = file.suffix.lower()
    if form not in (".json", ".toml"):
        raise ValueError(f"{file}: unsupported file extension {form!r}; expected .toml or .json")
    content = file.read_bytes()
    try:
        text = content.decode("utf-8-sig")
        data = json.loads(text) if form == ".json" else _toml(text)
    except (ValueError, RecursionError) as error:  # from either parser, or for invalid UTF-8
        raise ValueError(f"{file} is not a {form[1:].upper()} file: {error}") from None
    try:
        return build(data)
    except TypeError as error:
        raise TypeError(f"{file}: {error}") from None
    except ValueError as error:
        raise ValueError(f"{file}: {error}") from None


def _toml(text: str) -> dict[str, Any]:
    try:
        import tomllib
    except ImportError:
        raise ImportError(
            "reading TOML requires Python 3.11 or later; write the same network as JSON"
        ) from None
    return tomllib.loads(text)
