"""Nyström regression for many regularisations at once, and which of them predicts best."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias, cast

import numpy as np
import numpy.typing as npt

from ntkfast._arrays import FloatArray, as_floats, sizes_of
from ntkfast._display import Displayed, Fact
from ntkfast._gram import row_blocks
from ntkfast._progress import Progress
from ntkfast._scalars import as_choice, as_count
from ntkfast.data import Chunks
from ntkfast.kernels import KernelName
from ntkfast.linalg import matmul
from ntkfast.networks import Network
from ntkfast.nystroem._bands import Doubles
from ntkfast.nystroem._errors import remainder
from ntkfast.nystroem._matrix import Sums
from ntkfast.nystroem._problem import Problem, Settings, ridge_of
from ntkfast.nystroem._survey import Sample
from ntkfast.nystroem.regression import NystroemRegression
from ntkfast.spectrum import eigh

__all__ = ["NystroemPath", "as_path"]

Path: TypeAlias = list[tuple[float, float]]

_UNITS = ("absolute", "relative")


@dataclass(frozen=True, eq=False, repr=False, init=False)
class NystroemPath(Displayed):
    """`NystroemRegression` for many regularisations, for nearly the price of one.

    Parameters
    ----------
    network, x, y, centres, kernel, sampling, sample_weight, seed, dtype, progress
        As for `NystroemRegression`.
    diag_reg
        Shape (k,): numbers > 0.
    units
        ``"absolute"``, or ``"relative"`` to the mean of the kernel's diagonal.
    points
        How many points that are no centres are left out in turn, at most.

    Attributes
    ----------
    network
        The network.
    diag_reg
        Shape (k,): the regularisations r, in absolute units.
    errors
        Shape (k,): root mean square of leave-one-out residuals over all outputs.
    best
        The index of the smallest error.
    seconds
        Wall-clock time.

    Raises
    ------
    TypeError, ValueError, MemoryError, NumericalError
        As for `NystroemRegression`.

    Notes
    -----
    Costs 2·n·m² and 10·m³ operations once, for the complete normal equations and their eigenvalues,
    and 2·m² + m·k for each point that is left out. Memory: 5·m² numbers in float64.

    Examples
    --------
    >>> from ntkfast import mlp
    >>> x = np.linspace(-1, 1, 500)[:, None]
    >>> noise = np.random.default_rng(0).standard_normal(500)
    >>> y = np.sin(3 * x[:, 0]) + 0.3 * noise
    >>> path = NystroemPath(mlp(1, b_std=1.0), x, y, centres=50, diag_reg=[1e-4, 1e-1, 1e2])
    >>> path.best
    1
    >>> path.regression().predict([[0.5]]).round(1)
    array([1.])
    """

    network: Network
    diag_reg: Doubles
    errors: Doubles
    seconds: float

    def __init__(
        self,
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
    ) -> None:
        begun = time.perf_counter()
        path = as_path(diag_reg, units)
        as_count(points, "points", least=1)
        settings = Settings(centres, sampling, kernel, seed, 0, dtype, progress)
        problem = Problem.of(network, x, y, sample_weight, settings)
        sums = problem.gather(0)
        self._learn(problem, sums, path, problem.drawn(points, seed), begun)

    def _learn(
        self, problem: Problem, sums: Sums, path: Path, sample: Sample, begun: float
    ) -> None:
        """Compute the errors from the sums, and the seconds since `begun`."""
        ridges = np.array([ridge_of(*each, problem.known) for each in path])
        spectrum = eigh(sums.matrix)
        values = np.maximum(spectrum.eigenvalues, 0.0)
        vectors = cast("Doubles", spectrum.eigenvectors)
        right = matmul(vectors.T, sums.right)
        vars(self).update(
            network=problem.points.network,
            diag_reg=ridges,
            errors=_errors(problem, ridges, values, vectors, right, sample),
            seconds=time.perf_counter() - begun,
            _problem=problem,
            _sums=sums,
        )  # frozen from here on

    @property
    def best(self) -> int:
        """The index of the smallest error."""
        return int(np.argmin(self.errors))

    def regression(self, index: int | None = None) -> NystroemRegression:
        """Return the regression with one of the regularisations, for m³/3; None: the best one."""
        ridge = float(self.diag_reg[self.best if index is None else index])
        own = vars(self)
        return NystroemRegression._of(own["_problem"], ridge, own["_sums"], self.seconds)

    def __getstate__(self) -> object:
        raise TypeError(
            "a NystroemPath refers to its training points and cannot be copied or pickled; pickle "
            "path.regression(), which has what predictions need"
        )

    def _facts(self) -> Iterator[Fact]:
        yield "", self.network
        yield "regularisations=", len(self.diag_reg)
        yield "best", f"{self.diag_reg[self.best]:.3g}"
        yield "leave-one-out error", f"{self.errors.min():.4g}"

    def _remarks(self) -> Iterator[str]:
        if self.best in (0, len(self.errors) - 1) and len(self.errors) > 1:
            yield "the best is at the end of the path; extend diag_reg there"


def as_path(diag_reg: npt.ArrayLike, units: str) -> Path:
    """Return absolute and relative parts of each regularisation."""
    as_choice(units, "units", _UNITS)
    given = as_floats(diag_reg, "diag_reg").astype(np.float64)
    if given.ndim != 1 or not given.size or not np.isfinite(given).all() or not (given > 0).all():
        raise ValueError(
            f"diag_reg has shape {given.shape}"
            + (f" and the smallest entry {given.min():g}" if given.size else "")
            + "; expected finite numbers > 0 in an array of shape (k,)"
        )
    return [(r, 0.0) if units == "absolute" else (0.0, r) for r in given.tolist()]


def _errors(
    problem: Problem,
    ridges: Doubles,
    values: Doubles,
    vectors: Doubles,
    right: FloatArray,
    sample: Sample,
) -> Doubles:
    """Return the root mean square of leave-one-out residuals for each ridge."""
    x, targets, weights = sample.x, sample.y, sample.weights
    unit = sizes_of(targets)
    squares = np.zeros(len(ridges))
    for some in row_blocks(len(x), problem.features.m):
        modes = matmul(vectors.T, problem.features.of(problem.kernel(x[some])))
        sizes = weights[some] * np.einsum("ij,ij->j", modes, modes)
        for i, ridge in enumerate(ridges):
            inverse = 1 / (values + ridge)
            outputs = modes.T @ (right * inverse[:, None])
            leverage = weights[some] * (inverse @ modes**2)
            rest = (targets[some] - outputs) / unit
            squares[i] += ((rest / remainder(leverage, sizes, ridge)[:, None]) ** 2).sum()
    found: Doubles = unit * np.sqrt(squares / targets.size)
    return found
