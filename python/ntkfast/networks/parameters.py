"""Parameters of activations as scales of dense layers.

a·f(b·x) + c has the kernels of three layers: weights of standard deviation |b| that are not
trained, f, and weights and a bias of standard deviations |a| and |c|. An activation with an odd and
an even part is a sum of two, which are uncorrelated. So derivatives by these parameters are
derivatives by scales.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from math import cos, sin, sqrt
from typing import Any, TypeAlias

from ntkfast.networks.activations import ABRelu, Abs, Activation, Cos, Erf, LeakyRelu, Sin
from ntkfast.networks.base import Network
from ntkfast.networks.composition import Composition, Concatenate, Residual, Serial, Sum
from ntkfast.networks.exponentials import Exp, Gaussian, Rbf
from ntkfast.networks.layers import Dense

__all__ = ["Derivative", "as_scales", "named"]

# A weighted sum of derivatives by "w_std" or "b_std" of single dense layers.
Derivative: TypeAlias = list[tuple[float, str, int]]
Rates: TypeAlias = dict[str, float]

_NAMES = ("a", "b", "c", "alpha", "gamma")


def named(network: Network) -> set[str]:
    """Return the names of the parameters of an activation."""
    if not isinstance(network, Activation):
        return set()
    return {field.name for field in fields(network)} & set(_NAMES)


@dataclass
class _Scale:
    """One frozen layer: its standard deviations, and how fast they change with parameters."""

    weights: float
    by_weights: Rates
    bias: float = 0.0
    by_bias: Rates | None = None


def as_scales(network: Network, features: int) -> tuple[Network, dict[str, list[Derivative]]]:
    """Return a network with the same kernels, and derivatives by parameters of its activations.

    There is one for each activation that has the parameter, in the order of the layers.

    Raises
    ------
    ValueError
        An activation has parameters that are no scales.
    """
    rewriting = _Rewriting({})
    found, _ = rewriting.of(network, features)
    return found, rewriting.derivatives


@dataclass
class _Rewriting:
    derivatives: dict[str, list[Derivative]]
    dense: int = 0  # layers so far

    def of(self, network: Network, width: int | None) -> tuple[Network, int | None]:
        """Return a network with the same kernels, and the width of its result."""
        if isinstance(network, Serial | Residual):
            layers, inside = [], width
            for layer in network.layers:
                found, inside = self.of(layer, inside)
                layers.append(found)
            return type(network)(*layers), inside
        if isinstance(network, Composition):
            inner = [self.of(layer, width) for layer in network.layers]
            widths = [inside for _, inside in inner]
            if isinstance(network, Concatenate):
                total = None if None in widths else sum(w for w in widths if w is not None)
            else:
                total = widths[0]
            return type(network)(*(branch for branch, _ in inner)), total
        if isinstance(network, Dense):
            self.dense += 1
            return network, network.width
        if not named(network):
            return network, width
        split = _SPLITS.get(type(network))
        if split is None:
            raise ValueError(
                f"{network!r} has no derivatives by its parameters; those of "
                f"{', '.join(sorted(kind.__name__ for kind in _SPLITS))} are provided"
            )
        own: dict[str, Derivative] = {name: [] for name in named(network)}
        # A branch without weights adds nothing, also to derivatives: kernels depend on squares.
        branches = [branch for branch in split(network) if _weights(branch)]
        networks = [Serial(*self._layers(branch, own, width)) for branch in branches]
        for name, derivative in own.items():
            self.derivatives.setdefault(name, []).append(derivative)
        if not networks:
            return network, width
        return (networks[0] if len(networks) == 1 else Sum(*networks)), width

    def _layers(
        self, branch: list[Any], own: dict[str, Derivative], width: int | None
    ) -> list[Network]:
        layers: list[Network] = []
        for part in branch:
            if not isinstance(part, _Scale):
                layers.append(part)
                continue
            for name, by, value in (
                ("w_std", part.by_weights, part.weights),
                ("b_std", part.by_bias or {}, part.bias),
            ):
                for parameter, rate in by.items():
                    sign = -1.0 if value < 0 else 1.0
                    own[parameter].append((sign * rate, name, self.dense))
            self.dense += 1
            layers.append(
                Dense(
                    width,
                    w_std=abs(part.weights),
                    b_std=abs(part.bias) if part.by_bias else None,
                    trainable=False,
                )
            )
        return layers


def _weights(branch: list[Any]) -> bool:
    return all(part.weights != 0 or part.by_bias for part in branch if isinstance(part, _Scale))


def _piecewise(a: float, b: float, by_a: str | None, by_b: str | None) -> list[list[Any]]:
    """Split a·min(x, 0) + b·max(x, 0) into parts along x and along |x|."""

    def rates(of_a: float) -> Rates:
        return {name: rate for name, rate in ((by_a, of_a), (by_b, 0.5)) if name is not None}

    return [
        [_Scale((a + b) / 2, rates(0.5))],
        [Abs(), _Scale((b - a) / 2, rates(-0.5))],
    ]


def _erf(layer: Erf) -> list[list[Any]]:
    return [[_Scale(layer.b, {"b": 1.0}), Erf(), _Scale(layer.a, {"a": 1.0}, layer.c, {"c": 1.0})]]


def _wave(layer: Sin | Cos) -> list[list[Any]]:
    """Split sin(x + c) = cos(c)·sin(x) + sin(c)·cos(x); cos(x + c) is one of c + π/2."""
    a, phase = layer.a, layer.c
    ahead = isinstance(layer, Cos)
    of_sin, of_cos = (-sin(phase), cos(phase)) if ahead else (cos(phase), sin(phase))
    return [
        [
            _Scale(layer.b, {"b": 1.0}),
            wave,
            _Scale(a * share, {"a": share, "c": a * by_phase}),
        ]
        for wave, share, by_phase in ((Sin(), of_sin, -of_cos), (Cos(), of_cos, of_sin))
    ]


def _gaussian(layer: Gaussian) -> list[list[Any]]:
    root = sqrt(-layer.b)
    return [[_Scale(root, {"b": -0.5 / root}), Gaussian(), _Scale(layer.a, {"a": 1.0})]]


def _rbf(layer: Rbf) -> list[list[Any]]:
    root = sqrt(max(layer.gamma, 1e-16))  # kernels are smooth in gamma, also at 0
    return [[_Scale(root, {"gamma": 0.5 / root}), Rbf()]]


_SPLITS: dict[type[Network], Callable[[Any], list[list[Any]]]] = {
    ABRelu: lambda layer: _piecewise(layer.a, layer.b, "a", "b"),
    LeakyRelu: lambda layer: _piecewise(layer.alpha, 1.0, "alpha", None),
    Erf: _erf,
    Sin: _wave,
    Cos: _wave,
    Exp: lambda layer: [[_Scale(layer.b, {"b": 1.0}), Exp(), _Scale(layer.a, {"a": 1.0})]],
    Gaussian: _gaussian,
    Rbf: _rbf,
}
