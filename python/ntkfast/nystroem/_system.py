"""The normal equations of Nyström regression in orthonormal features, by passes over all points.

With centres Z, C = K(X, Z), K(Z, Z) + j = L·Lᵀ and features C·L⁻ᵀ, coefficients β = L⁻ᵀ·v minimise
Σ w_i (y_i − (C·β)_i)² + r·βᵀ(K(Z, Z) + j)·β where (L⁻¹·CᵀW·C·L⁻ᵀ + r)·v = L⁻¹·CᵀW·y. In these
features the condition number is at most 1 + trace(K)/r, whatever that of K(Z, Z).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ntkfast._arrays import FloatArray
from ntkfast._memory import zeros
from ntkfast._ntkfast import NumericalError, Prepared, multiply_blocks
from ntkfast.kernels import KernelName, as_others, evaluate
from ntkfast.linalg import Cholesky, cholesky
from ntkfast.networks import Network
from ntkfast.nystroem._points import Band, Doubles, Points, as_doubles
from ntkfast.nystroem._survey import Survey
from ntkfast.operators import KernelOperator, Operator
from ntkfast.operators._columns import columns_of
from ntkfast.operators._store import Room, Store
from ntkfast.operators.operator import Indices

__all__ = ["Features", "Passes", "WhitenedNormal", "whitening"]

# Kernel values of a band, which is a power of two of rows.
_ENTRIES, _LEAST, _MOST = 1 << 22, 256, 16_384


@dataclass(frozen=True, eq=False)
class Features:
    """Centres and the factor L of their kernel: features C·L⁻ᵀ of points.

    Attributes
    ----------
    network, kernel
        Of the regression.
    centres
        Shape (m, …).
    factor
        L, in float64.
    jitter
        j, beside which rounding of the kernel in its type is small.
    """

    network: Network
    kernel: KernelName
    centres: FloatArray
    factor: Cholesky
    jitter: float

    @property
    def m(self) -> int:
        """Number of centres."""
        return len(self.centres)

    def of(self, kernel: FloatArray) -> Doubles:
        """Return features of k points, shape (m, k), from their kernel, shape (k, m).

        Costs k·m². Products of features keep the digits that those of kernels lose where the kernel
        of the centres is nearly singular.
        """
        return as_doubles(self.factor.solve_lower(kernel.T.astype(np.float64)))

    def digest(self) -> str:
        """Return a digest of the network, the centres and the jitter."""
        op = KernelOperator(self.network, self.centres, kernel=self.kernel, memory=0)
        return f"{op.fingerprint()} {self.jitter!r}"


def whitening(
    network: Network, kernel: KernelName, centres: FloatArray, least: float = 0.0
) -> Features:
    """Factorise the kernel of the centres, with a jitter of ε·trace, or more where it has to be."""
    matrix = getattr(network, kernel)(centres.astype(np.float64))
    trace = float(np.trace(matrix))
    if not trace > 0:
        raise NumericalError(
            "the kernel of the centres is 0, so nothing can be learnt from it; choose other centres"
        )
    jitter = max(float(np.finfo(centres.dtype).eps) * trace, least)
    on_diagonal = matrix.reshape(-1)[:: len(matrix) + 1]
    total = 0.0
    for _ in range(6):
        on_diagonal += jitter - total
        total = jitter
        try:
            # Row after row, which solves for many columns in less than half of the time.
            rows = Cholesky._of(np.ascontiguousarray(cholesky(matrix).factor))
            return Features(network, kernel, centres, rows, jitter)
        except NumericalError:
            jitter *= 10
    raise NumericalError(
        f"the kernel of the centres is not positive definite, even with {total:.2g} added to its "
        "diagonal; choose other centres"
    )


class Passes:
    """The kernel between all points and the centres, in bands of rows that are kept or recomputed.

    Bands have the same bits for any chunks and any memory.
    """

    def __init__(
        self,
        points: Points,
        features: Features,
        prepared: Prepared,
        memory: float | None,
    ) -> None:
        self.points, self.features, self._prepared = points, features, prepared
        step = 2 ** round(np.log2(_ENTRIES / features.m))
        self.rows = int(np.clip(step, _LEAST, _MOST))
        self._store = Store(Room(memory), self.rows * features.m * points.dtype.itemsize)
        self._weights: list[Doubles | None] = []
        self._complete = False

    @property
    def kept(self) -> int:
        """Bytes of the bands that are in memory."""
        return sum(block.nbytes for block in self._store.blocks)

    def with_points(self) -> Iterator[tuple[Band, FloatArray]]:
        """Yield all bands with their kernel."""
        self._weights, self._complete = [], False
        for index, band in enumerate(self.points.bands(self.rows)):
            block = self._block(index, band)
            self._weights.append(band.weights)
            yield band, block
        self._complete = True

    def kernels(self) -> Iterator[tuple[FloatArray, Doubles | None]]:
        """Yield the kernel and the weights of all bands; points are not read if all are kept."""
        if self._complete and len(self._store.blocks) == len(self._weights):
            yield from zip(self._store.blocks, self._weights, strict=True)
            return
        for band, block in self.with_points():
            yield block, band.weights

    def _block(self, index: int, band: Band) -> FloatArray:
        if index < len(self._store.blocks):
            return self._store.blocks[index]
        block = kernel_of(self.features, self._prepared, band.x)
        self._store.offer(index, block)
        return block

    def release(self) -> None:
        """Let the bands go."""
        self._store.release()


def kernel_of(features: Features, prepared: Prepared, x: FloatArray) -> FloatArray:
    """Return the kernel between k points and the centres, shape (k, m)."""
    return evaluate(
        prepared,
        as_others(x, features.centres),
        features.centres,
        wanted=(features.kernel,),
        out=(None,),
        diagonal=False,
        progress=None,
    )[0]


class WhitenedNormal(Operator):
    """L⁻¹·CᵀW·C·L⁻ᵀ, shape (m, m): a product is one pass, with every kernel value computed once."""

    def __init__(self, passes: Passes, known: Survey) -> None:
        self.passes, self._known = passes, known

    @property
    def shape(self) -> tuple[int, int]:
        """(m, m)."""
        return self.passes.features.m, self.passes.features.m

    @property
    def dtype(self) -> np.dtype[np.floating]:
        """The type of the kernel."""
        return self.passes.points.dtype

    @property
    def symmetric(self) -> bool:
        """True."""
        return True

    def _multiply(self, vectors: Doubles, *, transposed: bool) -> FloatArray:
        factor = self.passes.features.factor
        inner = columns_of(np.ascontiguousarray(factor.solve_upper(vectors), np.float64))
        sums = [zeros(part.shape, np.float64, "the product") for part in inner]
        for block, weights in self.passes.kernels():
            for part, out in zip(inner, sums, strict=True):
                add_gathered(block, outputs(block, part, weights), out)
        return factor.solve_lower(np.concatenate(sums, axis=1))

    def _entries(self, rows: Indices, columns: Indices | None) -> FloatArray:
        units = np.zeros((len(self), len(rows)))
        units[rows, np.arange(len(rows))] = 1.0
        found = (self @ units).T
        return found if columns is None else found[:, columns]

    def _diagonal(self) -> FloatArray:
        return self._entries(np.arange(len(self)), None).diagonal()

    def trace(self) -> float:
        """Return a bound of the trace: that of the kernel of all points."""
        return self._known.trace

    def fingerprint(self) -> str:
        """Return a digest of the points, the targets, the centres and the network."""
        both = self._known.digest + self.passes.features.digest()
        return hashlib.sha256(both.encode()).hexdigest()

    @property
    def kept(self) -> int:
        """Bytes of kept bands."""
        return self.passes.kept


def outputs(block: FloatArray, vectors: Doubles, weights: Doubles | None = None) -> Doubles:
    """Return W·C·v for the rows of a band."""
    out = np.zeros((len(block), vectors.shape[1]))
    multiply_blocks([block], [(0, 0)], "given", vectors, out, None)
    return out if weights is None else out * weights[:, None]


def add_gathered(block: FloatArray, values: npt.NDArray[np.float64], out: Doubles) -> None:
    """Add Cᵀ·u for the rows of a band to `out`."""
    multiply_blocks([block], [(0, 0)], "transposed", np.ascontiguousarray(values), out, None)
