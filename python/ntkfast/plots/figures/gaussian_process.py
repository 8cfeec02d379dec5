"""The NTK Gaussian process: mean and standard deviation during training."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

import ntkfast as nk
from ntkfast._arrays import FloatArray
from ntkfast.plots import results
from ntkfast.plots.style import BLUE, VERMILION, new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["NETWORK", "Process", "compute", "draw"]

NETWORK = nk.Serial(nk.Dense(w_std=math.sqrt(2)), nk.Relu(), nk.Dense(b_std=1))


@dataclass(frozen=True, eq=False, repr=False)
class Process:
    """Distributions of the trained function at several times.

    Attributes
    ----------
    x, y : ndarray, shape (n,)
        Training points on a line, and their targets.
    grid : ndarray, shape (m,)
        Points at which the function is evaluated.
    t : tuple of float
        Training times, shape (k,).
    normals : tuple of Normal
        Distributions on the grid, one for each time.
    training : tuple of Normal
        The same at the training points.
    prior_variance, noise_variance : float
        σ_p² of the parameters, σ² of the targets.
    """

    x: FloatArray
    y: FloatArray
    grid: FloatArray
    t: tuple[float, ...]
    normals: tuple[nk.Normal, ...]
    training: tuple[nk.Normal, ...]
    prior_variance: float
    noise_variance: float


def compute(
    times: Sequence[float] = (0, 0.1, 0.5, 5, 50, math.inf),
    *,
    prior_variance: float = 2.0,
    noise_variance: float = 0.001,
    n: int = 201,
) -> Process:
    """Train the linearised `NETWORK` on three points from parameters N(0, σ_p²).

    A function that is linear in parameters of variance σ_p² has the prior covariance σ_p²·Θ.
    Gradient flow moves it along Θ.

    Parameters
    ----------
    times
        Training times.
    prior_variance, noise_variance
        σ_p² of the parameters, and σ² of the noise on the targets.
    n
        Number of points on the grid.
    """
    x, y = nk.data.three_points()
    grid = np.linspace(-0.4, 1.4, n)
    x_test = nk.data.append_one(grid[:, None])
    theta, theta_test = NETWORK.ntk(x), NETWORK.ntk(x_test, x)
    ensemble = nk.Ensemble.from_kernels(prior_variance * theta, nk.GradientFlow(theta, y))

    def at(k_test_train: FloatArray, diagonal: FloatArray) -> tuple[nk.Normal, ...]:
        kernels = nk.Kernels(nngp=prior_variance * k_test_train, ntk=k_test_train)
        return tuple(
            ensemble.predict_kernels(
                kernels,
                prior_variance * diagonal,
                t=t,
                covariance="diagonal",
                noise_variance=noise_variance,
            )
            for t in times
        )

    return Process(
        x=x[:, 0],
        y=y,
        grid=grid,
        t=tuple(times),
        normals=at(theta_test, NETWORK.ntk(x_test, diagonal=True)),
        training=at(theta, theta.diagonal()),
        prior_variance=prior_variance,
        noise_variance=noise_variance,
    )


def draw(result: Process) -> Figure:
    """Draw mean ± 1 standard deviation at each time."""
    columns = min(3, len(result.t))
    figure, panels = new_figure(
        "NTK Gaussian process: mean ± 1 standard deviation under gradient flow "
        f"(prior variance {result.prior_variance:g}, noise variance {result.noise_variance:g})",
        (11, 6.5),
        rows=-(-len(result.t) // columns),
        columns=columns,
        sharex=True,
        sharey=True,
    )
    for ax, t, normal in zip(panels.flat, result.t, result.normals, strict=False):
        results.band(normal, result.grid, ax, color=BLUE, label="mean ± 1 std")
        ax.plot(result.x, result.y, "o", color=VERMILION, label="training points", zorder=3)
        time = r"$t = \infty$" if math.isinf(t) else f"$t = {t:g}$"
        ax.set(title=time, xlim=(result.grid[0], result.grid[-1]), ylim=(-3, 3))
        ax.label_outer()
    for ax in panels.flat[len(result.t) :]:
        ax.set_axis_off()
    panels.flat[0].legend(loc="upper left", fontsize=9)
    return figure
