"""Convergence of finite networks to their infinite-width limit, with fitted powers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from ntkfast._arrays import FloatArray, as_floats, as_points
from ntkfast._display import Displayed, Fact
from ntkfast._ntkfast import NumericalError
from ntkfast._progress import Progress
from ntkfast.dynamics._arguments import Reduction, check_order
from ntkfast.finite._arguments import as_rows
from ntkfast.finite._draws import Seeds, as_seeds, as_widths, draws
from ntkfast.finite._problem import as_training
from ntkfast.finite.power_law import Scaling
from ntkfast.finite.trajectory import FiniteTrajectory
from ntkfast.networks import Network

__all__ = ["DriftStudy", "WidthStudy", "drift_study", "width_study"]

Array = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False, repr=False)
class WidthStudy(Displayed):
    """Kernels of random networks compared with those of infinite width, from `width_study`.

    Attributes
    ----------
    ntk, nngp
        ‖K̂ − K‖_F/‖K‖_F for each width and seed, and its power law in the width.
    """

    ntk: Scaling
    nngp: Scaling

    def _facts(self) -> Iterator[Fact]:
        yield "", self.ntk
        yield "", self.nngp


def width_study(
    network: Network,
    x: npt.ArrayLike,
    *,
    widths: Sequence[int],
    seeds: Seeds = 5,
    progress: Progress = None,
) -> WidthStudy:
    """Measure how the kernels of random networks approach the analytic ones.

    They are averages over the neurons of a layer, so their error is of order 1/√width: slope −1/2.

    Parameters
    ----------
    network
        The architecture, in the NTK parameterization, with hidden Dense layers without a width.
    x
        Shape (n, n_features).
    widths
        Widths of the hidden layers, at least two different ones.
    seeds
        Number of networks of each width, or their seeds. The draws differ between widths.
    progress
        True for a tqdm bar, or any ``callable(done, total)``.

    Returns
    -------
    WidthStudy
        Relative errors and their slopes.

    Raises
    ------
    TypeError, ValueError
        An argument has the wrong type, shape or range.

    Notes
    -----
    The weights between two hidden layers of width N take 8·N² bytes, and their part of the NTK of n
    points takes n²·N operations.

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
    network = as_rows(network)
    points = as_points(x, "x").astype(np.float64)
    limit = network.kernels(points)
    if not (limit.ntk.any() and limit.nngp.any()):
        raise ValueError(
            f"x has shape {points.shape}, and the analytic NTK or NNGP kernel on it is zero or "
            "empty; expected points where both are non-zero, because errors are relative"
        )
    sizes, seeds_ = as_widths(widths, network, points.shape[1]), as_seeds(seeds)
    errors = [
        (_relative(finite.ntk(points), limit.ntk), _relative(finite.nngp(points), limit.nngp))
        for finite in draws(network, points.shape[1], sizes, seeds_, progress)
    ]
    ntk, nngp = np.array(errors).T.reshape(2, len(sizes), len(seeds_))
    return WidthStudy(
        Scaling(sizes, ntk, "relative error of the NTK"),
        Scaling(sizes, nngp, "relative error of the NNGP kernel"),
    )


@dataclass(frozen=True, eq=False, repr=False)
class DriftStudy(Displayed):
    """Trained networks compared with lazy training, by width; created by `drift_study`.

    Attributes
    ----------
    kernel
        ‖Θ_t − Θ_0‖_F/‖Θ_0‖_F on the training points.
    parameters
        ‖p_t − p_0‖/‖p_0‖.
    patterns
        The share of the activation pattern that changed; all 0 for activations without kinks.
    linearized
        Root mean square, over the test points, of f_t − f_lin for the network's own linearisation.
    infinite
        The same for infinite width, that is, for the analytic NTK from the same f_0.
    trajectories
        The training itself: one row per width, one entry per seed.
    """

    kernel: Scaling
    parameters: Scaling
    patterns: Scaling
    linearized: Scaling
    infinite: Scaling
    trajectories: tuple[tuple[FiniteTrajectory, ...], ...]

    def _facts(self) -> Iterator[Fact]:
        for name in ("kernel", "parameters", "patterns", "linearized", "infinite"):
            yield f"{name}=", getattr(self, name)


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

    Theory bounds the change of the kernel by order 1/√width, slope −1/2, and the distance of f_t
    from its linearisation likewise (Lee et al. 2019, theorem 2.1). With random weights the change
    is smaller: neurons with outgoing weights of opposite signs move in opposite directions, and
    their effects largely cancel. With one hidden layer, the observed slopes are near −1 for smooth
    activations, and between −1/2 and −3/4 for ReLU, because units cross their kinks. Activation
    patterns have slope −1/2. So does the distance to infinite width, because the initial kernel
    has an error of 1/√width. The relative movement of the parameters is 1/√P, where P is their
    number: slope −1/2 with one hidden layer, −1 with more.

    Parameters
    ----------
    network
        The architecture, in the NTK parameterization, with hidden Dense layers without a width.
    x, y
        Training points, shape (n, n_features), and targets, (n,) or (n, c).
    x_test
        Shape (m, n_features): points at which functions are compared.
    widths, seeds
        As for `width_study`.
    steps, t, learning_rate, momentum, reduction, record
        Parameters of the training, as for `FiniteNetwork.train`. `nk.theory.max_learning_rate` of
        the analytic kernel gives the stable learning rates at large width.
    zero_output
        Whether networks start at f_0 = 0, as for `init`.
    progress
        True for a tqdm bar, or any ``callable(done, total)`` of trained networks.

    Returns
    -------
    DriftStudy
        The changes at the end of training, their slopes, and the trajectories.

    Raises
    ------
    TypeError, ValueError
        An argument has the wrong type, shape or range.
    NumericalError
        Training diverged, or needed too many steps.

    References
    ----------
    Lee et al. (2019), arXiv:1902.06720; Chizat, Oyallon, Bach (2019), arXiv:1812.07956.
    """
    limit = as_rows(network)
    check_order(x, y, "x", "points")
    points, others = as_points(x, "x"), as_points(x_test, "x_test")
    if not len(others):
        raise ValueError(f"x_test has shape {others.shape}; expected at least one point")
    targets = as_floats(y, "y")
    settings: dict[str, Any] = {
        "learning_rate": learning_rate,
        "momentum": momentum,
        "reduction": reduction,
    }
    method: Literal["flow", "descent"] = "flow" if steps is None else "descent"
    infinite = as_training(limit.ntk(points), targets, method=method, **settings)
    k_test = limit.ntk(others, points)
    sizes, seeds_ = as_widths(widths, limit, points.shape[1]), as_seeds(seeds)
    outputs = None if targets.ndim == 1 else targets.shape[-1]
    rows: list[list[float]] = []
    runs: list[FiniteTrajectory] = []
    for finite in draws(
        limit, points.shape[1], sizes, seeds_, progress, output_dim=outputs, zero_output=zero_output
    ):
        run = finite.train(
            points, targets, steps=steps, t=t, x_test=others, record=record, **settings
        )
        if not run.completed:
            raise NumericalError(f"training of a network did not complete: {run.reason}")
        assert run.test is not None
        assert run.kernel_drift is not None
        end = run.times[-1]
        linear = finite.linearize().train(points, targets, method=method, **settings)
        expected = infinite.predict(k_test, linear.f0, finite.forward(others), t=end)
        rows.append(
            [
                float(run.kernel_drift[-1]),
                float(run.relative_distance[-1]),
                float(run.pattern_changes[-1]),
                _root_mean_square(run.test[-1] - linear.predict(others, t=end)),
                _root_mean_square(run.test[-1] - expected),
            ]
        )
        runs.append(run)
    found = np.array(rows).T.reshape(5, len(sizes), len(seeds_))
    kernel, parameters, patterns, linearized, wide = found
    return DriftStudy(
        kernel=Scaling(sizes, kernel, "drift of the NTK"),
        parameters=Scaling(sizes, parameters, "relative movement of the parameters"),
        patterns=Scaling(sizes, patterns, "changed share of the activation pattern"),
        linearized=Scaling(sizes, linearized, "distance from the linearised network"),
        infinite=Scaling(sizes, wide, "distance from infinite width"),
        trajectories=tuple(
            tuple(runs[i : i + len(seeds_)]) for i in range(0, len(runs), len(seeds_))
        ),
    )


def _relative(found: FloatArray, expected: FloatArray) -> float:
    return float(np.linalg.norm(found - expected) / np.linalg.norm(expected))


def _root_mean_square(values: Array) -> float:
    return float(np.sqrt(np.mean(np.square(values))))
