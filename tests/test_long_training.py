"""Training for so long that rounding in the kernel would show: singular kernels at large times."""

import contextlib
import math

import numpy as np
import pytest

import ntkfast as nk
from ntkfast import theory

NET = nk.mlp(1, nk.Relu(), w_std=1.5, b_std=0.3)
LONG = [1e16, 1e20, 1e100, 1e300, math.inf]


def contradiction():
    """Six points in the plane, each of them twice, with labels that differ."""
    x = np.random.default_rng(0).normal(size=(6, 2))
    y = np.random.default_rng(1).normal(size=12)
    return np.vstack([x, x]), y, np.random.default_rng(2).normal(size=(5, 2))


def least_norm():
    """Minimum-norm regression on contradictory labels is interpolation of their means."""
    x, y, x_test = contradiction()
    means = (y[:6] + y[6:]) / 2
    return NET.ntk(x_test, x[:6]) @ np.linalg.solve(NET.ntk(x[:6]), means), np.tile(means, 2)


def growth(spectrum, t):
    """How far the rounding of a singular kernel may have grown, until it is left alone."""
    grown = t * spectrum.tolerance
    return grown if grown < 1 else 0.0


def shown_rounding(spectrum, t):
    """Expect the warning of rounding at times at which it moves results by a thousandth."""
    if growth(spectrum, t) > 1e-3:
        return pytest.warns(RuntimeWarning, match="so long that rounding of theta shows")
    return contextlib.nullcontext()


@pytest.mark.parametrize("t", [1e6, 1e9, 1e11, 1e12, 1e13, 1e14, 1e15])
def test_contradictory_labels_near_their_mean_are_as_close_as_the_docstring_says(t):
    """Within η·t·tolerance of the residual, and a warning where that is more than a thousandth."""
    x, y, x_test = contradiction()
    flow = nk.GradientFlow(NET.ntk(x), y)
    on_test, on_train = least_norm()
    with shown_rounding(flow.spectrum, t):
        test, train = flow.predict(NET.ntk(x_test, x), t=t), flow.predict_train(t=t)
    bound = growth(flow.spectrum, t) * np.linalg.norm(y)
    assert abs(test - on_test).max() <= 1e-9 + bound
    assert abs(train - on_train).max() <= 1e-12 + bound


def test_the_warning_names_the_time_the_modes_and_the_share():
    x, y, _ = contradiction()
    flow = nk.GradientFlow(NET.ntk(x), y)
    t = 0.25 / flow.spectrum.tolerance
    with pytest.warns(RuntimeWarning) as caught:
        flow.residual(t=[1.0, t, np.inf])
    assert f"t = {t:.3g} is so long" in str(caught[0].message)
    assert "6 of its 12 eigenvalues" in str(caught[0].message)
    assert "up to 0.2 of the residual; use t=inf" in str(caught[0].message)
    assert caught[0].filename == __file__
    rate = 1.0 / flow.spectrum.eigenvalues[-1]
    descent = nk.GradientDescent(flow.spectrum, y, learning_rate=rate)
    with pytest.warns(RuntimeWarning, match="so long that rounding"):
        descent.loss(t=int(0.5 / (rate * flow.spectrum.tolerance)))


def test_a_regular_kernel_or_a_ridge_gives_no_warning():
    x, y, _ = contradiction()
    for flow in (
        nk.GradientFlow(NET.ntk(x[:6]), y[:6]),
        nk.GradientFlow(NET.ntk(x), y, diag_reg=1),
    ):
        flow.predict_train(t=0.5 / flow.spectrum.tolerance)  # warnings are errors


@pytest.mark.parametrize("t", LONG)
@pytest.mark.parametrize("momentum", [None, 0.0, 0.9])
def test_contradictory_labels_end_at_their_mean(t, momentum):
    x, y, x_test = contradiction()
    theta, k_test = NET.ntk(x), NET.ntk(x_test, x)
    if momentum is None:
        rule = nk.GradientFlow(theta, y)
    else:
        rate = 0.5 * theory.max_learning_rate(theta, momentum=momentum)
        rule = nk.GradientDescent(theta, y, learning_rate=rate, momentum=momentum)
    on_test, on_train = least_norm()
    np.testing.assert_allclose(rule.predict(k_test, t=t), on_test, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(rule.predict_train(t=t), on_train, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(rule.residual(t=t), y - on_train, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("t", [0.3, 1e3, 1e10, 1e13, *LONG])
@pytest.mark.parametrize("ridge", [0.0, 1e-16])
def test_ensemble_and_flow_have_one_mean_at_any_time(t, ridge):
    x, y, x_test = contradiction()
    ensemble = nk.Ensemble(NET, x, y, diag_reg=ridge)
    flow = nk.GradientFlow(NET.ntk(x), y, diag_reg=ridge)
    with shown_rounding(flow.spectrum, t):
        pairs = [
            (ensemble.predict(x_test, t=t).mean, flow.predict(NET.ntk(x_test, x), t=t)),
            (ensemble.predict(None, t=t).mean, flow.predict_train(t=t)),
        ]
    for mean, f in pairs:
        np.testing.assert_allclose(mean, f, rtol=1e-9, atol=1e-9 + growth(flow.spectrum, t))


def test_a_kernel_of_zeros_moves_nothing_and_overflows_nowhere():
    flow = nk.GradientFlow(np.zeros((2, 2)), [1.0, -1.0], learning_rate=1e10)
    descent = nk.GradientDescent(np.zeros((2, 2)), [1.0, -1.0], learning_rate=1e10)
    for t in (0.0, 1.0, 1e290, 1e308, math.inf):
        for rule in (flow, descent):
            assert np.isfinite(rule.coefficients(t=t)).all()
            np.testing.assert_array_equal(rule.predict_train(t=t), 0)
            np.testing.assert_array_equal(rule.residual(t=t), [1, -1])
            np.testing.assert_array_equal(rule.predict(np.zeros((1, 2)), t=t), 0)
    np.testing.assert_array_equal(flow.coefficients(t=1e290), [1e300, -1e300])


@pytest.mark.parametrize("t", [0.0, 1.0, 1e10, *LONG])
def test_bounds_on_the_loss_hold_for_singular_kernels_at_any_time(t):
    x, y, _ = contradiction()
    theta = nk.eigh(NET.ntk(x))
    loss = theory.label_loss(theta, y, t=t)
    assert loss <= theory.loss_bound(theta, 0.5 * y @ y, t=t) * (1 + 1e-12)
    assert loss <= theory.label_loss_bound(theta, y, t=t) * (1 + 1e-12)
    gap = y[:6] - y[6:]  # half of it stays on either side
    assert loss >= 0.25 * gap @ gap * (1 - 1e-12 - growth(theta, t)) ** 2
