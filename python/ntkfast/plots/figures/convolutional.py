"""Convolutional kernels: the benefit of convolution and pooling on real images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

import ntkfast as nk
from ntkfast._arrays import FloatArray
from ntkfast.plots.style import BLUE, GREEN, VERMILION, new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["NETWORKS", "ImageKernels", "compute", "draw"]

_DEPTH = 3

NETWORKS: dict[str, nk.Network] = {
    "fully connected": nk.mlp(_DEPTH, w_std=2**0.5),
    "convolutional": nk.cntk(_DEPTH, pooling=False),
    "convolutional, pooled": nk.cntk(_DEPTH),
}
"""The compared networks, with the same number of hidden ReLU layers."""

_KERNELS = ("NNGP", "NTK")


@dataclass(frozen=True, eq=False, repr=False)
class ImageKernels:
    """Test accuracy of kernel regression on handwritten digits.

    Attributes
    ----------
    n_train : ndarray, shape (k,)
        Numbers of training images.
    n_test : int
        Number of test images.
    accuracy : ndarray, shape (3, 2, k)
        Share of correctly classified test images, by network (in the order of `NETWORKS`), by
        kernel (NNGP, NTK) and by ``n_train``.
    """

    n_train: FloatArray
    n_test: int
    accuracy: FloatArray


def compute(
    n_train: Sequence[int] = (20, 50, 100, 200, 500),
    *,
    n_test: int = 500,
    ridge: float = 1e-4,
    seed: int = 0,
) -> ImageKernels:
    """Fit the kernels of `NETWORKS` to increasing numbers of training images.

    Parameters
    ----------
    n_train
        Numbers of training images, ≥ 10.
    n_test
        Number of test images; there are 1,797 images in total.
    ridge
        Regularisation, in units of the mean of a kernel's diagonal.
    seed
        Seed for the order of the images.

    Raises
    ------
    ImportError
        scikit-learn, which provides the digits, is not installed; install the extra `sklearn`.
    """
    pixels, labels = nk.data.load_digits()
    most = max(n_train)
    chosen = np.random.default_rng(seed).permutation(len(labels))[: most + n_test]
    x, labels = nk.data.unit_norm(pixels[chosen]), labels[chosen]
    targets = nk.data.one_hot(labels[:most], 10) - 0.1
    accuracy = np.empty((len(NETWORKS), len(_KERNELS), len(n_train)))
    for i, network in enumerate(NETWORKS.values()):
        # Pooling is slow. float32 takes half the time and is far more precise than the ridge.
        inputs = x if i == 0 else x.reshape(-1, 8, 8, 1).astype(np.float32)
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
    return ImageKernels(np.array(n_train), n_test, accuracy)


def draw(result: ImageKernels) -> Figure:
    """Draw the test error against the number of training images."""
    figure, panels = new_figure(
        f"Convolutional kernels: handwritten digits, {result.n_test:,} test images",
        (11, 4.2),
        columns=2,
        sharey=True,
    )
    for ax, j, kernel in zip(panels[0], range(2), _KERNELS, strict=True):
        for (name, colour), accuracy in zip(
            zip(NETWORKS, (BLUE, GREEN, VERMILION), strict=True), result.accuracy, strict=True
        ):
            error = 100 * (1 - accuracy[j])
            ax.loglog(result.n_train, error, "o-", color=colour, label=name)
        ax.set(title=kernel, xlabel="training images")
        ax.set_xticks(result.n_train, [f"{n:,}" for n in result.n_train], minor=False)
        ax.minorticks_off()
        ax.legend()
    panels[0, 0].set_ylabel("test error (%)")
    return figure
