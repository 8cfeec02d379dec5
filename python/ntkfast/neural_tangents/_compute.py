"""Kernels by the native package."""

from __future__ import annotations

from typing import Any

import numpy as np

import ntkfast as nk

__all__ = ["compute"]


def compute(
    network: nk.Network, first: Any, second: Any, wanted: set[str]
) -> dict[str, np.ndarray[Any, Any]]:
    """Return the wanted kernels of points, and their variances."""
    found: dict[str, Any] = {}
    if {"nngp", "ntk"} <= wanted:
        found["nngp"], found["ntk"] = network.kernels(first, second)
    elif "ntk" in wanted:
        found["ntk"] = network.ntk(first, second)
    elif "nngp" in wanted:
        found["nngp"] = network.nngp(first, second)
    if "cov1" in wanted:
        found["cov1"] = network.nngp(first, diagonal=True)
    if "cov2" in wanted and second is not None:
        found["cov2"] = network.nngp(second, diagonal=True)
    return found
