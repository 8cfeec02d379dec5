"""Parameters of the linear theory in the full model: the agreement improves with width."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

import ntkfast as nk
from ntkfast._arrays import FloatArray
from ntkfast.plots import results
from ntkfast.plots.figures.training_dynamics import NETWORK
from ntkfast.plots.style import BLUE, GREEN, VERMILION, new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["NETWORK", "LinearParameters", "compute", "draw"]


@dataclass(frozen=True, eq=False, repr=False)
class LinearParameters:
    """Networks with the parameters that the linear theory predicts after training.

    Attributes
    ----------
    x, y : ndarray, shape (n,)
        Training points on a line, and their targets.
    grid : ndarray, shape (m,)
        Points at which the functions are evaluated.
    t : float
        Training time.
    widths : tuple of int
        Hidden units, shape (w,).
    start, linear, full : ndarray, shape (w, m)
        The network of the first seed at initialisation, the linearised network at time t, and the
        network itself with these same parameters.
    gap : Scaling
        Root mean square over the grid of full − linear, for each width and seed.
    """

    x: FloatArray
    y: FloatArray
    grid: FloatArray
    t: float
    widths: tuple[int, ...]
    start: FloatArray
    linear: FloatArray
    full: FloatArray
    gap: nk.finite.Scaling


def compute(
    widths: Sequence[int] = (10, 100, 500, 3_000, 15_000),
    *,
    n_seeds: int = 10,
    t: float = 100.0,
    n: int = 101,
) -> LinearParameters:
    """Train linearised networks on the three points, and use their parameters in the full networks.

    Parameters
    ----------
    widths
        Hidden units of `NETWORK`.
    n_seeds
        Number of networks of each width, with seeds 0, 1, ….
    t
        Training time.
    n
        Number of points on the grid.
    """
    x, y = nk.data.three_points()
    x, grid = x[:, :1], np.linspace(-0.5, 1.5, n)
    points = grid[:, None]
    # For each width and seed: the initial outputs, the linearised network, and the full network.
    functions = np.empty((3, len(widths), n_seeds, n))
    for i, width in enumerate(widths):
        for seed in range(n_seeds):
            network = nk.finite.init(NETWORK, 1, seed, width=width)
            f0, start = network.forward(x), network.forward(points)
            flow = nk.GradientFlow(network.ntk(x), y)
            trained = flow.parameters(network.jacobian(x), network.parameters, f0, t=t)
            linear = flow.predict(network.ntk(points, x), f0, start, t=t)
            full = network.with_parameters(trained).forward(points)
            functions[:, i, seed] = start, linear, full
    gap = np.sqrt(np.square(functions[2] - functions[1]).mean(axis=-1))
    start, linear, full = functions[:, :, 0]
    return LinearParameters(
        x=x[:, 0],
        y=y,
        grid=grid,
        t=t,
        widths=tuple(widths),
        start=start,
        linear=linear,
        full=full,
        gap=nk.finite.Scaling(np.array(widths), gap, "full minus linear"),
    )


def draw(result: LinearParameters) -> Figure:
    """Draw both models for each width, and their distance against width."""
    columns = -(-(len(result.widths) + 1) // 2)
    figure, panels = new_figure(
        f"The full model with the parameters of the linear theory, at $t = {result.t:g}$",
        (12.5, 7),
        rows=2,
        columns=columns,
    )
    # The initial function may be far away, so the trained functions determine the limits.
    learnt = np.concatenate([result.linear.ravel(), result.full.ravel(), result.y])
    margin = 0.1 * np.ptp(learnt)
    view = learnt.min() - margin, learnt.max() + margin
    for ax, width, start, linear, full in zip(
        panels.flat, result.widths, result.start, result.linear, result.full, strict=False
    ):
        ax.plot(result.grid, start, color="grey", ls=":", label="initialisation")
        ax.plot(result.grid, linear, color=BLUE, ls="--", lw=2, label="linear theory")
        ax.plot(result.grid, full, color=VERMILION, label="full model")
        ax.plot(result.x, result.y, "ko", ms=5, label="training points")
        ax.set(title=f"width {width:,}", xlabel="$x$", ylabel="$f(x)$", ylim=view)
    # The legend is in the panel in which the lines are most visible.
    shown = [((view[0] < start) & (start < view[1])).mean() for start in result.start]
    panels.flat[int(np.argmax(shown))].legend(fontsize=9)
    for ax in panels.flat[len(result.widths) :]:
        ax.set_axis_off()
    ax = panels.flat[len(result.widths)]
    ax.set_axis_on()
    results.scaling(result.gap, ax, color=GREEN)
    ax.set(title="Distance of the two models", ylabel="root mean square over $x$")
    return figure
