"""Maximisation of the evidence over the scales of a network and the noise."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from ntkfast._arrays import FloatArray
from ntkfast._ntkfast import NumericalError
from ntkfast._optional import MissingExtraError
from ntkfast._scalars import as_real
from ntkfast._warnings import warn
from ntkfast.networks import Network
from ntkfast.networks.scaling import scaled

__all__ = ["maximize_evidence"]

_NAMES = ("w_std", "b_std", "noise_variance")


def maximize_evidence(
    evidence: Callable[[Network, FloatArray], float],
    network: Network,
    noise: FloatArray,
    span: float,
) -> tuple[Network, FloatArray]:
    """Return the network and the noise with the largest `evidence`, near the given ones.

    The method of Nelder and Mead suits few parameters and infinite values, and needs no
    derivatives.
    """
    try:
        from scipy import optimize
    except ImportError as error:
        raise MissingExtraError("Posterior.maximize", "scipy", "scipy") from error
    bound = math.log(as_real(span, "span", least=1.0, above=True))
    if not (noise > 0).all():
        raise ValueError("noise_variance has a 0; expected > 0 as the start of the search")
    # Factors without any effect are excluded from the search.
    sought = [scaled(network, 2.0, 1.0) != network, scaled(network, 1.0, 2.0) != network, True]

    def candidate(logarithms: npt.NDArray[np.float64]) -> tuple[Network, FloatArray]:
        factors = np.ones(len(_NAMES))
        factors[sought] = np.exp(logarithms)
        return scaled(network, float(factors[0]), float(factors[1])), noise * factors[2]

    def cost(logarithms: npt.NDArray[np.float64]) -> float:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # warnings about intermediate candidates
                return -evidence(*candidate(logarithms))
        except (ValueError, NumericalError):  # scales out of range, or no Cholesky factor
            return math.inf

    start = np.zeros(sum(sought))
    at_start = evidence(*candidate(start))  # errors at the start are reported to the caller
    simplex = np.vstack([start, min(1.0, bound / 2) * np.eye(start.size)])
    result = optimize.minimize(
        cost,
        start,
        method="Nelder-Mead",
        bounds=[(-bound, bound)] * start.size,
        options={"initial_simplex": simplex, "xatol": 1e-4, "fatol": 1e-6},
    )
    if not result.success:
        warn(
            f"Posterior.maximize: the search did not converge: {result.message}; start closer to "
            "the maximum"
        )
    if not -result.fun > at_start:
        warn(
            "Posterior.maximize: the search found no larger log marginal likelihood than the "
            f"{at_start:.4g} of its start; scale the features to mean 0 and standard deviation 1, "
            "or start from another network or noise_variance"
        )
    names = [name for name, free in zip(_NAMES, sought, strict=True) if free]
    at_bound = [
        f"{name} (times {math.exp(x):.3g})"
        for name, x in zip(names, result.x, strict=True)
        if abs(x) > bound - 1e-3
    ]
    if at_bound:
        warn(
            f"Posterior.maximize: the maximum lies at a bound of {', '.join(at_bound)}; start "
            "there, or widen span"
        )
    return candidate(result.x)
