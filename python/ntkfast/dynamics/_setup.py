"""Checked inputs of closed-form training: targets, a decomposed kernel, a learning rate."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from ntkfast._arrays import FloatArray
from ntkfast._gram import with_relative
from ntkfast._progress import Progress, one_step
from ntkfast._scalars import as_tolerance
from ntkfast.dynamics._arguments import as_settings, as_targets, check_order, check_ridge
from ntkfast.dynamics._products import Products
from ntkfast.dynamics.rules import Rate, Rule
from ntkfast.linalg import as_square
from ntkfast.operators import Operator
from ntkfast.solvers import EigenSolver
from ntkfast.solvers._symmetry import as_symmetric
from ntkfast.spectrum import Spectrum

__all__ = ["mean_over", "set_up"]


def set_up(
    theta: npt.ArrayLike | Spectrum | Operator,
    y: npt.ArrayLike,
    rule: Rule,
    *,
    learning_rate: object,
    reduction: object,
    diag_reg: object,
    relative_diag_reg: object,
    tol: object,
    progress: Progress,
) -> dict[str, Any]:
    """Return the fields of a `SpectralTraining`. Costs the eigendecomposition of Θ, about 9·n³.

    An operator costs nothing yet.
    """
    settings = as_settings(learning_rate, reduction, diag_reg, relative_diag_reg)
    tolerance = as_tolerance(tol)
    check_order(theta, y, "theta")
    if isinstance(theta, Operator):
        return {
            "rule": rule,
            **settings,
            **_products(theta, y, rule, settings, tolerance, progress),
        }
    # The targets are checked first: the eigendecomposition may take minutes.
    if not isinstance(theta, Spectrum):
        theta = as_square(theta, "theta")
    targets = as_targets(y, theta.n if isinstance(theta, Spectrum) else len(theta))
    solver = EigenSolver()
    with one_step(progress, "eigh"):
        prepared = solver.prepare(theta)
    values = prepared.spectrum.eigenvalues
    mean = math.fsum(values / values.dtype.type(values.size)) if values.size else 0.0
    absolute, relative = settings["diag_reg"], settings["relative_diag_reg"]
    ridge = absolute + relative * mean
    check_ridge(ridge, absolute, relative, prepared.spectrum)
    largest = float(prepared.eigenvalues.max(initial=0.0)) + ridge
    rule.check(_rate(targets, settings), largest)
    shifted = prepared.with_ridge(ridge)
    return {"rule": rule, "solver": solver, "prepared": shifted, "y": targets, **settings}


def mean_over(y: FloatArray, reduction: str) -> int:
    """Return the divisor of a sum of squares: the number of targets, or 1."""
    return max(y.size, 1) if reduction == "mean" else 1


def _products(
    op: Operator,
    y: npt.ArrayLike,
    rule: Rule,
    settings: dict[str, Any],
    tol: float,
    progress: Progress,
) -> dict[str, Any]:
    """Return the fields that differ for an operator."""
    as_symmetric(op, "theta")
    targets = as_targets(y, len(op))
    absolute, relative = settings["diag_reg"], settings["relative_diag_reg"]
    ridge = with_relative(np.asarray(absolute), relative, op, "theta")
    products = Products(op, ridge, rule, _rate(targets, settings), tol, progress)
    return {"solver": products.solver, "prepared": products, "y": targets}


def _rate(y: FloatArray, settings: dict[str, Any]) -> Rate:
    reduction = settings["reduction"]
    return Rate(settings["learning_rate"], reduction, mean_over(y, reduction))
