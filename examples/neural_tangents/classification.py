"""Digits by kernel regression with the NNGP and the NTK."""

import numpy as np

import ntkfast.neural_tangents as nt
from ntkfast.data import load_digits
from ntkfast.neural_tangents import stax


def digits(n):
    """Return n digits to train on and 300 others, as rows and one-hot labels."""
    x, labels = load_digits()
    y = np.eye(10)[labels] - 0.1
    return x[:n], y[:n], x[-300:], y[-300:]


def main():
    x_train, y_train, x_test, y_test = digits(800)
    net = stax.serial(stax.Dense(512, 1.4, 0.1), stax.Relu(), stax.Dense(512, 1.4, 0.1))
    _, _, kernel_fn = stax.serial(net, stax.Relu(), stax.Dense(10))
    predict_fn = nt.predict.gradient_descent_mse_ensemble(
        kernel_fn, x_train, y_train, diag_reg=1e-3
    )
    found = predict_fn(x_test=x_test, get=("nngp", "ntk"))
    accuracies = [float((y.argmax(1) == y_test.argmax(1)).mean()) for y in found]
    print("accuracy of the NNGP {:.3f}, of the NTK {:.3f}".format(*accuracies))
    return min(accuracies)


if __name__ == "__main__":
    main()
