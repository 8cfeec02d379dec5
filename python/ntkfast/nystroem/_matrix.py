"""CᵀW·C in orthonormal features: complete, or from a sketch of the points, as preconditioner."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ntkfast._arrays import FloatArray, sizes_of
from ntkfast._memory import zeros
from ntkfast._progress import Progress, reporting
from ntkfast.linalg import Cholesky, cholesky, matmul
from ntkfast.nystroem._points import Band, Doubles, Points, as_doubles
from ntkfast.nystroem._system import Features, Passes, add_gathered
from ntkfast.solvers import SolveReport

__all__ = ["PER_CENTRE", "Gathering", "NormalPreconditioner", "Sums", "gather", "sketch_rows"]

# Centres for which the complete matrix costs less than the steps that a sketch takes instead.
_FEW = 2048
# Rows that are mixed with random signs, and the rows of the sketch that they become.
_MIXED, _INTO = 256, 64
# Rows of the sketch per centre: more of them save steps.
PER_CENTRE = 6
_COLUMNS = 1024
# Rows of the sketch that are taken at once: each time the matrix is read and written.
_AT_ONCE = 4096
_FEWER = "use fewer centres"


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


class Gathering:
    """Sums for one network that grow band by band.

    A sketch of s rows costs 128·n·m operations and 2·s·m², the complete matrix 2·n·m².

    The sketch mixes 256 points with random signs into 64 rows, at a random place: a sparse sign
    embedding whose columns have 64 entries beside each other. See Cohen (2016),
    doi:10.1137/1.9781611974331.ch21.
    """

    def __init__(self, features: Features, points: Points, rows: int, seed: int) -> None:
        m, c = features.m, max(1, int(np.prod(points.outputs, dtype=float)))
        self._features, self._rows = features, rows
        self._right = np.zeros((m, c))
        self._matrix = zeros((m, m), np.float64, "the normal equations", _FEWER)
        self._sketch = zeros((rows, m), points.dtype, "the sketch", _FEWER)
        self._source = np.random.default_rng([seed, 1])

    def add(self, band: Band, block: FloatArray) -> None:
        """Add a band, with its kernel."""
        w = np.ones((1, 1)) if band.weights is None else band.weights[:, None]
        with np.errstate(over="ignore", invalid="ignore"):  # checked in `sums`
            if self._rows:
                add_gathered(block, w * band.y, self._right)
                _mix(block * np.sqrt(w).astype(block.dtype), self._sketch, self._source)
            else:
                phi = self._features.of(block)
                self._right += matmul(phi, w * band.y)
                _add_products(phi * np.sqrt(w).T, self._matrix)

    def sums(self) -> Sums:
        """Return the sums of all bands."""
        right, matrix, features = self._right, self._matrix, self._features
        with np.errstate(over="ignore", invalid="ignore"):
            _check_range(right, self._sketch if self._rows else matrix)
        if self._rows:
            right = as_doubles(features.factor.solve_lower(right))
            for start in range(0, self._rows, _AT_ONCE):
                _add_products(features.of(self._sketch[start : start + _AT_ONCE]), matrix)
        _mirror(matrix)
        return Sums(right, matrix, self._rows)


def gather(passes: Passes, n: int, rows: int, seed: int, progress: Progress) -> Sums:
    """Gather the sums in one pass."""
    gathering = Gathering(passes.features, passes.points, rows, seed)
    with reporting(progress, "Nyström: first pass", "point") as report:
        for band, block in passes.with_points():
            gathering.add(band, block)
            if report is not None:
                report(band.start + len(block), n)
    return gathering.sums()


def _check_range(right: Doubles, whole: FloatArray) -> None:
    for sums, name in ((right, "targets"), (whole, "sample_weight")):
        if not np.isfinite(sums.sum(dtype=np.float64)):  # without an array of truth values
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


def _mix(block: FloatArray, sketch: FloatArray, source: np.random.Generator) -> None:
    for start in range(0, len(block), _MIXED):
        some = block[start : start + _MIXED]
        signs = source.integers(0, 2, (_INTO, len(some))) * 2 - 1
        mixed = matmul((signs / _INTO**0.5).astype(block.dtype), some)
        place = int(source.integers(len(sketch)))
        fitting = min(_INTO, len(sketch) - place)
        sketch[place : place + fitting] += mixed[:fitting]
        sketch[: _INTO - fitting] += mixed[fitting:]


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
