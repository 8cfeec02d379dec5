"""Plots of results of `nk.theory`, each on one `Axes`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ntkfast.plots._arguments import check_result
from ntkfast.plots.style import axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from ntkfast.theory import EdgeOfChaos

__all__ = ["edge_of_chaos"]

_PHASES = (("ordered", 0.04, "left"), ("chaotic", 0.96, "right"))


def edge_of_chaos(edge: EdgeOfChaos, ax: Axes | None = None, **line: Any) -> Axes:
    """Draw the edge of chaos over σ_w and σ_b: a curve between two phases, or a point.

    Parameters
    ----------
    edge : EdgeOfChaos
        The result of `nk.theory.edge_of_chaos`, with σ_b in ascending order.
    ax : matplotlib.axes.Axes, optional
        The axes to draw on. The edges of several activations may share them.
    **line
        Keywords of ``Axes.plot``. ``label`` is the activation by default.

    Returns
    -------
    matplotlib.axes.Axes
        The axes that were drawn on.

    Raises
    ------
    ImportError
        Matplotlib is not installed; install the extra `plots`.
    """
    check_result(edge, "edge", "w_std", "the result of nk.theory.edge_of_chaos")
    ax = axes(ax, "plots.edge_of_chaos")
    point = {"marker": "o"} if len(edge.w_std) == 1 else {}
    ax.plot(edge.w_std, edge.b_std, **{"label": repr(edge.activation), **point, **line})
    ax.set(xlabel=r"$\sigma_w$", ylabel=r"$\sigma_b$")
    ax.margins(x=0.35)
    if not any(text.get_text() == "ordered" for text in ax.texts):
        for name, x, side in _PHASES:
            ax.text(x, 0.5, name, ha=side, va="center", transform=ax.transAxes)
    return ax
