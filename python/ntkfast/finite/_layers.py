"""Layers of finite width: their values, and the propagation of tangents and gradients.

Arrays have samples in rows. Values h have shape (n, neurons). Gradients g of several outputs with
respect to h have shape (n, outputs, neurons). A layer contains only its sizes and the positions of
its numbers in two flat arrays: `parameters`, which are trained, and `fixed`, which are drawn once.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from ntkfast._ntkfast import NumericalError
from ntkfast.networks.activations import Activation, Array
from ntkfast.networks.elementwise import Numerical

__all__ = ["Affine", "Batch", "Drop", "Layer", "Normalise", "Pointwise", "Pulled", "Step"]


@dataclass(frozen=True, eq=False)
class Batch:
    """The input of a layer: the values `h` of the previous layer, and constants of the call."""

    h: Array
    x: Array  # (n, n_features): the points themselves
    parameters: Array
    fixed: Array
    seen: list[tuple[Pointwise, Array]] | None = None  # inputs of activations, if requested

    def behind(self, h: Array) -> Batch:
        """Return the batch after a layer with output h."""
        return replace(self, h=h)


class Pulled(NamedTuple):
    """The factors of the gradients with respect to the weights and biases of an affine layer."""

    layer: Affine
    h: Array  # its input
    g: Array  # the gradients with respect to its output


Collect: TypeAlias = Callable[[Pulled], object]


@dataclass(frozen=True, eq=False)
class Step:
    """The values of a layer for a batch, and its derivative there, in both directions.

    ``pull`` maps the gradients with respect to its values to those with respect to its input, and
    passes on the gradients at trainable layers. ``push`` maps a tangent of its input and a
    direction in parameter space to the tangent of its values.
    """

    h: Array
    pull: Callable[[Array, Collect], Array]
    push: Callable[[Array, Array], Array]


class Layer(ABC):
    """A layer or a composition of layers, with known widths."""

    n_out: int

    @abstractmethod
    def run(self, batch: Batch) -> Step:
        """Return the layer's step for a batch."""

    @property
    def closed(self) -> bool:
        """Whether the last layer is affine, so that a mean over its weights can be taken."""
        return False

    def covariance(self, left: Batch, right: Batch) -> Array:
        """Return E[f(x)·f(x')] over the last weights if the layer is closed; otherwise f(x)·f(x').

        The result is the mean over neurons, shape (n, m).
        """
        a = self.run(left).h
        b = a if right is left else self.run(right).h
        return a @ b.T / self.n_out


@dataclass(frozen=True)
class Affine(Layer):
    """A dense layer, z = weight_scale·h·W + bias_scale·b.

    W and b are drawn with standard deviations `weight_draw` and `bias_draw`. In the NTK
    parameterization these are 1 and the scales are those of the layer. In the standard one it is
    the other way round.
    """

    name: str
    n_in: int
    n_out: int
    trainable: bool
    start: int  # position of its first number: weights by rows, then biases
    biased: bool
    weight_scale: float
    bias_scale: float
    weight_draw: float
    bias_draw: float

    @property
    def weights(self) -> slice:
        """Positions of its weights."""
        return slice(self.start, self.start + self.n_in * self.n_out)

    @property
    def biases(self) -> slice:
        """Positions of its biases; empty if it has none."""
        return slice(self.weights.stop, self.weights.stop + self.biased * self.n_out)

    def draw(self, rng: np.random.Generator, numbers: Array) -> None:
        """Write initial weights and biases to their positions."""
        for place, scale in ((self.weights, self.weight_draw), (self.biases, self.bias_draw)):
            numbers[place] = scale * rng.standard_normal(place.stop - place.start)

    def run(self, batch: Batch) -> Step:
        """Return the layer's step for a batch."""
        h = batch.h
        numbers = batch.parameters if self.trainable else batch.fixed
        weights = numbers[self.weights].reshape(self.n_in, self.n_out)

        def push(dh: Array, direction: Array) -> Array:
            dz = dh @ weights
            if self.trainable:
                dz += h @ direction[self.weights].reshape(self.n_in, self.n_out)
            dz *= self.weight_scale
            if self.trainable and self.biased:
                dz += self.bias_scale * direction[self.biases]
            return dz

        def pull(g: Array, collect: Collect) -> Array:
            if self.trainable:
                collect(Pulled(self, h, g))
            back = g.reshape(-1, self.n_out) @ weights.T
            back *= self.weight_scale
            return back.reshape(*g.shape[:-1], self.n_in)

        z = h @ weights
        z *= self.weight_scale
        if self.biased:
            z += self.bias_scale * numbers[self.biases]
        # One infinity makes the sum infinite; a sum may also overflow itself.
        if not math.isfinite(z.sum()) and not np.isfinite(z).all():
            raise NumericalError(f"{self.name} of the finite network exceeds the range of a float")
        return Step(z, pull, push)

    @property
    def closed(self) -> bool:
        """Always true for an affine layer."""
        return True

    def covariance(self, left: Batch, right: Batch) -> Array:
        """Return σ_w²·h·h'/fan_in + σ_b², the mean over its weights and biases."""
        weight, bias = self.weight_scale * self.weight_draw, self.bias_scale * self.bias_draw
        result: Array = weight**2 * (left.h @ right.h.T)
        return result + bias**2 if self.biased else result


@dataclass(frozen=True)
class Pointwise(Layer):
    """An elementwise function."""

    name: str
    n_out: int
    activation: Activation | Numerical

    def run(self, batch: Batch) -> Step:
        """Return the layer's step for a batch."""
        h = batch.h
        if batch.seen is not None:
            batch.seen.append((self, h))

        def slope() -> Array:
            return self.activation._derivative(h.reshape(-1)).reshape(h.shape)

        return Step(
            self.activation._evaluate(h.reshape(-1)).reshape(h.shape),
            lambda g, collect: g * slope()[:, None],
            lambda dh, direction: dh * slope(),
        )


@dataclass(frozen=True)
class Normalise(Layer):
    """Each row minus its mean, divided by √(variance + eps)."""

    n_out: int
    eps: float

    def run(self, batch: Batch) -> Step:
        """Return the layer's step for a batch."""
        centred = batch.h - batch.h.mean(-1, keepdims=True)
        largest = np.abs(centred).max(-1, keepdims=True)
        unit = np.divide(centred, largest, where=largest > 0, out=np.zeros_like(centred))
        deviation = largest * np.sqrt((unit**2).mean(-1, keepdims=True))  # without overflow
        size = np.hypot(deviation, math.sqrt(self.eps))
        inverse = np.divide(1.0, size, where=size > 0, out=np.zeros_like(size))
        h = centred * inverse

        def through(d: Array, at: Array, factor: Array) -> Array:
            along = d.mean(-1, keepdims=True) + at * (d * at).mean(-1, keepdims=True)
            result: Array = (d - along) * factor
            return result

        return Step(
            h,
            lambda g, collect: through(g, h[:, None], inverse[:, None]),
            lambda dh, direction: through(dh, h, inverse),
        )


@dataclass(frozen=True)
class Drop(Layer):
    """Keeps each neuron, divided by `keep`, with probability `keep`, by a hash of the point."""

    n_out: int
    keep: float
    start: int  # position of its random number

    def draw(self, rng: np.random.Generator, numbers: Array) -> None:
        """Write the number that makes its choices differ from those of other layers."""
        numbers[self.start] = rng.random()

    def run(self, batch: Batch) -> Step:
        """Return the layer's step for a batch."""
        key = batch.fixed[self.start : self.start + 1].view(np.uint64)
        kept = _uniform(batch.x, key, self.n_out) < self.keep
        mask = np.where(kept, 1.0 / self.keep, 0.0)
        return Step(
            batch.h * mask,
            lambda g, collect: g * mask[:, None],
            lambda dh, direction: dh * mask,
        )


def _uniform(x: Array, key: npt.NDArray[np.uint64], count: int) -> Array:
    """Return numbers in [0, 1), shape (n, count), as random as a hash of row, key and column.

    Uses SplitMix64 (Steele, Lea, Flood 2014, "Fast splittable pseudorandom number generators"),
    restarted for each row.
    """
    bits = np.ascontiguousarray(x + 0.0).view(np.uint64)  # -0.0 is the same point as 0.0
    state = np.broadcast_to(key, len(x))
    for column in bits.T:
        state = _mixed(state ^ column)
    steps = np.arange(1, count + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    return (_mixed(state[:, None] + steps) >> np.uint64(11)).astype(np.float64) * 2.0**-53


def _mixed(z: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))
