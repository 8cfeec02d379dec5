"""Gradient flow against matrix exponentials, 50 digits, literal descent, and limits by hand."""

import math

import mpmath
import numpy as np
import pytest
import scipy.linalg

import ntkfast as nk
from linear_model import problem

EPS = np.finfo(float).eps


def exponential(theta, y, f0, t, learning_rate=1.0, ridge=0.0):
    """α_t by the matrix exponential of dα/dt = η·(y − f_0 − (Θ + r)·α), α_0 = 0."""
    n, c = y.shape
    system = np.zeros((n + c, n + c))
    system[:n, :n] = -learning_rate * (theta + ridge * np.eye(n))
    system[:n, n:] = learning_rate * (y - f0)
    return scipy.linalg.expm(system * t)[:n, n:]


# A hidden ReLU layer on three points of a line: Θ, its eigenvalues and f at t = 1.5, to 8 digits.

THREE_POINTS = np.array(
    [
        [2.04, 2.04888213, 2.07923821],
        [2.04888213, 2.16, 2.26003372],
        [2.07923821, 2.26003372, 2.64],
    ]
)


def test_three_points():
    spectrum = nk.eigh(THREE_POINTS)
    np.testing.assert_allclose(
        spectrum.eigenvalues, [0.02901953, 0.2543766, 6.55660386], atol=2e-8, rtol=0
    )
    flow = nk.GradientFlow(spectrum, [-0.05, -0.2, 0.3])
    np.testing.assert_allclose(
        flow.predict_train(t=1.5), [-0.03078716, -0.00183128, 0.100015], atol=2e-8, rtol=0
    )


# Against the matrix exponential.


@pytest.mark.parametrize("reduction", ["sum", "mean"])
@pytest.mark.parametrize(("diag_reg", "relative"), [(0.0, 0.0), (0.3, 0.0), (0.0, 0.2), (0.1, 0.5)])
@pytest.mark.parametrize("t", [0.0, 1e-3, 0.7, 5.0, 40.0])
def test_flow_is_the_solution_of_its_equation(t, diag_reg, relative, reduction):
    j, j_test, y, w0 = problem()
    theta, k_test, f0, f0_test = j @ j.T, j_test @ j.T, j @ w0, j_test @ w0
    flow = nk.GradientFlow(
        theta,
        y,
        learning_rate=0.6,
        reduction=reduction,
        diag_reg=diag_reg,
        relative_diag_reg=relative,
    )
    ridge = diag_reg + relative * np.trace(theta) / len(y)
    rate = 0.6 / (y.size if reduction == "mean" else 1)
    alpha = exponential(theta, y, f0, t, rate, ridge)
    f = f0 + theta @ alpha
    close = {"rtol": 1e-11, "atol": 1e-12}
    np.testing.assert_allclose(flow.coefficients(f0, t=t), alpha, **close)
    np.testing.assert_allclose(flow.predict_train(f0, t=t), f, **close)
    np.testing.assert_allclose(flow.residual(f0, t=t), y - f, **close)
    np.testing.assert_allclose(
        flow.predict(k_test, f0, f0_test, t=t), f0_test + k_test @ alpha, **close
    )
    loss = 0.5 * np.sum((f - y) ** 2) / (y.size if reduction == "mean" else 1)
    np.testing.assert_allclose(flow.loss(f0, t=t), loss, **close)
    assert flow.ridge == pytest.approx(ridge, rel=1e-14)


def test_flow_is_gradient_descent_in_small_steps():
    """Weights of a linear model under ½‖J·w − y‖² + ½r‖w − w_0‖², one Euler step at a time."""
    j, j_test, y, w0 = problem(n=6, m=4, c=2, p=10)
    theta, eta, ridge, t = j @ j.T, 0.8, 0.05, 2.0

    def descend(steps):
        w = w0.copy()
        for _ in range(steps):
            w -= eta * t / steps * (j.T @ (j @ w - y) + ridge * (w - w0))
        return w

    # The error of Euler steps is a power series in their length, and this takes its first term.
    w = 2 * descend(20_000) - descend(10_000)
    flow = nk.GradientFlow(theta, y, learning_rate=eta, diag_reg=ridge)
    np.testing.assert_allclose(flow.predict_train(j @ w0, t=t), j @ w, atol=1e-7, rtol=0)
    np.testing.assert_allclose(
        flow.predict(j_test @ j.T, j @ w0, j_test @ w0, t=t), j_test @ w, atol=1e-7, rtol=0
    )
    np.testing.assert_allclose(w0 + j.T @ flow.coefficients(j @ w0, t=t), w, atol=1e-7, rtol=0)


def test_initial_gradient():
    j, j_test, y, w0 = problem()
    theta, k_test, f0 = j @ j.T, j_test @ j.T, j @ w0
    flow = nk.GradientFlow(theta, y, learning_rate=0.7, diag_reg=0.1)
    literal = -0.7 * j_test @ (j.T @ (f0 - y))  # −η·J*·∇L
    np.testing.assert_allclose(flow.initial_gradient(k_test, f0), literal, atol=1e-13, rtol=0)
    h = 1e-6
    slope = (flow.predict(k_test, f0, t=2 * h) - flow.predict(k_test, f0, t=0)) / (2 * h)
    np.testing.assert_allclose(slope, literal, atol=1e-4, rtol=0)
    mean = nk.GradientFlow(theta, y, learning_rate=0.7, reduction="mean")
    np.testing.assert_allclose(
        mean.initial_gradient(k_test, f0), literal / y.size, atol=1e-13, rtol=0
    )


# The end of training.


def test_the_end_is_interpolation():
    j, j_test, y, w0 = problem()
    theta, k_test, f0, f0_test = j @ j.T, j_test @ j.T, j @ w0, j_test @ w0
    flow = nk.GradientFlow(theta, y)
    np.testing.assert_allclose(flow.predict_train(f0, t=np.inf), y, atol=1e-12, rtol=0)
    np.testing.assert_array_equal(flow.residual(f0, t=np.inf), np.zeros_like(y))
    assert flow.loss(f0, t=np.inf) == 0.0
    expected = f0_test + k_test @ np.linalg.solve(theta, y - f0)
    np.testing.assert_allclose(
        flow.predict(k_test, f0, f0_test, t=np.inf), expected, atol=1e-11, rtol=0
    )


def test_the_end_with_regularisation_is_ridge_regression():
    j, j_test, y, _ = problem()
    theta, k_test = j @ j.T, j_test @ j.T
    flow = nk.GradientFlow(theta, y, diag_reg=0.25)
    alpha = np.linalg.solve(theta + 0.25 * np.eye(len(y)), y)
    np.testing.assert_allclose(flow.coefficients(t=np.inf), alpha, atol=1e-12, rtol=0)
    np.testing.assert_allclose(flow.predict(k_test, t=np.inf), k_test @ alpha, atol=1e-12, rtol=0)
    np.testing.assert_allclose(flow.residual(t=np.inf), 0.25 * alpha, atol=1e-12, rtol=0)
    np.testing.assert_allclose(flow.loss(t=np.inf), 0.5 * np.sum((0.25 * alpha) ** 2), rtol=1e-12)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_the_end_of_a_singular_problem_is_the_minimum_norm(dtype):
    """Each point comes twice, with two targets: all that can be learnt is their mean."""
    j, _, y, _ = problem(n=10, c=2)
    theta = (j @ j.T).astype(dtype)
    doubled, targets = np.tile(theta, (2, 2)), np.vstack([y, y + 1]).astype(dtype)
    flow = nk.GradientFlow(doubled, targets)
    accuracy = 1e3 * np.finfo(dtype).eps
    mean = np.vstack([y, y]) + 0.5
    np.testing.assert_allclose(flow.predict_train(t=np.inf), mean, atol=accuracy, rtol=0)
    np.testing.assert_allclose(flow.residual(t=np.inf), targets - mean, atol=accuracy, rtol=0)
    np.testing.assert_allclose(flow.loss(t=np.inf), 0.5 * 0.25 * targets.size, rtol=accuracy)
    # pinv([[Θ, Θ], [Θ, Θ]]) = ¼·[[Θ⁻¹, Θ⁻¹], [Θ⁻¹, Θ⁻¹]].
    half = np.linalg.solve(theta.astype(float), 2 * y + 1) / 4
    np.testing.assert_allclose(
        flow.coefficients(t=np.inf), np.vstack([half, half]), atol=100 * accuracy, rtol=0
    )


def test_nothing_is_learnt_from_a_zero_kernel():
    flow = nk.GradientFlow(np.zeros((2, 2)), [1.0, 2.0], learning_rate=3.0)
    np.testing.assert_array_equal(flow.predict_train(t=[0, 5, np.inf]), np.zeros((3, 2)))
    np.testing.assert_array_equal(flow.residual(t=[5, np.inf]), [[1, 2], [1, 2]])
    np.testing.assert_array_equal(flow.loss(t=[5, np.inf]), [2.5, 2.5])
    np.testing.assert_array_equal(flow.coefficients(t=np.inf), [0, 0])
    np.testing.assert_allclose(flow.coefficients(t=5.0), [15, 30], rtol=1e-14)  # ηt·(y − f_0)


@pytest.mark.parametrize("rounding", [-1e-17, -1e-12, 0.0, 1e-300])
def test_an_eigenvalue_of_rounding_gives_the_limit(rounding):
    spectrum = nk.Spectrum([rounding, 1.0], np.eye(2))
    flow = nk.GradientFlow(spectrum, [1.0, 1.0], learning_rate=2.0)
    t = np.array([1.0, 1e6, np.inf])
    np.testing.assert_allclose(flow.coefficients(t=t)[:, 0], [2.0, 2e6, 0.0], rtol=1e-14)
    np.testing.assert_allclose(flow.residual(t=t)[:, 0], 1.0, rtol=1e-14)
    np.testing.assert_allclose(flow.loss(t=t)[1:], 0.5, rtol=1e-14)


@pytest.mark.parametrize(("size", "rate"), [(1e10, 1e300), (1e-300, 1e-300), (1e-5, 1e-320)])
def test_both_ends_of_time_whatever_becomes_of_the_rate(size, rate):
    # η·λ overflows or vanishes: neither 0·∞ at the start nor ∞·0 at the end.
    flow = nk.GradientFlow(np.diag([size, 0.0]), [1.0, 1.0], learning_rate=rate)
    t = np.array([0.0, np.inf])
    np.testing.assert_allclose(flow.predict_train(t=t), [[0, 0], [1, 0]], rtol=EPS)
    np.testing.assert_array_equal(flow.residual(t=t), [[1, 1], [0, 1]])
    np.testing.assert_array_equal(flow.loss(t=t), [1, 0.5])
    np.testing.assert_array_equal(flow.coefficients(t=t)[0], [0, 0])


def test_nothing_is_learnt_of_a_zero_mode_however_large_the_time():
    flow = nk.GradientFlow(np.diag([1.0, 0.0]), [1.0, 1.0], learning_rate=1e300)
    np.testing.assert_array_equal(flow.predict_train(t=1e300), [1, 0])
    np.testing.assert_array_equal(flow.residual(t=1e300), [0, 1])


def test_the_ridge_of_a_huge_kernel():
    flow = nk.GradientFlow(np.eye(4) * 1e308, np.ones(4), relative_diag_reg=0.5)
    assert flow.ridge == pytest.approx(5e307, rel=1e-14)
    np.testing.assert_allclose(flow.residual(t=np.inf), 1 / 3, rtol=1e-14)


# Each mode against 50 digits and more: with n = 1 the answers are functions of one eigenvalue.

WIDE = np.array([1e-300, 1e-100, 1e-17, 1e-9, 1e-3, 0.5, 1.0, 3e3])
MANY_TIMES = np.array([1e-290, 1e-20, 1e-7, 1e-3, 0.1, 1.0, 30.0, 1e4, 1e12])


@pytest.mark.parametrize("value", WIDE)
@pytest.mark.parametrize("ridge", [0.0, 1e-20, 1e-4, 2.0])
def test_filters_to_full_relative_accuracy(ridge, value):
    target = 1.7
    flow = nk.GradientFlow([[value]], [target], learning_rate=0.7, diag_reg=ridge)
    alpha, fit = flow.coefficients(t=MANY_TIMES)[:, 0], flow.predict_train(t=MANY_TIMES)[:, 0]
    residual, loss = flow.residual(t=MANY_TIMES)[:, 0], flow.loss(t=MANY_TIMES)
    with mpmath.workdps(700):  # 1 − 1e-590 is asked for
        for i, t in enumerate(map(mpmath.mpf, MANY_TIMES)):
            shifted = mpmath.mpf(value) + mpmath.mpf(ridge)
            exponent = mpmath.mpf(0.7) * shifted * t
            phi = (1 - mpmath.exp(-exponent)) / shifted
            left = 1 - mpmath.mpf(value) * phi
            # A rounding of the exponent is all that the exponential amplifies.
            decay = 8 * EPS * (1 + float(min(exponent, 750)))
            assert _relative(alpha[i], phi * target) < 8 * EPS
            assert _relative(fit[i], value * phi * target) < 8 * EPS
            assert _relative(residual[i], left * target) < decay
            assert _relative(loss[i], (left * mpmath.mpf(target)) ** 2 / 2) < 2 * decay


def _relative(found, expected):
    if abs(expected) < mpmath.mpf(2.3e-308):  # below the normal numbers digits are lost
        return float(abs(mpmath.mpf(float(found)) - expected) / mpmath.mpf(2.3e-308))
    return float(abs(mpmath.mpf(float(found)) / expected - 1))


def test_the_loss_of_a_long_training_is_not_lost_in_rounding():
    """It falls to 1e-86, where ½‖f − y‖² from f itself could not tell it from 1e-31."""
    n, t = 8, 100.0
    u, _ = np.linalg.qr(np.random.default_rng(4).normal(size=(n, n)))
    theta = (u * np.linspace(1, 4, n)) @ u.T
    theta, y = (theta + theta.T) / 2, np.linspace(-1, 1, n)
    with mpmath.workdps(120):
        left = mpmath.expm(mpmath.matrix(theta) * -t) * mpmath.matrix(y)
        expected = float(sum(v**2 for v in left) / 2)
    assert expected < 1e-86
    # Rounding moves an eigenvalue by some ε·‖Θ‖, and the exponent 2λt by 2t times that.
    assert nk.GradientFlow(theta, y).loss(t=t) == pytest.approx(expected, rel=2 * t * 4 * n * EPS)


@pytest.mark.parametrize("exponent", [-500, -300, 300, 500])
def test_any_scale_of_the_kernel(exponent):
    j, j_test, y, w0 = problem()
    theta, k_test, f0 = j @ j.T, j_test @ j.T, j @ w0
    plain = nk.GradientFlow(theta, y, learning_rate=1.0, diag_reg=0.125)
    scaled = nk.GradientFlow(
        np.ldexp(theta, exponent),
        y,
        learning_rate=math.ldexp(1.0, -exponent),
        diag_reg=math.ldexp(0.125, exponent),
    )
    k_scaled = np.ldexp(k_test, exponent)
    for t in (0.1, 3.0, np.inf):
        for found, expected in [
            (scaled.predict_train(f0, t=t), plain.predict_train(f0, t=t)),
            (scaled.residual(f0, t=t), plain.residual(f0, t=t)),
            (scaled.loss(f0, t=t), plain.loss(f0, t=t)),
            (scaled.predict(k_scaled, f0, t=t), plain.predict(k_test, f0, t=t)),
        ]:
            np.testing.assert_allclose(found, expected, rtol=1e-11, atol=1e-12)
