"""What integrating a training gives back."""

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
    """A training that was integrated: the network at those of the times that were reached.

    Attributes
    ----------
    times
        Shape (k,), ascending. All that were asked for if ``completed``, else the first of them.
    train
        Shape (k,) + y.shape: the network on the training points.
    test
        Shape (k, m) + y.shape[1:]: the network on other points; None where none were asked for.
    loss
        Shape (k,): the training loss, by the reduction, without the penalty of a regularisation.
    steps, evaluations
        Accepted steps of the integrator, and evaluations of the right-hand side (those with which
        it estimates Jacobians not counted).
    seconds
        Wall-clock time of the integration.
    method, rtol, atol
        What it was told.
    completed
        Whether the last time was reached.
    reason
        Why it stopped, and what can be done about it.
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
