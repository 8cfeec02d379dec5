"""SciPy's integrators, one step at a time, so that all states reached so far are kept."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from ntkfast._memory import empty
from ntkfast._optional import MissingExtraError
from ntkfast._progress import Report
from ntkfast.dynamics.losses import Array

__all__ = ["Course", "integrate"]


class Motion(Protocol):
    """A right-hand side with time from 0 to 1, and its initial state."""

    def initial_state(self) -> Array:
        """Return the state at time 0."""

    def __call__(self, time: float, state: Array, /) -> Array:
        """Return the derivative of the state."""


@dataclass(frozen=True, eq=False)
class Course:
    """States at the times that were reached, shape (k, size), and statistics."""

    states: Array
    steps: int
    evaluations: int
    reason: str
    """The reason for stopping early; empty if the last time was reached."""


def integrate(
    motion: Motion,
    times: Array,
    *,
    method: str,
    rtol: float,
    atol: float,
    max_steps: int,
    report: Report | None,
    caller: str,
    remedy: str,
) -> Course:
    """Integrate a motion through ascending times, of which the last is the unit of time.

    The error for a missing SciPy names `caller` as the function that requires it. The message about
    too many steps of an explicit method suggests `remedy`.
    """
    try:
        from scipy import integrate as scipy_integrate
    except ImportError as error:
        raise MissingExtraError(caller, "scipy", "scipy") from error
    start = motion.initial_state()
    end = float(times[-1]) if times.size else 0.0
    if end == 0.0 or start.size == 0:
        return Course(np.tile(start, (times.size, 1)), 0, 0, "")
    grid = times / end
    if not np.isfinite(motion(0.0, start)).all():
        return Course(start[None][: int(grid[0] == 0)], 0, 1, _not_finite(0.0))
    solver: Any = getattr(scipy_integrate, method)(motion, 0.0, start, 1.0, rtol=rtol, atol=atol)
    states = empty((times.size, start.size), np.float64, "the trajectory", "use fewer times")
    known, steps, reason = int(np.searchsorted(grid, 0.0, side="right")), 0, ""
    states[:known] = start
    while solver.status == "running":
        if steps == max_steps:
            reason = _too_slow(steps, float(solver.t) * end, end, method, remedy)
            break
        before = float(solver.t)
        message = solver.step()
        if solver.status == "running" and solver.t - before < 10 * np.spacing(before):
            reason = _failed("the steps have become too small", before * end)
            break
        if solver.status == "failed" or not np.isfinite(solver.y).all():
            reason = _failed(message, float(solver.t) * end)
            break
        steps += 1
        reached = int(np.searchsorted(grid, solver.t, side="right"))
        if reached > known:
            states[known:reached] = solver.dense_output()(grid[known:reached]).T
            known = reached
        if report is not None:
            report(int(1000 * solver.t), 1000)
    return Course(states[:known], steps, int(solver.nfev), reason)


def _not_finite(time: float) -> str:
    return (
        f"the derivative is not finite at t = {time:.6g}: check for a loss that overflows, or for "
        "initial outputs outside its range"
    )


def _failed(message: str | None, time: float) -> str:
    if message is None:
        return _not_finite(time)
    return (
        f"{message.rstrip('.')} at t = {time:.6g}: check for a loss that falls without bound or a "
        "discontinuous gradient, or use a shorter time"
    )


def _too_slow(steps: int, time: float, end: float, method: str, remedy: str) -> str:
    advice = (
        f"the problem is stiff: try {remedy}"
        if method in ("DOP853", "RK45")
        else "loosen rtol and atol"
    )
    return (
        f"max_steps={steps} were not enough and reached t = {time:.6g} of {end:.6g}; increase "
        f"max_steps, use a shorter time, or, if eta*lambda_max*t is large, {advice}"
    )
