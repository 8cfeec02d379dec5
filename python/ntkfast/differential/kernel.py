"""Kernels between functionals of points, some rows at a time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ntkfast._memory import zeros
from ntkfast._ntkfast import Program
from ntkfast._ntkfast import taylor as core_taylor
from ntkfast._progress import Report
from ntkfast.derivatives import Doubles, within
from ntkfast.differential.functionals import Functionals, Partial
from ntkfast.differential.terms import Monomial, count, terms
from ntkfast.linalg import matmul

__all__ = ["fill"]

# Numbers of a block of rows: coefficients that stay in cache until they have been summed.
_NUMBERS = 1 << 20


def fill(
    out: npt.NDArray[np.floating],
    program: Program,
    points: tuple[Doubles, Doubles],
    functionals: tuple[Functionals, Functionals],
    *,
    ntk: bool,
    report: Report | None = None,
) -> None:
    """Write the kernel of the functionals at two sets of points to out, shape (n, a, m, b)."""
    left, right = functionals
    x, others = points
    n, m = len(x), len(others)
    features = x.shape[1]
    degree = left.order + right.order
    used = count(degree)
    step = max(1, min(n, _NUMBERS // max(used * m, 1)))
    memory = [zeros((step, m), np.float64, "derivatives of a kernel") for _ in range(used)]
    with np.errstate(over="ignore", invalid="ignore"):
        p, q = (np.einsum("ij,ij->i", each, each) / features for each in points)
    for start in range(0, n, step):
        rows = slice(start, min(start + step, n))
        own = x[rows]
        with np.errstate(over="ignore", invalid="ignore"):
            s = np.ascontiguousarray(matmul(own, others.T)) / features
            coefficients = [plane[: len(own)] for plane in memory]
            core_taylor(program, features, [s, p[rows], q], degree, ntk, coefficients)
            block = _Block(own, others, s, p[rows], q, coefficients)
            for j, theirs in enumerate(right.sums):
                # What the functionals on the left share.
                sums = {
                    (order, partial): block.sums(order, partial)
                    for order in {order for ours in left.sums for order, _ in ours}
                    for partial in theirs
                }
                for i, ours in enumerate(left.sums):
                    out[rows, i, :, j] = within(block.between(ours, theirs, sums), out.dtype)
        if report is not None:
            report(rows.stop, n)


@dataclass(frozen=True, eq=False)
class _Block:
    """Some rows on the left, all on the right, and the Taylor coefficients of their kernel."""

    x: Doubles
    others: Doubles
    s: Doubles
    p: Doubles
    q: Doubles
    coefficients: list[Doubles]

    def between(
        self,
        ours: dict[Partial, float],
        theirs: dict[Partial, float],
        sums: dict[tuple[int, Partial], dict[Monomial, Doubles]],
    ) -> Doubles:
        """Return the kernel between two sums of partial derivatives."""
        total: Doubles = np.zeros_like(self.s)
        for (order, axis), weight in ours.items():
            for partial, other in theirs.items():
                part = self.derivative(axis, partial[1], order, sums[order, partial])
                total += weight * other * part
        return total

    def sums(self, order: int, partial: Partial) -> dict[Monomial, Doubles]:
        """Return what each monomial of the left coordinate is multiplied with.

        Monomials whose coordinates are equal keep both parts.
        """
        features = self.x.shape[1]
        found: dict[Monomial, Doubles] = {}
        for monomial, places in terms(order, partial[0]).items():
            total: Doubles = np.zeros_like(self.s)
            for place, (factor, power) in places.items():
                total += (factor / features**power) * self.coefficients[place]
            key = monomial
            if not monomial.equal:
                total = self._times(total, monomial.right, partial[0], partial[1])
                key = Monomial(monomial.left, (0, 0), False)
            found[key] = found[key] + total if key in found else total
        return found

    def derivative(
        self, ours: int | None, theirs: int | None, order: int, sums: dict[Monomial, Doubles]
    ) -> Doubles:
        """Return the derivative by these coordinates."""
        total: Doubles = np.zeros_like(self.s)
        for monomial, values in sums.items():
            if not monomial.equal:
                total += self._times(values, monomial.left, order, ours)
            elif ours is None or theirs is None or ours == theirs:
                powers = (
                    monomial.left[0] + monomial.right[0],
                    monomial.left[1] + monomial.right[1],
                )
                axis = theirs if ours is None else ours
                total += self._times(values, powers, order, axis)
        return total

    def _times(
        self, values: Doubles, powers: tuple[int, int], order: int, axis: int | None
    ) -> Doubles:
        """Return values times x_i^a·x'_i^b, or for a Laplacian times the sum over all i."""
        if axis is None and order == 2:
            features = float(self.x.shape[1])
            moments: dict[tuple[int, int], Doubles | float] = {
                (0, 0): features,
                (1, 1): features * self.s,
                (2, 0): features * self.p[:, None],
                (0, 2): features * self.q,
            }
            found: Doubles = values * moments[powers]
            return found
        if axis is None:
            return values
        for _ in range(powers[0]):
            values = values * self.x[:, axis, None]
        for _ in range(powers[1]):
            values = values * self.others[:, axis]
        return values
