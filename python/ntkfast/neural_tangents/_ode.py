"""Gradient descent on any loss, by integration over time."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ntkfast._optional import MissingExtraError
from ntkfast.neural_tangents._arrays import as_numpy, is_jax, like
from ntkfast.neural_tangents._axes import Axes, Targets, cross_matrix, make_2d
from ntkfast.neural_tangents._mse import as_array

__all__ = ["ODEState", "gradient_descent"]

_RTOL, _ATOL = 1e-9, 1e-10
# Doublings of the time after which a flow that still moves has no end.
_DOUBLINGS = 60


@dataclass
class ODEState:
    """Outputs at training and test points, and their momentum."""

    fx_train: Any = None
    fx_test: Any = None
    qx_train: Any = None
    qx_test: Any = None


def gradient_descent(
    loss: Callable[[Any, Any], Any],
    k_train_train: Any,
    y_train: Any,
    learning_rate: float = 1.0,
    momentum: float | None = None,
    trace_axes: Axes = (-1,),
) -> Callable[..., Any]:
    """Return a function that predicts outputs during gradient descent on a loss.

    Parameters
    ----------
    loss
        loss(outputs, targets): a number, in functions of JAX; or the number and its gradient by the
        outputs, which needs no JAX.
    k_train_train, y_train, trace_axes
        As for `gradient_descent_mse`.
    learning_rate, momentum
        Without momentum, time is ``learning_rate·t``; with it, √learning_rate·t.

    Returns
    -------
    callable
        predict_fn(t=None, fx_train_or_state_0=0.0, fx_test_0=None, k_test_train=None): as that of
        `gradient_descent_mse`; for an `ODEState` at time 0, an `ODEState`.

    Raises
    ------
    ImportError
        SciPy is not installed; or the loss returns a number alone, and JAX is not installed.
    """
    y, kernel = as_numpy(y_train), as_numpy(k_train_train)
    targets, matrix = Targets(y, trace_axes), make_2d(kernel)
    targets.check(kernel)
    rows = kernel.shape[::2]
    gradient = _gradient(loss, y)
    friction = 0.0 if momentum is None else (1.0 - momentum) / np.sqrt(learning_rate)
    speed = learning_rate if momentum is None else np.sqrt(learning_rate)

    def predict_fn(
        t: Any = None,
        fx_train_or_state_0: Any = 0.0,
        fx_test_0: Any = None,
        k_test_train: Any = None,
    ) -> Any:
        """Predict outputs at times t, in increasing order."""
        given = (k_train_train, y_train, k_test_train, t)
        whole = isinstance(fx_train_or_state_0, ODEState)
        state = fx_train_or_state_0 if whole else ODEState(fx_train_or_state_0, fx_test_0)
        if whole and fx_test_0 is not None:
            raise ValueError("fx_test_0 is given beside a state; put it into the state")
        if state.fx_test is not None and k_test_train is None:
            raise ValueError("fx_test_0 is given without k_test_train, the kernel with test points")
        if momentum is None and not (state.qx_train is None and state.qx_test is None):
            raise ValueError("the state has momentum, and gradient_descent has none; pass momentum")
        has_test = state.fx_test is not None
        test_rows = np.shape(k_test_train)[::2] if has_test else ()
        cross = np.empty((0, len(matrix)))
        if has_test:
            cross = cross_matrix(as_numpy(k_test_train), len(matrix))
        kernels = np.vstack([matrix, cross])
        start = _start(state, targets, has_test, test_rows)
        flow = _Flow(kernels, gradient, targets, rows, momentum is not None, friction)
        moments = np.asarray(np.inf if t is None else as_array(t), dtype=float)
        found = flow.at(start, moments.reshape(-1) * speed)

        def part(which: int, test: bool) -> Any:
            values = (
                found[:, which][:, len(matrix) :] if test else found[:, which][:, : len(matrix)]
            )
            shaped = targets.outputs(values, test_rows if test else rows, moments.shape)
            return like(shaped.astype(kernel.dtype), *given)

        train, test = part(0, False), part(0, True) if has_test else None
        if whole:
            if momentum is None:
                return ODEState(train, test)
            return ODEState(train, test, part(1, False), part(1, True) if has_test else None)
        if fx_train_or_state_0 is None:
            return test
        return (train, test) if has_test else train

    return predict_fn


def _start(state: ODEState, targets: Targets, has_test: bool, test_rows: Any) -> Any:
    """Return outputs and momenta at time 0: of training points, and then of test points."""

    def both(train: Any, test: Any) -> Any:
        first = targets.matrix(as_numpy(0.0 if train is None else train))
        if not has_test:
            return first
        shape = targets.test_shape(test_rows)
        other = Targets(np.empty(shape), targets.traced)
        return np.vstack([first, other.matrix(as_numpy(0.0 if test is None else test))])

    return np.array(
        [both(state.fx_train, state.fx_test), both(state.qx_train, state.qx_test)], dtype=float
    )


def _gradient(loss: Callable[[Any, Any], Any], y: Any) -> Callable[[Any], Any]:
    """Return the gradient of the loss by outputs in the shape of the targets."""
    found = loss(y, y)
    if isinstance(found, tuple):
        return lambda outputs: np.asarray(loss(outputs, y)[1])
    if "jax" not in sys.modules and not is_jax(found):
        try:
            import jax
        except ImportError as error:
            raise MissingExtraError("a loss without its gradient", "jax", "jax") from error
    import jax

    by_outputs = jax.jit(jax.grad(lambda outputs: loss(outputs, y)))
    return lambda outputs: np.asarray(by_outputs(outputs), dtype=float)


@dataclass
class _Flow:
    """f' = −K·∇L, or with momentum f' = q and q' = −K·∇L − friction·q."""

    kernels: Any
    gradient: Callable[[Any], Any]
    targets: Targets
    rows: Any
    momentum: bool
    friction: float

    def force(self, outputs: Any) -> Any:
        train = outputs[: self.kernels.shape[1]]
        slope = self.gradient(self.targets.outputs(train, self.rows))
        return -self.kernels @ self.targets.matrix(slope)

    def rate(self, _: float, flat: Any) -> Any:
        outputs, momenta = flat.reshape(2, len(self.kernels), -1)
        force = self.force(outputs)
        if self.momentum:
            return np.array([momenta, force - self.friction * momenta]).ravel()
        return np.array([force, np.zeros_like(force)]).ravel()

    def at(self, start: Any, times: Any) -> Any:
        """Return states at times, in the order in which they are given."""
        from scipy.integrate import solve_ivp

        finite = np.unique(times[np.isfinite(times)])
        found = {0.0: start}
        state, now = start.ravel(), 0.0

        def advance(until: Any) -> Any:
            return solve_ivp(
                self.rate, (now, until[-1]), state, "LSODA", t_eval=until, rtol=_RTOL, atol=_ATOL
            ).y.T

        later = finite[finite > 0]
        if later.size:
            for moment, values in zip(later, advance(later), strict=True):
                found[float(moment)] = values.reshape(start.shape)
            state, now = found[float(later[-1])].ravel(), float(later[-1])
        if np.isinf(times).any():
            step = max(now, 1.0)
            for _ in range(_DOUBLINGS):
                before = state
                state, now, step = advance(np.array([now + step]))[-1], now + step, 2 * step
                if np.abs(state - before).max() <= 1e-8 * max(np.abs(state).max(), 1e-300):
                    break
            found[np.inf] = state.reshape(start.shape)
        return np.array([found[float(moment)] for moment in times])
