"""Parameters in training: the loss falls by orders of magnitude, but weights hardly move."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

import ntkfast as nk
from ntkfast._arrays import FloatArray
from ntkfast.plots.figures._panels import FigSize, GivenAxes, entry, panels
from ntkfast.plots.figures._problem import Data, chosen, decay_times, labelled, one_hidden_layer
from ntkfast.plots.figures.training_dynamics import NETWORK
from ntkfast.plots.style import LINES, colours

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
        random, except for the last one, which moves furthest from its initial value.
    distance : dict
        For the same groups, the distance of all parameters from initialisation, shape (k,),
        relative to their initial norm.
    """

    n_parameters: int
    t: FloatArray
    loss: FloatArray
    samples: dict[str, FloatArray]
    distance: dict[str, FloatArray]


def compute(
    width: int = 15_000,
    *,
    network: nk.Network | None = None,
    activation: nk.Network | None = None,
    data: Data = None,
    times: ArrayLike | None = None,
    n_samples: int = 12,
    seed: int = 0,
) -> ParameterMotion:
    """Follow the parameters of a network while it learns a few points.

    Parameters
    ----------
    width
        Hidden units.
    network, activation
        The architecture, or the activation in that of `NETWORK`. By default it is `NETWORK`.
    data
        Points x, shape (n, d), and targets y, shape (n,); by default the three points of the guide.
    times : array_like, shape (k,)
        Positive training times, ascending; by default from the start of training to its end.
    n_samples
        Number of parameters to show from each group.
    seed
        Seed of the network and of the choice of parameters.
    """
    if data is None:
        x, y = nk.data.three_points()
        x = x[:, :1]
    else:
        x, y = labelled(data)
    rng = np.random.default_rng(seed)
    architecture = chosen(network, activation, one_hidden_layer, NETWORK)
    finite = nk.finite.init(architecture, x.shape[1], rng, width=width)
    f0 = finite.forward(x)
    flow = nk.GradientFlow(finite.ntk(x), y)
    t = np.append(0.0, decay_times(flow.spectrum, 60) if times is None else times)
    parameters = flow.parameters(finite.jacobian(x), finite.parameters, f0, t=t)
    samples, distance = {}, {}
    for name, place in finite.groups.items():
        group = parameters[:, place]
        samples[name] = group[:, _picked(group, n_samples, rng)]
        distance[name] = np.linalg.norm(group - group[0], axis=1) / np.linalg.norm(group[0])
    return ParameterMotion(finite.n_parameters, t, flow.loss(f0, t=t), samples, distance)


def _picked(group: FloatArray, n: int, rng: np.random.Generator) -> NDArray[np.intp]:
    """Return the positions of some random parameters, and of the one that moves furthest."""
    most = int(np.argmax(np.abs(group - group[0]).max(axis=0)))
    others = np.delete(np.arange(group.shape[1]), most)
    chosen = rng.choice(others, min(n - 1, others.size), replace=False)
    return np.append(chosen, most)


def draw(
    result: ParameterMotion,
    axes: GivenAxes = None,
    figsize: FigSize = None,
    title: str | None = None,
) -> Figure:
    """Draw the loss, the distances, and single parameters of each group against time.

    Parameters
    ----------
    result
        The numbers, from `compute`.
    axes
        Axes to draw on, in reading order: two axes, and one for each group of parameters.
        By default, those of a new figure.
    figsize
        Width and height of a new figure, in inches. A height of None follows from the width.
    title
        The title; an empty one is omitted.
    """
    groups = len(result.samples)
    made = panels(
        2 + groups,
        axes,
        figsize,
        title,
        default=f"Lazy training: {result.n_parameters:,} parameters while the loss falls",
        height=4.4,
        columns=3 if groups > 2 else 2,
    )
    t, (ax_loss, ax_distance, *others) = result.t[1:], made.axes
    first, second, *_ = colours(2)
    ax_loss.loglog(t, result.loss[1:], color=first)
    ax_loss.set(title="Training loss", ylabel=r"$L_t = \frac{1}{2}\|f_t - y\|^2$")
    entries = []
    for i, ((name, distance), colour) in enumerate(
        zip(result.distance.items(), colours(groups), strict=True)
    ):
        line = {"color": colour, "linestyle": LINES[i % len(LINES)]}
        ax_distance.loglog(t, distance[1:], **line)
        entries.append(entry(_title(name, result), **line))
    ax_distance.set(title="Distance from initialisation", ylabel=r"$\|p_t - p_0\|\,/\,\|p_0\|$")
    few, furthest = {"color": first, "alpha": 0.4}, {"color": second}
    for ax, (name, sample) in zip(others, result.samples.items(), strict=True):
        ax.semilogx(t, sample[1:, :-1], **few)
        ax.semilogx(t, sample[1:, -1], **furthest)
        way = np.abs(sample[:, -1] - sample[0, -1]).max()
        ax.set(
            title=f"{_title(name, result).capitalize()}\n(largest change {way:.2g})",
            ylabel="value",
            ylim=_limits(sample),
        )
    for ax in made.axes:
        ax.set(xlabel=r"training time $t$")
    made.legend(
        [*entries, entry("some parameters", **few), entry("moves furthest", **furthest)], columns=3
    )
    return made.figure


def _title(group: str, result: ParameterMotion) -> str:
    """Convert the name of a group, such as "layer 1 (Dense) weights", to a title."""
    layers = list(dict.fromkeys(name.partition(" (")[0] for name in result.samples))
    layer, kind = group.partition(" (")[0], group.rpartition(" ")[2]
    if len(layers) == 2:
        layer = ("hidden", "output")[layers.index(layer)]
    return f"{layer} {kind}"


def _limits(sample: FloatArray) -> tuple[float, float]:
    """Return limits of at least ±2.5, which contain most standard normal numbers."""
    reach = max(2.5, 1.1 * float(np.abs(sample).max()))
    return -reach, reach
