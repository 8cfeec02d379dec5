"""Training dynamics: a network of 15,000 units learns three points, in closed form."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

import ntkfast as nk
from ntkfast._arrays import FloatArray
from ntkfast.plots import results
from ntkfast.plots.style import BLUE, GREEN, VERMILION, new_figure, shades

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["NETWORK", "TrainingDynamics", "compute", "draw"]

# With its bias, it equals a layer without bias on the three points with an appended 1.
NETWORK = nk.Serial(nk.Dense(b_std=1), nk.Relu(), nk.Dense(b_std=1))


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
    moments : tuple of float
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
    moments: tuple[float, ...]
    functions: FloatArray


def compute(
    width: int = 15_000,
    *,
    seed: int = 0,
    moments: Sequence[float] = (0, 0.1, 0.5, 2, 20, math.inf),
    n: int = 201,
) -> TrainingDynamics:
    """Train `NETWORK` on the three points along its initial empirical kernel.

    Parameters
    ----------
    width
        Hidden units.
    seed
        Seed of the network.
    moments
        Times at which to show the function.
    n
        Number of points on the grid.
    """
    x, y = nk.data.three_points()
    x = x[:, :1]
    network = nk.finite.init(NETWORK, 1, seed, width=width)
    f0 = network.forward(x)
    flow = nk.GradientFlow(network.ntk(x), y)
    t = np.geomspace(1e-2, 5 / flow.spectrum.eigenvalues[0], 121)
    grid = np.linspace(-0.5, 1.5, n)
    points = grid[:, None]
    loss = flow.loss(f0, t=t)
    return TrainingDynamics(
        network=network,
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
        moments=tuple(moments),
        functions=flow.predict(network.ntk(points, x), f0, network.forward(points), t=moments),
    )


def draw(result: TrainingDynamics) -> Figure:
    """Draw the function over x and, against time, its values, the residuals and the loss."""
    network = result.network
    units = network.groups["layer 3 (Dense) weights"]
    figure, panels = new_figure(
        f"Training dynamics of a ReLU network: {units.stop - units.start:,} hidden units, "
        f"{network.n_parameters:,} parameters, three points",
        (11, 7.5),
        rows=2,
        columns=2,
    )
    ((ax_function, ax_values), (ax_residuals, ax_loss)) = panels
    for t, function, colour in zip(
        result.moments, result.functions, shades(len(result.moments)), strict=True
    ):
        name = r"$t = \infty$" if math.isinf(t) else f"$t = {t:g}$"
        ax_function.plot(result.grid, function, color=colour, label=name)
    ax_function.plot(result.x, result.y, "o", color=VERMILION, label="targets", zorder=3)
    ax_function.set(title="The function", xlabel="$x$", ylabel="$f_t(x)$")
    ax_function.legend(fontsize=9)

    for x, y, values, residual, colour, dashes in zip(
        result.x,
        result.y,
        result.train.T,
        result.residual.T,
        (BLUE, VERMILION, GREEN),
        ("-", "--", "-."),
        strict=True,
    ):
        name = f"$x = {x:g}$"
        ax_values.semilogx(result.t, values, dashes, color=colour, label=name)
        ax_values.axhline(y, color=colour, lw=0.8, ls=":")
        ax_residuals.semilogx(result.t, residual, dashes, color=colour, label=name)
    ax_values.set(
        title="At the training points (dotted: targets)",
        xlabel=r"training time $t$  (units of $1/\eta$)",
        ylabel="$f_t(x_i)$",
    )
    ax_residuals.axhline(0, color="black", lw=0.8, ls=":")
    ax_residuals.set(
        title="Residuals",
        xlabel=r"training time $t$  (units of $1/\eta$)",
        ylabel="residual $y_i - f_t(x_i)$",
    )
    for ax in (ax_values, ax_residuals):
        ax.legend(fontsize=9)

    results.loss(result.flow, ax_loss, t=result.t, f0=result.f0, label=r"$L_t$")
    ax_loss.loglog(
        result.t,
        result.bound,
        color="black",
        ls="--",
        lw=1,
        label=r"bound $e^{-2\eta\lambda_{\min}t}\,L_0$",
    )
    for value in result.flow.spectrum.eigenvalues:
        ax_loss.axvline(1 / value, color="grey", lw=0.8, ls=":")
    ax_loss.set(
        title=r"Loss (dotted: times $1/\lambda_i$)",
        xlabel=r"training time $t$  (units of $1/\eta$)",
        ylabel=r"$L_t = \frac{1}{2}\|f_t - y\|^2$",
    )
    ax_loss.legend(fontsize=9)
    return figure
