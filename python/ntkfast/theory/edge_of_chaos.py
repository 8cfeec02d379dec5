"""The edge of chaos: the scales of weights and biases at which χ(1) = 1."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ntkfast._arrays import as_floats, check_finite
from ntkfast._display import Displayed, Fact
from ntkfast._ntkfast import NumericalError
from ntkfast.networks import Network
from ntkfast.theory._block import Array, Block, reject_jumps, single_activation
from ntkfast.theory._fixed_point import root

__all__ = ["EdgeOfChaos", "edge_of_chaos"]

_SMALLEST, _LARGEST = 1e-24, 1e12  # variances; smaller ones stand for the limit 0
_STEP = 2 * math.log(2)  # of the search in log q
_VANISHING = 1e-9  # a relative excess this small near q = 0 means that the edge begins there


@dataclass(frozen=True, eq=False, repr=False)
class EdgeOfChaos(Displayed):
    """Points of the edge of chaos of an activation, created by `edge_of_chaos`.

    Attributes
    ----------
    activation
        The activation φ.
    b_std, w_std : ndarray, shape (k,)
        σ_b, and the σ_w with χ(1) = 1.
    variance : ndarray, shape (k,)
        q*, the fixed point of the variance at these scales; 1 if every variance is one.
    variance_slope : ndarray, shape (k,)
        Slope of the map of variances at q*. Depth leads other variances to q* if it is below 1, as
        for tanh or erf. If it is above 1 (GELU and Swish at small σ_b), only inputs of exactly this
        variance remain at the edge.
    """

    activation: Network
    b_std: Array
    w_std: Array
    variance: Array
    variance_slope: Array

    def _facts(self) -> Iterator[Fact]:
        yield "", self.activation
        for name in ("b_std", "w_std", "variance", "variance_slope"):
            yield f"{name}=", np.array2string(getattr(self, name), precision=4, threshold=6)


def edge_of_chaos(activation: Network, b_std: npt.ArrayLike = 0.0) -> EdgeOfChaos:
    """Compute the edge of chaos of an activation: σ_w with χ(1) = 1 for each σ_b.

    Parameters
    ----------
    activation
        An activation, such as ``nk.Tanh()``.
    b_std : array_like, shape () or (k,)
        Standard deviations σ_b of the biases, ≥ 0.

    Returns
    -------
    EdgeOfChaos
        The points (w_std, b_std), with one entry per σ_b. `nk.plots.edge_of_chaos` draws them.

    Raises
    ------
    TypeError
        ``activation`` is not an activation.
    ValueError
        The activation has no edge at one of the σ_b, or it jumps, as `Sign` does. Homogeneous
        activations, such as `Relu`, have a single critical point, which is at σ_b = 0.

    Notes
    -----
    Two equations hold on the edge: q = σ_w²·E[φ²] + σ_b² (a variance that layers keep) and
    σ_w²·E[φ'²] = 1, with expectations over N(0, q). Elimination of σ_w leaves one equation,
    q − E[φ²]/E[φ'²] = σ_b², which is solved for its smallest root q*. As σ_b → 0, q* of a smooth φ
    with φ(0) = 0 vanishes, and σ_w → 1/abs(φ'(0)). The cost is some tens of evaluations of a kernel
    per σ_b.

    References
    ----------
    Poole, Lahiri, Raghu, Sohl-Dickstein, Ganguli (2016), arXiv:1606.05340, eqs. 3 and 5;
    Schoenholz, Gilmer, Ganguli, Sohl-Dickstein (2017), arXiv:1611.01232; Hayou, Doucet, Rousseau
    (2019), arXiv:1902.06853, which eliminate σ_w in the same way.

    Examples
    --------
    >>> edge_of_chaos(Tanh(), [0.0, 0.2, 0.5]).w_std.round(4)
    array([1.    , 1.3041, 1.5497])
    """
    phi = single_activation(activation, "edge_of_chaos")
    biases = np.atleast_1d(as_floats(b_std, "edge_of_chaos: b_std").astype(np.float64))
    check_finite(biases, "edge_of_chaos: b_std")
    if biases.ndim > 1 or (biases < 0).any():
        raise ValueError(f"edge_of_chaos: b_std is {b_std!r}; expected numbers >= 0, shape (k,)")
    reject_jumps(Block(phi, 1.0, 0.0), 1.0, "edge_of_chaos")
    points = np.array([_point(phi, float(b)) for b in biases]).reshape(-1, 3)
    return EdgeOfChaos(phi, biases, points[:, 0], points[:, 1], points[:, 2])


def _point(phi: Network, b_std: float) -> tuple[float, float, float]:
    """Return σ_w, q* and the slope of the map of variances there."""
    block = Block(phi, 1.0, 0.0)

    def excess(log_q: float) -> float:
        """1 − E[φ²]/(q·E[φ'²]) − σ_b²/q, which vanishes at q*."""
        q = math.exp(log_q)
        try:
            kept, slope = block.moments(q)
        except NumericalError:  # out of range, or not resolved: the search goes on
            return -math.inf
        return 1 - kept / (q * slope) - b_std**2 / q if slope > 0 else -math.inf

    def at(q: float, variance: float) -> tuple[float, float, float]:
        w_std = block.moments(q)[1] ** -0.5
        return w_std, variance, Block(phi, w_std, b_std).variance_slope(q)

    if b_std == 0 and abs(excess(math.log(_SMALLEST))) <= _VANISHING:
        homogeneous = abs(excess(0.0)) <= 1e-13
        return at(1.0, 1.0) if homogeneous else at(_SMALLEST, 0.0)
    here = math.log(max(b_std**2, _SMALLEST))  # E[φ²] ≥ 0, so q* is at least σ_b²
    value = excess(here)
    while value < 0 and here < math.log(_LARGEST):
        there = here + _STEP
        after = excess(there)
        if after >= 0:
            q = math.exp(root(excess, here, value, there, after))
            return at(q, q)
        here, value = there, after
    raise ValueError(
        f"edge_of_chaos: {phi!r} has no edge of chaos at b_std = {b_std:g}: no w_std keeps a "
        "variance and has χ(1) = 1; homogeneous activations, such as Relu(), have one at b_std = 0 "
        "only"
    )
