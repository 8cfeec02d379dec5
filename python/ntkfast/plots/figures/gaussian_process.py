"""The NTK Gaussian process: mean and standard deviation during training."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import ntkfast as nk
from ntkfast._arrays import FloatArray
from ntkfast.plots import results
from ntkfast.plots.figures._panels import FigSize, GivenAxes, panels
from ntkfast.plots.figures._problem import Data, Extent, chosen, on_a_line, one_hidden_layer
from ntkfast.plots.figures.training_dynamics import NETWORK
from ntkfast.plots.style import colours, dots

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["NETWORK", "Process", "compute", "draw"]


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
    network: nk.Network | None = None,
    activation: nk.Network | None = None,
    data: Data = None,
    prior_variance: float = 2.0,
    noise_variance: float = 0.001,
    extent: Extent = None,
    n: int = 201,
) -> Process:
    """Train a linearised network on points on a line from parameters N(0, σ_p²).

    A function that is linear in parameters of variance σ_p² has the prior covariance σ_p²·Θ.
    Gradient flow moves it along Θ.

    Parameters
    ----------
    times
        Training times.
    network, activation
        The network, or the activation in that of `NETWORK`. By default it is `NETWORK`.
    data
        Points x and targets y, both of shape (n,); by default `nk.data.three_points`.
    prior_variance, noise_variance
        σ_p² of the parameters, and σ² of the noise on the targets.
    extent
        Ends of the grid. By default it extends the range of x on both sides by its length.
    n
        Number of points on the grid.
    """
    x, y, grid = on_a_line(data, extent, n)
    x_test = grid[:, None]
    architecture = chosen(network, activation, one_hidden_layer, NETWORK)
    theta, theta_test = architecture.ntk(x), architecture.ntk(x_test, x)
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
        normals=at(theta_test, architecture.ntk(x_test, diagonal=True)),
        training=at(theta, theta.diagonal()),
        prior_variance=prior_variance,
        noise_variance=noise_variance,
    )


def draw(
    result: Process,
    axes: GivenAxes = None,
    figsize: FigSize = None,
    title: str | None = None,
) -> Figure:
    """Draw mean ± 1 standard deviation at each time.

    Parameters
    ----------
    result
        The numbers, from `compute`.
    axes
        Axes to draw on, in reading order: one axes for each time.
        By default, those of a new figure.
    figsize
        Width and height of a new figure, in inches. A height of None follows from the width.
    title
        The title; an empty one is omitted.
    """
    made = panels(
        len(result.t),
        axes,
        figsize,
        title,
        default="NTK Gaussian process under gradient flow "
        f"(prior variance {result.prior_variance:g}, noise variance {result.noise_variance:g})",
        height=0.9 + 1.75 * -(-len(result.t) // 3),
        columns=min(3, len(result.t)),
        sharex=True,
        sharey="row",  # late distributions are much narrower than early ones
    )
    first, second = colours(2)
    for ax, t, normal in zip(made.axes, result.t, result.normals, strict=True):
        results.band(normal, result.grid, ax, color=first, label="mean")
        ax.plot(result.x, result.y, label="targets", zorder=3, **dots(second))
        time = r"$t = \infty$" if math.isinf(t) else f"$t = {t:g}$"
        ax.set(title=time, xlim=(result.grid[0], result.grid[-1]))
        if made.new:
            ax.label_outer()
    made.legend(made.axes[0].get_legend_handles_labels()[0], columns=3)
    return made.figure
