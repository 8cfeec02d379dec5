"""What the first look at all points tells: their number, how to compute kernels, and a sample."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ntkfast._arrays import FloatArray
from ntkfast._ntkfast import Prepared, Program
from ntkfast._seed import Seed, as_generator
from ntkfast.kernels import KernelName, evaluate, merged
from ntkfast.nystroem._points import Band, Doubles, Points

__all__ = ["Reservoir", "Sample", "Survey", "prepared_for", "survey"]

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
        self.size, self.source = size, as_generator(seed)
        self._left_out = set() if left_out is None else {point.tobytes() for point in left_out}
        self._keys = np.empty(0)
        self._parts: list[Sample] = []

    def add(self, band: Band) -> None:
        """Look at further points."""
        keys = self.source.random(len(band.x))
        if band.weights is not None:
            keys = np.where(band.weights > 0, keys, np.inf)
        worst = self._keys.max(initial=0.0) if len(self._keys) >= self.size else np.inf
        some = np.flatnonzero(keys < worst)
        if self._left_out:
            new = [band.x[i].tobytes() not in self._left_out for i in some]
            some = some[np.array(new, bool)]
        if not some.size or not self.size:
            return
        self._keys = np.concatenate([self._keys, keys[some]])
        weights = np.ones(len(band.x)) if band.weights is None else band.weights
        self._parts.append(Sample(band.start + some, band.x[some], band.y[some], weights[some]))
        if len(self._keys) > self.size:
            best = np.sort(np.argpartition(self._keys, self.size)[: self.size])
            self._keys, self._parts = self._keys[best], [Sample.joined(self._parts).some(best)]

    @property
    def sample(self) -> Sample | None:
        """The points that were drawn; None if there are none."""
        return Sample.joined(self._parts) if self._parts else None


def survey(
    points: Points, program: Program, kernel: KernelName, size: int, seed: Seed
) -> tuple[Survey, ...]:
    """Read all points once, and draw a sample of at most `size` of them.

    Returns one survey for each result of the program, which differ in their traces.
    """
    reservoir, digest = Reservoir(size, seed), hashlib.sha256()
    recipe: dict[str, Any] | None = None
    n, weight = 0, 0.0
    traces = np.zeros(program.results)
    numbers = int(np.prod(points._shape, dtype=float))
    for band in points.bands(int(np.clip(_NUMBERS // max(numbers, 1), 64, 65_536))):
        prepared = program.prepare(band.x, None, 0)
        recipe = prepared.recipe if recipe is None else merged(recipe, prepared.recipe)
        own = diagonals(prepared, kernel, band.x)
        with np.errstate(over="ignore"):  # `ridge_of` refuses such weights
            traces += own.sum(axis=1) if band.weights is None else own @ band.weights
            weight += float(len(band.x) if band.weights is None else band.weights.sum())
        n += len(band.x)
        reservoir.add(band)
        for part in (band.x, band.y, band.weights):
            if part is not None:
                digest.update(part.tobytes())
    if recipe is None:
        raise ValueError("there are no points; expected at least one")
    found = reservoir.sample
    sample = points._first[0][:0] if found is None else found.x
    end = digest.hexdigest()
    return tuple(Survey(n, weight, float(trace), recipe, end, sample) for trace in traces)


def diagonals(prepared: Prepared, kernel: KernelName, x: FloatArray) -> Doubles:
    """Return the kernel of each point with itself, shape (results of the program, k)."""
    (found,) = evaluate(
        prepared, x, None, wanted=(kernel,), out=(None,), diagonal=True, progress=None, stacked=True
    )
    return found.astype(np.float64)


def prepared_for(program: Program, known: Survey, centres: FloatArray) -> Prepared:
    """Return the program ready for kernels between all points and the centres."""
    own = program.prepare(centres, None, 0).recipe
    recipe = {**merged(known.recipe, own), "pairs": known.n * len(centres)}
    return program.prepare_again(recipe)
