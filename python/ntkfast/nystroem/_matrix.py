"""CᵀW·C in orthonormal features: complete, or from a sketch of the points, as preconditioner."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, TypeAlias

import numpy as np

from ntkfast._arrays import FloatArray, sizes_of
from ntkfast._memory import check, zeros
from ntkfast._progress import Progress, reporting
from ntkfast.linalg import Cholesky, cholesky, matmul
from ntkfast.nystroem._bands import Band, Doubles, as_doubles
from ntkfast.nystroem._features import Features
from ntkfast.nystroem._passes import AnyPasses, Share, Totals, add_gathered, total_of
from ntkfast.solvers import SolveReport

__all__ = [
    "PER_CENTRE",
    "Complete",
    "NormalPreconditioner",
    "Sums",
    "complete_sums",
    "gather",
    "sketch_rows",
]

# Centres for which the complete matrix costs less than the steps that a sketch takes instead.
_FEW = 2048
# Rows that are mixed with random signs, and the rows of the sketch that they become.
_MIXED, _INTO = 256, 64
# Rows of the sketch per centre: more of them save steps.
PER_CENTRE = 6
_COLUMNS = 1024
# Pieces of the sketch that are taken at once: each time the matrix is read and written.
_AT_ONCE = 4096 // _INTO
_FEWER = "use fewer centres"

Weigh: TypeAlias = Callable[[Band, FloatArray], Doubles]
"""Weights of a band by its kernel."""


def sketch_rows(n: int, m: int) -> int:
    """Return the number of rows of the sketch; 0 if the complete matrix is the better choice."""
    rows = PER_CENTRE * m
    return 0 if m <= _FEW or n <= 2 * rows else rows


@dataclass(frozen=True, eq=False)
class Sums:
    """What one pass gathers.

    Attributes
    ----------
    right
        Shape (m, c): L⁻¹·CᵀW·y.
    matrix
        Shape (m, m): L⁻¹·CᵀW·C·L⁻ᵀ, or what the sketch shows of it. Features are multiplied, not
        kernels, and so it is positive semi-definite to rounding.
    rows
        Rows of the sketch; 0 if the matrix is complete.
    """

    right: Doubles
    matrix: Doubles
    rows: int


def gather(
    passes: AnyPasses,
    n: int,
    rows: int,
    seed: int,
    progress: Progress,
    weigh: Weigh | None = None,
) -> Sums:
    """Gather the sums in one pass, with the weights of the points or those of `weigh`.

    A sketch of s rows costs 128·n·m operations and 2·s·m², the complete matrix 2·n·m².

    The sketch mixes 256 points with random signs into 64 rows, at a random place: a sparse sign
    embedding whose columns have 64 entries beside each other. See Cohen (2016),
    doi:10.1137/1.9781611974331.ch21.
    """
    features = passes.features
    m, dtype = features.m, passes.points.dtype
    check(m * m * 8, "the normal equations", _FEWER)
    check(rows * m * dtype.itemsize, "the sketch", _FEWER)
    share: Share = _Sketch(rows, seed, weigh) if rows else Complete(features, weigh)
    with reporting(progress, "Nyström: first pass", "point") as report:
        totals = passes.total(share, None if report is None else lambda done: report(done, n))
    if not rows:
        return complete_sums(totals)
    right = as_doubles(totals.pop("right"))
    _check_range(right, *totals.values())
    matrix = zeros((m, m), np.float64, "the normal equations", _FEWER)
    names = sorted(totals)
    for start in range(0, len(names), _AT_ONCE):
        some = np.concatenate([totals.pop(name) for name in names[start : start + _AT_ONCE]])
        _add_products(features.of(some), matrix)
    _mirror(matrix)
    return Sums(as_doubles(features.factor.solve_lower(right)), matrix, rows)


def complete_sums(totals: Totals) -> Sums:
    """Return the sums that a `Complete` has added up, which are let go."""
    right, matrix = as_doubles(totals.pop("right")), as_doubles(totals.pop("matrix"))
    _check_range(right, matrix)
    _mirror(matrix)
    return Sums(right, matrix, 0)


@dataclass(frozen=True, eq=False)
class Complete:
    """Right-hand side and matrix, on and above the diagonal."""

    large: ClassVar[bool] = True
    features: Features
    weigh: Weigh | None = None

    def add(self, band: Band, block: FloatArray, totals: Totals) -> None:
        phi, w = self.features.of(block), _weights(self.weigh, band, block)
        matrix = total_of(totals, "matrix", (len(phi), len(phi)))
        right = total_of(totals, "right", (len(phi), band.y.shape[1]))
        with _quiet():
            right += matmul(phi, w * band.y)
            _add_products(phi * np.sqrt(w).T, matrix)


@dataclass(frozen=True, eq=False)
class _Sketch:
    """Cᵀ·W·y, and the rows of the sketch of C in pieces that are there once they are not 0."""

    large: ClassVar[bool] = True
    rows: int
    seed: int
    weigh: Weigh | None

    def add(self, band: Band, block: FloatArray, totals: Totals) -> None:
        w = _weights(self.weigh, band, block)
        right = total_of(totals, "right", (block.shape[1], band.y.shape[1]))
        with _quiet():
            add_gathered(block, w * band.y, right)
            self._mix(block * np.sqrt(w).astype(block.dtype), band.start, totals)

    def _mix(self, block: FloatArray, first_row: int, totals: Totals) -> None:
        for start in range(0, len(block), _MIXED):
            some = block[start : start + _MIXED]
            # The same for any bands.
            source = np.random.default_rng([self.seed, 1, first_row + start])
            signs = source.integers(0, 2, (_INTO, len(some))) * 2 - 1
            mixed = matmul((signs / _INTO**0.5).astype(block.dtype), some)
            place = int(source.integers(self.rows))
            while len(mixed):
                piece, first = divmod(place, _INTO)
                size = min(_INTO, self.rows - piece * _INTO)
                if piece not in totals:
                    totals[piece] = zeros((size, block.shape[1]), block.dtype, "the sketch", _FEWER)
                into = totals[piece]
                fitting = min(size - first, len(mixed))
                into[first : first + fitting] += mixed[:fitting]
                mixed, place = mixed[fitting:], (place + fitting) % self.rows


def _weights(weigh: Weigh | None, band: Band, block: FloatArray) -> Doubles:
    """Return the weights of a band, shape (k, 1)."""
    weights = band.weights if weigh is None else weigh(band, block)
    return np.ones((1, 1)) if weights is None else weights[:, None]


def _quiet() -> np.errstate:
    """Overflow is looked for in the sums."""
    return np.errstate(over="ignore", invalid="ignore")


def _check_range(right: Doubles, *wholes: FloatArray) -> None:
    for sums, name in ((right, "targets"), *((whole, "sample_weight") for whole in wholes)):
        with _quiet():
            total = sums.sum(dtype=np.float64)  # without an array of truth values
        if not np.isfinite(total):
            raise ValueError(
                f"sums of the normal equations exceed the range of {sums.dtype}; scale {name} down"
            )


def _add_products(features: Doubles, total: Doubles) -> None:
    """Add Φ·Φᵀ on and above the diagonal."""
    m = len(features)
    for start in range(0, m, _COLUMNS):
        stop = min(start + _COLUMNS, m)
        total[start:stop, start:] += matmul(features[start:stop], features[start:].T)


def _mirror(matrix: Doubles) -> None:
    """Write the entries above the diagonal below it."""
    for start in range(0, len(matrix), _COLUMNS):
        some = slice(start, start + _COLUMNS)
        block = matrix[some, some]
        block[:] = np.triu(block) + np.triu(block, 1).T
        matrix[start + _COLUMNS :, some] = matrix[some, start + _COLUMNS :].T


@dataclass(frozen=True, eq=False)
class NormalPreconditioner:
    """P = the matrix of `gather` plus the ridge."""

    factor: Cholesky
    shift: float
    rank: int

    @classmethod
    def of(cls, sums: Sums, ridge: float) -> NormalPreconditioner:
        """Factorise the matrix plus a ridge > 0."""
        m = len(sums.matrix)
        matrix = sums.matrix.copy()
        matrix.reshape(-1)[:: m + 1] += ridge
        return cls(cholesky(matrix), float(np.trace(matrix)) / m, sums.rows or m)

    def direct(
        self, sums: Sums, ridge: float, seconds: dict[str, float]
    ) -> tuple[Doubles, SolveReport]:
        """Solve the complete system, and report the residual."""
        units = sizes_of(sums.right, axis=0)
        right = sums.right / units
        solution = as_doubles(self.factor.solve(right))
        rest = right - matmul(sums.matrix, solution) - ridge * solution
        sizes = np.linalg.norm(right, axis=0)
        report = SolveReport(
            residuals=np.linalg.norm(rest, axis=0) / np.where(sizes > 0, sizes, 1.0),
            products=1,
            rank=self.rank,
            memory=self.memory,
            smallest=1.0,
            largest=1.0,
            seconds=seconds,
        )
        return solution * units, report

    @property
    def memory(self) -> int:
        """Bytes of the factor."""
        return self.factor.factor.nbytes

    def solve(self, r: Doubles) -> Doubles:
        """Return ρ·P⁻¹·r for r of shape (m, c)."""
        return as_doubles(self.shift * self.factor.solve(r))
