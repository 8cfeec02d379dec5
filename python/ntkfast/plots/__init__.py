"""Pictures of results: every function draws on one Matplotlib `Axes` and returns it.

Without `ax` a function draws on the current axes of pyplot. Colours are those of Okabe and Ito
(2008), which stay apart for colour-blind readers and in grey. Styling goes through Matplotlib's
own keywords, or through the `Axes` that comes back.

`ntkfast.plots.figures` are whole figures that tell the theory, with the numbers they show.
"""

from ntkfast.plots import figures
from ntkfast.plots.results import accuracy, band, eigenvalues, images, loss, projections, scaling
from ntkfast.plots.style import BLUE, GREEN, ORANGE, SKY, VERMILION

__all__ = [
    "BLUE",
    "GREEN",
    "ORANGE",
    "SKY",
    "VERMILION",
    "accuracy",
    "band",
    "eigenvalues",
    "figures",
    "images",
    "loss",
    "projections",
    "scaling",
]
