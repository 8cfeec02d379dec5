"""Cross-entropy with momentum, in JAX."""

import jax
import jax.numpy as jnp
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
    x_train, _, x_test, _ = digits(60)
    _, labels = load_digits()
    y_train, y_test = np.eye(10)[labels[:60]], labels[-300:]
    net = stax.serial(stax.Dense(1, 1.4, 0.1), stax.Relu(), stax.Dense(1, 1.4, 0.1))

    def loss(fx, y):
        return -jnp.mean(jax.nn.log_softmax(fx) * y)

    predict_fn = nt.predict.gradient_descent(
        loss, net[2](x_train, None, "ntk"), y_train, learning_rate=1.0, momentum=0.9
    )
    _, found = predict_fn(np.array([10.0, 1000.0]), 0.0, 0.0, net[2](x_test, x_train, "ntk"))
    accuracy = [float((each.argmax(1) == y_test).mean()) for each in found]
    print("accuracy at t = 10: {:.2f}, at t = 1000: {:.2f}".format(*accuracy))
    return accuracy[1]


if __name__ == "__main__":
    main()
