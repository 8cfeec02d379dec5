"""The result of `kernel_fn(x1, x2)` without `get`."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field, fields, replace
from typing import Any

import numpy as np

from ntkfast.neural_tangents._spec import Node

__all__ = ["FIELDS", "Kernel", "is_kernel", "register"]

_ARRAYS = ("nngp", "ntk", "cov1", "cov2", "x1_is_x2", "mask1", "mask2")


@dataclass
class Kernel:
    """The NNGP and the NTK of a network between two sets of samples, and what they belong to.

    Attributes
    ----------
    nngp, ntk
        Shape (n1, n2). ``ntk`` is None where it was not asked for.
    cov1, cov2
        The NNGP of every sample with itself, shapes (n1,) and (n2,); ``cov2`` is None if there is
        one set of samples.
    x1_is_x2
        Whether there is one set of samples.
    shape1, shape2
        Shapes of the outputs of a finite network.
    """

    nngp: Any
    ntk: Any
    cov1: Any
    cov2: Any
    x1_is_x2: Any
    is_gaussian: bool = True
    is_reversed: bool = False
    is_input: bool = False
    diagonal_batch: bool = True
    diagonal_spatial: bool = False
    shape1: tuple[int, ...] | None = None
    shape2: tuple[int, ...] | None = None
    batch_axis: int = 0
    channel_axis: int = 1
    mask1: Any = None
    mask2: Any = None
    # The network and the points, so that another network can continue; not part of the old class.
    _layers: tuple[Node, ...] = field(default=(), repr=False, compare=False)
    _points: tuple[Any, Any] | None = field(default=None, repr=False, compare=False)

    def replace(self, **changes: Any) -> Kernel:
        """Return a kernel with some attributes changed. Other networks cannot continue from it."""
        return replace(self, **changes, _points=None)

    def asdict(self) -> dict[str, Any]:
        """Return the attributes by name."""
        return {name: getattr(self, name) for name in FIELDS}

    def astuple(self) -> tuple[Any, ...]:
        """Return the attributes in order."""
        return tuple(self.asdict().values())

    def slice(self, n1_slice: slice, n2_slice: slice) -> Kernel:
        """Return the kernel of some samples of both sets."""
        cov1, other = self.cov1[n1_slice], self.cov1 if self.cov2 is None else self.cov2
        cov2 = other[n2_slice]

        def shape(shape: tuple[int, ...] | None, count: int) -> tuple[int, ...] | None:
            return None if shape is None else (count, *shape[1:])

        return self.replace(
            nngp=self.nngp[n1_slice, n2_slice],
            ntk=self.ntk if np.ndim(self.ntk) == 0 else self.ntk[n1_slice, n2_slice],
            cov1=cov1,
            cov2=cov2,
            shape1=shape(self.shape1, len(cov1)),
            shape2=shape(self.shape2, len(cov2)),
        )

    def __getstate__(self) -> dict[str, Any]:
        # Layers hold functions, which cannot be saved.
        return {**self.asdict(), "_layers": (), "_points": None}


FIELDS = tuple(each.name for each in fields(Kernel) if not each.name.startswith("_"))


def is_kernel(value: object) -> bool:
    """Return whether a value is a `Kernel`."""
    return isinstance(value, Kernel)


def register() -> None:
    """Make `Kernel` a node of trees of JAX, if JAX is loaded."""
    jax = sys.modules.get("jax")
    if jax is None or getattr(register, "done", False):
        return
    others = tuple(name for name in (*FIELDS, "_layers") if name not in _ARRAYS)

    def flatten(kernel: Kernel) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
        arrays = tuple(getattr(kernel, name) for name in _ARRAYS)
        return arrays, tuple(getattr(kernel, name) for name in others)

    def unflatten(rest: tuple[Any, ...], arrays: Any) -> Kernel:
        return Kernel(
            **dict(zip(_ARRAYS, arrays, strict=True)), **dict(zip(others, rest, strict=True))
        )

    jax.tree_util.register_pytree_node(Kernel, flatten, unflatten)
    register.done = True  # type: ignore[attr-defined]
