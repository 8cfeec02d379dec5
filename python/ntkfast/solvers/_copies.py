"""Equal points, which make a kernel singular: they count as one."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ntkfast._arrays import FloatArray
from ntkfast.operators import KernelOperator, Operator

__all__ = ["merged"]


def _copies_of(op: Operator) -> npt.NDArray[np.intp] | None:
    """Return the number of the distinct point for each point; None if there are no copies."""
    if not isinstance(op, KernelOperator) or not op.symmetric or len(op.x) == 0:
        return None
    rows = np.ascontiguousarray(op.x.reshape(len(op.x), -1)) + 0.0  # so that -0.0 equals 0.0
    whole = rows.view(np.dtype((np.void, rows.dtype.itemsize * rows.shape[1]))).ravel()
    _, first, groups = np.unique(whole, return_index=True, return_inverse=True)
    if len(first) == len(rows) or not _is_singular(op, groups.ravel(), first):
        return None
    # Numbered by the first appearance.
    order = np.empty(len(first), np.intp)
    order[np.argsort(first)] = np.arange(len(first))
    return order[groups.ravel()]


def _is_singular(
    op: KernelOperator, groups: npt.NDArray[np.intp], first: npt.NDArray[np.intp]
) -> bool:
    """Whether a copy has the kernel of a point with itself; not so under dropout."""
    copy = int(np.flatnonzero(first[groups] != np.arange(len(groups)))[0])
    pair = op.rows([int(first[groups[copy]])])[0]
    return bool(np.isclose(pair[copy], pair[first[groups[copy]]], rtol=1e-5))


def merged(op: Operator, ridge: FloatArray) -> tuple[Operator, npt.NDArray[np.intp] | None]:
    """Return the kernel of the distinct points, and the number of that of each point.

    With a ridge, or if there are no copies, all points are distinct, and there are no numbers.
    """
    groups = None if ridge.any() else _copies_of(op)
    if groups is None:
        return op, None
    assert isinstance(op, KernelOperator)
    first = np.unique(groups, return_index=True)[1]
    return op._like(op.x[first]), groups
