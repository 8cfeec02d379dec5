"""Kernels of networks as operators: blocks that are kept, or computed again for each product."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from ntkfast._arrays import FloatArray, as_floats, check_finite, is_same
from ntkfast._display import Fact
from ntkfast._memory import available, zeros
from ntkfast._ntkfast import Prepared, multiply_blocks
from ntkfast._progress import Progress, Report, reporting
from ntkfast._scalars import as_choice, as_real
from ntkfast.kernels import KernelName, as_samples, evaluate
from ntkfast.networks import Network
from ntkfast.networks.composition import as_network
from ntkfast.operators.operator import Form, Indices, Operator

__all__ = ["KernelOperator"]

# Rows and columns of a block: multiples of 64, so that blocks have the bits of the whole matrix.
# Rows: 4 MB in float32, in the last cache on their way from the kernel to the product.
_ROWS, _IMAGES = 1024, 128
# The share of free memory for blocks that are kept, unless `memory` says how much.
_SHARE = 0.5
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
        self.x = self._as_points(x, "x", dtype)
        self.x2 = None if x2 is None else self._as_points(x2, "x2", dtype)
        if self.x2 is not None and self.x2.dtype != self.x.dtype:
            self.x, self.x2 = self.x.astype(np.float64), self.x2.astype(np.float64)
        self._prepared: Prepared = self.network._program.prepare(self.x, self.x2)
        self._places = list(self._blocks())
        self._kept: list[FloatArray] = []
        self._lock = threading.Lock()

    def _as_points(self, x: npt.ArrayLike, name: str, dtype: npt.DTypeLike | None) -> FloatArray:
        points = as_samples(self.network._program, as_floats(x, name), name, self.network._rank)
        wanted = points.dtype if dtype is None else np.dtype(dtype)
        if wanted not in (np.dtype(np.float32), np.dtype(np.float64)):
            raise ValueError(f"dtype is {wanted}; expected float32 or float64")
        with np.errstate(over="ignore"):
            cast = np.array(points, wanted, order="C")
        if wanted != points.dtype and not np.isfinite(cast).all():
            check_finite(points, name)
            raise ValueError(
                f"{name} has entries beyond the range of {wanted}; scale them down, or use float64"
            )
        return cast

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
        return sum(block.nbytes for block in self._kept)

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
        if self.x2 is None and self.network._spatial:
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
        out = zeros((rows, vectors.shape[1]), np.float64, "the product")
        label = f"{self.kernel.upper()} times {vectors.shape[1]} vectors"
        with reporting(self.progress, label, "block") as report:
            self._add(vectors, out, form, report)
        return out

    def _add(
        self,
        vectors: npt.NDArray[np.float64],
        out: npt.NDArray[np.float64],
        form: Form,
        report: Report | None,
    ) -> None:
        """Add the products of all blocks to `out`, in their order."""
        index, total = 0, len(self._places)
        while index < total:
            if index < len(self._kept):
                blocks = self._kept[index : index + _TOGETHER]
            else:
                blocks = [self._block(*self._places[index])]
                self._offer(index, blocks[0])
            starts = [
                (rows.start, columns.start)
                for rows, columns in self._places[index : index + len(blocks)]
            ]
            multiply_blocks(blocks, starts, form, vectors, out, None)
            index += len(blocks)
            if report is not None:
                report(index, total)

    def _offer(self, index: int, block: FloatArray) -> None:
        """Keep a block if it follows the kept ones and there is room; threads may share blocks."""
        with self._lock:
            if index == len(self._kept) and self._has_room():
                self._kept.append(block)

    def _has_room(self) -> bool:
        """Whether there is room for one more block."""
        full = self.dtype.itemsize * self._places[0][0].stop * self._places[0][1].stop
        used = len(self._kept) * full  # all but the last blocks of a row are full
        # What is free is looked up each time, because other operators keep blocks too.
        budget = _SHARE * (available() + used) if self.memory is None else self.memory
        return bool(used + full <= budget)

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
        """Return the kernel with entries of another type, and memory of its own; None: as here."""
        return KernelOperator(
            self.network,
            self.x,
            self.x2,
            kernel=self.kernel,
            memory=self.memory if memory is None else memory,
            dtype=dtype,
            progress=self.progress,
        )

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
        yield (
            f"{len(self._kept)} of {len(self._places)} blocks in memory, {self.kept / 1e9:.3g} GB"
        )

    def __getstate__(self) -> dict[str, Any]:
        """Points and a recipe: blocks are computed again, with the same bits."""
        left = {"_prepared", "_kept", "_lock", "_places", "progress"}
        state = {name: value for name, value in vars(self).items() if name not in left}
        return {**state, "recipe": self._prepared.recipe}

    def __setstate__(self, state: dict[str, Any]) -> None:
        recipe = state.pop("recipe")
        vars(self).update(state, progress=None, _kept=[], _lock=threading.Lock())
        self._prepared = self.network._program.prepare_again(recipe)
        self._places = list(self._blocks())
