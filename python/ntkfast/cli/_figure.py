"""The figure of ``ntkfast demo``. This module imports Matplotlib, but no window system."""

from __future__ import annotations

import math

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray

from ntkfast import plots
from ntkfast.cli._digits import Digits
from ntkfast.plots.style import colours

__all__ = ["draw", "formats"]

_SHOWN = 12  # test images in the strip at the bottom


def formats() -> set[str]:
    """Return the file extensions in which the figure can be saved."""
    return set(FigureCanvasAgg.get_supported_filetypes())


def draw(digits: Digits) -> Figure:
    """Draw loss, accuracy and spectrum side by side, and the hardest test images below."""
    figure = Figure(figsize=(11, 5), dpi=150, layout="constrained")
    panels = figure.subplot_mosaic(
        [["loss", "accuracy", "spectrum"], ["images"] * 3], height_ratios=(3, 0.9)
    )
    t = np.geomspace(1e-3, 1e3, 121)

    first, second, third = colours(3)
    ax = plots.loss(digits.flow, panels["loss"], t=t, color=first)
    ax.set(title="Training", ylabel="training loss ½‖f − y‖²", ylim=(1e-8, 1e4))
    ax = plots.accuracy(t, digits.accuracy_at(t), panels["accuracy"], color=second)
    ax.set(title="Test images", ylabel="test accuracy (%)")
    ax = plots.eigenvalues(digits.spectrum, panels["spectrum"], color=third)
    ax.set(title="Eigenvalues of the tangent kernel")
    # The training time of each eigenvalue: the time scale of the other two panels.
    ax.secondary_yaxis("right", functions=(_inverse, _inverse)).set(
        ylabel=r"training time, $1/\lambda_i$"
    )
    _hardest(digits, panels["images"])
    return figure


def _inverse(values: ArrayLike) -> NDArray[np.float64]:
    # Matplotlib also evaluates 1/0, before the axis has its limits.
    with np.errstate(divide="ignore"):
        return 1 / np.asarray(values, dtype=np.float64)


def _hardest(digits: Digits, ax: Axes) -> None:
    """Show the test images with the least certain predictions, misclassified ones first."""
    outputs = digits.flow.predict(digits.k_test_train, t=math.inf)
    index = np.arange(len(outputs))
    right_output = outputs[index, digits.y_test]
    others = outputs.copy()
    others[index, digits.y_test] = -np.inf
    read = outputs.argmax(axis=1)
    hardest = np.argsort(right_output - others.max(axis=1), kind="stable")[:_SHOWN]

    wrong = read[hardest] != digits.y_test[hardest]
    captions = [
        f"{digits.y_test[i]}, read as {read[i]}" if missed else str(digits.y_test[i])
        for i, missed in zip(hardest, wrong, strict=True)
    ]
    plots.images(digits.x_test[hardest].reshape(-1, 8, 8), captions, ax)
    for text, missed in zip(ax.texts, wrong, strict=True):
        text.set(color=plots.VERMILION if missed else "black")
    misread = np.count_nonzero(read != digits.y_test)
    ax.set_title(
        f"The {len(hardest)} least certain test images; "
        f"{misread} of {len(outputs)} are misclassified",
    )
