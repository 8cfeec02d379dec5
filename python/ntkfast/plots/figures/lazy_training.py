"""Lazy training: wider networks move their parameters less, and their kernel changes less."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

import ntkfast as nk
from ntkfast._arrays import FloatArray
from ntkfast.plots.figures._panels import FigSize, GivenAxes, entry, panels
from ntkfast.plots.figures._problem import Data, chosen, labelled, one_hidden_layer
from ntkfast.plots.figures.training_dynamics import NETWORK
from ntkfast.plots.style import LINES, colours

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["NETWORK", "LazyTraining", "compute", "draw"]


@dataclass(frozen=True, eq=False, repr=False)
class LazyTraining:
    """Networks of several widths, trained on the same points.

    Attributes
    ----------
    x : ndarray, shape (n, d)
        Training points.
    y : ndarray, shape (n,)
        Their targets.
    widths : tuple of int
        Hidden units, shape (w,).
    training : tuple of FiniteTrajectory
        Training records, one for each width.
    limit : ndarray, shape (n, n)
        The kernel of infinite width.
    """

    x: FloatArray
    y: FloatArray
    widths: tuple[int, ...]
    training: tuple[nk.finite.FiniteTrajectory, ...]
    limit: FloatArray


def compute(
    widths: Sequence[int] = (10, 100, 1_000, 10_000),
    *,
    network: nk.Network | None = None,
    activation: nk.Network | None = None,
    data: Data = None,
    n: int = 8,
    steps: int = 1_000,
    seed: int = 0,
) -> LazyTraining:
    """Train a network by gradient descent, by default on one period of a sine.

    Parameters
    ----------
    widths
        Hidden units. The networks are differences of two copies, so that they start at f = 0.
    network, activation
        The architecture, or the activation in that of `NETWORK`. By default it is `NETWORK`.
    data
        Points x, shape (n, d), and targets y, shape (n,); by default a sine.
    n
        Number of points on the sine.
    steps
        Steps of gradient descent, at half the largest stable learning rate of infinite width.
    seed
        Seed of the networks.
    """
    x, y = nk.data.sine(n) if data is None else labelled(data)
    architecture = chosen(network, activation, one_hidden_layer, NETWORK)
    limit = architecture.ntk(x)
    rate = nk.theory.max_learning_rate(limit) / 2
    record = np.unique(np.append(0, np.geomspace(1, steps, 40).round().astype(int)))
    training = tuple(
        nk.finite.init(architecture, x.shape[1], seed, width=width, zero_output=True).train(
            x, y, steps=record, learning_rate=rate
        )
        for width in widths
    )
    return LazyTraining(x, y, tuple(widths), training, limit)


def draw(
    result: LazyTraining,
    axes: GivenAxes = None,
    figsize: FigSize = None,
    title: str | None = None,
) -> Figure:
    """Draw loss, distance, drift of the kernel, and units that switch, during training.

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
    made = panels(
        4,
        axes,
        figsize,
        title,
        default="Lazy training: wider networks move their parameters less,\n"
        "and their kernel changes less",
        height=4.9,
        columns=2,
    )
    way, drift = r"$\|p_t - p_0\|\,/\,\|p_0\|$", r"$\|\Theta_t - \Theta_0\|\,/\,\|\Theta_0\|$"
    curves = (
        ("Training loss", r"$\frac{1}{2}\|f - y\|^2$", "loss", "log"),
        ("Distance from initialisation", way, "relative_distance", "log"),
        ("Drift of the kernel", drift, "kernel_drift", "log"),
        # The values may be 0.
        ("Units that switched sides", "share of units and points", "pattern_changes", "linear"),
    )
    lines = [
        {"color": colour, "linestyle": LINES[i % len(LINES)]}
        for i, colour in enumerate(colours(len(result.widths)))
    ]
    for ax, (name, label, quantity, scale) in zip(made.axes, curves, strict=True):
        for trained, line in zip(result.training, lines, strict=True):
            ax.semilogx(trained.times[1:], getattr(trained, quantity)[1:], **line)
        ax.set(title=name, ylabel=label, xlabel="steps of gradient descent", yscale=scale)
    made.legend(
        [
            entry(f"width {width:,}", **line)
            for width, line in zip(result.widths, lines, strict=True)
        ],
        columns=4,
    )
    return made.figure
