"""Networks composed of networks, in series or as parallel branches."""

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
    "as_first",
    "as_network",
]

# Printing, comparing and copying recurse, and building checks every level again.
_DEEPEST = 100


def as_network(value: object, place: str) -> Network:
    """Return `value` if it is a network; otherwise raise a TypeError that suggests a correction."""
    if isinstance(value, Network):
        return value
    if isinstance(value, type) and issubclass(value, Network):
        raise TypeError(f"{place} is the class {value.__name__}; write {value.__name__}()")
    if isinstance(value, (list, tuple)) and any(isinstance(part, Network) for part in value):
        raise TypeError(f"{place} is a {type(value).__name__}; unpack it with a star: *layers")
    shape = getattr(value, "shape", None)
    given = f"{value!r}, of" if shape is None else f"an array of shape {tuple(shape)}, of"
    raise TypeError(
        f"{place} is {given} type {type(value).__name__}; expected a layer or a network, "
        "such as nk.Relu()"
    )


def as_first(value: object) -> Network:
    """Return the first argument of a function of a network and points, if it is a network."""
    try:
        return as_network(value, "network")
    except TypeError as error:
        raise TypeError(f"{error}. The network is the first argument: (network, x, ...)") from None


def leaves(network: Network) -> Iterator[Network]:
    """Yield the layers of a network that are no compositions, in their order."""
    if isinstance(network, Composition):
        for layer in network.layers:
            yield from leaves(layer)
    else:
        yield network


@dataclass(frozen=True, init=False, repr=False)
class Composition(Network):
    """Networks that are joined by the core operation `_kind`."""

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
        """Reject a mixture of layers for images and layers for sequences."""
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

    @cached_property
    def _nesting(self) -> int:
        return 1 + max(layer._nesting for layer in self.layers)

    def _facts(self) -> Iterator[Fact]:
        for layer in self.layers:
            yield "", layer


@dataclass(frozen=True, init=False, repr=False)
class Serial(Composition):
    """Layers in series.

    Parameters
    ----------
    *layers
        The layers, in the order in which they are applied.

    Raises
    ------
    TypeError
        An argument that is not a layer or a network, such as ``Relu`` instead of ``Relu()``.
    ValueError
        No layers, layers that cannot follow one another, such as two activations without a Dense
        between them, or networks nested more than 100 deep.

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
        The branch, in the order in which its layers are applied. It must contain a Dense, so that
        it is independent of the input to which it is added.

    Raises
    ------
    TypeError, ValueError
        As for `Serial`, or if the branch is not independent of the input.
    """

    _kind: ClassVar[str] = "Residual"


@dataclass(frozen=True, init=False, repr=False)
class Sum(Composition):
    """The sum of parallel networks with the same input.

    Parameters
    ----------
    *networks
        The branches. Each has its own weights, even if the same object is given twice. All but one
        must end with a Dense, so that they are independent of each other.

    Raises
    ------
    TypeError, ValueError
        As for `Serial`, or if the branches are not independent.
    """

    _kind: ClassVar[str] = "Sum"


@dataclass(frozen=True, init=False, repr=False)
class Product(Composition):
    """The elementwise product of parallel networks with the same input.

    Kernels: K = K₁K₂ and T = T₁K₂ + K₁T₂, and similarly for more factors. The result is not
    Gaussian, so a Dense must follow before the next activation.

    Parameters
    ----------
    *networks
        The factors. Each has its own weights, even if the same object is given twice. All but one
        must contain a Dense after the part that they share, so that they are independent of each
        other.

    Raises
    ------
    TypeError, ValueError
        As for `Serial`, or if the factors are not independent or have different widths.
    """

    _kind: ClassVar[str] = "Product"


@dataclass(frozen=True, init=False, repr=False)
class Concatenate(Composition):
    """The concatenation of the outputs of parallel networks with the same input.

    Kernels: means of K and T, weighted by the branches' widths. The result is not Gaussian, so
    a Dense must follow before the next activation.

    Parameters
    ----------
    *networks
        The branches. The width of a branch is that of its last Dense, or the number of features if
        it has none. If no width is set, all count as equal. Set either all widths or none.

    Raises
    ------
    TypeError, ValueError
        As for `Serial`, or if some widths are set and others are not.
    """

    _kind: ClassVar[str] = "Concatenate"
