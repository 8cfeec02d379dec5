"""Kernels of derivatives by the points."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from ntkfast._arrays import FloatArray
from ntkfast._derivatives import Doubles, as_rows, check_rows
from ntkfast._memory import zeros
from ntkfast._progress import Progress, Report, reporting
from ntkfast._scalars import as_choice
from ntkfast.differential import Functionals, Operator, as_functionals, fill
from ntkfast.kernels import KernelName, as_samples
from ntkfast.networks.base import Network
from ntkfast.networks.composition import as_first

__all__ = ["derivative_gram", "derivative_kernel"]

# An operator and points. To type checkers, a list of operators of different kinds has no operators.
Observation: TypeAlias = tuple[Any, npt.ArrayLike]


def derivative_kernel(
    network: Network,
    x: npt.ArrayLike,
    x2: npt.ArrayLike | None = None,
    *,
    left: Operator,
    right: Operator,
    kernel: KernelName = "ntk",
    progress: Progress = None,
) -> FloatArray:
    """Compute a kernel with an operator applied to each of its arguments.

    With the operators L and R, it is L_x R_x' Θ(x, x'): the covariance of L f(x) and R f(x') of a
    Gaussian process f with covariance Θ.

    Parameters
    ----------
    network
        A smooth network on rows of features.
    x
        Shape (n, d). Derivatives are computed in float64, and returned in the type of the points.
    x2
        Shape (m, d), or None for x.
    left, right
        The operators of x and of x2:

        - ``"value"``: none;
        - ``"gradient"``: all d derivatives;
        - ``"laplacian"``: the sum of all second derivatives;
        - ``("d", k)`` and ``("d2", k)``: the derivative and the second derivative by coordinate k;
        - a dictionary of weights: a sum of operators other than the gradient, such as
          ``{("d", 0): 1.0, ("d2", 1): -1.0}`` for the heat equation.
    kernel
        ``"ntk"`` or ``"nngp"``.
    progress
        As for `Network.ntk`, called with rows.

    Returns
    -------
    ndarray
        Shape (n, m), with an axis of d derivatives after that of the points for each gradient: for
        two of them shape (n, d, m, d).

    Raises
    ------
    TypeError, ValueError, MemoryError
        As for `Network.ntk`; an operator is none of the above; the network takes images, or is not
        smooth: it has an activation with a kink (ReLU and its variants, Sign), one without a closed
        form that polynomials do not resolve, or dropout; a row is zero before a layer that divides
        by its norm.
    NumericalError
        Derivatives exceed the range of the type.

    Notes
    -----
    Costs about as much as 10 kernels with values, gradients or a Laplacian on one side, 30 with
    Laplacians on both, and d² kernels with gradients on both, but at least 15. Memory: the result
    and some blocks of 32 MB.

    Points may coincide. Errors are about 1 + v roundings of the size
    √(L_x L_x' Θ(x, x) · R_x R_x' Θ(x', x')), where v = w_std²·‖x‖²/d is the variance before the
    first activation: 1e-14 for features of ordinary size. Activations without a closed form add
    1e-12 to 1e-9, and take several times as long.

    Examples
    --------
    >>> import numpy as np
    >>> from ntkfast import Erf, derivative_kernel, mlp
    >>> net, x = mlp(2, Erf(), b_std=0.5), np.eye(3)
    >>> derivative_kernel(net, x, left="gradient", right="gradient").shape
    (3, 3, 3, 3)
    >>> derivative_kernel(net, x, np.ones((2, 3)), left="laplacian", right="value").shape
    (3, 2)
    """
    network = as_first(network)
    as_choice(kernel, "kernel", ("ntk", "nngp"))
    points, others, dtype = as_rows(network._program, x, x2, kernel)
    right_points = points if others is None else others
    features = points.shape[1]
    if right_points.shape[1] != features:
        raise ValueError(f"x2 has {right_points.shape[1]} features; expected {features}, as x has")
    first, second = (
        as_functionals(given, name, features) for given, name in ((left, "left"), (right, "right"))
    )
    ntk = kernel == "ntk"
    shape = (len(points), len(first.sums), len(right_points), len(second.sums))
    out = zeros(shape, dtype, "the kernel of derivatives")
    with reporting(progress, f"{kernel.upper()} of derivatives", "row") as report:
        fill(
            out,
            network._program,
            (points, right_points),
            (first, second),
            ntk=ntk,
            report=report,
        )
    axes = ((1, first), (3, second))
    return out.squeeze(tuple(axis for axis, functionals in axes if not functionals.is_vector))


def derivative_gram(
    network: Network,
    observations: Sequence[Observation],
    others: Sequence[Observation] | None = None,
    *,
    kernel: KernelName = "ntk",
    progress: Progress = None,
) -> FloatArray:
    """Compute the matrix of kernels between observations of values and derivatives.

    Observations are operators at points, such as values on the boundary of a domain and Laplacians
    inside of it. This is the matrix of Gaussian processes with derivatives, and of collocation for
    partial differential equations.

    Parameters
    ----------
    network, kernel, progress
        As for `derivative_kernel`.
    observations
        Pairs of an operator and points of shape (n_i, d): ``[("value", x), ("laplacian", z)]``.
    others
        The observations of the columns, in the same form. None: the observations themselves.

    Returns
    -------
    ndarray
        Shape (N, M), symmetric without ``others``. Observations follow each other in the order
        given, with one row for each point, or d for a gradient.

    Raises
    ------
    TypeError, ValueError, MemoryError, NumericalError
        As for `derivative_kernel`; ``observations`` or ``others`` is empty, or no list of pairs.

    Notes
    -----
    Costs and errors are those of `derivative_kernel`, once for each two observations. The matrix is
    positive semi-definite, apart from rounding: add a small multiple of the identity before it is
    factorised.

    Examples
    --------
    >>> import numpy as np
    >>> from ntkfast import Erf, derivative_gram, mlp
    >>> x = np.eye(3)
    >>> derivative_gram(mlp(2, Erf()), [("value", x), ("gradient", x[:2])]).shape
    (9, 9)
    """
    network = as_first(network)
    as_choice(kernel, "kernel", ("ntk", "nngp"))
    check_rows(network._program)
    rows = list(_observed(network, observations, "observations"))
    columns = rows if others is None else list(_observed(network, others, "others"))
    _check_alike(rows + columns)
    shape = (rows[-1].stop, columns[-1].stop)
    out = zeros(shape, np.result_type(*(each.dtype for each in rows + columns)), "the Gram matrix")
    blocks = [
        (ours, theirs)
        for i, ours in enumerate(rows)
        for theirs in (columns[i:] if others is None else columns)
    ]
    total = sum(len(ours.points) for ours, _ in blocks)
    with reporting(progress, f"{kernel.upper()} of derivatives", "row") as report:
        done = 0
        for ours, theirs in blocks:
            fill(
                _view(out, ours, theirs),
                network._program,
                (ours.points, theirs.points),
                (ours.functionals, theirs.functionals),
                ntk=kernel == "ntk",
                report=_shifted(report, done, total),
            )
            done += len(ours.points)
    if others is None:
        for ours in rows:
            _mirror(out, ours)
    return out


@dataclass(frozen=True, eq=False)
class _Observed:
    """An operator at points, and its rows of the matrix."""

    functionals: Functionals
    points: Doubles
    dtype: np.dtype[Any]
    start: int
    name: str

    @property
    def stop(self) -> int:
        return self.start + len(self.points) * len(self.functionals.sums)


def _observed(network: Network, given: object, name: str) -> Iterator[_Observed]:
    """Read observations."""
    expected = 'expected a list of pairs of an operator and points, such as [("value", x)]'
    if not isinstance(given, (list, tuple)):
        raise TypeError(f"{name} is of type {type(given).__name__}; {expected}")
    if not given:
        raise ValueError(f"{name} is empty; {expected}")
    start = 0
    for i, pair in enumerate(given):
        label = f"{name}[{i}]"
        if not isinstance(pair, (list, tuple)) or len(pair) != 2:
            raise TypeError(f"{label} is no pair, but of type {type(pair).__name__}; {expected}")
        operator, x = pair
        samples = as_samples(network._program, x, f"the points of {label}", None)
        points = samples.astype(np.float64, copy=False)
        functionals = as_functionals(operator, f"the operator of {label}", points.shape[1])
        observed = _Observed(functionals, points, samples.dtype, start, label)
        start = observed.stop
        yield observed


def _check_alike(all_observed: list[_Observed]) -> None:
    first = all_observed[0]
    for each in all_observed:
        if each.points.shape[1] != first.points.shape[1]:
            raise ValueError(
                f"the points of {each.name} have {each.points.shape[1]} features; expected "
                f"{first.points.shape[1]}, as those of {first.name}"
            )


def _view(out: FloatArray, ours: _Observed, theirs: _Observed) -> FloatArray:
    """Return the block of two observations with axes for points and functionals."""
    block = out[ours.start : ours.stop, theirs.start : theirs.stop]
    counts = ((len(each.points), len(each.functionals.sums)) for each in (ours, theirs))
    return block.reshape([count for both in counts for count in both])


def _mirror(out: FloatArray, ours: _Observed) -> None:
    """Copy what is to the right of the diagonal of some rows below it."""
    out[ours.stop :, ours.start : ours.stop] = out[ours.start : ours.stop, ours.stop :].T
    for row in range(ours.start, ours.stop):
        out[row + 1 : ours.stop, row] = out[row, row + 1 : ours.stop]


def _shifted(report: Report | None, done: int, total: int) -> Report | None:
    if report is None:
        return None
    return lambda rows, _: report(done + rows, total)
