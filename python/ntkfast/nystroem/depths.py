"""Nyström regression for a multilayer perceptron of every depth, in one pass."""

from __future__ import annotations

import copy
import time
from dataclasses import replace

import numpy.typing as npt

from ntkfast._progress import Progress, reporting
from ntkfast._scalars import as_count
from ntkfast.data import Chunks
from ntkfast.kernels import KernelName
from ntkfast.networks import Network
from ntkfast.networks.composition import as_first
from ntkfast.networks.family import cut_by_depth
from ntkfast.nystroem._bands import AnyPoints
from ntkfast.nystroem._centres import Centres
from ntkfast.nystroem._matrix import Complete, Sums, complete_sums
from ntkfast.nystroem._passes import Passes, Totals
from ntkfast.nystroem._points import Points
from ntkfast.nystroem._problem import Problem, Settings, points_of
from ntkfast.nystroem._survey import Survey, prepared_for
from ntkfast.nystroem.path import NystroemPath, as_path

__all__ = ["nystroem_by_depth"]


def nystroem_by_depth(
    network: Network,
    x: npt.ArrayLike | Chunks,
    y: npt.ArrayLike | None = None,
    *,
    centres: npt.ArrayLike,
    diag_reg: npt.ArrayLike,
    units: str = "absolute",
    points: int = 10_000,
    kernel: KernelName = "ntk",
    sampling: str = "pivots",
    sample_weight: npt.ArrayLike | None = None,
    seed: int = 0,
    dtype: npt.DTypeLike | None = None,
    progress: Progress = None,
) -> tuple[NystroemPath, ...]:
    """Compute a `NystroemPath` for a multilayer perceptron at every depth, in one pass.

    All depths have the same centres, which are chosen for ``network``, and predict the same points
    that are left out.

    Parameters
    ----------
    network
        A multilayer perceptron, as for `ntk_by_depth`.
    x, y, centres, diag_reg, units, points, kernel, sampling, sample_weight, seed, dtype, progress
        As for `NystroemPath`.

    Returns
    -------
    tuple of NystroemPath
        Entry l is for the network of the first l hidden layers and the readout; the last one for
        ``network``. Their `seconds` are those since the call.

    Raises
    ------
    TypeError, ValueError, MemoryError, NumericalError
        As for `ntk_by_depth` and `NystroemPath`.

    Notes
    -----
    Centres are chosen once, each pass over the points serves all depths, and the layers of all
    depths cost as much as those of the deepest; but each depth has a pass of its own over a
    dask.array. The normal equations of each depth cost as much as those of `NystroemPath`, and
    depth + 5 matrices of m² numbers are in memory. The result of a depth has the bits of
    `NystroemPath` with these centres.

    Examples
    --------
    >>> import numpy as np
    >>> from ntkfast import mlp
    >>> x = np.linspace(-1, 1, 500)[:, None]
    >>> noise = np.random.default_rng(0).standard_normal(500)
    >>> y = np.sin(8 * x[:, 0]) + 0.1 * noise
    >>> paths = nystroem_by_depth(mlp(3, b_std=1.0), x, y, centres=50, diag_reg=[0.01, 0.1, 1.0])
    >>> [round(float(path.errors.min()), 1) for path in paths]
    [0.7, 0.1, 0.1, 0.1]
    >>> fit = min(paths, key=lambda path: path.errors.min()).regression()
    """
    begun = time.perf_counter()
    ridges = as_path(diag_reg, units)
    as_count(points, "points", least=1)
    settings = Settings(centres, sampling, kernel, seed, 0, dtype, progress)
    _ = as_first(network)._program_by_depth  # which refuses other networks
    networks = cut_by_depth(network)
    read = points_of(network, x, y, sample_weight, dtype)
    surveys = settings.survey(read, by_depth=True)
    chosen = settings.choose(read, surveys[-1])
    problems = [
        _problem(each, read, known, chosen, settings)
        for each, known in zip(networks, surveys, strict=True)
    ]
    gathered = _gathered(problems) if isinstance(read, Points) else [p.gather(0) for p in problems]
    sample = problems[-1].drawn(points, seed)
    paths = []
    for problem, sums in zip(problems, gathered, strict=True):
        path = NystroemPath.__new__(NystroemPath)
        path._learn(problem, sums, ridges, sample, begun)
        paths.append(path)
    return tuple(paths)


def _problem(
    network: Network, read: AnyPoints, known: Survey, chosen: Centres, settings: Settings
) -> Problem:
    """Return the problem of a network whose layers are the first of the deepest one."""
    points = copy.copy(read)
    vars(points)["network"] = network
    fits = len(network._program.prepare(chosen.points, None, 0).recipe["fits"])
    recipe = {**known.recipe, "fits": known.recipe["fits"][:fits]}
    return Problem.on_centres(points, replace(known, recipe=recipe), chosen, settings)


def _gathered(problems: list[Problem]) -> list[Sums]:
    """Gather the sums of all depths from one pass."""
    deepest = problems[-1]
    own, known, features = deepest.settings, deepest.known, deepest.features
    assert isinstance(deepest.points, Points)
    prepared = prepared_for(deepest.points.network._program_by_depth, known, features.centres)
    passes = Passes(deepest.points, features, prepared, 0.0)
    shares = [Complete(each.features) for each in problems]
    totals: list[Totals] = [{} for _ in problems]
    with reporting(own.progress, "Nyström: first pass", "point") as report:
        for band, blocks in passes.bands():
            # A network of one depth has one kernel.
            stack = blocks.reshape(len(problems), -1, features.m)
            for share, block, total in zip(shares, stack, totals, strict=True):
                share.add(band, block, total)
            if report is not None:
                report(band.start + stack.shape[1], known.n)
    return [complete_sums(total) for total in totals]
