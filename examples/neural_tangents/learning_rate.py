"""The largest learning rate: below it descent converges, above it does not."""

import numpy as np

import ntkfast.neural_tangents as nt
from ntkfast.neural_tangents import stax


def main():
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((20, 5)), rng.standard_normal((20, 1))
    net = stax.serial(stax.Dense(1, 1.4, 0.1), stax.Relu(), stax.Dense(1))
    k = net[2](x, None, "ntk")
    largest = nt.predict.max_learning_rate(k, y.size)
    ends = []
    for rate in (0.95 * largest, 1.05 * largest):
        f = np.zeros_like(y)
        for _ in range(400):
            f = f - rate * k @ (f - y) / y.size
        ends.append(float(abs(f - y).max()))
    print(
        "distance from the targets at 0.95 and 1.05 of the largest rate: {:.2g}, {:.2g}".format(
            *ends
        )
    )
    return ends[1] / ends[0]


if __name__ == "__main__":
    main()
