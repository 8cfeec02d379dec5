"""Kernel regression on some centres: training at t = ∞ for millions of points."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from os import PathLike
from typing import cast

import numpy as np
import numpy.typing as npt

from ntkfast._arrays import FloatArray
from ntkfast._display import Displayed, Fact
from ntkfast._progress import Progress
from ntkfast._scalars import as_count, as_real, as_tolerance
from ntkfast.data import Chunks
from ntkfast.kernels import KernelName
from ntkfast.networks import Network
from ntkfast.nystroem._bands import as_doubles
from ntkfast.nystroem._errors import LeftOut, Variance, left_out
from ntkfast.nystroem._features import Features
from ntkfast.nystroem._matrix import NormalPreconditioner, Sums
from ntkfast.nystroem._predict import Mean, at
from ntkfast.nystroem._problem import Problem, Settings, ridge_of
from ntkfast.nystroem._system import System
from ntkfast.solvers import SolveReport
from ntkfast.solvers._checkpoint import check_folder

__all__ = ["NystroemRegression"]


@dataclass(frozen=True, eq=False, repr=False, init=False)
class NystroemRegression(Displayed):
    """Kernel ridge regression with functions f(x) = K(x, Z)·β of m centres Z.

    It minimises Σ (y_i − f(x_i))² + r·βᵀ·K(Z, Z)·β over all n points. If all points are centres,
    that is `KernelRegression` with the same r. Time is n·m kernel values a pass, and memory m²,
    however many points there are.

    Parameters
    ----------
    network
        The network.
    x, y
        Shapes (n, n_features) or (n, height, width, channels), and (n,), (n, c) or (n, …). Arrays
        may be memory-mapped: they are read in bands. Workers of Dask read a dask.array ``x``, and
        compute and add up all kernels; ``y`` may be one, too. Or ``x`` is `nk.data.Chunks`, which
        holds the targets, and ``y`` is None.
    centres
        A number of centres; a share below 1: as many as leave this share of the trace of the
        kernel unexplained, at most 10,000; or the centres themselves, shape (m, …).
    diag_reg
        r ≥ 0, as for `KernelRegression`. Papers on Nyström regression write n·λ for it.
    relative_diag_reg
        The same in units of the mean of the kernel's diagonal; both add.
    kernel
        ``"ntk"`` or ``"nngp"``.
    sampling
        ``"pivots"``: by randomly pivoted Cholesky of 50,000 points, or twice the number of centres;
        ``"uniform"``: at random.
    sample_weight
        Shape (n,), numbers ≥ 0: a weight acts as that many copies of its point.
    seed
        Seed of the centres and of the sketch.
    tol
        Residual of the normal equations relative to their right-hand side, both in orthonormal
        features, for conjugate gradients.
    memory
        Bytes for kernel values that are kept between passes, on each worker for dask.arrays; None:
        half of the memory that is free. The complete normal equations take one pass and keep none.
    dtype
        Type of kernel values, float32 or float64; None: that of the points. Sums are float64.
    most_products
        Number of passes after which the solution ends with a warning.
    checkpoint
        A file. The state is written to it about once a minute, and when the fit is stopped. The
        same fit goes on from there after its first two passes.
    progress
        True for a bar, or a callable(done, total): points in the first pass, for dask.arrays at its
        end, then tenths of a digit.

    Attributes
    ----------
    centres
        Shape (m, …).
    coefficients
        β, shape (m,) + y.shape[1:].
    diag_reg
        r with its relative part.
    n
        Number of points.
    unexplained
        Share of the trace of the kernel that the centres leave, of the points that they were chosen
        from; NaN if it is not known.
    report
        `nk.solvers.SolveReport`: passes, residuals, memory and time.

    Raises
    ------
    TypeError, ValueError
        An argument has the wrong type or value; a point or a target is NaN or infinite, with its
        row number; sums of targets or weights overflow; `Chunks` have other points, or another
        order, in a later pass.
    MemoryError
        The matrices of m² numbers exceed the memory that is free.
    NumericalError
        The kernel of the centres is not positive semi-definite.

    Notes
    -----
    The first pass only reads the points. For up to 2,048 centres, or few points, the second
    computes the complete normal equations, for 2·n·m², and they are solved by a Cholesky factor.
    For more centres it makes a sketch of 6·m rows, and conjugate gradients preconditioned by it
    take 10 to 20 further passes for ``tol=1e-4``. Memory: 3·m² numbers in float64, the sketch of
    6·m² in the type of the kernel, and 50,000·m while centres are chosen.

    The kernel of the centres has a jitter of ε·trace, for the ε of ``dtype``; for conjugate
    gradients at least 4·ε·√(n·m)·w·k²/r for the ε of float64, with the means k of the diagonal and
    w of the weights. Variances and leverages are those without this minimum.

    Bits depend neither on the chunks, nor on `memory`, nor on the number of threads. Those of a
    dask.array are the same on any cluster, and differ from those of an array by rounding.

    References
    ----------
    Rudi, Carratino, Rosasco (2017), arXiv:1705.10958: Falkon. Díaz, Epperly, Frangella, Tropp,
    Webber (2023), arXiv:2304.12465: KRILL, the preconditioner by a sparse sketch. Chen, Epperly,
    Tropp, Webber (2023), arXiv:2207.06503: centres by randomly pivoted Cholesky.

    Examples
    --------
    >>> from ntkfast import mlp
    >>> x = np.linspace(-1, 1, 1000)[:, None]
    >>> net = mlp(1, b_std=1.0)
    >>> fit = NystroemRegression(net, x, np.sin(3 * x[:, 0]), centres=50, diag_reg=1e-3)
    >>> fit.predict([[0.5]]).round(2)
    array([1.])
    """

    network: Network
    kernel: KernelName
    centres: FloatArray
    coefficients: FloatArray
    diag_reg: float
    n: int
    unexplained: float
    report: SolveReport

    def __init__(
        self,
        network: Network,
        x: npt.ArrayLike | Chunks,
        y: npt.ArrayLike | None = None,
        *,
        centres: npt.ArrayLike,
        diag_reg: float = 0.0,
        relative_diag_reg: float = 0.0,
        kernel: KernelName = "ntk",
        sampling: str = "pivots",
        sample_weight: npt.ArrayLike | None = None,
        seed: int = 0,
        tol: float = 1e-4,
        memory: float | None = None,
        dtype: npt.DTypeLike | None = None,
        most_products: int = 200,
        checkpoint: str | PathLike[str] | None = None,
        progress: Progress = None,
    ) -> None:
        as_tolerance(tol)
        as_count(most_products, "most_products", least=1)
        check_folder(checkpoint)
        for name, value in (("diag_reg", diag_reg), ("relative_diag_reg", relative_diag_reg)):
            as_real(value, name, least=0.0)
        begun = time.perf_counter()
        settings = Settings(centres, sampling, kernel, seed, memory, dtype, progress)
        regularisation = diag_reg, relative_diag_reg
        problem = Problem.of(network, x, y, sample_weight, settings, regularisation)
        chosen = time.perf_counter() - begun
        ridge = ridge_of(*regularisation, problem.known)
        sums = problem.gather(problem.rows)
        preconditioner = NormalPreconditioner.of(sums, ridge)
        gathered = time.perf_counter() - begun - chosen
        if problem.rows:
            system = System(problem, ridge, sums, preconditioner, gathered)
            solution, report = system.solve(tol, most_products, checkpoint)
        else:
            seconds = {"normal equations": gathered}
            solution, report = preconditioner.direct(sums, ridge, seconds)
            vars(self)["_uncertainty"] = problem.features, preconditioner
        problem.passes.release()
        seconds = {"centres": chosen, **report.seconds}
        self._learn(problem, ridge, solution, replace(report, seconds=seconds))

    @classmethod
    def _of(cls, problem: Problem, ridge: float, sums: Sums, seconds: float) -> NystroemRegression:
        """Return the regression with known sums, without a pass."""
        regression = cls.__new__(cls)
        preconditioner = NormalPreconditioner.of(sums, ridge)
        solution, report = preconditioner.direct(sums, ridge, {"path": seconds})
        vars(regression)["_uncertainty"] = problem.features, preconditioner
        regression._learn(problem, ridge, solution, report)
        return regression

    def _learn(
        self, problem: Problem, ridge: float, solution: FloatArray, report: SolveReport
    ) -> None:
        coefficients = problem.features.factor.solve_upper(solution)
        vars(self).update(
            network=problem.points.network,
            kernel=problem.settings.kernel,
            centres=problem.features.centres,
            coefficients=coefficients.reshape(len(coefficients), *problem.points.outputs),
            diag_reg=ridge,
            n=problem.known.n,
            unexplained=problem.unexplained,
            report=report,
            _problem=problem,
        )  # frozen from here on

    def predict(self, x: npt.ArrayLike, *, progress: Progress = None) -> FloatArray:
        """Compute f at any points.

        Parameters
        ----------
        x
            Shape (k, …): points, maybe memory-mapped, or a dask.array.
        progress
            As for the regression; not for a dask.array.

        Returns
        -------
        ndarray
            Shape (k,) + y.shape[1:]. Costs k·m kernel values. For a dask.array it is one, lazy,
            with its chunks.
        """
        mean = Mean(self.network, self.kernel, self.centres, self.coefficients)
        outputs = self.coefficients.shape[1:]
        return at(x, mean, centres=self.centres, outputs=outputs, progress=progress)

    def variance(self, x: npt.ArrayLike, *, progress: Progress = None) -> FloatArray:
        """Compute the posterior variance of f, for noise of variance r.

        It is the sum of two parts: k(x, x) − k(x, Z)·K(Z, Z)⁻¹·k(Z, x), what the centres leave open
        and which is the prior variance far from them; and what the data leave open of the rest.

        Parameters
        ----------
        x, progress
            As for `predict`.

        Returns
        -------
        ndarray
            Shape (k,), without the noise. Costs 2·m² operations a point; after conjugate gradients
            2·n·m² once, at the call. For a dask.array it is one, as for `predict`.

        Raises
        ------
        ValueError
            The regression was loaded from a file of `nk.save`, which has neither the points nor
            matrices.

        References
        ----------
        Quiñonero-Candela and Rasmussen (2005), J. Mach. Learn. Res. 6, 1939: the deterministic
        training conditional.
        """
        variance = Variance(*self._uncertainty, self.diag_reg)
        return at(x, variance, centres=self.centres, outputs=(), progress=progress)

    def leave_one_out(self, points: int = 10_000, *, seed: int = 0) -> LeftOut:
        """Predict points that are no centres from all the others.

        Parameters
        ----------
        points
            How many of them are drawn, at most.
        seed
            Seed of the draw.

        Returns
        -------
        LeftOut
            Their rows, targets and predictions, and `rmse`. Costs a pass that reads the points and
            2·m² operations a point; after conjugate gradients 2·n·m² once.

        Raises
        ------
        ValueError
            The regression was loaded from a file, or all points are centres: use
            `KernelRegression.leave_one_out`.
        """
        as_count(points, "points", least=1)
        as_count(seed, "seed", least=0)
        problem = self._points("leave-one-out predictions")
        features, factor = self._uncertainty
        columns = as_doubles(self.coefficients).reshape(len(self.centres), -1)
        problem = replace(problem, features=features)
        return left_out(problem, factor, self.diag_reg, columns, points, seed)

    @cached_property
    def _uncertainty(self) -> tuple[Features, NormalPreconditioner]:
        """What variances need: the factors of two m × m matrices."""
        problem = self._points("variances").with_least_jitter()
        vars(self)["_problem"] = problem  # lets the other factor go
        return problem.features, NormalPreconditioner.of(problem.gather(0), self.diag_reg)

    def _points(self, what: str) -> Problem:
        problem = vars(self).get("_problem")
        if problem is None:
            raise ValueError(
                f"{what} need the training points, which a copy in a file does not have; "
                "fit the regression again"
            )
        return cast("Problem", problem)

    def __getstate__(self) -> dict[str, object]:
        """All but the training points."""
        return {name: value for name, value in vars(self).items() if name != "_problem"}

    def _facts(self) -> Iterator[Fact]:
        yield "", self.network
        yield "n=", self.n
        yield "centres=", len(self.centres)
        yield "y of shape", (self.n, *self.coefficients.shape[1:])
        yield "diag_reg=", f"{self.diag_reg:g}"

    def _remarks(self) -> Iterator[str]:
        reached = self.report.residuals.max(initial=0.0)
        passes = self.report.products
        yield f"residual {reached:.2g} after {passes} {'pass' if passes == 1 else 'passes'}"
        if not np.isnan(self.unexplained):
            yield f"the centres leave {self.unexplained:.2g} of the trace of the kernel"
