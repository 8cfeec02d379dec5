"""The kernel as a landscape: the effect of a training step at x on the output at x'."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

import ntkfast as nk
from ntkfast._arrays import FloatArray
from ntkfast.plots.figures._panels import FigSize, GivenAxes, entry, panels
from ntkfast.plots.figures._problem import chosen
from ntkfast.plots.style import colours, dots, fine, outlined

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["NETWORK", "KernelMap", "compute", "draw"]


def _network(activation: nk.Network) -> nk.Network:
    return nk.Serial(nk.Dense(w_std=math.sqrt(2)), activation, nk.Dense())


NETWORK = _network(nk.Relu())


@dataclass(frozen=True, eq=False, repr=False)
class KernelMap:
    """The kernel between a few points x and a square of points x'.

    Attributes
    ----------
    points : ndarray, shape (k, 2)
        The points x.
    axis : ndarray, shape (m,)
        Coordinates of x', along both axes.
    values : ndarray, shape (k, m, m)
        Θ(x, x'): entry [i, r, c] belongs to point i and to x' = (axis[c], axis[r]).
    """

    points: FloatArray
    axis: FloatArray
    values: FloatArray


def compute(
    points: Sequence[tuple[float, float]] = ((0, 1), (1, 1), (3, 1)),
    *,
    network: nk.Network | None = None,
    activation: nk.Network | None = None,
    extent: float = 4.0,
    n: int = 201,
) -> KernelMap:
    """Compute the NTK of a network, by default one hidden ReLU layer without bias, over a square.

    Parameters
    ----------
    points
        The points x.
    network, activation
        The network, or the activation in that of `NETWORK`. By default it is `NETWORK`.
    extent
        The square is [−extent, extent]².
    n
        Number of points along each side.
    """
    x = np.array(points, dtype=np.float64)
    axis = np.linspace(-extent, extent, n)
    square = np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2)
    kernel = chosen(network, activation, _network, NETWORK).ntk
    return KernelMap(x, axis, kernel(x, square).reshape(len(x), n, n))


def draw(
    result: KernelMap,
    axes: GivenAxes = None,
    figsize: FigSize = None,
    title: str | None = None,
) -> Figure:
    """Draw one map for each point x, with the unit circle and the line of 1-D inputs.

    Parameters
    ----------
    result
        The numbers, from `compute`.
    axes
        Axes to draw on, in reading order: one axes for each point.
        By default, those of a new figure.
    figsize
        Width and height of a new figure, in inches. A height of None follows from the width.
    title
        The title; an empty one is omitted.
    """
    made = panels(
        len(result.points),
        axes,
        figsize,
        title,
        default=r"The tangent kernel $\Theta(x, x')$ of points in the plane",
        height=3.7,
        columns=min(3, len(result.points)),
        layout="compressed",
        sharey=True,
    )
    circle, inputs = outlined("-"), outlined("--")
    thin: dict[str, Any] = {"colors": "white", "linewidths": 0.5 * fine()["linewidth"]}
    dot = dots(colours(2)[1])
    axis, angle = result.axis, np.linspace(0, 2 * np.pi, 200)
    for ax, point, values in zip(made.axes, result.points, result.values, strict=True):
        ax.grid(False)
        image = ax.pcolormesh(axis, axis, values, shading="gouraud")
        image.set_rasterized(True)
        ax.figure.colorbar(image, ax=ax, orientation="horizontal", label=r"$\Theta(x, x')$")
        ax.contour(axis, axis, values, levels=8, alpha=0.6, **thin)
        ax.plot(np.cos(angle), np.sin(angle), **circle)
        ax.axhline(1, **inputs)
        ax.plot(*point, **dot)
        ax.set(
            title=f"$x = ({point[0]:g}, {point[1]:g})$",
            xlabel="$x'_1$",
            aspect="equal",
            xlim=(axis[0], axis[-1]),
            ylim=(axis[0], axis[-1]),
        )
    made.axes[0].set(ylabel="$x'_2$")
    made.legend(
        [
            entry("the point $x$", **dot),
            entry("unit circle", **circle),
            entry("one-dimensional inputs, $(x', 1)$", **inputs),
        ],
        columns=3,
    )
    return made.figure
