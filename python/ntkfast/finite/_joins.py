"""Layers of finite width in series, or as joined parallel branches."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce

import numpy as np

from ntkfast.finite._layers import Batch, Collect, Layer, Step
from ntkfast.networks.activations import Array

__all__ = ["Chain", "Concatenated", "Difference", "Multiplied", "Summed"]


@dataclass(frozen=True)
class Chain(Layer):
    """Layers in series; without any layers, the identity."""

    n_out: int
    layers: tuple[Layer, ...] = ()

    def run(self, batch: Batch) -> Step:
        """Return the combined step of all layers."""
        steps: list[Step] = []
        h = batch.h
        for layer in self.layers:
            steps.append(layer.run(batch.behind(h)))
            h = steps[-1].h

        def pull(g: Array, collect: Collect) -> Array:
            for step in reversed(steps):
                g = step.pull(g, collect)
            return g

        def push(dh: Array, direction: Array) -> Array:
            for step in steps:
                dh = step.push(dh, direction)
            return dh

        return Step(h, pull, push)

    @property
    def closed(self) -> bool:
        """Whether the last layer is closed."""
        return bool(self.layers) and self.layers[-1].closed

    def covariance(self, left: Batch, right: Batch) -> Array:
        """Return the covariance of the last layer, after the others."""
        if not self.layers:
            return super().covariance(left, right)
        before = Chain(0, self.layers[:-1])
        a = left.behind(before.run(left).h)
        b = a if right is left else right.behind(before.run(right).h)
        return self.layers[-1].covariance(a, b)


@dataclass(frozen=True)
class _Join(Layer):
    """Parallel branches with the same input."""

    n_out: int
    branches: tuple[Layer, ...]

    @abstractmethod
    def _joined(self, parts: Sequence[Array]) -> Array:
        """Combine the outputs of the branches, or their covariances."""

    @abstractmethod
    def _shares(self, d: Array, parts: Sequence[Array]) -> list[Array]:
        """Return the gradient for each branch, from the gradient with respect to the result."""

    @abstractmethod
    def _tangent(self, tangents: Sequence[Array], parts: Sequence[Array]) -> Array:
        """Return the tangent of the result."""

    def run(self, batch: Batch) -> Step:
        """Return the joined step of all branches."""
        steps = [branch.run(batch) for branch in self.branches]
        parts = [step.h for step in steps]

        def pull(g: Array, collect: Collect) -> Array:
            shares = self._shares(g, parts)
            back = [step.pull(share, collect) for step, share in zip(steps, shares, strict=True)]
            return reduce(np.add, back)

        def push(dh: Array, direction: Array) -> Array:
            return self._tangent([step.push(dh, direction) for step in steps], parts)

        return Step(self._joined(parts), pull, push)

    @property
    def closed(self) -> bool:
        """Whether all branches are closed."""
        return all(branch.closed for branch in self.branches)

    def covariance(self, left: Batch, right: Batch) -> Array:
        """Return the sum or product of the covariances of independent branches.

        Closed branches are independent given the previous layers. The others are joined first.
        """
        parts = [branch.covariance(left, right) for branch in self.branches if branch.closed]
        others = [branch for branch in self.branches if not branch.closed]
        if others:
            a = self._joined([branch.run(left).h for branch in others])
            b = a if right is left else self._joined([branch.run(right).h for branch in others])
            parts.append(a @ b.T / self.n_out)
        return self._joined(parts)


@dataclass(frozen=True)
class Summed(_Join):
    """The sum of branches."""

    def _joined(self, parts: Sequence[Array]) -> Array:
        return reduce(np.add, parts)

    def _shares(self, d: Array, parts: Sequence[Array]) -> list[Array]:
        return [d] * len(parts)

    def _tangent(self, tangents: Sequence[Array], parts: Sequence[Array]) -> Array:
        return reduce(np.add, tangents)


@dataclass(frozen=True)
class Multiplied(_Join):
    """The elementwise product of branches."""

    def _joined(self, parts: Sequence[Array]) -> Array:
        return reduce(np.multiply, parts)

    def _others(self, parts: Sequence[Array]) -> list[Array]:
        """Return for each branch the product of all the others."""
        one = np.ones_like(parts[0])
        return [reduce(np.multiply, [*parts[:i], *parts[i + 1 :]], one) for i in range(len(parts))]

    def _shares(self, d: Array, parts: Sequence[Array]) -> list[Array]:
        return [d * other[:, None] for other in self._others(parts)]

    def _tangent(self, tangents: Sequence[Array], parts: Sequence[Array]) -> Array:
        pairs = zip(tangents, self._others(parts), strict=True)
        return reduce(np.add, [tangent * other for tangent, other in pairs])


@dataclass(frozen=True)
class Concatenated(_Join):
    """The concatenation of branches in one layer."""

    def _joined(self, parts: Sequence[Array]) -> Array:
        return np.concatenate(parts, axis=-1)

    def _shares(self, d: Array, parts: Sequence[Array]) -> list[Array]:
        ends = np.cumsum([part.shape[-1] for part in parts])[:-1]
        return np.split(d, ends, axis=-1)

    def _tangent(self, tangents: Sequence[Array], parts: Sequence[Array]) -> Array:
        return np.concatenate(tangents, axis=-1)

    def covariance(self, left: Batch, right: Batch) -> Array:
        """Return the mean of the covariances of the branches, weighted by their widths."""
        parts = [
            branch.n_out / self.n_out * branch.covariance(left, right) for branch in self.branches
        ]
        return reduce(np.add, parts)


@dataclass(frozen=True)
class Difference(_Join):
    """(f_A − f_B)/√2 for two copies, which is zero if they have the same parameters."""

    def _joined(self, parts: Sequence[Array]) -> Array:
        first, second = parts
        return math.sqrt(0.5) * (first - second)

    def _shares(self, d: Array, parts: Sequence[Array]) -> list[Array]:
        return [math.sqrt(0.5) * d, -math.sqrt(0.5) * d]

    def _tangent(self, tangents: Sequence[Array], parts: Sequence[Array]) -> Array:
        return self._joined(tangents)

    def covariance(self, left: Batch, right: Batch) -> Array:
        """Return the mean of the covariances of the copies, as if they were independent."""
        first, second = (branch.covariance(left, right) for branch in self.branches)
        return 0.5 * (first + second)
