"""Logistic regression on centres: by L-BFGS, with one pass over all points for each gradient.

With features φ of a point, outputs f = Vᵀφ of c classes minimise Σ w·(log Σ exp f − f_y) plus
½·r·‖V‖² = ½·r·Σ βᵀ(K(Z, Z) + j)·β. Two classes have one vector v, penalty ½·r·|v|² and the outputs
∓½·vᵀφ, so that vᵀφ is the logit.

The coordinates are Rᵀ·V for the factor R·Rᵀ = H + r, where H = Σ w·d·φφᵀ has the mean curvature d
of the loss at each point: a step along the gradient is Newton's for two classes, and where all
classes are equally probable. H is gathered again after some passes, and at the end. The norm of the
gradient in these coordinates, ‖R⁻¹·g‖, is Newton's decrement: half of its square is about what is
left to gain. A factor for each class, tried on digits and on three classes, took no fewer passes.
"""

from __future__ import annotations

import math
import time
from contextlib import suppress
from dataclasses import dataclass, replace

import numpy as np

from ntkfast._progress import Progress, Report, reporting
from ntkfast._warnings import warn
from ntkfast.linalg import Cholesky
from ntkfast.nystroem._bands import Doubles, as_doubles
from ntkfast.nystroem._entropy import CrossEntropy, Place
from ntkfast.nystroem._matrix import NormalPreconditioner, Sums, gather
from ntkfast.nystroem._problem import Problem
from ntkfast.solvers import SolveReport

__all__ = ["logistic"]

# Passes after which the search ends with a warning, passes with the same coordinates, and gradients
# that the search remembers.
_MOST, _ROUND, _REMEMBERED = 500, 30, 30
# The first gradient relative to its terms, below which it is rounding.
_ROUNDING = 1e-12


def logistic(
    problem: Problem, ridge: float, tol: float, progress: Progress
) -> tuple[Doubles, SolveReport]:
    """Return the coefficients β, shape (m, c), and a report of the passes.

    Parameters
    ----------
    problem
        With this regularisation; its targets are rows of one 1 and zeros.
    ridge
        r > 0.
    tol
        Newton's decrement relative to the first one, at which the search ends.
    progress
        As for `NystroemRegression`, in tenths of a digit.

    Warns
    -----
    RuntimeWarning
        The decrement is larger after 500 passes, or where rounding ends the search.
    """
    begun = time.perf_counter()
    sums = problem.gather(problem.rows)
    loss = CrossEntropy(problem.passes, ridge, sums.right.shape[1])
    place = loss.start(sums.right)
    factor = _factor(sums, loss.flat, ridge)
    first = _first(factor, place, sums)
    seconds = {"preconditioner": time.perf_counter() - begun, "passes": 0.0}
    passes, left = 1, float(np.linalg.norm(factor.solve_lower(place.gradient))) / first
    with reporting(progress, "Nyström: logistic", "digit") as report:
        told = _Digits(report, tol)
        while left > tol and passes < _MOST:
            begun = time.perf_counter()
            search = Search(loss, factor, place, first, tol, told)
            _run(search, min(_ROUND, _MOST - passes))
            seconds["passes"] += time.perf_counter() - begun
            passes += search.count + 1
            if search.best is place:  # rounding hides what is left
                break
            begun, place = time.perf_counter(), search.best
            weigh = loss.curvature(place)
            sums = gather(problem.passes, problem.known.n, problem.rows, passes, None, weigh)
            factor = _factor(sums, 1.0, ridge)
            left = float(np.linalg.norm(factor.solve_lower(place.gradient))) / first
            seconds["preconditioner"] += time.perf_counter() - begun
        told(left)
    if left > tol:
        warn(
            f"logistic regression ended after {passes} passes with Newton's decrement at "
            f"{left:.2g} of the first one, and tol asks for {tol:g}; increase diag_reg or tol"
        )
    kept = problem.passes.kept + factor.factor.nbytes
    problem.passes.release()
    return loss.coefficients(place), SolveReport(
        residuals=np.array([left]),
        products=passes,
        rank=sums.rows or len(sums.matrix),
        memory=kept,
        smallest=math.nan,
        largest=math.nan,
        seconds=seconds,
    )


class Reached(Exception):
    """Ends a search: the gradient is as small as was asked."""


class _Digits:
    """Reports the digits of the smallest decrement so far, in tenths."""

    def __init__(self, report: Report | None, tol: float) -> None:
        self.report, self.tol, self.least = report, tol, 1.0

    def __call__(self, left: float) -> None:
        self.least = max(min(self.least, left), self.tol)
        if self.report is not None:
            total = max(1, round(-10 * math.log10(self.tol)))
            self.report(min(round(-10 * math.log10(self.least)), total), total)


@dataclass(eq=False)
class Search:
    """The loss as a function of coordinates around a place, in units of the gradient there."""

    loss: CrossEntropy
    factor: Cholesky
    origin: Place
    first: float
    tol: float
    told: _Digits

    def __post_init__(self) -> None:
        self.best, self.count = self.origin, 0
        self.unit = float(np.linalg.norm(self.factor.solve_lower(self.origin.gradient)))
        self._smallest = self.unit

    def __call__(self, coordinates: Doubles) -> tuple[float, Doubles]:
        """Return the loss and its gradient, by a pass; raise `Reached` at the end."""
        place = self.origin
        if coordinates.any():
            step = self.factor.solve_upper(self.unit * coordinates.reshape(place.vectors.shape))
            place = self.loss(as_doubles(place.vectors + step))
            self.count += 1
        slope = as_doubles(self.factor.solve_lower(place.gradient))
        size = float(np.linalg.norm(slope))
        if size < self._smallest:
            self.best, self._smallest = place, size
        self.told(2 * size / self.first)
        if 2 * size <= self.tol * self.first:  # so that new coordinates see less than `tol`
            raise Reached
        return (place.loss - self.origin.loss) / self.unit**2, slope.ravel() / self.unit


def _factor(sums: Sums, share: float, ridge: float) -> Cholesky:
    return NormalPreconditioner.of(replace(sums, matrix=share * sums.matrix), ridge).factor


def _first(factor: Cholesky, place: Place, sums: Sums) -> float:
    """Return the first decrement, or the size of its terms if it is rounding of those."""
    found = float(np.linalg.norm(factor.solve_lower(place.gradient)))
    whole = float(np.linalg.norm(factor.solve_lower(sums.right)))
    return (found if found > _ROUNDING * whole else whole) or 1.0


def _run(search: Search, passes: int) -> None:
    from scipy.optimize import minimize  # which the estimators, the only callers, need anyway

    options = {"maxcor": _REMEMBERED, "maxiter": passes, "maxfun": passes, "ftol": 0, "gtol": 0}
    start = np.zeros(search.origin.vectors.size)
    with suppress(Reached):
        minimize(search, start, jac=True, method="L-BFGS-B", options=options)
