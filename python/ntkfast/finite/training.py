"""Full-batch training of finite networks: gradient descent, and gradient flow by SciPy."""

from __future__ import annotations

import time as clock
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, get_args

import numpy as np
import numpy.typing as npt

from ntkfast._memory import check
from ntkfast._ntkfast import NumericalError
from ntkfast._progress import Progress, Report, reporting
from ntkfast._scalars import LARGEST, as_choice, as_count, as_flag, as_real, as_size
from ntkfast.dynamics._arguments import Reduction, as_momentum
from ntkfast.dynamics._integrate import integrate
from ntkfast.dynamics._loss_arguments import as_grid
from ntkfast.finite._arguments import as_inputs
from ntkfast.finite._problem import as_problem, check_flow, output_gram
from ntkfast.finite.trajectory import FiniteTrajectory, Recorder
from ntkfast.spectrum import eigh

if TYPE_CHECKING:
    from ntkfast.finite.network import FiniteNetwork

__all__ = ["train"]

Array = npt.NDArray[np.float64]
Integrator: TypeAlias = Literal["DOP853", "RK45", "LSODA", "BDF", "Radau"]

# Training counts as diverged if the loss is this many times that of the start or of f = 0.
_DIVERGED = 1e6


def train(
    network: FiniteNetwork,
    x: npt.ArrayLike,
    y: npt.ArrayLike,
    *,
    steps: npt.ArrayLike | None = None,
    t: npt.ArrayLike | None = None,
    learning_rate: float = 1.0,
    momentum: float = 0.0,
    reduction: Reduction = "sum",
    x_test: npt.ArrayLike | None = None,
    record: int = 50,
    kernel: bool = True,
    snapshots: bool | npt.ArrayLike = False,
    integrator: Integrator = "RK45",
    rtol: float = 1e-4,
    atol: float = 1e-6,
    max_steps: int = 10_000,
    progress: Progress = None,
) -> FiniteTrajectory:
    """Train a finite network on squared error, with all points in every step.

    The training is either gradient descent, v ← m·v − η·∇L, p ← p + v from v = 0, for a number of
    ``steps``, or gradient flow, dp/dt = −η·∇L, for a time ``t``. It is also a method of
    `FiniteNetwork`.

    Parameters
    ----------
    network
        The initial network. Omit it if this is called as a method.
    x
        Training points, shape (n, n_features).
    y
        Targets, with the shape of the outputs: (n,) or (n, c).
    steps, t
        One of the two: the last step or time, or the steps or times to record besides the start,
        shape (k,), ascending.
    learning_rate
        η > 0. Descent on a wide network is stable below 2(1 + m)/λ_max of its NTK.
    momentum
        m of gradient descent, 0 <= m < 1.
    reduction
        ``"sum"``: L = ½‖f − y‖². ``"mean"``: L = ½·mean((f − y)²), which divides η by n·c.
    x_test
        Shape (m, n_features): test points for which outputs are recorded.
    record
        Number of recorded intervals, if a single number of steps or a single time is given.
    kernel
        Whether to compute the empirical NTK at each record, for its drift.
    snapshots
        Whether to record the parameters, or which of them, integers of shape (q,).
    integrator, rtol, atol, max_steps
        For gradient flow, as for `LossFlow`, with tolerances for the parameters. Smooth activations
        work with ``"DOP853"`` at any tolerance. If neurons have a kink, a narrow network may slide
        along it, and each additional digit then costs ten times as many steps.
    progress
        True for a tqdm bar, or any ``callable(done, total)``.

    Returns
    -------
    FiniteTrajectory
        The recorded results. If the loss grows without bound, training stops with ``completed``
        False and the largest stable learning rate in ``reason``.

    Raises
    ------
    TypeError, ValueError
        An argument has the wrong type, shape or range.
    ImportError
        Gradient flow needs SciPy; install the extra `scipy`.

    Notes
    -----
    A step costs two forward passes and a backward pass. Gradient flow stores k + 20 vectors of P
    numbers. The result depends only on the arguments.

    Examples
    --------
    >>> import ntkfast as nk
    >>> net = nk.finite.init(nk.mlp(1, nk.Erf(), b_std=0.5), 1, 0, width=100)
    >>> trained = train(net, [[-1.0], [1.0]], [0.5, -0.5], steps=300, learning_rate=0.2)
    >>> trained.completed, bool(trained.loss[-1] < 1e-6 * trained.loss[0])
    (True, True)
    """
    points, targets = as_problem(network, x, y)
    as_choice(reduction, "reduction", get_args(Reduction))
    mean_over = targets.size if reduction == "mean" else 1
    rate = as_real(learning_rate, "learning_rate", least=0.0, above=True) / mean_over
    momentum = as_momentum(momentum)
    grid = _as_record(steps, t, as_size(record, "record", least=1))
    settings: dict[str, Any] = {
        "method": as_choice(integrator, "integrator", get_args(Integrator)),
        "rtol": max(as_real(rtol, "rtol", least=0.0), 100 * float(np.finfo(float).eps)),
        "atol": as_real(atol, "atol", least=0.0, above=True),
        "max_steps": as_count(max_steps, "max_steps", least=1),
    }
    if t is not None:
        check_flow(momentum)
    watched = _as_watched(snapshots, network.n_parameters)
    if watched is not None:  # row by row at first
        what = f"snapshots of {watched.size} parameters at {len(grid)} times"
        check(2 * 8 * watched.size * len(grid), what, "record fewer parameters or times")
    recorder = Recorder(
        network,
        points,
        targets,
        None if x_test is None else as_inputs(x_test, "x_test", network.n_features),
        mean_over=mean_over,
        kernel=as_flag(kernel, "kernel"),
        watched=watched,
    )
    begun = clock.perf_counter()
    with reporting(progress, "training", "step") as report:
        if steps is not None:
            rule = "gradient descent"
            done, reason = _descend(recorder, grid, rate, momentum, report)
        else:
            rule = f"gradient flow ({integrator})"
            motion = _Motion(recorder, rate * float(grid[-1]))
            course = integrate(
                motion,
                grid,
                **settings,
                report=report,
                caller="train(t=…)",
                remedy="looser tolerances, or gradient descent",
            )
            done, reason = course.steps, course.reason
            for time, state in zip(grid, course.states, strict=False):
                recorder.record(float(time), network.with_parameters(state))
    seconds = clock.perf_counter() - begun
    return recorder.trajectory(steps=done, seconds=seconds, rule=rule, reason=reason)


def _descend(
    recorder: Recorder, grid: Array, rate: float, momentum: float, report: Report | None
) -> tuple[int, str]:
    """Take the steps, and return their number and the reason for stopping early, if any."""
    network, last = recorder.start, int(grid[-1])
    speed = np.zeros(network.n_parameters)
    recorded = np.isin(np.arange(last + 1), grid)
    bound = np.inf
    for step in range(last + 1):
        try:
            outputs = network.forward(recorder.x)
            loss = recorder.loss(outputs)
            if step == 0:
                bound = _DIVERGED * max(loss, recorder.loss(np.zeros_like(outputs)))
            if loss > bound:
                return step, _diverged(
                    recorder, step, momentum, f"the loss has grown to {loss:.3g}"
                )
            if recorded[step]:
                recorder.record(step, network, outputs)
            if step == last:
                break
            gradient = network.gradient(recorder.x, outputs - recorder.y)
            speed = momentum * speed - rate * gradient
            network = network.with_parameters(network.parameters + speed)
        except NumericalError as error:
            return step, _diverged(recorder, step, momentum, str(error))
        if report is not None:
            report(step + 1, last)
    return last, ""


def _diverged(recorder: Recorder, step: int, momentum: float, what: str) -> str:
    theta = recorder.kernel_start
    largest = eigh(output_gram(recorder.start, recorder.x) if theta is None else theta).eigenvalues[
        -1
    ]
    stable = 2 * (1 + momentum) / float(largest) * recorder.mean_over
    return (
        f"diverged at step {step}: {what}; lower learning_rate: the initial kernel is stable "
        f"below 2(1 + momentum)/lambda_max = {stable:.4g}"
    )


class _Motion:
    """Gradient flow of the parameters, in units of the last time."""

    def __init__(self, recorder: Recorder, rate: float) -> None:
        self.recorder, self.rate = recorder, rate

    def initial_state(self) -> Array:
        return self.recorder.start.parameters.copy()

    def __call__(self, _time: float, state: Array) -> Array:
        x, y = self.recorder.x, self.recorder.y
        try:
            network = self.recorder.start.with_parameters(state)
            return -self.rate * network.gradient(x, network.forward(x) - y)
        except NumericalError:
            return np.full_like(state, np.nan)  # the step is too long, so the integrator reduces it


def _as_record(steps: npt.ArrayLike | None, t: npt.ArrayLike | None, intervals: int) -> Array:
    """Return the steps or times to record, ascending. Training ends at the last one."""
    if (steps is None) == (t is None):
        raise ValueError(
            "expected either steps= (gradient descent) or t= (gradient flow), "
            f"but {'neither' if t is None else 'both'} of them"
        )
    given: Any = t if steps is None else steps
    if isinstance(given, (bool, np.bool_)):
        raise TypeError(f"{'t' if steps is None else 'steps'} is {given}; expected a number")
    grid = as_grid(given, "t" if steps is None else "steps")
    if grid.size == 0:
        raise ValueError("there is no time to record; expected a number, or (k,) with k >= 1")
    if steps is not None and (grid != np.floor(grid)).any():
        raise ValueError("steps has fractional numbers; expected integers >= 0")
    if steps is not None and grid.max() > LARGEST:
        raise ValueError(f"steps goes up to {grid.max():g}; expected at most {LARGEST:,}")
    if np.ndim(given) == 0:
        grid = np.linspace(0.0, grid[0], intervals + 1)
    return np.union1d(0.0, grid if steps is None else np.round(grid))


def _as_watched(snapshots: bool | npt.ArrayLike, count: int) -> npt.NDArray[np.intp] | None:
    """Return the indices of the parameters to record."""
    if isinstance(snapshots, (bool, np.bool_)):
        return np.arange(count) if snapshots else None
    indices = np.asarray(snapshots)
    if indices.ndim != 1 or not np.issubdtype(indices.dtype, np.integer):
        raise TypeError(
            f"snapshots is an array of shape {indices.shape} and dtype {indices.dtype}; expected "
            "True, False, or integers of shape (q,): indices into parameters"
        )
    if indices.size and not 0 <= indices.min() <= indices.max() < count:
        raise ValueError(
            f"snapshots goes from {indices.min()} to {indices.max()}; expected indices from 0 to "
            f"{count - 1}, because there are {count} parameters"
        )
    return indices.astype(np.intp)
