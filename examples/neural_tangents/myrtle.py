"""The Myrtle kernel of Shankar et al. (2020), in batches."""

import numpy as np

import ntkfast.neural_tangents as nt
from ntkfast.data import load_digits
from ntkfast.neural_tangents import stax


def myrtle():
    """Return the network of five convolutions."""
    conv = stax.serial(stax.Conv(512, (3, 3), padding="SAME", W_std=np.sqrt(2)), stax.Relu())
    pool = stax.AvgPool((2, 2), strides=(2, 2))
    return stax.serial(conv, conv, pool, conv, pool, conv, pool, stax.Flatten(), stax.Dense(10))


def main():
    x, labels = load_digits()
    images, y = x[:120].reshape(-1, 8, 8, 1), np.eye(10)[labels[:120]]
    kernel_fn = nt.batch(myrtle()[2], batch_size=20, device_count=0, store_on_device=False)
    k_train_train = kernel_fn(images[:90], None, "nngp")
    k_test_train = kernel_fn(images[90:], images[:90], "nngp")
    predict_fn = nt.predict.gradient_descent_mse(k_train_train, y[:90] - 0.1, diag_reg=1e-4)
    _, found = predict_fn(None, 0.0, 0.0, k_test_train)
    accuracy = float((found.argmax(1) == labels[90:120]).mean())
    print(f"accuracy after 90 images: {accuracy:.2f}")
    return accuracy


if __name__ == "__main__":
    main()
