"""Estimators that learn on some centres, for samples by the million."""

from __future__ import annotations

from numbers import Integral
from typing import Any, Literal, TypeVar

import numpy as np
import numpy.typing as npt

from ntkfast._arrays import FloatArray
from ntkfast._scalars import as_choice, as_count, as_real, as_tolerance, plain
from ntkfast.kernels import KernelName
from ntkfast.nystroem import NystroemPath, NystroemRegression
from ntkfast.nystroem._predict import Mean
from ntkfast.sklearn._base import NetworkEstimator
from ntkfast.sklearn._lazy import samples
from ntkfast.sklearn._seeds import RandomState, as_seed
from ntkfast.solvers import SolveReport

__all__ = ["KERNELS", "NystroemEstimator", "at_most"]

Self = TypeVar("Self", bound="NystroemEstimator")

KERNELS = ("ntk", "nngp")
"""Kernels that a network computes."""

# Candidates for relative_diag_reg="auto".
_CANDIDATES = np.logspace(-8, 2, 21)


def at_most(centres: npt.ArrayLike, n: int) -> npt.ArrayLike:
    """Return a number of centres that is at most n; shares and points are returned as they are."""
    number = plain(centres)
    if isinstance(number, Integral) and not isinstance(number, bool):
        return min(as_count(centres, "centres", least=1), n)
    return centres


class NystroemEstimator(NetworkEstimator):
    """Kernel ridge regression with functions K(x, Z)·β of some centres Z."""

    centres: npt.ArrayLike
    sampling: Literal["pivots", "uniform"]
    diag_reg: float
    relative_diag_reg: float | Literal["auto"]
    tol: float | None
    memory: float | None
    random_state: RandomState

    kernel_: Literal["ntk", "nngp"]
    centres_: FloatArray
    training_: NystroemRegression
    diag_reg_: float
    unexplained_: float
    report_: SolveReport

    @property
    def _computed(self) -> KernelName:
        return self.kernel_

    @property
    def _trained(self) -> str:
        return "training_"

    def _precomputed(self) -> bool:
        as_choice(self.kernel, "kernel", KERNELS)
        return False

    def mean_only(self: Self) -> Self:
        """Return a copy for deployment, with the network, the centres and the coefficients alone.

        `predict` of the copy gives the same bits. The copy holds m·(n_features + n_outputs) numbers
        for m centres, in memory, in pickles and in files of `nk.save`, and not the training points.

        Returns
        -------
        estimator
            A fitted estimator of the same class, which shares its arrays with this one. Standard
            deviations, and the ``predict_proba`` that is computed from them, need the matrices that
            it lacks and raise ValueError.

        Raises
        ------
        NotFittedError
            The estimator is not fitted.
        """
        return super().mean_only()

    def _settings(self, n: int) -> dict[str, Any]:
        """Check the parameters, and return those that choose centres and compute kernels."""
        self.kernel_ = as_choice(self.kernel, "kernel", KERNELS)  # type: ignore[assignment]
        self.network_ = self._network()
        return {
            "centres": at_most(self.centres, n),
            "sampling": self.sampling,
            "kernel": self.kernel_,
            "seed": as_seed(self.random_state),
            "progress": self.progress,
        }

    def _tol(self, usual: float) -> float:
        return usual if self.tol is None else as_tolerance(self.tol)

    def _learn(self, points: FloatArray, targets: FloatArray, weights: FloatArray | None) -> None:
        settings = {**self._settings(len(points)), "sample_weight": weights}
        tol = self._tol(1e-4)
        if isinstance(self.relative_diag_reg, str):
            as_choice(self.relative_diag_reg, "relative_diag_reg", ("auto",), "a number >= 0")
            self._check_path(settings["centres"], len(points))
            path = NystroemPath(
                self.network_,
                points,
                targets,
                diag_reg=_CANDIDATES,
                units="relative",
                **settings,
            )
            trained = path.regression()
        else:
            trained = NystroemRegression(
                self.network_,
                points,
                targets,
                diag_reg=self.diag_reg,
                relative_diag_reg=self.relative_diag_reg,
                tol=tol,
                memory=self.memory,
                **settings,
            )
        self.training_ = trained
        self.centres_, self.dual_coef_ = trained.centres, trained.coefficients
        self.diag_reg_, self.unexplained_ = trained.diag_reg, trained.unexplained
        self.report_ = trained.report

    def _check_path(self, centres: npt.ArrayLike, n: int) -> None:
        if as_real(self.diag_reg, "diag_reg", least=0.0):
            raise ValueError(
                f"diag_reg is {self.diag_reg!r} beside relative_diag_reg='auto', which chooses all "
                "of the regularisation; use diag_reg=0"
            )
        if np.ndim(centres) == 0 and centres == n:
            raise ValueError(
                "relative_diag_reg='auto' predicts samples that are no centres, and all "
                f"{n} samples are centres; use fewer centres, or an estimator that chooses among "
                "all samples: NTKRegressorCV or NTKClassifierCV"
            )

    def _outputs(self, points: FloatArray) -> FloatArray:
        mean = Mean(self.network_, self.kernel_, self.centres_, self.dual_coef_)
        return mean(points).astype(points.dtype, copy=False)

    def _deviations(self, points: FloatArray) -> FloatArray:
        self._check_trained("standard deviations")
        return np.sqrt(self.training_.variance(points)).astype(points.dtype)

    def _ready_for_tasks(self) -> None:
        self._check_trained("standard deviations")
        assert self.training_._uncertainty  # which copies for workers cannot compute

    def _training_samples(
        self, X: npt.ArrayLike, y: npt.ArrayLike, **checks: Any
    ) -> tuple[FloatArray, npt.NDArray[Any]]:
        """Return samples and targets to learn from; samples in a dask array stay there."""
        return samples(self, X, y, **checks)

    def _type_of_means(self, samples: np.dtype[Any]) -> np.dtype[Any]:
        return samples

    def _noise(self) -> float:
        return self.diag_reg_
