"""The evidence of networks for targets at some points, and its gradient."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ntkfast._arrays import FloatArray
from ntkfast.derivatives import Parameter
from ntkfast.dynamics._conditioned import evidence as evidence_of
from ntkfast.dynamics._scaled import scaled_features
from ntkfast.dynamics.regression import KernelRegression
from ntkfast.networks import Network
from ntkfast.networks.neighbours import Neighbours
from ntkfast.solvers import CholeskySolver

__all__ = ["Candidate", "Evidence"]

# Fits of activations serve changes of w_std and b_std by factors of up to e^0.7 = 2.
_REACH = 0.7
_FACTORS: list[Parameter] = [("w_factor", None), ("b_factor", None)]


@dataclass(frozen=True, eq=False)
class Candidate:
    """What the evidence depends on: a network, the noise, and scales of features, if any."""

    network: Network
    noise: FloatArray
    scales: FloatArray | None = None


class Evidence:
    """The log marginal likelihood of targets at some points, by the network and the noise."""

    def __init__(self, x: FloatArray, y: FloatArray, remedy: str) -> None:
        self._x, self._y, self._remedy = x, y, remedy
        self._near = Neighbours(x, _REACH)

    def _regression(self, at: Candidate) -> KernelRegression:
        self._near.x = scaled_features(self._x, None, at.scales)
        gram, name = self._near.gram(at.network, "nngp"), "the NNGP of x"
        solver = CholeskySolver()
        return KernelRegression._of(solver, gram, self._y, at.noise, name=name, remedy=self._remedy)

    def __call__(self, at: Candidate) -> float:
        """Return the log marginal likelihood."""
        return evidence_of(self._regression(at))

    def has_gradient(self, at: Candidate) -> bool:
        """Return whether the kernels of the network can be differentiated."""
        self._near.x = scaled_features(self._x, None, at.scales)
        try:
            self._near.gradients(at.network, _FACTORS, "nngp", rows=1)
        except ValueError:
            return False
        return True

    def with_gradient(self, at: Candidate) -> tuple[float, FloatArray]:
        """Return the value and its gradient by logarithms: of w_std, b_std, noise, and scales.

        With α = K⁻¹·y of c outputs it is ½·tr((α·αᵀ − c·K⁻¹)·∂K).
        """
        regression = self._regression(at)
        alpha = regression.coefficients.reshape(len(self._y), -1).astype(np.float64)
        inverse = regression.prepared.solve(np.eye(len(self._y)))
        cotangent = 0.5 * (alpha @ alpha.T - alpha.shape[1] * inverse)
        by_factors = self._near.gradients(at.network, _FACTORS, "nngp")
        by_noise = float(np.sum(cotangent.diagonal() * at.noise))
        slope = np.array([*(float(np.sum(cotangent * each)) for each in by_factors), by_noise])
        if at.scales is not None:
            by_points = self._near.vjp(at.network, cotangent, "nngp")
            slope = np.append(slope, np.einsum("ij,ij->j", by_points, self._near.x))
        return evidence_of(regression), slope
