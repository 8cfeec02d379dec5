"""Features with a centre and scales of their own, as a `Posterior` of them has."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from ntkfast._arrays import FloatArray, as_floats, check_finite
from ntkfast.networks import Network

__all__ = ["as_factors", "check_scalable", "scaled_features", "standard_units"]


def as_factors(
    value: npt.ArrayLike | None, name: str, x: FloatArray, least: float = -math.inf
) -> FloatArray | None:
    """Return one number for each feature of x, in float64; None for None."""
    if value is None:
        return None
    numbers = as_floats(value, name).astype(np.float64)
    if x.ndim != 2 or numbers.shape not in ((), x.shape[1:]):
        raise ValueError(
            f"{name} has shape {numbers.shape}, and x has shape {x.shape}; expected a number, or "
            "one for each feature of samples in rows"
        )
    check_finite(numbers, name)
    if numbers.min(initial=0.0) < least:
        raise ValueError(f"{name} has the entry {numbers.min():g}; expected >= {least:g}")
    return np.array(np.broadcast_to(numbers, x.shape[1:]))


def check_scalable(network: Network, differentiable: bool) -> None:
    """Refuse networks whose kernels have no derivatives by the points."""
    if not differentiable:
        raise ValueError(
            f"feature_scales=True needs derivatives by the points, and {network!r} has none: it "
            "takes images, or has an activation that is integrated pair by pair; scale the "
            "features yourself"
        )


def scaled_features(
    x: FloatArray, center: FloatArray | None, scales: FloatArray | None
) -> FloatArray:
    """Return (x − center)·scales, in the type of x."""
    if center is not None:
        x = (x - center).astype(x.dtype)
    return x if scales is None else (x * scales).astype(x.dtype)


def standard_units(x: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the mean of each feature and the inverse of its standard deviation; 1 if that is 0."""
    doubles = x.astype(np.float64, copy=False)
    center = doubles.mean(axis=0)
    spread = np.abs(doubles - center).max(axis=0, initial=0.0)
    # Relative to the largest, so that squares do not overflow; equal values differ by roundings.
    unit = np.where(spread > 1e-12 * np.abs(center), spread, 1.0)
    deviation = unit * np.sqrt(np.mean(np.square((doubles - center) / unit), axis=0))
    return center, 1 / np.where(spread > 1e-12 * np.abs(center), deviation, 1.0)
