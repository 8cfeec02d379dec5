"""Kernels between linear functionals of points: values, derivatives, and sums of them."""

from ntkfast.differential.functionals import Functionals, Operator, as_functionals
from ntkfast.differential.kernel import check_digits, fill

__all__ = ["Functionals", "Operator", "as_functionals", "check_digits", "fill"]
