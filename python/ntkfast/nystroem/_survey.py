"""What the first look at all points tells: their number, how to compute kernels, and a sample."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ntkfast._arrays import FloatArray
from ntkfast._ntkfast import Prepared
from ntkfast._seed import Seed, as_generator
from ntkfast.kernels import KernelName, evaluate, merged
from ntkfast.networks import Network
from ntkfast.nystroem._points import Band, Points

__all__ = ["Reservoir", "Survey", "prepared_for", "survey"]

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
    rows, sample
        Shapes (k,) and (k, …): a uniform sample without replacement, in the order of the points.
    """

    n: int
    weight: float
    trace: float
    recipe: dict[str, Any]
    digest: str
    rows: npt.NDArray[np.intp]
    sample: FloatArray


class Reservoir:
    """A uniform sample of points with weights > 0: those with the smallest of random keys."""

    def __init__(self, size: int, seed: Seed) -> None:
        self.size, self.source = size, as_generator(seed)
        self.keys = np.empty(0)
        self.rows = np.empty(0, np.intp)
        self.points: list[FloatArray] = []

    def add(self, band: Band) -> None:
        """Look at further points."""
        keys = self.source.random(len(band.x))
        if band.weights is not None:
            keys = np.where(band.weights > 0, keys, np.inf)
        worst = self.keys.max(initial=0.0) if len(self.keys) >= self.size else np.inf
        some = np.flatnonzero(keys < worst)
        if not some.size or not self.size:
            return
        self.keys = np.concatenate([self.keys, keys[some]])
        self.rows = np.concatenate([self.rows, band.start + some])
        self.points.append(band.x[some])
        if len(self.keys) > self.size:
            best = np.sort(np.argpartition(self.keys, self.size)[: self.size])
            self.points = [np.concatenate(self.points)[best]]
            self.keys, self.rows = self.keys[best], self.rows[best]


def survey(points: Points, network: Network, kernel: KernelName, size: int, seed: Seed) -> Survey:
    """Read all points once, and draw a sample of at most `size` of them."""
    reservoir, digest = Reservoir(size, seed), hashlib.sha256()
    recipe: dict[str, Any] | None = None
    n, trace, weight = 0, 0.0, 0.0
    numbers = int(np.prod(points._shape, dtype=float))
    for band in points.bands(int(np.clip(_NUMBERS // max(numbers, 1), 64, 65_536))):
        prepared = network._program.prepare(band.x, None, 0)
        recipe = prepared.recipe if recipe is None else merged(recipe, prepared.recipe)
        own = evaluate(
            prepared, band.x, None, wanted=(kernel,), out=(None,), diagonal=True, progress=None
        )[0].astype(np.float64)
        with np.errstate(over="ignore"):  # `ridge_of` refuses such weights
            trace += float(own.sum() if band.weights is None else own @ band.weights)
            weight += float(len(own) if band.weights is None else band.weights.sum())
        n += len(band.x)
        reservoir.add(band)
        for part in (band.x, band.y, band.weights):
            if part is not None:
                digest.update(part.tobytes())
    if recipe is None:
        raise ValueError("there are no points; expected at least one")
    sample = np.concatenate(reservoir.points) if reservoir.points else points._first[0][:0]
    return Survey(n, weight, trace, recipe, digest.hexdigest(), reservoir.rows, sample)


def prepared_for(network: Network, known: Survey, centres: FloatArray) -> Prepared:
    """Return the network ready for kernels between all points and the centres."""
    own = network._program.prepare(centres, None, 0).recipe
    recipe = {**merged(known.recipe, own), "pairs": known.n * len(centres)}
    return network._program.prepare_again(recipe)
