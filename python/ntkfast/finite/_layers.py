"""Layers of finite width: what each makes of its input, and how tangents and gradients pass it.

Arrays have samples in rows: values h are (n, neurons), gradients g of several outputs by them
(n, outputs, neurons). A layer holds no numbers but its sizes, and the places of its own numbers in
two flat arrays: `parameters`, which are trained, and `fixed`, which are drawn once.
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
    """What a layer is run on: the values `h` of the layer before, and what does not change."""

    h: Array
    x: Array  # (n, n_features): the points themselves
    parameters: Array
    fixed: Array
    seen: list[tuple[Pointwise, Array]] | None = None  # what enters activations, if asked for

    def behind(self, h: Array) -> Batch:
        """Return the batch behind a layer that gives h."""
        return replace(self, h=h)


class Pulled(NamedTuple):
    """All that the gradients by the weights and biases of an affine layer are made of."""

    layer: Affine
    h: Array  # its input
    g: Array  # the gradients by its output


Collect: TypeAlias = Callable[[Pulled], object]


@dataclass(frozen=True, eq=False)
class Step:
    """A layer's values at a batch, and its derivative there, in both directions.

    ``pull`` takes the gradients by its values to those by its input, and hands on what it meets at
    trainable layers; ``push`` takes a tangent of its input and a direction in parameter space to
    the tangent of its values.
    """

    h: Array
    pull: Callable[[Array, Collect], Array]
    push: Callable[[Array, Array], Array]


class Layer(ABC):
    """A layer, or layers joined, of known widths."""

    n_out: int

    @abstractmethod
    def run(self, batch: Batch) -> Step:
        """Return the layer's step at a batch."""

    @property
    def closed(self) -> bool:
        """Whether an affine layer comes last, over whose weights a mean can be taken."""
        return False

    def covariance(self, left: Batch, right: Batch) -> Array:
        """Return E[f(x)·f(x')] over the last weights, where the layer is closed, else as it is.

        The mean over neurons, shape (n, m).
        """
        a = self.run(left).h
        b = a if right is left else self.run(right).h
        return a @ b.T / self.n_out


@dataclass(frozen=True)
class Affine(Layer):
    """A dense layer, z = weight_scale·h·W + bias_scale·b.

    W and b are drawn with standard deviations `weight_draw` and `bias_draw`: in the NTK
    parameterization these are 1 and the scales are those of the layer, in the standard one the
    other way round.
    """

    name: str
    n_in: int
    n_out: int
    trainable: bool
    start: int  # where its numbers begin: weights by rows, then biases
    biased: bool
    weight_scale: float
    bias_scale: float
    weight_draw: float
    bias_draw: float

    @property
    def weights(self) -> slice:
        """Where its weights are."""
        return slice(self.start, self.start + self.n_in * self.n_out)

    @property
    def biases(self) -> slice:
        """Where its biases are; nowhere if it has none."""
        return slice(self.weights.stop, self.weights.stop + self.biased * self.n_out)

    def draw(self, rng: np.random.Generator, numbers: Array) -> None:
        """Write initial weights and biases to where they belong."""
        for place, scale in ((self.weights, self.weight_draw), (self.biases, self.bias_draw)):
            numbers[place] = scale * rng.standard_normal(place.stop - place.start)

    def run(self, batch: Batch) -> Step:
        """Return the layer's step at a batch."""
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
        # One infinity makes the sum one; a sum may also overflow by itself.
        if not math.isfinite(z.sum()) and not np.isfinite(z).all():
            raise NumericalError(f"{self.name} of the finite network leaves the range of a float")
        return Step(z, pull, push)

    @property
    def closed(self) -> bool:
        """An affine layer is its own last one."""
        return True

    def covariance(self, left: Batch, right: Batch) -> Array:
        """Return σ_w²·h·h'/fan_in + σ_b²: the mean over its weights and biases."""
        weight, bias = self.weight_scale * self.weight_draw, self.bias_scale * self.bias_draw
        result: Array = weight**2 * (left.h @ right.h.T)
        return result + bias**2 if self.biased else result


@dataclass(frozen=True)
class Pointwise(Layer):
    """A function of every neuron."""

    name: str
    n_out: int
    activation: Activation | Numerical

    def run(self, batch: Batch) -> Step:
        """Return the layer's step at a batch."""
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
    """Each row less its mean, over its standard deviation √(variance + eps)."""

    n_out: int
    eps: float

    def run(self, batch: Batch) -> Step:
        """Return the layer's step at a batch."""
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
    """Each neuron over `keep` with that probability, or else zero, by a hash of the point."""

    n_out: int
    keep: float
    start: int  # where its random number is

    def draw(self, rng: np.random.Generator, numbers: Array) -> None:
        """Write the number that makes its choices differ from those of other layers."""
        numbers[self.start] = rng.random()

    def run(self, batch: Batch) -> Step:
        """Return the layer's step at a batch."""
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

    SplitMix64 (Steele, Lea, Flood 2014, "Fast splittable pseudorandom number generators"), started
    anew for each row.
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
