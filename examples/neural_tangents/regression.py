"""Regression on a noisy sine with the NTK at infinite time."""

import numpy as np

import ntkfast.neural_tangents as nt
from ntkfast.neural_tangents import stax


def main():
    rng = np.random.default_rng(0)
    x_train = rng.uniform(-np.pi, np.pi, (30, 1))
    y_train = np.sin(x_train) + 0.05 * rng.standard_normal((30, 1))
    x_test = np.linspace(-3, 3, 50)[:, None]
    _, _, kernel_fn = stax.serial(
        stax.Dense(512, W_std=1.5, b_std=0.5), stax.Erf(), stax.Dense(1, W_std=1.5, b_std=0.1)
    )
    k_train_train = kernel_fn(x_train, None, "ntk")
    predict_fn = nt.predict.gradient_descent_mse(k_train_train, y_train, diag_reg=1e-3)
    _, mean = predict_fn(None, 0.0, 0.0, kernel_fn(x_test, x_train, "ntk"))
    error = float(np.sqrt(np.mean((mean - np.sin(x_test)) ** 2)))
    print(f"root mean square error: {error:.3f}")
    return error


if __name__ == "__main__":
    main()
