"""Posteriors of Gaussian processes, and of networks that were trained for infinite time."""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

from ntkfast.neural_tangents._arrays import like
from ntkfast.neural_tangents._axes import Axes, Targets, cross_matrix, make_2d, zipped
from ntkfast.neural_tangents._get import Get, canonicalize_get, get_namedtuple
from ntkfast.neural_tangents._mse import as_array
from ntkfast.neural_tangents._system import System

__all__ = ["Gaussian", "gp_inference", "part"]


class Gaussian(NamedTuple):
    """A mean, in the shape of outputs, and a covariance, in that of kernels."""

    mean: Any
    covariance: Any


def part(kernels: Any, name: str) -> Any:
    """Return the kernel of that name of a namedtuple or a `Kernel`; an array is every kernel."""
    found = (
        getattr(kernels, name, None)
        if hasattr(kernels, "nngp") or hasattr(kernels, "ntk")
        else kernels
    )
    return None if found is None else as_array(found)


def _needed(kernels: Any, name: str, argument: str) -> Any:
    found = part(kernels, name)
    if found is None:
        raise ValueError(f"{argument} has no {name}; pass kernels with get=('nngp', 'ntk')")
    return found


def gp_inference(
    k_train_train: Any,
    y_train: Any,
    diag_reg: Any = 0.0,
    diag_reg_absolute_scale: bool = False,
    trace_axes: Axes = (-1,),
) -> Any:
    """Return a function that gives posteriors at test points.

    Parameters
    ----------
    k_train_train
        An array, or kernels with attributes ``nngp`` and ``ntk``.
    y_train, diag_reg, diag_reg_absolute_scale, trace_axes
        As for `gradient_descent_mse`.

    The arguments of early versions, ``gp_inference(kernel_fn, x_train, y_train, x_test, get,
    diag_reg, compute_cov)``, return the prediction itself.

    Returns
    -------
    callable
        predict_fn(get=None, k_test_train=None, k_test_test=None): for ``"nngp"`` the posterior of a
        network whose last layer is trained, for ``"ntk"`` the distribution of trained networks, for
        ``"ntkgp"`` the posterior of a Gaussian process with the NTK; the mean, or a `Gaussian` if
        ``k_test_test`` is given. Without ``k_test_train``, at training points: their targets.
    """
    y = as_array(y_train)
    targets = Targets(y, trace_axes)

    @functools.cache
    def system(name: str) -> System:
        kernel = _needed(k_train_train, name, "k_train_train")
        targets.check(kernel)
        return System(kernel, diag_reg, diag_reg_absolute_scale)

    @get_namedtuple("Gaussians")
    def predict_fn(
        get: Get = None, k_test_train: Any = None, k_test_test: Any = None
    ) -> dict[str, Any]:
        """Return posteriors at test points."""
        _, names = canonicalize_get(get)
        found: dict[str, Any] = {}
        for name in names or ("nngp", "ntk"):
            if name not in ("nngp", "ntk", "ntkgp"):
                raise ValueError(f"get has {name!r}; expected 'nngp', 'ntk' or 'ntkgp'")
            kernel = "nngp" if name == "nngp" else "ntk"
            own = system(kernel)
            given = (own.matrix, y, k_test_train, k_test_test)
            if k_test_train is None:
                mean = like(targets.outputs(targets.matrix(y, own.matrix), own.rows), *given)
                zero = like(own.kernel * 0, *given)
                found[name] = mean if k_test_test is None else Gaussian(mean, zero)
                continue
            k_td = _needed(k_test_train, kernel, "k_test_train")
            rows, cross = k_td.shape[::2], cross_matrix(k_td, len(own.matrix))
            mean = cross @ own.solve(targets.matrix(y, own.matrix))
            mean = like(targets.outputs(mean, rows), *given)
            if k_test_test is None:
                found[name] = mean
                continue
            if name != "ntk":
                first = make_2d(_needed(k_test_test, kernel, "k_test_test"))
                covariance = first - cross @ own.solve(cross.T)
            else:
                # Weights of the trained function, at initialisation a Gaussian process.
                weights = own.solve(cross.T)
                initial = make_2d(_named(k_train_train, "k_train_train"))
                mixed = weights.T @ make_2d(_named(k_test_train, "k_test_train")).T
                first = make_2d(_needed(k_test_test, "nngp", "k_test_test"))
                covariance = first + weights.T @ initial @ weights - mixed - mixed.T
            found[name] = Gaussian(mean, like(zipped(covariance, rows), *given))
        return found

    return predict_fn


def _named(kernels: Any, argument: str) -> Any:
    """Return the NNGP of kernels, which an array is not."""
    if getattr(kernels, "nngp", None) is None:
        raise ValueError(
            f"the covariance for get='ntk' needs both kernels in {argument}: pass the result of "
            "kernel_fn(x1, x2, ('nngp', 'ntk'))"
        )
    return as_array(kernels.nngp)
