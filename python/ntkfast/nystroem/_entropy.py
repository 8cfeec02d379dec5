"""Cross-entropy of outputs on centres with a penalty: its value, gradient and curvature."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from ntkfast._arrays import FloatArray
from ntkfast._memory import zeros
from ntkfast.nystroem._points import Band, Doubles, as_doubles
from ntkfast.nystroem._system import Passes, add_gathered, outputs
from ntkfast.operators._columns import columns_of

__all__ = ["CrossEntropy", "Place", "softmax"]


@dataclass(frozen=True, eq=False)
class Place:
    """Vectors V, shape (m, k), with the loss and its gradient there."""

    vectors: Doubles
    loss: float
    gradient: Doubles


class CrossEntropy:
    """Σ w·(log Σ exp f − f_y) + ½·r·‖V‖² of vectors V, shape (m, k); k = 1 for two classes."""

    def __init__(self, passes: Passes, ridge: float, classes: int) -> None:
        self.passes, self.ridge, self.classes = passes, ridge, classes
        # Outputs of the classes are those of the vectors times this.
        self.spread = np.array([[-0.5, 0.5]]) if classes == 2 else np.eye(classes)
        self.flat = 0.25 if classes == 2 else 1 / classes
        """The curvature where all classes are equally probable."""

    def start(self, right: Doubles) -> Place:
        """Return vectors of 0, where no pass is needed; `right` is L⁻¹·CᵀW·y."""
        gradient = (right.sum(axis=1, keepdims=True) / self.classes - right) @ self.spread.T
        # Losses count relative to this place.
        return Place(np.zeros_like(gradient), 0.0, gradient)

    def coefficients(self, place: Place) -> Doubles:
        """Return β of all classes, shape (m, c)."""
        factor = self.passes.features.factor
        return np.ascontiguousarray(factor.solve_upper(place.vectors @ self.spread), np.float64)

    def __call__(self, vectors: Doubles) -> Place:
        """Return the loss and its gradient by a pass over all points."""
        place = Place(vectors, 0.0, vectors)
        columns = columns_of(self.coefficients(place))
        sums = [zeros(part.shape, np.float64, "the gradient") for part in columns]
        loss = self.ridge / 2 * float((vectors**2).sum())
        for band, block in self.passes.with_points():
            below, powers = _powers(_outputs(block, columns))
            total = powers.sum(axis=1)
            losses = np.log(total / self.classes) - np.einsum("ij,ij->i", below, band.y)
            rest = powers / total[:, None] - band.y
            if band.weights is not None:
                losses, rest = losses * band.weights, rest * band.weights[:, None]
            loss += float(losses.sum())
            for part, out in zip(columns_of(rest), sums, strict=True):
                add_gathered(block, part, out)
        factor = self.passes.features.factor
        gathered = as_doubles(factor.solve_lower(np.concatenate(sums, axis=1)))
        return Place(vectors, loss, gathered @ self.spread.T + self.ridge * vectors)

    def curvature(self, place: Place) -> Passes:
        """Return passes with weights w·d: d is the mean curvature of the loss in its vectors."""
        return _Curvature(self, place)


class _Curvature(Passes):
    def __init__(self, loss: CrossEntropy, place: Place) -> None:
        vars(self).update(vars(loss.passes))  # the same points and kept bands
        self._columns = columns_of(loss.coefficients(place))
        self._share = 1 / max(2, loss.classes - 1)

    def with_points(self) -> Iterator[tuple[Band, FloatArray]]:
        for band, block in super().with_points():
            probabilities = softmax(_outputs(block, self._columns))
            weights = self._share * np.einsum("ij,ij->i", probabilities, 1 - probabilities)
            if band.weights is not None:
                weights *= band.weights
            yield replace(band, weights=weights), block


def softmax(found: Doubles) -> Doubles:
    """Return the probabilities of outputs of shape (k, c)."""
    powers = _powers(found)[1]
    probabilities: Doubles = powers / powers.sum(axis=1, keepdims=True)
    return probabilities


def _powers(found: Doubles) -> tuple[Doubles, Doubles]:
    """Return f − max f and its exponential."""
    below: Doubles = found - found.max(axis=1, keepdims=True)
    return below, np.exp(below)


def _outputs(block: FloatArray, columns: list[npt.NDArray[np.float64]]) -> Doubles:
    return np.concatenate([outputs(block, part) for part in columns], axis=1)
