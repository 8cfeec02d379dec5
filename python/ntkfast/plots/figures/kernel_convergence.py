"""Empirical kernels approach the analytic one: the error of one random network falls with width."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from numpy.typing import ArrayLike

import ntkfast as nk
from ntkfast.plots import results
from ntkfast.plots.figures._panels import FigSize, GivenAxes, entry, legend_under, panels
from ntkfast.plots.style import LINES, MARKERS, colours

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["KernelConvergence", "compute", "draw"]


@dataclass(frozen=True, eq=False, repr=False)
class KernelConvergence:
    """Errors of empirical kernels at several widths, by depth.

    Attributes
    ----------
    depths : tuple of int
        Numbers of hidden layers.
    studies : tuple of WidthStudy
        Errors of both kernels for each width and seed, and their power laws, for each depth.
    """

    depths: tuple[int, ...]
    studies: tuple[nk.finite.WidthStudy, ...]


def compute(
    depths: Sequence[int] = (1, 3, 6),
    *,
    activation: nk.Network = nk.Relu(),  # noqa: B008  (frozen)
    w_std: float = 2**0.5,
    b_std: float = 0.1,
    x: ArrayLike | None = None,
    widths: Sequence[int] = (32, 100, 320, 1_000),
    n_seeds: int = 10,
    n: int = 10,
) -> KernelConvergence:
    """Compare fully connected networks with their infinite-width limits.

    Parameters
    ----------
    depths
        Numbers of hidden layers.
    activation, w_std, b_std
        As for `nk.mlp`.
    x : array_like, shape (n, d)
        Points; by default `n` points on the unit sphere in five dimensions.
    widths
        Units per layer.
    n_seeds
        Number of networks of each width.
    n
        Number of points on the sphere.
    """
    points = nk.data.sphere(n, 5, seed=0) if x is None else x
    studies = tuple(
        nk.finite.width_study(
            nk.mlp(depth, activation, w_std=w_std, b_std=b_std),
            points,
            widths=widths,
            seeds=n_seeds,
        )
        for depth in depths
    )
    return KernelConvergence(tuple(depths), studies)


def draw(
    result: KernelConvergence,
    axes: GivenAxes = None,
    figsize: FigSize = None,
    title: str | None = None,
) -> Figure:
    """Draw the errors of both kernels against width.

    Parameters
    ----------
    result
        The numbers, from `compute`.
    axes
        Axes to draw on, in reading order: two axes.
        By default, those of a new figure.
    figsize
        Width and height of a new figure, in inches. A height of None follows from the width.
    title
        The title; an empty one is omitted.
    """
    made = panels(
        2,
        axes,
        figsize,
        title,
        default="Empirical kernels of random networks approach the analytic ones",
        height=3.5,
        columns=2,
        sharey=True,
    )
    names = (r"Tangent kernel $\Theta$", r"NNGP $\Sigma$")
    for ax, name, kernel in zip(made.axes, names, ("ntk", "nngp"), strict=True):
        entries = []
        for i, (depth, study, colour) in enumerate(
            zip(result.depths, result.studies, colours(len(result.depths)), strict=True)
        ):
            errors = getattr(study, kernel)
            style = {"linestyle": LINES[i % len(LINES)], "marker": MARKERS[i % len(MARKERS)]}
            results.scaling(errors, ax, color=colour, **style)
            layers = f"{depth} hidden layer{'s' * (depth != 1)}"
            entries.append(entry(f"{layers}, {results.slope_label(errors)}", color=colour, **style))
        ax.set(title=name, ylabel="")
        legend_under(ax, entries)
    made.axes[0].set(ylabel="relative error, one network")
    return made.figure
