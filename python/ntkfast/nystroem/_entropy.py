"""Cross-entropy of outputs on centres with a penalty: its value, gradient and curvature."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ntkfast._arrays import FloatArray
from ntkfast.nystroem._bands import Band, Doubles, as_doubles
from ntkfast.nystroem._passes import AnyPasses, Totals, add_gathered, outputs, total_of
from ntkfast.operators._columns import columns_of

__all__ = ["CrossEntropy", "Curvature", "Place", "softmax"]


@dataclass(frozen=True, eq=False)
class Place:
    """Vectors V, shape (m, k), with the loss and its gradient there."""

    vectors: Doubles
    loss: float
    gradient: Doubles


class CrossEntropy:
    """Σ w·(log Σ exp f − f_y) + ½·r·‖V‖² of vectors V, shape (m, k); k = 1 for two classes."""

    def __init__(self, passes: AnyPasses, ridge: float, classes: int) -> None:
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
        totals = self.passes.total(_Loss(columns, self.classes))
        loss = self.ridge / 2 * float((vectors**2).sum()) + float(totals["loss"][0])
        factor = self.passes.features.factor
        parts = [totals[i] for i in range(len(columns))]
        gathered = as_doubles(factor.solve_lower(np.concatenate(parts, axis=1)))
        return Place(vectors, loss, gathered @ self.spread.T + self.ridge * vectors)

    def curvature(self, place: Place) -> Curvature:
        """Return weights w·d: d is the mean curvature of the loss in its vectors."""
        return Curvature(columns_of(self.coefficients(place)), 1 / max(2, self.classes - 1))


@dataclass(frozen=True, eq=False)
class _Loss:
    """The loss, and its gradient by the coefficients, some of the classes at a time."""

    large: ClassVar[bool] = False
    columns: list[Doubles]
    classes: int

    def add(self, band: Band, block: FloatArray, totals: Totals) -> None:
        below, powers = _powers(_outputs(block, self.columns))
        total = powers.sum(axis=1)
        losses = np.log(total / self.classes) - np.einsum("ij,ij->i", below, band.y)
        rest = powers / total[:, None] - band.y
        if band.weights is not None:
            losses, rest = losses * band.weights, rest * band.weights[:, None]
        total_of(totals, "loss", (1,))[:] += losses.sum()
        for i, part in enumerate(columns_of(rest)):
            add_gathered(block, part, total_of(totals, i, (block.shape[1], part.shape[1])))


@dataclass(frozen=True, eq=False)
class Curvature:
    """Weights times a share of Σ p·(1 − p) for the probabilities p of the classes."""

    columns: list[Doubles]
    share: float

    def __call__(self, band: Band, block: FloatArray) -> Doubles:
        """Return the weights of a band."""
        probabilities = softmax(_outputs(block, self.columns))
        weights: Doubles = self.share * np.einsum("ij,ij->i", probabilities, 1 - probabilities)
        return weights if band.weights is None else weights * band.weights


def softmax(found: Doubles) -> Doubles:
    """Return the probabilities of outputs of shape (k, c)."""
    powers = _powers(found)[1]
    probabilities: Doubles = powers / powers.sum(axis=1, keepdims=True)
    return probabilities


def _powers(found: Doubles) -> tuple[Doubles, Doubles]:
    """Return f − max f and its exponential."""
    below: Doubles = found - found.max(axis=1, keepdims=True)
    return below, np.exp(below)


def _outputs(block: FloatArray, columns: list[Doubles]) -> Doubles:
    return np.concatenate([outputs(block, part) for part in columns], axis=1)
