"""What derivatives of kernels take and return: points, cotangents, and results in their range."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from ntkfast._arrays import FloatArray, as_floats, check_finite, is_same
from ntkfast._ntkfast import NumericalError, Prepared, Program
from ntkfast.kernels import KernelName, as_samples, check_pair
from ntkfast.linalg import matmul

__all__ = [
    "Cotangent",
    "Doubles",
    "as_rows",
    "check_rows",
    "cotangents",
    "finite",
    "prepared_around",
    "quietly",
    "two_sets",
    "within",
]

Doubles: TypeAlias = npt.NDArray[np.float64]
Cotangent: TypeAlias = npt.ArrayLike | tuple[npt.ArrayLike, npt.ArrayLike]

# A fit for one scale knows no derivative by it: ranges are made so much wider.
_WIDER = 0.01


def check_rows(program: Program) -> None:
    """Refuse networks on images, which have gradients by images alone."""
    if program.spatial:
        raise ValueError(
            "this network takes images or sequences, whose kernels have gradients by the images "
            "(ntk_vjp, nngp_vjp) but no other derivatives yet"
        )


def as_rows(
    program: Program, x: npt.ArrayLike, x2: npt.ArrayLike | None, kernel: KernelName
) -> tuple[Doubles, Doubles | None, np.dtype[Any]]:
    """Return two sets of rows in float64, and the type of results."""
    check_rows(program)
    return two_sets(program, x, x2, kernel)


def two_sets(
    program: Program,
    x: npt.ArrayLike,
    x2: npt.ArrayLike | None,
    kernel: KernelName,
    rank: int | None = None,
) -> tuple[Doubles, Doubles | None, np.dtype[Any]]:
    """Return both sets in float64, and the type of results."""
    if is_same(x, x2):
        x2 = None
    if x2 is None:
        points = as_samples(program, x, "x", rank)
        return points.astype(np.float64, copy=False), None, points.dtype
    check_pair(x, x2, (kernel,))
    points, others = (
        as_samples(program, value, name, rank) for value, name in ((x, "x"), (x2, "x2"))
    )
    dtype = np.result_type(points, others)
    return points.astype(np.float64, copy=False), others.astype(np.float64, copy=False), dtype


def prepared_around(program: Program, x: Doubles, x2: Doubles | None) -> Prepared:
    """Return the network ready for points and what is next to them."""
    prepared = program.prepare(x, x2, None)
    recipe = prepared.recipe
    if not recipe["fits"]:
        return prepared
    fits = [
        {**fit, "low": fit["low"] * (1 - _WIDER), "high": fit["high"] * (1 + _WIDER)}
        for fit in recipe["fits"]
    ]
    return program.prepare_again({**recipe, "fits": fits})


def cotangents(g: Cotangent, n: int, m: int) -> Any:
    """Return a function that gives some rows of g."""
    if isinstance(g, tuple):
        if len(g) != 2:
            raise ValueError(f"g is a tuple of {len(g)} arrays; expected two factors (u, v)")
        u, v = (finite(part, f"g[{i}]") for i, part in enumerate(g))
        if u.ndim != 2 or v.ndim != 2 or (len(u), len(v)) != (n, m) or u.shape[1] != v.shape[1]:
            raise ValueError(
                f"g has factors of shapes {u.shape} and {v.shape}; expected ({n}, k) and ({m}, k)"
            )
        return lambda rows: matmul(u[rows], v.T)
    whole = finite(g, "g")
    if whole.shape != (n, m):
        raise ValueError(f"g has shape {whole.shape}; expected ({n}, {m}), that of the kernel")
    return lambda rows: whole[rows]


def quietly() -> np.errstate:
    """Leave out warnings of overflow by NumPy: `within` raises an error instead."""
    return np.errstate(over="ignore", invalid="ignore")


def within(values: Doubles, dtype: np.dtype[Any]) -> FloatArray:
    """Return results in the type of the points."""
    with quietly():
        found: FloatArray = values.astype(dtype, copy=False)
    if not np.isfinite(found).all():
        other = ", or pass points in float64" if dtype == np.float32 else ""
        raise NumericalError(
            f"derivatives exceed the range of {dtype}; scale g or the directions, or the "
            f"points{other}"
        )
    return found


def finite(given: npt.ArrayLike, name: str) -> Doubles:
    values = as_floats(given, name)
    check_finite(values, name)
    return values.astype(np.float64, copy=False)
