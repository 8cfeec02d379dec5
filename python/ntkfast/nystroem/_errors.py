"""How sure Nyström regression is: variances, and predictions of points that were left out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ntkfast._arrays import sizes_of
from ntkfast._display import Displayed, Fact
from ntkfast._gram import row_blocks
from ntkfast._progress import Progress
from ntkfast.nystroem._bands import Doubles
from ntkfast.nystroem._features import Features
from ntkfast.nystroem._matrix import NormalPreconditioner
from ntkfast.nystroem._predict import operators
from ntkfast.nystroem._problem import Problem

__all__ = ["LeftOut", "Variance", "left_out", "remainder"]


@dataclass(frozen=True, eq=False, repr=False)
class LeftOut(Displayed):
    """Points that were predicted from all others.

    Attributes
    ----------
    rows
        Shape (k,): their numbers among the training points.
    targets, predictions
        Shape (k,) + y.shape[1:].
    """

    rows: npt.NDArray[np.intp]
    targets: Doubles
    predictions: Doubles

    @property
    def rmse(self) -> float:
        """Root mean square of targets − predictions, over all outputs."""
        rest = self.targets - self.predictions
        unit = sizes_of(rest)
        return float(unit * np.sqrt(np.mean((rest / unit) ** 2)))

    def _facts(self) -> Iterator[Fact]:
        yield "points=", len(self.rows)
        yield "rmse=", f"{self.rmse:.4g}"


@dataclass(frozen=True, eq=False)
class Variance:
    """Posterior variances by the factors of two m × m matrices.

    Attributes
    ----------
    features
        Those of the centres.
    factor
        Of H + r.
    ridge
        r.
    """

    features: Features
    factor: NormalPreconditioner
    ridge: float

    def __call__(self, x: npt.ArrayLike, progress: Progress = None) -> Doubles:
        """Return k(x, x) − |φ|² + r·φᵀ·(H + r)⁻¹·φ for the features φ of each point."""
        own = self.features
        parts = []
        for op in operators(own.network, own.kernel, own.centres, x, progress):
            prior = getattr(own.network, own.kernel)(op.x, diagonal=True).astype(np.float64)
            for some in row_blocks(len(op), own.m):
                index = np.arange(*some.indices(len(op)))
                phi = own.of(op.rows(index))
                open_ = np.maximum(prior[some] - np.einsum("ij,ij->j", phi, phi), 0.0)
                solved = self.factor.factor.solve_lower(phi)
                parts.append(open_ + self.ridge * np.einsum("ij,ij->j", solved, solved))
        return np.concatenate(parts)


def left_out(
    problem: Problem,
    factor: NormalPreconditioner,
    ridge: float,
    columns: Doubles,
    count: int,
    seed: int,
) -> LeftOut:
    """Return e/(1 − h) for residuals e and leverages h of points that are drawn."""
    sample = problem.drawn(count, seed)
    x, targets, weights = sample.x, sample.y, sample.weights
    predictions = np.empty_like(targets)
    for some in row_blocks(len(x), problem.features.m):
        kernel = problem.kernel(x[some])
        phi = problem.features.of(kernel)
        solved = factor.factor.solve_lower(phi)
        leverage = weights[some] * np.einsum("ij,ij->j", solved, solved)
        rest = remainder(leverage, weights[some] * np.einsum("ij,ij->j", phi, phi), ridge)
        residual = targets[some] - kernel.astype(np.float64) @ columns
        predictions[some] = targets[some] - residual / rest[:, None]
    shape = (len(x), *problem.points.outputs)
    return LeftOut(sample.rows, targets.reshape(shape), predictions.reshape(shape))


def remainder(leverage: Doubles, sizes: Doubles, ridge: float) -> Doubles:
    """Return 1 − h for the leverages h of features of squares w·|φ|².

    It is at least r/(r + w·|φ|²), as if the point were alone; rounding of h can exceed that.
    """
    rest: Doubles = np.maximum(1 - leverage, ridge / (ridge + sizes))
    return rest
