"""Depth and weight scale: order, the edge of chaos, chaos, and trainability."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

import ntkfast as nk
from ntkfast._arrays import FloatArray
from ntkfast.plots.figures._panels import FigSize, GivenAxes, entry, panels
from ntkfast.plots.figures._problem import Data, labelled
from ntkfast.plots.style import LINES, MARKERS, colours, outlined

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

__all__ = ["Trainability", "compute", "draw"]

_SCALES = np.linspace(0.6, 2.2, 37)  # of the maps, relative to the edge
_CORRELATION = 0.5  # initial correlation of the points for the condition number, if possible
_REACH = 6  # depth in units of ξ_c up to which Schoenholz et al. (2017) could train networks
_LEAST_LOSS = 1e-12  # smallest loss that the map distinguishes from 0


@dataclass(frozen=True, eq=False, repr=False)
class Trainability:
    """Condition numbers, training and test errors of deep networks.

    Attributes
    ----------
    phases : tuple of MeanField
        The theory in order, at the edge of chaos, and in chaos.
    theory : ndarray, shape (3, depth + 1)
        The condition number after 0, 1, …, depth hidden layers, by the mean-field recursion.
    measured : ndarray, shape (3, depth + 1)
        The same from the kernels of `n` points.
    n : int
        Number of these points.
    w_std : ndarray, shape (k,)
        σ_w of the maps.
    depths : ndarray, shape (l,)
        Depths of the maps.
    loss : ndarray, shape (l, k)
        Remaining share of the training loss after `steps` steps.
    error : ndarray, shape (l, k)
        Share of misclassified test images after these steps.
    steps : int
        Steps of gradient descent, at half the largest stable learning rate.
    edge : float
        σ_w at the edge of chaos, χ(1) = 1.
    correlation_depth : ndarray, shape (k,)
        ξ_c for each σ_w of the maps.
    """

    phases: tuple[nk.theory.MeanField, ...]
    theory: FloatArray
    measured: FloatArray
    n: int
    w_std: FloatArray
    depths: NDArray[np.int64]
    loss: FloatArray
    error: FloatArray
    steps: int
    edge: float
    correlation_depth: FloatArray


def compute(
    w_std: Sequence[float] | None = None,
    *,
    activation: nk.Network = nk.Erf(),  # noqa: B008  (frozen)
    data: Data = None,
    depth: int = 60,
    stride: int = 3,
    b_std: float = 0.2,
    n_train: int = 100,
    steps: int = 1000,
    n: int = 20,
) -> Trainability:
    """Follow networks of one activation through depth, by theory and on images of two digits.

    Parameters
    ----------
    w_std
        Weight scales of the maps, ascending; by default from 0.6 to 2.2 times the edge of chaos.
    activation
        An activation with an edge of chaos at `b_std`. Fitted activations, such as `nk.Tanh`, take
        a minute or two.
    data
        Points x, shape (n, d), and labels ±1, shape (n,), of your own instead of digits. The first
        `n_train` are for training. An input of norm √d enters the first layer with variance 1.
    depth, stride
        The largest number of hidden layers, and the spacing of depths in the maps.
    b_std
        Standard deviation of the biases.
    n_train, steps
        Number of training images and of gradient descent steps. The other images are the test set.
    n
        Number of points for the condition number.

    Raises
    ------
    ImportError
        scikit-learn, which provides the digits, is not installed; install the extra `sklearn`.
    ValueError
        The activation has no edge of chaos at `b_std`, or `n_train` leaves no test points.
    """
    edge = float(nk.theory.edge_of_chaos(activation, b_std).w_std[0])
    scales = edge * _SCALES if w_std is None else np.asarray(w_std, dtype=np.float64)

    def field(w: float) -> nk.theory.MeanField:
        return nk.theory.mean_field(activation, w_std=float(w), b_std=b_std)

    if data is None:
        x, y = nk.data.two_digits(3, 8)
        x = nk.data.unit_norm(x - x.mean(axis=0)) * x.shape[1] ** 0.5
    else:
        x, y = labelled(data)
    if not 0 < n_train < len(y):
        raise ValueError(
            f"n_train is {n_train}; expected 1 to {len(y) - 1}, so that test points remain"
        )
    phases = tuple(field(w) for w in (0.87 * edge, edge, 1.3 * edge))
    depths = np.arange(1, depth + 1, stride)
    maps = [_train(field(w), x, y, n_train, depths, steps) for w in scales]
    return Trainability(
        phases=phases,
        theory=np.array([each.condition_number(depth, n, _correlation(each)) for each in phases]),
        measured=np.array([_condition_numbers(each, depth, n) for each in phases]),
        n=n,
        w_std=scales,
        depths=depths,
        loss=np.array([loss for loss, _ in maps]).T,
        error=np.array([error for _, error in maps]).T,
        steps=steps,
        edge=edge,
        correlation_depth=np.array([field(w).correlation_depth for w in scales]),
    )


def _correlation(field: nk.theory.MeanField) -> float:
    """Return the initial correlation: the biases alone give all inputs one of σ_b²/q*."""
    return max(_CORRELATION, field.b_std**2 / field.variance)


def _condition_numbers(field: nk.theory.MeanField, depth: int, n: int) -> FloatArray:
    """Condition numbers of the kernels of n points that the first layer maps to q* and c·q*."""
    variance, bias = field.variance, field.b_std**2
    correlation = _correlation(field)
    common = np.sqrt(correlation * variance - bias)
    own = np.sqrt((1 - correlation) * variance)
    points = np.hstack([np.full((n, 1), common), own * np.eye(n)])
    points *= (n + 1) ** 0.5 / field.w_std  # cancels the factor of the first layer
    network = nk.mlp(depth, field.activation, w_std=field.w_std, b_std=field.b_std)
    return np.array(
        [nk.theory.condition_number(theta) for theta in nk.ntk_by_depth(network, points)]
    )


def _train(
    field: nk.theory.MeanField,
    x: FloatArray,
    y: FloatArray,
    n_train: int,
    depths: NDArray[np.int64],
    steps: int,
) -> tuple[list[float], list[float]]:
    """Return the remaining training loss and the test error at each depth."""
    network = nk.mlp(int(depths[-1]), field.activation, w_std=field.w_std, b_std=field.b_std)
    x_train, x_test, y_train, y_test = x[:n_train], x[n_train:], y[:n_train], y[n_train:]
    gram, cross = nk.ntk_by_depth(network, x_train), nk.ntk_by_depth(network, x_test, x_train)
    losses, errors = [], []
    for depth in depths:
        spectrum = nk.eigh(gram[depth])
        rate = nk.theory.max_learning_rate(spectrum) / 2
        training = nk.GradientDescent(spectrum, y_train, learning_rate=rate)
        outputs = training.predict(cross[depth], t=steps)
        losses.append(float(training.loss(t=steps) / training.loss(t=0)))
        errors.append(float(np.mean(np.sign(outputs) != y_test)))
    return losses, errors


def draw(
    result: Trainability,
    axes: GivenAxes = None,
    figsize: FigSize = None,
    title: str | None = None,
) -> Figure:
    """Draw condition numbers against depth, and maps of training loss and test error.

    Parameters
    ----------
    result
        The numbers, from `compute`.
    axes
        Axes to draw on, in reading order: three axes.
        By default, those of a new figure.
    figsize
        Width and height of a new figure, in inches. A height of None follows from the width.
    title
        The title; an empty one is omitted.
    """
    made = panels(
        3,
        axes,
        figsize,
        title,
        default=f"Order, the edge of chaos, chaos: deep networks of {result.phases[0].activation}",
        height=3.4,
        columns=3,
    )
    ax_kappa, ax_loss, ax_error = made.axes
    depth = np.arange(result.theory.shape[1])
    entries = []
    for name, field, theory, measured, colour, line, marker in zip(
        ("order", "edge of chaos", "chaos"),
        result.phases,
        result.theory,
        result.measured,
        colours(3),
        LINES[:3],
        MARKERS[:3],
        strict=True,
    ):
        style = {"color": colour, "marker": marker}
        ax_kappa.semilogy(depth, theory, color=colour, linestyle=line)
        ax_kappa.semilogy(depth[::5], measured[::5], **style, linestyle="none")
        label = f"{name}, $\\sigma_w = {field.w_std:.2f}$"
        entries.append(entry(label, **style, linestyle=line))
    ax_kappa.set(
        title=f"Condition number\n(markers: kernel of {result.n} points)",
        xlabel="depth (hidden layers)",
        ylabel=r"$\lambda_{\max}/\lambda_{\min}$",
    )
    loss = np.log10(np.maximum(result.loss, _LEAST_LOSS))
    lines = _map(result, loss, ax_loss, r"$\log_{10}(L_t / L_0)$")
    ax_loss.set(title=f"Training loss\nafter {result.steps:,} steps")
    _map(result, 100 * result.error, ax_error, "misclassified test points (%)")
    ax_error.set(title=f"Test error\nafter {result.steps:,} steps")
    made.legend([*entries, *lines], columns=3)
    return made.figure


def _map(result: Trainability, values: FloatArray, ax: Axes, label: str) -> list[Line2D]:
    """Draw values over σ_w and depth, with the edge of chaos and the depth that signals reach."""
    ax.grid(False)
    image = ax.pcolormesh(result.w_std, result.depths, values, shading="nearest")
    ax.figure.colorbar(image, ax=ax, label=label, orientation="horizontal")
    edge, reach = outlined("--"), outlined("-")
    ax.axvline(result.edge, **edge)
    ax.plot(result.w_std, _REACH * result.correlation_depth, **reach)
    ax.set(
        xlabel=r"$\sigma_w$",
        ylabel="depth (hidden layers)",
        ylim=(result.depths[0], result.depths[-1]),
    )
    return [
        entry(r"$\chi(1) = 1$: edge of chaos", **edge),
        entry(f"${_REACH}\\,\\xi_c$: depth that signals reach", **reach),
    ]
