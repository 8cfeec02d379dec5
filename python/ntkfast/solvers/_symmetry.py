"""Operators that are symmetric, as solvers need."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ntkfast._arrays import check_finite
from ntkfast._gram import check_symmetric
from ntkfast.operators import MatrixOperator, Operator, as_operator

__all__ = ["as_symmetric"]

# Rows and columns of an operator that are compared.
_SOME = 64


def as_symmetric(theta: npt.ArrayLike | Operator, name: str) -> Operator:
    """Return an operator; reject an array that is not symmetric and finite, in all entries.

    Of an operator some entries are compared.
    """
    op = as_operator(theta)
    n = op.shape[0]
    if op.shape != (n, n):
        raise ValueError(f"{name} has shape {op.shape}; expected a square operator, (n, n)")
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
    return op
