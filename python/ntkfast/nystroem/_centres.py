"""The choice of centres."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ntkfast._arrays import FloatArray, check_finite
from ntkfast._progress import Progress
from ntkfast._scalars import as_count, as_real, plain
from ntkfast._seed import Seed
from ntkfast._warnings import warn
from ntkfast.kernels import KernelName
from ntkfast.networks import Network
from ntkfast.operators import KernelOperator, pivoted_cholesky
from ntkfast.operators._points import as_points

__all__ = ["SAMPLE", "Centres", "choose", "sample_size"]

# Points from which pivots are chosen, and the most pivots for a share.
SAMPLE, _MOST = 50_000, 10_000


@dataclass(frozen=True, eq=False)
class Centres:
    """Chosen centres.

    Attributes
    ----------
    points
        Shape (m, …).
    residual
        Share of the trace of the kernel of a sample that they do not explain; NaN if it is not
        known.
    """

    points: FloatArray
    residual: float


def sample_size(centres: object, sampling: str) -> int:
    """Return the number of points to choose centres from, or raise an error."""
    number = plain(centres)
    if isinstance(number, (bool, int, float, np.bool_, np.integer, np.floating)):
        if isinstance(number, (float, np.floating)):
            share = as_real(centres, "centres", least=0.0, above=True)
            if share >= 1:
                raise ValueError(
                    f"centres is {share}; expected an integer, or a share of the trace below 1"
                )
            if sampling != "pivots":
                raise ValueError(
                    f"centres is {share}, a share of the trace, which only sampling='pivots' "
                    "computes; expected an integer"
                )
            return SAMPLE
        count = as_count(centres, "centres", least=1)
        return count if sampling == "uniform" else max(SAMPLE, 2 * count)
    return 0


def choose(
    network: Network,
    kernel: KernelName,
    centres: npt.ArrayLike,
    sample: FloatArray,
    n: int,
    sampling: str,
    seed: Seed,
    dtype: np.dtype[np.floating],
    progress: Progress,
) -> Centres:
    """Return centres: those given, or some of a sample of n points."""
    number = plain(centres)
    if not isinstance(number, (int, float, np.integer, np.floating)):
        points = as_points(network, centres, "centres", dtype)
        if not len(points):
            raise ValueError("centres is empty; expected at least one point")
        check_finite(points, "centres")
        return Centres(points, float("nan"))
    share = 0.0
    if isinstance(number, (float, np.floating)):
        share, count = float(number), min(_MOST, len(sample))
    else:
        count = int(number)
        if count > len(sample):
            warn(
                f"centres is {count}, and there are only {len(sample)} points; all of them are "
                "centres now"
            )
            count = len(sample)
    if not share and count == len(sample):
        # A uniform sample has just as many points as were asked for.
        some = sampling == "uniform" and number == count < n
        return Centres(_distinct(sample), float("nan") if some else 0.0)
    op = KernelOperator(network, sample, kernel=kernel, memory=0, dtype=dtype)
    found = pivoted_cholesky(op, count, seed=seed, tol=share, progress=progress)
    residual = found.residual_trace / found.trace if found.trace else 0.0
    if share and residual > share:
        warn(
            f"{found.rank} centres leave a share of {residual:.2g} of the trace, and centres asks "
            f"for {share:.2g}; pass a number of centres to have more"
        )
    return Centres(sample[np.sort(found.pivots)], residual)


def _distinct(points: FloatArray) -> FloatArray:
    """Return each point once, in the order of the first ones."""
    first = {point.tobytes(): i for i, point in reversed(list(enumerate(points)))}
    return points if len(first) == len(points) else points[sorted(first.values())]
