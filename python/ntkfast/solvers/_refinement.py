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
from ntkfast.operators import Operator
from ntkfast.solvers._checkpoint import Checkpoint
from ntkfast.solvers._iteration import (
    Doubles,
    Iteration,
    Preconditioning,
    State,
    norms,
    ritz_values,
)

__all__ = ["Refinement", "SolveReport"]

# Residual to which a system is solved at a stage, between two corrections in the last one.
_INNER = 1e-4
# Fields of a state that are arrays.
_ARRAYS = ("d", "r", "p", "rz", "goals", "active", "alpha", "beta")
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
    """A system, in one precision or in several, and how long to work on it."""

    stages: tuple[Operator, ...]  # the matrix, from quick and inexact to exact
    ridge: float | Doubles
    preconditioner: Preconditioning
    name: str
    remedy: str
    most_products: int
    checkpoint: Path | None
    settings: tuple[object, ...]  # that determine the bits, besides these
    seconds: float

    @property
    def op(self) -> Operator:
        """The matrix itself."""
        return self.stages[-1]


class Refinement:
    """One solve: rounds of conjugate gradients, and its report.

    `wanted`, of shape (c,), has the norms that the residuals should reach, and `start` is a first
    solution. A second call of `run` goes on from the first.
    """

    def __init__(
        self, task: Task, b: Doubles, wanted: Doubles, start: Doubles | None = None
    ) -> None:
        self.task, self.b, self.wanted, self.start = task, b, wanted, start
        self.sizes = norms(b)
        self.x = np.zeros_like(b)
        self.r = b.copy()
        self.products = 0
        self.stage = 0
        self.values = np.full(1, np.nan)
        path = task.checkpoint
        self.checkpoint = Checkpoint(path, "" if path is None else self._fingerprint())
        self.seconds = {"preconditioner": task.seconds, "products": 0.0}

    def _iteration(self, op: Operator) -> Iteration:
        own = self.task
        return Iteration(op, own.ridge, own.preconditioner, own.name, own.remedy)

    @property
    def _inner(self) -> Iteration:
        return self._iteration(self.task.stages[self.stage])

    @property
    def _last(self) -> bool:
        return self.stage == len(self.task.stages) - 1

    @property
    def reached(self) -> Doubles:
        """Residuals of the columns, relative to their right-hand sides."""
        return norms(self.r) / np.where(self.sizes > 0, self.sizes, 1.0)

    @property
    def excess(self) -> float:
        """The largest residual in units of the wanted one: at most 1 at the end."""
        found = norms(self.r)
        ratios = np.divide(
            found, self.wanted, out=np.full_like(found, np.inf), where=self.wanted > 0
        )
        return float(np.where(found > 0, ratios, 0.0).max(initial=0.0))

    def run(self, report: Report | None) -> Doubles:
        """Return the best solution found; `excess` says whether it is as exact as wanted."""
        begun = time.perf_counter()
        task = self.task
        state = self._resume()
        if state is None and self.start is not None:
            self._correct(self.start)
            self.start = None
        while self.excess > 1 or state is not None:
            before = self.excess
            if state is None:
                state = self._inner.begin(self.r, self._goals())
            try:
                self._steps(state, report, before)
                self._correct(state.d)
            except BaseException:  # Ctrl-C, points that cannot be read any more, …
                if not state.changing:
                    self.checkpoint.write(self._arrays(state))
                raise
            if state.alphas:
                self.values = ritz_values(state.alphas, state.betas)
            state = None
            if self.products >= task.most_products:
                break
            if self.excess > max(before / 2, 1.0):
                if self._last:
                    break
                self.stage += 1
        if self.excess <= 1:
            self.checkpoint.end()
        self.seconds["products"] += time.perf_counter() - begun
        return self.x

    def _steps(self, state: State, report: Report | None, before: float) -> None:
        """Take steps until the round is over; one that fails leaves the state before it."""
        while self.products < self.task.most_products and self._inner.step(state):
            self.products += 1
            self._tell(report, before, state)
            self.checkpoint.offer(self._arrays(state))

    def warn(self, tol: float) -> None:
        """Say so if the residuals are larger than asked for."""
        if self.excess > 1:
            warn(
                f"conjugate gradients reached a residual of {self.reached.max():.2g} after "
                f"{self.products} products, instead of {tol:g}; {self._advice()}"
            )

    def _advice(self) -> str:
        if not self.values[0] > _SINGULAR * self.values[-1]:  # NaN: rounding hides all directions
            return (
                f"{self.task.name} is singular to rounding, and no coefficients give these "
                f"targets; {self.task.remedy}"
            )
        more = "the regularisation"
        if self.task.settings[0] == "ConjugateGradients":
            more += " or rank"
        if self.products >= self.task.most_products:
            more = f"most_products, which is {self.task.most_products}, or {more}"
        return f"increase {more}, or accept it as tol"

    def _correct(self, d: Doubles) -> None:
        """Add d to the columns whose true residual it makes smaller."""
        x = self.x + d
        r = self.b - self._iteration(self.task.op).times(x)
        self.products += 1
        smaller = norms(r) < norms(self.r)
        self.x = np.where(smaller, x, self.x)
        self.r = np.where(smaller, r, self.r)

    def _goals(self) -> Doubles:
        """Norms to which a round brings the residuals: half of what is wanted, at the end."""
        last = 0.5 * self.wanted
        return last if self._last else np.maximum(last, _INNER * norms(self.r))

    def _tell(self, report: Report | None, before: float, state: State) -> None:
        """Report the correct digits of the worst column, in tenths of a digit."""
        if report is None:
            return
        some = (self.sizes > 0) & (self.wanted > 0)
        if not some.any():
            return
        whole = float((self.sizes[some] / self.wanted[some]).max())
        total = max(1, round(10 * math.log10(max(1.0, whole))))
        now = state.worst * float((state.goals[some] / self.wanted[some]).max())
        left = round(10 * math.log10(max(1.0, min(now, before))))
        report(min(max(0, total - left), total), total)

    @property
    def report(self) -> SolveReport:
        """What the solve took."""
        own = self.task
        kept = sum(getattr(op, "kept", 0) for op in own.stages)
        return SolveReport(
            residuals=self.reached,
            products=self.products,
            rank=own.preconditioner.rank,
            memory=kept + own.preconditioner.memory,
            smallest=float(self.values[0]) / own.preconditioner.shift,
            largest=float(self.values[-1]) / own.preconditioner.shift,
            seconds=dict(self.seconds),
        )

    def _fingerprint(self) -> str:
        """Return a digest of everything that determines the bits of the solution."""
        own = self.task
        system = (own.op.fingerprint(), own.preconditioner.rank, self.b.shape)
        digest = hashlib.sha256(repr((*system, *own.settings)).encode())
        for part in (np.asarray(own.ridge), self.wanted, self.b, self.start):
            if part is not None:
                digest.update(np.ascontiguousarray(part).tobytes())
        return digest.hexdigest()

    def _arrays(self, state: State) -> dict[str, npt.NDArray[Any]]:
        arrays = {name: np.asarray(value) for name, value in vars(state).items()}
        return {
            **arrays,
            "outer_x": self.x,
            "outer_r": self.r,
            "products": np.asarray(self.products),
            "stage": np.asarray(self.stage),
        }

    def _resume(self) -> State | None:
        """Return the state of an earlier process, or None to begin."""
        arrays = self.checkpoint.read()
        if arrays is None:
            return None
        self.x, self.r = arrays["outer_x"], arrays["outer_r"]
        self.products, self.stage = int(arrays["products"]), int(arrays["stage"])
        return State(
            **{name: arrays[name] for name in _ARRAYS},
            best=float(arrays["best"]),
            since=int(arrays["since"]),
            column=int(arrays["column"]),
            alphas=arrays["alphas"].tolist(),
            betas=arrays["betas"].tolist(),
        )
