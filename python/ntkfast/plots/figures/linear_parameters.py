"""Parameters of the linear theory in the full model: the agreement improves with width."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

import ntkfast as nk
from ntkfast._arrays import FloatArray
from ntkfast.plots import results
from ntkfast.plots.figures._panels import FigSize, GivenAxes, entry, panels
from ntkfast.plots.figures._problem import Data, Extent, chosen, on_a_line, one_hidden_layer
from ntkfast.plots.figures.training_dynamics import NETWORK
from ntkfast.plots.style import colours, fine

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
    network: nk.Network | None = None,
    activation: nk.Network | None = None,
    data: Data = None,
    t: float = 100.0,
    extent: Extent = None,
    n: int = 101,
    n_seeds: int = 10,
) -> LinearParameters:
    """Train linearised networks on points on a line, and use their parameters in full networks.

    Parameters
    ----------
    widths
        Hidden units.
    network, activation
        The architecture, or the activation in that of `NETWORK`. By default it is `NETWORK`.
    data
        Points x and targets y, both of shape (n,); by default `nk.data.three_points`.
    t
        Training time.
    extent
        Ends of the grid. By default it extends the range of x on both sides by its length.
    n
        Number of points on the grid.
    n_seeds
        Number of networks of each width, with seeds 0, 1, ….
    """
    x, y, grid = on_a_line(data, extent, n)
    architecture = chosen(network, activation, one_hidden_layer, NETWORK)
    points = grid[:, None]
    # For each width and seed: the initial outputs, the linearised network, and the full network.
    functions = np.empty((3, len(widths), n_seeds, n))
    for i, width in enumerate(widths):
        for seed in range(n_seeds):
            finite = nk.finite.init(architecture, 1, seed, width=width)
            f0, start = finite.forward(x), finite.forward(points)
            flow = nk.GradientFlow(finite.ntk(x), y)
            trained = flow.parameters(finite.jacobian(x), finite.parameters, f0, t=t)
            linear = flow.predict(finite.ntk(points, x), f0, start, t=t)
            full = finite.with_parameters(trained).forward(points)
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


def draw(
    result: LinearParameters,
    axes: GivenAxes = None,
    figsize: FigSize = None,
    title: str | None = None,
) -> Figure:
    """Draw both models for each width, and their distance against width.

    Parameters
    ----------
    result
        The numbers, from `compute`.
    axes
        Axes to draw on, in reading order: one axes for each width, and one more.
        By default, those of a new figure.
    figsize
        Width and height of a new figure, in inches. A height of None follows from the width.
    title
        The title; an empty one is omitted.
    """
    made = panels(
        len(result.widths) + 1,
        axes,
        figsize,
        title,
        default=f"The full model with the parameters of the linear theory, at $t = {result.t:g}$",
        height=4.4,
        columns=min(3, len(result.widths) + 1),
    )
    *others, ax_gap = made.axes
    first, second, third = colours(3)
    kinds = [
        ("initialisation", fine()),
        ("linear theory", {"color": first, "linestyle": "--", "zorder": 2.5}),
        ("full model", {"color": second}),
        ("targets", {"color": fine()["color"], "marker": "o", "linestyle": "none"}),
    ]
    for ax, width, *functions in zip(
        others, result.widths, result.start, result.linear, result.full, strict=True
    ):
        curves = [*((result.grid, function) for function in functions), (result.x, result.y)]
        for (x, values), (_, style) in zip(curves, kinds, strict=True):
            ax.plot(x, values, **style)
        ax.set(title=f"width {width:,}", xlabel="$x$", ylabel="$f(x)$")
    results.scaling(result.gap, ax_gap, color=third)
    if made.new and (legend := ax_gap.get_legend()):
        legend.remove()  # the title has the slope
    ax_gap.set(
        title=f"Full − linear,\n{results.slope_label(result.gap)}",
        ylabel="root mean square over $x$",
    )
    made.legend([entry(name, **style) for name, style in kinds], columns=4)
    return made.figure
