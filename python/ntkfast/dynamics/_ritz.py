"""The training of one residual, by the part of the spectrum of Θ that products show of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ntkfast._arrays import FloatArray
from ntkfast.dynamics._arguments import Times
from ntkfast.dynamics._filters import Filters, Share, blocks
from ntkfast.dynamics._krylov import Doubles, Krylov, norms
from ntkfast.dynamics.rules import Rule
from ntkfast.linalg import matmul
from ntkfast.operators import Operator
from ntkfast.solvers import PreparedEigen
from ntkfast.spectrum import Spectrum, eigh, relative_rounding

__all__ = ["Course"]


@dataclass(frozen=True, eq=False, repr=False)
class RitzSpectrum(Spectrum):
    """Eigenvalues of Θ on a subspace, whose rounding is that of the entries of Θ."""

    rounding: float = 0.0

    @property
    def tolerance(self) -> float:
        """The rounding of Θ, relative to its largest eigenvalue."""
        return self.rounding * float(self.eigenvalues.max(initial=0.0))


@dataclass(frozen=True, eq=False)
class Order:
    """Training in a subspace: filters of its Ritz values, and the residual in their basis."""

    filters: Filters
    modes: FloatArray

    def coordinates(self, share: Share, t: Times) -> Doubles:
        """Return a share of the residual along the basis of the subspace, (times, dimension, c)."""
        return self.filters.evolve(share, t, self.modes).astype(np.float64, copy=False)


class Course:
    """A residual y − f_0, shape (n, c), trained in subspaces that grow until times are resolved.

    Attributes
    ----------
    residual
        In float64.
    limit, reached
        The coefficients at t = ∞ and their relative residual, once they are known.
    """

    def __init__(self, op: Operator, ridge: float, rule: Rule, rate: float, residual: FloatArray):
        self.residual = residual.astype(np.float64)
        self.limit: FloatArray | None = None
        self.reached = 0.0
        self._ridge, self._rule, self._rate = ridge, rule, rate
        self._rounding = relative_rounding(len(residual), op.dtype)
        self._krylov = Krylov(op, self.residual)
        self._before, self._now = self._order(), self._order()

    @property
    def n(self) -> int:
        """Number of training points."""
        return len(self.residual)

    @property
    def products(self) -> int:
        """Number of products so far."""
        return len(self._krylov.dimensions) - 1

    @property
    def dimension(self) -> int:
        """Dimension of the subspace."""
        return self._krylov.dimensions[-1]

    @property
    def exhausted(self) -> bool:
        """Whether the subspace contains the whole course, so that only rounding is left."""
        return self._krylov.exhausted

    @property
    def nbytes(self) -> int:
        """Memory of the basis."""
        return self._krylov.nbytes

    @property
    def largest(self) -> float:
        """The largest eigenvalue on the subspace."""
        return float(self._now.filters.system.eigenvalues.max(initial=0.0))

    def extend(self) -> None:
        """Take a fifth more products, and decompose Θ on the larger subspace."""
        goal = self.products + max(2, self.products // 5)
        while self.products < goal and not self.exhausted:
            self._krylov.extend()
        self._before, self._now = self._now, self._order()

    def _order(self) -> Order:
        spectrum = eigh(self._krylov.projected)
        _check_semidefinite(spectrum, self._rounding)
        ritz = RitzSpectrum(spectrum.eigenvalues, spectrum.eigenvectors, self._rounding)
        system = PreparedEigen(np.asarray(self._ridge), jitter=0.0, seconds=0.0, spectrum=ritz)
        filters = Filters(self._rule, system, self._rate, np.dtype(np.float64))
        start = self._krylov.start
        modes: Doubles = ritz.eigenvectors[: len(start)].T @ start[: ritz.n]
        return Order(filters, modes)

    def error(self, share: Share, t: Times) -> float:
        """Return a bound of the error of outputs at all training points, up to the last time.

        The basis leaves out what Θ maps out of it: ρ(s), the last entries of the residual R(s)
        times the block `Krylov.beyond`. As dR/ds = −η·Θ·R, the error grows by at most η·‖ρ(s)‖·ds,
        and decays afterwards: its bound is the integral (with a ridge, twice that, by parts). See
        Botchev, Grimm, Hochbruck (2013), doi:10.1137/110820191.

        The bound is relative to y − f_0, for the worst column. Coefficients count by their own
        change by the last products, if that is larger.
        """
        if self.exhausted:
            return 0.0
        if self.products == 0:
            return np.inf
        bound = self._bound(float(t.max(initial=0.0)))
        return max(bound, self._change(t)) if share == "gathered" else bound

    def floor(self, t: Times) -> float:
        """Return how far rounding may lift the bound."""
        speed = self._rule.speed(self._rate) * float(t.max(initial=0.0))
        return float(8 * self.n**0.5 * np.finfo(np.float64).eps * speed * self.largest)

    def _bound(self, t: float) -> float:
        now, speed = self._now, self._rule.speed(self._rate)
        system, beyond = now.filters.system, self._krylov.beyond
        grid = self._rule.grid(t, speed * (self.largest + self._ridge))
        decay = self._rule.decay(system.eigenvalues, grid, rate=self._rate, ridge=self._ridge)
        last = beyond @ system.spectrum.eigenvectors[-beyond.shape[1] :]
        sizes = np.empty((grid.size, self.residual.shape[1]))
        for column, modes in enumerate(now.modes.T):
            sizes[:, column] = np.linalg.norm(matmul(last, decay.T * modes[:, None]), axis=0)
        steps = speed * np.diff(grid)[:, None] * (2 if self._ridge else 1)
        total = (steps * np.maximum(sizes[1:], sizes[:-1])).sum(axis=0)
        return float((total / _positive(norms(self.residual))).max(initial=0.0))

    def _change(self, t: Times) -> float:
        """Return the largest change of coefficients by the last products, relative to them."""
        worst = 0.0
        for some in blocks(t.size, 2 * self.dimension * self.residual.shape[1]):
            now = self._now.coordinates("gathered", t[some])
            sizes = np.linalg.norm(now, axis=1)
            now[:, : len(self._before.modes)] -= self._before.coordinates("gathered", t[some])
            change = np.linalg.norm(now, axis=1) / _positive(sizes)
            worst = max(worst, float(change.max(initial=0.0)))
        return worst

    def movement(self, t: Times) -> float:
        """Return the largest change of outputs by the last products, relative to y − f_0."""
        now = self._now.coordinates("learnt", t)
        now[:, : len(self._before.modes)] -= self._before.coordinates("learnt", t)
        change = np.linalg.norm(now, axis=1) / _positive(norms(self.residual))
        return float(change.max(initial=0.0))

    def outputs(self, share: Share, t: Times, *, before: bool = False) -> Doubles:
        """Return a share of the residual on all points, (k, n, c), in this order or the last."""
        coordinates = (self._before if before else self._now).coordinates(share, t)
        k, dimension, c = coordinates.shape
        columns = coordinates.swapaxes(0, 1).reshape(dimension, k * c)
        return self._krylov.combine(columns).reshape(self.n, k, c).swapaxes(0, 1)

    def squares(self, t: Times) -> npt.NDArray[np.float64]:
        """Return the sum of the squares of the residuals, shape (k,)."""
        return self._now.filters.squares(t, self._now.modes)

    def warn_of_rounding(self, t: Times) -> None:
        """Warn of times at which rounding of Θ shows."""
        self._now.filters.warn_of_rounding(t)


def _positive(sizes: Doubles) -> Doubles:
    """Return sizes to divide by: 1 for 0."""
    return np.where(sizes > 0, sizes, 1.0)


def _check_semidefinite(spectrum: Spectrum, rounding: float) -> None:
    """Reject negative eigenvalues that rounding cannot explain; those of Θ go at least as far."""
    if spectrum.n == 0:
        return
    smallest, largest = float(spectrum.eigenvalues[0]), float(spectrum.eigenvalues[-1])
    # The usual formulae for kernels lose half of the digits for identical points.
    if smallest < -(rounding**0.5) * max(largest, -smallest):
        raise ValueError(
            f"theta is not positive semi-definite: v·theta·v is {smallest:.6g} for a vector v of "
            f"norm 1, and {largest:.6g} for another one, and rounding cannot explain that; "
            "expected the kernel between the training points"
        )
