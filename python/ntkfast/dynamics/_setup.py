"""Checked inputs of closed-form training: targets, a decomposed kernel, a learning rate."""

from __future__ import annotations

import math
from typing import Any

import numpy.typing as npt

from ntkfast._arrays import FloatArray
from ntkfast._progress import Progress, one_step
from ntkfast.dynamics._arguments import as_settings, as_targets, check_order, check_ridge
from ntkfast.dynamics.rules import Rule
from ntkfast.linalg import as_square
from ntkfast.solvers import EigenSolver, PreparedEigen
from ntkfast.spectrum import Spectrum

__all__ = ["mean_over", "set_up"]


def set_up(
    theta: npt.ArrayLike | Spectrum,
    y: npt.ArrayLike,
    rule: Rule,
    *,
    learning_rate: object,
    reduction: object,
    diag_reg: object,
    relative_diag_reg: object,
    progress: Progress,
) -> dict[str, Any]:
    """Return the fields of a `SpectralTraining`. Costs the eigendecomposition of Θ, about 9·n³."""
    settings = as_settings(learning_rate, reduction, diag_reg, relative_diag_reg)
    check_order(theta, y, "theta")
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
    _check_rate(rule, prepared, ridge, targets, settings)
    shifted = prepared.with_ridge(ridge)
    return {"rule": rule, "solver": solver, "prepared": shifted, "y": targets, **settings}


def mean_over(y: FloatArray, reduction: str) -> int:
    """Return the divisor of a sum of squares: the number of targets, or 1."""
    return max(y.size, 1) if reduction == "mean" else 1


def _check_rate(
    rule: Rule, prepared: PreparedEigen, ridge: float, y: FloatArray, settings: dict[str, Any]
) -> None:
    """Reject a learning rate at which the fastest mode does not converge."""
    rate, count = settings["learning_rate"], mean_over(y, settings["reduction"])
    largest = float(prepared.eigenvalues.max(initial=0.0)) + ridge
    if math.isfinite(rule.limit) and rate / count * largest >= rule.limit:
        stable = rule.limit / largest * count
        details = "".join(f"{name}{value} and " for name, value in rule.facts())
        raise ValueError(
            f"learning_rate is {rate:g}, at which training does not converge: "
            f"the largest eigenvalue of theta, {largest:g} with its regularisation, requires "
            f"learning_rate < {stable:.6g} with {details}reduction={settings['reduction']!r}"
        )
