"""Training of infinitely wide networks in closed form."""

from ntkfast.dynamics.ensemble import Ensemble
from ntkfast.dynamics.flow import GradientFlow
from ntkfast.dynamics.normal import Normal
from ntkfast.dynamics.posterior import Posterior
from ntkfast.dynamics.regression import KernelRegression

__all__ = ["Ensemble", "GradientFlow", "KernelRegression", "Normal", "Posterior"]
