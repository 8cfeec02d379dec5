"""The evidence of networks for targets at some points, and its gradient."""

from __future__ import annotations

import numpy as np

from ntkfast._arrays import FloatArray
from ntkfast.derivatives import Parameter
from ntkfast.dynamics._conditioned import evidence as evidence_of
from ntkfast.dynamics.regression import KernelRegression
from ntkfast.networks import Network
from ntkfast.networks.neighbours import Neighbours
from ntkfast.solvers import CholeskySolver

__all__ = ["Evidence"]

# Fits of activations serve changes of w_std and b_std by factors of up to e^0.7 = 2.
_REACH = 0.7
_FACTORS: list[Parameter] = [("w_factor", None), ("b_factor", None)]


class Evidence:
    """The log marginal likelihood of targets at some points, by the network and the noise."""

    def __init__(self, x: FloatArray, y: FloatArray, remedy: str) -> None:
        self._near, self._y, self._remedy = Neighbours(x, _REACH), y, remedy

    def _regression(self, network: Network, noise: FloatArray) -> KernelRegression:
        gram, name = self._near.gram(network, "nngp"), "the NNGP of x"
        solver = CholeskySolver()
        return KernelRegression._of(solver, gram, self._y, noise, name=name, remedy=self._remedy)

    def __call__(self, network: Network, noise: FloatArray) -> float:
        """Return the log marginal likelihood."""
        return evidence_of(self._regression(network, noise))

    def has_gradient(self, network: Network) -> bool:
        """Return whether the kernels of the network can be differentiated."""
        try:
            self._near.gradients(network, _FACTORS, "nngp", rows=1)
        except ValueError:
            return False
        return True

    def with_gradient(self, network: Network, noise: FloatArray) -> tuple[float, FloatArray]:
        """Return the value and its gradient by the logarithms of factors of w_std, b_std and noise.

        With α = K⁻¹·y of c outputs it is ½·tr((α·αᵀ − c·K⁻¹)·∂K).
        """
        regression = self._regression(network, noise)
        alpha = regression.coefficients.reshape(len(self._y), -1).astype(np.float64)
        inverse = regression.prepared.solve(np.eye(len(self._y)))
        cotangent = 0.5 * (alpha @ alpha.T - alpha.shape[1] * inverse)
        by_scales = self._near.gradients(network, _FACTORS, "nngp")
        by_noise = float(np.sum(cotangent.diagonal() * noise))
        slope = np.array([*(float(np.sum(cotangent * each)) for each in by_scales), by_noise])
        return evidence_of(regression), slope
