"""Kernel matrices of a compiled program: input and output arrays.

This module depends on `Program` only, not on networks.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from ntkfast._arrays import FloatArray, as_images, as_output, as_points, check_apart, is_same
from ntkfast._display import Displayed, Fact
from ntkfast._memory import KERNELS, LARGE, check
from ntkfast._progress import Progress, reporting

if TYPE_CHECKING:
    from ntkfast._ntkfast import Prepared, Program

__all__ = [
    "KernelName",
    "Kernels",
    "as_others",
    "as_samples",
    "check_pair",
    "evaluate",
    "merged",
]

KernelName: TypeAlias = Literal["nngp", "ntk"]


@dataclass(frozen=True, eq=False, repr=False)
class Kernels(Displayed):
    """The two kernels of an infinitely wide network on the same points.

    Unpacks as a pair: ``nngp, ntk = net.kernels(x)``.

    Attributes
    ----------
    nngp
        Covariance of the outputs of the network at initialisation.
    ntk
        Neural tangent kernel: inner products of the gradients with respect to the parameters.

    Both have shape (n, n), (n, m) for a cross kernel, or (n,) for a diagonal.
    """

    nngp: FloatArray
    ntk: FloatArray

    def __iter__(self) -> Iterator[FloatArray]:
        yield self.nngp
        yield self.ntk

    def _facts(self) -> Iterator[Fact]:
        for name, array in (("nngp=", self.nngp), ("ntk=", self.ntk)):
            yield name, f"<{array.dtype} array of shape {array.shape}>"


def evaluate(
    program: Program | Prepared,
    x: npt.ArrayLike,
    x2: npt.ArrayLike | None,
    *,
    wanted: tuple[KernelName, ...],
    out: tuple[object, ...],
    diagonal: bool,
    progress: Progress,
    stacked: bool = False,
    rank: int | None = None,
) -> list[FloatArray]:
    """Run `program` for the kernels in `wanted`, each into its `out` unless that is None.

    One pass computes all wanted kernels and no others. If `x2` is the array `x`, the samples are
    paired with themselves, as without `x2`. If `stacked`, an array has the kernels of all results
    of the program along its first axis; otherwise the program has one result. A program for images
    takes images with `rank` spatial dimensions, unless `rank` is None.
    """
    bar = reporting(progress, " and ".join(name.upper() for name in wanted))
    if not diagonal and is_same(x, x2):
        x2 = None
    if x2 is not None:
        check_pair(x, x2, wanted)
    x = as_samples(program, x, "x", rank)
    n = x.shape[0]
    if x2 is None:
        shape: tuple[int, ...] = (n,) if diagonal else (n, n)
    elif diagonal:
        raise ValueError(
            "diagonal=True computes the kernel of each row of x with itself and takes no x2; "
            "drop x2, or drop diagonal=True to get the whole cross kernel"
        )
    else:
        x2 = as_samples(program, x2, "x2", rank)
        if x2.dtype != x.dtype:
            x, x2 = x.astype(np.float64, copy=False), x2.astype(np.float64, copy=False)
        shape = (n, x2.shape[0])
    if stacked:
        shape = (program.results, *shape)

    size = math.prod(shape) * x.itemsize
    if size * len(out) >= LARGE:
        size *= sum(given is None for given in out)
        label = " and ".join(name.upper() for name in wanted)
        check(size, f"the {label} of shape {shape} in {x.dtype}", KERNELS)
    names = ("out",) if len(wanted) == 1 else tuple(f"out.{kernel}" for kernel in wanted)
    arrays = [
        as_output(given, name, shape, x.dtype) for given, name in zip(out, names, strict=True)
    ]
    inputs = {"x": x} if x2 is None else {"x": x, "x2": x2}
    check_apart(dict(zip(names, arrays, strict=True)), inputs)
    results = [_entries(array) if stacked else [array] for array in arrays]
    by_name = dict(zip(wanted, results, strict=True))
    nngp, ntk = by_name.get("nngp"), by_name.get("ntk")

    if diagonal:
        program.diagonal(x, nngp, ntk)
        return arrays
    with bar as report:
        if x2 is None:
            program.gram(x, nngp, ntk, report)
        else:
            program.cross(x, x2, nngp, ntk, report)
    return arrays


def check_pair(x: npt.ArrayLike, x2: npt.ArrayLike, wanted: tuple[KernelName, ...]) -> None:
    """Recognise calls that are not meant to pass two sets of samples."""
    first, second = (getattr(value, "shape", ()) for value in (x, x2))
    if len(second) != 1:
        return
    if first == second:
        method = wanted[-1]
        raise ValueError(
            f"x and x2 have shape {first}, one sample each, as scikit-learn calls a function for "
            f"each pair of rows: pass kernel=nk.sklearn.{method.upper()}Kernel(network=net) to it, "
            f"not net.{method}. For one sample use x[None, :], for one feature x[:, None]"
        )
    if first[:1] == second:
        raise ValueError(
            f"x2 has shape {second}, one number for each row of x, as targets; kernels take points "
            "only: drop it, or for one feature use x2[:, None]"
        )


def as_samples(
    program: Program | Prepared, x: npt.ArrayLike, name: str, rank: int | None
) -> FloatArray:
    """Return `x` in the form of the program: points in rows, or images with `rank` dimensions."""
    return as_images(x, name, rank) if program.spatial else as_points(x, name)


def merged(a: dict[str, Any], b: dict[str, Any]) -> dict[str, Any]:
    """Return the recipe of a program (`Prepared.recipe`) for the samples of both recipes."""
    if a["simd"] != b["simd"]:
        first, second = sorted((a["simd"], b["simd"]))
        raise ValueError(
            f"some points were read with the instruction set {first}, and others with {second}: "
            f"set NTKFAST_SIMD to one that all processors have, such as {_lowest(first, second)}, "
            "in every process before ntkfast is imported"
        )
    return {
        **a,
        "input": _union(a["input"], b["input"]),
        "fits": [_union(*both) for both in zip(a["fits"], b["fits"], strict=True)],
    }


def _union(a: dict[str, Any], b: dict[str, Any]) -> dict[str, Any]:
    return {
        "low": min(a["low"], b["low"]),
        "high": max(a["high"], b["high"]),
        "zeros": a["zeros"] or b["zeros"],
    }


def _lowest(*levels: str) -> str:
    """Return the first of these instruction sets in the order of their size."""
    order = ("plain", "avx2", "avx512")
    return min(levels, key=lambda level: order.index(level) if level in order else 0)


def as_others(x: FloatArray, x2: FloatArray) -> FloatArray:
    """Return `x`, or a copy if it is `x2`, for kernels between two sets of samples.

    Then test points do not count as training points if one block happens to hold all of them.
    """
    return x.copy() if is_same(x, x2) else x


def _entries(stack: FloatArray) -> list[FloatArray]:
    """Return the arrays along the first axis, each with its own memory even if empty."""
    return list(stack) if stack.size else [np.empty_like(entry) for entry in stack]
