"""Eigendecompositions of Gram matrices."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ntkfast._arrays import FloatArray, as_floats, check_finite
from ntkfast._display import Displayed, Fact
from ntkfast._memory import check
from ntkfast._ntkfast import eigh as core_eigh
from ntkfast._progress import Progress, one_step
from ntkfast.linalg import as_square

__all__ = ["Spectrum", "eigh", "relative_rounding"]

# Memory at the peak, in units of the matrix: its copy, the tridiagonal form, eigenvectors, scratch.
_MATRICES = 3.5
_SMALLER = "use fewer points or float32, or KernelRegression, which takes one matrix more"


@dataclass(frozen=True, eq=False, repr=False)
class Spectrum(Displayed):
    """Θ = U·diag(λ)·Uᵀ, usually created by `eigh`.

    float64 and float32 arrays are kept without a copy; do not change them afterwards.

    Attributes
    ----------
    eigenvalues
        Shape (n,): λ in ascending order.
    eigenvectors
        Shape (n, n): U, eigenvector i in column i.
    """

    eigenvalues: FloatArray
    eigenvectors: FloatArray

    def __post_init__(self) -> None:
        values = as_floats(self.eigenvalues, "eigenvalues")
        vectors = as_floats(self.eigenvectors, "eigenvectors")
        if values.ndim != 1:
            raise ValueError(f"eigenvalues has shape {values.shape}; expected (n,)")
        if vectors.shape != (values.size, values.size):
            raise ValueError(
                f"eigenvectors has shape {vectors.shape}; expected ({values.size}, {values.size}), "
                "one column per eigenvalue"
            )
        check_finite(values, "eigenvalues")
        check_finite(vectors, "eigenvectors")
        if (values[1:] < values[:-1]).any():
            raise ValueError("eigenvalues are not in ascending order; sort them with their columns")
        object.__setattr__(self, "eigenvalues", values)
        object.__setattr__(self, "eigenvectors", vectors)

    @classmethod
    def _of(cls, eigenvalues: FloatArray, eigenvectors: FloatArray) -> Spectrum:
        """Return a decomposition from the core, which needs no further checks."""
        spectrum = cls.__new__(cls)
        object.__setattr__(spectrum, "eigenvalues", eigenvalues)
        object.__setattr__(spectrum, "eigenvectors", eigenvectors)
        return spectrum

    @property
    def n(self) -> int:
        """The order of the matrix."""
        return self.eigenvalues.size

    @property
    def tolerance(self) -> float:
        """n·ε·λ_max. An eigenvalue up to this size may be zero.

        In float32 it is at most 16·ε·λ_max, the largest rounding error that was observed. n·ε would
        treat most of a kernel's spectrum as zero at a few thousand points.
        """
        if self.n == 0:
            return 0.0
        relative = relative_rounding(self.n, self.eigenvalues.dtype)
        return relative * max(float(self.eigenvalues[-1]), 0.0)

    @property
    def rank(self) -> int:
        """Number of eigenvalues above `tolerance`."""
        return int(np.count_nonzero(self.eigenvalues > self.tolerance))

    @property
    def condition_number(self) -> float:
        """λ_max/λ_min; infinite if λ_min ≤ 0, NaN for an empty matrix."""
        if self.n == 0:
            return math.nan
        smallest, largest = float(self.eigenvalues[0]), float(self.eigenvalues[-1])
        return largest / smallest if smallest > 0 else math.inf

    def _facts(self) -> Iterator[Fact]:
        yield "n=", self.n
        if self.n == 0:
            return
        yield "eigenvalues", f"from {self.eigenvalues[0]:.6g} to {self.eigenvalues[-1]:.6g}"
        yield "condition number", f"{self.condition_number:.3g}"
        yield "rank", self.rank
        yield "", self.eigenvalues.dtype


def relative_rounding(n: int, dtype: np.dtype[np.floating]) -> float:
    """Return the rounding error of eigenvalues and pivots, see `Spectrum.tolerance`."""
    return max(n * float(np.finfo(np.float64).eps), min(n, 16) * float(np.finfo(dtype).eps))


def eigh(theta: npt.ArrayLike, *, progress: Progress = None) -> Spectrum:
    """Decompose a symmetric matrix into eigenvalues and eigenvectors.

    Parameters
    ----------
    theta
        Shape (n, n), symmetric. float64 and float32 are kept; other real numbers become float64.
    progress
        True for a tqdm bar, or any ``callable(done, total)``. The decomposition is one step,
        reported before it and after it.

    Returns
    -------
    Spectrum
        Eigenvalues in ascending order, with their eigenvectors. Costs about 9·n³ operations and
        5·n² numbers of memory. Ctrl-C returns at once, but the work continues in the background.

    Raises
    ------
    TypeError
        ``theta`` does not consist of real numbers.
    ValueError
        ``theta`` is not square, not symmetric within rounding, or not finite.
    NumericalError
        The iteration did not converge.
    MemoryError
        It would exceed the memory that is free.
    """
    matrix = as_square(theta, "theta")
    check(_MATRICES * matrix.nbytes, f"the eigendecomposition of {len(matrix)} points", _SMALLER)
    with one_step(progress, "eigh"):
        eigenvalues, eigenvectors = core_eigh(matrix)
    return Spectrum._of(eigenvalues, eigenvectors)
