"""Activations by name, for parameter searches and command lines."""

from __future__ import annotations

import re
from dataclasses import MISSING, fields

from ntkfast import networks
from ntkfast.networks.activations import Activation
from ntkfast.networks.base import Network
from ntkfast.networks.description import meant
from ntkfast.networks.elementwise import Numerical

__all__ = ["ACTIVATIONS", "named_activation"]


def _needs_nothing(cls: object) -> bool:
    return (
        isinstance(cls, type)
        and issubclass(cls, (Activation, Numerical))
        and all(f.default is not MISSING for f in fields(cls))
    )


ACTIVATIONS: dict[str, type[Network]] = {
    re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower(): getattr(networks, name)
    for name in networks.__all__
    if name != "Activation" and _needs_nothing(getattr(networks, name))
}
"""Activations that can be selected by name: "relu" is `Relu()`, "leaky_relu" `LeakyRelu()`, …"""


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
