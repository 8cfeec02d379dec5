"""Gradient flow on any loss: an ordinary differential equation without a closed form."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, get_args

import numpy as np
import numpy.typing as npt

from ntkfast._arrays import FloatArray
from ntkfast._calls import by_keyword
from ntkfast._display import Displayed, Fact
from ntkfast._gram import as_gram
from ntkfast._progress import Progress, reporting
from ntkfast._scalars import as_choice, as_count, as_real
from ntkfast.dynamics._arguments import (
    Reduction,
    as_cross_kernel,
    as_initial,
    as_momentum,
    as_settings,
    as_targets,
    check_order,
)
from ntkfast.dynamics._integrate import integrate
from ntkfast.dynamics._loss_arguments import as_grid, check_diagonal, check_labels
from ntkfast.dynamics.losses import LOSSES, Array, Loss, cross_entropy
from ntkfast.dynamics.trajectory import Trajectory
from ntkfast.linalg import matmul
from ntkfast.solvers.eigen import check_semidefinite
from ntkfast.spectrum import Spectrum

__all__ = ["LossFlow"]

LossName: TypeAlias = Literal["cross_entropy", "logistic", "huber", "mse"]
Method: TypeAlias = Literal["DOP853", "RK45", "LSODA", "BDF", "Radau"]


@dataclass(frozen=True, eq=False, repr=False, init=False)
class LossFlow(Displayed):
    """Gradient flow on any loss, df/dt = −η·[Θ·∇L(f) + r·(f − f_0)], integrated by SciPy.

    The equation describes an infinitely wide network, or a linearised one with a penalty
    ½·r·‖w − w_0‖² on its weights. With momentum it is f'' + (1 − m)·f' + η·[…] = 0, f'(0) = 0.

    Parameters
    ----------
    theta
        The NTK between the n training points, shape (n, n), or its `Spectrum`.
    y
        Targets, shape (n,), (n, c) or (n, …), in the form that the loss requires.
    loss
        ``"cross_entropy"``: rows of probabilities (one-hot labels); the network's outputs are
        logits. ``"logistic"``: labels −1 and 1. ``"huber"``: threshold 1; see
        `ntkfast.dynamics.losses.huber` for others. ``"mse"``: ½‖f − y‖², which `GradientFlow`
        solves in closed form. Alternatively, a function (f, y) → (value, gradient with respect to
        f) of float64 arrays with the shape of the targets, which sums over the points. It gets
        copies, so it may write into them.
    learning_rate
        η > 0.
    momentum
        None for gradient flow. 0 <= m < 1 for the flow of the heavy ball. Time counts steps in both
        cases: f at t = k is close to k steps of (stochastic) gradient descent with this learning
        rate and momentum. The agreement improves for smaller η and, with momentum, for m near 1.
    reduction
        ``"sum"``, or ``"mean"``, which divides the loss by n·c; by n for cross-entropy.
    diag_reg, relative_diag_reg
        r ≥ 0, and the same in units of mean(diag Θ).
    method
        The integrator. ``"DOP853"`` and ``"RK45"`` are explicit, with steps up to about
        3/(η·λ_max·L''). The others are implicit, for stiff problems with n·c up to a few
        thousand, because they build matrices of (n·c)² numbers.
    rtol, atol
        Relative and absolute tolerance of the network's outputs in each step.
    max_steps
        Maximum number of steps. The results reached so far are returned.

    Raises
    ------
    TypeError, ValueError
        `GradientFlow` rejects the arguments, the loss cannot use the targets, or a tolerance is out
        of range.

    Notes
    -----
    Integrates in float64. A step costs several evaluations of 2·n·(n + m)·c for m test points.

    References
    ----------
    Lee et al. (2019), arXiv:1902.06720: flow of linearised networks on any loss, cross-entropy in
    particular. Qian (1999), "On the momentum term in gradient descent learning algorithms": the
    flow of the heavy ball.
    """

    theta: FloatArray
    y: FloatArray
    loss: LossName | Loss
    learning_rate: float
    momentum: float | None
    reduction: Reduction
    diag_reg: float
    relative_diag_reg: float
    method: Method
    rtol: float
    atol: float
    max_steps: int

    def __init__(
        self,
        theta: npt.ArrayLike | Spectrum,
        y: npt.ArrayLike,
        *,
        loss: LossName | Loss = "cross_entropy",
        learning_rate: float = 1.0,
        momentum: float | None = None,
        reduction: Reduction = "sum",
        diag_reg: float = 0.0,
        relative_diag_reg: float = 0.0,
        method: Method = "DOP853",
        rtol: float = 1e-6,
        atol: float = 1e-9,
        max_steps: int = 100_000,
    ) -> None:
        settings: dict[str, Any] = {
            **as_settings(learning_rate, reduction, diag_reg, relative_diag_reg),
            "loss": loss if callable(loss) else as_choice(loss, "loss", get_args(LossName)),
            "momentum": None if momentum is None else as_momentum(momentum),
            "method": as_choice(method, "method", get_args(Method)),
            # SciPy would raise rtol to this value itself.
            "rtol": max(as_real(rtol, "rtol", least=0.0), 100 * float(np.finfo(float).eps)),
            "atol": as_real(atol, "atol", least=0.0, above=True),
            "max_steps": as_count(max_steps, "max_steps", least=1),
        }
        check_order(theta, y, "theta")
        if isinstance(theta, Spectrum):
            check_semidefinite(theta)
            vectors = theta.eigenvectors
            gram = matmul(vectors * theta.eigenvalues, vectors.T)
            gram = (gram + gram.T) / 2
        else:
            gram = as_gram(theta, "theta", "net.ntk(x)")
            check_diagonal(gram)
        targets = as_targets(y, len(gram))
        if not callable(loss):
            check_labels(targets, loss)
        vars(self).update(theta=gram, y=targets, **settings)

    @property
    def ridge(self) -> float:
        """Number added to the diagonal of Θ: diag_reg + relative_diag_reg·mean(diag Θ)."""
        n = len(self.theta)
        mean = math.fsum(self.theta.diagonal() / n) if n else 0.0
        return self.diag_reg + self.relative_diag_reg * mean

    @by_keyword("the test input")
    def integrate(
        self,
        k_test_train: npt.ArrayLike | None = None,
        f0_train: npt.ArrayLike = 0.0,
        f0_test: npt.ArrayLike = 0.0,
        *,
        t: npt.ArrayLike,
        progress: Progress = None,
    ) -> Trajectory:
        """Train until the last time, and return the outputs at each time.

        Parameters
        ----------
        k_test_train
            Shape (m, n): Θ between m test points and the training points, for their trajectory.
        f0_train, f0_test
            The untrained outputs on the training points and on the m test points: numbers, or
            arrays that broadcast to the shape of ``y`` and to (m,) + y.shape[1:].
        t
            Finite times ≥ 0 in ascending order: a number, or shape (k,).
        progress
            True for a tqdm bar, or any ``callable(done, total)``, in thousandths of the time.

        Returns
        -------
        Trajectory
            Times, outputs on both sets of points, losses, statistics, and whether it completed.

        Raises
        ------
        ImportError
            SciPy is not installed; install the extra `scipy`.
        TypeError, ValueError
            Times are not ascending and finite, or the loss does not return a number and a gradient
            with the shape of the targets.
        """
        times = as_grid(t)
        start = as_initial(f0_train, "f0_train", self.y.shape, self.y.dtype)
        kernels: list[FloatArray] = [self.theta]
        initial = [start]
        if k_test_train is not None:
            kernel = as_cross_kernel(k_test_train, len(self.theta))
            rows = (len(kernel), *self.y.shape[1:])
            kernels.append(kernel)
            initial.append(as_initial(f0_test, "f0_test", rows, self.y.dtype))
        motion = _Motion(self, kernels, initial, float(times[-1]) if times.size else 0.0)
        begun = time.perf_counter()
        with reporting(progress, "LossFlow", "‰") as report:
            course = integrate(
                motion,
                times,
                method=self.method,
                rtol=self.rtol,
                atol=self.atol,
                max_steps=self.max_steps,
                report=report,
                caller="LossFlow",
                remedy="method='LSODA', or diag_reg",
            )
        outputs = course.states[:, : motion.size]
        n = self.y.size
        train = outputs[:, :n].reshape(len(outputs), *self.y.shape)
        losses = np.array([motion.value_and_gradient(f)[0] for f in train])
        dtype = np.result_type(*kernels, *initial, self.y)
        test = None
        if k_test_train is not None:
            test = outputs[:, n:].reshape(len(outputs), *initial[1].shape).astype(dtype)
        return Trajectory(
            times=times[: len(outputs)],
            train=train.astype(dtype),
            test=test,
            loss=losses,
            steps=course.steps,
            evaluations=course.evaluations,
            seconds=time.perf_counter() - begun,
            method=self.method,
            rtol=self.rtol,
            atol=self.atol,
            completed=course.reason == "",
            reason=course.reason or "reached the last time",
        )

    def _facts(self) -> Iterator[Fact]:
        yield "n=", len(self.theta)
        yield "y of shape", self.y.shape
        yield "loss=", repr(getattr(self.loss, "__name__", self.loss))
        yield "learning_rate=", f"{self.learning_rate:g}"
        if self.momentum is not None:
            yield "momentum=", f"{self.momentum:g}"
        yield "reduction=", repr(self.reduction)
        yield "ridge=", f"{self.ridge:g}"
        yield "method=", repr(self.method)


class _Motion:
    """The right-hand side, in units of the last time. The state is f, or f and f' with momentum."""

    def __init__(
        self, flow: LossFlow, kernels: list[FloatArray], initial: list[FloatArray], end: float
    ) -> None:
        self.flow, self.kernels, self.end = flow, kernels, end
        self.loss: Loss = LOSSES[flow.loss] if isinstance(flow.loss, str) else flow.loss
        self.y: Array = flow.y.astype(np.float64)
        self.start = np.concatenate([f.ravel() for f in initial]).astype(np.float64)
        self.size = self.start.size
        self.mean_over = 1
        if flow.reduction == "mean":
            per_point = self.loss is cross_entropy
            self.mean_over = max(len(self.y) if per_point else self.y.size, 1)
        self.rate = flow.learning_rate * end * (1.0 if flow.momentum is None else end)
        if not np.isfinite(self.rate):
            raise ValueError(
                f"learning_rate is {flow.learning_rate:g} and t goes to {end:g}; their product "
                "exceeds the range of a float; expected times of about 1/(learning_rate * theta)"
            )

    def initial_state(self) -> Array:
        if self.flow.momentum is None:
            return self.start
        return np.concatenate([self.start, np.zeros(self.size)])

    def value_and_gradient(self, f: Array) -> tuple[float, Array]:
        # Copies, because a loss that writes into them would change the state or the targets.
        result: Any = self.loss(f.copy(), self.y.copy())
        if not isinstance(result, tuple) or len(result) != 2:
            raise TypeError(
                f"loss returned {type(result).__name__}; expected a tuple (value, gradient with "
                "respect to f), like the functions of ntkfast.dynamics.losses"
            )
        value, gradient = result
        gradient = np.asarray(gradient, dtype=np.float64)
        if gradient.shape != f.shape or np.ndim(value) != 0:
            raise ValueError(
                f"loss returned a value of shape {np.shape(value)} and a gradient of shape "
                f"{gradient.shape}; expected a number and shape {f.shape}, that of the targets"
            )
        return float(value) / self.mean_over, gradient / self.mean_over

    def __call__(self, _time: float, state: Array) -> Array:
        f = state[: self.size]
        _, gradient = self.value_and_gradient(f[: self.y.size].reshape(self.y.shape))
        pull = self.rate * gradient.reshape(len(self.y), -1)
        force = np.concatenate([-matmul(kernel, pull).ravel() for kernel in self.kernels])
        if self.flow.ridge > 0:
            force -= self.rate * self.flow.ridge * (f - self.start)
        if self.flow.momentum is None:
            return force.astype(np.float64, copy=False)
        speed = state[self.size :]
        return np.concatenate([speed, force - (1 - self.flow.momentum) * self.end * speed])
