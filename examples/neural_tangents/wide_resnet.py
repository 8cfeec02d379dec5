"""Blocks of a wide residual network on small images."""

import numpy as np

from ntkfast.data import load_digits
from ntkfast.neural_tangents import stax


def block(channels, strides=(1, 1), channel_mismatch=False):
    """Return a block with a shortcut."""
    main = stax.serial(
        stax.Relu(),
        stax.Conv(channels, (3, 3), strides, padding="SAME"),
        stax.Relu(),
        stax.Conv(channels, (3, 3), padding="SAME"),
    )
    shortcut = stax.Identity()
    if channel_mismatch:
        shortcut = stax.Conv(channels, (3, 3), strides, padding="SAME")
    return stax.serial(stax.FanOut(2), stax.parallel(main, shortcut), stax.FanInSum())


def main():
    x, labels = load_digits()
    images = x[:60].reshape(-1, 8, 8, 1)
    net = stax.serial(
        stax.Conv(16, (3, 3), padding="SAME"),
        block(16, channel_mismatch=True),
        block(32, (2, 2), channel_mismatch=True),
        stax.AvgPool((4, 4)),
        stax.Flatten(),
        stax.Dense(10),
    )
    k = net[2](images, None, "ntk")
    size = np.sqrt(np.outer(k.diagonal(), k.diagonal()))
    same = labels[:60, None] == labels[None, :60]
    np.fill_diagonal(same, False)
    gap = float((k / size)[same].mean() - (k / size)[~same].mean())
    print(f"cosines of equal digits are larger by {gap:.4f}")
    return gap


if __name__ == "__main__":
    main()
