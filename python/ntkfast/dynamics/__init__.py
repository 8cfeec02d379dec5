"""Training of infinitely wide networks, in closed form where there is one."""

from ntkfast.dynamics._products import FlowReport
from ntkfast.dynamics.descent import GradientDescent
from ntkfast.dynamics.ensemble import Ensemble
from ntkfast.dynamics.flow import GradientFlow
from ntkfast.dynamics.linear import LinearModel
from ntkfast.dynamics.loss_flow import LossFlow
from ntkfast.dynamics.normal import Normal
from ntkfast.dynamics.posterior import Posterior
from ntkfast.dynamics.regression import KernelRegression
from ntkfast.dynamics.trajectory import Trajectory

__all__ = [
    "Ensemble",
    "FlowReport",
    "GradientDescent",
    "GradientFlow",
    "KernelRegression",
    "LinearModel",
    "LossFlow",
    "Normal",
    "Posterior",
    "Trajectory",
]
