"""Plots of images with captions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from ntkfast.plots.style import axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["images"]


def images(
    pixels: ArrayLike, captions: list[str], ax: Axes | None = None, *, columns: int | None = None
) -> Axes:
    """Draw greyscale images side by side, dark ink on light paper, with captions below.

    Parameters
    ----------
    pixels : array_like, shape (k, height, width)
        0 is paper, the largest value is ink.
    captions : list of str
        k short texts.
    ax : matplotlib.axes.Axes, optional
        The axes to draw on.
    columns : int, optional
        Images per row; by default all of them.

    Returns
    -------
    matplotlib.axes.Axes
        The axes that were drawn on, without their frame.

    Raises
    ------
    ImportError
        Matplotlib is not installed; install the extra `plots`.
    ValueError
        `pixels` are not greyscale images, or the number of captions differs.
    """
    pictures = np.asarray(pixels)
    if pictures.ndim != 3:
        raise ValueError(f"pixels has shape {pictures.shape}; expected (k, height, width)")
    if len(captions) != len(pictures):
        raise ValueError(f"captions has {len(captions)} texts; expected {len(pictures)}")
    ax = axes(ax, "plots.images")
    ax.set_axis_off()
    if len(pictures) == 0:
        return ax
    height, width = pictures.shape[1:]
    columns = min(columns or len(pictures), len(pictures))
    # In units of pixels: a gap between the columns, and space for the caption below each row.
    across, down = 1.5 * width, 1.6 * height
    for i, (picture, caption) in enumerate(zip(pictures, captions, strict=True)):
        left, top = across * (i % columns), down * (i // columns)
        ax.imshow(
            picture,
            cmap="gray_r",
            vmin=0,
            vmax=max(float(pictures.max()), np.finfo(np.float64).tiny),
            extent=(left, left + width, top + height, top),
            interpolation="nearest",
        )
        ax.text(left + width / 2, top + 1.08 * height, caption, ha="center", va="top")
    rows = -(-len(pictures) // columns)
    ax.set(xlim=(-0.25 * width, across * columns - 0.25 * width), ylim=(down * rows, 0))
    return ax
