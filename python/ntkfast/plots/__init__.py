"""Plots of results: every function draws on one Matplotlib `Axes` and returns it.

Without `ax` a function draws on the current axes of pyplot. The colours are those of Okabe and Ito
(2008), which remain distinguishable for colour-blind readers and in greyscale. For styling, use
Matplotlib's keywords or the returned `Axes`.

`ntkfast.plots.figures` has the complete figures of the guide, with the numbers that they show.
"""

from ntkfast.plots import figures
from ntkfast.plots.results import accuracy, band, eigenvalues, images, loss, projections, scaling
from ntkfast.plots.style import BLUE, GREEN, ORANGE, SKY, VERMILION
from ntkfast.plots.theory import edge_of_chaos

__all__ = [
    "BLUE",
    "GREEN",
    "ORANGE",
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
