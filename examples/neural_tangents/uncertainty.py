"""The spread of an infinite ensemble during training."""

import numpy as np

import ntkfast.neural_tangents as nt
from ntkfast.neural_tangents import stax


def main():
    x_train = np.array([[-2.0], [-1.0], [0.5], [2.0]])
    x_test = np.linspace(-3, 3, 25)[:, None]
    net = stax.serial(stax.Dense(512, 1.5, 0.5), stax.Erf(), stax.Dense(1, 1.5, 0.0))
    predict_fn = nt.predict.gradient_descent_mse_ensemble(net[2], x_train, np.sin(x_train))
    spreads = []
    for t in (0.0, 10.0, 1000.0, None):
        _, covariance = predict_fn(t, x_test, "ntk", compute_cov=True)
        spreads.append(float(np.sqrt(np.maximum(np.diag(covariance), 0)).mean()))
        print(f"t = {t}: mean standard deviation {spreads[-1]:.3f}")
    return spreads[-1] / spreads[0]


if __name__ == "__main__":
    main()
