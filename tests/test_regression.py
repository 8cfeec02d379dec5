"""Kernel regression against NumPy, gradient flow, 50 digits, and limits by hand."""

import dataclasses
import functools
import math
import pickle

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
            fit.predict(k_test), flow.predict(np.inf, k_test), rtol=1e-10, atol=1e-12
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


# Large systems, which are solved by a factor in float32 and refined.


@functools.cache
def rotation():
    """An orthogonal matrix of an order that is large, just so."""
    return np.linalg.qr(np.random.default_rng(5).normal(size=(520, 520)))[0]


def spread(condition):
    """A matrix of norm 1 and this condition number, and targets."""
    vectors = rotation()
    gram = (vectors * np.logspace(0, -np.log10(condition), len(vectors))) @ vectors.T
    return (gram + gram.T) / 2, np.random.default_rng(6).normal(size=(len(vectors), 3))


@pytest.mark.parametrize(
    ("condition", "size"),
    [(1e1, 1.0), (1e3, 1e150), (1e4, 1e-150), (1e5, 1.0), (1e7, 1.0), (1e10, 1.0)],
)
def test_large_systems_leave_the_residual_of_a_direct_solve(condition, size):
    theta, y = spread(condition)
    fit = nk.KernelRegression(size * theta, y)
    direct = scipy.linalg.cho_solve(scipy.linalg.cho_factor(theta), y)

    def residual(x):
        return np.linalg.norm(theta @ x - y) / np.linalg.norm(x)

    alpha = fit.coefficients * size
    assert residual(alpha) <= 2 * EPS
    assert np.linalg.norm(alpha - direct) <= 2 * EPS * condition * np.linalg.norm(direct)
    assert fit.jitter == 0
    pivots = np.linalg.cholesky(theta).diagonal()
    estimate = (pivots.max() / pivots.min()) ** 2
    np.testing.assert_allclose(fit.condition_estimate, estimate, rtol=1e-3)
    assert fit.condition_estimate <= condition
    # A factor of float64 was made where float32 does not resolve the matrix, and there only.
    assert ("cholesky" in vars(fit)) == (condition >= 1e7)


def test_large_systems_with_rows_of_any_size_and_a_ridge():
    theta, y = spread(1e3)
    scale = np.logspace(-120, 120, len(y))
    ridge = np.linspace(0.0, 2.0, len(y)) * scale**2
    fit = nk.KernelRegression(theta * scale * scale[:, None], y * scale[:, None], diag_reg=ridge)
    expected = np.linalg.solve(theta + np.diag(ridge / scale**2), y)
    np.testing.assert_allclose(
        fit.coefficients * scale[:, None], expected, rtol=0, atol=1e-12 * np.abs(expected).max()
    )


def test_the_factor_of_a_large_system_is_of_float64():
    theta, y = spread(1e2)
    inverse = np.linalg.inv(theta)
    expected = np.linalg.cholesky(theta)
    fit = nk.KernelRegression(theta, y)
    np.testing.assert_allclose(fit.cholesky.factor, expected, rtol=0, atol=1e-13)
    np.testing.assert_allclose(fit.inverse_diagonal, inverse.diagonal(), rtol=1e-12)
    left_out = y - fit.coefficients / inverse.diagonal()[:, None]
    np.testing.assert_allclose(fit.leave_one_out(), left_out, rtol=0, atol=1e-11)
    twin = pickle.loads(pickle.dumps(fit))
    np.testing.assert_array_equal(twin.coefficients, fit.coefficients)
    changed = nk.KernelRegression(theta, y)
    theta[5, 5] += 0.1
    with pytest.raises(ValueError, match=r"theta has changed.*theta\.copy\(\)"):
        changed.leave_one_out()


def test_large_systems_are_refused_and_mended_as_small_ones(threads):
    theta, y = spread(1e2)
    fits = []
    for count in (1, 2, 3):
        nk.set_num_threads(count)
        fits.append(nk.KernelRegression(theta, y).coefficients)
    assert all(np.array_equal(fits[0], other) for other in fits[1:])
    theta[510] = theta[:, 510] = theta[3]
    theta[3, 510] = theta[510, 3] = theta[510, 510] = theta[3, 3]
    with pytest.warns(RuntimeWarning, match="theta is singular"):
        assert nk.KernelRegression(theta, y).jitter > 0
    theta[7, 7] = -1.0
    with pytest.raises(nk.NumericalError, match="theta is not positive semi-definite"):
        nk.KernelRegression(theta, y)
    theta[400, 500] += 1.0
    with pytest.raises(ValueError, match=r"theta must be symmetric.*\[400, 500\]"):
        nk.KernelRegression(theta, y)
    theta[1, 2] = np.inf
    with pytest.raises(ValueError, match="theta has an infinity at index 1, 2"):
        nk.KernelRegression(theta, y)


# The object.


@pytest.mark.parametrize("outputs", [(), (1,), (3,), (2, 2)])
def test_shapes(outputs):
    p = Problem(n=7)
    theta, k_test, _ = p.blocks("ntk")
    y = np.random.default_rng(1).normal(size=(7, *outputs))
    fit = nk.KernelRegression(theta, y, diag_reg=0.1)
    for answer in (fit.coefficients, fit.predict_train(), fit.leave_one_out()):
        assert answer.shape == y.shape
    assert fit.predict(k_test).shape == (5, *outputs)
    for index in np.ndindex(outputs):
        alone = nk.KernelRegression(theta, y[(slice(None), *index)], diag_reg=0.1)
        here = (slice(None), *index)
        np.testing.assert_allclose(fit.predict(k_test)[here], alone.predict(k_test), atol=1e-13)
        np.testing.assert_allclose(fit.leave_one_out()[here], alone.leave_one_out(), atol=1e-13)


@pytest.mark.parametrize(
    ("theta", "y", "expected"),
    [
        (np.float32, np.float32, np.float32),
        (np.float32, np.float64, np.float64),
        (np.float64, np.float32, np.float64),
        (np.int64, np.int64, np.float64),
    ],
)
def test_results_take_the_wider_type(theta, y, expected):
    fit = nk.KernelRegression(2 * np.eye(4, dtype=theta), np.arange(4).astype(y), diag_reg=1.0)
    assert fit.coefficients.dtype == fit.predict_train().dtype == expected
    assert fit.predict(np.eye(4, dtype=theta)).dtype == expected
    assert fit.leave_one_out().dtype == expected


def test_one_and_no_training_point():
    one = nk.KernelRegression([[2.0]], [3.0])
    np.testing.assert_allclose(one.predict([[2.0], [1.0]]), [3.0, 1.5], rtol=4 * EPS)
    np.testing.assert_allclose(one.leave_one_out(), [0.0], atol=4 * EPS)
    none = nk.KernelRegression(np.empty((0, 0)), np.empty((0, 2)))
    np.testing.assert_array_equal(none.predict(np.empty((4, 0))), np.zeros((4, 2)))
    assert none.leave_one_out().shape == (0, 2)
    assert math.isnan(none.condition_estimate)


def test_it_is_frozen_picklable_and_prints_a_summary():
    y = np.array([1.0, 2.0])
    fit = nk.KernelRegression(np.diag([1.0, 4.0]), y, diag_reg=0.25)
    assert repr(fit) == (
        "KernelRegression(n=2, y of shape (2,), diag_reg=0.25, jitter=0, "
        "condition number >= 3.4, float64)"
    )
    by_point = nk.KernelRegression(np.eye(2), y, diag_reg=[0.0, 1.0])
    assert "diag_reg=<array of shape (2,)>" in repr(by_point)
    twin = pickle.loads(pickle.dumps(fit))
    np.testing.assert_array_equal(twin.predict(np.eye(2)), fit.predict(np.eye(2)))
    with pytest.raises(dataclasses.FrozenInstanceError):
        fit.jitter = 1.0
    y[:] = np.nan
    assert np.isfinite(fit.leave_one_out()).all()


@pytest.mark.parametrize(
    ("build", "error", "words"),
    [
        (lambda: nk.KernelRegression(np.ones((2, 3)), [1, 2]), ValueError, ["theta has shape"]),
        (
            lambda: nk.KernelRegression([[1, 2], [3, 4]], [1, 2]),
            ValueError,
            ["symmetric", "[0, 1]"],
        ),
        (lambda: nk.KernelRegression(np.eye(2) * np.nan, [1, 2]), ValueError, ["theta has a NaN"]),
        (lambda: nk.KernelRegression(nk.mlp(1), [1, 2]), TypeError, ["a network", "net.ntk(x)"]),
        (lambda: nk.KernelRegression(np.eye(2), [1]), ValueError, ["y has shape (1,)", "(2,)"]),
        (lambda: nk.KernelRegression(np.eye(2), np.ones((2, 0))), ValueError, ["c >= 1"]),
        (
            lambda: nk.KernelRegression(np.eye(2), [1, 2], diag_reg=-1),
            ValueError,
            ["diag_reg is -1", ">= 0"],
        ),
        (
            lambda: nk.KernelRegression(np.eye(2), [1, 2], diag_reg=[1, 2, 3]),
            ValueError,
            ["diag_reg has shape (3,)", "(2,)"],
        ),
        (
            lambda: nk.KernelRegression(np.eye(2) * 1e308, [1, 2], diag_reg=1e308),
            ValueError,
            ["diagonal of theta", "range of float64"],
        ),
        (
            lambda: nk.KernelRegression(np.eye(2), [1, 2]).predict(np.ones((2, 3))),
            ValueError,
            ["k_test_train has shape (2, 3)", "k_test_train.T"],
        ),
    ],
)
def test_bad_arguments_are_refused_by_name(build, error, words):
    with pytest.raises(error) as caught:
        build()
    for word in words:
        assert word in str(caught.value)
