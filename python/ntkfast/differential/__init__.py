"""Kernels between linear functionals of points: values, derivatives, and sums of them."""

from ntkfast.differential.functionals import Functionals, Operator, as_functionals
from ntkfast.differential.kernel import fill

__all__ = ["Functionals", "Operator", "as_functionals", "fill"]
