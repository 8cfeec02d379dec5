"""Networks made of networks: one after another, or side by side and joined."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

from ntkfast._display import Fact
from ntkfast._ntkfast import check
from ntkfast.networks.base import Network
from ntkfast.networks.description import for_core

__all__ = [
    "Composition",
    "Concatenate",
    "Product",
    "Residual",
    "Serial",
    "Sum",
    "as_network",
]

# Printing, comparing and copying recurse, and every level is checked anew when it is built.
_DEEPEST = 100


def as_network(value: object, place: str) -> Network:
    """Return `value` if it is a network, else a TypeError that says what was probably meant."""
    if isinstance(value, Network):
        return value
    if isinstance(value, type) and issubclass(value, Network):
        raise TypeError(f"{place} is the class {value.__name__}; write {value.__name__}()")
    if isinstance(value, (list, tuple)):
        raise TypeError(f"{place} is a {type(value).__name__}; unpack it with a star: *layers")
    raise TypeError(
        f"{place} is {value!r}, of type {type(value).__name__}; expected a layer or a network, "
        "such as nk.Relu()"
    )


@dataclass(frozen=True, init=False, repr=False)
class Composition(Network):
    """Networks joined in a way that the core knows by `_kind`."""

    layers: tuple[Network, ...]

    def __init__(self, *layers: Network) -> None:
        name = type(self).__name__
        if not layers:
            raise ValueError(f"{name}() is empty; give it at least one layer")
        checked = tuple(
            as_network(layer, f"{name}: argument {i}") for i, layer in enumerate(layers, start=1)
        )
        object.__setattr__(self, "layers", checked)
        if self._nesting > _DEEPEST:
            raise ValueError(
                f"{name} has networks nested more than {_DEEPEST} deep; "
                "lengthen a chain with a star instead: Serial(*net.layers, layer)"
            )
        self._check_rank()
        check(for_core(self))

    def _check_rank(self) -> None:
        """Refuse layers for images beside layers for sequences."""
        of_rank = {layer._rank: i for i, layer in reversed([*enumerate(self.layers, start=1)])}
        if 1 in of_rank and 2 in of_rank:
            name = type(self).__name__
            sequence, image = (self.layers[of_rank[rank] - 1] for rank in (1, 2))
            raise ValueError(
                f"{name} mixes numbers of spatial dimensions: layer {of_rank[1]} is for sequences, "
                f"{sequence!r}, and layer {of_rank[2]} for images, {image!r}; "
                "write sizes such as (3,) in all layers for sequences, (3, 3) in all for images"
            )

    @cached_property
    def _spatial(self) -> bool:
        return any(layer._spatial for layer in self.layers)

    @cached_property
    def _rank(self) -> int | None:
        return next((layer._rank for layer in self.layers if layer._rank is not None), None)

    @property
    def _nesting(self) -> int:
        return 1 + max(layer._nesting for layer in self.layers)

    def _facts(self) -> Iterator[Fact]:
        for layer in self.layers:
            yield "", layer


@dataclass(frozen=True, init=False, repr=False)
class Serial(Composition):
    """Layers one after another.

    Parameters
    ----------
    *layers
        In the order in which the input meets them.

    Raises
    ------
    TypeError
        Something that is not a layer or a network, such as ``Relu`` instead of ``Relu()``.
    ValueError
        No layer at all, layers that cannot follow one another, such as two activations without
        a Dense between, or networks nested more than 100 deep.

    Examples
    --------
    >>> Serial(Dense(w_std=1.4, b_std=0.1), Relu(), Dense(w_std=1.4, b_std=0.1))
    Serial(Dense(w_std=1.4, b_std=0.1), Relu(), Dense(w_std=1.4, b_std=0.1))
    """

    _kind: ClassVar[str] = "Serial"


@dataclass(frozen=True, init=False, repr=False)
class Residual(Composition):
    """The input plus a branch: x + layers(x).

    Parameters
    ----------
    *layers
        The branch, in the order in which the input meets them. It needs a Dense of its own, so
        that it is independent of the input it is added to.

    Raises
    ------
    TypeError, ValueError
        As for `Serial`, and where the branch is not independent of the input.
    """

    _kind: ClassVar[str] = "Residual"


@dataclass(frozen=True, init=False, repr=False)
class Sum(Composition):
    """Networks side by side on the same input, their outputs added.

    Parameters
    ----------
    *networks
        The branches. Each has weights of its own, also where the same object is given twice. All
        but one have to end in a Dense, so that they are independent of each other.

    Raises
    ------
    TypeError, ValueError
        As for `Serial`, and where the branches are not independent.
    """

    _kind: ClassVar[str] = "Sum"


@dataclass(frozen=True, init=False, repr=False)
class Product(Composition):
    """Networks side by side on the same input, their outputs multiplied neuron by neuron.

    Kernels: K = K₁K₂ and T = T₁K₂ + K₁T₂, and so on for more of them. The result is not Gaussian: a
    Dense has to follow before an activation.

    Parameters
    ----------
    *networks
        The factors. Each has weights of its own, also where the same object is given twice. All
        but one have to hold a Dense behind what they have in common, so that they are independent
        of each other.

    Raises
    ------
    TypeError, ValueError
        As for `Serial`, and where the factors are not independent, or have different widths.
    """

    _kind: ClassVar[str] = "Product"


@dataclass(frozen=True, init=False, repr=False)
class Concatenate(Composition):
    """Networks side by side on the same input, their outputs one after another in one layer.

    Kernels: means of K and T, weighted by the branches' widths. The result is not Gaussian: a Dense
    has to follow before an activation.

    Parameters
    ----------
    *networks
        The branches. The width of one is that of its last Dense, or the number of features where it
        has none. Unset widths count as equal; set either all or none.

    Raises
    ------
    TypeError, ValueError
        As for `Serial`, and where some widths are set and others not.
    """

    _kind: ClassVar[str] = "Concatenate"
