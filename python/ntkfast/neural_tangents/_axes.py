"""Axes of kernels: every axis of the outputs is there twice, but for those that were traced."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any, TypeAlias

from ntkfast.neural_tangents._arrays import namespace

__all__ = ["Axes", "Targets", "cross_matrix", "make_2d", "zipped"]

Axes: TypeAlias = int | Sequence[int]


def make_2d(x: Any) -> Any:
    """Return a kernel of shape (n, n', c, c', …) as a matrix of n·c·… rows and n'·c'·… columns."""
    if x is None:
        return None
    if x.ndim % 2:
        raise ValueError(f"the kernel has shape {x.shape}; expected an even number of axes")
    if x.ndim == 2:
        return x
    even, odd = range(0, x.ndim, 2), range(1, x.ndim, 2)
    rows, columns = prod(x.shape[a] for a in even), prod(x.shape[a] for a in odd)
    return namespace(x).transpose(x, (*even, *odd)).reshape(rows, columns)


def cross_matrix(kernel: Any, columns: int, name: str = "k_test_train") -> Any:
    """Return a kernel with other points as a matrix of so many columns."""
    matrix = make_2d(kernel)
    if matrix.shape[1] != columns:
        raise ValueError(
            f"{name} has shape {kernel.shape}, which is {matrix.shape[1]} columns; expected "
            f"{columns}, as k_train_train has"
        )
    return matrix


def zipped(matrix: Any, shape: Sequence[int], leading: Sequence[int] = ()) -> Any:
    """Return matrices of `prod(shape)` rows and columns with axes (n, n, c, c, …)."""
    xp, count, first = namespace(matrix), len(shape), len(leading)
    whole = matrix.reshape((*leading, *shape, *shape))
    order = [first + side * count + axis for axis in range(count) for side in (0, 1)]
    return xp.transpose(whole, (*range(first), *order))


class Targets:
    """Targets as a matrix: a row for each row of the kernel, a column for each traced output."""

    def __init__(self, y: Any, trace_axes: Axes) -> None:
        self.xp, self.ndim = namespace(y), y.ndim
        given = (trace_axes,) if isinstance(trace_axes, int) else tuple(trace_axes)
        # Of targets without axes of outputs there is nothing to trace.
        self.traced = tuple(sorted(axis % y.ndim for axis in given)) if y.ndim > 1 else ()
        self.shape = y.shape
        self.traced_shape = tuple(y.shape[axis] for axis in self.traced)

    def check(self, kernel: Any) -> None:
        """Refuse targets that a kernel of the training points does not fit."""
        rows = tuple(n for axis, n in enumerate(self.shape) if axis not in self.traced)
        expected = tuple(n for n in rows for _ in range(2))
        if tuple(kernel.shape) != expected:
            raise ValueError(
                f"k_train_train has shape {tuple(kernel.shape)} and y_train has shape "
                f"{self.shape}; expected a kernel of shape {expected}, with trace_axes "
                f"{self.traced}"
            )

    @property
    def size(self) -> int:
        """The number of all targets."""
        return prod(self.shape)

    def matrix(self, values: Any, like: Any = None) -> Any:
        """Return outputs in the shape of the targets, or a number, as a matrix.

        Raises
        ------
        ValueError
            The outputs have another shape.
        """
        xp = self.xp if like is None else namespace(like, values)
        whole = xp.broadcast_to(xp.asarray(values), self.shape)
        last = tuple(range(self.ndim - len(self.traced), self.ndim))
        return xp.moveaxis(whole, self.traced, last).reshape(-1, prod(self.traced_shape))

    def outputs(self, matrix: Any, rows: Sequence[int], leading: Sequence[int] = ()) -> Any:
        """Return a matrix of outputs in their shape; `rows` are the axes that are not traced."""
        xp, first = namespace(matrix), len(leading)
        whole = matrix.reshape((*leading, *rows, *self.traced_shape))
        last = tuple(range(whole.ndim - len(self.traced), whole.ndim))
        return xp.moveaxis(whole, last, tuple(first + axis for axis in self.traced))

    def test_shape(self, rows: Sequence[int]) -> tuple[int, ...]:
        """Return the shape of outputs at other points."""
        shape = list(rows)
        for axis, length in zip(self.traced, self.traced_shape, strict=True):
            shape.insert(axis, length)
        return tuple(shape)
