"""The common part of `Ensemble` and `Posterior`: blocks of test points, and their variances."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, TypeAlias, get_args

import numpy as np
import numpy.typing as npt

from ntkfast._arrays import FloatArray, as_floats, as_kernel, check_finite
from ntkfast._gram import as_gram, row_blocks
from ntkfast._ntkfast import check
from ntkfast._scalars import as_choice
from ntkfast.networks import Network, Relu
from ntkfast.networks.composition import as_first
from ntkfast.networks.description import for_core

__all__ = [
    "TOGETHER",
    "Covariance",
    "as_covariance",
    "as_prior",
    "as_test_points",
    "as_training_points",
    "covariance_kind",
    "prior",
    "prior_rows",
    "test_blocks",
]

Covariance: TypeAlias = Literal["none", "diagonal", "full"]

# Test points per block if only means are wanted. Every block prepares the n training points again,
# which costs as much as the kernel of a hundred test points.
_MEANS = 1024
# Test points that share the products of a solve.
TOGETHER = 128
"""Columns that are solved together by products with an operator."""


def covariance_kind(value: object) -> str:
    """Check the argument `covariance`."""
    return as_choice(value, "covariance", get_args(Covariance))


def as_training_points(network: Network, x: npt.ArrayLike) -> tuple[Network, FloatArray]:
    """Return a network with Gaussian outputs and a copy of its points; it checks their features."""
    network = as_first(network)
    try:  # An activation has the same requirement: Gaussian input with mean zero.
        check({"type": "Serial", "layers": [for_core(network), for_core(Relu())]})
    except ValueError:
        raise ValueError(
            f"network is {network!r}, whose outputs are not Gaussian; end it with a Dense"
        ) from None
    points = as_floats(x, "x")
    if points.ndim < 2:
        raise ValueError(
            f"x has shape {points.shape}; expected samples in rows: (n, n_features). "
            "The order is (network, x, y)"
        )
    return network, points.copy()


def as_test_points(x_test: npt.ArrayLike, x: FloatArray | None, owner: str) -> FloatArray:
    """Return test points with the shape of the training points `x`."""
    if x is None:
        raise ValueError(
            f"this {owner} was made from kernels and has no network to compute further kernels; "
            "use predict_kernels, or omit x_test for the training points"
        )
    points = as_floats(x_test, "x_test")
    if points.ndim != x.ndim or points.shape[1:] != x.shape[1:]:
        hint = ""
        if points.ndim == x.ndim == 4 and np.moveaxis(points, 1, 3).shape[1:] == x.shape[1:]:
            hint = ". For images with their channels first use x_test.transpose(0, 2, 3, 1)"
        raise ValueError(
            f"x_test has shape {points.shape}; expected (m, "
            f"{', '.join(map(str, x.shape[1:]))}), with rows like those of x{hint}"
        )
    check_finite(points, "x_test")
    return points


def test_blocks(m: int, n: int, kind: str, least: int = 1) -> Iterator[slice]:  # noqa: PT028
    """Split m test points into blocks with (block, n) arrays in memory; one block for "full"."""
    if kind == "full":
        return iter([slice(0, m)])
    return row_blocks(m, n, least=_MEANS if kind == "none" else least)


def prior(network: Network, points: FloatArray, kind: str) -> FloatArray | None:
    """Compute the covariance of the untrained network, as much of it as `kind` requires."""
    return None if kind == "none" else network.nngp(points, diagonal=kind == "diagonal")


def as_prior(nngp_test: npt.ArrayLike | None, m: int, kind: str) -> FloatArray | None:
    """Return a prior given as an array; its diagonal is enough if only variances are wanted."""
    if kind == "none":
        return None
    hint = 'net.nngp(x_test), or net.nngp(x_test, diagonal=True) for covariance="diagonal"'
    if nngp_test is None:
        raise ValueError(f"nngp_test is needed for covariance={kind!r}: pass {hint}")
    given = as_kernel(nngp_test, "nngp_test", hint)
    wanted = ((m, m),) if kind == "full" else ((m,), (m, m))
    if given.shape not in wanted:
        raise ValueError(
            f"nngp_test has shape {given.shape}; expected {' or '.join(map(str, wanted))} "
            f"for covariance={kind!r}: pass {hint}"
        )
    if given.ndim == 2:
        given = as_gram(given, "nngp_test", hint)
        return given if kind == "full" else given.diagonal()
    check_finite(given, "nngp_test")
    return given


def prior_rows(given: FloatArray | None, rows: slice) -> FloatArray | None:
    """Return the prior of a block of test points; a full prior has one block of all points."""
    return given if given is None or given.ndim == 2 else given[rows]


def as_covariance(
    covariance: FloatArray, prior: FloatArray, weights: FloatArray, trace: float
) -> FloatArray:
    """Return a computed covariance, shape (m,) or (m, m), with rounding below zero removed.

    Parameters
    ----------
    covariance
        Covariance of f(x) − w·f(X), as computed. Values far below zero are rejected.
    prior
        Covariance of f(x), in the same shape.
    weights
        Shape (m, n): w. Its size determines how much rounding is possible.
    trace
        Trace of the covariance of f(X).
    """
    full = covariance.ndim == 2
    variance = covariance.diagonal() if full else covariance
    size = np.sqrt(np.maximum(prior.diagonal() if full else prior, 0, dtype=np.float64))
    size += np.linalg.norm(weights, axis=1).astype(np.float64) * np.sqrt(max(trace, 0.0))
    # The usual formulae for kernels lose half of the digits for identical points.
    depth = np.sqrt(np.maximum(-variance, 0, dtype=np.float64))
    wrong = depth > float(np.finfo(covariance.dtype).eps) ** 0.25 * size
    if wrong.any():
        i = int(np.argmax(depth))
        raise ValueError(
            f"the variance at test point {i} is {variance[i]:.3g}, which rounding does not "
            "explain: the kernels do not belong to one network. Expected, in this order, the "
            "kernels of (x_test, x) and of x_test alone, with the network and x of the training"
        )
    if full:
        np.fill_diagonal(covariance, np.maximum(variance, 0))
        return covariance
    return np.maximum(variance, 0)
