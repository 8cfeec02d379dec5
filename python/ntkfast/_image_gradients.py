"""Gradients of kernels between images."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ntkfast._arrays import FloatArray
from ntkfast._derivatives import Cotangent, Doubles, cotangents, prepared_around, two_sets, within
from ntkfast._ntkfast import Program, image_gradients
from ntkfast._progress import Progress, reporting
from ntkfast.kernels import KernelName

__all__ = ["image_vjp"]


def image_vjp(
    program: Program,
    rank: int | None,
    x: npt.ArrayLike,
    x2: npt.ArrayLike | None,
    g: Cotangent,
    *,
    kernel: KernelName,
    progress: Progress,
) -> tuple[FloatArray, FloatArray] | FloatArray:
    """Return the gradients of Σ g∘K(x, x2) by x and x2, or without x2 by x alone."""
    alone = x2 is None  # x2 may also be x: two arguments that are the same samples
    images, others, dtype = two_sets(program, x, x2, kernel, rank)
    n, m = len(images), len(images if others is None else others)
    weights = np.ascontiguousarray(cotangents(g, n, m)(slice(None)))
    prepared = prepared_around(program, images, others)
    with reporting(progress, f"{kernel.upper()} gradient", "block") as report:

        def gradients(second: Doubles | None, weights: Doubles) -> list[Doubles]:
            found = image_gradients(prepared, images, second, weights, kernel == "ntk", report)
            shapes = [images.shape, *(() if second is None else (second.shape,))]
            return [flat.reshape(shape) for flat, shape in zip(found, shapes, strict=True)]

        if alone:
            return within(gradients(None, weights)[0], dtype)
        if others is None:
            # An image with itself is a function of one image: half of it counts for each argument.
            diagonal = np.diag(weights.diagonal())
            half = gradients(None, diagonal)[0] / 2
            by_x, by_x2 = (half + part for part in gradients(images.copy(), weights - diagonal))
        else:
            by_x, by_x2 = gradients(others, weights)
    return within(by_x, dtype), within(by_x2, dtype)
