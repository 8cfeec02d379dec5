"""Where `batch` was in early versions."""

from ntkfast.neural_tangents._batch import batch

__all__ = ["batch"]
