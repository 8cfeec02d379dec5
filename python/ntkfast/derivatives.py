"""Derivatives of kernels between rows, some rows at a time.

With the cosine c of two rows and the logarithms a and b of their norms, a kernel is a function
K(c, a, b), whose gradient by the first row x, with unit vectors u and v of both, is
(K_c·v + (K_a − c·K_c)·u)/‖x‖. The sums over all pairs are products of matrices with the unit
vectors.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from ntkfast._arrays import FloatArray
from ntkfast._derivatives import (
    Cotangent,
    Doubles,
    as_rows,
    cotangents,
    finite,
    prepared_around,
    quietly,
    within,
)
from ntkfast._memory import zeros
from ntkfast._ntkfast import Prepared, Program
from ntkfast._ntkfast import derivatives as core_derivatives
from ntkfast._ntkfast import weighted_derivatives as core_weighted
from ntkfast._progress import Progress, reporting
from ntkfast.kernels import KernelName
from ntkfast.linalg import matmul

__all__ = ["Parameter", "by_parameters", "by_scales", "jvp", "vjp"]

Parameter: TypeAlias = tuple[str, int | None]

# Results of the core for each pair, its tiles and strips, and pairs of a block of rows.
_PLANES, _TILE, _STRIP, _NUMBERS = 4, 256, 64, 1 << 23


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
        with quietly():
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
    points, others, dtype = as_rows(program, x, x2, kernel)
    n, m = len(points), len(points if others is None else others)
    left = _Rows.of(points)
    right = left if others is None else _Rows.of(others)
    weights = cotangents(g, n, m)
    sums = [zeros(rows.points.shape, np.float64, "the gradient") for rows in (left, right)]
    prepared = prepared or prepared_around(program, left.points, others)
    memory = zeros((_rows_of_block(n, m), m), np.float64, "derivatives of a kernel")
    with quietly(), reporting(progress, f"{kernel.upper()} gradient", "row") as report:
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
    points, others, dtype = as_rows(program, x, x2, kernel)
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
    with quietly(), reporting(progress, f"{kernel.upper()} derivative", "row") as report:
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
    points, others, dtype = as_rows(program, x, x2, kernel)
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
    points, _, dtype = as_rows(program, x, None, kernel)
    n, d = points.shape
    found = zeros((d, n, n), dtype, "derivatives by scales of features")
    rows_of = _Rows.of(points)
    planes = _Planes(prepared_around(program, points, None), kernel, points, n)
    with quietly(), reporting(progress, f"{kernel.upper()} derivatives", "row") as report:
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


def _direction(given: npt.ArrayLike | None, name: str, rows: _Rows) -> Doubles | None:
    """Return a direction divided by the norms."""
    if given is None:
        return None
    move = finite(given, name)
    if move.shape != rows.points.shape:
        raise ValueError(f"{name} has shape {move.shape}; expected {rows.points.shape}")
    return rows.divided(move)
