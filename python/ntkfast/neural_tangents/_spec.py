"""Networks as data: what `kernel_fn.layers` holds.

A network is a tuple of nodes. Between a `FanOut` and the next `FanIn` there are several values, to
each of which a `Parallel` adds layers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import ntkfast as nk

__all__ = ["FanIn", "FanOut", "Finite", "Leaf", "Node", "Parallel", "leaves", "native", "scalars"]

Shape: TypeAlias = tuple[int, ...]
Values: TypeAlias = dict[str, float]


@dataclass(frozen=True)
class Finite:
    """A layer of finite width, in JAX.

    shape(input_shape) → output shape; init(key, input_shape) → parameters, with the key of JAX;
    apply(params, inputs, **keywords) → outputs.
    """

    shape: Callable[[Any], Any]
    init: Callable[[Any, Any], Any]
    apply: Callable[..., Any]


@dataclass(frozen=True, eq=False)
class Leaf:
    """A layer with one input.

    `scalars` are numbers that may be traced by JAX, such as W_std, by name. `build` makes the
    native layer from their values.
    """

    name: str
    build: Callable[[Values], nk.Network]
    finite: Finite
    scalars: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class FanOut:
    """Several copies of one value."""

    count: int


@dataclass(frozen=True)
class Parallel:
    """Layers for each of several values."""

    branches: tuple[tuple[Node, ...], ...]


@dataclass(frozen=True)
class FanIn:
    """Several values in one; `join` is `Sum`, `Product` or `Concatenate`."""

    name: str
    join: Callable[..., nk.Network]


Node: TypeAlias = Leaf | FanOut | Parallel | FanIn


def leaves(nodes: Sequence[Node]) -> Iterator[Leaf]:
    """Yield all layers with one input, in order."""
    for node in nodes:
        if isinstance(node, Leaf):
            yield node
        elif isinstance(node, Parallel):
            for branch in node.branches:
                yield from leaves(branch)


def scalars(nodes: Sequence[Node]) -> list[Any]:
    """Return the scalars of all layers, in the order in which `native` takes them."""
    return [value for leaf in leaves(nodes) for value in leaf.scalars.values()]


def native(nodes: Sequence[Node], values: Sequence[float]) -> nk.Network:
    """Return the native network with these values of its scalars."""
    rest = iter(values)

    def serial(nodes: Sequence[Node]) -> nk.Network:
        layers: list[nk.Network] = []
        branches: list[list[nk.Network]] | None = None
        for node in nodes:
            if isinstance(node, FanOut):
                _check(branches is None, "FanOut follows a FanOut", "close it by a FanIn first")
                branches = [[] for _ in range(node.count)]
            elif isinstance(node, Parallel):
                if branches is None or len(branches) != len(node.branches):
                    given = 1 if branches is None else len(branches)
                    raise ValueError(
                        f"parallel has {len(node.branches)} branches, and its input has {given}; "
                        f"put FanOut({len(node.branches)}) in front"
                    )
                for branch, inside in zip(branches, node.branches, strict=True):
                    branch.append(serial(inside))
            elif isinstance(node, FanIn):
                if branches is None:
                    raise ValueError(f"{node.name} has one input; put a FanOut before it")
                layers.append(node.join(*(nk.Serial(nk.Identity(), *each) for each in branches)))
                branches = None
            else:
                _check(
                    branches is None,
                    f"{node.name} follows a FanOut",
                    "put it in parallel, or close the branches by a FanIn first",
                )
                layers.append(node.build({name: next(rest) for name in node.scalars}))
        _check(branches is None, "the network ends in several branches", "end it by a FanIn")
        return nk.Serial(*layers) if layers else nk.Identity()

    return serial(nodes)


def _check(fine: bool, fault: str, remedy: str) -> None:
    if not fine:
        raise ValueError(f"{fault}; {remedy}")
