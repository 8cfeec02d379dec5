"""Maximisation of the evidence over the scales of a network and its features, and the noise."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from contextlib import suppress
from itertools import product
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from ntkfast._arrays import FloatArray
from ntkfast._ntkfast import NumericalError
from ntkfast._optional import MissingExtraError
from ntkfast._scalars import as_real
from ntkfast._warnings import warn
from ntkfast.dynamics._evidence import Candidate
from ntkfast.networks import Network
from ntkfast.networks.composition import leaves
from ntkfast.networks.scaling import scaled

__all__ = ["maximize_evidence"]

Doubles: TypeAlias = npt.NDArray[np.float64]

_NAMES = ("w_std", "b_std", "noise_variance")
# Of w_std during the search: beyond, kernels of deep networks have no Cholesky factor.
_LEAST, _MOST = 0.1, 10.0
# Factors of the start from which the search begins again, at the best of them.
_WEIGHTS, _NOISES = (0.5, 1.0, 2.0), (0.03, 1.0, 30.0)

# Half of the width of a box, in logarithms, and how many there are at most.
_BOX, _BOXES = math.log(4.0), 20

# Relative changes of the evidence that end a search.
_ROUGH, _FINE = 1e-6, 2e-9
# Slope of the evidence in nats below which a search has converged: roundings may stop it there.
_FLAT = 0.05

Evidence: TypeAlias = Callable[[Candidate], float]
WithGradient: TypeAlias = Callable[[Candidate], tuple[float, FloatArray]]


def maximize_evidence(
    evidence: Evidence,
    with_gradient: WithGradient | None,
    begin: Candidate,
    span: float,
) -> Candidate:
    """Return the candidate with the largest `evidence` near the given one.

    `with_gradient` returns it and its gradient by the logarithms of factors of w_std, of b_std, of
    the noise, and of the scales of features. Without it the method of Nelder and Mead searches.
    """
    try:
        from scipy import optimize
    except ImportError as error:
        raise MissingExtraError("Posterior.maximize", "scipy", "scipy") from error
    bound = math.log(as_real(span, "span", least=1.0, above=True))
    if not (begin.noise > 0).all():
        raise ValueError("noise_variance has a 0; expected > 0 as the start of the search")
    search = _Search(evidence, with_gradient, begin, bound)
    start = np.zeros(len(search.bounds))
    at_start = evidence(search.candidate(start))  # errors at the start are reported to the caller
    if with_gradient is None:
        simplex = np.vstack([start, min(1.0, bound / 2) * np.eye(start.size)])
        best = optimize.minimize(
            search.cost,
            np.clip(start, *search.box),
            method="Nelder-Mead",
            bounds=search.bounds,
            options={"initial_simplex": simplex, "xatol": 1e-4, "fatol": 1e-6},
        )
    else:
        start = np.clip(start, *search.box)
        if begin.scales is not None:  # there may be several maxima
            start = _better_start(optimize.minimize, search, start)
        best = _climb(optimize.minimize, search, start, search.box)
        if search.unfinished(best) or not -best.fun > at_start or search.at_bound(best.x):
            again = _climb(optimize.minimize, search, search.other_start(), search.box)
            best = min(best, again, key=lambda found: float(found.fun))
    _tell(search, best, at_start)
    return search.candidate(best.x if -best.fun > at_start else start)


def _better_start(minimize: Callable[..., Any], search: _Search, start: Doubles) -> Doubles:
    """Return about the better maximum of two: from the start, and from the best of equal scales."""
    equal = _climb(minimize, search, start, search.equal_scales, _ROUGH).x
    found = [_climb(minimize, search, each, search.box, _ROUGH) for each in (start, equal)]
    better: Doubles = min(found, key=lambda each: float(each.fun)).x
    return better


def _climb(
    minimize: Callable[..., Any],
    search: _Search,
    begin: Doubles,
    limits: tuple[Doubles, Doubles],
    tolerance: float = _FINE,
) -> Any:
    """Search from a start, within a box around the best candidate so far, until it is inside.

    A step of L-BFGS-B may lead to a corner of the bounds, whose kernels have no Cholesky factor or
    take long to fit.
    """
    low, high = limits
    place, before, found = begin, math.inf, None
    for _ in range(_BOXES):
        box = np.maximum(low, place - _BOX), np.minimum(high, place + _BOX)
        bounds = list(zip(*box, strict=True))
        found = minimize(
            search.cost_and_slope,
            place,
            jac=True,
            method="L-BFGS-B",
            bounds=bounds,
            options={"ftol": tolerance},
        )
        edge = (found.x <= box[0]) & (box[0] > low) | (found.x >= box[1]) & (box[1] < high)
        if not edge.any() or not found.fun < before - 1e-6:
            break
        place, before = found.x, float(found.fun)
    return found


class _Search:
    """Candidates by the logarithms of their factors."""

    def __init__(
        self,
        evidence: Evidence,
        with_gradient: WithGradient | None,
        begin: Candidate,
        bound: float,
    ) -> None:
        self._evidence, self._with_gradient = evidence, with_gradient
        self._begin, network = begin, begin.network
        features = 0 if begin.scales is None else len(begin.scales)
        # Factors without any effect are excluded from the search.
        effects = [scaled(network, 2.0, 1.0) != network, scaled(network, 1.0, 2.0) != network]
        self._sought = np.array([*effects, True, *[True] * features])
        every = [_bounds_of_weights(network, bound), *[(-bound, bound)] * (2 + features)]
        names = [*_NAMES, *(f"feature_scales[{k}]" for k in range(features))]
        self.bounds = [each for each, free in zip(every, self._sought, strict=True) if free]
        self.names = [name for name, free in zip(names, self._sought, strict=True) if free]

    def unfinished(self, result: Any) -> bool:
        """Return whether a search stopped where the evidence still rises inside the bounds."""
        if result.success or "jac" not in result:
            return not result.success
        low, high = self.box
        return bool(np.abs(np.clip(result.x - result.jac, low, high) - result.x).max() > _FLAT)

    @property
    def remedy(self) -> str:
        """Advice on the features, unless they have scales."""
        if self._begin.scales is not None:
            return ""
        return (
            "scale the features to mean 0 and standard deviation 1, pass feature_scales=True, or "
        )

    @property
    def box(self) -> tuple[Doubles, Doubles]:
        """The lower and the upper bounds."""
        low, high = np.array(self.bounds).T
        return low, high

    @property
    def equal_scales(self) -> tuple[Doubles, Doubles]:
        """The bounds, without changes of the scales of features."""
        features = np.array([name.startswith("feature") for name in self.names])
        low, high = (np.where(features, 0.0, side) for side in self.box)
        return low, high

    def candidate(self, logarithms: Doubles) -> Candidate:
        """Return the candidate with these factors."""
        factors, begin = np.ones(len(self._sought)), self._begin
        factors[self._sought] = np.exp(logarithms)
        network = scaled(begin.network, float(factors[0]), float(factors[1]))
        scales = None if begin.scales is None else begin.scales * factors[len(_NAMES) :]
        return Candidate(network, begin.noise * factors[2], scales)

    def cost(self, logarithms: Doubles) -> float:
        """Return minus the evidence; infinity where there is none."""
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # warnings about intermediate candidates
                return -self._evidence(self.candidate(logarithms))
        except (ValueError, NumericalError):  # scales out of range, or no Cholesky factor
            return math.inf

    def cost_and_slope(self, logarithms: Doubles) -> tuple[float, Doubles]:
        """Return the cost and its gradient; where there is none, a cost that turns a line back."""
        assert self._with_gradient is not None
        with suppress(ValueError, NumericalError), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            value, slope = self._with_gradient(self.candidate(logarithms))
            if math.isfinite(value) and np.isfinite(slope).all():
                return -value, -slope[self._sought]
        return 1e100, np.zeros(len(logarithms))

    def other_start(self) -> Doubles:
        """Return the best of some candidates around the start."""
        weights = _WEIGHTS if self._sought[0] else (1.0,)
        around = []
        for w, noise in product(weights, _NOISES):
            other = np.zeros(len(self.bounds))
            other[self.names.index("noise_variance")] = math.log(noise)
            if self._sought[0]:
                other[0] = math.log(w)
            around.append(np.clip(other, *self.box))
        return min(around, key=self.cost)

    def at_bound(self, logarithms: Doubles) -> list[str]:
        """Return the parameters that end at a bound, with their factors.

        Features without influence have none: their scales end at the lower bound.
        """
        low, high = self.box
        return [
            f"{name} (times {math.exp(x):.3g})"
            for name, x, least, most in zip(self.names, logarithms, low, high, strict=True)
            if (x < least + 1e-3 and not name.startswith("feature")) or x > most - 1e-3
        ]


def _bounds_of_weights(network: Network, bound: float) -> tuple[float, float]:
    stds = [std for layer in leaves(network) if (std := getattr(layer, "w_std", 0.0)) > 0] or [1.0]
    low, high = math.log(_LEAST / min(stds)), math.log(_MOST / max(stds))
    return max(-bound, min(low, 0.0)), min(bound, max(high, 0.0))


def _tell(search: _Search, result: Any, at_start: float) -> None:
    """Warn if the search ends where nobody wants it to."""
    if not -result.fun > at_start:
        warn(
            "Posterior.maximize: the search found no larger log marginal likelihood than the "
            f"{at_start:.4g} of its start; {search.remedy}start from another network or "
            "noise_variance"
        )
    elif search.unfinished(result):
        warn(
            f"Posterior.maximize: the search did not converge: {result.message}; start closer to "
            "the maximum"
        )
    if at_bound := search.at_bound(result.x):
        own = f"; w_std stays between {_LEAST:g} and {_MOST:g}" if "w_std" in at_bound[0] else ""
        warn(
            f"Posterior.maximize: the maximum lies at a bound of {', '.join(at_bound)}; start "
            f"there, or widen span{own}"
        )
