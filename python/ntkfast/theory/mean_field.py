"""Signal propagation through many equal blocks of a dense layer and an activation.

The maps of variances and correlations, and their slopes, are computed from the kernels of one block
at suitable inputs. They therefore work for every activation with kernels.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from ntkfast._arrays import as_floats, check_finite
from ntkfast._display import Displayed, Fact
from ntkfast._scalars import as_count, as_real, as_size
from ntkfast.networks import Network
from ntkfast.theory._block import Block, as_block, reject_jumps
from ntkfast.theory._fixed_point import correlation_fixed_point, variance_fixed_point

__all__ = ["MeanField", "mean_field"]

Array: TypeAlias = npt.NDArray[np.float64]
Phase: TypeAlias = Literal["ordered", "critical", "chaotic"]

# A χ this close to 1 counts as 1, which excludes depth scales above a hundred million layers.
_CRITICAL = 1e-8


@dataclass(frozen=True, eq=False, repr=False)
class MeanField(Displayed):
    """Signal propagation through Dense → activation → Dense → …, usually created by `mean_field`.

    Attributes
    ----------
    activation, w_std, b_std
        The block: K ← σ_w²·E[φφ] + σ_b².
    variance
        q*, the fixed point of the variance: 0 or inf if it vanishes or diverges with depth.
    correlation
        c*, the limit of the correlation of any two inputs with depth.
    chi_1
        χ(1) = σ_w²·E[φ'²] at q*: the factor by which a layer multiplies small differences and
        gradients.
    chi_star
        χ(c*) = σ_w²·E[φ'φ'] at q* and c*.
    variance_depth, correlation_depth
        ξ_q and ξ_c: the numbers of layers over which distances from q* and c* fall by e, infinite
        if they fall more slowly than that.
    phase
        ``"ordered"`` (χ(1) < 1: inputs become alike, gradients vanish), ``"chaotic"`` (χ(1) > 1:
        inputs become different, gradients explode), or ``"critical"``, the edge of chaos.
    """

    activation: Network
    w_std: float
    b_std: float
    variance: float
    correlation: float
    chi_1: float
    chi_star: float
    variance_depth: float
    correlation_depth: float
    phase: Phase

    @cached_property
    def _block(self) -> Block:
        return Block(self.activation, self.w_std, self.b_std)

    def variance_map(self, q: npt.ArrayLike) -> Array:
        """Compute q ↦ σ_w²·E[φ(√q·z)²] + σ_b², the variance after a block.

        Takes variances ≥ 0 of any shape.
        """
        variances = as_floats(q, "q").astype(np.float64)
        check_finite(variances, "q")
        if (variances < 0).any():
            raise ValueError(f"q has {variances.min():g}; expected variances >= 0")
        return self._block.variance(variances)[()]

    def correlation_map(self, c: npt.ArrayLike) -> Array:
        """Compute c ↦ [σ_w²·E[φ(u)φ(v)] + σ_b²]/q* for inputs of variance q* and correlation c.

        Takes correlations from −1 to 1 of any shape.
        """
        return self._block.correlation(_correlations(c), self._variance())[()]

    def chi(self, c: npt.ArrayLike = 1.0) -> Array:
        """Compute χ(c) = σ_w²·E[φ'(u)φ'(v)] at q*, the slope of the map of correlations.

        Takes correlations from −1 to 1 of any shape.
        """
        return self._block.chi(_correlations(c), self._variance())[()]

    def condition_number(self, depth: int, n: int, correlation: float = 0.0) -> Array:
        """Compute how the condition number of the NTK grows with depth.

        The kernel is that of `nk.mlp`, in the NTK parameterization, on n inputs of variance q* with
        equal correlations, which every data set approaches with depth. The recursions of NNGP and
        NTK are evaluated exactly, without asymptotics.

        Parameters
        ----------
        depth
            Number of hidden layers, ≥ 0.
        n
            Number of points, ≥ 2.
        correlation
            Correlation of any two inputs, from 0 to 1 (exclusive).

        Returns
        -------
        ndarray
            Shape (depth + 1,): λ_max/λ_min after 0, 1, …, depth hidden layers. With depth it grows
            as n·χ(1)^{−depth}/depth in the ordered phase. It tends to (n + 2)/2 on the edge of
            chaos with a smooth activation ((n + 3)/3 with ReLU), and to 1 in the chaotic phase. It
            is infinite once λ_min is lost in rounding.

        References
        ----------
        Xiao, Pennington, Schoenholz (2020), arXiv:1912.13053.
        """
        depth, n = as_size(depth, "depth", least=0), as_count(n, "n", least=2)
        c = as_real(correlation, "correlation", least=0.0)
        if c >= 1:
            raise ValueError(f"correlation is {c!r}; expected 0 <= correlation < 1")
        # In units of the NTK's diagonal, which may grow without bound: its off-diagonal, and q*.
        off, q = c, 1.0
        result = np.empty(depth + 1)
        for layer in range(depth + 1):
            gap = 1 - off
            lost = gap <= 8 * (layer + 1) * np.finfo(float).eps
            result[layer] = math.inf if lost else 1 + n * off / gap
            slope, c = float(self.chi(c)), float(self.correlation_map(c))
            diagonal = q + self.chi_1
            off, q = (q * c + slope * off) / diagonal, q / diagonal
        return result

    def _variance(self) -> float:
        if 0 < self.variance < math.inf:
            return self.variance
        raise ValueError(
            f"the variance tends to {self.variance:g} with depth, so correlations are undefined; "
            f"change w_std ({self.w_std:g}) or b_std ({self.b_std:g}) so that it stays finite and "
            "positive"
        )

    def _facts(self) -> Iterator[Fact]:
        yield "", self.activation
        yield "w_std=", f"{self.w_std:g}"
        yield "b_std=", f"{self.b_std:g}"
        yield "phase=", repr(self.phase)
        yield "q*=", f"{self.variance:.6g}"
        yield "c*=", f"{self.correlation:.6g}"
        yield "chi(1)=", f"{self.chi_1:.6g}"
        yield "chi(c*)=", f"{self.chi_star:.6g}"
        yield "depth scales xi_q=", f"{self.variance_depth:.4g}"
        yield "xi_c=", f"{self.correlation_depth:.4g}"


def mean_field(
    network: str | Network, *, w_std: float | None = None, b_std: float | None = None
) -> MeanField:
    """Compute the mean-field theory of a deep network: fixed points, slopes, depth scales, phase.

    Parameters
    ----------
    network
        Equal blocks of a `Dense` and an activation, such as ``nk.mlp(3, nk.Erf(), w_std=1.5)`` or
        ``nk.Serial(nk.Dense(w_std=1.5), nk.Erf())``; or a single activation, or its name.
    w_std, b_std
        Standard deviations of the dense layers, ≥ 0, if ``network`` is a single activation; b_std
        defaults to 0.

    Returns
    -------
    MeanField
        ``print`` shows a summary. The maps are methods.

    Raises
    ------
    TypeError
        ``network`` is not a network, or w_std is missing or given twice.
    ValueError
        ``network`` is a name that no activation has, or does not consist of equal blocks, or the
        activation jumps, as `Sign` does.

    Notes
    -----
    Assumes width → ∞ before depth → ∞ and independent weights. The result does not depend on which
    layers are trained or on the parameterization. If an activation has several fixed points of the
    variance, q* is the first one from 1, in the direction of the map. For kernels in closed form,
    fixed points are accurate to about 1e-12 away from criticality, and less accurate as χ
    approaches 1. Fitted activations take a few seconds.

    References
    ----------
    Poole, Lahiri, Raghu, Sohl-Dickstein, Ganguli (2016), arXiv:1606.05340: the maps and χ;
    Schoenholz, Gilmer, Ganguli, Sohl-Dickstein (2017), arXiv:1611.01232: the depth scales, with
    χ_q = dq'/dq at q* = σ_w²·E[φ'² + φφ''].

    Examples
    --------
    >>> mean_field(Relu(), w_std=2**0.5).phase
    'critical'
    """
    activation, w_std, b_std = as_block(network, w_std, b_std)
    block = Block(activation, w_std, b_std)
    variance, scale = variance_fixed_point(block)
    reject_jumps(block, scale, "mean_field")
    chi_1 = float(block.chi(np.array(1.0), scale))
    correlation = correlation_fixed_point(block, scale, margin=_CRITICAL)
    chi_star = chi_1 if correlation == 1 else float(block.chi(np.array(correlation), scale))
    critical = abs(chi_1 - 1) <= _CRITICAL
    return MeanField(
        activation=activation,
        w_std=w_std,
        b_std=b_std,
        variance=variance,
        correlation=correlation,
        chi_1=chi_1,
        chi_star=chi_star,
        variance_depth=_depth_scale(block.variance_slope(scale)),
        correlation_depth=_depth_scale(chi_star),
        phase="critical" if critical else "ordered" if chi_1 < 1 else "chaotic",
    )


def _depth_scale(slope: float) -> float:
    """−1/ln χ: 0 if one layer is enough, infinite if no number of layers is."""
    size = abs(slope)
    if size >= 1 - _CRITICAL:
        return math.inf
    return -1 / math.log(size) if size > 0 else 0.0


def _correlations(c: npt.ArrayLike) -> Array:
    correlations = as_floats(c, "c").astype(np.float64)
    if not (np.abs(correlations) <= 1).all():  # including NaN
        raise ValueError("c has entries outside [-1, 1]; expected correlations")
    return correlations
