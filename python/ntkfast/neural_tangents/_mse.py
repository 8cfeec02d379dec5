"""Gradient descent on the mean square error, in closed form."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ntkfast.neural_tangents._arrays import as_numpy, is_jax, like, namespace
from ntkfast.neural_tangents._axes import Axes, Targets, cross_matrix
from ntkfast.neural_tangents._system import System

__all__ = ["as_array", "gradient_descent_mse", "times"]


def as_array(value: Any) -> Any:
    """Return an array of JAX as it is, and anything else as one of NumPy."""
    return value if is_jax(value) else as_numpy(value)


def times(t: Any, learning_rate: Any, like_: Any) -> tuple[Any, tuple[int, ...]]:
    """Return times in a row, and the shape in which they were given."""
    xp = namespace(t, learning_rate, like_)
    found = xp.asarray(t, dtype=like_.dtype) * learning_rate
    return found.reshape(-1), found.shape


def gradient_descent_mse(
    k_train_train: Any,
    y_train: Any,
    learning_rate: Any = 1.0,
    diag_reg: Any = 0.0,
    diag_reg_absolute_scale: bool = False,
    trace_axes: Axes = (-1,),
    **old: Any,
) -> Callable[..., Any]:
    """Return a function that predicts outputs during gradient descent on the mean square error.

    Parameters
    ----------
    k_train_train
        The kernel of the training points, with two axes for each axis of ``y_train`` that is not
        in ``trace_axes``.
    y_train
        Targets.
    learning_rate
        Time is ``learning_rate·t``.
    diag_reg, diag_reg_absolute_scale
        A number added to the diagonal, in units of its mean unless it is absolute.
    trace_axes
        Axes of the outputs that the kernel does not have.
    **old
        ``g_td``: a kernel with test points, as the function took it in early versions; an array as
        third argument is that, too.

    Returns
    -------
    callable
        predict_fn(t=None, fx_train_0=0.0, fx_test_0=None, k_test_train=None): outputs at training
        points, at test points if ``fx_test_0`` is given, or both; ``fx_train_0=None``: those at
        test points alone. Axes of ``t`` come first. t=None: after infinite time.

    Notes
    -----
    At training points outputs are y + e^(−τ(Θ + r)/N)·(f₀ − y), N the number of targets. They tend
    to the targets, also with a regularisation; those of `ntkfast.GradientFlow` do not.
    """
    kernel_test = old.pop("g_td", None)
    if np.ndim(learning_rate) >= 2:
        kernel_test, learning_rate = learning_rate, 1.0
    if old:
        raise TypeError(f"gradient_descent_mse takes no argument {next(iter(old))!r}")
    y = as_array(y_train)
    system = System(k_train_train, diag_reg, diag_reg_absolute_scale)
    targets = Targets(y, trace_axes)
    targets.check(system.kernel)
    wanted = targets.matrix(y, system.matrix)

    def predict_fn(
        t: Any = None, fx_train_0: Any = 0.0, fx_test_0: Any = None, k_test_train: Any = None
    ) -> Any:
        """Predict outputs at times t, from those at time 0."""
        k_td = kernel_test if k_test_train is None else k_test_train
        if fx_test_0 is None and kernel_test is not None:
            fx_test_0 = 0.0
        if fx_test_0 is not None and k_td is None:
            raise ValueError("fx_test_0 is given without k_test_train, the kernel with test points")
        start = 0.0 if fx_train_0 is None else as_array(fx_train_0)
        rest = targets.matrix(start, system.matrix) - wanted
        given = (system.matrix, y, t, fx_train_0, fx_test_0, k_td)
        leading: tuple[int, ...] = ()
        moments = None
        if t is not None:
            moments, leading = times(t, learning_rate, system.matrix)
        train, at_train = wanted, None
        if fx_train_0 is not None or fx_test_0 is None:
            if moments is not None:
                train = wanted + system.function(system.decay(moments, targets.size), rest)
            at_train = like(targets.outputs(train, system.rows, leading), *given)
        if fx_test_0 is None:
            return at_train
        if moments is None:
            weights = system.solve(-rest)
        else:
            weights = system.function(system.integral(moments, targets.size), -rest)
        k_td = as_array(k_td)
        change = targets.outputs(
            cross_matrix(k_td, len(system.matrix)) @ weights, k_td.shape[::2], leading
        )
        at_test = like(as_array(fx_test_0) + change, *given)
        return at_test if fx_train_0 is None else (at_train, at_test)

    return predict_fn
