"""Kernels of networks as operators: blocks that are kept, or computed again for each product."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from ntkfast._arrays import FloatArray, is_same
from ntkfast._display import Fact
from ntkfast._foreign import is_dask
from ntkfast._memory import zeros
from ntkfast._ntkfast import Prepared, multiply_blocks
from ntkfast._progress import Progress, Report, reporting
from ntkfast._scalars import as_choice, as_real
from ntkfast.kernels import KernelName, evaluate
from ntkfast.networks import Network
from ntkfast.networks.composition import as_network
from ntkfast.operators._columns import columns_of
from ntkfast.operators._estimate import ProductEstimate, estimated
from ntkfast.operators._points import as_points
from ntkfast.operators._store import Room, Store
from ntkfast.operators.operator import Form, Indices, Operator

__all__ = ["KernelOperator"]

# Rows and columns of a block: multiples of 64, so that blocks have the bits of the whole matrix.
# Rows: 4 MB in float32, in the last cache on their way from the kernel to the product.
_ROWS, _IMAGES = 1024, 128
# Kept blocks per call of the core, between two progress reports.
_TOGETHER = 64


class KernelOperator(Operator):
    """A kernel of a network between points, as a matrix that need not be in memory.

    Blocks are computed at the first product. As many of them as `memory` allows are kept, and the
    others are computed again for each product. Of a symmetric kernel only the blocks on and above
    the diagonal exist, and a product uses each for both sides.

    Parameters
    ----------
    network
        The network.
    x, x2
        Shape (n, n_features), or images: points; copied. Without ``x2`` the kernel is symmetric.
    kernel
        ``"ntk"`` or ``"nngp"``.
    memory
        Bytes for blocks that are kept. None: half of the memory that is free. 0: all blocks are
        computed again for each product.
    dtype
        Type of every entry, float32 or float64, kept or not; None: that of the points. float32
        takes half of the memory and of the time, and products still add in float64.
    progress
        For products, as for `Network.ntk`.

    Attributes
    ----------
    network, kernel, memory
        As passed by the user.

    Raises
    ------
    TypeError, ValueError
        The network rejects the points, or an argument has the wrong type or value.

    Notes
    -----
    The first product costs the kernel, as `Network.ntk` does, and 2·n²·c for c vectors. Later
    products cost the kernel of the blocks that are not kept. Memory: at most `memory`, one block,
    and O((n + m)·c). Ctrl-C ends a product, as an exception in ``progress`` does.

    Entries have the bits of ``network.ntk(x)``. Sums have one order: the bits of a product depend
    neither on the number of threads nor on `memory`.

    Examples
    --------
    >>> from ntkfast import mlp
    >>> x = np.eye(3)
    >>> op = KernelOperator(mlp(1), x)
    >>> (op @ np.ones(3)).round(3)
    array([0.439, 0.439, 0.439])
    """

    _of_dask: ClassVar[type[KernelOperator] | None] = None

    def __init_subclass__(cls) -> None:
        KernelOperator._of_dask = cls  # there is one subclass, which imports this one

    def __new__(cls, network: object = None, x: object = None, *args: Any, **others: Any) -> Any:
        """Return an operator whose blocks workers compute, if the points are a dask.array."""
        return object.__new__(cls.like(x, *args, others.get("x2")))

    @classmethod
    def like(cls, *points: object) -> type[KernelOperator]:
        """Return the class for points: that of Dask if some of them are a dask.array."""
        lazy = any(map(is_dask, points))
        return cls._of_dask if lazy and cls._of_dask is not None else cls

    def __init__(
        self,
        network: Network,
        x: npt.ArrayLike,
        x2: npt.ArrayLike | None = None,
        *,
        kernel: KernelName = "ntk",
        memory: float | None = None,
        dtype: npt.DTypeLike | None = None,
        progress: Progress = None,
    ) -> None:
        self.network = as_network(network, "network")
        as_choice(kernel, "kernel", ("ntk", "nngp"))
        self.kernel: KernelName = kernel
        self.memory = memory
        self.progress = progress
        if memory is not None:
            as_real(memory, "memory", least=0.0)
        if is_same(x, x2):
            x2 = None
        self.x = as_points(self.network, x, "x", dtype)
        self.x2 = None if x2 is None else as_points(self.network, x2, "x2", dtype)
        if self.x2 is not None and self.x2.dtype != self.x.dtype:
            self.x, self.x2 = self.x.astype(np.float64), self.x2.astype(np.float64)
        self._prepared: Prepared = self.network._program.prepare(self.x, self.x2)
        self._places = list(self._blocks())
        self._keep_in(Room(memory))

    def _keep_in(self, room: Room) -> None:
        rows, columns = self._places[0] if self._places else (slice(0, 0), slice(0, 0))
        self._store = Store(room, self.dtype.itemsize * rows.stop * columns.stop)

    @property
    def shape(self) -> tuple[int, int]:
        """Number of rows and columns: of points in x, and in x2 or again in x."""
        return len(self.x), len(self.x if self.x2 is None else self.x2)

    @property
    def dtype(self) -> np.dtype[np.floating]:
        """The type of the entries."""
        return self.x.dtype

    @property
    def symmetric(self) -> bool:
        """Whether the columns are the points of the rows."""
        return self.x2 is None

    @property
    def kept(self) -> int:
        """Bytes of the blocks that are in memory now."""
        return sum(block.nbytes for block in self._store.blocks)

    @property
    def fits(self) -> bool:
        """Whether there is room for all blocks."""
        return self._store.fitting(len(self._places)) == len(self._places)

    def _blocks(self) -> Iterator[tuple[slice, slice]]:
        """Yield the places of all blocks, row by row."""
        n, m = self.shape
        step = _IMAGES if self.network._spatial else _ROWS
        for top in range(0, n, step):
            for left in range(top if self.symmetric else 0, m, step):
                yield slice(top, min(top + step, n)), slice(left, min(left + step, m))

    def _block(self, rows: slice, columns: slice) -> FloatArray:
        if self.x2 is None and rows == columns:
            return self._kernel(self.x[rows], None)
        others = self.x if self.x2 is None else self.x2
        if self.x2 is None and self.network._spatial and math.prod(self.x.shape[1:-1]) > 1:
            # The later image comes first, as in a Gram matrix computed in one call.
            return np.ascontiguousarray(self._kernel(others[columns], self.x[rows]).T)
        return self._kernel(self.x[rows], others[columns])

    def _kernel(
        self,
        x: FloatArray,
        x2: FloatArray | None,
        *,
        diagonal: bool = False,
        out: FloatArray | None = None,
        progress: Progress = None,
    ) -> FloatArray:
        return evaluate(
            self._prepared,
            x,
            x2,
            wanted=(self.kernel,),
            out=(out,),
            diagonal=diagonal,
            progress=progress,
        )[0]

    def _multiply(self, vectors: npt.NDArray[np.float64], *, transposed: bool) -> FloatArray:
        form: Form = "symmetric" if self.symmetric else "transposed" if transposed else "given"
        rows = self.shape[1 if transposed else 0]
        parts = columns_of(vectors)
        sums = [zeros((rows, part.shape[1]), np.float64, "the product") for part in parts]
        label = f"{self.kernel.upper()} times {vectors.shape[1]} vectors"
        with reporting(self.progress, label, "block") as report:
            self._add(parts, sums, form, report)
        return sums[0] if len(sums) == 1 else np.concatenate(sums, axis=1)

    def _add(
        self,
        parts: list[npt.NDArray[np.float64]],
        sums: list[npt.NDArray[np.float64]],
        form: Form,
        report: Report | None,
    ) -> None:
        """Add the products of all blocks with parts of the vectors to sums, in their order."""
        done = 0
        for blocks, places in self._runs():
            starts = [(rows.start, columns.start) for rows, columns in places]
            for vectors, out in zip(parts, sums, strict=True):
                multiply_blocks(blocks, starts, form, vectors, out, None)
            done += len(blocks)
            if report is not None:
                report(done, len(self._places))

    def _runs(self) -> Iterator[tuple[list[FloatArray], list[tuple[slice, slice]]]]:
        """Yield all blocks in their order, and their places: kept ones together, others singly."""
        index = 0
        while index < len(self._places):
            blocks = self._store.blocks[index : index + _TOGETHER]
            if not blocks:
                blocks = [self._block(*self._places[index])]
                self._store.offer(index, blocks[0])
            yield blocks, self._places[index : index + len(blocks)]
            index += len(blocks)

    def _entries(self, rows: Indices, columns: Indices | None) -> FloatArray:
        others = self.x if self.x2 is None else self.x2
        some = self.x[rows]
        found = self._kernel(some, others if columns is None else others[columns])
        if self.symmetric and len(rows):
            # Under dropout, a sample with itself is not a pair of two equal samples.
            own = self._kernel(some, None, diagonal=True)
            if columns is None:
                found[np.arange(len(rows)), rows] = own
            else:
                found = np.where(rows[:, None] == columns, own[:, None], found)
        return found

    def _diagonal(self) -> FloatArray:
        if self.x2 is None:
            return self._kernel(self.x, None, diagonal=True)
        pairs = [self._kernel(self.x[i : i + 1], self.x2[i : i + 1]) for i in range(len(self.x))]
        return np.concatenate([pair[0] for pair in pairs] or [np.empty(0, self.dtype)])

    def _write(self, out: FloatArray) -> None:
        if out.dtype != self.dtype:
            self.cast(out.dtype, memory=0)._write(out)
        else:
            self._kernel(self.x, self.x2, out=out, progress=self.progress)

    def cast(self, dtype: npt.DTypeLike, *, memory: float | None = None) -> KernelOperator:
        """Return the kernel with entries of another type.

        ``memory`` is that for its kept blocks. None: both operators together take ``self.memory``.
        """
        cast = self._like(self.x, self.x2, dtype=dtype)
        if memory is not None:
            cast.memory = memory
            cast._keep_in(Room(as_real(memory, "memory", least=0.0)))
        return cast

    def _like(
        self, x: FloatArray, x2: FloatArray | None = None, dtype: npt.DTypeLike | None = None
    ) -> KernelOperator:
        """Return the kernel of other points, whose blocks share the memory of this one."""
        other = type(self)(
            self.network,
            x,
            x2,
            kernel=self.kernel,
            memory=self.memory,
            dtype=dtype,
            progress=self.progress,
        )
        other._keep_in(self._store.room)
        return other

    def release(self) -> None:
        """Let kept blocks go. The next product computes them again, and keeps them."""
        self._store.release()

    def estimate(self, columns: int = 1) -> ProductEstimate:
        """Estimate the time and memory of products before computing one.

        Parameters
        ----------
        columns
            Number of vectors c ≥ 1 that are multiplied at once.

        Returns
        -------
        ProductEstimate
            Seconds of the first product and of later ones, on the threads in use, and bytes.

        Raises
        ------
        TypeError, ValueError
            ``columns`` is not an integer of at least 1, or there are no points to measure.

        Notes
        -----
        Takes about a second: part of a block is computed, and some blocks are multiplied.

        Examples
        --------
        >>> from ntkfast import mlp
        >>> x = np.random.default_rng(0).standard_normal((2048, 10))
        >>> KernelOperator(mlp(3), x, memory=1e9).estimate().kept_bytes  # three blocks
        25165824
        """
        return estimated(self, columns)

    def fingerprint(self) -> str:
        """Return a digest of the network, the points and the type."""
        try:
            network = json.dumps(self.network.to_dict(), sort_keys=True)
        except TypeError:  # functions have no description; some entries stand for them
            network = super().fingerprint()
        digest = hashlib.sha256(network.encode())
        for points in (self.x, self.x2):
            if points is not None:
                digest.update(repr((points.shape, points.dtype.str, self.kernel)).encode())
                digest.update(points.tobytes())
        return digest.hexdigest()

    def _facts(self) -> Iterator[Fact]:
        yield "", self.network
        yield "kernel=", repr(self.kernel)
        yield from super()._facts()

    def _remarks(self) -> Iterator[str]:
        there, total = len(self._store.blocks), len(self._places)
        yield f"{there} of {total} blocks in memory, {self.kept / 1e9:.3g} GB"

    def __getstate__(self) -> dict[str, Any]:
        """Points and a recipe: blocks are computed again, with the same bits."""
        left = {"_prepared", "_store", "_places", "progress"}
        state = {name: value for name, value in vars(self).items() if name not in left}
        return {**state, "recipe": self._prepared.recipe}

    def __setstate__(self, state: dict[str, Any]) -> None:
        recipe = state.pop("recipe")
        vars(self).update(state, progress=None)
        self._prepared = self.network._program.prepare_again(recipe)
        self._places = list(self._blocks())
        self._keep_in(Room(self.memory))
