"""Training of infinitely wide networks, in closed form where there is one."""

from ntkfast.dynamics.descent import GradientDescent
from ntkfast.dynamics.flow import GradientFlow
from ntkfast.dynamics.loss_flow import LossFlow
from ntkfast.dynamics.trajectory import Trajectory

__all__ = ["GradientDescent", "GradientFlow", "LossFlow", "Trajectory"]
