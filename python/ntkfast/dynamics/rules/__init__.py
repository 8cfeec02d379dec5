"""Training rules: the effect of each rule on a single mode of the kernel, one rule per file."""

from ntkfast.dynamics.rules.continuous import ContinuousTime
from ntkfast.dynamics.rules.heavy_ball import HeavyBall
from ntkfast.dynamics.rules.rule import Rate, Rule

__all__ = ["ContinuousTime", "HeavyBall", "Rate", "Rule"]
