"""Kernel functions of parts, applied one after the other."""

import numpy as np

from ntkfast.neural_tangents import stax


def main():
    x = np.random.default_rng(0).standard_normal((5, 3))
    body = stax.serial(stax.Dense(1, 1.5, 0.1), stax.Relu(), stax.Dense(1, 1.5, 0.1), stax.Relu())
    head = stax.Dense(1, 1.2)
    hidden = body[2](x)
    parts = head[2](hidden)
    whole = stax.serial(body, head)[2](x)
    gap = float(abs(parts.ntk - whole.ntk).max())
    print(f"hidden NNGP {hidden.nngp.shape}; parts and whole differ by {gap}")
    return gap


if __name__ == "__main__":
    main()
