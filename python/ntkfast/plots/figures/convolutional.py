"""Convolutional kernels: the benefit of convolution and pooling on real images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

import ntkfast as nk
from ntkfast._arrays import FloatArray, as_floats
from ntkfast.networks.spatial import Spatial
from ntkfast.plots.figures._panels import FigSize, GivenAxes, entry, panels
from ntkfast.plots.style import LINES, MARKERS, colours

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["NETWORKS", "ImageKernels", "compute", "draw"]

_DEPTH = 3


def _networks(activation: nk.Network) -> dict[str, nk.Network]:
    """Return the networks of `nk.mlp` and `nk.cntk`, the latter with any activation."""
    layers = (nk.Conv((3, 3), w_std=2**0.5), activation) * _DEPTH
    return {
        "fully connected": nk.mlp(_DEPTH, activation, w_std=2**0.5),
        "convolutional": nk.Serial(*layers, nk.Flatten(), nk.Dense()),
        "convolutional, pooled": nk.Serial(*layers, nk.GlobalAvgPool(), nk.Dense()),
    }


NETWORKS = _networks(nk.Relu())
"""The compared networks, with the same number of hidden ReLU layers."""

_KERNELS = ("NNGP", "NTK")


@dataclass(frozen=True, eq=False, repr=False)
class ImageKernels:
    """Test accuracy of kernel regression on handwritten digits.

    Attributes
    ----------
    networks : tuple of str
        Names of the networks, shape (m,).
    n_train : ndarray, shape (k,)
        Numbers of training images.
    n_test : int
        Number of test images.
    accuracy : ndarray, shape (m, 2, k)
        Share of correctly classified test images, by network, by kernel (NNGP, NTK) and by
        ``n_train``.
    """

    networks: tuple[str, ...]
    n_train: NDArray[np.int64]
    n_test: int
    accuracy: FloatArray

    @property
    def interval(self) -> FloatArray:
        """Shape (2, m, 2, k): 95% intervals of the accuracy, from the number of test images.

        The interval of Wilson (1927) for a share of independent trials holds for few errors, too.
        """
        z, n, p = 1.96, self.n_test, self.accuracy
        centre = (p + z**2 / (2 * n)) / (1 + z**2 / n)
        half = z / (1 + z**2 / n) * np.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
        ends: FloatArray = np.clip([centre - half, centre + half], 0, 1)
        return ends


def compute(
    n_train: Sequence[int] = (20, 50, 100, 200, 500),
    *,
    networks: Mapping[str, nk.Network] | None = None,
    activation: nk.Network | None = None,
    data: tuple[ArrayLike, ArrayLike] | None = None,
    n_test: int = 500,
    ridge: float = 1e-4,
    seed: int = 0,
) -> ImageKernels:
    """Fit the kernels of several networks to increasing numbers of training images.

    Parameters
    ----------
    n_train
        Numbers of training images, ≥ 10.
    networks
        Networks by name, for images or for their pixels in rows; by default `NETWORKS`.
    activation
        The activation in `NETWORKS`.
    data
        Images, shape (n, height, width) or (n, height, width, channels), and classes 0, 1, …, shape
        (n,); by default 1,797 handwritten digits.
    n_test
        Number of test images.
    ridge
        Regularisation, in units of the mean of a kernel's diagonal.
    seed
        Seed for the order of the images.

    Raises
    ------
    ImportError
        scikit-learn, which provides the digits, is not installed; install the extra `sklearn`.
    """
    if networks is not None and activation is not None:
        raise TypeError("networks and activation are both given; networks contain activations")
    compared = networks or (NETWORKS if activation is None else _networks(activation))
    images, labels = _images(data)
    most = max(n_train)
    if most + n_test > len(labels):
        raise ValueError(
            f"n_train has {most} and n_test is {n_test}, together more than {len(labels)} images"
        )
    drawn = np.random.default_rng(seed).permutation(len(labels))[: most + n_test]
    x, labels = nk.data.unit_norm(images[drawn].reshape(len(drawn), -1)), labels[drawn]
    n_classes = int(labels.max()) + 1
    targets = nk.data.one_hot(labels[:most], n_classes) - 1 / n_classes
    accuracy = np.empty((len(compared), len(_KERNELS), len(n_train)))
    for i, network in enumerate(compared.values()):
        inputs = x
        if any(isinstance(layer, Spatial) for layer in getattr(network, "layers", ())):
            # Pooling is slow. float32 takes half the time and is far more precise than the ridge.
            inputs = x.reshape(-1, *images.shape[1:]).astype(np.float32)
        train = network.kernels(inputs[:most])
        test = network.kernels(inputs[most:], inputs[:most])
        for j, (gram, cross) in enumerate(zip(train, test, strict=True)):
            for k, n in enumerate(n_train):
                theta = gram[:n, :n].copy()
                fit = nk.KernelRegression(
                    theta, targets[:n], diag_reg=ridge * theta.diagonal().mean()
                )
                told = fit.predict(cross[:, :n]).argmax(axis=1)
                accuracy[i, j, k] = np.mean(told == labels[most:])
    return ImageKernels(tuple(compared), np.array(n_train), n_test, accuracy)


def _images(data: tuple[ArrayLike, ArrayLike] | None) -> tuple[FloatArray, NDArray[np.int64]]:
    """Return images, shape (n, height, width, channels), and their classes."""
    if data is None:
        pixels, digits = nk.data.load_digits()
        return pixels.reshape(-1, 8, 8, 1), digits.astype(np.int64)
    images, labels = as_floats(data[0], "data: images"), np.asarray(data[1])
    if images.ndim == 3:
        images = images[..., None]
    if images.ndim != 4 or labels.shape != images.shape[:1] or labels.dtype.kind not in "iu":
        raise ValueError(
            f"data: the images have shape {images.shape} and the labels {labels.shape}, of type "
            f"{labels.dtype}; expected (n, height, width, channels) and n integers"
        )
    return images, labels.astype(np.int64)


def draw(
    result: ImageKernels,
    axes: GivenAxes = None,
    figsize: FigSize = None,
    title: str | None = None,
) -> Figure:
    """Draw the test error against the number of training images.

    Parameters
    ----------
    result
        The numbers, from `compute`.
    axes
        Axes to draw on, in reading order: two axes.
        By default, those of a new figure.
    figsize
        Width and height of a new figure, in inches. A height of None follows from the width.
    title
        The title; an empty one is omitted.
    """
    made = panels(
        2,
        axes,
        figsize,
        title,
        default=f"Convolutional kernels: {result.n_test:,} test images (bars: 95% intervals)",
        height=3.2,
        columns=2,
        sharey=True,
    )
    error, ends = 100 * (1 - result.accuracy), 100 * (1 - result.interval[::-1])
    styles = [
        {"color": colour, "linestyle": LINES[i % len(LINES)], "marker": MARKERS[i % len(MARKERS)]}
        for i, colour in enumerate(colours(len(result.networks)))
    ]
    for j, (ax, kernel) in enumerate(zip(made.axes, _KERNELS, strict=True)):
        for i, style in enumerate(styles):
            # Side by side, so that no bar hides another one.
            where = result.n_train * 1.06 ** (i - (len(styles) - 1) / 2)
            ax.loglog(where, error[i, j], **style)
            ax.vlines(where, *ends[:, i, j], color=style["color"])
        ax.set(title=kernel, xlabel="training images")
        ax.set_xticks(result.n_train, [f"{n:,}" for n in result.n_train], minor=False)
        ax.set_xticks([], minor=True)
        ax.yaxis.set_major_formatter("{x:g}")
        ax.yaxis.set_minor_formatter(_sparse)
    made.axes[0].set_ylabel("test error (%)")
    made.legend(
        [entry(name, **style) for name, style in zip(result.networks, styles, strict=True)],
        columns=3,
    )
    return made.figure


def _sparse(value: float, _: float) -> str:
    """Label the minor ticks 2 and 5 of a logarithmic axis."""
    return f"{value:g}" if f"{value:e}"[0] in "25" else ""
