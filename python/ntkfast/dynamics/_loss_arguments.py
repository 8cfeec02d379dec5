"""Checks of the arguments of integrated training, beyond those of the closed-form rules."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ntkfast._arrays import FloatArray
from ntkfast.dynamics._arguments import Times, as_times

__all__ = ["as_grid", "check_diagonal", "check_labels"]


def as_grid(t: npt.ArrayLike, name: str = "t") -> Times:
    """Return finite ascending times as a flat array."""
    times, shape = as_times(t, name)
    if len(shape) > 1:
        raise ValueError(
            f"{name} has shape {shape}; expected a number, or (k,) numbers in ascending order"
        )
    if times.size and (np.diff(times) < 0).any():
        raise ValueError(f"{name} is not in ascending order; use np.sort({name})")
    if times.size and np.isinf(times[-1]):
        raise ValueError(
            f"{name} is inf; expected finite times, because integration cannot reach t = inf"
        )
    return times


def check_labels(y: FloatArray, loss: str) -> None:
    """Reject targets that a named loss cannot use."""
    if loss == "cross_entropy":
        if y.ndim < 2 or y.shape[-1] < 2:
            raise ValueError(
                f"y has shape {y.shape}; expected (n, c) with c >= 2 for loss='cross_entropy', "
                "rows of probabilities: nk.data.one_hot(labels), or loss='logistic' for two classes"
            )
        total = y.sum(axis=-1)
        if y.size and (y.min() < 0 or np.abs(total - 1).max() > 1e-6):
            raise ValueError(
                f"y has entries from {y.min():.6g} and row sums from {total.min():.6g} to "
                f"{total.max():.6g}; expected probabilities for loss='cross_entropy': non-negative "
                "rows that sum to 1, such as nk.data.one_hot(labels)"
            )
    if loss == "logistic" and not (np.abs(y) == 1).all():
        wrong = y[np.abs(y) != 1][0]
        raise ValueError(
            f"y has an entry {wrong:.6g}; expected labels -1 and 1 for loss='logistic' (use "
            "2*y - 1 for labels 0 and 1)"
        )


def check_diagonal(theta: FloatArray) -> None:
    """Reject diagonals that no Gram matrix has, without computing eigenvalues."""
    if theta.diagonal().min(initial=0.0) < 0:
        raise ValueError(
            f"theta has {theta.diagonal().min():.6g} on its diagonal; expected a Gram matrix"
        )
