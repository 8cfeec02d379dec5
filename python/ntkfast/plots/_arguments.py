"""Checks of the arguments of plots, and their messages."""

from __future__ import annotations

from ntkfast._arrays import FloatArray
from ntkfast.spectrum import Spectrum, eigh

__all__ = ["as_spectrum", "check_result"]


def check_result(value: object, name: str, attribute: str, expected: str) -> None:
    """Reject a value without the attribute that is drawn."""
    if not hasattr(value, attribute):
        raise TypeError(f"{name} is of type {type(value).__name__}; expected {expected}")


def as_spectrum(value: Spectrum | FloatArray) -> Spectrum:
    """Return the eigendecomposition of a Gram matrix, or the argument if it is one."""
    return value if isinstance(value, Spectrum) else eigh(value)
