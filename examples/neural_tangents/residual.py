"""Signals in a residual network beside those in a plain one of the same depth."""

import numpy as np

from ntkfast.neural_tangents import stax


def main(depth=20):
    rng = np.random.default_rng(0)
    x = rng.standard_normal((30, 8))
    block = stax.serial(stax.Relu(), stax.Dense(1, W_std=1.0))
    residual = stax.serial(stax.FanOut(2), stax.parallel(block, stax.Identity()), stax.FanInSum())
    sizes = []
    for layer in (block, residual):
        _, _, kernel_fn = stax.serial(stax.Dense(1), stax.repeat(layer, depth), stax.Dense(1))
        sizes.append(float(kernel_fn(x, None, "nngp").diagonal().mean()))
    print("variance of outputs: plain {:.1e}, residual {:.1e}".format(*sizes))
    return sizes[1] / sizes[0]


if __name__ == "__main__":
    main()
