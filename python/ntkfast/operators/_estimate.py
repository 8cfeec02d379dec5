"""The time and the memory that products will take."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING

import numpy as np

from ntkfast._display import Displayed, Fact
from ntkfast._memory import available, empty
from ntkfast._ntkfast import multiply_blocks, num_threads
from ntkfast._quantities import in_bytes, in_seconds
from ntkfast._scalars import as_count
from ntkfast.networks.rates import Rates, measure, seconds_per_byte, workload
from ntkfast.operators.operator import Form

if TYPE_CHECKING:
    from ntkfast.operators.kernel import KernelOperator

__all__ = ["ProductEstimate", "estimated"]

Places = Sequence[tuple[slice, slice]]

# Blocks that are multiplied for a measurement: more than caches hold.
_BLOCKS = 16
_REPETITIONS = 3


@dataclass(frozen=True, eq=False, repr=False)
class ProductEstimate(Displayed):
    """The expected time and memory of products; created by `KernelOperator.estimate`.

    Attributes
    ----------
    shape, dtype
        Of the operator.
    columns
        Number of vectors that are multiplied at once.
    first
        Wall-clock seconds of the next product on the threads in use. It computes all blocks that
        are not in memory.
    later
        Seconds of the products after it, which compute the blocks for which there is no room.
    kept_bytes
        Memory of the blocks that will be kept.
    point_bytes
        Memory of the points, which the operator has copied.
    working_bytes
        Memory of everything else at the peak of a product: one block, vectors and products.
    """

    shape: tuple[int, int]
    dtype: np.dtype[np.floating]
    columns: int
    first: float
    later: float
    kept_bytes: int
    point_bytes: int
    working_bytes: int

    @property
    def bytes(self) -> int:
        """Memory of the operator at its peak: kept blocks, points and work."""
        return self.kept_bytes + self.point_bytes + self.working_bytes

    def _facts(self) -> Iterator[Fact]:
        yield "shape", self.shape
        yield "", self.dtype
        yield "columns=", self.columns
        yield "first product", in_seconds(self.first)
        yield "later ones", in_seconds(self.later)
        yield "memory", in_bytes(self.bytes)

    def _remarks(self) -> Iterator[str]:
        yield (
            f"kept blocks {in_bytes(self.kept_bytes)}, points {in_bytes(self.point_bytes)}, "
            f"work {in_bytes(self.working_bytes)}"
        )
        if self.working_bytes > (free := available()):
            yield f"{in_bytes(free)} of memory is free; multiply fewer vectors at once"


def estimated(op: KernelOperator, columns: int) -> ProductEstimate:
    """Estimate products with so many vectors; see `KernelOperator.estimate`."""
    columns = as_count(columns, "columns", least=1)
    (n, m), places = op.shape, op._places
    if not places:
        raise ValueError(f"the operator has shape {(n, m)}, so there is nothing to measure")
    rows, width = shape = _extent(*places[0])
    others = op.x if op.x2 is None else op.x2
    # Beside the diagonal, a block is between two sets of points.
    second = None if op.symmetric and n <= rows else others[-width:]
    rates = measure(op._prepared, op.x[:rows], second, shape, (op.kernel,))
    there, kept = len(op._store.blocks), op._store.fitting(len(places))
    products = _per_entry(shape, op, columns) * _entries(places)
    new = _entries(places[there:kept]) * op.dtype.itemsize
    return ProductEstimate(
        shape=(n, m),
        dtype=op.dtype,
        columns=columns,
        first=_of_kernel(op, rates, places[there:]) + _of_memory(new) + products,
        later=_of_kernel(op, rates, places[kept:]) + products,
        kept_bytes=_entries(places[:kept]) * op.dtype.itemsize,
        point_bytes=op.x.nbytes + (0 if op.x2 is None else op.x2.nbytes),
        working_bytes=op._store.size + 8 * columns * (n + m),
    )


def _extent(rows: slice, columns: slice) -> tuple[int, int]:
    return rows.stop - rows.start, columns.stop - columns.start


def _entries(places: Places) -> int:
    return sum(rows * columns for rows, columns in (_extent(*place) for place in places))


def _of_kernel(op: KernelOperator, rates: Rates, places: Places) -> float:
    """Return the time in which blocks are computed, one at a time."""
    shapes = Counter((_extent(*place), op.symmetric and place[0] == place[1]) for place in places)
    return sum(
        count * rates.seconds(workload(op._prepared, n, None if diagonal else m, (op.kernel,)))
        for ((n, m), diagonal), count in shapes.items()
    )


def _of_memory(new: int) -> float:
    """Return the time in which the system provides memory to the threads that write to it."""
    return seconds_per_byte(new) * new / num_threads() if new else 0.0


def _per_entry(shape: tuple[int, int], op: KernelOperator, columns: int) -> float:
    """Measure the time in which an entry that is in memory is multiplied."""
    rows, width = shape
    number = min(_BLOCKS, len(op._places))
    blocks = [empty(shape, op.dtype, "a block of the measurement") for _ in range(number)]
    for block in blocks:
        block.fill(1.0)
    # Beside the diagonal of a symmetric operator a block serves both sides.
    form: Form = "symmetric" if op.symmetric else "given"
    left = rows if op.symmetric and len(op._places) > 1 else 0
    vectors, out = (np.ones((max(rows, left + width), columns)) for _ in range(2))
    best = np.inf
    for _ in range(_REPETITIONS):
        begun = perf_counter()
        multiply_blocks(blocks, [(0, left)] * number, form, vectors, out, None)
        best = min(best, perf_counter() - begun)
    return best / (number * rows * width)
