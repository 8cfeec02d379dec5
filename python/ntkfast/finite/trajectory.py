"""The result of training a finite network, and its recorder."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ntkfast._display import Displayed, Fact
from ntkfast.finite._problem import output_gram

if TYPE_CHECKING:
    from ntkfast.finite.network import FiniteNetwork

__all__ = ["FiniteTrajectory", "Recorder"]

Array = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False, repr=False)
class FiniteTrajectory(Displayed):
    """The training of a finite network, recorded at k times including the start.

    Attributes
    ----------
    times
        Shape (k,), ascending from 0: steps of gradient descent, or times of gradient flow. The
        start and all requested times if ``completed``, otherwise the first of them.
    train
        Shape (k,) + y.shape: the outputs on the training points.
    test
        Shape (k, m) + y.shape[1:]: the outputs at the test points; None if none were given.
    loss
        Shape (k,): the training loss, as set by the reduction.
    distance
        Shape (k,): ‖p_t − p_0‖, the distance that the parameters moved.
    group_distance
        The same for the weights and the biases of each layer, by the names of
        `FiniteNetwork.groups`.
    kernel_drift
        Shape (k,): ‖Θ_t − Θ_0‖_F/‖Θ_0‖_F on the training points, between all outputs; None if it
        was not requested.
    pattern_changes
        Shape (k,): the share of pairs of a training point and a neuron that have changed sides of a
        kink of the activation since the start; 0 if there are no kinks.
    snapshots
        Shape (k, q): the q requested parameters; None if none were requested.
    kernel_start, kernel_end
        Shape (n, n), or (n·c, n·c) for c outputs: Θ at the start and at the last recorded time;
        None without ``kernel_drift``.
    start, end
        The network at the start and at the last recorded time.
    steps
        Steps of gradient descent, or accepted steps of the integrator.
    seconds
        Wall-clock time.
    rule
        The training rule.
    completed
        Whether the last time was reached.
    reason
        The reason for stopping, and a remedy.
    """

    times: Array
    train: Array
    test: Array | None
    loss: Array
    distance: Array
    group_distance: dict[str, Array]
    kernel_drift: Array | None
    pattern_changes: Array
    snapshots: Array | None
    kernel_start: Array | None
    kernel_end: Array | None
    start: FiniteNetwork
    end: FiniteNetwork
    steps: int
    seconds: float
    rule: str
    completed: bool
    reason: str

    @property
    def relative_distance(self) -> Array:
        """Shape (k,): ‖p_t − p_0‖/‖p_0‖."""
        return _relative(self.distance, self.start.parameters)

    def _facts(self) -> Iterator[Fact]:
        if not self.completed:
            yield "", "INCOMPLETE"
        yield f"{self.times.size} times", f"from {self.times[0]:g} to {self.times[-1]:g}"
        yield "loss", f"from {self.loss[0]:.4g} to {self.loss[-1]:.4g}"
        yield "parameters", f"moved by {self.relative_distance[-1]:.3g} of their norm"
        if self.kernel_drift is not None:
            yield "kernel", f"by {self.kernel_drift[-1]:.3g}"
        yield "", f"{self.pattern_changes[-1]:.3g} of the activation pattern changed"
        yield f"{self.steps} steps of {self.rule} in {self.seconds:.3g} s:", self.reason


def _relative(sizes: Array, start: Array) -> Array:
    """Divide by the norm of the start; for a start at zero the result is inf or 0."""
    norm = float(np.linalg.norm(start))
    if norm == 0:
        return np.where(sizes > 0, np.inf, 0.0)
    return sizes / norm


class Recorder:
    """Records the outputs and statistics of a network during training."""

    def __init__(
        self,
        start: FiniteNetwork,
        x: Array,
        y: Array,
        x_test: Array | None,
        *,
        mean_over: int,
        kernel: bool,
        watched: npt.NDArray[np.intp] | None,
    ) -> None:
        self.start, self.x, self.y, self.x_test = start, x, y, x_test
        self.mean_over, self.watched = mean_over, watched
        self.kernel_start = output_gram(start, x) if kernel else None
        self.kernel_end = self.kernel_start
        self.pattern = start.activation_pattern(x)
        self.end = start
        self.rows: dict[str, list[object]] = {}

    def loss(self, outputs: Array) -> float:
        """Compute the loss of outputs on the training points."""
        return float(0.5 * np.square(outputs - self.y).sum() / self.mean_over)

    def record(self, time: float, network: FiniteNetwork, outputs: Array | None = None) -> None:
        """Record the network at a time; `outputs` are those on the training points, if known."""
        outputs = network.forward(self.x) if outputs is None else outputs
        moved = network.parameters - self.start.parameters
        row: dict[str, object] = {
            "times": time,
            "train": outputs,
            "loss": self.loss(outputs),
            "distance": np.linalg.norm(moved),
            "pattern_changes": self._changes(network),
        }
        for name, place in self.start.groups.items():
            row[name] = np.linalg.norm(moved[place])
        if self.x_test is not None:
            row["test"] = network.forward(self.x_test)
        if self.watched is not None:
            row["snapshots"] = network.parameters[self.watched]
        if self.kernel_start is not None:
            self.kernel_end = output_gram(network, self.x)
            drift = np.linalg.norm(self.kernel_end - self.kernel_start)
            row["kernel_drift"] = _relative(np.asarray(drift), self.kernel_start)
        for name, value in row.items():
            self.rows.setdefault(name, []).append(value)
        self.end = network

    def _changes(self, network: FiniteNetwork) -> float:
        if self.pattern.size == 0:
            return 0.0
        return float(np.mean(network.activation_pattern(self.x) != self.pattern))

    def trajectory(self, *, steps: int, seconds: float, rule: str, reason: str) -> FiniteTrajectory:
        """Return the complete record; `reason` says why training stopped early, or is empty."""
        arrays = {name: np.array(values, dtype=np.float64) for name, values in self.rows.items()}
        return FiniteTrajectory(
            times=arrays["times"],
            train=arrays["train"],
            test=arrays.get("test"),
            loss=arrays["loss"],
            distance=arrays["distance"],
            group_distance={name: arrays[name] for name in self.start.groups},
            kernel_drift=arrays.get("kernel_drift"),
            pattern_changes=arrays["pattern_changes"],
            snapshots=arrays.get("snapshots"),
            kernel_start=self.kernel_start,
            kernel_end=self.kernel_end,
            start=self.start,
            end=self.end,
            steps=steps,
            seconds=seconds,
            rule=rule,
            completed=reason == "",
            reason=reason or "reached the last time",
        )
