"""How fast correlations settle with depth, for several weight variances."""

import numpy as np

from ntkfast.neural_tangents import stax


def main(depth=30):
    x = np.array([[1.0, 0.0], [0.6, 0.8]])
    found = {}
    for w_std in (0.8, 1.0, 1.5, 2.5):
        layer = stax.serial(stax.Dense(1, W_std=w_std, b_std=0.05), stax.Erf())
        _, _, kernel_fn = stax.repeat(layer, depth)
        k = kernel_fn(x, None, "nngp")
        found[w_std] = float(k[0, 1] / np.sqrt(k[0, 0] * k[1, 1]))
        print(f"W_std {w_std}: correlation after {depth} layers {found[w_std]:.4f}")
    return found[0.8] - found[2.5]


if __name__ == "__main__":
    main()
