"""Kernel regression against NumPy, gradient flow, 50 digits, and limits by hand."""

import math

import mpmath
import numpy as np
import pytest
import scipy.linalg
from hypothesis import given
from hypothesis import strategies as st

import ntkfast as nk
from gaussian_processes import Problem

EPS = np.finfo(float).eps
RIDGES = [0.0, 0.3, np.linspace(0.1, 2, 12)]


@pytest.mark.parametrize("ridge", RIDGES)
def test_predictions_are_the_textbook_formula(ridge):
    p = Problem()
    theta, k_test, _ = p.blocks("ntk")
    fit = nk.KernelRegression(theta, p.y, diag_reg=ridge)
    alpha = np.linalg.solve(theta + ridge * np.eye(p.n), p.y)
    close = {"rtol": 1e-10, "atol": 1e-12}
    np.testing.assert_allclose(fit.coefficients, alpha, **close)
    np.testing.assert_allclose(fit.predict(k_test), k_test @ alpha, **close)
    np.testing.assert_allclose(fit.predict_train(), theta @ alpha, **close)
    assert fit.jitter == 0
    np.testing.assert_array_equal(fit.diagonal, np.broadcast_to(ridge, p.n))
    inverse = np.linalg.inv(theta + ridge * np.eye(p.n))
    np.testing.assert_allclose(fit.inverse_diagonal, inverse.diagonal(), rtol=1e-11)


def test_it_is_where_gradient_flow_ends():
    p = Problem()
    theta, k_test, _ = p.blocks("ntk")
    for ridge in (0.0, 0.2):
        flow = nk.GradientFlow(theta, p.y, diag_reg=ridge)
        fit = nk.KernelRegression(theta, p.y, diag_reg=ridge)
        np.testing.assert_allclose(
            fit.predict(k_test), flow.predict(k_test, t=np.inf), rtol=1e-10, atol=1e-12
        )


@pytest.mark.parametrize("ridge", RIDGES)
def test_leave_one_out_is_what_it_says(ridge):
    p = Problem()
    theta = p.blocks("ntk")[0]
    diagonal = np.broadcast_to(ridge, p.n)
    found = nk.KernelRegression(theta, p.y, diag_reg=ridge).leave_one_out()
    for i in range(p.n):
        rest = np.delete(np.arange(p.n), i)
        gram = theta[np.ix_(rest, rest)] + np.diag(diagonal[rest])
        expected = theta[i, rest] @ np.linalg.solve(gram, p.y[rest])
        np.testing.assert_allclose(found[i], expected, rtol=1e-10, atol=1e-11)


@given(
    st.integers(1, 10),
    st.integers(1, 15),
    st.floats(1e-6, 1e3),
    st.integers(-900, 900),
    st.integers(0, 10_000),
)
def test_any_problem_with_a_ridge(n, features, ridge, power, seed):
    """The residual of the equation is of rounding, whatever the scale and the rank."""
    p = Problem(n, 1, 2, features, seed)
    theta = np.ldexp(p.blocks("ntk")[0], power)
    fit = nk.KernelRegression(theta, p.y, diag_reg=math.ldexp(ridge, power))
    alpha = np.ldexp(fit.coefficients, power)
    gram = p.blocks("ntk")[0] + ridge * np.eye(n)
    size = np.linalg.norm(gram) * np.linalg.norm(alpha)
    np.testing.assert_allclose(gram @ alpha, p.y, atol=100 * EPS * size)
    np.testing.assert_allclose(fit.predict_train(), gram @ alpha - ridge * alpha, atol=1e-9 * size)
    assert fit.jitter == 0


@pytest.mark.parametrize("size", [1e150, 1e-150])
def test_scale_changes_rounding_only(size):
    p = Problem()
    theta, k_test, _ = p.blocks("ntk")
    plain = nk.KernelRegression(theta, p.y, diag_reg=0.1)
    scaled = nk.KernelRegression(size * theta, p.y, diag_reg=0.1 * size)
    close = {"rtol": 1e-12, "atol": 1e-13}
    np.testing.assert_allclose(scaled.predict(size * k_test), plain.predict(k_test), **close)
    np.testing.assert_allclose(scaled.leave_one_out(), plain.leave_one_out(), **close)
    np.testing.assert_allclose(scaled.condition_estimate, plain.condition_estimate, rtol=1e-12)


# Singular and ill-conditioned kernels.


@pytest.mark.parametrize(("dtype", "accuracy"), [(np.float64, 1e-5), (np.float32, 2e-2)])
@pytest.mark.parametrize("shift", [0.0, 1.0])
def test_points_that_come_twice(dtype, accuracy, shift):
    """Equal labels are learnt; of contradictory ones the mean. The jitter is ε^⅔."""
    p = Problem(n=6, m=3, c=2)
    theta, k_test, _ = p.blocks("ntk")
    y = np.vstack([p.y, p.y + shift]).astype(dtype)
    with pytest.warns(RuntimeWarning, match=r"theta is singular.*diag_reg.*GradientFlow"):
        fit = nk.KernelRegression(np.tile(theta, (2, 2)).astype(dtype), y)
    largest = theta.diagonal().max()
    assert 0 < fit.jitter <= np.finfo(dtype).eps ** 0.5 * largest * 1.01
    expected = k_test @ np.linalg.solve(theta, p.y + shift / 2)
    found = fit.predict(np.tile(k_test, 2).astype(dtype))
    np.testing.assert_allclose(found, expected, rtol=0, atol=accuracy)
    np.testing.assert_allclose(fit.predict_train()[:6], p.y + shift / 2, rtol=0, atol=accuracy)
    assert np.isfinite(fit.leave_one_out()).all()
    assert f"jitter={fit.jitter:.2g}" in repr(fit)


def test_a_kernel_of_rank_one():
    v, y = np.array([1.0, 2.0, -1.0]), np.array([1.0, 0.0, 2.0])
    with pytest.warns(RuntimeWarning, match="singular"):
        fit = nk.KernelRegression(np.outer(v, v), y)
    np.testing.assert_allclose(fit.predict(np.outer([3.0], v)), [3 * (v @ y) / 6], atol=1e-5)


@pytest.mark.parametrize("size", [0.0, 1e-290, 1.0, 1e300])
def test_a_point_that_the_kernel_does_not_see(size):
    with pytest.warns(RuntimeWarning, match="singular"):
        fit = nk.KernelRegression(np.diag([size, 0.0]), [1.0, 2.0])
    expected = [0.5 if size else 0.0, 0.0]
    np.testing.assert_allclose(fit.predict([[size / 2, 0.0], [0.0, 0.0]]), expected, rtol=1e-9)


def test_a_spread_of_1e16_on_the_diagonal_needs_no_jitter():
    values = np.array([1e-300, 1e-16, 1e-5, 1.0, 1e3])
    fit = nk.KernelRegression(np.diag(values), np.ones(5))
    assert fit.jitter == 0
    np.testing.assert_allclose(fit.coefficients, 1 / values, rtol=10 * EPS)
    np.testing.assert_allclose(fit.condition_estimate, 1e303, rtol=1e-12)


def test_an_ill_conditioned_kernel_against_50_digits():
    """Hilbert's matrix of order 9, condition number 5e11, as rounded to float64."""
    theta, y = scipy.linalg.hilbert(9), np.cos(np.arange(9.0))
    fit = nk.KernelRegression(theta, y)
    assert fit.jitter == 0
    with mpmath.workdps(50):
        gram = mpmath.matrix(theta.tolist())
        alpha = np.array(mpmath.lu_solve(gram, mpmath.matrix(y)).tolist(), float).ravel()
        eigenvalues = mpmath.eigsy(gram, eigvals_only=True)
        condition = float(eigenvalues[8] / eigenvalues[0])
    error = np.linalg.norm(fit.coefficients - alpha) / np.linalg.norm(alpha)
    assert error < 10 * EPS * condition
    assert condition / 1e4 < fit.condition_estimate <= condition
    # Where the kernel is that of training points the large coefficients cancel again.
    size = np.abs(theta) @ np.abs(alpha)
    np.testing.assert_allclose(fit.predict(theta), y, atol=20 * EPS * size.max())


def test_a_kernel_too_small_for_coefficients_is_an_error():
    with pytest.raises(nk.NumericalError, match=r"range of float64.*multiply theta"):
        nk.KernelRegression([[1e-310]], [1.0])


def test_what_no_jitter_mends_is_an_error():
    with pytest.raises(nk.NumericalError, match=r"theta is not positive semi-definite.*diag_reg"):
        nk.KernelRegression(np.diag([1.0, 2.0, -0.5]), np.ones(3))
    assert nk.KernelRegression(np.diag([1.0, 2.0, -0.5]), np.ones(3), diag_reg=0.6).jitter == 0
