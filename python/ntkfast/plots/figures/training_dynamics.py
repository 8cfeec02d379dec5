"""Training dynamics: a network of 15,000 units learns three points, in closed form."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import ntkfast as nk
from ntkfast._arrays import FloatArray
from ntkfast.plots import results
from ntkfast.plots.figures._panels import FigSize, GivenAxes, legend_beside, panels
from ntkfast.plots.figures._problem import (
    Data,
    Extent,
    chosen,
    decay_times,
    on_a_line,
    one_hidden_layer,
)
from ntkfast.plots.style import LINES, colours, fine, shades

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["NETWORK", "TrainingDynamics", "compute", "draw"]

# With its bias, it equals a layer without bias on the three points with an appended 1.
NETWORK = one_hidden_layer(nk.Relu())


@dataclass(frozen=True, eq=False, repr=False)
class TrainingDynamics:
    """Gradient flow on the empirical tangent kernel of one finite network.

    Attributes
    ----------
    network : FiniteNetwork
        The initial network.
    x, y : ndarray, shape (n,)
        Training points on a line, and their targets.
    flow : GradientFlow
        The training, from the empirical kernel.
    f0 : ndarray, shape (n,)
        The initial outputs on the training points.
    t : ndarray, shape (k,)
        Training times.
    train, residual : ndarray, shape (k, n)
        f_t on the training points, and the residual y − f_t.
    loss, bound : ndarray, shape (k,)
        ½‖f_t − y‖², and the bound from the smallest eigenvalue.
    grid : ndarray, shape (m,)
        Points at which the function is evaluated.
    times : tuple of float
        A few times, shape (q,).
    functions : ndarray, shape (q, m)
        f_t on the grid at these times.
    """

    network: nk.finite.FiniteNetwork
    x: FloatArray
    y: FloatArray
    flow: nk.GradientFlow
    f0: FloatArray
    t: FloatArray
    train: FloatArray
    residual: FloatArray
    loss: FloatArray
    bound: FloatArray
    grid: FloatArray
    times: tuple[float, ...]
    functions: FloatArray


def compute(
    width: int = 15_000,
    *,
    network: nk.Network | None = None,
    activation: nk.Network | None = None,
    data: Data = None,
    times: Sequence[float] = (0, 0.1, 0.5, 2, 20, math.inf),
    extent: Extent = None,
    n: int = 201,
    seed: int = 0,
) -> TrainingDynamics:
    """Train a finite network on points on a line along its initial empirical kernel.

    Parameters
    ----------
    width
        Hidden units.
    network, activation
        The architecture, or the activation in that of `NETWORK`. By default it is `NETWORK`.
    data
        Points x and targets y, both of shape (n,); by default `nk.data.three_points`.
    times
        Times at which to show the function.
    extent
        Ends of the grid. By default it extends the range of x on both sides by its length.
    n
        Number of points on the grid.
    seed
        Seed of the network.
    """
    x, y, grid = on_a_line(data, extent, n)
    architecture = chosen(network, activation, one_hidden_layer, NETWORK)
    finite = nk.finite.init(architecture, 1, seed, width=width)
    f0 = finite.forward(x)
    flow = nk.GradientFlow(finite.ntk(x), y)
    t = decay_times(flow.spectrum, 121)
    points = grid[:, None]
    loss = flow.loss(f0, t=t)
    return TrainingDynamics(
        network=finite,
        x=x[:, 0],
        y=y,
        flow=flow,
        f0=f0,
        t=t,
        train=flow.predict_train(f0, t=t),
        residual=flow.residual(f0, t=t),
        loss=loss,
        bound=nk.theory.loss_bound(flow.spectrum, float(flow.loss(f0, t=0.0)), t=t),
        grid=grid,
        times=tuple(times),
        functions=flow.predict(finite.ntk(points, x), f0, finite.forward(points), t=times),
    )


def draw(
    result: TrainingDynamics,
    axes: GivenAxes = None,
    figsize: FigSize = None,
    title: str | None = None,
) -> Figure:
    """Draw the function over x and, against time, its values, the residuals and the loss.

    Parameters
    ----------
    result
        The numbers, from `compute`.
    axes
        Axes to draw on, in reading order: four axes.
        By default, those of a new figure.
    figsize
        Width and height of a new figure, in inches. A height of None follows from the width.
    title
        The title; an empty one is omitted.
    """
    network, points = result.network, len(result.x)
    made = panels(
        4,
        axes,
        figsize,
        title,
        default=f"Gradient flow of a network of {network.n_parameters:,} parameters, "
        f"{points} points",
        height=4.9,
        columns=2,
    )
    ax_function, ax_values, ax_residuals, ax_loss = made.axes
    for t, function, colour in zip(
        result.times, result.functions, shades(len(result.times)), strict=True
    ):
        name = r"$t = \infty$" if math.isinf(t) else f"$t = {t:g}$"
        ax_function.plot(result.grid, function, color=colour, label=name)
    dots = {"color": fine()["color"], "marker": "o", "linestyle": "none", "zorder": 3}
    ax_function.plot(result.x, result.y, label="targets", **dots)
    ax_function.set(title="The function", xlabel="$x$", ylabel="$f_t(x)$")

    for i, colour in enumerate(colours(points)):
        line = {
            "color": colour,
            "linestyle": LINES[i % len(LINES)],
            "label": f"$x = {result.x[i]:g}$",
        }
        ax_values.semilogx(result.t, result.train[:, i], **line)
        ax_values.axhline(result.y[i], **{**fine(), "color": colour})
        ax_residuals.semilogx(result.t, result.residual[:, i], **line)
    ax_residuals.axhline(0, **fine())
    time = r"training time $t$  (units of $1/\eta$)"
    ax_values.set(
        title="At the training points\n(dotted: targets)", xlabel=time, ylabel="$f_t(x_i)$"
    )
    ax_residuals.set(title="Residuals", xlabel=time, ylabel="$y_i - f_t(x_i)$")

    results.loss(result.flow, ax_loss, t=result.t, f0=result.f0, label="$L_t$")
    bound = r"$e^{-2\eta\lambda_{\min}t}\,L_0$"
    ax_loss.loglog(result.t, result.bound, label=bound, **fine("--"))
    for value in result.flow.spectrum.eigenvalues:
        if result.t[0] < 1 / abs(value) < result.t[-1]:
            ax_loss.axvline(1 / value, **fine())
    ax_loss.set(
        title=r"Loss (dotted: times $1/\lambda_i$)",
        xlabel=time,
        ylabel=r"$L_t = \frac{1}{2}\|f_t - y\|^2$",
    )
    # With many points, the colours repeat, and the entries would not fit.
    for ax in made.axes if points <= 8 else (ax_function, ax_loss):
        legend_beside(ax)
    return made.figure
