"""Plots of training and of kernels, each on one `Axes`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from ntkfast._calls import by_keyword
from ntkfast.plots._arguments import as_spectrum, check_result
from ntkfast.plots.style import axes
from ntkfast.theory import label_projections

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from ntkfast._arrays import FloatArray
    from ntkfast.dynamics.normal import Normal
    from ntkfast.dynamics.spectral import SpectralTraining
    from ntkfast.finite import Scaling
    from ntkfast.spectrum import Spectrum

__all__ = [
    "accuracy",
    "band",
    "eigenvalues",
    "loss",
    "projections",
    "scaling",
    "slope_label",
]


@by_keyword()
def loss(
    training: SpectralTraining,
    ax: Axes | None = None,
    *,
    t: ArrayLike,
    f0: ArrayLike = 0.0,
    **line: Any,
) -> Axes:
    """Draw the training loss against training time, on two logarithmic axes.

    Parameters
    ----------
    training : GradientFlow
        The training in closed form, by any rule.
    ax : matplotlib.axes.Axes, optional
        The axes to draw on.
    t : array_like, shape (k,)
        Positive, finite times.
    f0 : array_like
        The untrained outputs on the training points, as for ``training.loss``.
    **line
        Keywords of ``Axes.plot``.

    Returns
    -------
    matplotlib.axes.Axes
        The axes that were drawn on.

    Raises
    ------
    ImportError
        Matplotlib is not installed; install the extra `plots`.
    """
    check_result(training, "training", "loss", "training in closed form, such as nk.GradientFlow")
    ax = axes(ax, "plots.loss")
    ax.loglog(t, training.loss(f0, t=np.asarray(t)), **line)
    ax.set(xlabel="training time $t$", ylabel="training loss")
    return ax


def accuracy(t: ArrayLike, share: ArrayLike, ax: Axes | None = None, **line: Any) -> Axes:
    """Draw the accuracy, in percent, against training time.

    Parameters
    ----------
    t : array_like, shape (k,)
        Positive, finite times.
    share : array_like, shape (k,)
        Numbers from 0 to 1.
    ax : matplotlib.axes.Axes, optional
        The axes to draw on.
    **line
        Keywords of ``Axes.plot``.

    Returns
    -------
    matplotlib.axes.Axes
        The axes that were drawn on.

    Raises
    ------
    ImportError
        Matplotlib is not installed; install the extra `plots`.
    """
    ax = axes(ax, "plots.accuracy")
    ax.semilogx(t, 100 * np.asarray(share), **line)
    ax.set(xlabel="training time $t$", ylabel="accuracy (%)")
    return ax


def eigenvalues(spectrum: Spectrum | FloatArray, ax: Axes | None = None, **line: Any) -> Axes:
    """Draw the eigenvalues from the largest to the smallest, on two logarithmic axes.

    Gradient flow learns the component of the residual along eigenvector i within a time of about
    1/(ηλᵢ). The plot therefore shows which components a network learns early, late, or hardly ever.

    Parameters
    ----------
    spectrum : Spectrum or array_like, shape (n, n)
        A Gram matrix, or its eigendecomposition. Eigenvalues that are not positive, because of
        rounding, are omitted.
    ax : matplotlib.axes.Axes, optional
        The axes to draw on.
    **line
        Keywords of ``Axes.plot``.

    Returns
    -------
    matplotlib.axes.Axes
        The axes that were drawn on.

    Raises
    ------
    ImportError
        Matplotlib is not installed; install the extra `plots`.
    """
    descending = np.asarray(as_spectrum(spectrum).eigenvalues)[::-1]
    ax = axes(ax, "plots.eigenvalues")
    rank = np.arange(1, len(descending) + 1)
    positive = descending > 0
    ax.loglog(rank[positive], descending[positive], **line)
    ax.set(xlabel="rank $i$", ylabel=r"eigenvalue $\lambda_i$")
    return ax


def projections(
    spectrum: Spectrum | FloatArray, y: ArrayLike, ax: Axes | None = None, **line: Any
) -> Axes:
    """Draw the share of the labels along each eigenvector, largest eigenvalue first.

    The shares are those of `theory.label_projections`, divided by their sum ‖y‖². Labels with large
    shares on the left are learnt fast.

    Parameters
    ----------
    spectrum : Spectrum or array_like, shape (n, n)
        A Gram matrix, or its eigendecomposition.
    y : array_like, shape (n,)
        Labels.
    ax : matplotlib.axes.Axes, optional
        The axes to draw on.
    **line
        Keywords of ``Axes.plot``.

    Returns
    -------
    matplotlib.axes.Axes
        The axes that were drawn on.

    Raises
    ------
    ImportError
        Matplotlib is not installed; install the extra `plots`.
    ValueError
        `y` does not have one label for each row of the kernel.
    """
    parts = label_projections(spectrum, y)
    if parts.ndim != 1:
        raise ValueError(
            f"y has shape {parts.shape}; expected ({len(parts)},), one label per point"
        )
    ax = axes(ax, "plots.projections")
    shares = parts[::-1] / (parts.sum() or 1.0)
    ax.loglog(np.arange(1, len(shares) + 1), shares, **{"marker": "o", "linestyle": "none", **line})
    ax.set(xlabel="rank $i$", ylabel=r"share of the labels, $(v_i^\top y)^2 / \|y\|^2$")
    return ax


def band(normal: Normal, x: ArrayLike, ax: Axes | None = None, **line: Any) -> Axes:
    """Draw a distribution of functions of one variable: the mean, and a band of ±1 std.

    Parameters
    ----------
    normal : Normal
        A prediction of `Ensemble` or `Posterior` at m points, with variances, for one output.
    x : array_like, shape (m,)
        Positions of these points, in ascending order.
    ax : matplotlib.axes.Axes, optional
        The axes to draw on.
    **line
        Keywords of ``Axes.plot``, for the mean. With a ``label``, the band has one, too.

    Returns
    -------
    matplotlib.axes.Axes
        The axes that were drawn on.

    Raises
    ------
    ImportError
        Matplotlib is not installed; install the extra `plots`.
    ValueError
        There are no variances, more outputs than one, or another number of positions than points.
    """
    check_result(normal, "normal", "mean", "a prediction of nk.Ensemble or nk.Posterior")
    where = np.asarray(x)
    if normal.mean.ndim != 1 or where.shape != normal.mean.shape:
        raise ValueError(
            f"x has shape {where.shape} and the mean {normal.mean.shape}; expected (m,) for both"
        )
    lower, upper = normal.mean - normal.std, normal.mean + normal.std
    ax = axes(ax, "plots.band")
    (mean,) = ax.plot(where, normal.mean, **line)
    shade: dict[str, Any] = {"color": mean.get_color(), "alpha": 0.2, "linewidth": 0}
    ax.fill_between(where, lower, upper, **shade, label="± 1 std" if "label" in line else None)
    ax.set(xlabel="$x$", ylabel="$f(x)$")
    return ax


def scaling(measured: Scaling, ax: Axes | None = None, **line: Any) -> Axes:
    """Draw measurements at several widths and their power law, on two logarithmic axes.

    Parameters
    ----------
    measured : Scaling
        Measurements, several at each width, as returned by the studies of `nk.finite`.
    ax : matplotlib.axes.Axes, optional
        The axes to draw on.
    **line
        Keywords of ``Axes.plot``, for everything that is drawn. ``label`` replaces the label of the
        law, which gives its slope by default; ``marker`` is for the typical values.

    Returns
    -------
    matplotlib.axes.Axes
        The axes that were drawn on.

    Raises
    ------
    ImportError
        Matplotlib is not installed; install the extra `plots`.
    """
    check_result(measured, "measured", "law", "a Scaling, as returned by the studies of nk.finite")
    ax = axes(ax, "plots.scaling")
    marker = line.pop("marker", "o")
    (law,) = ax.loglog(
        measured.widths, measured.law(measured.widths), **{"label": slope_label(measured), **line}
    )
    dots = {"color": law.get_color(), "linestyle": "none", "zorder": 3}
    size = 0.6 * law.get_markersize()
    ax.loglog(measured.widths, measured.values, marker=marker, ms=size, alpha=0.3, **dots)
    ax.loglog(measured.widths, measured.typical, marker=marker, **dots)
    ax.set(xlabel="width", ylabel=measured.name)
    ax.legend()
    return ax


def slope_label(measured: Scaling) -> str:
    """Return the slope of a power law and its standard error."""
    return f"slope {measured.slope:.2f} ± {measured.slope_error:.2f}".replace("-", "−")
