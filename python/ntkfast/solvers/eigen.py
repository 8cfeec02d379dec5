"""An eigendecomposition, which handles any regularisation and singular matrices."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt

from ntkfast._arrays import FloatArray
from ntkfast._gram import as_diagonal, check_symmetric
from ntkfast._ntkfast import NumericalError
from ntkfast._scalars import as_real
from ntkfast.linalg import Cholesky, as_right_side, matmul
from ntkfast.solvers.protocol import REMEDY, Prepared, Solver, as_system, vanishes
from ntkfast.spectrum import Spectrum, eigh

__all__ = ["EigenSolver", "PreparedEigen", "check_semidefinite"]


@dataclass(frozen=True, eq=False, repr=False)
class PreparedEigen(Prepared):
    """A system in the eigenbasis of Θ = U·diag(λ)·Uᵀ, with r added to λ; see `EigenSolver`.

    Attributes
    ----------
    spectrum
        λ and U, as computed or given.
    """

    spectrum: Spectrum

    @property
    def n(self) -> int:
        """The size of the system."""
        return self.spectrum.n

    @property
    def dtype(self) -> np.dtype[np.floating]:
        """The type of the eigenvectors, which is that of Θ."""
        return self.spectrum.eigenvectors.dtype

    @cached_property
    def eigenvalues(self) -> npt.NDArray[np.float64]:
        """Shape (n,): λ in float64, with negative values replaced by 0."""
        # Negative values are rounding, and would grow without bound during training.
        return np.maximum(self.spectrum.eigenvalues.astype(np.float64), 0.0)

    @cached_property
    def shifted(self) -> npt.NDArray[np.float64]:
        """Shape (n,): λ + r."""
        shifted: npt.NDArray[np.float64] = self.eigenvalues + float(self.ridge)
        return shifted

    @property
    def singular(self) -> bool:
        """Whether Θ + r is singular to working precision, by `Spectrum.tolerance`."""
        return bool((self.shifted <= self.spectrum.tolerance).any())

    def eigenvectors(self, dtype: npt.DTypeLike) -> FloatArray:
        """Return U in the wider of its type and the given type."""
        vectors = self.spectrum.eigenvectors
        return vectors.astype(np.result_type(vectors, dtype), copy=False)

    def with_ridge(self, ridge: float) -> PreparedEigen:
        """Return the system with another regularisation, from the same decomposition."""
        return replace(self, ridge=as_diagonal(as_real(ridge, "ridge"), self.n, "ridge"))

    def solve(self, b: npt.ArrayLike) -> FloatArray:
        """Solve (Θ + r)·x = b, with the solution of minimum norm if the system is singular.

        Costs 4·n²·c for c columns.
        """
        right = as_right_side(b, self.n)
        vectors = self.eigenvectors(right.dtype)
        columns = right.reshape(self.n, right.size // max(self.n, 1))
        gains = np.zeros_like(self.shifted)
        np.divide(1.0, self.shifted, out=gains, where=self.shifted > self.spectrum.tolerance)
        modes = gains.astype(vectors.dtype)[:, None] * matmul(vectors.T, columns)
        return matmul(vectors, modes).reshape(right.shape)

    def reaches(self, b: FloatArray) -> bool:
        """Whether b lies in the span of the eigenvectors that `solve` uses."""
        vectors = self.eigenvectors(b.dtype)
        lost = vectors[:, self.shifted <= self.spectrum.tolerance]
        columns = b.reshape(self.n, b.size // max(self.n, 1))
        return vanishes(matmul(lost.T, columns), columns)

    @property
    def log_determinant(self) -> float:
        """Natural logarithm of det(Θ + r); −inf if it is singular."""
        with np.errstate(divide="ignore"):
            return float(np.log(self.shifted).sum())

    @property
    def trace(self) -> float:
        """The trace of Θ + r."""
        return float(self.shifted.sum())

    @cached_property
    def inverse_diagonal(self) -> FloatArray:
        """Shape (n,): the diagonal of (Θ + r)⁻¹. Costs 2·n²; NumericalError if singular."""
        if self.singular:
            raise NumericalError(
                "theta with its regularisation is singular to working precision and has no "
                "inverse; increase diag_reg"
            )
        vectors = self.spectrum.eigenvectors
        inverse = (1 / self.shifted).astype(vectors.dtype)
        diagonal: FloatArray = np.einsum("ij,ij,j->i", vectors, vectors, inverse)
        return diagonal

    @property
    def condition_estimate(self) -> float:
        """(λ_max + r)/(λ_min + r), infinite if Θ + r is singular; NaN for an empty matrix."""
        if self.n == 0:
            return float("nan")
        smallest, largest = float(self.shifted[0]), float(self.shifted[-1])
        return largest / smallest if smallest > 0 else float("inf")

    @property
    def cholesky(self) -> Cholesky:
        """Raises ValueError: an eigendecomposition has no triangular factor."""
        raise ValueError(
            "this system was prepared by EigenSolver, which has no Cholesky factor; "
            "use nk.cholesky(theta), or KernelRegression"
        )


@dataclass(frozen=True)
class EigenSolver(Solver):
    """Solves in the eigenbasis of Θ, for any r. Costs about 9·n³."""

    def prepare(
        self,
        theta: npt.ArrayLike | Spectrum,
        ridge: npt.ArrayLike = 0.0,
        *,
        name: str = "theta",
        remedy: str = REMEDY,
    ) -> PreparedEigen:
        """Decompose Θ, or use its `Spectrum`.

        Parameters
        ----------
        theta, ridge, name, remedy
            As for `Solver.prepare`, with one r for all points. A `Spectrum` needs no decomposition,
            and ``seconds`` is 0.

        Raises
        ------
        ValueError
            As for `Solver.prepare`, and if r has one value per point.
        """
        if isinstance(theta, Spectrum):
            diagonal = as_diagonal(ridge, theta.n, "ridge")
        else:
            theta, diagonal = as_system(theta, ridge, name)
        if diagonal.ndim:
            raise ValueError(
                f"the regularisation (ridge, diag_reg or noise_variance) has shape "
                f"{diagonal.shape}; expected one number, because an eigendecomposition needs the "
                "same for every point; for one per point use solver='cholesky'"
            )
        seconds = 0.0
        if isinstance(theta, Spectrum):
            spectrum = theta
        else:
            begun = time.perf_counter()
            try:
                spectrum = eigh(theta)
            except ValueError:
                check_symmetric(theta, name)  # the same error, with the caller's name
                raise
            seconds = time.perf_counter() - begun
        check_semidefinite(spectrum, name)
        return PreparedEigen(ridge=diagonal, jitter=0.0, seconds=seconds, spectrum=spectrum)


def check_semidefinite(spectrum: Spectrum, name: str = "theta") -> None:
    """Reject negative eigenvalues that rounding cannot explain.

    The usual formulae for kernels lose half of the digits for identical points, hence √ε.
    """
    if spectrum.n == 0:
        return
    smallest, largest = float(spectrum.eigenvalues[0]), float(spectrum.eigenvalues[-1])
    rounding = np.sqrt(np.finfo(spectrum.eigenvalues.dtype).eps) * max(largest, -smallest)
    if smallest < -rounding:
        raise ValueError(
            f"{name} is not positive semi-definite: its eigenvalues go from {smallest:.6g} to "
            f"{largest:.6g}, and rounding cannot explain values below {-rounding:.2g}; expected a "
            "Gram matrix (pass one computed in float32 as float32)"
        )
