"""Training and test loss over time, in closed form."""

import numpy as np

import ntkfast.neural_tangents as nt
from ntkfast.neural_tangents import stax


def main():
    rng = np.random.default_rng(0)
    x, z = rng.standard_normal((40, 6)), rng.standard_normal((200, 6))
    y, y_test = np.tanh(x[:, :1] - x[:, 1:2]), np.tanh(z[:, :1] - z[:, 1:2])
    net = stax.serial(stax.Dense(1, 1.4, 0.1), stax.Relu(), stax.Dense(1, 1.4, 0.1))
    predict_fn = nt.predict.gradient_descent_mse(net[2](x, None, "ntk"), y)
    times = np.logspace(0, 4, 9)
    train, test = predict_fn(times, 0.0, 0.0, net[2](z, x, "ntk"))
    losses = [np.mean((f - t) ** 2, axis=(1, 2)) / 2 for f, t in ((train, y), (test, y_test))]
    for t, a, b in zip(times, *losses, strict=True):
        print(f"t = {t:8.1f}: training {a:.4f}, test {b:.4f}")
    return float(losses[0][-1] / losses[0][0])


if __name__ == "__main__":
    main()
