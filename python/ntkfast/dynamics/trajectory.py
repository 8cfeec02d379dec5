"""The result of integrated training."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ntkfast._arrays import FloatArray
from ntkfast._display import Displayed, Fact

__all__ = ["Trajectory"]


@dataclass(frozen=True, eq=False, repr=False)
class Trajectory(Displayed):
    """The course of an integrated training: the outputs at the times that were reached.

    Attributes
    ----------
    times
        Shape (k,), ascending. All requested times if ``completed``, otherwise the first of them.
    train
        Shape (k,) + y.shape: the outputs on the training points.
    test
        Shape (k, m) + y.shape[1:]: the outputs at test points; None if none were given.
    loss
        Shape (k,): the training loss, as set by the reduction, without the penalty of a
        regularisation.
    steps, evaluations
        Accepted steps of the integrator, and evaluations of the right-hand side (excluding those
        for the estimates of Jacobians).
    seconds
        Wall-clock time of the integration.
    method, rtol, atol
        As passed by the user.
    completed
        Whether the last time was reached.
    reason
        The reason for stopping, and a remedy.

    """

    times: npt.NDArray[np.float64]
    train: FloatArray
    test: FloatArray | None
    loss: npt.NDArray[np.float64]
    steps: int
    evaluations: int
    seconds: float
    method: str
    rtol: float
    atol: float
    completed: bool
    reason: str

    def _facts(self) -> Iterator[Fact]:
        if not self.completed:
            yield "", "INCOMPLETE"
        yield "", f"{self.times.size} times"
        if self.times.size:
            yield "t", f"from {self.times[0]:g} to {self.times[-1]:g}"
            yield "loss", f"from {self.loss[0]:.4g} to {self.loss[-1]:.4g}"
        else:
            yield "", "no time"
        yield "", f"{self.train.shape[1]} training points"
        if self.test is not None:
            yield "", f"{self.test.shape[1]} test points"
        work = f"{self.steps} steps and {self.evaluations} evaluations of {self.method}"
        yield f"{work} in {self.seconds:.3g} s:", self.reason
