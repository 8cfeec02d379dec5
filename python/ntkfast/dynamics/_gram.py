"""Gram matrices as arguments, and their Cholesky factors: with jitter where nothing else helps."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from ntkfast import _ntkfast
from ntkfast._arrays import FloatArray, as_floats, as_kernel, check_finite
from ntkfast._ntkfast import NumericalError
from ntkfast._warnings import warn
from ntkfast.linalg import Cholesky, as_square

__all__ = [
    "as_diagonal",
    "as_gram",
    "check_symmetric",
    "condition_estimate",
    "factorise",
    "inverse_diagonal",
    "number_or_shape",
    "row_blocks",
    "solve_refined",
]

# Numbers that a block of rows may hold: 8 MB in float64.
_BLOCK = 1 << 20

# From this order on a factorisation in float32 is tried first.
_LARGE = 512

# Jitter in units of the largest diagonal entry, as powers of ε: 4e-11, 4e-10, 1.5e-8 in float64.
# A jitter j costs a relative error of j where λ ~ 1 and of ε/j where labels contradict each other.
_JITTERS = (2 / 3, 3 / 5, 1 / 2)


def as_gram(value: npt.ArrayLike, name: str, call: str) -> FloatArray:
    """Return a finite symmetric matrix; `call` is what to pass instead of a whole network."""
    gram = as_square(as_kernel(value, name, call), name)
    check_symmetric(gram, name)
    return gram


def check_symmetric(gram: FloatArray, name: str) -> None:
    """Refuse what is not finite, or not symmetric within rounding, as the core does."""
    check_finite(gram, name)
    largest = max(gram.max(initial=0.0), -gram.min(initial=0.0))
    rounding = 1e3 * float(np.finfo(gram.dtype).eps) * float(largest)
    for rows in row_blocks(*gram.shape):
        gap = np.abs(gram[rows] - gram[:, rows].T)
        if gap.size and gap.max() > rounding:
            i, j = (int(k) for k in np.unravel_index(gap.argmax(), gap.shape))
            i += rows.start
            raise ValueError(
                f"{name} must be symmetric within rounding, but {name}[{i}, {j}] = {gram[i, j]:g} "
                f"and {name}[{j}, {i}] = {gram[j, i]:g}: pass a Gram matrix"
            )


def as_diagonal(value: npt.ArrayLike, n: int, name: str) -> FloatArray:
    """Return what is added to a diagonal, ≥ 0: one number, or one for each of n points."""
    diagonal = as_floats(value, name)
    if diagonal.shape not in ((), (n,)):
        raise ValueError(
            f"{name} has shape {diagonal.shape}; expected a number, or ({n},): one a point"
        )
    check_finite(diagonal, name)
    if (diagonal < 0).any():
        raise ValueError(f"{name} is {diagonal.min():g}; expected >= 0")
    return diagonal.copy()


def factorise(
    gram: FloatArray, diagonal: FloatArray, name: str, remedy: str
) -> tuple[Cholesky, float]:
    """Factorise gram + diag(diagonal), and return the factor and the jitter that it took.

    The square matrix `gram` is checked on the way, as `check_symmetric` does.

    Jitter is added where the matrix is singular to working precision: where a pivot is no larger
    than what rounding leaves of its diagonal entry, the rule of `Spectrum.tolerance`. It is told
    in a warning; `remedy` says what the caller can do.
    """
    n, eps = len(gram), float(np.finfo(gram.dtype).eps)
    with np.errstate(over="ignore"):
        entries: FloatArray = (gram.diagonal() + diagonal).astype(gram.dtype, copy=False)
    if not np.isfinite(entries).all():
        check_finite(gram.diagonal(), f"the diagonal of {name}")
        raise ValueError(f"the diagonal of {name} leaves the range of {gram.dtype}; {remedy}")
    largest = float(entries.max(initial=0.0)) or 1.0
    rounding = max(n * float(np.finfo(np.float64).eps), min(n, 16) * eps)
    jitter = 0.0
    for jitter in (0.0, *(eps**power * largest for power in _JITTERS)):
        raised = entries + entries.dtype.type(jitter)
        try:
            factor = Cholesky._of(_ntkfast.cholesky(gram, raised))
        except NumericalError:
            continue
        except ValueError:
            check_symmetric(gram, name)  # says the same, by the caller's name
            raise
        # Roots are compared: a pivot may be a square that is no number.
        if (factor.factor.diagonal() > np.sqrt(rounding) * np.sqrt(raised)).all():
            break
    else:
        raise NumericalError(
            f"{name} is not positive semi-definite: even with {jitter:.2g} added to its diagonal, "
            f"{jitter / largest:.1g} of the largest entry, it has no Cholesky factor; {remedy}"
        )
    if jitter:
        warn(
            f"{name} is singular to working precision: {jitter:.2g} was added to its diagonal, "
            f"{jitter / largest:.1g} of the largest entry; {remedy}"
        )
    return factor, jitter


def solve_refined(
    gram: FloatArray, diagonal: FloatArray, b: FloatArray
) -> tuple[FloatArray, FloatArray] | None:
    """Solve (gram + diag(diagonal))·x = b by a factor in float32, refined to float64.

    Returns x and the diagonal of the factor; None where that gains nothing, or fails: for float32,
    small matrices, and those with a condition number beyond some 10⁵. `gram` is checked on the
    way. Half the time of a factorisation in float64, for a residual of the same size.
    """
    if not (len(gram) >= _LARGE and gram.dtype == b.dtype == np.float64):
        return None
    with np.errstate(over="ignore"):
        entries = gram.diagonal() + diagonal.astype(np.float64, copy=False)
    return _ntkfast.solve_refined(gram, entries, b)


def condition_estimate(pivots: FloatArray) -> float:
    """(max L_ii/min L_ii)², which the condition number is not smaller than."""
    if pivots.size == 0:
        return float("nan")
    ratio = float(pivots.max()) / float(pivots.min())
    return ratio * ratio


def inverse_diagonal(factor: Cholesky) -> FloatArray:
    """Compute the diagonal of A⁻¹, a block of its columns at a time. Costs 2·n³."""
    n = factor.n
    diagonal = np.empty(n, factor.factor.dtype)
    for rows in row_blocks(n, n):
        columns = np.arange(n)[rows]
        units = np.zeros((n, columns.size), diagonal.dtype)
        units[rows] = np.eye(columns.size)
        diagonal[rows] = factor.solve(units)[rows].diagonal()
    return diagonal


def number_or_shape(value: FloatArray) -> str:
    """Show a number, or an array as its shape, in a summary."""
    return f"{value:g}" if value.ndim == 0 else f"<array of shape {value.shape}>"


def row_blocks(rows: int, columns: int, least: int = 1) -> Iterator[slice]:
    """Cut the rows of a matrix into blocks of bounded memory, or of `least` rows; at least one."""
    step = max(least, _BLOCK // max(columns, 1))
    return (slice(start, min(start + step, rows)) for start in range(0, max(rows, 1), step))
