"""Random networks are Gaussian processes: draws of increasing width, and their limit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

import ntkfast as nk
from ntkfast._arrays import FloatArray
from ntkfast.plots import results
from ntkfast.plots.style import BLUE, GREEN, VERMILION, new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["NETWORK", "GaussianAtInitialization", "compute", "draw"]

NETWORK = nk.mlp(3, nk.Relu(), w_std=2**0.5, b_std=0.3)


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
    n_draws: int = 3_000,
    n_paths: int = 12,
    seed: int = 0,
    n: int = 81,
) -> GaussianAtInitialization:
    """Draw networks of the architecture `NETWORK`, three hidden ReLU layers.

    Parameters
    ----------
    widths
        Hidden units per layer.
    n_draws, n_paths
        Number of networks of each width, and number of those to evaluate along the whole line.
    seed
        Seed of the networks.
    n
        Number of points on the line.
    """
    rng = np.random.default_rng(seed)
    grid = np.linspace(-2, 2, n)
    points = grid[:, None]
    paths = np.empty((len(widths), n_paths, n))
    outputs = np.empty((len(widths), n_draws))
    for i, width in enumerate(widths):
        for draw_ in range(n_draws):
            network = nk.finite.init(NETWORK, 1, rng, width=width)
            if draw_ < n_paths:
                paths[i, draw_] = network.forward(points)
            outputs[i, draw_] = network.forward(points[-1:])[0]
    standardised = outputs / np.sqrt(np.square(outputs).mean(axis=1, keepdims=True))
    variance = NETWORK.nngp(points, diagonal=True)
    return GaussianAtInitialization(
        grid=grid,
        widths=tuple(widths),
        paths=paths,
        outputs=outputs,
        limit=nk.Normal(np.zeros(n), variance, "networks of infinite width"),
        kurtosis=(standardised**4).mean(axis=1) - 3,
    )


def draw(result: GaussianAtInitialization) -> Figure:
    """Draw sample paths, and below them the histogram of the outputs at one point."""
    columns = len(result.widths)
    figure, panels = new_figure(
        "A wide network at initialisation is a Gaussian process (three hidden ReLU layers)",
        (12, 7),
        rows=2,
        columns=columns,
        sharey="row",
    )
    std = float(result.limit.std[-1])
    values = np.linspace(-4 * std, 4 * std, 201)
    density = np.exp(-0.5 * np.square(values / std)) / (std * np.sqrt(2 * np.pi))
    for i, width in enumerate(result.widths):
        above, below = panels[:, i]
        results.band(
            result.limit, result.grid, above, color="black", ls="--", label="NNGP: mean ± 1 std"
        )
        above.plot(result.grid, result.paths[i].T, color=BLUE, lw=0.9, alpha=0.7)
        above.plot([], [], color=BLUE, label="random networks")
        above.set(title=f"width {width:,}", ylim=(-3.5 * std, 3.5 * std), ylabel="")
        below.hist(
            result.outputs[i],
            bins=np.linspace(-4 * std, 4 * std, 61),
            density=True,
            color=GREEN,
            alpha=0.6,
            label=f"{result.outputs.shape[1]:,} networks",
        )
        below.plot(values, density, color=VERMILION, lw=2, label="NNGP")
        below.set(
            title=f"excess kurtosis {result.kurtosis[i]:.2f}",
            xlabel=f"$f({result.grid[-1]:g})$",
        )
    panels[0, 0].set(ylabel="$f(x)$")
    panels[1, 0].set(ylabel="density")
    panels[0, -1].legend(fontsize=9, loc="lower left")
    panels[1, -1].legend(fontsize=9)
    return figure
