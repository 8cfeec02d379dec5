"""Sizes and times for readers."""

from __future__ import annotations

__all__ = ["in_bytes", "in_seconds"]


def in_bytes(size: float) -> str:
    """Format a number of bytes with three digits."""
    number, units = float(size), iter(("kB", "MB", "GB", "TB", "PB", "EB"))
    unit = "B"
    while number >= 999.5:
        number, unit = number / 1000, next(units)
    return f"{number:.3g} {unit}"


def in_seconds(seconds: float) -> str:
    """Format a time, in minutes or hours if it is long."""
    if seconds < 120:
        return f"{seconds:.3f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
