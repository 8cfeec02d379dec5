"""The choice of a network, the noise and scales of features by the evidence."""

from __future__ import annotations

import math

import numpy as np

from ntkfast._arrays import FloatArray
from ntkfast._warnings import warn
from ntkfast.dynamics._evidence import Candidate, Evidence
from ntkfast.dynamics._maximize import maximize_evidence
from ntkfast.dynamics._scaled import check_scalable, scaled_features, standard_units

__all__ = ["chosen_by_evidence", "tell_of_jitter"]


def chosen_by_evidence(
    begin: Candidate, x: FloatArray, y: FloatArray, *, scales: bool, span: float, remedy: str
) -> tuple[Candidate, FloatArray | None]:
    """Return the best candidate near the first, and the centre of features if they have scales."""
    center = None
    if scales:
        center, units = standard_units(x)
        begin = Candidate(begin.network, begin.noise, units)
    features = scaled_features(x.astype(np.float64, copy=False), center, None)
    evidence = Evidence(features, y, remedy)
    has_slope = evidence.has_gradient(begin)
    if scales:
        check_scalable(begin.network, has_slope)
    slope = evidence.with_gradient if has_slope else None
    return maximize_evidence(evidence, slope, begin, span), center


def tell_of_jitter(jitter: float, best: Candidate) -> None:
    """Warn if the kernel needed a jitter larger than the noise that is reported."""
    least = float(np.min(best.noise, initial=math.inf))
    if jitter > least:
        units = "scale the features to mean 0 and standard deviation 1, or "
        warn(
            f"Posterior.maximize: the noise_variance that it reports, {least:.2g}, is below "
            f"the jitter of {jitter:.2g} that the kernel needed, which counts as noise too; "
            f"{units if best.scales is None else ''}compute in float64"
        )
