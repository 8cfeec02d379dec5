"""Pictures of results: every function draws on one Matplotlib `Axes` and returns it.

Without `ax` a function draws on the current axes of pyplot. Colours are those of Okabe and Ito
(2008), which stay apart for colour-blind readers and in grey. Styling goes through Matplotlib's
own keywords, or through the `Axes` that comes back.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from ntkfast._optional import MissingExtraError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from ntkfast.dynamics.spectral import SpectralTraining
    from ntkfast.spectrum import Spectrum

__all__ = ["BLUE", "GREEN", "ORANGE", "VERMILION", "accuracy", "eigenvalues", "images", "loss"]

BLUE, ORANGE, GREEN, VERMILION = "#0072b2", "#e69f00", "#009e73", "#d55e00"


def loss(training: SpectralTraining, t: ArrayLike, ax: Axes | None = None, **line: Any) -> Axes:
    """Draw the training loss against training time, both on logarithmic axes.

    Parameters
    ----------
    training : GradientFlow
        The training in closed form, by any rule.
    t : array_like, shape (k,)
        Positive, finite times.
    ax : matplotlib.axes.Axes, optional
        Where to draw.
    **line
        Keywords of ``Axes.plot``.

    Returns
    -------
    matplotlib.axes.Axes
        What was drawn on.

    Raises
    ------
    ImportError
        Matplotlib is not installed; the extra `plots` brings it.
    """
    ax = _axes(ax, "plots.loss")
    ax.loglog(t, training.loss(np.asarray(t)), **{"color": BLUE, **line})
    ax.set(xlabel="training time $t$", ylabel="training loss")
    return ax


def accuracy(t: ArrayLike, share: ArrayLike, ax: Axes | None = None, **line: Any) -> Axes:
    """Draw the share of correct answers, in percent, against training time.

    Parameters
    ----------
    t : array_like, shape (k,)
        Positive, finite times.
    share : array_like, shape (k,)
        Numbers from 0 to 1.
    ax : matplotlib.axes.Axes, optional
        Where to draw.
    **line
        Keywords of ``Axes.plot``.

    Returns
    -------
    matplotlib.axes.Axes
        What was drawn on.

    Raises
    ------
    ImportError
        Matplotlib is not installed; the extra `plots` brings it.
    """
    ax = _axes(ax, "plots.accuracy")
    ax.semilogx(t, 100 * np.asarray(share), **{"color": VERMILION, **line})
    ax.set(xlabel="training time $t$", ylabel="accuracy (%)")
    return ax


def eigenvalues(spectrum: Spectrum, ax: Axes | None = None, **line: Any) -> Axes:
    """Draw the eigenvalues from the largest to the smallest, both axes logarithmic.

    Gradient flow learns the component of the residual along eigenvector i within a time of
    about 1/(ηλᵢ): the picture shows what a network learns early, late, and hardly ever.

    Parameters
    ----------
    spectrum : Spectrum
        The eigendecomposition of a Gram matrix. Eigenvalues that are not positive, which come
        from rounding, are left out.
    ax : matplotlib.axes.Axes, optional
        Where to draw.
    **line
        Keywords of ``Axes.plot``.

    Returns
    -------
    matplotlib.axes.Axes
        What was drawn on.

    Raises
    ------
    ImportError
        Matplotlib is not installed; the extra `plots` brings it.
    """
    ax = _axes(ax, "plots.eigenvalues")
    descending = np.asarray(spectrum.eigenvalues)[::-1]
    rank = np.arange(1, len(descending) + 1)
    positive = descending > 0
    ax.loglog(rank[positive], descending[positive], **{"color": GREEN, **line})
    ax.set(xlabel="rank $i$", ylabel=r"eigenvalue $\lambda_i$")
    return ax


def images(
    pixels: ArrayLike, captions: list[str], ax: Axes | None = None, *, columns: int | None = None
) -> Axes:
    """Draw grey images side by side, dark ink on light paper, with a caption under each.

    Parameters
    ----------
    pixels : array_like, shape (k, height, width)
        0 is paper, the largest value is ink.
    captions : list of str
        k short texts.
    ax : matplotlib.axes.Axes, optional
        Where to draw.
    columns : int, optional
        Images in a row; by default all of them.

    Returns
    -------
    matplotlib.axes.Axes
        What was drawn on, without its frame.

    Raises
    ------
    ImportError
        Matplotlib is not installed; the extra `plots` brings it.
    ValueError
        `pixels` are not grey images, or the captions are not as many.
    """
    pictures = np.asarray(pixels)
    if pictures.ndim != 3:
        raise ValueError(f"pixels has shape {pictures.shape}; expected (k, height, width)")
    if len(captions) != len(pictures):
        raise ValueError(f"captions has {len(captions)} texts; expected {len(pictures)}")
    ax = _axes(ax, "plots.images")
    ax.set_axis_off()
    if len(pictures) == 0:
        return ax
    height, width = pictures.shape[1:]
    columns = min(columns or len(pictures), len(pictures))
    # In units of pixels: a gap between the columns, and room for the caption below each row.
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


def _axes(ax: Axes | None, caller: str) -> Axes:
    """Give `ax` back, or the current axes of pyplot."""
    if ax is not None:
        return ax
    try:
        from matplotlib import pyplot
    except ImportError as error:
        raise MissingExtraError(caller, "Matplotlib", "plots") from error
    return pyplot.gca()
