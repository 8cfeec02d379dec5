"""Actual gradient descent of finite networks, which the closed forms must describe as width grows.

The networks are explicit: f = s/√width · Σ a_r·erf(s/√d · w_r·x), with all weights trained.
"""

import math

import numpy as np
import pytest
from scipy.special import erf

import ntkfast as nk

S = 1.3
X = np.array([[1.0, 0.2], [-0.4, 0.9], [0.3, -1.1]])
X_TEST = np.array([[0.8, 0.8], [-1.0, 0.1]])
Y = np.array([0.7, -0.5, 0.2])
NET = nk.mlp(1, nk.Erf(), w_std=S)


class Finite:
    """`count` networks at once: w (count, width, 2) and a (count, width), in standard units."""

    def __init__(self, rng, count, width):
        self.w, self.a = rng.standard_normal((count, width, 2)), rng.standard_normal((count, width))
        self.inner, self.outer = S / math.sqrt(2), S / math.sqrt(width)

    def hidden(self, x):
        return self.inner * self.w @ x.T  # (count, width, points)

    def __call__(self, x):
        return self.outer * np.einsum("cw,cwi->ci", self.a, erf(self.hidden(x)))

    def gradients(self, pull, x=X):
        """Gradients of Σ_i pull_i·f(x_i) by w and a; pull is (count, points)."""
        before = self.hidden(x)
        slope = 2 / math.sqrt(math.pi) * np.exp(-(before**2))
        by_a = self.outer * np.einsum("cwi,ci->cw", erf(before), pull)
        along = self.outer * self.a[:, :, None] * slope * pull[:, None, :]
        return self.inner * along @ x, by_a

    def train(self, steps, rate, momentum=0.0):
        v, u = np.zeros_like(self.w), np.zeros_like(self.a)
        for _ in range(steps):
            by_w, by_a = self.gradients(self(X) - Y)
            v, u = momentum * v - rate * by_w, momentum * u - rate * by_a
            self.w, self.a = self.w + v, self.a + u
        return self


@pytest.mark.parametrize(("steps", "momentum"), [(60, 0.0), (25, 0.8)])
def test_a_wide_network_trains_as_its_kernel_says(steps, momentum):
    both, rate = np.vstack([X, X_TEST]), 0.15
    theta = NET.ntk(both)
    descent = nk.GradientDescent(theta[:3, :3], Y, learning_rate=rate, momentum=momentum)
    errors = []
    for width in (2**8, 2**16):
        net = Finite(np.random.default_rng(5), 1, width)
        start = net(both)[0]
        end = net.train(steps, rate, momentum)(both)[0]
        expected = [
            descent.predict_train(start[:3], t=steps),
            descent.predict(theta[3:, :3], start[:3], start[3:], t=steps),
        ]
        errors.append(abs(end - np.concatenate(expected)).max())
    # Like 1/√width: 16 times less where the width is 256 times more, give or take the dice.
    assert errors[1] < 0.01
    assert errors[1] < errors[0] / 3
    assert abs(end - start).max() > 0.3  # it did train


def test_many_networks_have_the_moments_of_the_ensemble():
    count, width, rate, steps = 400, 128, 0.04, 60
    nets = Finite(np.random.default_rng(7), count, width).train(steps, rate)
    ensemble = nk.Ensemble(NET, X, Y)
    for x, values in ((None, nets(X)), (X_TEST, nets(X_TEST))):
        g = ensemble.predict(x, t=rate * steps, covariance="full")
        error = g.std / math.sqrt(count)
        assert (abs(values.mean(axis=0) - g.mean) < 5 * error).all()
        outer = np.sqrt((g.covariance**2 + np.outer(g.variance, g.variance)) / count)
        assert (abs(np.cov(values.T) - g.covariance) < 5 * outer).all()
