"""Activations by name, for parameter searches and command lines."""

from __future__ import annotations

import inspect
import re
from dataclasses import MISSING, fields

from ntkfast.networks import activations, elementwise, exponentials, polynomials
from ntkfast.networks.activations import Activation
from ntkfast.networks.base import Network
from ntkfast.networks.composition import as_network
from ntkfast.networks.description import meant
from ntkfast.networks.elementwise import Numerical

__all__ = ["ACTIVATIONS", "as_activation", "named_activation"]

_MODULES = (activations, elementwise, exponentials, polynomials)


def _needs_nothing(cls: object) -> bool:
    return (
        isinstance(cls, type)
        and issubclass(cls, (Activation, Numerical))
        and all(f.default is not MISSING for f in fields(cls))
    )


ACTIVATIONS: dict[str, type[Network]] = {
    re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower(): getattr(module, name)
    for module in _MODULES
    for name in module.__all__
    if not inspect.isabstract(getattr(module, name)) and _needs_nothing(getattr(module, name))
}
"""Activations that can be selected by name: "relu" is `Relu()`, "leaky_relu" `LeakyRelu()`, …"""


def as_activation(value: object, place: str) -> Network:
    """Return a network, or the activation with this name; raise TypeError or ValueError."""
    if isinstance(value, str):
        complaint = f"{place} is {value!r}; expected a layer, such as nk.LeakyRelu(0.1), or one of "
        return named_activation(value, complaint)
    return as_network(value, place)


def named_activation(name: str, complaint: str) -> Network:
    """Return the activation with this name, ignoring case, hyphens and underscores.

    Raises ValueError if there is none. The message begins with `complaint` and lists the names.
    """
    for known, activation in ACTIVATIONS.items():
        if _letters(known) == _letters(name):
            return activation()
    raise ValueError(
        f"{complaint}{', '.join(map(repr, sorted(ACTIVATIONS)))}{meant(name, ACTIVATIONS)}"
    )


def _letters(name: str) -> str:
    return re.sub("[-_ ]", "", name).lower()
