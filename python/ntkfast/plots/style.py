"""The common style of all plots: colours and axes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ntkfast._optional import MissingExtraError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["BLUE", "GREEN", "ORANGE", "SKY", "VERMILION", "axes", "new_figure", "shades"]

BLUE, ORANGE, GREEN, VERMILION = "#0072b2", "#e69f00", "#009e73", "#d55e00"
SKY = "#56b4e9"


def axes(ax: Axes | None, caller: str) -> Axes:
    """Return `ax`, or the current axes of pyplot."""
    if ax is not None:
        return ax
    try:
        from matplotlib import pyplot
    except ImportError as error:
        raise MissingExtraError(caller, "Matplotlib", "plots") from error
    return pyplot.gca()


def new_figure(
    title: str, size: tuple[float, float], rows: int = 1, columns: int = 1, **layout: Any
) -> tuple[Figure, NDArray[Any]]:
    """Make a figure without a window system, with axes of shape (rows, columns)."""
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingExtraError("a figure", "Matplotlib", "plots") from error
    figure = Figure(figsize=size, dpi=100, layout="constrained")
    figure.suptitle(title)
    panels = figure.subplots(rows, columns, squeeze=False, **layout)
    for ax in panels.flat:
        ax.grid(alpha=0.25)
    return figure, panels


def shades(k: int) -> NDArray[np.float64]:
    """Return k colours in a perceptual order, dark to light, shape (k, 4)."""
    from matplotlib import colormaps

    # Yellow, the end of the scale, is hard to see on white.
    return np.asarray(colormaps["viridis"](np.linspace(0, 0.87, k)))
