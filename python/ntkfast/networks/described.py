"""Networks to and from plain data, as every network offers it."""

from __future__ import annotations

from collections.abc import Mapping
from os import PathLike
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from ntkfast.networks.base import Network

__all__ = ["Described"]

# What does the work is imported where it is called: it knows all layers, which know this class.


class Described:
    """Has a description that JSON and TOML can hold."""

    def to_dict(self) -> dict[str, Any]:
        """Describe the network as plain data, which JSON and TOML can hold.

        Returns
        -------
        dict
            The layer's name as ``"type"``, and those of its fields that differ from their
            defaults: numbers, texts, truth values, and lists of these or of further descriptions.
            It is new, and yours to change.

        Raises
        ------
        TypeError
            An `Elementwise`, as a function is no data, or a class of your own.

        Examples
        --------
        >>> Serial(Dense(w_std=1.4), Relu()).to_dict()
        {'type': 'Serial', 'layers': [{'type': 'Dense', 'w_std': 1.4}, {'type': 'Relu'}]}
        """
        from ntkfast.networks.description import describe

        return describe(cast("Network", self))

    @staticmethod
    def from_dict(description: Mapping[str, Any]) -> Network:
        """Build the network that `to_dict` described.

        Parameters
        ----------
        description
            What `to_dict` returns, also by way of a file. No code in it is run.

        Returns
        -------
        Network
            Equal to the one that was described.

        Raises
        ------
        TypeError, ValueError
            An unknown layer or field (the message names the nearest known one), a field that is
            missing, and all that the layers themselves refuse; the message says where.

        Examples
        --------
        >>> Network.from_dict({"type": "LeakyRelu", "alpha": 0.2})
        LeakyRelu(alpha=0.2)
        """
        from ntkfast.networks.description import build

        return build(description)

    @staticmethod
    def from_file(path: str | PathLike[str]) -> Network:
        """Build the network that a file describes, in the form of `to_dict`.

        Parameters
        ----------
        path
            A file that ends in ``.json`` or ``.toml`` (which takes Python 3.11 or later).

        Returns
        -------
        Network
            Without running any code of the file's.

        Raises
        ------
        OSError
            The file cannot be read.
        TypeError, ValueError
            It is in another format, or what `from_dict` refuses; the message begins with the path.
        ImportError
            A TOML file, and a Python without ``tomllib``.
        """
        from ntkfast.networks.description import read

        return read(path)
