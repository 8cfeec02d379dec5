"""What `solver="auto"` does with more samples than exact solutions are expected for."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from ntkfast._arrays import FloatArray
from ntkfast._memory import available
from ntkfast._progress import Progress
from ntkfast._warnings import warn
from ntkfast.networks import Network
from ntkfast.nystroem import NystroemRegression
from ntkfast.nystroem._centres import SAMPLE
from ntkfast.nystroem._matrix import PER_CENTRE

__all__ = ["CENTRES", "MANY", "centres_that_fit", "on_centres"]

MANY = 200_000
"""Samples up to which solutions at t = ∞ are exact."""

CENTRES = 10_000
"""Centres for more samples, or as many as fit into memory."""

# The share of free memory for them.
_SHARE = 0.5


def centres_that_fit(dtype: npt.DTypeLike) -> int:
    """Return a number of centres whose matrices take at most half of the memory that is free.

    They are 3·m² numbers in float64, a sketch in the type of the kernel, and before that a factor
    for the points from which centres are chosen.
    """
    budget, item = _SHARE * available(), np.dtype(dtype).itemsize
    squares = math.sqrt(budget / (3 * 8 + PER_CENTRE * item))
    return max(1, min(CENTRES, int(squares), int(budget / (SAMPLE * item))))


def on_centres(
    network: Network,
    points: FloatArray,
    targets: FloatArray,
    weights: FloatArray | None,
    *,
    diag_reg: float,
    relative_diag_reg: float,
    tol: float | None,
    memory: float | None,
    progress: Progress,
) -> NystroemRegression:
    """Return the regression on some centres, with a warning."""
    count = min(centres_that_fit(points.dtype), len(points))
    warn(
        f"solver='auto' is approximate for more than {MANY:,} samples: {len(points):,} samples are "
        f"learnt by nk.NystroemRegression with {count:,} centres. solver='cg' is exact and turns "
        "this off; NystroemRegressor and NystroemClassifier of nk.sklearn choose the centres and "
        "give standard deviations"
    )
    return NystroemRegression(
        network,
        points,
        targets,
        centres=count,
        diag_reg=diag_reg,
        relative_diag_reg=relative_diag_reg,
        sample_weight=weights,
        tol=1e-4 if tol is None else tol,
        memory=memory,
        progress=progress,
    )
