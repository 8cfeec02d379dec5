"""Conjugate gradients in rounds, each of which corrects what a true residual shows."""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ntkfast._display import Displayed, Fact
from ntkfast._progress import Report
from ntkfast._warnings import warn
from ntkfast.operators import KernelOperator, Operator
from ntkfast.solvers._checkpoint import Checkpoint
from ntkfast.solvers._iteration import Doubles, Iteration, State, norms, ritz_values
from ntkfast.solvers._preconditioner import Preconditioner

__all__ = ["Refinement", "SolveReport"]

# Residual to which a system in float32 is solved between two corrections in float64.
_INNER = 1e-4
# Smallest share of the spectrum that is not rounding.
_SINGULAR = 1e-13


@dataclass(frozen=True, eq=False, repr=False)
class SolveReport(Displayed):
    """What a solve took and how exact it is.

    Attributes
    ----------
    residuals
        Shape (c,): ‖b − A·x‖/‖b‖ of each column, computed from x. At a ridge of 0, b has the mean
        targets of equal points, and 0 where the kernel is 0.
    products
        Number of products with a block of vectors, in float32 and float64 together.
    rank
        Number of pivots of the preconditioner.
    memory
        Bytes of kept blocks and of the preconditioner.
    smallest, largest
        Bounds from inside of the spectrum of the preconditioned matrix, as the iteration saw it;
        NaN if it took no step.
    seconds
        Wall-clock time of each phase.
    """

    residuals: npt.NDArray[np.float64]
    products: int
    rank: int
    memory: int
    smallest: float
    largest: float
    seconds: dict[str, float]

    def _facts(self) -> Iterator[Fact]:
        yield "products=", self.products
        yield "largest residual", f"{self.residuals.max(initial=0.0):.2g}"
        yield "rank=", self.rank
        yield "memory", f"{self.memory / 1e9:.3g} GB"
        yield "preconditioned spectrum", f"{self.smallest:.3g} to {self.largest:.3g}"
        yield "", ", ".join(f"{name} {value:.3g} s" for name, value in self.seconds.items())


@dataclass(frozen=True, eq=False)
class Task:
    """A system, in one precision or in two, and how exactly to solve it."""

    op: Operator
    inner: Operator
    ridge: float
    preconditioner: Preconditioner
    name: str
    remedy: str
    tol: float
    most_products: int
    checkpoint: Path | None
    settings: tuple[object, ...]  # that determine the bits, besides these
    seconds: float


class Refinement:
    """One solve: rounds of conjugate gradients, and its report; `start` is a first solution."""

    def __init__(self, task: Task, b: Doubles, start: Doubles | None = None) -> None:
        self.task, self.b, self.start = task, b, start
        self.sizes = norms(b)
        self.x = np.zeros_like(b)
        self.r = b.copy()
        self.products = 0
        self.mixed = task.inner is not task.op
        self.values = np.full(1, np.nan)
        path = task.checkpoint
        self.checkpoint = Checkpoint(path, "" if path is None else self._fingerprint())
        self.seconds = {"preconditioner": task.seconds, "products": 0.0}

    @property
    def _outer(self) -> Iteration:
        own = self.task
        return Iteration(own.op, own.ridge, own.preconditioner, own.name, own.remedy)

    @property
    def _inner(self) -> Iteration:
        own = self.task
        op = own.inner if self.mixed else own.op
        return Iteration(op, own.ridge, own.preconditioner, own.name, own.remedy)

    @property
    def reached(self) -> Doubles:
        """Residuals of the columns, relative to their right-hand sides."""
        return norms(self.r) / np.where(self.sizes > 0, self.sizes, 1.0)

    def run(self, report: Report | None) -> Doubles:
        """Return the solution; a warning says if its residual is too large."""
        begun = time.perf_counter()
        task = self.task
        state = self._resume()
        if state is None and self.start is not None:
            self._correct(self.start)
        while self.reached.max(initial=0.0) > task.tol or state is not None:
            before = self.reached.max(initial=0.0)
            if state is None:
                state = self._inner.begin(self.r, self._goals())
            while self.products < task.most_products and self._inner.step(state):
                self.products += 1
                self._tell(report, before, state)
                self.checkpoint.offer(self._arrays(state))
            if state.alphas:
                self.values = ritz_values(state.alphas, state.betas)
            self._correct(state.d)
            state = None
            if self.products >= task.most_products:
                break
            if self.reached.max(initial=0.0) > before / 2:
                if not self.mixed:
                    break
                self.mixed = False
        if self.reached.max(initial=0.0) <= task.tol:
            self.checkpoint.end()
        self.seconds["products"] = time.perf_counter() - begun
        if self.reached.max(initial=0.0) > task.tol:
            warn(
                f"ConjugateGradients reached a residual of {self.reached.max():.2g} after "
                f"{self.products} products, instead of {task.tol:g}; {self._advice()}"
            )
        return self.x

    def _advice(self) -> str:
        if self.values[0] <= _SINGULAR * self.values[-1]:
            return (
                f"{self.task.name} is singular to rounding, and no coefficients give these "
                f"targets; {self.task.remedy}"
            )
        return "increase the regularisation or rank, or accept it as tol"

    def _correct(self, d: Doubles) -> None:
        """Add d to the columns whose true residual it makes smaller."""
        x = self.x + d
        r = self.b - self._outer.times(x)
        self.products += 1
        smaller = norms(r) < norms(self.r)
        self.x = np.where(smaller, x, self.x)
        self.r = np.where(smaller, r, self.r)

    def _goals(self) -> Doubles:
        """Norms to which a round brings the residuals: half of what is asked for, at the end."""
        last = 0.5 * self.task.tol * self.sizes
        return np.maximum(last, _INNER * norms(self.r)) if self.mixed else last

    def _tell(self, report: Report | None, before: float, state: State) -> None:
        if report is None:
            return
        tolerance = self.task.tol
        now = state.worst * float((state.goals / np.where(self.sizes > 0, self.sizes, 1.0)).max())
        wanted = max(1, round(-math.log10(tolerance) * 10))
        done = -math.log10(max(min(now, before), tolerance)) * 10
        report(min(max(0, round(done)), wanted), wanted)

    @property
    def report(self) -> SolveReport:
        """What the solve took."""
        own = self.task
        kept = sum(op.kept for op in {own.op, own.inner} if isinstance(op, KernelOperator))
        rank, n = own.preconditioner.rank, own.op.shape[0]
        return SolveReport(
            residuals=self.reached,
            products=self.products,
            rank=rank,
            memory=kept + rank * n * own.inner.dtype.itemsize,
            smallest=float(self.values[0]) / own.preconditioner.shift,
            largest=float(self.values[-1]) / own.preconditioner.shift,
            seconds=dict(self.seconds),
        )

    def _fingerprint(self) -> str:
        """Return a digest of everything that determines the bits of the solution."""
        own = self.task
        system = (own.op.fingerprint(), own.ridge, own.preconditioner.rank, self.b.shape)
        digest = hashlib.sha256(repr((*system, own.tol, *own.settings)).encode())
        digest.update(np.ascontiguousarray(self.b).tobytes())
        if self.start is not None:
            digest.update(np.ascontiguousarray(self.start).tobytes())
        return digest.hexdigest()

    def _arrays(self, state: State) -> dict[str, npt.NDArray[Any]]:
        arrays = {name: np.asarray(value) for name, value in vars(state).items()}
        return {
            **arrays,
            "outer_x": self.x,
            "outer_r": self.r,
            "products": np.asarray(self.products),
            "mixed": np.asarray(self.mixed),
        }

    def _resume(self) -> State | None:
        """Return the state of an earlier process, or None to begin."""
        arrays = self.checkpoint.read()
        if arrays is None:
            return None
        self.x, self.r = arrays["outer_x"], arrays["outer_r"]
        self.products, self.mixed = int(arrays["products"]), bool(arrays["mixed"])
        return State(
            **{name: arrays[name] for name in ("d", "r", "p", "rz", "goals", "active")},
            best=float(arrays["best"]),
            since=int(arrays["since"]),
            column=int(arrays["column"]),
            alphas=arrays["alphas"].tolist(),
            betas=arrays["betas"].tolist(),
        )
