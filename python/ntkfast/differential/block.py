"""Kernels between derivatives at some pairs of points, from Taylor coefficients."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ntkfast._derivatives import Doubles
from ntkfast.differential.functionals import Functionals, Partial
from ntkfast.differential.points import Pairs
from ntkfast.differential.terms import Monomial, terms

__all__ = ["Block"]

_NONE = (0, 0, 0)


@dataclass(frozen=True, eq=False)
class Block:
    """Pairs of points, with the Taylor coefficients of their kernel."""

    pairs: Pairs
    # Lengths of the first points, shape (n, 1), and of the second, shape (1, m).
    lengths: tuple[Doubles, Doubles]
    coefficients: list[Doubles]

    def between(
        self,
        ours: dict[Partial, float],
        theirs: dict[Partial, float],
        sums: dict[tuple[int, Partial], dict[Monomial, Doubles]],
    ) -> Doubles:
        """Return the kernel between two sums of partial derivatives."""
        total: Doubles = np.zeros(self.pairs.cosine.shape)
        for (order, axis), weight in ours.items():
            for partial, other in theirs.items():
                part = self._derivative(axis, partial[1], sums[order, partial])
                part *= weight * other / self.lengths[0] ** order
                total += part
        return total

    def shared(
        self, left: Functionals, theirs: dict[Partial, float]
    ) -> dict[tuple[int, Partial], dict[Monomial, Doubles]]:
        """Return what all functionals on the left share, for one on the right."""
        orders = {order for ours in left.sums for order, _ in ours}
        return {
            (order, partial): self._sums(order, partial) for order in orders for partial in theirs
        }

    def _sums(self, order: int, partial: Partial) -> dict[Monomial, Doubles]:
        """Return what each monomial of the left coordinate is multiplied with.

        Powers of the right coordinate are part of it, unless they are summed with those of both.
        """
        other, axis = partial
        found: dict[Monomial, Doubles] = {}
        for monomial, by_power in terms(order, other).items():
            total: Doubles = np.zeros(self.pairs.cosine.shape)
            for power, places in by_power.items():
                part = sum(factor * self.coefficients[place] for place, factor in places.items())
                total += part * self.pairs.cosine**power
            total /= self.lengths[1] ** other
            key = monomial
            if axis is not None:
                total *= self.pairs.exchanged.factor(monomial.right, axis)
                key = Monomial(monomial.left, _NONE, monomial.both)
            elif other and not monomial.both:
                total *= self.pairs.exchanged.total(monomial.right)
                key = Monomial(monomial.left, _NONE, 0)
            found[key] = found[key] + total if key in found else total
        return found

    def _derivative(self, i: int | None, j: int | None, sums: dict[Monomial, Doubles]) -> Doubles:
        """Return the derivative by these coordinates, where None stands for their sum."""
        total: Doubles = np.zeros(self.pairs.cosine.shape)
        for (left, right, both), values in sums.items():
            if i is not None:
                factor = self.pairs.factor(left, i)
                if both and j is not None:
                    factor = factor * self.pairs.w(i, j) ** both
                elif both:
                    factor = factor * self.pairs.exchanged.total_with(right, both, i)
            elif both and j is not None:
                factor = self.pairs.total_with(left, both, j)
            elif both:
                factor = self.pairs.total_of_both(left, right, both)
            elif left == _NONE:
                factor = np.ones((1, 1))
            else:
                factor = self.pairs.total(left)
            total += values * factor
        return total
