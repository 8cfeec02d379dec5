"""Checks of the arguments of training rules, and their messages."""

from __future__ import annotations

import math
from typing import Any, Literal, TypeAlias, get_args

import numpy as np
import numpy.typing as npt

from ntkfast._arrays import FloatArray, as_floats, as_kernel, check_finite
from ntkfast._scalars import as_choice, as_real
from ntkfast.operators import Operator
from ntkfast.spectrum import Spectrum

__all__ = [
    "Reduction",
    "Times",
    "as_cross_kernel",
    "as_cross_operator",
    "as_initial",
    "as_jacobian",
    "as_momentum",
    "as_settings",
    "as_targets",
    "as_time",
    "as_times",
    "check_order",
    "check_ridge",
]

Times: TypeAlias = npt.NDArray[np.float64]
Reduction: TypeAlias = Literal["sum", "mean"]


def as_settings(
    learning_rate: object, reduction: object, diag_reg: object, relative_diag_reg: object
) -> dict[str, Any]:
    """Return the arguments that all training rules share, checked, by name."""
    return {
        "learning_rate": as_real(learning_rate, "learning_rate", least=0.0, above=True),
        "reduction": as_choice(reduction, "reduction", get_args(Reduction)),
        "diag_reg": as_real(diag_reg, "diag_reg", least=0.0),
        "relative_diag_reg": as_real(relative_diag_reg, "relative_diag_reg", least=0.0),
    }


def as_momentum(momentum: object) -> float:
    """Return the momentum of the heavy ball, 0 <= m < 1."""
    value = as_real(momentum, "momentum", least=0.0)
    if value >= 1:
        raise ValueError(
            f"momentum is {value!r}; expected 0 <= momentum < 1, otherwise training does not "
            "converge"
        )
    return value


def check_order(first: object, y: object, name: str, what: str = "a kernel") -> None:
    """Reject a kernel, or features, as `y` and targets as `first`, the argument before it."""
    a, b = (() if isinstance(value, Spectrum) else _shape(value) for value in (first, y))
    if what == "a kernel":
        swapped = len(b) == 2 and b[0] == b[1] and len(a) < 3 and a[:1] == b[:1] and a != b
    else:
        swapped = len(a) == 1 and len(b) == 2 and a[:1] == b[:1]
    if swapped or isinstance(y, Spectrum):
        given = "is a Spectrum" if isinstance(y, Spectrum) else f"has shape {b}"
        raise ValueError(
            f"y {given}, like {what}, and {name} has shape {a}, like targets; "
            f"the order is ({name}, y)"
        )


def _shape(value: Any) -> tuple[int, ...]:
    """Return the shape of an array or a list; () for everything that has none."""
    try:
        return tuple(np.shape(value))
    except ValueError:  # rows of different lengths
        return ()


def as_targets(y: npt.ArrayLike, n: int, points: str = "theta") -> FloatArray:
    """Return targets for n training points, the rows of `points`: shape (n,) or (n, c)."""
    targets = as_floats(y, "y")
    if targets.ndim == 0 or len(targets) != n:
        flat = f". If they are all outputs of all points, use y.reshape({n})"
        raise ValueError(
            f"y has shape {targets.shape}; expected ({n},) or ({n}, c), "
            f"one row for each row of {points}"
            + (flat if targets.ndim > 1 and targets.size == n else "")
        )
    if 0 in targets.shape[1:]:
        raise ValueError(
            f"y has shape {targets.shape}, so it has no outputs; expected (n, c) with c >= 1"
        )
    check_finite(targets, "y")
    return targets.copy()


def check_ridge(ridge: float, absolute: float, relative: float, spectrum: Spectrum) -> None:
    """Reject a regularisation with which the eigenvalues exceed the range of a float."""
    largest = float(spectrum.eigenvalues[-1]) if spectrum.n else 0.0
    if not np.isfinite(largest + ridge):
        raise ValueError(
            f"diag_reg is {absolute:g} and relative_diag_reg is {relative:g}, which add {ridge:g} "
            "to the diagonal of theta; expected a sum within the range of a float"
        )


def as_times(t: npt.ArrayLike, name: str = "t") -> tuple[Times, tuple[int, ...]]:
    """Return times as a flat float64 array, and their shape."""
    times = as_floats(t, name).astype(np.float64, copy=False)
    flat = times.reshape(-1)
    wrong = np.flatnonzero(~(flat >= 0))  # including NaN
    if wrong.size:
        index = tuple(int(i) for i in np.unravel_index(wrong[0], times.shape))
        place = f" at index {', '.join(map(str, index))}" if index else ""
        raise ValueError(f"{name} is {flat[wrong[0]]}{place}; expected 0 <= {name} <= inf")
    return flat, times.shape


def as_time(t: npt.ArrayLike) -> Times:
    """Return one time, as an array of shape (1,)."""
    times, shape = as_times(t)
    if shape:
        raise ValueError(f"t has shape {shape}; expected one time (trajectory takes several)")
    return times


def as_initial(
    f0: npt.ArrayLike, name: str, shape: tuple[int, ...], dtype: np.dtype[np.floating]
) -> FloatArray:
    """Return the untrained outputs, broadcast; a number takes the type of the targets."""
    initial = as_floats(f0, name)
    check_finite(initial, name)
    if initial.ndim == 0:
        initial = initial.astype(dtype)
    try:
        return np.broadcast_to(initial, shape)
    except ValueError:
        flat = initial.size == math.prod(shape)
        raise ValueError(
            f"{name} has shape {initial.shape}; expected a number, or an array that broadcasts "
            f"to shape {shape}" + (f", such as {name}.reshape{shape}" if flat else "")
        ) from None


def as_cross_kernel(
    k_test_train: npt.ArrayLike, n: int, name: str = "k_test_train", method: str = "net.ntk"
) -> FloatArray:
    """Return a kernel between test points and the n training points, as computed by `method`."""
    kernel = as_kernel(k_test_train, name, f"{method}(x_test, x)")
    check_cross_shape(kernel.shape, n, name, method)
    check_finite(kernel, name)
    return kernel


def check_cross_shape(
    shape: tuple[int, ...], n: int, name: str = "k_test_train", method: str = "net.ntk"
) -> None:
    """Refuse a kernel that is not between test points and the n training points."""
    if len(shape) == 2 and shape[1] == n:
        return
    hint = ""
    if shape == (n,):
        hint = f". For one test point use {name}[None, :]"
    elif len(shape) == 2 and shape[0] == n:
        hint = f". If this is {method}(x, x_test), use {name}.T"
    elif len(shape) == 4:
        hint = _outputs_hint(shape, n, name)
    raise ValueError(
        f"{name} has shape {shape}; expected (n_test, {n}), one column per training "
        f"point: the kernel {method}(x_test, x), not the points themselves{hint}"
    )


def as_cross_operator(k_test_train: npt.ArrayLike | Operator, n: int) -> FloatArray | Operator:
    """Return a kernel between test points and the n training points: an array, or an operator."""
    if not isinstance(k_test_train, Operator):
        return as_cross_kernel(k_test_train, n)
    if k_test_train.shape[1] != n:
        raise ValueError(
            f"k_test_train has shape {k_test_train.shape}; expected (n_test, {n}), one column per "
            "training point, such as KernelOperator(net, x_test, x)"
        )
    return k_test_train


def _outputs_hint(shape: tuple[int, ...], n: int, name: str) -> str:
    """Say how to make a matrix of a kernel between all outputs of all points."""
    m, *_, c = shape
    flat = f".reshape({m * c}, {n}), and .reshape({m}, {c}) for the predictions"
    if shape[2] == c and shape[1] * c == n:
        return f". For axes (n_test, n, c, c) use {name}.transpose(0, 2, 1, 3){flat}"
    if shape[1] == c and shape[2] * c == n:
        return f". For axes (n_test, c, n, c) use {name}{flat}"
    return ""


def as_jacobian(
    jacobian: npt.ArrayLike, parameters0: npt.ArrayLike, y_shape: tuple[int, ...]
) -> tuple[FloatArray, FloatArray]:
    """Return a Jacobian with one row per output or per point, and the parameters.

    The shape of the parameters decides: with shape (P,) the outputs share them, with shape
    (P,) + y.shape[1:] each output has its own.
    """
    matrix, start = as_floats(jacobian, "jacobian"), as_floats(parameters0, "parameters0")
    check_finite(matrix, "jacobian")
    check_finite(start, "parameters0")
    shared = start.ndim == 1
    if shared and matrix.shape[:-1] == y_shape:
        matrix = matrix.reshape(math.prod(y_shape), matrix.shape[-1])
    rows = math.prod(y_shape) if shared else y_shape[0]
    width = start.shape[0] if start.ndim else 0
    if start.ndim == 0 or not (shared or start.shape[1:] == y_shape[1:]):
        raise ValueError(
            f"parameters0 has shape {start.shape}; expected (P,) for parameters that the outputs "
            f"share, or (P,) + {y_shape[1:]} for separate parameters of each output"
        )
    if matrix.shape != (rows, width):
        raise ValueError(
            f"jacobian has shape {matrix.shape}; expected ({rows}, {width}) for parameters0 of "
            f"shape {start.shape} and y of shape {y_shape}: one row per "
            f"{'output of each point' if shared else 'point'}, one column per parameter"
        )
    return matrix, start
