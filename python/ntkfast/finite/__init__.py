"""Networks of finite width: what the kernels are limits of."""

from ntkfast.finite.initial import init
from ntkfast.finite.monte_carlo import MonteCarloKernels, monte_carlo_kernels
from ntkfast.finite.network import FiniteNetwork

__all__ = ["FiniteNetwork", "MonteCarloKernels", "init", "monte_carlo_kernels"]
