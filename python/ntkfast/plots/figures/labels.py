"""Labels and trainability: true labels are learnt quickly, random labels very slowly."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

import ntkfast as nk
from ntkfast._arrays import FloatArray
from ntkfast.plots import results
from ntkfast.plots.style import BLUE, GREEN, VERMILION, new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["NETWORK", "LabelAlignment", "compute", "draw"]

NETWORK = nk.mlp(1, nk.Relu(), w_std=2**0.5)


_LEFT = 0.1  # remaining share of the loss at which the times are compared


@dataclass(frozen=True, eq=False, repr=False)
class LabelAlignment:
    """Training on true and on random labels of the same images.

    Attributes
    ----------
    digits : tuple of int
        The two classes.
    spectrum : Spectrum
        The spectrum of the NTK of the n images.
    true, random : ndarray, shape (n,)
        Labels ±1.
    t : ndarray, shape (k,)
        Training times.
    loss_true, loss_random : ndarray, shape (k,)
        The loss of gradient flow, relative to the initial loss.
    share_true, share_random : ndarray, shape (n,)
        Share of the labels in the span of the 1, 2, …, n top eigenvectors.
    """

    digits: tuple[int, int]
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
    n: int | None = None,
    fraction: float = 1.0,
    seed: int = 0,
) -> LabelAlignment:
    """Train `NETWORK` on images of two digits, with their labels and with random ones.

    Parameters
    ----------
    digits
        Two different digits.
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
    x, true = nk.data.two_digits(*digits, n=n)
    random = nk.data.random_labels(true, fraction, seed)
    spectrum = nk.eigh(NETWORK.ntk(nk.data.unit_norm(x)))
    slowest, fastest = spectrum.eigenvalues[[0, -1]]
    t = np.geomspace(0.01 / fastest, 5 / slowest, 141)
    loss_true, loss_random = (
        nk.theory.label_loss(spectrum, y, t=t) / nk.theory.label_loss(spectrum, y, t=0.0)
        for y in (true, random)
    )
    share_true, share_random = (
        np.cumsum(nk.theory.label_projections(spectrum, y)[::-1]) / len(y) for y in (true, random)
    )
    return LabelAlignment(
        digits, spectrum, true, random, t, loss_true, loss_random, share_true, share_random
    )


def draw(result: LabelAlignment) -> Figure:
    """Draw loss, spectrum, projections on each eigenvector, and their cumulative sum."""
    n = result.spectrum.n
    figure, panels = new_figure(
        f"Which labels are learnt fast: {n} handwritten digits "
        f"({result.digits[0]} or {result.digits[1]}), true and random labels",
        (11, 7.5),
        rows=2,
        columns=2,
    )
    kinds = (("true labels", BLUE, "o"), ("random labels", VERMILION, "x"))
    ((ax_loss, ax_values), (ax_parts, ax_share)) = panels

    for (name, colour, _), loss in zip(kinds, (result.loss_true, result.loss_random), strict=True):
        ax_loss.loglog(result.t, loss, color=colour, label=name)
    true, random = result.time_to(_LEFT)
    ax_loss.annotate("", (true, _LEFT), (random, _LEFT), arrowprops={"arrowstyle": "<->"})
    ax_loss.text((true * random) ** 0.5, 1.1 * _LEFT, f"× {random / true:.0f}", ha="center")
    ax_loss.set(
        title="Loss under gradient flow",
        xlabel=r"training time $t$  (units of $1/\eta$)",
        ylabel="$L_t\\,/\\,L_0$",
        ylim=(1e-4, 2),
    )

    results.eigenvalues(result.spectrum, ax_values, color=GREEN)
    ax_values.set(
        title=f"Eigenvalues; condition number {result.spectrum.condition_number:,.0f}",
    )

    for (name, colour, marker), y in zip(kinds, (result.true, result.random), strict=True):
        results.projections(
            result.spectrum, y, ax_parts, color=colour, marker=marker, label=name, alpha=0.7
        )
    ax_parts.axhline(1 / n, color="black", lw=0.8, ls=":", label="evenly spread, $1/n$")
    ax_parts.set(title="Labels along each eigenvector", ylim=(1e-9, 1.5))

    rank = np.arange(1, n + 1)
    for (name, colour, _), share in zip(
        kinds, (result.share_true, result.share_random), strict=True
    ):
        ax_share.semilogx(rank, 100 * share, color=colour, label=name)
    ax_share.set(
        title="Labels along the first $i$ eigenvectors, cumulative",
        xlabel="rank $i$",
        ylabel="share of the labels (%)",
        ylim=(0, 102),
    )
    for ax in (ax_loss, ax_parts, ax_share):
        ax.legend()
    return figure
