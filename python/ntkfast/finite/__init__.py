"""Networks of finite width: what the kernels are limits of."""

from ntkfast.finite.initial import init
from ntkfast.finite.network import FiniteNetwork

__all__ = ["FiniteNetwork", "init"]
