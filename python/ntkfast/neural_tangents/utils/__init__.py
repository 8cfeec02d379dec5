"""Helpers of neural-tangents that programs use."""

from ntkfast.neural_tangents.utils import batch, utils

__all__ = ["batch", "utils"]
