"""A regression before it is solved: points, centres, and how kernels between them are computed."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from ntkfast._arrays import FloatArray
from ntkfast._foreign import is_dask
from ntkfast._ntkfast import Prepared
from ntkfast._progress import Progress
from ntkfast._scalars import as_choice, as_count, as_real
from ntkfast.data import Chunks
from ntkfast.kernels import KernelName
from ntkfast.networks import Network
from ntkfast.networks.composition import as_network
from ntkfast.nystroem._bands import AnyPoints
from ntkfast.nystroem._centres import Centres, choose, sample_size
from ntkfast.nystroem._distributed import DistributedPasses, DistributedPoints
from ntkfast.nystroem._features import Features, whitening
from ntkfast.nystroem._matrix import Sums, gather, sketch_rows
from ntkfast.nystroem._passes import AnyPasses, Passes, kernel_of
from ntkfast.nystroem._points import Points
from ntkfast.nystroem._survey import Reservoir, Sample, Survey, prepared_for, survey

__all__ = ["Problem", "Settings", "points_of", "ridge_of"]

_ROUNDINGS = 4


@dataclass(frozen=True)
class Settings:
    """How to choose centres and to compute kernels, as users pass it."""

    centres: npt.ArrayLike
    sampling: str
    kernel: KernelName
    seed: int
    memory: float | None
    dtype: npt.DTypeLike | None
    progress: Progress

    def __post_init__(self) -> None:
        as_choice(self.kernel, "kernel", ("ntk", "nngp"))
        as_choice(self.sampling, "sampling", ("pivots", "uniform"))
        as_count(self.seed, "seed", least=0)
        if self.memory is not None:
            as_real(self.memory, "memory", least=0.0)

    def survey(self, points: AnyPoints, *, by_depth: bool = False) -> tuple[Survey, ...]:
        """Read all points once; one survey, or one for each depth of the network."""
        size = sample_size(self.centres, self.sampling)
        return survey(points, self.kernel, size, self.seed, by_depth=by_depth)

    def choose(self, points: AnyPoints, known: Survey) -> Centres:
        """Return the centres."""
        found = choose(
            points.network,
            self.kernel,
            self.centres,
            known.sample,
            known.n,
            self.sampling,
            self.seed,
            points.dtype,
            self.progress,
        )
        _check_alike(found.points, points)
        return found


@dataclass(frozen=True, eq=False)
class Problem:
    """Points that have been looked at once, and their centres."""

    points: AnyPoints
    known: Survey
    features: Features
    prepared: Prepared
    passes: AnyPasses
    unexplained: float
    rows: int
    """Of the sketch; 0 for the complete normal equations."""
    settings: Settings

    @classmethod
    def of(
        cls,
        network: Network,
        x: npt.ArrayLike | Chunks,
        y: npt.ArrayLike | None,
        weights: npt.ArrayLike | None,
        settings: Settings,
        regularisation: tuple[float, float] | None = None,
        *,
        again: bool = False,
    ) -> Problem:
        """Read all points once, and choose the centres.

        With an absolute and a relative regularisation, a sketch is used for many centres. Kernel
        values are kept for further passes, after a sketch or if there are passes `again`.
        """
        points = points_of(as_network(network, "network"), x, y, weights, settings.dtype)
        (known,) = settings.survey(points)
        centres = settings.choose(points, known)
        return cls.on_centres(points, known, centres, settings, regularisation, again=again)

    @classmethod
    def on_centres(
        cls,
        points: AnyPoints,
        known: Survey,
        centres: Centres,
        settings: Settings,
        regularisation: tuple[float, float] | None = None,
        *,
        again: bool = False,
    ) -> Problem:
        """Return the problem for points that have been read, on centres that are chosen."""
        m, rows, least = len(centres.points), 0, 0.0
        if regularisation is not None and (rows := sketch_rows(known.n, m)):
            # Products of kernels have rounding of that size, which the jitter has to exceed.
            ratio = known.trace / ridge_of(*regularisation, known) * (m / known.n) ** 0.5
            least = _ROUNDINGS * float(np.finfo(float).eps) * ratio * known.trace / known.weight
        features = whitening(points.network, settings.kernel, centres.points, least)
        prepared = prepared_for(points.network._program, known, centres.points)
        memory = settings.memory if rows or again else 0.0
        passes = passes_over(points, features, prepared, memory)
        return cls(points, known, features, prepared, passes, centres.residual, rows, settings)

    def gather(self, rows: int) -> Sums:
        """Gather the sums with a sketch of so many rows, or for 0 with the complete matrix."""
        own = self.settings
        return gather(self.passes, self.known.n, rows, own.seed, own.progress)

    def with_least_jitter(self) -> Problem:
        """Return the same for one pass, without the jitter that conjugate gradients need."""
        own = self.features
        features = whitening(own.network, own.kernel, own.centres)
        passes = passes_over(self.points, features, self.prepared, 0.0)
        return replace(self, features=features, passes=passes)

    def kernel(self, x: FloatArray) -> FloatArray:
        """Return the kernel between some of the points and the centres."""
        return kernel_of(self.prepared, self.features.kernel, x, self.features.centres)

    def drawn(self, count: int, seed: int) -> Sample:
        """Draw at most so many points that are no centres."""
        source = np.random.SeedSequence([seed, 3])
        reservoir = self.points.summary(
            Reservoir(count, source, self.features.centres), self.passes.rows
        )
        if reservoir.sample is None:
            raise ValueError(
                "every point is a centre or equals one, so none can be left out; use fewer "
                "centres, or KernelRegression.leave_one_out"
            )
        return reservoir.sample


def points_of(
    network: Network,
    x: npt.ArrayLike | Chunks,
    y: npt.ArrayLike | None,
    weights: npt.ArrayLike | None,
    dtype: npt.DTypeLike | None,
) -> AnyPoints:
    """Return the points of a fit: of this process, or of the workers of Dask."""
    kind = DistributedPoints if is_dask(x) and y is not None else Points
    return kind(network, x, y, weights, dtype)


def passes_over(
    points: AnyPoints,
    features: Features,
    prepared: Prepared,
    memory: float | None,
) -> AnyPasses:
    """Return passes over the points: in this process, or on the workers of Dask."""
    if isinstance(points, DistributedPoints):
        return DistributedPasses(points, features, prepared, memory)
    assert isinstance(points, Points)
    return Passes(points, features, prepared, memory)


def ridge_of(diag_reg: float, relative: float, known: Survey) -> float:
    """Return the regularisation r: absolute, and relative to the mean of the kernel's diagonal.

    It is at least rounding of the normal equations, of which the smallest eigenvalues are rounding.
    """
    absolute = as_real(diag_reg, "diag_reg", least=0.0)
    factor = as_real(relative, "relative_diag_reg", least=0.0)
    rounding = float(np.finfo(np.float64).eps) * known.trace
    ridge = max(absolute + factor * known.trace / known.weight, rounding)
    if not np.isfinite(ridge):
        raise ValueError(
            f"diag_reg={absolute:g} and relative_diag_reg={factor:g} with weights of sum "
            f"{known.weight:g} exceed the range of float64; scale them down"
        )
    return ridge


def _check_alike(centres: FloatArray, points: AnyPoints) -> None:
    if centres.shape[1:] != points.shape:
        raise ValueError(
            f"centres have shape {centres.shape[1:]} each, and the points {points.shape}; "
            "expected the same"
        )
