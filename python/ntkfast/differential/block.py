"""Kernels between derivatives at some pairs of points, from Taylor coefficients."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ntkfast.derivatives import Doubles
from ntkfast.differential.functionals import Functionals, Partial
from ntkfast.differential.terms import Monomial, terms

__all__ = ["Block"]


@dataclass(frozen=True, eq=False)
class Block:
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

    def shared(
        self, left: Functionals, theirs: dict[Partial, float]
    ) -> dict[tuple[int, Partial], dict[Monomial, Doubles]]:
        """Return what all functionals on the left share, for one on the right."""
        orders = {order for ours in left.sums for order, _ in ours}
        return {
            (order, partial): self.sums(order, partial) for order in orders for partial in theirs
        }

    def absolute(self) -> Block:
        """Return the block whose kernels are sums of absolute values, as all factors are positive."""
        return Block(
            *(np.abs(each) for each in (self.x, self.others, self.s)),
            self.p,
            self.q,
            [np.abs(each) for each in self.coefficients],
        )

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
