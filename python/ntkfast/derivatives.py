"""Derivatives of kernels between rows, some rows at a time.

With the cosine c of two rows and the logarithms a and b of their norms, a kernel is a function
K(c, a, b), whose gradient by the first row x, with unit vectors u and v of both, is
(K_c·v + (K_a − c·K_c)·u)/‖x‖. The sums over all pairs are products of matrices with the unit
vectors.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from ntkfast._arrays import FloatArray, as_floats, check_finite, is_same
from ntkfast._memory import zeros
from ntkfast._ntkfast import NumericalError, Prepared, Program
from ntkfast._ntkfast import derivatives as core_derivatives
from ntkfast._ntkfast import weighted_derivatives as core_weighted
from ntkfast._progress import Progress, reporting
from ntkfast.kernels import KernelName, as_samples, check_pair
from ntkfast.linalg import matmul

__all__ = [
    "Cotangent",
    "Doubles",
    "Parameter",
    "by_parameters",
    "by_scales",
    "check_rows",
    "cotangents",
    "jvp",
    "prepared_around",
    "two_sets",
    "vjp",
    "within",
]

Doubles: TypeAlias = npt.NDArray[np.float64]
Parameter: TypeAlias = tuple[str, int | None]
Cotangent: TypeAlias = npt.ArrayLike | tuple[npt.ArrayLike, npt.ArrayLike]

# Results of the core for each pair, its tiles and strips, and pairs of a block of rows.
_PLANES, _TILE, _STRIP, _NUMBERS = 4, 256, 64, 1 << 23
# A fit for one scale knows no derivative by it: ranges are made so much wider.
_WIDER = 0.01


@dataclass(frozen=True, eq=False)
class _Rows:
    """Points, their unit vectors, and what divides gradients: twice, so that it is no product."""

    points: Doubles
    unit: Doubles
    sizes: tuple[Doubles, Doubles]

    @classmethod
    def of(cls, points: Doubles) -> _Rows:
        largest = np.abs(points).max(axis=1, keepdims=True, initial=0.0)
        largest[largest == 0] = 1.0
        scaled = points / largest
        norms = np.linalg.norm(scaled, axis=1, keepdims=True)
        norms[norms == 0] = np.inf  # the gradient by a row of zeros counts as 0
        return cls(points, scaled / norms, (largest, norms))

    def divided(self, gradient: Doubles) -> Doubles:
        """Return the gradient by the rows from that by their unit vectors."""
        largest, norms = self.sizes
        with _quietly():
            found: Doubles = gradient / norms / largest
        return found


def vjp(
    program: Program,
    x: npt.ArrayLike,
    x2: npt.ArrayLike | None,
    g: Cotangent,
    *,
    kernel: KernelName,
    progress: Progress,
    prepared: Prepared | None = None,
) -> tuple[FloatArray, FloatArray] | FloatArray:
    """Return the gradients of Σ g∘K(x, x2) by x and x2, or without x2 by x alone.

    A network that is `prepared` must have fits for more than one scale.
    """
    alone = x2 is None  # x2 may also be x: two arguments that are the same samples
    points, others, dtype = two_sets(program, x, x2, kernel)
    n, m = len(points), len(points if others is None else others)
    left = _Rows.of(points)
    right = left if others is None else _Rows.of(others)
    weights = cotangents(g, n, m)
    sums = [zeros(rows.points.shape, np.float64, "the gradient") for rows in (left, right)]
    prepared = prepared or prepared_around(program, left.points, others)
    memory = zeros((_rows_of_block(n, m), m), np.float64, "derivatives of a kernel")
    with _quietly(), reporting(progress, f"{kernel.upper()} gradient", "row") as report:
        for rows in _blocks(n, m):
            own = left.points[rows]
            turned = memory[: len(own)]
            by_rows = np.empty((len(own), -(-m // _STRIP)))
            by_columns = np.empty((-(-len(own) // _TILE), m))
            core_weighted(
                prepared,
                [own, right.points],
                rows.start if others is None else None,
                np.ascontiguousarray(weights(rows)),
                kernel == "ntk",
                [turned, by_rows, by_columns],
            )
            unit = left.unit[rows]
            sums[0][rows] = matmul(turned, right.unit) + by_rows.sum(axis=1)[:, None] * unit
            sums[1] += matmul(turned.T, unit)
            sums[1] += by_columns.sum(axis=0)[:, None] * right.unit
            if report is not None:
                report(rows.stop, n)
    if alone:
        return within(left.divided(sums[0] + sums[1]), dtype)
    return within(left.divided(sums[0]), dtype), within(right.divided(sums[1]), dtype)


def jvp(
    program: Program,
    x: npt.ArrayLike,
    x2: npt.ArrayLike | None,
    directions: Sequence[npt.ArrayLike | None],
    *,
    kernel: KernelName,
    progress: Progress,
) -> FloatArray:
    """Return how K(x, x2) changes where the points move in these directions."""
    if x2 is None:
        if directions[1] is not None:
            raise ValueError(
                "direction2 is given without x2; pass direction alone, along which both arguments "
                "of the kernel move"
            )
        directions = (directions[0], directions[0])
    check_rows(program)
    points, others, dtype = two_sets(program, x, x2, kernel)
    left = _Rows.of(points)
    right = left if others is None else _Rows.of(others)
    names = ("direction", "direction2")
    moves = [
        _direction(given, name, rows)
        for given, name, rows in zip(directions, names, (left, right), strict=True)
    ]
    n, m = len(points), len(right.points)
    found = zeros((n, m), dtype, "the derivative of the kernel")
    prepared = prepared_around(program, left.points, others)
    planes = _Planes(prepared, kernel, right.points, n)
    with _quietly(), reporting(progress, f"{kernel.upper()} derivative", "row") as report:
        for rows in _blocks(n, m):
            first = rows.start if others is None else None
            _, turned, ours, theirs = planes.of(left.points[rows], first)
            total = np.zeros_like(turned)
            if moves[0] is not None:
                some = moves[0][rows]
                total += turned * matmul(some, right.unit.T)
                total += ours * np.einsum("ij,ij->i", some, left.unit[rows])[:, None]
            if moves[1] is not None:
                total += turned * matmul(left.unit[rows], moves[1].T)
                total += theirs * np.einsum("ij,ij->i", moves[1], right.unit)
            found[rows] = within(total, dtype)
            if report is not None:
                report(rows.stop, n)
    return found


def by_parameters(
    program: Program,
    x: npt.ArrayLike,
    x2: npt.ArrayLike | None,
    parameters: Sequence[Parameter],
    *,
    kernel: KernelName,
    progress: Progress,
    prepared: Prepared | None = None,
) -> FloatArray:
    """Return ∂K/∂p for each of the parameters, shape (k, n, m).

    A network that is `prepared` must have fits for more than one scale.
    """
    check_rows(program)
    points, others, dtype = two_sets(program, x, x2, kernel)
    n, m = len(points), len(points if others is None else others)
    found = zeros((len(parameters), n, m), dtype, "derivatives by parameters")
    prepared = prepared or prepared_around(program, points, others)
    planes = _Planes(prepared, kernel, points if others is None else others, n)
    together = _PLANES - 1
    with reporting(progress, f"{kernel.upper()} derivatives", "row") as report:
        for rows in _blocks(n, m):
            first = rows.start if others is None else None
            for start in range(0, len(parameters), together):
                some = list(parameters[start : start + together])
                for k, plane in enumerate(planes.of(points[rows], first, some)[1 : 1 + len(some)]):
                    found[start + k, rows] = within(plane, dtype)
            if report is not None:
                report(rows.stop, n)
    return found


def by_scales(
    program: Program, x: npt.ArrayLike, *, kernel: KernelName, progress: Progress
) -> FloatArray:
    """Return the derivative of K(x, x) by the logarithm of a scale of each feature, (d, n, n)."""
    check_rows(program)
    points, _, dtype = two_sets(program, x, None, kernel)
    n, d = points.shape
    found = zeros((d, n, n), dtype, "derivatives by scales of features")
    rows_of = _Rows.of(points)
    planes = _Planes(prepared_around(program, points, None), kernel, points, n)
    with _quietly(), reporting(progress, f"{kernel.upper()} derivatives", "row") as report:
        for rows in _blocks(n, n):
            _, turned, ours, theirs = planes.of(points[rows], rows.start)
            for k, unit in enumerate(rows_of.unit.T):
                own = unit[rows, None]
                found[k, rows] = within(
                    2 * turned * own * unit + ours * own**2 + theirs * unit**2, dtype
                )
            if report is not None:
                report(rows.stop, n)
    return found


def check_rows(program: Program) -> None:
    """Refuse networks on images, which have gradients by images alone."""
    if program.spatial:
        raise ValueError(
            "this network takes images or sequences, whose kernels have gradients by the images "
            "(ntk_vjp, nngp_vjp) but no other derivatives yet"
        )


def two_sets(
    program: Program,
    x: npt.ArrayLike,
    x2: npt.ArrayLike | None,
    kernel: KernelName,
    rank: int | None = None,
) -> tuple[Doubles, Doubles | None, np.dtype[Any]]:
    """Return both sets in float64, and the type of results."""
    if is_same(x, x2):
        x2 = None
    if x2 is None:
        points = as_samples(program, x, "x", rank)
        return points.astype(np.float64, copy=False), None, points.dtype
    check_pair(x, x2, (kernel,))
    points, others = (
        as_samples(program, value, name, rank) for value, name in ((x, "x"), (x2, "x2"))
    )
    dtype = np.result_type(points, others)
    return points.astype(np.float64, copy=False), others.astype(np.float64, copy=False), dtype


def prepared_around(program: Program, x: Doubles, x2: Doubles | None) -> Prepared:
    """Return the network ready for points and what is next to them."""
    prepared = program.prepare(x, x2, None)
    recipe = prepared.recipe
    if not recipe["fits"]:
        return prepared
    fits = [
        {**fit, "low": fit["low"] * (1 - _WIDER), "high": fit["high"] * (1 + _WIDER)}
        for fit in recipe["fits"]
    ]
    return program.prepare_again({**recipe, "fits": fits})


def _rows_of_block(n: int, m: int) -> int:
    return min(max(_TILE, _NUMBERS // max(m, 1) // _TILE * _TILE), max(n, 1))


def _blocks(n: int, m: int) -> Iterator[slice]:
    """Yield the rows of each block."""
    step = _rows_of_block(n, m)
    return (slice(start, min(start + step, n)) for start in range(0, n, step))


class _Planes:
    """The results of the core for some rows at a time, in the same memory for all of them."""

    def __init__(self, prepared: Prepared, kernel: KernelName, right: Doubles, n: int) -> None:
        self._prepared, self._kernel, self._right = prepared, kernel, right
        shape = _rows_of_block(n, len(right)), len(right)
        self._memory = [zeros(shape, np.float64, "derivatives of a kernel") for _ in range(_PLANES)]

    def of(
        self, x: Doubles, first: int | None, parameters: list[Parameter] | None = None
    ) -> list[Doubles]:
        """Return values and derivatives for some rows, until the next call."""
        planes = [plane[: len(x)] for plane in self._memory]
        ntk = self._kernel == "ntk"
        nngps, ntks = (None, planes) if ntk else (planes, None)
        core_derivatives(self._prepared, x, self._right, first, parameters, nngps, ntks)
        return planes


def cotangents(g: Cotangent, n: int, m: int) -> Any:
    """Return a function that gives some rows of g."""
    if isinstance(g, tuple):
        if len(g) != 2:
            raise ValueError(f"g is a tuple of {len(g)} arrays; expected two factors (u, v)")
        u, v = (_finite(part, f"g[{i}]") for i, part in enumerate(g))
        if u.ndim != 2 or v.ndim != 2 or (len(u), len(v)) != (n, m) or u.shape[1] != v.shape[1]:
            raise ValueError(
                f"g has factors of shapes {u.shape} and {v.shape}; expected ({n}, k) and ({m}, k)"
            )
        return lambda rows: matmul(u[rows], v.T)
    whole = _finite(g, "g")
    if whole.shape != (n, m):
        raise ValueError(f"g has shape {whole.shape}; expected ({n}, {m}), that of the kernel")
    return lambda rows: whole[rows]


def _direction(given: npt.ArrayLike | None, name: str, rows: _Rows) -> Doubles | None:
    """Return a direction divided by the norms."""
    if given is None:
        return None
    move = _finite(given, name)
    if move.shape != rows.points.shape:
        raise ValueError(f"{name} has shape {move.shape}; expected {rows.points.shape}")
    return rows.divided(move)


def _quietly() -> np.errstate:
    """Leave out warnings of overflow by NumPy: `within` raises an error instead."""
    return np.errstate(over="ignore", invalid="ignore")


def within(values: Doubles, dtype: np.dtype[Any]) -> FloatArray:
    """Return results in the type of the points."""
    with _quietly():
        found: FloatArray = values.astype(dtype, copy=False)
    if not np.isfinite(found).all():
        other = ", or pass points in float64" if dtype == np.float32 else ""
        raise NumericalError(
            f"derivatives exceed the range of {dtype}; scale g or the directions, or the "
            f"points{other}"
        )
    return found


def _finite(given: npt.ArrayLike, name: str) -> Doubles:
    values = as_floats(given, name)
    check_finite(values, name)
    return values.astype(np.float64, copy=False)
