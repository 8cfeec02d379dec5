"""One block of a deep network, Dense → activation, as maps of variance and correlation."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from numpy.polynomial.chebyshev import Chebyshev

from ntkfast._arrays import FloatArray
from ntkfast._scalars import as_real
from ntkfast.networks import Dense, Dropout, LayerNorm, Network, Serial
from ntkfast.networks.composition import Composition
from ntkfast.networks.named import as_activation
from ntkfast.networks.spatial import Spatial

__all__ = ["Array", "Block", "as_block", "reject_jumps", "single_activation"]

Array: TypeAlias = npt.NDArray[np.float64]

# Below this correlation, χ is computed from a network with a bias; see `Block.chi`.
_SMALL = 0.1
_BIAS = 0.45

_NO_ACTIVATION = (Composition, Dense, Dropout, LayerNorm, Spatial)


@dataclass(frozen=True)
class Block:
    """K ← σ_w²·E[φφ] + σ_b², from kernels of φ at inputs with given variance and correlation."""

    activation: Network
    w_std: float
    b_std: float

    def variance(self, q: Array) -> Array:
        """Map q ↦ σ_w²·E[φ²] + σ_b²."""
        # One feature √q has the variance q after a Dense with unit w_std.
        moments = _probe(self.activation).nngp(np.sqrt(q).reshape(-1, 1), diagonal=True)
        return self._close(moments).reshape(q.shape)

    def moments(self, q: float) -> tuple[float, float]:
        """Return E[φ²] and E[φ'²] at variance q."""
        # After one Dense the NTK is q, after an activation q·E[φ'²].
        kernels = _probe(self.activation).kernels(np.array([[math.sqrt(q)]]), diagonal=True)
        return float(kernels.nngp[0]), float(kernels.ntk[0]) / q

    def variance_slope(self, q: float) -> float:
        """Return dq'/dq, from a polynomial in log q. The map is smooth there, even with kinks."""
        log_map = Chebyshev.interpolate(
            lambda step: self.variance(q * np.exp(step)), deg=12, domain=[-0.25, 0.25]
        )
        return float(log_map.deriv()(0.0)) / q

    def correlation(self, c: Array, q: float) -> Array:
        """Map c ↦ (σ_w²·E[φφ] + σ_b²)/(σ_w²·E[φ²] + σ_b²), at variance q."""
        one, others = _pairs(c.ravel(), q)
        after = self._close(_probe(self.activation).nngp(one, others)[0])
        return (after / self.variance(np.array([q]))).reshape(c.shape)

    def chi(self, c: Array, q: float) -> Array:
        """Map c ↦ σ_w²·E[φ'φ'], at variance q."""
        flat = c.ravel()
        slopes = np.empty(flat.size)
        small = np.abs(flat) < _SMALL
        # After one Dense the NTK is T = q·c, after an activation T·E[φ'φ']. If c may be 0, two
        # Dense layers, of which the second has a bias, give the same q·c from T = q·(2c − bias).
        one, others = _pairs(flat[~small], q)
        ntk = _probe(self.activation).ntk(one, others)[0]
        slopes[~small] = ntk / (q * flat[~small])
        if small.any():
            one, others = _pairs((flat[small] - _BIAS) / (1 - _BIAS), q * (1 - _BIAS))
            biased = _probe(self.activation, math.sqrt(q * _BIAS))
            slopes[small] = biased.ntk(one, others)[0] / (q * (2 * flat[small] - _BIAS))
        return (self.w_std**2 * slopes).reshape(c.shape)

    def jumps(self, q: float) -> bool:
        """Tell whether φ jumps, like Sign, so that the map of correlations is vertical at 1.

        The map is convex, and χ is its slope at 1 if it has one. No secant is steeper.
        """
        gap = 1e-6
        one, others = _pairs(np.array([1.0, 1.0 - gap]), q)
        equal, near = self._close(_probe(self.activation).nngp(one, others)[0])
        rounding = 1e-6 * equal
        return bool((equal - near) / gap > 1.01 * q * self.chi(np.array(1.0), q) + rounding)

    def _close(self, moments: FloatArray) -> Array:
        """Return K after the next Dense."""
        closed: Array = self.w_std**2 * moments.astype(np.float64) + self.b_std**2
        return closed


@lru_cache(maxsize=4)
def _probe(activation: Network, b_std: float | None = None) -> Serial:
    """Return the network whose kernels are used; it is cached because its fits are."""
    linear = (Dense(),) if b_std is None else (Dense(), Dense(b_std=b_std))
    return Serial(*linear, activation)


def _pairs(c: Array, q: float) -> tuple[Array, Array]:
    """Return a point and others at correlations c with it, with two features and variance q."""
    radius = math.sqrt(2 * q)
    others = np.stack([c, np.sqrt((1 - c) * (1 + c))], axis=1)
    return np.array([[radius, 0.0]]), radius * others


def reject_jumps(block: Block, q: float, caller: str) -> None:
    """Raise an error for an activation with an infinite χ."""
    if block.jumps(q):
        raise ValueError(
            f"{caller}: {block.activation!r} jumps, so its map of correlations is vertical at 1 "
            "and has no slope χ; use a continuous activation, such as a steep Erf(b=10)"
        )


def single_activation(value: object, caller: str) -> Network:
    """Return an activation, or the one with this name; raise an error for anything else."""
    activation = as_activation(value, f"{caller}: activation")
    if isinstance(activation, _NO_ACTIVATION):
        raise TypeError(
            f"{caller}: activation is {activation!r}; expected an activation, such as nk.Tanh()"
        )
    Serial(Dense(), activation)  # rejects networks that are not activations
    return activation


def as_block(net: object, w_std: float | None, b_std: float | None) -> tuple[Network, float, float]:
    """Return the activation, σ_w and σ_b of a network of equal blocks, or the given ones."""
    network = as_activation(net, "mean_field: network")
    if not isinstance(network, _NO_ACTIVATION):
        if w_std is None:
            raise TypeError(
                f"mean_field: w_std is missing; give it together with an activation: "
                f"mean_field({network!r}, w_std=1.0, b_std=0.0)"
            )
        Serial(Dense(), network)  # rejects networks that are not activations
        bias = 0.0 if b_std is None else as_real(b_std, "mean_field: b_std", least=0.0)
        return network, as_real(w_std, "mean_field: w_std", least=0.0), bias
    if w_std is not None or b_std is not None:
        raise TypeError(
            "mean_field: w_std and b_std are set by the network's Dense layers; give them only "
            "together with an activation"
        )
    layers = list(_flat(network))
    dense, activations = layers[::2], layers[1::2]
    scales = {(d.w_std, d.b_std or 0.0) for d in dense if isinstance(d, Dense)}
    equal = len(scales) == 1 and len(set(activations)) == 1
    simple = all(isinstance(layer, Dense) for layer in dense) and not any(
        isinstance(layer, _NO_ACTIVATION) for layer in activations
    )
    if not (equal and simple):
        raise ValueError(
            f"mean_field: network is {network!r}; expected equal blocks of a Dense and an "
            "activation, such as nk.mlp(3, nk.Relu(), w_std=2**0.5), with one w_std, one b_std "
            "and one activation"
        )
    weight, bias = scales.pop()
    return activations[0], weight, bias


def _flat(network: Network) -> Iterator[Network]:
    """Yield the layers of nested Serials in order."""
    if isinstance(network, Serial):
        for layer in network.layers:
            yield from _flat(layer)
    else:
        yield network
