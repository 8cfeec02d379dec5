"""How finite networks approach their limit as they grow wide, in numbers and fitted powers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from ntkfast._arrays import as_floats, as_points
from ntkfast._progress import Progress, reporting
from ntkfast._scalars import as_count
from ntkfast.dynamics import GradientDescent, GradientFlow
from ntkfast.dynamics._arguments import Reduction
from ntkfast.finite.initial import init
from ntkfast.finite.linearized import LinearizedNetwork
from ntkfast.finite.network import FiniteNetwork
from ntkfast.finite.scaling import Scaling
from ntkfast.finite.training import train
from ntkfast.finite.trajectory import FiniteTrajectory
from ntkfast.networks import Network
from ntkfast.networks.composition import as_network

__all__ = ["DriftStudy", "WidthStudy", "drift_study", "width_study"]

Array = npt.NDArray[np.float64]
Seeds: TypeAlias = int | Sequence[int]


@dataclass(frozen=True, eq=False)
class WidthStudy:
    """Kernels of single random networks against those of infinite width, made by `width_study`.

    Attributes
    ----------
    ntk, nngp
        ‖K̂ − K‖_F/‖K‖_F for each width and seed, and the power of the width that it follows.
    """

    ntk: Scaling
    nngp: Scaling


def width_study(
    network: Network,
    x: npt.ArrayLike,
    *,
    widths: Sequence[int],
    seeds: Seeds = 5,
    progress: Progress = None,
) -> WidthStudy:
    """Measure how the kernels of random networks approach the analytic ones.

    They are sums over the neurons of a layer, and so are off by order 1/√width: slope −1/2.

    Parameters
    ----------
    network
        The architecture, in the NTK parameterization, whose hidden Dense layers have no width.
    x
        Shape (n, n_features).
    widths
        Of the hidden layers, at least two that differ.
    seeds
        How many networks of each width, or their seeds. Each width has draws of its own.
    progress
        True for a tqdm bar, or any ``callable(done, total)``.

    Returns
    -------
    WidthStudy
        Relative errors and their slopes.

    Raises
    ------
    TypeError, ValueError
        Arguments of the wrong kind, shape or range.

    Notes
    -----
    Weights between two hidden layers of width N take 8·N² bytes, and their part of the NTK of n
    points n²·N operations.

    References
    ----------
    Jacot, Gabriel, Hongler (2018), arXiv:1806.07572: the limit.

    Examples
    --------
    >>> import ntkfast as nk
    >>> study = width_study(nk.mlp(1), [[1.0], [2.0]], widths=(64, 256, 1024), seeds=20)
    >>> bool(abs(study.ntk.slope + 0.5) < 4 * study.ntk.slope_error)
    True
    """
    points = as_points(x, "x").astype(np.float64)
    limit = as_network(network, "network").kernels(points)
    errors: list[tuple[float, float]] = []
    for finite in _networks(network, points.shape[1], None, widths, seeds, False, progress):
        errors.append(
            (_relative(finite.ntk(points), limit.ntk), _relative(finite.nngp(points), limit.nngp))
        )
    ntk, nngp = np.array(errors).T.reshape(2, len(widths), -1)
    sizes = np.array(widths)
    return WidthStudy(
        Scaling(sizes, ntk, "relative error of the NTK"),
        Scaling(sizes, nngp, "relative error of the NNGP kernel"),
    )


@dataclass(frozen=True, eq=False)
class DriftStudy:
    """Trained networks against lazy training, at the end, by width; made by `drift_study`.

    Attributes
    ----------
    kernel
        ‖Θ_t − Θ_0‖_F/‖Θ_0‖_F on the training points.
    parameters
        ‖p_t − p_0‖/‖p_0‖.
    patterns
        The share of the activation pattern that changed; None for activations without kinks.
    linearized
        Root mean square, over the test points, of f_t − f_lin with the network's own linearisation.
    infinite
        The same against infinite width, that is, against the analytic NTK from the same f_0.
    trajectories
        The training itself: a row for each width, an entry for each seed.
    """

    kernel: Scaling
    parameters: Scaling
    patterns: Scaling | None
    linearized: Scaling
    infinite: Scaling
    trajectories: tuple[tuple[FiniteTrajectory, ...], ...]


def drift_study(
    network: Network,
    x: npt.ArrayLike,
    y: npt.ArrayLike,
    x_test: npt.ArrayLike,
    *,
    widths: Sequence[int],
    seeds: Seeds = 5,
    steps: npt.ArrayLike | None = None,
    t: npt.ArrayLike | None = None,
    learning_rate: float = 1.0,
    momentum: float = 0.0,
    reduction: Reduction = "sum",
    record: int = 50,
    zero_output: bool = False,
    progress: Progress = None,
) -> DriftStudy:
    """Train networks of several widths, and measure how lazy their training is.

    Theory bounds the change of the kernel by order 1/√width, slope −1/2, and that of f_t against
    its linearisation likewise (Lee et al. 2019, theorem 2.1). Both are reached where changes add
    up. In networks drawn from N(0, 1) they largely cancel, neurons with outgoing weights of
    opposite signs moving in opposite directions, so that slopes near −1 are seen for smooth
    activations and near −3/4 for ReLU with one hidden layer. Activation patterns, and the distance
    to infinite width, whose kernel is off by 1/√width from the start, follow −1/2; the relative
    movement of the parameters follows 1/√P, the square root of their number.

    Parameters
    ----------
    network
        The architecture, in the NTK parameterization, whose hidden Dense layers have no width.
    x, y
        Training points, shape (n, n_features), and targets, (n,) or (n, c).
    x_test
        Shape (m, n_features): where functions are compared.
    widths, seeds
        As for `width_study`.
    steps, t, learning_rate, momentum, reduction, record
        Of the training, as for `FiniteNetwork.train`. `nk.theory.max_learning_rate` of the analytic
        kernel says what is stable at large width.
    zero_output
        Whether networks start at f_0 = 0, as for `init`.
    progress
        True for a tqdm bar, or any ``callable(done, total)`` of trained networks.

    Returns
    -------
    DriftStudy
        What changed by the end of training, its slopes, and the trajectories.

    Raises
    ------
    TypeError, ValueError
        Arguments of the wrong kind, shape or range; a training that diverged.

    References
    ----------
    Lee et al. (2019), arXiv:1902.06720; Chizat, Oyallon, Bach (2019), arXiv:1812.07956.
    """
    points, others = as_points(x, "x"), as_points(x_test, "x_test")
    targets = as_floats(y, "y")
    outputs = None if targets.ndim == 1 else targets.shape[-1]
    rates = {"learning_rate": learning_rate, "reduction": reduction}
    kernel, k_test = network.ntk(points), network.ntk(others, points)
    infinite: GradientFlow | GradientDescent
    if steps is None:
        infinite = GradientFlow(kernel, targets, **rates)
    else:
        infinite = GradientDescent(kernel, targets, momentum=momentum, **rates)
    rows: list[list[float]] = []
    trajectories: list[FiniteTrajectory] = []
    drawn = _networks(network, points.shape[1], outputs, widths, seeds, zero_output, progress)
    for finite in drawn:
        run = train(
            finite,
            points,
            targets,
            steps=steps,
            t=t,
            momentum=momentum,
            x_test=others,
            record=record,
            **rates,
        )
        if not run.completed:
            raise ValueError(f"training a network did not come to its end: {run.reason}")
        linear = finite.linearize().train(
            points,
            targets,
            method="flow" if steps is None else "descent",
            momentum=momentum,
            **rates,
        )
        end = run.times[-1]
        limit = infinite.predict(end, k_test, linear.f0, finite.forward(others))
        rows.append(
            [
                run.kernel_drift[-1],
                run.relative_distance[-1],
                run.pattern_changes[-1],
                _root_mean_square(run.test[-1] - linear.predict(end, others)),
                _root_mean_square(run.test[-1] - limit),
            ]
        )
        trajectories.append(run)
    return _summarised(np.array(rows), trajectories, np.array(widths))
