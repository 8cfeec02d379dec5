"""Labels and trainability: true labels are learnt quickly, random labels very slowly."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

import ntkfast as nk
from ntkfast._arrays import FloatArray
from ntkfast.plots import results
from ntkfast.plots.figures._panels import FigSize, GivenAxes, entry, panels
from ntkfast.plots.figures._problem import Data, chosen, decay_times, labelled
from ntkfast.plots.style import LINES, colours, fine

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["NETWORK", "LabelAlignment", "compute", "draw"]


def _network(activation: nk.Network) -> nk.Network:
    return nk.mlp(1, activation, w_std=2**0.5)


NETWORK = _network(nk.Relu())

_LEFT = 0.1  # remaining share of the loss at which the times are compared


@dataclass(frozen=True, eq=False, repr=False)
class LabelAlignment:
    """Training on true and on random labels of the same images.

    Attributes
    ----------
    digits : tuple of int or None
        The two classes; None for other data.
    spectrum : Spectrum
        The spectrum of the NTK of the n images.
    true, random : ndarray, shape (n,)
        Labels; ±1 for digits.
    t : ndarray, shape (k,)
        Training times.
    loss_true, loss_random : ndarray, shape (k,)
        The loss of gradient flow, relative to the initial loss.
    share_true, share_random : ndarray, shape (n,)
        Share of the labels in the span of the 1, 2, …, n top eigenvectors.
    """

    digits: tuple[int, int] | None
    spectrum: nk.Spectrum
    true: FloatArray
    random: FloatArray
    t: FloatArray
    loss_true: FloatArray
    loss_random: FloatArray
    share_true: FloatArray
    share_random: FloatArray

    def time_to(self, fraction: float) -> tuple[float, float]:
        """Return the times at which the losses on true and random labels reach a fraction."""
        true, random = (
            float(np.exp(np.interp(-np.log(fraction), -np.log(loss), np.log(self.t))))
            for loss in (self.loss_true, self.loss_random)
        )
        return true, random


def compute(
    digits: tuple[int, int] = (3, 8),
    *,
    network: nk.Network | None = None,
    activation: nk.Network | None = None,
    data: Data = None,
    times: ArrayLike | None = None,
    n: int | None = None,
    fraction: float = 1.0,
    seed: int = 0,
) -> LabelAlignment:
    """Train a network on images of two digits, with their labels and with random ones.

    Parameters
    ----------
    digits
        Two different digits.
    network, activation
        The network, or the activation in that of `NETWORK`. By default it is `NETWORK`.
    data
        Points x, shape (n, d), and labels y, shape (n,), of your own instead of digits.
    times : array_like, shape (k,)
        Positive training times, ascending; by default from the start of training to its end.
    n
        Number of images; by default all, about 360.
    fraction
        Fraction of the labels that is replaced by random labels.
    seed
        Seed of the random labels.

    Raises
    ------
    ImportError
        scikit-learn, which provides the digits, is not installed; install the extra `sklearn`.
    """
    if data is None:
        pixels, true = nk.data.two_digits(*digits, n=n)
        x = nk.data.unit_norm(pixels)
    else:
        points, true = labelled(data)
        x, true = points[:n], true[:n]
    random = nk.data.random_labels(true, fraction, seed)
    spectrum = nk.eigh(chosen(network, activation, _network, NETWORK).ntk(x))
    t = decay_times(spectrum, 141) if times is None else np.asarray(times, dtype=np.float64)
    loss_true, loss_random = (
        nk.theory.label_loss(spectrum, y, t=t) / nk.theory.label_loss(spectrum, y, t=0.0)
        for y in (true, random)
    )
    share_true, share_random = (
        np.cumsum(nk.theory.label_projections(spectrum, y)[::-1]) / (y @ y) for y in (true, random)
    )
    return LabelAlignment(
        digits if data is None else None,
        spectrum,
        true,
        random,
        t,
        loss_true,
        loss_random,
        share_true,
        share_random,
    )


def draw(
    result: LabelAlignment,
    axes: GivenAxes = None,
    figsize: FigSize = None,
    title: str | None = None,
) -> Figure:
    """Draw loss, spectrum, projections on each eigenvector, and their cumulative sum.

    Parameters
    ----------
    result
        The numbers, from `compute`.
    axes
        Axes to draw on, in reading order: four axes.
        By default, those of a new figure.
    figsize
        Width and height of a new figure, in inches. A height of None follows from the width.
    title
        The title; an empty one is omitted.
    """
    from matplotlib import rcParams

    n = result.spectrum.n
    what = (
        "points" if result.digits is None else "handwritten digits ({}, {})".format(*result.digits)
    )
    made = panels(
        4,
        axes,
        figsize,
        title,
        default=f"Which labels are learnt fast: true and random labels of {n} {what}",
        height=5.2,
        columns=2,
    )
    ax_loss, ax_values, ax_parts, ax_share = made.axes
    kinds = [
        {"color": colour, "linestyle": line}
        for colour, line in zip(colours(2), LINES[:2], strict=True)
    ]
    small = {"markersize": 0.7 * rcParams["lines.markersize"]}
    dots = [
        {"color": kind["color"], "marker": marker, "linestyle": "none", "alpha": 0.7, **small}
        for kind, marker in zip(kinds, "ox", strict=True)
    ]

    for kind, loss in zip(kinds, (result.loss_true, result.loss_random), strict=True):
        ax_loss.loglog(result.t, loss, **kind)
    true, random = result.time_to(_LEFT)
    ax_loss.annotate(
        "",
        (true, _LEFT),
        (random, _LEFT),
        arrowprops={"arrowstyle": "<->", "color": fine()["color"]},
    )
    ax_loss.annotate(
        f"× {random / true:.0f}",
        ((true * random) ** 0.5, _LEFT),
        (0, 3),
        textcoords="offset points",
        ha="center",
    )
    ax_loss.set(
        title="Loss under gradient flow",
        xlabel=r"training time $t$  (units of $1/\eta$)",
        ylabel="$L_t\\,/\\,L_0$",
        ylim=(None, 2),
    )

    results.eigenvalues(result.spectrum, ax_values, color=colours(3)[2])
    ax_values.set(
        title=f"Eigenvalues; condition number {result.spectrum.condition_number:,.0f}",
    )

    for style, y in zip(dots, (result.true, result.random), strict=True):
        results.projections(result.spectrum, y, ax_parts, **style)
    ax_parts.axhline(1 / n, **fine())
    ax_parts.set(title="Labels along each eigenvector", ylim=(None, 1.5))

    rank = np.arange(1, n + 1)
    for kind, share in zip(kinds, (result.share_true, result.share_random), strict=True):
        ax_share.semilogx(rank, 100 * share, **kind)
    ax_share.set(
        title="Labels along the first $i$ eigenvectors",
        xlabel="rank $i$",
        ylabel="share of the labels (%)",
        ylim=(0, 102),
    )
    names = ("true labels", "random labels")
    entries = [
        entry(name, **{**dot, **kind}) for name, kind, dot in zip(names, kinds, dots, strict=True)
    ]
    made.legend([*entries, entry("evenly spread, $1/n$", **fine())], columns=3)
    return made.figure
