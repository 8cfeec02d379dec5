"""Whether an operator is symmetric, as conjugate gradients need."""

from __future__ import annotations

import numpy as np

from ntkfast._arrays import check_finite
from ntkfast._gram import check_symmetric
from ntkfast.operators import MatrixOperator, Operator

__all__ = ["check_symmetry"]

# Rows and columns of an operator that are compared.
_SOME = 64


def check_symmetry(op: Operator, name: str) -> None:
    """Reject an array that is not symmetric and finite, or an operator that some entries betray."""
    if isinstance(op, MatrixOperator):
        check_symmetric(op._matrix, name)
    elif not op.symmetric:
        some = np.unique(np.linspace(0, max(len(op) - 1, 0), min(len(op), _SOME)).astype(np.intp))
        entries = op._entries(some, some)
        check_finite(entries, name)
        rounding = 1e3 * np.finfo(op.dtype).eps * np.abs(entries).max(initial=0.0)
        if (np.abs(entries - entries.T) > rounding).any():
            raise ValueError(
                f"{name} is an operator that is not symmetric; pass one between the training "
                "points, such as KernelOperator(network, x)"
            )
