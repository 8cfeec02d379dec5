"""What training a finite network needs to be told, and its kernel as training sees it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ntkfast._arrays import as_floats, as_points, check_finite

if TYPE_CHECKING:
    from ntkfast.finite.network import FiniteNetwork

__all__ = ["as_problem", "output_gram"]

Array = npt.NDArray[np.float64]


def as_problem(
    network: FiniteNetwork, x: npt.ArrayLike, y: npt.ArrayLike
) -> tuple[Array, Array]:
    """Return training points and targets in float64; the targets have the outputs' shape."""
    points = as_points(x, "x").astype(np.float64)
    check_finite(points, "x")
    if len(points) == 0:
        raise ValueError(f"x has shape {points.shape}; expected at least one training point")
    targets = as_floats(y, "y").astype(np.float64)
    expected = (len(points), *network.output_shape)
    if targets.shape != expected:
        raise ValueError(
            f"y has shape {targets.shape}; expected {expected}, that of the network's outputs on x"
        )
    check_finite(targets, "y")
    return points, targets


def output_gram(network: FiniteNetwork, x: Array) -> Array:
    """Compute the empirical NTK between all outputs of all points: (n, n), or (n·c, n·c)."""
    if not network.output_shape:
        return network.ntk(x)
    full = network.ntk(x, full=True)
    n, c = full.shape[1:3]
    return full.transpose(0, 2, 1, 3).reshape(n * c, n * c)
