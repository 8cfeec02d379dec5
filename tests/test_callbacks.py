"""Functions of users that write into the arrays that they get, or reuse those that they return."""

import numpy as np
import pytest

import ntkfast as nk
from ntkfast.dynamics import losses

RNG = np.random.default_rng(0)
X, X_TEST = RNG.normal(size=(8, 3)), RNG.normal(size=(4, 3))
Y = RNG.normal(size=(8, 2))
NET = nk.mlp(1, nk.Erf(), b_std=0.3)


def writes(f, y):
    """Squared error, in the memory of f, which is also returned; the targets are overwritten."""
    f -= y
    y[...] = np.nan
    return 0.5 * float(np.vdot(f, f)), f


BUFFER = np.empty_like(Y)


def reuses(f, y):
    """Squared error, always in the same memory."""
    np.subtract(f, y, out=BUFFER)
    return 0.5 * float(np.vdot(BUFFER, BUFFER)), BUFFER


@pytest.mark.parametrize("loss", [writes, reuses])
@pytest.mark.parametrize("settings", [{}, {"momentum": 0.5}, {"diag_reg": 0.1}, {"method": "BDF"}])
def test_a_loss_may_write_into_its_arguments(loss, settings):
    targets = Y.copy()
    theta, k_test, t = NET.ntk(X), NET.ntk(X_TEST, X), [0.0, 0.5, 3.0]
    got = nk.LossFlow(theta, targets, loss=loss, **settings).integrate(k_test, t=t)
    expected = nk.LossFlow(theta, Y, loss=losses.mse, **settings).integrate(k_test, t=t)
    np.testing.assert_array_equal(got.train, expected.train)
    np.testing.assert_array_equal(got.test, expected.test)
    np.testing.assert_array_equal(got.loss, expected.loss)
    np.testing.assert_array_equal(targets, Y)


def tanh_in_place(x):
    return np.tanh(x, out=x)


def slope_in_place(x):
    np.cosh(x, out=x)
    return np.power(x, -2.0, out=x)


def test_an_activation_may_write_into_its_argument():
    written = nk.Elementwise(tanh_in_place, slope_in_place)
    pure = nk.Elementwise(np.tanh, lambda x: np.cosh(x) ** -2.0)
    nets = [nk.mlp(2, activation, b_std=0.3) for activation in (written, pure)]
    for compute in (
        lambda net: net.ntk(X),
        lambda net: nk.finite.init(net, 3, 0, width=16).ntk(X),
        lambda net: nk.finite.init(net, 3, 0, width=16).forward(X),
        lambda net: nk.finite.init(net, 3, 0, width=16).jacobian(X),
        lambda net: nk.finite.init(net, 3, 0, width=16).gradient(X, Y[:, 0]),
    ):
        np.testing.assert_allclose(compute(nets[0]), compute(nets[1]), rtol=1e-12, atol=1e-14)
