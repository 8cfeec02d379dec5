"""Learn a few images that replace a training set: kernel inducing points.

Ten images of handwritten digits, and their labels, are moved until kernel regression on them
predicts all training images (Nguyen, Chen, Lee 2021, https://arxiv.org/abs/2011.00050). Prints the
accuracy on test images as the search goes on, beside that of as many images of the training set,
and writes distillation.png.

    python distillation.py                     # the digits of scikit-learn
    python distillation.py --mnist DIRECTORY   # X and y in mnist_train.npz and mnist_test.npz
    python distillation.py --network conv      # a convolutional network
"""

from __future__ import annotations

import argparse
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve
from scipy.optimize import minimize

import ntkfast as nk

Array = NDArray[np.float64]

RIDGE = 1e-4
NETWORKS = {
    "mlp": nk.mlp(2, b_std=0.1),
    "conv": nk.Serial(*[nk.Conv((3, 3), b_std=0.1), nk.Relu()] * 2, nk.Flatten(), nk.Dense()),
}


def loss_and_gradients(
    network: nk.Network, points: Array, labels: Array, x: Array, y: Array
) -> tuple[float, Array, Array]:
    """Return the mean square error of regression on `points` at `x`, and its gradients."""
    cross = network.ntk(x, points)
    factor = cho_factor(network.ntk(points) + RIDGE * np.eye(len(points)))
    weights = cho_solve(factor, labels)
    rest = (cross @ weights - y) / len(x)
    back = cho_solve(factor, cross.T @ rest)
    # The loss depends on the points by two kernels.
    by_cross = network.ntk_vjp(x, points, (rest, weights))[1]
    by_square = network.ntk_vjp(points, None, (back, weights))
    return len(x) * np.sum(rest**2) / 2, by_cross - by_square, back


def accuracy(network: nk.Network, points: Array, labels: Array, x: Array, y: Array) -> float:
    """Return the share of images whose class regression on `points` finds."""
    square = network.ntk(points) + RIDGE * np.eye(len(points))
    found = network.ntk(x, points) @ np.linalg.solve(square, labels)
    return float((found.argmax(axis=1) == y.argmax(axis=1)).mean())


def distill(
    network: nk.Network, start: tuple[Array, Array], x: Array, y: Array, steps: int, batch: int
) -> list[tuple[Array, Array]]:
    """Return points and labels from the start to the end, by L-BFGS on one batch after another."""
    shape = start[0].shape
    size = start[0].size

    def split(flat: Array) -> tuple[Array, Array]:
        return flat[:size].reshape(shape), flat[size:].reshape(start[1].shape)

    rng = np.random.default_rng(0)
    history = [start]
    flat = np.concatenate([part.ravel() for part in start])
    for _ in range(steps):
        some = rng.choice(len(x), min(batch, len(x)), replace=False)

        def cost(flat: Array, some: NDArray[np.int64] = some) -> tuple[float, Array]:
            value, *gradients = loss_and_gradients(network, *split(flat), x[some], y[some])
            return value, np.concatenate([part.ravel() for part in gradients])

        flat = minimize(cost, flat, jac=True, method="L-BFGS-B", options={"maxiter": 10}).x
        history.append(split(flat))
    return history


def load(mnist: Path | None) -> list[Array]:
    """Return images (n, height, width, 1) and labels (n, 10) for training, and those for tests."""
    if mnist is None:
        pixels, digits = nk.data.load_digits()
        parts = [(pixels[:1400], digits[:1400]), (pixels[1400:], digits[1400:])]
    else:
        files = [nk.data.load_npz(mnist / f"mnist_{part}.npz") for part in ("train", "test")]
        parts = [(file["X"], file["y"]) for file in files]
    found = []
    for pixels, digits in parts:
        side = round(np.sqrt(pixels[0].size))
        images = np.asarray(pixels, dtype=np.float64).reshape(len(pixels), side, side, 1)
        images = (images - images.mean()) / images.std()
        found += [images, nk.data.one_hot(digits) - 0.1]
    return found


def main(arguments: list[str] | None = None) -> list[float]:
    """Distill, and return the accuracies."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--mnist", type=Path, help="directory of mnist_train.npz, mnist_test.npz")
    parser.add_argument("--network", choices=NETWORKS, default="mlp")
    parser.add_argument("--images", type=int, default=10, help="images to learn")
    parser.add_argument("--steps", type=int, default=20, help="batches, of ten iterations each")
    parser.add_argument("--batch", type=int, default=500, help="training images in a batch")
    options = parser.parse_args(arguments)
    network = NETWORKS[options.network]
    x, y, x_test, y_test = load(options.mnist)
    if options.network == "mlp":
        x, x_test = (images.reshape(len(images), -1) for images in (x, x_test))
    classes = y.argmax(axis=1)
    order = [np.flatnonzero(classes == digit) for digit in range(10)]
    first = [order[i % 10][i // 10] for i in range(options.images)]
    history = distill(network, (x[first], y[first]), x, y, options.steps, options.batch)
    found = []
    for step, (points, labels) in enumerate(history):
        found.append(accuracy(network, points, labels, x_test, y_test))
        print(f"batch {step:3d}: accuracy {found[-1]:.3f}" + (" of training images" * (step == 0)))
    figure, axes = plt.subplots(2, 5, figsize=(6, 2.6))
    side = round(np.sqrt(x[0].size))
    for axis, image in zip(axes.flat, history[-1][0], strict=False):
        axis.imshow(image.reshape(side, side), cmap="gray_r")
        axis.axis("off")
    figure.savefig("distillation.png", dpi=150)
    plt.close(figure)
    return found


if __name__ == "__main__":
    main()
