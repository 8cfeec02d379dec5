"""Training by products with an operator, where there is no eigendecomposition."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ntkfast._arrays import FloatArray
from ntkfast._display import Displayed, Fact
from ntkfast._memory import empty
from ntkfast._progress import Progress, Report, reporting
from ntkfast._warnings import warn
from ntkfast.dynamics._arguments import Times
from ntkfast.dynamics._filters import Share, blocks, through
from ntkfast.dynamics._krylov import norms
from ntkfast.dynamics._propagator import Propagator
from ntkfast.dynamics._ritz import Course
from ntkfast.dynamics.rules import Rate, Rule
from ntkfast.operators import KernelOperator, Operator
from ntkfast.solvers import ConjugateGradients, PreparedConjugateGradients

__all__ = ["FlowReport", "Products"]

# Largest dimension of a basis: the decomposition of its small matrix then takes half a minute.
_LARGEST = 4000
# Outputs that share a basis; of more of them, each group has its own, and only the last is kept.
_OUTPUTS = 128
# Entries of coefficients for one pass through a kernel: 1 GB.
_PASS = 1 << 27


@dataclass(frozen=True, eq=False, repr=False)
class FlowReport(Displayed):
    """What training by products took, and how exact it is.

    Attributes
    ----------
    products
        Number of products with a block of vectors, for all results so far.
    dimension
        Dimension of the basis for the last targets minus initial outputs.
    error
        Estimated error of the last result, relative to y − f_0, in the worst column and at the
        worst time. At the training points it is a bound, from what the products show of the
        residual at all earlier times (an estimate for steps with momentum). At other points, and
        for coefficients relative to themselves, it is their change by the last products, if that is
        larger. At t = ∞ it is the residual that conjugate gradients reached.
    memory
        Bytes of kept blocks and of the basis.
    seconds
        Wall-clock time of all results so far.
    """

    products: int
    dimension: int
    error: float
    memory: int
    seconds: float

    def _facts(self) -> Iterator[Fact]:
        yield "products=", self.products
        yield "dimension=", self.dimension
        yield "estimated error", f"{self.error:.2g}"
        yield "memory", f"{self.memory / 1e9:.3g} GB"
        yield "", f"{self.seconds:.3g} s"


class Products(Displayed, Propagator):
    """Θ as an operator, with its regularisation; the basis of the last residual is kept.

    Attributes
    ----------
    op, ridge
        Θ, and the number added to its diagonal.
    tol
        Estimated error at which no further products are taken.
    solver
        The solver for t = ∞.
    report
        The `FlowReport`.
    """

    seconds = 0.0

    def __init__(
        self,
        op: Operator,
        ridge: npt.NDArray[np.floating[Any]],
        rule: Rule,
        rate: Rate,
        tol: float,
        progress: Progress = None,
    ) -> None:
        self.op, self.ridge, self.rule, self.rate = op, ridge, rule, rate
        self.tol, self.progress = tol, progress
        self.solver = ConjugateGradients(tol=tol, progress=progress)
        self._prepared: list[PreparedConjugateGradients] = []  # one, once it is needed
        self._course: Course | None = None
        self._finished, self._error, self._seconds = 0, 0.0, 0.0
        self._lock = threading.Lock()

    def another(self) -> Products:
        """Return the same training for other residuals, with a basis of its own."""
        other = Products(self.op, self.ridge, self.rule, self.rate, self.tol, self.progress)
        other._prepared = self._prepared
        return other

    @property
    def dtype(self) -> np.dtype[np.floating]:
        """The type of the entries of Θ."""
        return self.op.dtype

    @property
    def report(self) -> FlowReport:
        """What all results so far took."""
        course = self._course
        kept = self.op.kept if isinstance(self.op, KernelOperator) else 0
        return FlowReport(
            products=self._finished + (course.products if course else 0),
            dimension=course.dimension if course else 0,
            error=self._error,
            memory=kept + (course.nbytes if course else 0),
            seconds=self._seconds,
        )

    def evolve(
        self,
        share: Share,
        t: Times,
        residual: FloatArray,
        kernel: FloatArray | Operator | None = None,
    ) -> FloatArray:
        """Take products until the estimated error of the result is at most `tol`."""
        parts, errors = [], []
        for some in _groups(residual):
            parts.append(self._evolve(share, t, some, kernel))
            errors.append(self._error)
        self._error = max(errors)
        return parts[0] if len(parts) == 1 else np.concatenate(parts, axis=2)

    def _evolve(
        self, share: Share, t: Times, residual: FloatArray, kernel: FloatArray | Operator | None
    ) -> FloatArray:
        rows = len(residual if kernel is None else kernel)
        others = () if kernel is None else (kernel.dtype,)
        dtype = np.result_type(self.dtype, residual.dtype, *others)
        shape = (t.size, rows, residual.shape[1])
        result = empty(shape, dtype, "the result", "use fewer times or points at once")
        ended = self.rule.ended(t, self.rate.value, float(self.ridge))
        with self._working(residual) as course:
            if not ended.all():
                result[~ended] = self._at(course, share, t[~ended], kernel)
            if ended.any():
                end = self._limit(course, share)[None]
                result[ended] = end if kernel is None else through(kernel, end)
        return result

    def squares(self, t: Times, residual: FloatArray) -> npt.NDArray[np.float64]:
        """Add the squares of the parts of the basis that remain."""
        total, errors = np.zeros(t.size), []
        for some in _groups(residual):
            total += self._squares(t, some)
            errors.append(self._error)
        self._error = max(errors)
        return total

    def _squares(self, t: Times, residual: FloatArray) -> npt.NDArray[np.float64]:
        squares = np.empty(t.size)
        ended = self.rule.ended(t, self.rate.value, float(self.ridge))
        with self._working(residual) as course:
            if not ended.all():
                self._reach(course, "left", t[~ended])
                squares[~ended] = course.squares(t[~ended])
            if ended.any():
                squares[ended] = np.square(self._limit(course, "left")).sum()
        return squares

    @contextmanager
    def _working(self, residual: FloatArray) -> Iterator[Course]:
        """Return the course of a residual, for one thread at a time, and take the time."""
        with self._lock:
            begun, course = time.perf_counter(), self._course
            if course is None or not np.array_equal(course.residual, residual):
                self._finished += course.products if course else 0
                self._course = None  # frees the basis
                rate, ridge = self.rate.value, float(self.ridge)
                course = self._course = Course(self.op, ridge, self.rule, rate, residual)
            self._error = 0.0
            try:
                yield course
            finally:
                self._seconds += time.perf_counter() - begun

    def _at(
        self, course: Course, share: Share, t: Times, kernel: FloatArray | Operator | None
    ) -> FloatArray:
        """Return the result at finite times."""
        self._reach(course, share if kernel is None else "learnt", t)
        if kernel is None:
            parts = blocks(t.size, course.residual.size)
            return np.concatenate([course.outputs(share, t[some]) for some in parts])
        step = max(1, _PASS // max(2 * course.residual.size, 1))
        passes = [slice(i, i + step) for i in range(0, t.size, step)]
        return np.concatenate([self._through(course, t[some], kernel) for some in passes])

    def _through(self, course: Course, t: Times, kernel: FloatArray | Operator) -> FloatArray:
        """Return the result at other points, where its change by the last products counts, too."""
        sizes = norms(course.residual) * math.sqrt(len(kernel) / max(course.n, 1))
        while True:
            now, before = (course.outputs("gathered", t, before=b) for b in (False, True))
            both = through(kernel, np.concatenate([now, before]))
            change = np.linalg.norm(both[: t.size] - both[t.size :], axis=1).astype(np.float64)
            error = float((change / np.where(sizes > 0, sizes, 1.0)).max(initial=0.0))
            error = 0.0 if course.exhausted else max(error, course.error("learnt", t))
            if error <= max(self.tol, course.floor(t)) or course.dimension >= _LARGEST:
                break
            self._extend(course)
        self._conclude(error)
        return both[: t.size]

    def _reach(self, course: Course, share: Share, t: Times) -> None:
        """Take products until the estimated error of a share is at most `tol`."""
        with reporting(self.progress, "Lanczos", "digit") as report:
            error = course.error(share, t)
            while error > max(self.tol, course.floor(t)) and course.dimension < _LARGEST:
                _tell(report, error, self.tol)
                self._extend(course)
                error = course.error(share, t)
            _tell(report, self.tol, self.tol)
        course.warn_of_rounding(t)
        self._conclude(error)

    def _extend(self, course: Course) -> None:
        course.extend()
        self.rule.check(self.rate, course.largest + float(self.ridge))

    def _conclude(self, error: float) -> None:
        self._error = max(self._error, error)
        if error > self.tol:
            warn(
                f"{self.report.products} products give an estimated error of {error:.2g} instead "
                f"of tol={self.tol:g}; use a shorter time, t=inf, diag_reg, or a larger tol"
            )

    def _limit(self, course: Course, share: Share) -> FloatArray:
        """Return the result at t = ∞, shape (n, c)."""
        alpha = course.limit
        if alpha is None:
            if not self._prepared:
                self._prepared.append(self.solver.prepare(self.op, self.ridge))
            alpha = course.limit = self._prepared[0].solve(course.residual)
            taken = self._prepared[0].report
            assert taken is not None
            self._finished += taken.products
            course.reached = float(taken.residuals.max(initial=0.0))
            if course.reached > self.tol and not float(self.ridge):
                alpha = course.limit = self._projected(course)
        self._error = max(self._error, course.reached)
        if share == "gathered":
            return alpha
        self._finished += 1
        learnt: FloatArray = self.op @ alpha
        return learnt if share == "learnt" else course.residual - learnt

    def _projected(self, course: Course) -> FloatArray:
        """Return the coefficients for targets that a singular Θ does not reach.

        In a subspace they are those of minimum norm, as with eigenvectors of Θ.
        """
        end = np.array([np.inf])
        while not course.exhausted and course.dimension < _LARGEST:
            self._extend(course)
            course.reached = course.movement(end)
            if course.reached <= self.tol:
                break
        course.reached = 0.0 if course.exhausted else course.reached
        alpha: FloatArray = course.outputs("gathered", end)[0]
        return alpha

    def _facts(self) -> Iterator[Fact]:
        yield "", self.op
        yield "tol=", f"{self.tol:g}"

    def _remarks(self) -> Iterator[str]:
        if self.report.products:
            yield repr(self.report)

    def __getstate__(self) -> dict[str, Any]:
        """Return what was given: bases and solutions are computed again."""
        names = ("op", "ridge", "rule", "rate", "tol")
        return {name: vars(self)[name] for name in names}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(**state, progress=None)  # type: ignore[misc]


def _groups(residual: FloatArray) -> Iterator[FloatArray]:
    """Yield the columns that are trained together."""
    count = residual.shape[1]
    return (residual[:, i : i + _OUTPUTS] for i in range(0, max(count, 1), _OUTPUTS))


def _tell(report: Report | None, error: float, tol: float) -> None:
    """Report the digits of an estimated error, in tenths, out of those that are wanted."""
    if report is not None:
        wanted = max(1, round(-10 * math.log10(tol)))
        done = round(-10 * math.log10(min(max(error, tol), 1.0)))
        report(min(done, wanted), wanted)
