"""Random networks are Gaussian processes: draws of increasing width, and their limit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

import ntkfast as nk
from ntkfast._arrays import FloatArray
from ntkfast.plots import results
from ntkfast.plots.figures._panels import FigSize, GivenAxes, entry, panels
from ntkfast.plots.figures._problem import chosen
from ntkfast.plots.style import colours, fine

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["NETWORK", "GaussianAtInitialization", "compute", "draw"]


def _network(activation: nk.Network) -> nk.Network:
    return nk.mlp(3, activation, w_std=2**0.5, b_std=0.3)


NETWORK = _network(nk.Relu())


@dataclass(frozen=True, eq=False, repr=False)
class GaussianAtInitialization:
    """Outputs of many random networks of several widths, and the NNGP.

    Attributes
    ----------
    grid : ndarray, shape (m,)
        Points on a line.
    widths : tuple of int
        Hidden units per layer, shape (w,).
    paths : ndarray, shape (w, s, m)
        Some of the networks as functions.
    outputs : ndarray, shape (w, d)
        Outputs of all networks at the last point of the grid.
    limit : Normal
        Infinite width, on the grid: mean 0 and the variances of the NNGP.
    kurtosis : ndarray, shape (w,)
        Excess kurtosis of the outputs, which is 0 for a Gaussian.
    """

    grid: FloatArray
    widths: tuple[int, ...]
    paths: FloatArray
    outputs: FloatArray
    limit: nk.Normal
    kurtosis: FloatArray


def compute(
    widths: Sequence[int] = (2, 10, 100),
    *,
    network: nk.Network | None = None,
    activation: nk.Network | None = None,
    extent: tuple[float, float] = (-2, 2),
    n: int = 81,
    n_draws: int = 3_000,
    n_paths: int = 12,
    seed: int = 0,
) -> GaussianAtInitialization:
    """Draw networks of one architecture, by default with three hidden ReLU layers.

    Parameters
    ----------
    widths
        Hidden units per layer.
    network, activation
        The architecture, or the activation in that of `NETWORK`. By default it is `NETWORK`.
    extent
        Ends of the line.
    n
        Number of points on the line.
    n_draws, n_paths
        Number of networks of each width, and number of those to evaluate along the whole line.
    seed
        Seed of the networks.
    """
    rng = np.random.default_rng(seed)
    grid = np.linspace(*extent, n)
    architecture = chosen(network, activation, _network, NETWORK)
    points = grid[:, None]
    paths = np.empty((len(widths), n_paths, n))
    outputs = np.empty((len(widths), n_draws))
    for i, width in enumerate(widths):
        for draw_ in range(n_draws):
            finite = nk.finite.init(architecture, 1, rng, width=width)
            if draw_ < n_paths:
                paths[i, draw_] = finite.forward(points)
            outputs[i, draw_] = finite.forward(points[-1:])[0]
    standardised = outputs / np.sqrt(np.square(outputs).mean(axis=1, keepdims=True))
    variance = architecture.nngp(points, diagonal=True)
    return GaussianAtInitialization(
        grid=grid,
        widths=tuple(widths),
        paths=paths,
        outputs=outputs,
        limit=nk.Normal(np.zeros(n), variance, "networks of infinite width"),
        kurtosis=(standardised**4).mean(axis=1) - 3,
    )


def draw(
    result: GaussianAtInitialization,
    axes: GivenAxes = None,
    figsize: FigSize = None,
    title: str | None = None,
) -> Figure:
    """Draw sample paths, and below them the histogram of the outputs at one point.

    Parameters
    ----------
    result
        The numbers, from `compute`.
    axes
        Axes to draw on, in reading order: two rows of axes, with one column for each width.
        By default, those of a new figure.
    figsize
        Width and height of a new figure, in inches. A height of None follows from the width.
    title
        The title; an empty one is omitted.
    """
    from matplotlib.patches import Patch

    columns = len(result.widths)
    made = panels(
        2 * columns,
        axes,
        figsize,
        title,
        default="A wide network at initialisation is a Gaussian process",
        height=4.7,
        columns=columns,
    )
    std = float(result.limit.std[-1])
    values = np.linspace(-4 * std, 4 * std, 201)
    bins = np.linspace(-4 * std, 4 * std, 61)
    # A share of all networks, also of those outside.
    weight = 1 / (result.outputs.shape[1] * (bins[1] - bins[0]))
    density = np.exp(-0.5 * np.square(values / std)) / (std * np.sqrt(2 * np.pi))
    first, second, third = colours(3)
    limit, path = {"color": fine()["color"], "linestyle": "--"}, {"color": first, "alpha": 0.7}
    bars, curve = {"color": third, "alpha": 0.6}, {"color": second}
    for i, width in enumerate(result.widths):
        above, below = made.axes[i], made.axes[columns + i]
        results.band(result.limit, result.grid, above, **limit, label="NNGP: mean")
        above.plot(result.grid, result.paths[i].T, **path, linewidth=fine()["linewidth"])
        above.set(title=f"width {width:,}", ylabel="")
        below.hist(
            result.outputs[i],
            bins.tolist(),
            weights=np.full(result.outputs.shape[1], weight),
            **bars,
        )
        below.plot(values, density, **curve)
        below.set(
            title=f"excess kurtosis {result.kurtosis[i]:.2f}", xlabel=f"$f({result.grid[-1]:g})$"
        )
    for row, label in ((made.axes[:columns], "$f(x)$"), (made.axes[columns:], "density")):
        row[0].set(ylabel=label)
        limits = np.array([ax.get_ylim() for ax in row])
        for ax in row:  # on one scale, wherever they are
            ax.set(ylim=(limits.min(), limits.max()))
    mean, band = made.axes[0].get_legend_handles_labels()[0]
    band.set_label("NNGP: ± 1 std")
    made.legend(
        [
            mean,
            band,
            entry("random networks", **path),
            Patch(label=f"histogram of {result.outputs.shape[1]:,} networks", **bars),
            entry("density of the NNGP", **curve),
        ],
        columns=3,
    )
    return made.figure
