"""Bounds of kᵀ·(A + r)⁻¹·k, which variances are made of, from approximate solutions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ntkfast.solvers._iteration import Doubles, norms
from ntkfast.solvers._refinement import Refinement, Task

__all__ = ["Bounds", "quadratic_bounds"]

# Relative error of the entries of a kernel in float64, and of sums of its products.
_ENTRY = 1e-13
# Accuracy of variances, down to a share of what they are the rest of.
_ACCURACY, _SHARE = 0.01, 1e-9
# Residuals of the first attempt, and of the second one without a ridge, which bounds nothing.
_FIRST, _UNBOUNDED = 1e-4, 1e-8
_ATTEMPTS = 4


@dataclass(frozen=True, eq=False)
class Bounds:
    """Numbers between two arrays of shape (m,); `upper` is infinite where nothing is known."""

    lower: Doubles
    upper: Doubles


def quadratic_bounds(task: Task, k: Doubles, least: Doubles, entry: float) -> Bounds:
    """Bound kᵢᵀ·A⁻¹·kᵢ for the columns of k, shape (n, m), with A = op + ridge.

    For any x, with the residual q = k − A·x, it is k·x + q·x + qᵀ·A⁻¹·q. The last term is at least
    0, and at most ‖q‖²/ridge. Rounding is added to both sides: of A, and of k and
    `least`, whose entries have the relative error `entry`.
    """
    run = Refinement(task, k, _FIRST * norms(k))
    # Entries are at most the roots of products of the diagonal: the trace bounds their errors.
    rounding = _ENTRY * float(task.op.diagonal().sum() + np.max(task.ridge))
    ridge = float(np.min(task.ridge)) - rounding
    entry = max(entry, _ENTRY)
    run.run(None)
    bounds = _bounds(run, ridge, rounding, entry, least)
    for _ in range(_ATTEMPTS - 1):
        if ridge > 0:
            known = np.maximum(least - bounds.lower, _SHARE * least)
            run.wanted = np.sqrt(0.5 * _ACCURACY * ridge * known)
        else:
            run.wanted = _UNBOUNDED * run.sizes
        if run.excess <= 1 or run.products >= task.most_products:
            break
        run.run(None)
        bounds = _bounds(run, ridge, rounding, entry, least)
    return bounds


def _bounds(run: Refinement, ridge: float, rounding: float, entry: float, least: Doubles) -> Bounds:
    """Bound the results from the present solution and its residual."""
    length = norms(run.x)
    found = np.einsum("ij,ij->j", run.b + run.r, run.x)
    margin = rounding * length**2 + 2 * entry * run.sizes * length + entry * least
    lower = np.maximum(found - margin, 0.0)
    if ridge <= 0:
        return Bounds(lower, np.full_like(lower, np.inf))
    residual = norms(run.r) + rounding * length + entry * run.sizes
    return Bounds(lower, found + margin + residual**2 / ridge)
