"""Training of infinitely wide networks in closed form."""

from ntkfast.dynamics.flow import GradientFlow

__all__ = ["GradientFlow"]
