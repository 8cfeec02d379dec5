"""Construction of layers with finite widths from a network description."""

from __future__ import annotations

import math

import numpy as np

from ntkfast.finite._joins import Chain, Concatenated, Multiplied, Summed
from ntkfast.finite._layers import Affine, Drop, Layer, Normalise, Pointwise
from ntkfast.networks import (
    Activation,
    Concatenate,
    Dense,
    Dropout,
    LayerNorm,
    Network,
    Product,
    Residual,
    Serial,
    Sum,
)
from ntkfast.networks.composition import Composition
from ntkfast.networks.elementwise import Numerical
from ntkfast.networks.spatial import Spatial

__all__ = ["Builder", "natural_width"]


def natural_width(network: Network, n_in: int | None) -> int | None:
    """Return the number of outputs that a network determines itself for n_in inputs, or None."""
    if isinstance(network, Dense):
        return network.width
    if isinstance(network, Serial):
        for layer in network.layers:
            n_in = natural_width(layer, n_in)
        return n_in
    if isinstance(network, Concatenate):
        widths = [natural_width(branch, n_in) for branch in network.layers]
        return None if None in widths else sum(width for width in widths if width is not None)
    if isinstance(network, (Sum, Product)):
        widths = [natural_width(branch, n_in) for branch in network.layers]
        return next((width for width in widths if width is not None), None)
    return n_in


def _sets_width(network: Network) -> bool:
    """Whether the number of outputs may differ from the number of inputs."""
    if isinstance(network, (Sum, Product)):
        return all(map(_sets_width, network.layers))
    if isinstance(network, (Serial, Concatenate)):
        return any(map(_sets_width, network.layers))
    return isinstance(network, Dense)


class Builder:
    """Builds layers and assigns them positions among the parameters and the fixed numbers.

    Parameters
    ----------
    width
        Width of hidden layers without a width of their own; None if all must have one.
    n_parameters
        Number of parameters that are already assigned.

    Attributes
    ----------
    affine, drops
        The layers with random numbers, in the order in which they are drawn.
    n_parameters, n_fixed
        Number of parameters and fixed numbers assigned so far.
    """

    def __init__(self, width: int | None, n_parameters: int = 0) -> None:
        self.width, self.n_parameters, self.n_fixed = width, n_parameters, 0
        self.affine: list[Affine] = []
        self.drops: list[Drop] = []

    def build(self, network: Network, n_in: int, n_out: int | None, place: str) -> Layer:
        """Return the layers of a network with n_in inputs, and with n_out outputs if that is set.

        Messages and parameter names call the network `place`, which is "" for a whole network.
        """
        if isinstance(network, Composition):
            return self._composition(network, n_in, n_out, place)
        place = place or type(network).__name__
        if isinstance(network, Dense):
            return self._dense(network, n_in, n_out, place)
        if n_out not in (None, n_in):
            raise ValueError(
                f"{place} has {n_in} neurons, the same as the previous layer, but {n_out} are "
                "expected; insert a Dense to change the number"
            )
        if isinstance(network, (Activation, Numerical)):
            # A missing function or package raises an error here, not during training.
            with np.errstate(all="ignore"):
                network._evaluate(np.zeros(1)), network._derivative(np.zeros(1))
            return Pointwise(place, n_in, network)
        if isinstance(network, Spatial):
            return Chain(n_in)  # Flatten and global pooling leave rows as they are
        if isinstance(network, LayerNorm):
            return Normalise(n_in, network.eps)
        if isinstance(network, Dropout):
            self.drops.append(Drop(n_in, network.keep, self.n_fixed))
            self.n_fixed += 1
            return self.drops[-1]
        raise TypeError(f"{place} is {network!r}, which has no finite network")

    def _composition(self, network: Composition, n_in: int, n_out: int | None, place: str) -> Layer:
        names = [
            f"layer {i} ({type(layer).__name__})" + (f" of {place}" if place else "")
            for i, layer in enumerate(network.layers, start=1)
        ]
        place = place or type(network).__name__
        if isinstance(network, Serial):
            return self._chain(network.layers, names, n_in, n_out, place)
        if isinstance(network, Residual):
            branch = self._chain(network.layers, names, n_in, n_in, place)
            self._agree(n_in, n_out, place)
            return Summed(n_in, (Chain(n_in), branch))
        if isinstance(network, Concatenate):
            widths = self._divided(network, n_in, n_out, place)
        else:
            widths = [natural_width(network, n_in) or n_out or self._hidden(place)] * len(names)
        parts = zip(network.layers, widths, names, strict=True)
        branches = tuple(self.build(part, n_in, width, name) for part, width, name in parts)
        if isinstance(network, Concatenate):
            return Concatenated(sum(widths), branches)
        self._agree(widths[0], n_out, place)
        join = Multiplied if isinstance(network, Product) else Summed
        return join(widths[0], branches)

    def _chain(
        self,
        layers: tuple[Network, ...],
        names: list[str],
        n_in: int,
        n_out: int | None,
        place: str,
    ) -> Chain:
        last = max((i for i, layer in enumerate(layers) if _sets_width(layer)), default=-1)
        built: list[Layer] = []
        for i, (layer, name) in enumerate(zip(layers, names, strict=True)):
            built.append(self.build(layer, n_in, n_out if i == last else None, name))
            n_in = built[-1].n_out
        self._agree(n_in, n_out, place)
        return Chain(n_in, tuple(built))

    def _dense(self, dense: Dense, n_in: int, n_out: int | None, place: str) -> Affine:
        self._agree(dense.width or n_out, n_out, place)
        width = dense.width or n_out or self._hidden(place)
        w_draw, b_draw = dense.w_std / math.sqrt(n_in), dense.b_std or 0.0
        ntk = dense.parameterization == "ntk"
        layer = Affine(
            place,
            n_in,
            width,
            dense.trainable,
            self.n_parameters if dense.trainable else self.n_fixed,
            # A bias with b_std=0 has no effect in the NTK parameterization.
            biased=dense.b_std is not None and (dense.b_std > 0 or not ntk),
            weight_scale=w_draw if ntk else 1.0,
            bias_scale=b_draw if ntk else 1.0,
            weight_draw=1.0 if ntk else w_draw,
            bias_draw=1.0 if ntk else b_draw,
        )
        if dense.trainable:
            self.n_parameters = layer.biases.stop
        else:
            self.n_fixed = layer.biases.stop
        self.affine.append(layer)
        return layer

    def _divided(self, network: Concatenate, n_in: int, n_out: int | None, place: str) -> list[int]:
        """Return the widths of branches; if the sum is set, branches without a width share it."""
        widths = [natural_width(branch, n_in) for branch in network.layers]
        free = widths.count(None)
        if free and n_out is not None:
            left = n_out - sum(width for width in widths if width is not None)
            if left <= 0 or left % free:
                raise ValueError(
                    f"{place} has {n_out} outputs, which {free} branches without a width cannot "
                    "share equally; set their widths, or change the number of outputs"
                )
            return [width or left // free for width in widths]
        found = [width or self._hidden(place) for width in widths]
        self._agree(sum(found), n_out, place)
        return found

    def _agree(self, found: int | None, n_out: int | None, place: str) -> None:
        if n_out not in (None, found):
            raise ValueError(
                f"{place} has width {found}, but {n_out} outputs are expected (from output_dim or "
                "from the other branches of a join); make them equal, or leave one unset"
            )

    def _hidden(self, place: str) -> int:
        if self.width is None:
            raise ValueError(
                f"{place} has no width, but a finite network needs one: use Dense(width), or "
                "width= for all hidden layers without one"
            )
        return self.width
