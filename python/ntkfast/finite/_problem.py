"""The training problem of a finite network, and its kernel for training."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ntkfast._arrays import as_floats, check_finite
from ntkfast._scalars import as_choice
from ntkfast.dynamics import GradientDescent, GradientFlow
from ntkfast.dynamics._arguments import as_momentum, check_order
from ntkfast.finite._arguments import as_inputs

if TYPE_CHECKING:
    from ntkfast.finite.network import FiniteNetwork

__all__ = ["as_problem", "as_training", "check_flow", "output_gram"]

Array = npt.NDArray[np.float64]


def as_problem(network: FiniteNetwork, x: npt.ArrayLike, y: npt.ArrayLike) -> tuple[Array, Array]:
    """Return copies of training points and targets in float64."""
    check_order(x, y, "x", "points")
    points = as_inputs(x, "x", network.n_features)
    if len(points) == 0:
        raise ValueError(f"x has shape {points.shape}; expected at least one training point")
    targets = as_floats(y, "y").astype(np.float64, copy=False)
    expected = (len(points), *network.output_shape)
    if targets.shape != expected:
        raise ValueError(
            f"y has shape {targets.shape}; expected {expected}, that of the network's outputs on x"
        )
    check_finite(targets, "y")
    return points.copy(), targets.copy()


def output_gram(network: FiniteNetwork, x: Array) -> Array:
    """Compute the empirical NTK between all outputs of all points: (n, n), or (n·c, n·c)."""
    if not network.output_shape:
        return network.ntk(x)
    full = network.ntk(x, full=True)
    n, c = full.shape[1:3]
    return full.transpose(0, 2, 1, 3).reshape(n * c, n * c)


def as_training(
    theta: npt.ArrayLike, y: npt.ArrayLike, *, method: str, momentum: float, **settings: Any
) -> GradientFlow | GradientDescent:
    """Return closed-form training by "flow" or by "descent"."""
    if as_choice(method, "method", ("flow", "descent")) == "descent":
        return GradientDescent(theta, y, momentum=momentum, **settings)
    check_flow(as_momentum(momentum))
    return GradientFlow(theta, y, **settings)


def check_flow(momentum: float) -> None:
    """Reject momentum for gradient flow, where it has no effect."""
    if momentum > 0:
        raise ValueError(
            f"momentum is {momentum:g}, but gradient flow has no momentum; expected momentum=0, or "
            "use gradient descent"
        )
