"""Block Lanczos with full reorthogonalisation: a basis that grows by one product at a time."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from ntkfast._memory import check
from ntkfast._ntkfast import NumericalError
from ntkfast.linalg import matmul
from ntkfast.operators import Operator

__all__ = ["Krylov", "norms"]

Doubles = npt.NDArray[np.float64]

# Columns of the basis that are kept in one array: wide enough for fast products.
_WIDE = 64
# Products up to this size can be decomposed and added.
_LARGE = 1e300
_REMEDY = "use a shorter time, t = inf, a larger tol, or fewer outputs at once"


class Krylov:
    """An orthonormal basis Q of v, A·v, A²·v, …, and QᵀAQ, for vectors v of shape (n, c).

    Directions that rounding hides are left out, so dependent vectors, and vectors of zeros, cost
    nothing. The basis is exact for all further products once no new direction remains.

    Attributes
    ----------
    dimensions
        The dimension of the basis before the first product, and after each one.
    projected
        Shape (k, k): QᵀAQ.
    beyond
        The products of the last b vectors of the basis, along further vectors: A·Q − Q·(QᵀAQ) has
        the norm of this matrix.
    start
        Shape (b, c): the coordinates of v along the first b vectors of the basis.
    """

    def __init__(self, op: Operator, vectors: Doubles) -> None:
        self.op = op
        self.dimensions = [0]
        self.projected: Doubles = np.zeros((0, 0))
        self.beyond: Doubles = np.zeros((0, 0))
        self._parts: list[Doubles] = []
        sizes = norms(vectors)
        scaled = vectors / np.where(sizes > 0, sizes, 1.0)
        self._next = _directions(scaled, _rounding(len(vectors)))
        self.start: Doubles = self._next.T @ vectors

    @property
    def exhausted(self) -> bool:
        """Whether products give no further direction."""
        return bool(self._next.shape[1] == 0)

    @property
    def nbytes(self) -> int:
        """Memory of the basis."""
        return sum(part.nbytes for part in self._parts) + self.projected.nbytes

    def extend(self) -> None:
        """Add a block to the basis, with one product. An exception changes nothing."""
        block = self._next
        n, width = block.shape
        check(block.nbytes + 8 * n * _WIDE, "the next vectors of the Lanczos basis", _REMEDY)
        image = (self.op @ block).astype(np.float64, copy=False)
        if not (np.abs(image) < _LARGE).all():
            raise NumericalError(
                "products with theta exceed the range of float64; scale theta down, and the "
                "learning rate up"
            )
        parts = _joined(self._parts, block)
        known = self.dimensions[-1] + width
        along, rest = _split(parts, image)
        scale = np.abs(self.projected).max(initial=np.abs(along).max(initial=0.0))
        rest = _directions(rest / (scale or 1.0), _rounding(n))
        if rest.shape[1]:  # orthogonal to rounding only after a second time
            rest = _directions(_split(parts, rest)[1], 0.5)
        projected = np.zeros((known, known))
        projected[: known - width, : known - width] = self.projected
        projected[:, known - width :] = along
        projected[known - width :, : known - width] = along[: known - width].T
        own = along[known - width :]
        projected[known - width :, known - width :] = (own + own.T) / 2
        self._parts, self.projected = parts, projected
        self._next = rest[:, : n - known]
        self.beyond = self._next.T @ image
        self.dimensions.append(known)

    def combine(self, coordinates: Doubles) -> Doubles:
        """Return Q·z for coordinates z of shape (k, m), along the first k vectors of the basis."""
        n = self._next.shape[0]
        total: Doubles = np.zeros((n, coordinates.shape[1]))
        top = 0
        for part in self._parts:
            rows = coordinates[top : top + part.shape[1]]
            if len(rows):
                total += matmul(part[:, : len(rows)], rows)
            top += part.shape[1]
        return total


def norms(a: Doubles) -> Doubles:
    """Return the norm of each column."""
    found: Doubles = np.linalg.norm(a, axis=0)
    return found


def _joined(parts: list[Doubles], block: Doubles) -> list[Doubles]:
    """Return the parts of a basis with one more block."""
    if parts and parts[-1].shape[1] < _WIDE:
        return [*parts[:-1], np.hstack((parts[-1], block))]
    return [*parts, block]


def _split(parts: list[Doubles], vectors: Doubles) -> tuple[Doubles, Doubles]:
    """Return coordinates along an orthonormal basis, and what is orthogonal to it."""
    along = [matmul(part.T, vectors) for part in parts]
    rest = vectors
    for part, coordinates in zip(parts, along, strict=True):
        rest = rest - matmul(part, coordinates)
    return np.concatenate(along), rest


def _directions(vectors: Doubles, least: float) -> Doubles:
    """Return an orthonormal basis of the vectors, without directions of size up to `least`."""
    if vectors.size == 0:
        return np.zeros((len(vectors), 0))
    orthogonal, triangle = np.linalg.qr(vectors)
    left, sizes, _ = np.linalg.svd(triangle)
    found: Doubles = orthogonal @ left[:, : len(sizes)][:, sizes > least]
    return found


def _rounding(n: int) -> float:
    """Relative size below which a direction may be rounding."""
    return 8 * math.sqrt(n) * float(np.finfo(np.float64).eps)
