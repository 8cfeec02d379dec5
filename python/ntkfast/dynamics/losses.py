"""Losses other than squared error: functions (f, y) → (value, gradient), summed over the points.

``f`` and ``y`` are float64 arrays with the shape of the targets. The gradient is with respect to
``f``. All losses are convex, smooth enough for gradient flow, and free of overflow.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

__all__ = ["LOSSES", "Loss", "cross_entropy", "huber", "logistic", "mse"]

Array: TypeAlias = npt.NDArray[np.float64]
Loss: TypeAlias = Callable[[Array, Array], tuple[float, Array]]


def mse(f: Array, y: Array) -> tuple[float, Array]:
    """½‖f − y‖²."""
    error = f - y
    return 0.5 * float(np.vdot(error, error)), error


def cross_entropy(f: Array, y: Array) -> tuple[float, Array]:
    """−Σ y·log softmax(f) over the last axis, for rows of probabilities y."""
    shifted = f - f.max(axis=-1, keepdims=True)
    weights = np.exp(shifted)
    total = weights.sum(axis=-1, keepdims=True)
    return float(np.vdot(y, np.log(total) - shifted)), weights / total - y


def logistic(f: Array, y: Array) -> tuple[float, Array]:
    """Σ log(1 + e^{−y·f}), for labels y of −1 and 1."""
    margin = y * f
    small = np.exp(-np.abs(margin))
    wrong = np.where(margin >= 0, small, 1.0) / (1.0 + small)  # 1/(1 + e^margin)
    return float(np.sum(np.log1p(small) + np.maximum(-margin, 0.0))), -y * wrong


def huber(f: Array, y: Array, delta: float = 1.0) -> tuple[float, Array]:
    """Σ ½e² where |e| = |f − y| <= delta, delta·(|e| − ½·delta) beyond it."""
    error = f - y
    gradient = np.clip(error, -delta, delta)
    return float(np.sum(gradient * (error - 0.5 * gradient))), gradient


LOSSES: dict[str, Loss] = {
    "cross_entropy": cross_entropy,
    "logistic": logistic,
    "huber": huber,
    "mse": mse,
}
