"""The kernel function of a network: the third part of a layer."""

from __future__ import annotations

import functools
from typing import Any, TypeAlias

import numpy as np

import ntkfast as nk
from ntkfast.neural_tangents._arrays import as_numpy, is_jax, is_traced, like
from ntkfast.neural_tangents._compute import compute
from ntkfast.neural_tangents._get import Get, canonicalize_get, named
from ntkfast.neural_tangents._kernel import FIELDS, Kernel, register
from ntkfast.neural_tangents._spec import Leaf, Node, native, scalars

__all__ = ["KernelFn"]

Shape: TypeAlias = tuple[int, ...]

_COMPUTED = ("nngp", "ntk", "cov1", "cov2")


class KernelFn:
    """The analytic kernels of a network of infinite width.

    ``layers`` are the network as data.
    """

    def __init__(self, layers: tuple[Node, ...]) -> None:
        self.layers = layers

    def __repr__(self) -> str:
        names = [
            node.name if isinstance(node, Leaf) else type(node).__name__ for node in self.layers
        ]
        return f"<kernel_fn of {', '.join(names)}>"

    @functools.cached_property
    def network(self) -> nk.Network:
        """The native network."""
        return native(self.layers, [float(as_numpy(value)) for value in scalars(self.layers)])

    def __call__(
        self,
        x1: Any,
        x2: Any = None,
        get: Get = None,
        *,
        pattern: Any = None,
        mask_constant: Any = None,
        diagonal_batch: bool | None = None,
        diagonal_spatial: bool | None = None,
        **ignored: Any,
    ) -> Any:
        """Compute the kernels between x1 and x2, or of x1 with itself.

        Parameters
        ----------
        x1
            Samples, the first axis of an array; or the `Kernel` of another network, which this one
            continues.
        x2
            Samples of the same shape. None, or an array equal to ``x1``: one set of samples.
        get
            ``"nngp"``, ``"ntk"`` or another attribute of `Kernel`: the array; a tuple of names: a
            namedtuple in their order; None: a `Kernel`.
        pattern, mask_constant
            Not provided.
        diagonal_batch, diagonal_spatial, **ignored
            Accepted, and without effect.

        Returns
        -------
        ndarray, namedtuple or Kernel
            Arrays of JAX if the samples are.

        Raises
        ------
        NotImplementedError
            ``pattern`` or ``mask_constant`` is given.
        ValueError
            Unknown names in ``get``; as for `ntkfast.Network.ntk`.
        """
        register()
        for name, value in (("pattern", pattern), ("mask_constant", mask_constant)):
            if value is not None:
                raise NotImplementedError(
                    f"{name} is given; masks and graphs are not provided by ntkfast.neural_tangents"
                )
        _, names = canonicalize_get(get)
        if unknown := set(names or ()) - set(FIELDS):
            raise ValueError(
                f"get has {sorted(unknown)[0]!r}; expected 'nngp', 'ntk', or another of "
                f"{', '.join(FIELDS)}"
            )
        if isinstance(x1, Kernel):
            return self._continued(x1, get)
        wanted = set(names or _COMPUTED)
        found = self._compute(x1, x2, wanted)
        if names is None:
            return Kernel(**found, _layers=self.layers, _points=(x1, x2))
        return named("AnalyticKernel", get, found)

    def _continued(self, kernel: Kernel, get: Get) -> Any:
        if kernel._points is None:
            raise NotImplementedError(
                "the Kernel was changed or loaded, so that its network and points are unknown; "
                "pass the result of kernel_fn(x1, x2) itself, or points"
            )
        return KernelFn((*kernel._layers, *self.layers))(*kernel._points, get)

    def _compute(self, x1: Any, x2: Any, wanted: set[str]) -> dict[str, Any]:
        """Return all attributes of a kernel; those that cost time, where they are wanted."""
        values = scalars(self.layers)
        if is_traced(x1, x2, *values):
            from ntkfast.neural_tangents._transforms import traced

            found = traced(self.layers, x1, x2, values, wanted)
        else:
            found = self._numbers(x1, x2, wanted)
        return {
            **dict.fromkeys(FIELDS[:5]),
            **found,
            **self._facts(np.shape(x1), np.shape(x1 if x2 is None else x2)),
        }

    def _numbers(self, x1: Any, x2: Any, wanted: set[str]) -> dict[str, Any]:
        first, second = as_numpy(x1), None if x2 is None else as_numpy(x2)
        same = second is None or (first.shape == second.shape and np.array_equal(first, second))
        kernels = compute(self.network, first, None if same else second, wanted)
        found = {name: like(value, x1, x2) for name, value in kernels.items()}
        return {**found, "x1_is_x2": like(np.asarray(same), x1) if is_jax(x1) else same}

    def _facts(self, shape1: Shape, shape2: Shape) -> dict[str, Any]:
        """Return what does not depend on numbers."""
        for leaf in self.layers:
            if not isinstance(leaf, Leaf):
                return {}
            shape1, shape2 = leaf.finite.shape(shape1), leaf.finite.shape(shape2)
        return {"shape1": shape1, "shape2": shape2, "channel_axis": len(shape1) - 1}
