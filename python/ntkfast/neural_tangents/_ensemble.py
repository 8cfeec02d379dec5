"""Infinite ensembles of networks during gradient descent on the mean square error."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ntkfast.neural_tangents._arrays import like
from ntkfast.neural_tangents._axes import Axes, Targets, make_2d, zipped
from ntkfast.neural_tangents._get import Get, canonicalize_get, get_namedtuple
from ntkfast.neural_tangents._gp import Gaussian, gp_inference
from ntkfast.neural_tangents._mse import as_array, times
from ntkfast.neural_tangents._system import System

__all__ = ["gradient_descent_mse_ensemble"]


class _Kernels:
    """Kernels by name, each computed when it is first needed."""

    def __init__(self, compute: Callable[[Any], Any]) -> None:
        self._compute, self._found = compute, dict[str, Any]()

    def need(self, names: tuple[str, ...]) -> None:
        missing = tuple(name for name in names if name not in self._found)
        if len(missing) == 1:
            self._found[missing[0]] = as_array(self._compute(missing[0]))
        elif missing:
            found = self._compute(missing)
            self._found.update((name, as_array(getattr(found, name))) for name in missing)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return self._found.get(name)


def gradient_descent_mse_ensemble(
    kernel_fn: Callable[..., Any],
    x_train: Any,
    y_train: Any,
    learning_rate: Any = 1.0,
    diag_reg: Any = 0.0,
    diag_reg_absolute_scale: bool = False,
    trace_axes: Axes = (-1,),
    **kernel_fn_train_train_kwargs: Any,
) -> Any:
    """Return a function that gives the distribution of networks in training, at any time.

    Parameters
    ----------
    kernel_fn
        kernel_fn(x1, x2, get): the kernels of a network.
    x_train, y_train
        Training points and targets.
    learning_rate, diag_reg, diag_reg_absolute_scale, trace_axes
        As for `gradient_descent_mse`.
    **kernel_fn_train_train_kwargs
        Passed to ``kernel_fn``.

    Returns
    -------
    callable
        predict_fn(t=None, x_test=None, get=None, compute_cov=False): means, or `Gaussian`, for
        ``"nngp"`` (the last layer is trained) and ``"ntk"`` (all are). Without ``x_test``, at the
        training points.
    """
    y = as_array(y_train)
    targets = Targets(y, trace_axes)
    own = _Kernels(lambda get: kernel_fn(x_train, None, get, **kernel_fn_train_train_kwargs))
    systems: dict[str, System] = {}

    def system(name: str) -> System:
        if name not in systems:
            targets.check(getattr(own, name))
            systems[name] = System(getattr(own, name), diag_reg, diag_reg_absolute_scale)
        return systems[name]

    @get_namedtuple("Gaussians")
    def predict_fn(
        t: Any = None,
        x_test: Any = None,
        get: Get = None,
        compute_cov: bool = False,
        **kernel_fn_test_test_kwargs: Any,
    ) -> dict[str, Any]:
        """Return the distribution of outputs at times t."""
        _, given = canonicalize_get(get)
        names = given or ("nngp", "ntk")
        for name in names:
            if name not in ("nngp", "ntk"):
                raise ValueError(f"get has {name!r}; expected 'nngp' or 'ntk'")
        needed = tuple(dict.fromkeys((*(("nngp",) if compute_cov else ()), *names)))
        own.need(needed)
        keywords = {**kernel_fn_train_train_kwargs, **kernel_fn_test_test_kwargs}
        cross, alone = None, True if compute_cov else None
        if x_test is not None:
            cross = _Kernels(lambda get: kernel_fn(x_test, x_train, get, **keywords))
            cross.need(needed)
            if compute_cov:
                alone = as_array(kernel_fn(x_test, None, "nngp", **keywords))
        if t is None:
            infinite = gp_inference(own, y, diag_reg, diag_reg_absolute_scale, trace_axes)
            found: dict[str, Any] = infinite(names, cross, alone)._asdict()
            return found
        return {
            name: _at_times(system(name), targets, y, (t, learning_rate), name, own, cross, alone)
            for name in names
        }

    return predict_fn


def _at_times(
    system: System,
    targets: Targets,
    y: Any,
    time: tuple[Any, Any],
    name: str,
    own: _Kernels,
    cross: _Kernels | None,
    alone: Any,
) -> Any:
    """Return the distribution of outputs for one kernel."""
    moments, leading = times(*time, system.matrix)
    count, wanted = targets.size, targets.matrix(y, system.matrix)
    given = (system.matrix, y, alone, time[0])
    decay, integral = system.decay(moments, count), system.integral(moments, count)
    xp = system.xp
    eye = xp.eye(len(system.matrix), dtype=system.matrix.dtype)
    k_td = system.kernel if cross is None else getattr(cross, name)
    rows, k = k_td.shape[::2], make_2d(k_td)
    if cross is None:
        mean = wanted - system.function(decay, wanted)
    else:
        mean = k @ system.function(integral, wanted)
    mean = like(targets.outputs(mean, rows, leading), *given)
    if alone is None:
        return mean
    if cross is None:
        if name == "nngp":
            twice = system.decay(2 * moments, count)
            covariance = system.function(lambda values: values * twice(values), eye)
        else:
            left = system.function(decay, eye)
            covariance = left @ make_2d(own.nngp) @ xp.swapaxes(left, -1, -2)
    elif name == "nngp":
        twice = system.integral(2 * moments, count)
        covariance = make_2d(alone) - k @ system.function(twice, k.T)
    else:
        weights = system.function(integral, k.T)
        mixed = xp.swapaxes(weights, -1, -2) @ make_2d(cross.nngp).T
        initial = xp.swapaxes(weights, -1, -2) @ make_2d(own.nngp) @ weights
        covariance = make_2d(alone) + initial - mixed - xp.swapaxes(mixed, -1, -2)
    return Gaussian(mean, like(zipped(covariance, rows, leading), *given))
