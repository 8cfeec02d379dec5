"""Full, linearised and infinitely wide: three models of one training over time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

import ntkfast as nk
from ntkfast._arrays import FloatArray
from ntkfast.plots.figures._panels import FigSize, GivenAxes, entry, panels
from ntkfast.plots.figures._problem import Data, Extent, chosen, on_a_line, one_hidden_layer
from ntkfast.plots.figures.training_dynamics import NETWORK
from ntkfast.plots.style import fine, shades

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
    network: nk.Network | None = None,
    activation: nk.Network | None = None,
    data: Data = None,
    extent: Extent = None,
    n: int = 101,
    seed: int = 0,
) -> ThreeModels:
    """Train all three models on points on a line, with the same steps of gradient descent.

    Parameters
    ----------
    steps
        Steps at which to evaluate the functions, > 0, ascending.
    widths
        Hidden units. The finite networks are differences of two copies, so that they
        start at f = 0, like the infinite-width limit.
    network, activation
        The architecture, or the activation in that of `NETWORK`. By default it is `NETWORK`.
    data
        Points x and targets y, both of shape (n,); by default `nk.data.three_points`.
    extent
        Ends of the grid. By default it extends the range of x on both sides by its length.
    n
        Number of points on the grid.
    seed
        Seed of the finite networks.
    """
    x, y, grid = on_a_line(data, extent, n)
    architecture = chosen(network, activation, one_hidden_layer, NETWORK)
    points = grid[:, None]
    theta = architecture.ntk(x)
    rate = nk.theory.max_learning_rate(theta) / 3
    full, linear = [], []
    for width in widths:
        finite = nk.finite.init(architecture, 1, seed, width=width, zero_output=True)
        trained = finite.train(
            x, y, steps=[0, *steps], learning_rate=rate, x_test=points, kernel=False
        )
        full.append(np.asarray(trained.test)[1:])
        tangent = finite.linearize().train(x, y, method="descent", learning_rate=rate)
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
            architecture.ntk(points, x), t=steps
        ),
    )


def draw(
    result: ThreeModels,
    axes: GivenAxes = None,
    figsize: FigSize = None,
    title: str | None = None,
) -> Figure:
    """Draw one row per width, and one column per model.

    Parameters
    ----------
    result
        The numbers, from `compute`.
    axes
        Axes to draw on, in reading order: three axes per width.
        By default, those of a new figure.
    figsize
        Width and height of a new figure, in inches. A height of None follows from the width.
    title
        The title; an empty one is omitted.
    """
    made = panels(
        3 * len(result.widths),
        axes,
        figsize,
        title,
        default="One training, three models, from the first step to the last",
        height=0.9 + 1.85 * len(result.widths),
        columns=3,
        sharex=True,
        sharey=True,
    )
    colours = shades(len(result.steps))
    dots = {"color": fine()["color"], "marker": "o", "linestyle": "none", "zorder": 3}
    models = [
        (title, functions)
        for width, full, linear in zip(result.widths, result.full, result.linear, strict=True)
        for title, functions in (
            (f"finite network, width {width:,}", full),
            ("the same, linearised", linear),
            ("infinite width", result.infinite),
        )
    ]
    for ax, (name, functions) in zip(made.axes, models, strict=True):
        for function, colour in zip(functions, colours, strict=True):
            ax.plot(result.grid, function, color=colour)
        ax.plot(result.x, result.y, **dots)
        ax.set(title=name, xlabel="$x$", ylabel="$f_t(x)$")
        if made.new:
            ax.label_outer()
    steps = [
        entry(f"step {step:,}", color=colour)
        for step, colour in zip(result.steps, colours, strict=True)
    ]
    made.legend([*steps, entry("targets", **dots)], columns=6)
    return made.figure
