"""The kernel as a landscape: the effect of a training step at x on the output at x*."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

import ntkfast as nk
from ntkfast._arrays import FloatArray
from ntkfast.plots.style import VERMILION, new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["NETWORK", "KernelMap", "compute", "draw"]

NETWORK = nk.Serial(nk.Dense(w_std=math.sqrt(2)), nk.Relu(), nk.Dense())


@dataclass(frozen=True, eq=False, repr=False)
class KernelMap:
    """The kernel between a few points x and a square of points x*.

    Attributes
    ----------
    points : ndarray, shape (k, 2)
        The points x.
    axis : ndarray, shape (m,)
        Coordinates of x*, along both axes.
    values : ndarray, shape (k, m, m)
        Θ(x, x*): entry [i, r, c] belongs to point i and to x* = (axis[c], axis[r]).
    """

    points: FloatArray
    axis: FloatArray
    values: FloatArray


def compute(
    points: Sequence[tuple[float, float]] = ((0, 1), (1, 1), (3, 1)),
    *,
    extent: float = 4.0,
    n: int = 201,
) -> KernelMap:
    """Compute the NTK of `NETWORK`, one hidden ReLU layer without bias, over a square.

    Parameters
    ----------
    points
        The points x.
    extent
        The square is [−extent, extent]².
    n
        Number of points along each side.
    """
    x = np.array(points, dtype=np.float64)
    axis = np.linspace(-extent, extent, n)
    square = np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2)
    return KernelMap(x, axis, NETWORK.ntk(x, square).reshape(len(x), n, n))


def draw(result: KernelMap) -> Figure:
    """Draw one map for each point x, with the unit circle and the line of 1-D inputs."""
    figure, panels = new_figure(
        r"The tangent kernel $\Theta(x, x^*)$ of one hidden ReLU layer",
        (12, 4.5),
        columns=len(result.points),
        sharey=True,
    )
    axis, angle = result.axis, np.linspace(0, 2 * np.pi, 200)
    for ax, point, values in zip(panels[0], result.points, result.values, strict=True):
        ax.grid(False)
        image = ax.pcolormesh(axis, axis, values, cmap="cividis", shading="gouraud")
        image.set_rasterized(True)
        figure.colorbar(image, ax=ax, orientation="horizontal", label=r"$\Theta(x, x^*)$")
        lines = ax.contour(axis, axis, values, levels=8, colors="white", linewidths=0.5, alpha=0.6)
        ax.clabel(lines, fontsize=7, fmt="%g")
        ax.plot(np.cos(angle), np.sin(angle), color="white", lw=1.5, label="unit circle")
        ax.axhline(1, color="white", lw=1.5, ls="--", label="1-D inputs, $(x^*, 1)$")
        ax.plot(*point, "o", ms=9, mfc=VERMILION, mec="white", label="$x$")
        ax.set(
            title=f"$x = ({point[0]:g}, {point[1]:g})$",
            xlabel="$x^*_1$",
            aspect="equal",
            xlim=(axis[0], axis[-1]),
            ylim=(axis[0], axis[-1]),
        )
    panels[0, 0].set(ylabel="$x^*_2$")
    panels[0, 0].legend(
        loc="lower left", fontsize=8, facecolor="#31456b", labelcolor="white", framealpha=0.9
    )
    return figure
