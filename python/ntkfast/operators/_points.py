"""Points of an operator: copies, in the type of its entries."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ntkfast._arrays import FloatArray, as_floats, check_finite
from ntkfast.kernels import as_samples
from ntkfast.networks import Network

__all__ = ["as_points"]


def as_points(
    network: Network, x: npt.ArrayLike, name: str, dtype: npt.DTypeLike | None
) -> FloatArray:
    """Return a copy of the points in float32 or float64, or raise an error."""
    points = as_samples(network._program, as_floats(x, name), name, network._rank)
    wanted = points.dtype if dtype is None else np.dtype(dtype)
    if wanted not in (np.dtype(np.float32), np.dtype(np.float64)):
        raise ValueError(f"dtype is {wanted}; expected float32 or float64")
    with np.errstate(over="ignore"):
        cast = np.array(points, wanted, order="C")
    if wanted != points.dtype and not np.isfinite(cast).all():
        check_finite(points, name)
        raise ValueError(
            f"{name} has entries beyond the range of {wanted}; scale them down, or use float64"
        )
    return cast
