"""Full, linearised and infinitely wide: three models of one training, side by side over time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

import ntkfast as nk
from ntkfast._arrays import FloatArray
from ntkfast.plots.figures.training_dynamics import NETWORK
from ntkfast.plots.style import VERMILION, new_figure, shades

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["NETWORK", "ThreeModels", "compute", "draw"]


@dataclass(frozen=True, eq=False, repr=False)
class ThreeModels:
    """Predictions of the three models, all of which start at f = 0.

    Attributes
    ----------
    x, y : ndarray, shape (n,)
        Training points on a line, and their targets.
    grid : ndarray, shape (m,)
        Where the functions are looked at.
    t : tuple of float
        Training times, shape (k,).
    widths : tuple of int
        Hidden units, shape (w,).
    full : ndarray, shape (w, k, m)
        Finite networks, trained by gradient flow.
    linear : ndarray, shape (w, k, m)
        The same networks, linearised at the start.
    infinite : ndarray, shape (k, m)
        Infinite width.
    """

    x: FloatArray
    y: FloatArray
    grid: FloatArray
    t: tuple[float, ...]
    widths: tuple[int, ...]
    full: FloatArray
    linear: FloatArray
    infinite: FloatArray

    @property
    def gap_to_linear(self) -> FloatArray:
        """Shape (w, k): root mean square over the grid of full − linear."""
        gap: FloatArray = np.sqrt(np.square(self.full - self.linear).mean(axis=-1))
        return gap

    @property
    def gap_to_infinite(self) -> FloatArray:
        """Shape (w, k): root mean square over the grid of full − infinite."""
        gap: FloatArray = np.sqrt(np.square(self.full - self.infinite).mean(axis=-1))
        return gap


def compute(
    times: Sequence[float] = (0.1, 0.5, 2, 10, 100),
    *,
    widths: Sequence[int] = (30, 3_000),
    seed: int = 0,
    n: int = 101,
) -> ThreeModels:
    """Train all three on the three points.

    Parameters
    ----------
    times
        Training times > 0, ascending.
    widths
        Hidden units of `NETWORK`. The finite networks are differences of two copies, so that they
        start at f = 0, as the limit is taken to do.
    seed
        Of the finite networks.
    n
        Number of points of the grid.
    """
    x, y = nk.data.three_points()
    x, grid = x[:, :1], np.linspace(-0.5, 1.5, n)
    points = grid[:, None]
    full, linear = [], []
    for width in widths:
        network = nk.finite.init(NETWORK, 1, seed, width=width, zero_output=True)
        trained = network.train(x, y, t=[0.0, *times], x_test=points, kernel=False)
        full.append(trained.test[1:])
        linear.append(network.linearize().train(x, y).predict(times, points))
    limit = nk.GradientFlow(NETWORK.ntk(x), y)
    return ThreeModels(
        x=x[:, 0],
        y=y,
        grid=grid,
        t=tuple(times),
        widths=tuple(widths),
        full=np.array(full),
        linear=np.array(linear),
        infinite=limit.predict(times, NETWORK.ntk(points, x)),
    )


def draw(result: ThreeModels) -> Figure:
    """Draw a row for each width, and a column for each model."""
    figure, panels = new_figure(
        "One training, three models, from the first moments to the end",
        (12, 3.7 * len(result.widths)),
        rows=len(result.widths),
        columns=3,
        sharex=True,
        sharey=True,
    )
    colours = shades(len(result.t))
    for row, width, full, linear in zip(
        panels, result.widths, result.full, result.linear, strict=True
    ):
        titles = (f"finite network, width {width:,}", "the same, linearised", "infinite width")
        for ax, title, functions in zip(row, titles, (full, linear, result.infinite), strict=True):
            for t, function, colour in zip(result.t, functions, colours, strict=True):
                ax.plot(result.grid, function, color=colour, label=f"$t = {t:g}$")
            ax.plot(result.x, result.y, "o", color=VERMILION, label="targets", zorder=3)
            ax.set(title=title)
        row[0].set(ylabel="$f_t(x)$")
    for ax in panels[-1]:
        ax.set(xlabel="$x$")
    panels[0, 0].legend(fontsize=9)
    return figure
