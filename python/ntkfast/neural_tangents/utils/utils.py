"""Functions that programs took from here."""

from ntkfast.neural_tangents._axes import make_2d
from ntkfast.neural_tangents._get import canonicalize_get, get_namedtuple

__all__ = ["canonicalize_get", "get_namedtuple", "make_2d"]
