"""Kernels of dask arrays: lazy, block by block, with the bits of one call on all points.

Networks import this package when they are given a dask array, and not before.
"""

from ntkfast.dask.arrays import lazy

__all__ = ["lazy"]
