"""Predictions of networks in training and after it, by the names of neural-tangents."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from ntkfast.neural_tangents._arrays import namespace
from ntkfast.neural_tangents._axes import make_2d
from ntkfast.neural_tangents._ensemble import gradient_descent_mse_ensemble
from ntkfast.neural_tangents._get import Get
from ntkfast.neural_tangents._gp import Gaussian
from ntkfast.neural_tangents._gp import gp_inference as _gp_inference
from ntkfast.neural_tangents._mse import as_array, gradient_descent_mse
from ntkfast.neural_tangents._ode import ODEState, gradient_descent

__all__ = [
    "Gaussian",
    "ODEState",
    "gp_inference",
    "gradient_descent",
    "gradient_descent_mse",
    "gradient_descent_mse_ensemble",
    "max_learning_rate",
]


def max_learning_rate(
    ntk_train_train: Any, y_train_size: int | None = None, momentum: float = 0.0, eps: float = 1e-12
) -> Any:
    """Compute the largest learning rate with which gradient descent on the squared error converges.

    The loss is the mean over all ``y_train_size`` targets of half their squared error; without
    it, the number of rows of the kernel. 2·(1 + momentum)·size/λ_max.
    """
    matrix = make_2d(as_array(ntk_train_train))
    size = len(matrix) if y_train_size is None else y_train_size
    largest = namespace(matrix).linalg.eigvalsh(matrix)[-1]
    return 2 * (1 + momentum) * size / (largest + eps)


def _or_as_before(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function that also takes what early versions took: a kernel function first."""

    @functools.wraps(function)
    def either(*args: Any, **kwargs: Any) -> Any:
        first = args[0] if args else kwargs.get("kernel_fn")
        return _as_before(*args, **kwargs) if callable(first) else function(*args, **kwargs)

    return either


def _as_before(
    kernel_fn: Callable[..., Any],
    x_train: Any,
    y_train: Any,
    x_test: Any,
    get: Get = None,
    diag_reg: Any = 0.0,
    compute_cov: bool = False,
) -> Any:
    """Predict as early versions did, from points."""
    predict = gradient_descent_mse_ensemble(kernel_fn, x_train, y_train, diag_reg=diag_reg)
    return predict(None, x_test, get, compute_cov)


gp_inference = _or_as_before(_gp_inference)
