"""More training points for a regression, without solving it from the start."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from ntkfast._arrays import FloatArray, as_floats, check_finite
from ntkfast._gram import as_diagonal, as_gram, with_relative
from ntkfast._memory import check, empty
from ntkfast._ntkfast import NumericalError
from ntkfast.dynamics._arguments import as_cross_kernel
from ntkfast.kernels import as_others
from ntkfast.linalg import Cholesky, cholesky, matmul
from ntkfast.networks import Network
from ntkfast.operators import KernelOperator, MatrixOperator, Operator, as_operator
from ntkfast.solvers import (
    Prepared,
    PreparedByProducts,
    PreparedCholesky,
    PreparedEigen,
    Solver,
)
from ntkfast.spectrum import relative_rounding

__all__ = ["Fit", "with_kernels", "with_points", "with_points_of_network"]

# Relative change of the mean of a diagonal that is rounding.
_ROUNDING = 1e-12
# Fields of the regression of all points, by name.
Fields: TypeAlias = dict[str, Any]

_TOGETHER = "fit all points together"


@dataclass(frozen=True, eq=False)
class Fit:
    """What a `KernelRegression` has learnt."""

    solver: Solver
    prepared: Prepared
    y: FloatArray
    diag_reg: FloatArray
    relative_diag_reg: float
    coefficients: FloatArray


def with_kernels(
    fit: Fit,
    k_new_train: npt.ArrayLike,
    k_new: npt.ArrayLike,
    y_new: npt.ArrayLike,
    diag_reg: npt.ArrayLike | None,
) -> Fields:
    """Return the regression of all points from the kernels of the new ones."""
    n = len(fit.y)
    cross = as_cross_kernel(k_new_train, n, "k_new_train")
    own = as_gram(k_new, "k_new", "net.ntk(x_new)")
    if len(own) != len(cross):
        raise ValueError(
            f"k_new has shape {own.shape} and k_new_train {cross.shape}; expected ({len(cross)}, "
            f"{len(cross)}) and ({len(cross)}, {n}), one row per new point"
        )
    y = _more_targets(y_new, len(cross), fit.y)
    absolute = _more_noise(diag_reg, len(cross), fit.diag_reg, "diag_reg")
    if isinstance(fit.prepared, PreparedByProducts):
        return _solved_again(fit, _larger_matrix(fit.prepared.op, cross, own), y, absolute)
    if isinstance(fit.prepared, PreparedEigen):
        raise ValueError(
            "append extends a Cholesky factor or a solution by products, and an "
            f"eigendecomposition cannot be extended; {_TOGETHER}, or use solver='cholesky'"
        )
    ridge = _same_ridge(fit, own, absolute)
    begun = time.perf_counter()
    prepared = _extended(fit.prepared, cross, own, ridge)
    if prepared is None:
        raise NumericalError(
            "theta with the new points is singular to working precision, and needs a jitter, which "
            f"depends on all points; {_TOGETHER}, increase diag_reg, or drop copies of points"
        )
    return _solved(prepared, y, absolute, begun)


def with_points(fit: Fit, x_new: npt.ArrayLike, y_new: npt.ArrayLike) -> Fields:
    """Return the regression of all points of a network's kernel, from the solution so far."""
    prepared = fit.prepared
    op = prepared.op if isinstance(prepared, PreparedByProducts) else None
    if not isinstance(prepared, PreparedByProducts) or not isinstance(op, KernelOperator):
        raise ValueError(
            "this regression knows no points, because it was not solved by products with a "
            "KernelOperator; use append(k_new_train, k_new, y_new)"
        )
    groups = getattr(prepared, "groups", None)
    x = op.x if groups is None else op.x[groups]
    points = _more_points(x_new, x)
    y = _more_targets(y_new, len(points) - len(x), fit.y)
    return _solved_again(fit, _larger_kernel(prepared, points), y, fit.diag_reg)


def with_points_of_network(
    fit: Fit,
    network: Network | None,
    x: FloatArray | None,
    x_new: npt.ArrayLike,
    y_new: npt.ArrayLike,
    noise: FloatArray,
    noise_new: npt.ArrayLike | None,
    features_of: Callable[[FloatArray], FloatArray],
) -> tuple[FloatArray, FloatArray, FloatArray, Fields | None]:
    """Return points, targets, noise and regression of all points; None to compute it afresh.

    Kernels are those of `features_of` the points.
    The regularisation of the regression is the noise, unless there is a relative one, too.
    """
    if network is None or x is None:
        raise ValueError(
            "this Posterior was made from kernels and has no network to compute further kernels; "
            "use Posterior.from_kernels for all points"
        )
    points = _more_points(x_new, x)
    b = len(points) - len(x)
    y = _more_targets(y_new, b, fit.y)
    noise = _more_noise(noise_new, b, noise, "noise_variance")
    afresh = fit.relative_diag_reg or isinstance(fit.prepared, PreparedEigen)
    if afresh or points.dtype != x.dtype:
        return points, y, noise, None
    if isinstance(fit.prepared, PreparedByProducts):
        larger = _larger_kernel(fit.prepared, features_of(points))
        return points, y, noise, _solved_again(fit, larger, y, noise)
    old, new = features_of(x), features_of(points[len(x) :])
    begun = time.perf_counter()
    cross, own = network.nngp(as_others(new, old), old), network.nngp(new)
    prepared = _extended(fit.prepared, cross, own, noise)
    found = None if prepared is None else _solved(prepared, y, noise, begun)
    return points, y, noise, found


def _more_points(x_new: npt.ArrayLike, x: FloatArray) -> FloatArray:
    points = as_floats(x_new, "x_new")
    if points.shape[1:] != x.shape[1:] or points.ndim != x.ndim:
        raise ValueError(
            f"x_new has shape {points.shape}; expected (b, {', '.join(map(str, x.shape[1:]))}), "
            "with rows like those of x"
        )
    check_finite(points, "x_new")
    return np.concatenate([x, points])


def _more_targets(y_new: npt.ArrayLike, b: int, y: FloatArray) -> FloatArray:
    targets = as_floats(y_new, "y_new")
    wanted = (b, *y.shape[1:])
    if targets.shape != wanted:
        raise ValueError(
            f"y_new has shape {targets.shape}; expected {wanted}, one row per new point, with the "
            f"outputs of y, which has shape {y.shape}"
        )
    check_finite(targets, "y_new")
    return np.concatenate([y, targets])


def _more_noise(value: npt.ArrayLike | None, b: int, old: FloatArray, name: str) -> FloatArray:
    """Return the additions to the diagonal of all points: the one number, or one per point."""
    if old.ndim == 0:
        if value is not None:
            raise ValueError(
                f"{name} is one number for all points, {old:g}; expected None for the new points, "
                f"or {_TOGETHER} with one {name} per point"
            )
        return old
    if value is None:
        raise ValueError(f"{name} has one number per point; pass it for the {b} new points, too")
    return np.concatenate([old, np.broadcast_to(as_diagonal(value, b, name), b)])


def _same_ridge(fit: Fit, own: FloatArray, absolute: FloatArray) -> FloatArray:
    """Return the regularisation of all points; ValueError if that of the old points changes."""
    relative, n = fit.relative_diag_reg, len(fit.y)
    if relative == 0:
        return absolute
    added = np.mean(fit.prepared.ridge - fit.diag_reg) if n else 0.0
    mean = float(added) / relative
    now = (n * mean + float(own.diagonal().sum(dtype=np.float64))) / max(n + len(own), 1)
    if abs(now - mean) > _ROUNDING * abs(mean):
        raise ValueError(
            f"relative_diag_reg is {relative:g}, in units of the mean diagonal entry of theta, "
            f"which the new points change from {mean:.6g} to {now:.6g}, and with it the "
            f"regularisation of all points; {_TOGETHER}, or use diag_reg"
        )
    return np.asarray(absolute + added)


def _extended(
    prepared: Prepared, cross: FloatArray, own: FloatArray, ridge: FloatArray
) -> PreparedCholesky | None:
    """Return the factor with the rows of new points: a triangular solve, and a Schur complement.

    None if it has a jitter, or needs one. Costs n²·b, and n³/3 first if there is no factor yet.
    """
    if prepared.jitter:
        return None
    begun = time.perf_counter()
    lower = prepared.cholesky.factor
    n, b, dtype = len(lower), len(own), lower.dtype
    if np.result_type(cross, own, lower) != dtype:
        raise ValueError(
            f"the kernels of the new points are {np.result_type(cross, own)}, and the factor of "
            f"theta is {dtype}; expected one type: convert them, or {_TOGETHER}"
        )
    check((n + 3 * b) * b * dtype.itemsize, "the kernels of the new points")
    total = empty((n + b, n + b), dtype, "the Cholesky factor of all points").T
    total[:n, :n], total[:n, n:] = lower, 0
    rows = Cholesky._of(lower).solve_lower(cross.T.astype(dtype)).T
    raised = own.diagonal() + np.broadcast_to(ridge, n + b)[n:].astype(dtype)
    schur = own - matmul(rows, rows.T)
    schur = (schur + schur.T) / 2
    np.fill_diagonal(schur, raised - np.einsum("ij,ij->i", rows, rows))
    total[n:, :n] = rows
    try:
        total[n:, n:] = cholesky(schur).factor
    except NumericalError:
        return None
    least = np.sqrt(relative_rounding(n + b, dtype)) * np.sqrt(raised)
    if not (total.diagonal()[n:] > least).all():
        return None
    seconds = time.perf_counter() - begun
    return PreparedCholesky(ridge=ridge, jitter=0.0, seconds=seconds, factor=Cholesky._of(total))


def _larger_kernel(prepared: PreparedByProducts, points: FloatArray) -> KernelOperator:
    """Return the kernel of all points."""
    op, inner = prepared.op, prepared.inner
    assert isinstance(op, KernelOperator)
    assert isinstance(inner, KernelOperator)
    memory = inner.memory  # in mixed precision, the blocks of `op` are not kept
    return type(op)(op.network, points, kernel=op.kernel, memory=memory, progress=op.progress)


def _larger_matrix(op: Operator, cross: FloatArray, own: FloatArray) -> Operator:
    """Return a matrix with the rows and columns of new points."""
    if not isinstance(op, MatrixOperator):
        raise ValueError(
            "this regression was solved by products with an operator; use append_points(x_new, "
            f"y_new), or {_TOGETHER}"
        )
    n, b = len(op), len(own)
    total = empty((n + b, n + b), np.result_type(op.dtype, cross, own), "theta of all points")
    total[:n, :n], total[:n, n:] = op._matrix, cross.T
    total[n:, :n], total[n:, n:] = cross, own
    return as_operator(total)


def _solved_again(fit: Fit, op: Operator, y: FloatArray, absolute: FloatArray) -> Fields:
    """Solve by products, beginning with the solution so far."""
    begun = time.perf_counter()
    ridge = with_relative(absolute, fit.relative_diag_reg, op, "theta")
    prepared = fit.solver.prepare(op, ridge)
    assert isinstance(prepared, PreparedByProducts)
    start = np.zeros(_by_output(y).shape)
    start[: len(fit.y)] = _by_output(fit.coefficients)
    return _fields(prepared, prepared.solve(_by_output(y), start), y, absolute, begun)


def _solved(prepared: PreparedCholesky, y: FloatArray, own: FloatArray, begun: float) -> Fields:
    solution = prepared.solve(_by_output(y))
    if not np.isfinite(solution).all():
        raise NumericalError(
            f"the coefficients exceed the range of {solution.dtype}; increase the regularisation"
        )
    return _fields(prepared, solution, y, own, begun)


def _fields(
    prepared: Prepared,
    solution: FloatArray,
    y: FloatArray,
    diag_reg: FloatArray,
    begun: float,
) -> Fields:
    op = prepared.op if isinstance(prepared, PreparedByProducts) else prepared
    dtype = np.result_type(op.dtype, y)
    return {
        "prepared": prepared,
        "y": y,
        "diag_reg": diag_reg,
        "coefficients": solution.reshape(y.shape).astype(dtype, copy=False),
        "seconds": time.perf_counter() - begun,
    }


def _by_output(values: FloatArray) -> FloatArray:
    """Shape (n, c): one column per output."""
    return values.reshape(len(values), math.prod(values.shape[1:]))
