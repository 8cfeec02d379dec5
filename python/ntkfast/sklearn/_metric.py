"""Scales of features from the gradients of what was learnt: recursive feature machines.

Radhakrishnan, Beaglehole, Pandit, Belkin (2024), "Mechanism for feature learning in neural networks
and backpropagation-free machine learning models", Science 383.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ntkfast._arrays import FloatArray
from ntkfast._ntkfast import NumericalError
from ntkfast._progress import Progress
from ntkfast.dynamics import KernelRegression
from ntkfast.dynamics._solvers import SolverChoice
from ntkfast.linalg import matmul
from ntkfast.networks import Network
from ntkfast.operators import KernelOperator
from ntkfast.sklearn._weights import (
    mean_diagonal,
    per_weight,
    roots,
    scaled,
)
from ntkfast.sklearn.selection import leave_one_out
from ntkfast.solvers import EigenSolver
from ntkfast.spectrum import eigh

__all__ = ["Machine", "Round", "root_of"]

# Candidates for relative_diag_reg="auto".
_RIDGES = np.logspace(-6, 1, 15)


@dataclass(frozen=True, eq=False)
class Round:
    """What is learnt with a metric: its leave-one-out error, ridge and coefficients."""

    metric: FloatArray
    error: float
    relative_diag_reg: float
    coefficients: FloatArray


@dataclass(frozen=True, eq=False)
class Machine:
    """Rounds of regression, each with the metric of the one before.

    Attributes
    ----------
    network, progress
        As for the estimators.
    features
        Shape (n, p): features in the units that the metric begins with.
    blocks
        The features that have one scale together.
    targets, weights
        Shapes (n,) or (n, c), and (n,) or None.
    relative_diag_reg
        None to choose it in each round by leave-one-out.
    solver, tol, memory
        For a given ridge.
    """

    network: Network
    features: FloatArray
    blocks: list[slice]
    targets: FloatArray
    weights: FloatArray | None
    relative_diag_reg: float | None
    solver: SolverChoice
    tol: float | None
    memory: float | None
    progress: Progress

    def rounds(self, count: int, kinds: list[bool]) -> list[Round]:
        """Return the first round and up to `count` more, of the kind with the least error.

        A kind is whether the metric is diagonal.
        """
        first = self._learnt(np.ones(self.features.shape[1]))
        paths = [[first, *self._further(first, count, diagonal)] for diagonal in kinds]
        return min(paths, key=lambda path: min(each.error for each in path))

    def _further(self, last: Round, count: int, diagonal: bool) -> Iterator[Round]:
        for _ in range(count):
            metric = self._metric_after(last, diagonal)
            if metric is None:  # a constant function has no gradients
                return
            last = self._learnt(metric)
            yield last

    def _learnt(self, metric: FloatArray) -> Round:
        points = project(self.features, root_of(metric))
        if self.relative_diag_reg is None:
            return self._with_best_ridge(metric, points)
        theta = KernelOperator(self.network, points, memory=self.memory, progress=self.progress)
        ridge = self.relative_diag_reg * mean_diagonal(theta, self.weights)
        regression = KernelRegression(
            theta,
            self.targets,
            diag_reg=per_weight(ridge, self.weights),
            solver=self.solver,
            tol=self.tol,
            progress=self.progress,
        )
        error = self._error(self.targets - regression.leave_one_out())
        theta.release()
        return Round(metric, error, self.relative_diag_reg, regression.coefficients)

    def _with_best_ridge(self, metric: FloatArray, points: FloatArray) -> Round:
        theta, shares = self.network.ntk(points, progress=self.progress), self.targets
        size = mean_diagonal(theta, self.weights)
        if self.weights is not None:
            theta, shares = scaled(theta, self.targets, self.weights)
        root = roots(self.weights, self.targets)
        spectrum = eigh(theta, progress=self.progress)
        del theta
        best: tuple[float, float] | None = None
        for ridge in _RIDGES:
            left = leave_one_out(EigenSolver().prepare(spectrum, ridge * size), shares)
            if left is not None:
                found = self._error(left / root), float(ridge)
                best = found if best is None or found < best else best
        if best is None:
            raise NumericalError(
                "the NTK is singular to working precision with every regularisation, so "
                "leave-one-out predictions are undefined; scale the features, or pass "
                "relative_diag_reg"
            )
        prepared = EigenSolver().prepare(spectrum, best[1] * size)
        return Round(metric, *best, prepared.solve(shares) * root)

    def _error(self, left: FloatArray) -> float:
        """Return the mean square of leave-one-out residuals, over samples and outputs."""
        squares = np.square(left, dtype=np.float64)
        return float(np.mean(np.average(squares, axis=0, weights=self.weights)))

    def _metric_after(self, last: Round, diagonal: bool) -> FloatArray | None:
        """Return the mean outer product of gradients, relative to its maximum."""
        root = root_of(last.metric)
        points = project(self.features, root)
        width = self.features.shape[1]
        total: FloatArray = np.zeros(width if diagonal else (width, width))
        for output in independent(last.coefficients):
            gradient = project(gradients(self.network, points, output), root.T)
            weighted = gradient * roots(self.weights, gradient)
            total += np.square(weighted).sum(axis=0) if diagonal else matmul(weighted.T, weighted)
        metric = _one_scale(total, self.blocks)
        largest = metric.max(initial=0.0)
        return metric / largest if np.isfinite(largest) and largest > 0 else None


def gradients(network: Network, points: FloatArray, coefficients: FloatArray) -> FloatArray:
    """Return the gradient of f(x) = Θ(x, X)·α at each of the points X, in float64.

    A kink at a point itself counts as the mean of both sides. Costs about five kernels.
    """
    doubles = points.astype(np.float64, copy=False)
    factors = np.ones((len(points), 1)), coefficients.astype(np.float64)[:, None]
    return network.ntk_vjp(doubles, doubles, factors)[0]


def independent(coefficients: FloatArray) -> Iterator[FloatArray]:
    """Yield combinations of outputs whose gradients have the same sum of outer products.

    There are as many as outputs are independent: one fewer than classes.
    """
    columns = coefficients.reshape(len(coefficients), -1).astype(np.float64)
    shares, turned = np.linalg.eigh(columns.T @ columns)
    kept = shares > shares.max(initial=0.0) * len(columns) * np.finfo(np.float64).eps
    yield from (columns @ turned[:, kept]).T


def root_of(metric: FloatArray) -> FloatArray:
    """Return M^{1/2}·√(p/tr M), shape (p,) for a diagonal M and (p, p) otherwise."""
    if metric.ndim == 1:
        scales: FloatArray = np.sqrt(metric * (metric.size / metric.sum()))
        return scales
    values, vectors = np.linalg.eigh(metric * (len(metric) / metric.trace()))
    found: FloatArray = (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T
    return found


def project(points: FloatArray, root: FloatArray) -> FloatArray:
    """Return points times a matrix, or a diagonal one, in their type."""
    found = points * root if root.ndim == 1 else matmul(points, root.astype(points.dtype))
    return found.astype(points.dtype, copy=False)


def _one_scale(metric: FloatArray, blocks: list[slice]) -> FloatArray:
    """Return the metric with one scale for each block, which mixes with no other feature."""
    for block in blocks:
        if metric.ndim == 1:
            metric[block] = metric[block].mean()
        else:
            scale = metric[block, block].diagonal().mean()
            metric[block], metric[:, block] = 0.0, 0.0
            metric[block, block] = scale * np.eye(block.stop - block.start)
    return metric
