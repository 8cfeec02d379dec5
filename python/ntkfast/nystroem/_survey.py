"""What the first look at all points tells: their number, how to compute kernels, and a sample."""

from __future__ import annotations

import hashlib
from copy import copy
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from ntkfast._arrays import FloatArray
from ntkfast._ntkfast import Prepared, Program
from ntkfast.kernels import KernelName, evaluate, merged
from ntkfast.networks import Network
from ntkfast.nystroem._bands import AnyPoints, Band, Doubles

__all__ = ["Look", "Reservoir", "Sample", "Survey", "prepared_for", "survey"]

Seed: TypeAlias = int | np.random.SeedSequence

# Numbers of a band that is read at once.
_NUMBERS = 1 << 22


@dataclass(frozen=True, eq=False)
class Survey:
    """What is known of all points after they have been read once.

    Attributes
    ----------
    n
        Number of points.
    weight
        Sum of their weights, n if they have none.
    trace
        Sum of the kernel of each point with itself, times its weight.
    recipe
        What `Program.prepare_again` needs for kernels between any of them.
    digest
        Of all points, targets and weights.
    sample
        Shape (k, …): a uniform sample without replacement, in the order of the points.
    """

    n: int
    weight: float
    trace: float
    recipe: dict[str, Any]
    digest: str
    sample: FloatArray


@dataclass(frozen=True, eq=False)
class Sample:
    """Some points, in their order.

    Attributes
    ----------
    rows
        Shape (k,): their numbers among all points.
    x, y, weights
        Shapes (k, …), (k, c) and (k,).
    """

    rows: npt.NDArray[np.intp]
    x: FloatArray
    y: Doubles
    weights: Doubles

    @classmethod
    def joined(cls, parts: list[Sample]) -> Sample:
        """Return several samples as one."""
        fields = ([getattr(part, name) for part in parts] for name in cls.__annotations__)
        return cls(*map(np.concatenate, fields))

    def some(self, index: npt.NDArray[np.intp]) -> Sample:
        """Return some of the points."""
        return Sample(self.rows[index], self.x[index], self.y[index], self.weights[index])


class Reservoir:
    """A uniform sample of points with weights > 0: those with the smallest of random keys.

    Points that are equal to one of `left_out` are not drawn.
    """

    def __init__(self, size: int, seed: Seed, left_out: FloatArray | None = None) -> None:
        self.size, self._seed = size, seed
        self._left_out = set() if left_out is None else {point.tobytes() for point in left_out}
        self._keys = np.empty(0)
        self._parts: list[Sample] = []

    def add(self, band: Band) -> None:
        """Look at further points, whose keys depend on their numbers alone."""
        source = np.random.PCG64(self._seed)
        source.advance(band.start)
        keys = np.random.Generator(source).random(len(band.x))
        if band.weights is not None:
            keys = np.where(band.weights > 0, keys, np.inf)
        worst = self._keys.max(initial=0.0) if len(self._keys) >= self.size else np.inf
        some = np.flatnonzero(keys < worst)
        if self._left_out:
            new = [band.x[i].tobytes() not in self._left_out for i in some]
            some = some[np.array(new, bool)]
        if not some.size or not self.size:
            return
        weights = np.ones(len(band.x)) if band.weights is None else band.weights
        found = Sample(band.start + some, band.x[some], band.y[some], weights[some])
        self._join([self._keys, keys[some]], [*self._parts, found])

    def join(self, later: Reservoir) -> None:
        """Join what was drawn of points that follow."""
        self._join([self._keys, later._keys], [*self._parts, *later._parts])

    def _join(self, keys: list[Doubles], parts: list[Sample]) -> None:
        self._keys, self._parts = np.concatenate(keys), parts
        if len(self._keys) > self.size:
            best = np.sort(np.argpartition(self._keys, self.size)[: self.size])
            self._keys, self._parts = self._keys[best], [Sample.joined(self._parts).some(best)]

    @property
    def sample(self) -> Sample | None:
        """The points that were drawn; None if there are none."""
        return Sample.joined(self._parts) if self._parts else None


class Look:
    """A first look at points: the sums of a `Survey`, and a sample of at most `size` points."""

    def __init__(
        self, network: Network, kernel: KernelName, size: int, seed: Seed, *, by_depth: bool
    ) -> None:
        self._network, self._kernel, self._by_depth = network, kernel, by_depth
        self._reservoir = Reservoir(size, seed)
        self._recipe: dict[str, Any] | None = None
        self._digests: tuple[bytes, ...] = ()
        self._n, self._weight = 0, 0.0
        self._traces: Doubles = np.zeros(1)

    def add(self, band: Band) -> None:
        """Look at further points."""
        own = self._network
        program = own._program_by_depth if self._by_depth else own._program
        prepared = program.prepare(band.x, None, 0)
        diagonals = evaluate(
            prepared,
            band.x,
            None,
            wanted=(self._kernel,),
            out=(None,),
            diagonal=True,
            progress=None,
            stacked=True,
        )[0].astype(np.float64)
        with np.errstate(over="ignore"):  # `ridge_of` refuses such weights
            weights = np.ones(len(band.x)) if band.weights is None else band.weights
            traces = diagonals @ weights
            weight = float(weights.sum())
        digest = hashlib.sha256()
        for part in (band.x, band.y, band.weights):
            if part is not None:
                digest.update(part.tobytes())
        self._add(prepared.recipe, len(band.x), traces, weight, (digest.digest(),))
        self._reservoir.add(band)

    def join(self, later: Look) -> None:
        """Join what was found in points that follow."""
        if later._recipe is None:
            return
        self._add(later._recipe, later._n, later._traces, later._weight, later._digests)
        self._reservoir.join(later._reservoir)

    def __copy__(self) -> Look:
        again = Look.__new__(Look)
        vars(again).update(vars(self), _reservoir=copy(self._reservoir))
        return again

    def _add(
        self,
        recipe: dict[str, Any],
        n: int,
        traces: Doubles,
        weight: float,
        digests: tuple[bytes, ...],
    ) -> None:
        self._recipe = recipe if self._recipe is None else merged(self._recipe, recipe)
        self._n += n
        self._traces = self._traces + traces
        self._weight += weight
        self._digests += digests

    def surveys(self, none: FloatArray) -> tuple[Survey, ...]:
        """Return what is known, at each depth; the sample is `none` if no point can be drawn."""
        if self._recipe is None:
            raise ValueError("there are no points; expected at least one")
        found = self._reservoir.sample
        digest = hashlib.sha256(b"".join(self._digests)).hexdigest()
        sample = none if found is None else found.x
        n, weight, recipe = self._n, self._weight, self._recipe
        traces = self._traces.tolist()
        return tuple(Survey(n, weight, trace, recipe, digest, sample) for trace in traces)


def survey(
    points: AnyPoints, kernel: KernelName, size: int, seed: Seed, *, by_depth: bool = False
) -> tuple[Survey, ...]:
    """Read all points once, and draw a sample of at most `size` of them.

    Surveys by depth, one for each depth of the network, differ in their traces.
    """
    numbers = int(np.prod(points.shape, dtype=float))
    rows = int(np.clip(_NUMBERS // max(numbers, 1), 64, 65_536))
    look = points.summary(Look(points.network, kernel, size, seed, by_depth=by_depth), rows)
    return look.surveys(np.empty((0, *points.shape), points.dtype))


def prepared_for(program: Program, known: Survey, centres: FloatArray) -> Prepared:
    """Return the program ready for kernels between all points and the centres."""
    own = program.prepare(centres, None, 0).recipe
    recipe = {**merged(known.recipe, own), "pairs": known.n * len(centres)}
    return program.prepare_again(recipe)
