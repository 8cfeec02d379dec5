"""What the workers of Dask do for an operator: its blocks, their shares in products, rows, sums.

Shares of batches are added in the order of a binary tree: each with its neighbour, then the sums of
pairs, and so on. A task may therefore add those of 2^k batches that begin at a multiple of 2^k, and
the bits are those of any other division of the work.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from ntkfast._arrays import FloatArray
from ntkfast._memory import zeros
from ntkfast._ntkfast import multiply_blocks
from ntkfast.operators.kernel import KernelOperator
from ntkfast.operators.operator import Form, Indices

__all__ = ["Batch", "Doubles", "Share", "added", "span"]

Doubles: TypeAlias = npt.NDArray[np.float64]
Batch: TypeAlias = tuple[int, int]
Share: TypeAlias = tuple[int, Doubles]
"""The first row of a product to which a share adds something, and what it adds from there on."""


def blocks(op: KernelOperator, batch: Batch) -> list[FloatArray]:
    """Return some blocks."""
    return [op._block(*place) for place in op._places[slice(*batch)]]


def span(op: KernelOperator, batch: Batch, form: Form) -> tuple[int, int]:
    """Return the rows of a product, from the first to behind the last, to which blocks add."""
    places = op._places[slice(*batch)]
    sides = [rows for rows, _ in places if form != "transposed"]
    sides += [columns for _, columns in places if form != "given"]
    return min(side.start for side in sides), max(side.stop for side in sides)


def multiplied(
    op: KernelOperator,
    kept: Sequence[Sequence[FloatArray] | None],
    batches: Sequence[Batch],
    vectors: Doubles,
    form: Form,
) -> Share:
    """Return the share of some batches in a product: of kept blocks, or of computed ones.

    Vectors that came through a connection may begin anywhere in memory, and are copied then.
    """
    aligned = np.require(vectors, np.float64, ("C", "A"))
    first, last = span(op, (batches[0][0], batches[-1][1]), form)
    # All sums that a tree has at once, in one piece: workers of Dask return memory to the system at
    # once, and to ask for it again for each batch stops all threads.
    shape = len(batches).bit_length(), last - first, aligned.shape[1]
    free = list(zeros(shape, np.float64, "the sums of a product"))

    def parts() -> Iterator[Doubles]:
        for held, batch in zip(kept, batches, strict=True):
            out = free.pop()
            out[:] = 0
            _multiply(op, held, batch, aligned, form, first, out)
            yield out

    return first, _total(parts(), free).copy()


def _multiply(
    op: KernelOperator,
    kept: Sequence[FloatArray] | None,
    batch: Batch,
    vectors: Doubles,
    form: Form,
    first: int,
    out: Doubles,
) -> None:
    """Add the share of a batch in the rows of a product from `first` on."""
    down = 0 if form == "transposed" else first
    right = 0 if form == "given" else first
    if form == "symmetric":
        vectors = vectors[first:][: len(out)]
    places = op._places[slice(*batch)]
    starts = [(rows.start - down, columns.start - right) for rows, columns in places]
    if kept is not None:
        aligned = [np.require(block, requirements=("C", "A")) for block in kept]
        multiply_blocks(aligned, starts, form, vectors, out, None)
    else:
        for place, start in zip(places, starts, strict=True):
            multiply_blocks([op._block(*place)], [start], form, vectors, out, None)


def rows(op: KernelOperator, some: Indices, columns: Indices) -> FloatArray:
    """Return entries."""
    return op._entries(some, columns)


def added(shares: Sequence[Share]) -> Share:
    """Add shares that other tasks have returned."""
    first = min(start for start, _ in shares)
    last = max(start + len(part) for start, part in shares)

    def parts() -> Iterator[Doubles]:
        for start, part in shares:
            out = np.zeros((last - first, part.shape[1]))
            out[start - first :][: len(part)] = part
            yield out

    return first, _total(parts(), [])


def _total(parts: Iterable[Doubles], free: list[Doubles]) -> Doubles:
    """Add arrays in place, in the order of a binary tree; what has been added gets `free`."""
    sums: list[tuple[int, Doubles]] = []  # with the height of their trees, which falls

    def add() -> None:
        _, last = sums.pop()
        height, before = sums.pop()
        before += last
        sums.append((height + 1, before))
        free.append(last)

    for part in parts:
        sums.append((0, part))
        while len(sums) > 1 and sums[-1][0] == sums[-2][0]:
            add()
    while len(sums) > 1:
        add()
    return sums[0][1]
