"""Full, linearised and infinitely wide: three models of one training over time."""

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
        Points at which the functions are evaluated.
    steps : tuple of int
        Steps of gradient descent, shape (k,).
    learning_rate : float
        η, the same for all models; the number of steps times η is the time of gradient flow.
    widths : tuple of int
        Hidden units, shape (w,).
    full : ndarray, shape (w, k, m)
        Outputs of finite networks.
    linear : ndarray, shape (w, k, m)
        Outputs of the same networks, linearised at initialisation.
    infinite : ndarray, shape (k, m)
        Outputs of the infinite-width limit.
    """

    x: FloatArray
    y: FloatArray
    grid: FloatArray
    steps: tuple[int, ...]
    learning_rate: float
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
    steps: Sequence[int] = (1, 5, 20, 100, 1_000),
    *,
    widths: Sequence[int] = (30, 3_000),
    seed: int = 0,
    n: int = 101,
) -> ThreeModels:
    """Train all three models on the three points, with the same steps of gradient descent.

    Parameters
    ----------
    steps
        Steps at which to evaluate the functions, > 0, ascending.
    widths
        Hidden units of `NETWORK`. The finite networks are differences of two copies, so that they
        start at f = 0, like the infinite-width limit.
    seed
        Seed of the finite networks.
    n
        Number of points on the grid.
    """
    x, y = nk.data.three_points()
    x, grid = x[:, :1], np.linspace(-0.5, 1.5, n)
    points = grid[:, None]
    theta = NETWORK.ntk(x)
    rate = nk.theory.max_learning_rate(theta) / 3
    full, linear = [], []
    for width in widths:
        network = nk.finite.init(NETWORK, 1, seed, width=width, zero_output=True)
        trained = network.train(
            x, y, steps=[0, *steps], learning_rate=rate, x_test=points, kernel=False
        )
        full.append(np.asarray(trained.test)[1:])
        tangent = network.linearize().train(x, y, method="descent", learning_rate=rate)
        linear.append(tangent.predict(points, t=steps))
    return ThreeModels(
        x=x[:, 0],
        y=y,
        grid=grid,
        steps=tuple(steps),
        learning_rate=rate,
        widths=tuple(widths),
        full=np.array(full),
        linear=np.array(linear),
        infinite=nk.GradientDescent(theta, y, learning_rate=rate).predict(
            NETWORK.ntk(points, x), t=steps
        ),
    )


def draw(result: ThreeModels) -> Figure:
    """Draw one row per width, and one column per model."""
    figure, panels = new_figure(
        "One training, three models, from the first step to the last",
        (12, 3.7 * len(result.widths)),
        rows=len(result.widths),
        columns=3,
        sharex=True,
        sharey=True,
    )
    colours = shades(len(result.steps))
    for row, width, full, linear in zip(
        panels, result.widths, result.full, result.linear, strict=True
    ):
        titles = (f"finite network, width {width:,}", "the same, linearised", "infinite width")
        for ax, title, functions in zip(row, titles, (full, linear, result.infinite), strict=True):
            for step, function, colour in zip(result.steps, functions, colours, strict=True):
                ax.plot(result.grid, function, color=colour, label=f"step {step:,}")
            ax.plot(result.x, result.y, "o", color=VERMILION, label="targets", zorder=3)
            ax.set(title=title)
        row[0].set(ylabel="$f_t(x)$")
    for ax in panels[-1]:
        ax.set(xlabel="$x$")
    panels[0, 0].legend(fontsize=9)
    return figure
