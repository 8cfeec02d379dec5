"""Random vectors."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["signs"]


def signs(source: np.random.Generator, n: int, count: int) -> npt.NDArray[np.float64]:
    """Draw numbers +1 and -1, shape (n, count)."""
    bits = source.integers(0, 2, (n, count), dtype=np.int8)
    return 2.0 * bits.astype(np.float64) - 1.0
