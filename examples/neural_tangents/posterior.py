"""The posterior of a Bayesian network of infinite width, with noise."""

import numpy as np

import ntkfast.neural_tangents as nt
from ntkfast.neural_tangents import stax


def main():
    rng = np.random.default_rng(1)
    x = rng.standard_normal((40, 3))
    y = x[:, :1] * x[:, 1:2] + 0.1 * rng.standard_normal((40, 1))
    x_test = rng.standard_normal((200, 3))
    net = stax.serial(stax.Dense(1, 1.5, 0.3), stax.Relu(), stax.Dense(1, 1.5, 0.3))
    kernel_fn = net[2]
    predict_fn = nt.predict.gp_inference(
        kernel_fn(x, None, ("nngp", "ntk")), y, diag_reg=0.01, diag_reg_absolute_scale=True
    )
    mean, covariance = predict_fn("nngp", kernel_fn(x_test, x), kernel_fn(x_test, None, "nngp"))
    std = np.sqrt(np.diag(covariance) + 0.01)
    truth = x_test[:, 0] * x_test[:, 1]
    inside = float((abs(mean[:, 0] - truth) < 2 * std).mean())
    print(f"share within two standard deviations: {inside:.2f}")
    return inside


if __name__ == "__main__":
    main()
