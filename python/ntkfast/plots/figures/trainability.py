"""Depth and weight scale: order, the edge of chaos, chaos, and trainability."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

import ntkfast as nk
from ntkfast._arrays import FloatArray
from ntkfast.plots.style import BLUE, GREEN, VERMILION, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["Trainability", "compute", "draw"]

_SCALES = tuple(float(w) for w in np.linspace(0.7, 2.5, 37))
_CORRELATION = 0.5  # initial correlation of the points for the condition number
_LINES = ("edge of chaos", r"$6\,\xi_c$")  # Schoenholz et al. (2017): depth that signals reach
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
    w_std: Sequence[float] = _SCALES,
    *,
    depth: int = 60,
    stride: int = 3,
    b_std: float = 0.2,
    n_train: int = 100,
    steps: int = 1000,
    n: int = 20,
) -> Trainability:
    """Follow erf networks through depth, by theory and on images of two digits.

    Parameters
    ----------
    w_std
        Weight scales of the maps, ascending, from the ordered to the chaotic phase.
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
    """
    scales = np.asarray(w_std, dtype=np.float64)
    fields = [nk.theory.mean_field(nk.Erf(), w_std=w, b_std=b_std) for w in scales]
    edge = _edge_of_chaos(b_std)
    phases = tuple(
        nk.theory.mean_field(nk.Erf(), w_std=w, b_std=b_std)
        for w in (0.87 * edge, edge, 1.3 * edge)
    )
    x, y = nk.data.two_digits(3, 8)
    x = nk.data.unit_norm(x - x.mean(axis=0)) * x.shape[1] ** 0.5
    depths = np.arange(1, depth + 1, stride)
    maps = [_train(w, b_std, x, y, n_train, depths, steps) for w in scales]
    return Trainability(
        phases=phases,
        theory=np.array([field.condition_number(depth, n, _CORRELATION) for field in phases]),
        measured=np.array([_condition_numbers(field, depth, n) for field in phases]),
        n=n,
        w_std=scales,
        depths=depths,
        loss=np.array([loss for loss, _ in maps]).T,
        error=np.array([error for _, error in maps]).T,
        steps=steps,
        edge=edge,
        correlation_depth=np.array([field.correlation_depth for field in fields]),
    )


def _edge_of_chaos(b_std: float) -> float:
    """Find σ_w with χ(1) = 1 by bisection. For erf, χ(1) increases with σ_w from 0 to infinity."""
    low, high = 0.0, 10.0
    while high - low > 1e-12:
        middle = (low + high) / 2
        above = nk.theory.mean_field(nk.Erf(), w_std=middle, b_std=b_std).chi_1 > 1
        low, high = (low, middle) if above else (middle, high)
    return (low + high) / 2


def _condition_numbers(field: nk.theory.MeanField, depth: int, n: int) -> FloatArray:
    """Condition numbers of the kernels of n points that the first layer maps to q* and 0.5·q*."""
    variance, bias = field.variance, field.b_std**2
    common = np.sqrt(_CORRELATION * variance - bias)
    own = np.sqrt((1 - _CORRELATION) * variance)
    points = np.hstack([np.full((n, 1), common), own * np.eye(n)])
    points *= (n + 1) ** 0.5 / field.w_std  # cancels the factor of the first layer
    network = nk.mlp(depth, nk.Erf(), w_std=field.w_std, b_std=field.b_std)
    return np.array(
        [nk.theory.condition_number(theta) for theta in nk.ntk_by_depth(network, points)]
    )


def _train(
    w_std: float,
    b_std: float,
    x: FloatArray,
    y: FloatArray,
    n_train: int,
    depths: NDArray[np.int64],
    steps: int,
) -> tuple[list[float], list[float]]:
    """Return the remaining training loss and the test error at each depth."""
    network = nk.mlp(int(depths[-1]), nk.Erf(), w_std=w_std, b_std=b_std)
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


def draw(result: Trainability) -> Figure:
    """Draw condition numbers against depth, and maps of training loss and test error."""
    figure, panels = new_figure(
        "Order, the edge of chaos, chaos: the tangent kernel of deep erf networks",
        (13, 4.6),
        columns=3,
    )
    ax_kappa, ax_loss, ax_error = panels[0]
    depth = np.arange(result.theory.shape[1])
    for name, field, theory, measured, colour, marker in zip(
        ("order", "edge of chaos", "chaos"),
        result.phases,
        result.theory,
        result.measured,
        (BLUE, GREEN, VERMILION),
        "os^",
        strict=True,
    ):
        label = f"{name}, $\\sigma_w = {field.w_std:.2f}$"
        ax_kappa.semilogy(depth, theory, color=colour, label=label)
        ax_kappa.semilogy(depth[::5], measured[::5], marker, color=colour, ms=5)
    ax_kappa.plot([], [], "ko", ms=5, label=f"kernel of {result.n} points")
    ax_kappa.set(
        title="Condition number",
        ylim=(
            0.6,
            20 * result.theory[np.isfinite(result.theory)].max(),
        ),  # with space for the legend
        xlabel="depth (hidden layers)",
        ylabel=r"$\lambda_{\max}/\lambda_{\min}$",
    )
    ax_kappa.legend(fontsize=9)

    left = np.log10(np.maximum(result.loss, _LEAST_LOSS))
    _map(result, left, ax_loss, "viridis", r"$\log_{10}(L_t / L_0)$")
    ax_loss.set(title=f"Training loss after {result.steps:,} steps")
    _map(result, 100 * result.error, ax_error, "magma", "misclassified test images (%)")
    ax_error.set(title="Test error")
    return figure


def _map(result: Trainability, values: FloatArray, ax: Axes, colours: str, label: str) -> None:
    """Draw values over σ_w and depth, with the edge of chaos and the depth that signals reach."""
    ax.grid(False)
    image = ax.pcolormesh(result.w_std, result.depths, values, cmap=colours, shading="nearest")
    ax.figure.colorbar(image, ax=ax, label=label)
    # White lines with black borders are visible on any colour.
    for colour, width, labels in (("black", 3.5, ("", "")), ("white", 1.5, _LINES)):
        ax.axvline(result.edge, color=colour, lw=width, ls="--", label=labels[0])
        reach = 6 * result.correlation_depth
        ax.plot(result.w_std, reach, color=colour, lw=width, label=labels[1])
    ax.set(
        xlabel=r"$\sigma_w$",
        ylabel="depth (hidden layers)",
        ylim=(result.depths[0], result.depths[-1]),
    )
    ax.legend(fontsize=9, facecolor="black", labelcolor="white", framealpha=0.6)
