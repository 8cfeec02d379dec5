"""Points by their directions, and what derivatives of pairs along coordinates are made of."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from ntkfast._derivatives import Doubles

__all__ = ["Directions", "Pairs"]

# The coordinate that short rows have in addition, and the mean square from which rows have none.
_ADDED, _SHORT = -1, 0.1


@dataclass(frozen=True, eq=False)
class Directions:
    """Points by their lengths and directions.

    Short rows have an additional coordinate: rows of zeros have no direction, and derivatives by
    the directions of others are large.
    """

    # ‖x‖²/d, and the square of the additional coordinate over d: 1 for short rows, else 0.
    variances: Doubles
    added: Doubles
    # Unit vectors with that coordinate, one row for each coordinate, and root mean squares.
    units: Doubles
    scales: Doubles

    @classmethod
    def of(cls, points: Doubles) -> Directions:
        """Return the directions of rows of features."""
        features = points.shape[1]
        variances = np.einsum("ij,ij->i", points, points) / features
        added = np.where(variances < _SHORT, 1.0, 0.0)
        scales = np.sqrt(variances + added)
        whole = np.vstack([points.T, np.sqrt(features) * added])
        return cls(variances, added, whole / (np.sqrt(features) * scales), scales)

    def part(self, rows: slice) -> Directions:
        """Return some of the points."""
        whole = (self.variances, self.added, self.units.T, self.scales)
        variances, added, units, scales = (each[rows] for each in whole)
        return Directions(variances, added, units.T, scales)

    @property
    def features(self) -> int:
        """Return the number of coordinates, without the additional one."""
        return len(self.units) - 1

    @property
    def lengths(self) -> Doubles:
        """Return the lengths of all points."""
        found: Doubles = self.scales * np.sqrt(self.features)
        return found

    @property
    def column(self) -> Doubles:
        """Return the unit vectors as points on the left have them: shape (d + 1, n, 1)."""
        return self.units[:, :, None]

    @property
    def row(self) -> Doubles:
        """Return the unit vectors as points on the right have them: shape (d + 1, 1, m)."""
        return self.units[:, None, :]


@dataclass(frozen=True, eq=False)
class Pairs:
    """Pairs of points by their unit vectors u and v and their cosine c.

    Quantities of coordinates i of the first point and j of the second are those of `terms`. Those
    of the second point alone are those of the first in the pairs `exchanged`.
    """

    u: Doubles
    v: Doubles
    cosine: Doubles
    # Y_i, as far as they have been asked for.
    known: dict[int, Doubles] = field(default_factory=dict)

    @cached_property
    def exchanged(self) -> Pairs:
        """Return the same pairs with the second point first."""
        return Pairs(self.v, self.u, self.cosine)

    def factor(self, powers: tuple[int, int, int], i: int) -> Doubles:
        """Return powers of u_i, Y_i and g_i."""
        found: Doubles = np.ones((1, 1))
        for quantity, power in enumerate(powers):
            for _ in range(power):
                found = found * (self.u[i], self._y(i), self._g(i))[quantity]
        return found

    def w(self, i: int, j: int) -> Doubles:
        """Return W_ij."""
        own: Doubles = self._g(i) if i == j else -self.u[i] * self.u[j]
        found: Doubles = own - self.v[j] * self._y(i)
        return found

    def total(self, powers: tuple[int, int, int]) -> Doubles:
        """Return the sum of powers of u_i, Y_i and g_i over all i."""
        u, y = self.u[_ADDED], self._y(_ADDED)
        found: Doubles
        if powers == (0, 0, 1):
            found = (len(self.u) - 2) + u * u
        elif powers == (2, 0, 0):
            found = 1.0 - u * u
        elif powers == (1, 1, 0):
            found = -u * y
        else:
            found = (1.0 - self.cosine) * (1.0 + self.cosine) - y * y
        return found

    def total_with(self, powers: tuple[int, int, int], both: int, j: int) -> Doubles:
        """Return the sum of powers of u_i, Y_i, g_i and W_ij over all i."""
        z, w = self.exchanged._y(j), self.w(_ADDED, j)
        found: Doubles
        if both == 2:
            found = self.exchanged._g(j) - z * z - w * w
        elif powers[0]:
            found = -self.u[_ADDED] * w
        else:
            found = -self.cosine * z - self._y(_ADDED) * w
        return found

    def total_of_both(
        self, left: tuple[int, int, int], right: tuple[int, int, int], both: int
    ) -> Doubles:
        """Return the sum of powers of u_i, Y_i and g_i, of v_j, Z_j and h_j, and of W_ij."""
        other, c = self.exchanged, self.cosine
        u, v, y, z = self.u[_ADDED], self.v[_ADDED], self._y(_ADDED), other._y(_ADDED)
        w = self.w(_ADDED, _ADDED)
        found: Doubles
        if both == 2:
            rest = self._g(_ADDED) - y * y - w * w
            found = other.total((0, 0, 1)) - other.total((0, 2, 0)) - rest
        elif left[0] and right[0]:
            found = u * v * w
        elif left[0]:
            found = u * (c * y + z * w)
        elif right[0]:
            found = v * (c * z + y * w)
        else:
            found = y * (c * y + z * w) - c * other.total((0, 2, 0))
        return found

    def _g(self, i: int) -> Doubles:
        found: Doubles = (1.0 - self.u[i]) * (1.0 + self.u[i])
        return found

    def _y(self, i: int) -> Doubles:
        found = self.known.get(i)
        if found is None:
            found = self.known[i] = self.v[i] - self.cosine * self.u[i]
        return found
