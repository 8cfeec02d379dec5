"""Empirical kernels approach the analytic one: the error of one random network falls with width."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import ntkfast as nk
from ntkfast.plots import results
from ntkfast.plots.style import BLUE, GREEN, VERMILION, new_figure

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
    widths: Sequence[int] = (32, 100, 320, 1_000),
    n_seeds: int = 10,
    n: int = 10,
) -> KernelConvergence:
    """Compare ReLU networks with their infinite-width limits.

    Parameters
    ----------
    depths
        Numbers of hidden layers.
    widths
        Units per layer.
    n_seeds
        Number of networks of each width.
    n
        Number of points, drawn from the unit sphere in five dimensions.
    """
    x = nk.data.sphere(n, 5, seed=0)
    studies = tuple(
        nk.finite.width_study(
            nk.mlp(depth, nk.Relu(), w_std=2**0.5, b_std=0.1), x, widths=widths, seeds=n_seeds
        )
        for depth in depths
    )
    return KernelConvergence(tuple(depths), studies)


def draw(result: KernelConvergence) -> Figure:
    """Draw the errors of both kernels against width."""
    figure, panels = new_figure(
        "Empirical kernels of random ReLU networks approach the analytic ones",
        (11, 4.8),
        columns=2,
        sharey=True,
    )
    ax_ntk, ax_nngp = panels[0]
    for depth, study, colour in zip(
        result.depths, result.studies, (BLUE, GREEN, VERMILION), strict=True
    ):
        for ax, errors in ((ax_ntk, study.ntk), (ax_nngp, study.nngp)):
            layers = f"{depth} hidden layer{'s' * (depth != 1)}"
            slope = f"slope {errors.slope:.2f} ± {errors.slope_error:.2f}"
            results.scaling(errors, ax, color=colour, label=f"{layers}, {slope}")
    ax_ntk.set(title=r"Tangent kernel $\Theta$", ylabel="relative error, one network")
    ax_nngp.set(title=r"NNGP $\Sigma$", ylabel="")
    return figure
