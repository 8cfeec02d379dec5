"""Parameters in training: the loss falls by orders of magnitude, but weights hardly move."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

import ntkfast as nk
from ntkfast._arrays import FloatArray
from ntkfast.plots.figures.training_dynamics import NETWORK
from ntkfast.plots.style import BLUE, GREEN, ORANGE, SKY, VERMILION, new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["NETWORK", "ParameterMotion", "compute", "draw"]


@dataclass(frozen=True, eq=False, repr=False)
class ParameterMotion:
    """The parameters of a wide network under gradient flow, linearised at initialisation.

    Attributes
    ----------
    n_parameters : int
        Number of parameters of the network.
    t : ndarray, shape (k,)
        Training times; the first is 0.
    loss : ndarray, shape (k,)
        ½‖f_t − y‖².
    samples : dict
        A few weights and a few biases of each layer over time, shape (k, s). They are drawn at
        random, except for the last one, which moves most.
    distance : dict
        For the same groups, the distance of all parameters from initialisation, shape (k,),
        relative to their initial norm.
    """

    n_parameters: int
    t: FloatArray
    loss: FloatArray
    samples: dict[str, FloatArray]
    distance: dict[str, FloatArray]


def compute(width: int = 15_000, *, seed: int = 0, n_samples: int = 12) -> ParameterMotion:
    """Follow the parameters of `NETWORK` while it learns the three points.

    Parameters
    ----------
    width
        Hidden units.
    seed
        Seed of the network and of the choice of parameters.
    n_samples
        Number of parameters to show from each group.
    """
    x, y = nk.data.three_points()
    x = x[:, :1]
    rng = np.random.default_rng(seed)
    network = nk.finite.init(NETWORK, 1, rng, width=width)
    f0 = network.forward(x)
    flow = nk.GradientFlow(network.ntk(x), y)
    t = np.append(0.0, np.geomspace(1e-2, 5 / flow.spectrum.eigenvalues[0], 60))
    parameters = flow.parameters(network.jacobian(x), network.parameters, f0, t=t)
    samples, distance = {}, {}
    for name, place in network.groups.items():
        group = parameters[:, place]
        samples[name] = group[:, _picked(group, n_samples, rng)]
        distance[name] = np.linalg.norm(group - group[0], axis=1) / np.linalg.norm(group[0])
    return ParameterMotion(network.n_parameters, t, flow.loss(f0, t=t), samples, distance)


def _picked(group: FloatArray, n: int, rng: np.random.Generator) -> NDArray[np.intp]:
    """Return the positions of some random parameters, and of the one that moves most."""
    most = int(np.argmax(np.abs(group[-1] - group[0])))
    others = np.delete(np.arange(group.shape[1]), most)
    chosen = rng.choice(others, min(n - 1, others.size), replace=False)
    return np.append(chosen, most)


def draw(result: ParameterMotion) -> Figure:
    """Draw the loss, the distances, and single parameters of each group against time."""
    figure, panels = new_figure(
        f"Lazy training: {result.n_parameters:,} parameters while the loss falls",
        (13, 7),
        rows=2,
        columns=3,
        sharex=True,
    )
    t = result.t[1:]
    ax_loss, ax_distance = panels[:, 0]
    ax_loss.loglog(t, result.loss[1:], color=BLUE)
    ax_loss.set(title="Training loss", ylabel=r"$L_t = \frac{1}{2}\|f_t - y\|^2$")
    colours, markers = (BLUE, ORANGE, GREEN, VERMILION), ("-", "--", "-.", ":")
    for (name, distance), colour, line in zip(
        result.distance.items(), colours, markers, strict=True
    ):
        ax_distance.loglog(t, distance[1:], line, color=colour, lw=2, label=_title(name))
    ax_distance.set(title="Distance from initialisation", ylabel=r"$\|p_t - p_0\|\,/\,\|p_0\|$")
    ax_distance.legend(fontsize=9)
    for ax, (name, sample) in zip(panels[:, 1:].flat, result.samples.items(), strict=True):
        ax.semilogx(t, sample[1:, :-1], color=SKY)
        change = np.abs(sample[-1] - sample[0]).max()
        ax.semilogx(t, sample[1:, -1], color=VERMILION, lw=2, label=f"moves most, by {change:.2g}")
        ax.set(title=_title(name).capitalize(), ylabel="value", ylim=_limits(sample))
        ax.legend(fontsize=9, loc="upper left")
    for ax in panels[1]:
        ax.set(xlabel=r"training time $t$  (units of $1/\eta$)")
    return figure


def _title(group: str) -> str:
    """Convert the name of a group, such as "layer 1 (Dense) weights", to a title."""
    layer = "hidden" if group.startswith("layer 1 ") else "output"
    kind = group.rpartition(" ")[2]
    return f"{layer} {kind}"


def _limits(sample: FloatArray) -> tuple[float, float]:
    """Return limits of at least ±2.5, which contain most standard normal numbers."""
    reach = max(2.5, 1.1 * float(np.abs(sample).max()))
    return -reach, reach
