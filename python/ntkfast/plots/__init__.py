"""Plots of results: every function draws on one Matplotlib `Axes` and returns it.

Without `ax` a function draws on the current axes of pyplot. Fonts, colours and line widths are
those of Matplotlib's settings (`rcParams`), so plots follow your own style. ``with
matplotlib.rc_context(nk.plots.PAPER):`` selects ours: 8-point text for print, and the colours of
Okabe and Ito (2008), which remain distinguishable for colour-blind readers and in greyscale.

`ntkfast.plots.figures` has the complete figures of the guide, with the numbers that they show.
"""

from ntkfast.plots import figures
from ntkfast.plots.pixels import images
from ntkfast.plots.results import accuracy, band, eigenvalues, loss, projections, scaling
from ntkfast.plots.style import BLUE, GREEN, ORANGE, PAPER, SKY, VERMILION
from ntkfast.plots.theory import edge_of_chaos

__all__ = [
    "BLUE",
    "GREEN",
    "ORANGE",
    "PAPER",
    "SKY",
    "VERMILION",
    "accuracy",
    "band",
    "edge_of_chaos",
    "eigenvalues",
    "figures",
    "images",
    "loss",
    "projections",
    "scaling",
]
