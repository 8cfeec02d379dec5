"""Polynomial and squared-exponential kernels, against scikit-learn, SciPy and 50 digits."""

import mpmath
import numpy as np
import pytest
from scipy.spatial.distance import cdist
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF
from sklearn.kernel_ridge import KernelRidge
from sklearn.metrics import pairwise

import ntkfast as nk
from ntkfast.classic import polynomial_kernel, squared_exponential_kernel

RNG = np.random.default_rng(0)
X, X_TEST, Y = RNG.normal(size=(40, 3)), RNG.normal(size=(7, 3)), RNG.normal(size=40)


@pytest.mark.parametrize("degree", [1, 2, 5])
@pytest.mark.parametrize(("scale", "offset"), [(1.0, 1.0), (1 / 3, 0.0), (0.4, 2.5)])
def test_polynomial_kernel(degree, scale, offset):
    settings = {"degree": degree, "scale": scale, "offset": offset}
    sklearns = {"degree": degree, "gamma": scale, "coef0": offset}
    gram = polynomial_kernel(X, **settings)
    size = pairwise.polynomial_kernel(X, **sklearns).diagonal().max()
    for found, expected in (
        (gram, pairwise.polynomial_kernel(X, **sklearns)),
        (
            polynomial_kernel(X_TEST, X, **settings),
            pairwise.polynomial_kernel(X_TEST, X, **sklearns),
        ),
        (polynomial_kernel(X, diagonal=True, **settings), gram.diagonal()),
    ):
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-14 * degree * size)
    np.testing.assert_array_equal(gram, gram.T)


@pytest.mark.parametrize(("length", "variance"), [(1.0, 1.0), (0.3, 2.0), (5.0, 0.1)])
def test_squared_exponential_kernel(length, variance):
    settings = {"length_scale": length, "variance": variance}

    def expected(a, b):
        return variance * np.exp(-cdist(a, b, "sqeuclidean") / (2 * length**2))

    gram = squared_exponential_kernel(X, **settings)
    np.testing.assert_allclose(gram, expected(X, X), rtol=0, atol=2e-15 * variance)
    cross = squared_exponential_kernel(X_TEST, X, **settings)
    np.testing.assert_allclose(cross, expected(X_TEST, X), rtol=0, atol=2e-15 * variance)
    np.testing.assert_array_equal(gram, gram.T)
    diagonal = squared_exponential_kernel(X, diagonal=True, **settings)
    np.testing.assert_array_equal(diagonal, np.full(40, variance))
    np.testing.assert_array_equal(gram.diagonal(), diagonal)


@pytest.mark.parametrize(("dtype", "bound"), [(np.float64, 1e-15), (np.float32, 2e-7)])
@pytest.mark.parametrize("centre", [0.0, 1000.0])
def test_points_that_nearly_coincide_lose_no_digits(dtype, bound, centre):
    """Where ‖x‖² + ‖x'‖² − 2x·x' is wrong by 1e-9, in single precision by all it has."""
    base = centre + RNG.normal(size=5)
    x = np.array([base, base, base + 1e-7, base + 1e-2, base - 0.3], dtype)
    kernel = squared_exponential_kernel(x, length_scale=0.25)
    with mpmath.workdps(50):
        exact = [
            [
                float(
                    mpmath.exp(
                        -8
                        * sum(
                            (mpmath.mpf(float(p)) - float(q)) ** 2
                            for p, q in zip(a, b, strict=True)
                        )
                    )
                )
                for b in x
            ]
            for a in x
        ]
    assert kernel.dtype == dtype
    np.testing.assert_allclose(kernel, exact, rtol=0, atol=bound)
    assert kernel[0, 1] == 1
    assert kernel.max() == 1


def test_they_serve_where_the_kernel_of_a_network_does():
    k, k_test = (squared_exponential_kernel(a, X, length_scale=1.5) for a in (X, X_TEST))
    prior = squared_exponential_kernel(X_TEST, length_scale=1.5)
    process = GaussianProcessRegressor(RBF(1.5), alpha=0.1, optimizer=None).fit(X, Y)
    mean, covariance = process.predict(X_TEST, return_cov=True)
    posterior = nk.Posterior.from_kernels(k, Y, noise_variance=0.1)
    found = posterior.predict_kernels(k_test, prior, covariance="full")
    np.testing.assert_allclose(found.mean, mean, atol=1e-12)
    np.testing.assert_allclose(found.covariance, covariance, atol=1e-12)

    k, k_test = (polynomial_kernel(a, X, degree=3) for a in (X, X_TEST))
    ridge = KernelRidge(kernel="poly", degree=3, gamma=1.0, coef0=1.0, alpha=0.5).fit(X, Y)
    regression = nk.KernelRegression(k, Y, diag_reg=0.5).predict(k_test)
    flow = nk.GradientFlow(k, Y, diag_reg=0.5)
    for predicted in (regression, flow.predict(k_test, t=np.inf)):
        np.testing.assert_allclose(predicted, ridge.predict(X_TEST), atol=1e-9)
    ensemble = nk.Ensemble.from_kernels(k, flow)
    trained = ensemble.predict_kernels(nk.Kernels(nngp=k_test, ntk=k_test))
    np.testing.assert_allclose(trained.mean, ridge.predict(X_TEST), atol=1e-9)


def test_no_points_and_types():
    assert squared_exponential_kernel(np.zeros((0, 2))).shape == (0, 0)
    assert polynomial_kernel(X[:0], X, degree=2).shape == (0, 40)
    assert polynomial_kernel(X.astype(np.float32), degree=2).dtype == np.float32
    mixed = squared_exponential_kernel(X.astype(np.float32), X.astype(np.float32).astype(float))
    assert mixed.dtype == np.float64
    np.testing.assert_array_equal(mixed.diagonal(), np.ones(40))


def test_progress_is_reported():
    calls = []
    polynomial_kernel(X, degree=2, progress=lambda *done: calls.append(done))
    squared_exponential_kernel(X, progress=lambda *done: calls.append(done))
    assert calls
    assert all(done <= total for done, total in calls)


@pytest.mark.parametrize(
    ("call", "kind", "words"),
    [
        (lambda: polynomial_kernel(X, degree=0), ValueError, "degree is 0"),
        (lambda: polynomial_kernel(X, degree=2.5), TypeError, "degree is 2.5"),
        (lambda: polynomial_kernel(X, degree=2, scale=0.0), ValueError, "scale is 0.0"),
        (lambda: polynomial_kernel(X, degree=2, offset=-1.0), ValueError, "offset is -1.0"),
        (
            lambda: polynomial_kernel(1e3 * X, degree=999),
            nk.NumericalError,
            "lower scale or degree",
        ),
        (lambda: polynomial_kernel(X[0], degree=2), ValueError, "x has shape"),
        (
            lambda: squared_exponential_kernel(X, length_scale=0.0),
            ValueError,
            "length_scale is 0.0",
        ),
        (lambda: squared_exponential_kernel(X, variance=-1.0), ValueError, "variance is -1.0"),
        (lambda: squared_exponential_kernel(X, X[:, :2]), ValueError, "x2 has shape"),
        (lambda: squared_exponential_kernel([[0.0, np.nan]]), ValueError, "NaN at index 0, 1"),
    ],
)
def test_refusals(call, kind, words):
    with pytest.raises(kind, match=words):
        call()
