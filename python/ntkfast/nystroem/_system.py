"""The normal equations of Nyström regression in orthonormal features, by passes over all points.

With centres Z, C = K(X, Z), K(Z, Z) + j = L·Lᵀ and features C·L⁻ᵀ, coefficients β = L⁻ᵀ·v minimise
Σ w_i (y_i − (C·β)_i)² + r·βᵀ(K(Z, Z) + j)·β where (L⁻¹·CᵀW·C·L⁻ᵀ + r)·v = L⁻¹·CᵀW·y. In these
features the condition number is at most 1 + trace(K)/r, whatever that of K(Z, Z).
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import ClassVar

import numpy as np

from ntkfast._arrays import FloatArray, sizes_of
from ntkfast._progress import reporting
from ntkfast.nystroem._bands import Band, Doubles
from ntkfast.nystroem._matrix import NormalPreconditioner, Sums
from ntkfast.nystroem._passes import AnyPasses, Totals, add_gathered, outputs, total_of
from ntkfast.nystroem._problem import Problem
from ntkfast.nystroem._survey import Survey
from ntkfast.operators import Operator
from ntkfast.operators._columns import columns_of
from ntkfast.operators.operator import Indices
from ntkfast.solvers import SolveReport
from ntkfast.solvers._refinement import Refinement, Task

__all__ = ["System", "WhitenedNormal"]

_REMEDY = "increase diag_reg, or use fewer centres"


@dataclass(frozen=True, eq=False)
class System:
    """The normal equations with a preconditioner, which took so many seconds to make."""

    problem: Problem
    ridge: float
    sums: Sums
    preconditioner: NormalPreconditioner
    seconds: float

    def solve(
        self, tol: float, most_products: int, checkpoint: str | PathLike[str] | None
    ) -> tuple[Doubles, SolveReport]:
        """Solve them by conjugate gradients; see `NystroemRegression`."""
        problem = self.problem
        task = Task(
            stages=(WhitenedNormal(problem.passes, problem.known),),
            ridge=self.ridge,
            preconditioner=self.preconditioner,
            name="the normal equations",
            remedy=_REMEDY,
            most_products=most_products,
            checkpoint=None if checkpoint is None else Path(checkpoint),
            settings=("Nyström", problem.rows, problem.settings.seed),
            seconds=self.seconds,
        )
        sizes = sizes_of(self.sums.right, axis=0)
        b = self.sums.right / sizes
        run = Refinement(task, b, tol * np.linalg.norm(b, axis=0))
        with reporting(problem.settings.progress, "Nyström", "digit") as report:
            solution = run.run(report)
        run.warn(tol)
        return solution * sizes, run.report


class WhitenedNormal(Operator):
    """L⁻¹·CᵀW·C·L⁻ᵀ, shape (m, m): a product is one pass, with every kernel value computed once."""

    def __init__(self, passes: AnyPasses, known: Survey) -> None:
        self.passes, self._known = passes, known

    @property
    def shape(self) -> tuple[int, int]:
        """(m, m)."""
        return self.passes.features.m, self.passes.features.m

    @property
    def dtype(self) -> np.dtype[np.floating]:
        """The type of the kernel."""
        return self.passes.points.dtype

    @property
    def symmetric(self) -> bool:
        """True."""
        return True

    def _multiply(self, vectors: Doubles, *, transposed: bool) -> FloatArray:
        factor = self.passes.features.factor
        inner = columns_of(np.ascontiguousarray(factor.solve_upper(vectors), np.float64))
        totals = self.passes.total(_Product(inner))
        return factor.solve_lower(np.concatenate([totals[i] for i in range(len(inner))], axis=1))

    def _entries(self, rows: Indices, columns: Indices | None) -> FloatArray:
        units = np.zeros((len(self), len(rows)))
        units[rows, np.arange(len(rows))] = 1.0
        found = (self @ units).T
        return found if columns is None else found[:, columns]

    def _diagonal(self) -> FloatArray:
        return self._entries(np.arange(len(self)), None).diagonal()

    def trace(self) -> float:
        """Return a bound of the trace: that of the kernel of all points."""
        return self._known.trace

    def fingerprint(self) -> str:
        """Return a digest of the points, the targets, the centres and the network."""
        both = self._known.digest + self.passes.features.digest()
        return hashlib.sha256(both.encode()).hexdigest()

    @property
    def kept(self) -> int:
        """Bytes of kept bands."""
        return self.passes.kept


@dataclass(frozen=True, eq=False)
class _Product:
    """CᵀW·C·v for the columns of v, some at a time."""

    large: ClassVar[bool] = False
    columns: list[Doubles]

    def add(self, band: Band, block: FloatArray, totals: Totals) -> None:
        for i, part in enumerate(self.columns):
            found = outputs(block, part, band.weights)
            add_gathered(block, found, total_of(totals, i, part.shape))
