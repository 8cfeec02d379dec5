"""Lazy training: wider networks move their parameters less, and their kernel changes less."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

import ntkfast as nk
from ntkfast._arrays import FloatArray
from ntkfast.plots.figures.training_dynamics import NETWORK
from ntkfast.plots.style import BLUE, GREEN, ORANGE, VERMILION, new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["NETWORK", "LazyTraining", "compute", "draw"]


@dataclass(frozen=True, eq=False, repr=False)
class LazyTraining:
    """Networks of several widths, trained on the same points.

    Attributes
    ----------
    x, y : ndarray, shape (n,)
        Training points on a line, and their targets.
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
    n: int = 8,
    steps: int = 1_000,
    seed: int = 0,
) -> LazyTraining:
    """Train `NETWORK` by gradient descent on one period of a sine.

    Parameters
    ----------
    widths
        Hidden units. The networks are differences of two copies, so that they start at f = 0.
    n
        Number of training points.
    steps
        Steps of gradient descent, at half the largest stable learning rate of infinite width.
    seed
        Seed of the networks.
    """
    x, y = nk.data.sine(n)
    limit = NETWORK.ntk(x)
    rate = nk.theory.max_learning_rate(limit) / 2
    record = np.unique(np.append(0, np.geomspace(1, steps, 40).round().astype(int)))
    training = tuple(
        nk.finite.init(NETWORK, 1, seed, width=width, zero_output=True).train(
            x, y, steps=record, learning_rate=rate
        )
        for width in widths
    )
    return LazyTraining(x[:, 0], y, tuple(widths), training, limit)


def draw(result: LazyTraining) -> Figure:
    """Draw loss, distance and kernel drift during training, and kernels before and after."""
    figure, panels = new_figure(
        "Lazy training: wider networks move their parameters less, and their kernel changes less",
        (13, 7),
        rows=2,
        columns=4,
    )
    curves = (
        ("Training loss", r"$\frac{1}{2}\|f - y\|^2$", "loss"),
        ("Distance from initialisation", r"$\|p_t - p_0\|\,/\,\|p_0\|$", "relative_distance"),
        ("Drift of the kernel", r"$\|\Theta_t - \Theta_0\|\,/\,\|\Theta_0\|$", "kernel_drift"),
        ("Units that switched sides", "share of units and points", "pattern_changes"),
    )
    for ax, (title, label, quantity) in zip(panels[0], curves, strict=True):
        for width, trained, colour, line in zip(
            result.widths,
            result.training,
            (VERMILION, ORANGE, GREEN, BLUE),
            ("-", "--", "-.", ":"),
            strict=False,
        ):
            values = getattr(trained, quantity)[1:]
            ax.semilogx(
                trained.times[1:], values, line, color=colour, lw=2, label=f"width {width:,}"
            )
        ax.set(title=title, ylabel=label, xlabel="steps of gradient descent")
    for ax in panels[0, :3]:  # the values of the last panel may be 0
        ax.set(yscale="log")
    panels[0, 0].legend(fontsize=9)

    kernels = [
        (f"Kernel, width {width:,}, {when}", kernel)
        for width, trained in (
            (result.widths[0], result.training[0]),
            (result.widths[-1], result.training[-1]),
        )
        for when, kernel in (("before", trained.kernel_start), ("after", trained.kernel_end))
    ]
    values = np.array([kernel for _, kernel in kernels])
    images = []
    for ax, (title, kernel) in zip(panels[1], kernels, strict=True):
        ax.grid(False)
        images.append(ax.pcolormesh(result.x, result.x, kernel, cmap="cividis", shading="nearest"))
        images[-1].set_clim(values.min(), values.max())
        ax.set(title=title, xlabel="$x$", aspect="equal")
    panels[1, 0].set(ylabel="$x'$")
    figure.colorbar(
        images[0],
        ax=panels[1].tolist(),
        location="bottom",
        aspect=60,
        pad=0.03,
        label=r"$\Theta(x, x')$",
    )
    return figure
