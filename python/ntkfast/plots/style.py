"""The style of plots: Matplotlib's settings, which belong to the reader, and our own for papers."""

from __future__ import annotations

from itertools import cycle, islice
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ntkfast._optional import MissingExtraError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = [
    "BLUE",
    "GREEN",
    "LINES",
    "MARKERS",
    "ORANGE",
    "PAPER",
    "SKY",
    "VERMILION",
    "axes",
    "colours",
    "dots",
    "fine",
    "outlined",
    "shades",
]

BLUE, ORANGE, GREEN, VERMILION = "#0072b2", "#e69f00", "#009e73", "#d55e00"
SKY = "#56b4e9"

PAPER: dict[Any, Any] = {
    "font.size": 8.0,
    "axes.titlesize": "medium",
    "axes.labelsize": "medium",
    "xtick.labelsize": "medium",
    "ytick.labelsize": "medium",
    "legend.fontsize": "medium",
    "figure.titlesize": "large",
    # Okabe and Ito (2008).
    "axes.prop_cycle": f"cycler('color', {[BLUE, VERMILION, GREEN, ORANGE, SKY, '#cc79a7']})",
    "axes.grid": True,
    "grid.alpha": 0.25,
    "lines.linewidth": 1.2,
    "lines.markersize": 4.0,
    "savefig.bbox": "standard",  # as wide as asked for
    "pdf.fonttype": 42,  # publishers ask for TrueType fonts
    "ps.fonttype": 42,
}
"""Settings of Matplotlib for a figure of 6.75 inches with text of 8 points, for ``rc_context``."""

LINES = ("-", "--", "-.", ":")
MARKERS = "os^D"
"""Lines and markers that differ without colours."""


def axes(ax: Axes | None, caller: str) -> Axes:
    """Return `ax`, or the current axes of pyplot."""
    if ax is not None:
        return ax
    try:
        from matplotlib import pyplot
    except ImportError as error:
        raise MissingExtraError(caller, "Matplotlib", "plots") from error
    return pyplot.gca()


def colours(k: int) -> list[Any]:
    """Return the first k colours of the current style."""
    from matplotlib import rcParams

    known = rcParams["axes.prop_cycle"].by_key().get("color") or [rcParams["text.color"]]
    return list(islice(cycle(known), k))


def shades(k: int) -> NDArray[np.float64]:
    """Return k colours in the order of the current colour map, shape (k, 4)."""
    from matplotlib import colormaps, rcParams

    # Yellow, the last colour of the default map, is hard to see on white.
    return np.asarray(colormaps[rcParams["image.cmap"]](np.linspace(0, 0.87, k)))


def dots(colour: Any) -> dict[str, Any]:
    """Return the keywords of points with a white border, visible on curves, bands and maps."""
    from matplotlib import rcParams

    return {
        "color": colour,
        "markeredgecolor": "white",
        "marker": "o",
        "markersize": 1.3 * rcParams["lines.markersize"],
        "linestyle": "none",
    }


def fine(linestyle: str = ":") -> dict[str, Any]:
    """Return the keywords of auxiliary lines: thinner than curves, in the colour of the axes."""
    from matplotlib import rcParams

    return {
        "color": rcParams["axes.edgecolor"],
        "linewidth": 0.65 * rcParams["lines.linewidth"],
        "linestyle": linestyle,
    }


def outlined(linestyle: str) -> dict[str, Any]:
    """Return the keywords of white lines with dark borders, visible on maps and on paper."""
    from matplotlib import rcParams
    from matplotlib.patheffects import withStroke

    border = withStroke(linewidth=2.4 * rcParams["lines.linewidth"], foreground="0.2")
    return {"color": "white", "linestyle": linestyle, "path_effects": [border]}
