"""Samples and densities of normal distributions against SciPy and their own moments."""

import dataclasses
import math
import pickle

import numpy as np
import pytest
from scipy import stats

import ntkfast as nk
from refusals import assert_refused

MEAN = np.array([[1.0, -2.0], [0.5, 0.0], [3.0, 4.0]])
ROOT = np.array([[1.0, 0.0, 0.0], [0.8, 0.5, 0.0], [-0.3, 0.2, 0.1]])
COVARIANCE = ROOT @ ROOT.T


@pytest.mark.parametrize("noise", [0.0, 0.3, np.array([0.1, 0.0, 2.0])])
def test_log_density_is_that_of_scipy(noise, rng):
    y = MEAN + rng.normal(size=MEAN.shape)
    full, variances = nk.Normal(MEAN, COVARIANCE), nk.Normal(MEAN, COVARIANCE.diagonal())
    total = COVARIANCE + noise * np.eye(3)
    joint = sum(stats.multivariate_normal(MEAN[:, k], total).logpdf(y[:, k]) for k in range(2))
    assert full.log_density(y, noise_variance=noise) == pytest.approx(joint, rel=1e-12)
    single = stats.norm(MEAN, np.sqrt(total.diagonal())[:, None]).logpdf(y).sum()
    assert variances.log_density(y, noise_variance=noise) == pytest.approx(single, rel=1e-13)
    one = nk.Normal(MEAN[:, 0], COVARIANCE)
    expected = stats.multivariate_normal(MEAN[:, 0], total).logpdf(y[:, 0])
    assert one.log_density(y[:, 0], noise_variance=noise) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("size", [1e150, 1e-150])
def test_log_density_at_any_scale(size):
    y = MEAN + 1
    plain = nk.Normal(MEAN, COVARIANCE).log_density(y)
    expected = plain - y.size * math.log(size) / 2
    for covariance in (COVARIANCE, COVARIANCE.diagonal()):
        plain = nk.Normal(MEAN, covariance).log_density(y)
        scaled = nk.Normal(MEAN * size**0.5, covariance * size)
        expected = plain - y.size * math.log(size) / 2
        assert scaled.log_density(y * size**0.5) == pytest.approx(expected, rel=1e-12)


def test_a_singular_covariance_has_no_density():
    singular = nk.Normal(np.zeros(2), np.ones((2, 2)))
    with pytest.raises(nk.NumericalError, match=r"singular.*noise_variance"):
        singular.log_density([0.0, 0.0])
    expected = stats.multivariate_normal(np.zeros(2), [[1.5, 1], [1, 1.5]]).logpdf([1.0, 2.0])
    assert singular.log_density([1.0, 2.0], noise_variance=0.5) == pytest.approx(
        expected, rel=1e-13
    )
    certain = nk.Normal(np.zeros(2), np.array([1.0, 0.0]))
    with pytest.raises(nk.NumericalError, match=r"variance at point 1 is 0"):
        certain.log_density([0.0, 0.0])


def test_samples_have_the_moments(rng):
    count = 40_000
    for covariance in (COVARIANCE, COVARIANCE.diagonal()):
        g = nk.Normal(MEAN, covariance)
        draws = g.sample(count, seed=rng)
        assert draws.shape == (count, 3, 2)
        error = g.std[:, None] / count**0.5
        assert (abs(draws.mean(axis=0) - MEAN) < 5 * error).all()
        full = covariance if covariance.ndim == 2 else np.diag(covariance)
        variance = full.diagonal()
        error = np.sqrt((full**2 + np.outer(variance, variance)) / count)
        for k in range(2):
            assert (abs(np.cov(draws[:, :, k].T) - full) < 5 * error).all()
        # Outputs are independent.
        cross = np.cov(draws[:, 0, 0], draws[:, 0, 1])[0, 1]
        assert abs(cross) < 5 * variance[0] / count**0.5


def test_samples_of_a_singular_covariance_stay_on_its_line():
    v = np.array([1.0, -2.0, 0.0])
    draws = nk.Normal(np.zeros(3), np.outer(v, v)).sample(50, seed=1)
    np.testing.assert_allclose(draws, np.outer(draws[:, 0], v), atol=1e-6)  # √ε of rounding
    np.testing.assert_array_equal(nk.Normal(MEAN, np.zeros((3, 3))).sample(2), [MEAN, MEAN])


def test_a_seed_gives_the_same_samples():
    g = nk.Normal(MEAN, COVARIANCE)
    np.testing.assert_array_equal(g.sample(3, seed=7), g.sample(3, 7))
    assert (g.sample(3, seed=7) != g.sample(3, seed=8)).any()
    assert g.sample(seed=7).shape == (1, 3, 2)
    assert g.sample(0).shape == (0, 3, 2)


def test_types_stay():
    g = nk.Normal(MEAN.astype(np.float32), COVARIANCE.astype(np.float32))
    assert g.sample(2, 0).dtype == g.std.dtype == g.variance.dtype == np.float32
    diagonal = nk.Normal(g.mean, g.variance)
    assert diagonal.sample(2, 0).dtype == np.float32
    expected = nk.Normal(MEAN, COVARIANCE).log_density(MEAN + 1)
    assert g.log_density((MEAN + 1).astype(np.float32)) == pytest.approx(expected, rel=1e-4)


def test_no_points():
    g = nk.Normal(np.empty((0, 2)), np.empty((0, 0)))
    assert g.log_density(np.empty((0, 2))) == 0
    assert g.sample(3).shape == (3, 0, 2)
    assert repr(g) == "Normal(0 points, 2 outputs, full covariance, float64)"


def test_it_is_frozen_picklable_and_prints_a_summary():
    g = nk.Normal(MEAN, COVARIANCE.diagonal(), "a test")
    assert repr(g) == (
        "Normal(a test: 3 points, 2 outputs, variances, std from 0.374 to 1, float64)"
    )
    assert repr(nk.Normal([1.0])) == "Normal(1 point, 1 output, no covariance, float64)"
    full = nk.Normal(MEAN, COVARIANCE)
    full.sample(1)
    twin = pickle.loads(pickle.dumps(full))
    np.testing.assert_array_equal(twin.sample(2, 0), full.sample(2, 0))
    with pytest.raises(dataclasses.FrozenInstanceError):
        g.mean = None


@pytest.mark.parametrize(
    ("ask", "error", "words"),
    [
        (lambda: nk.Normal(1.0), ValueError, ["mean has shape ()", "(m,)"]),
        (lambda: nk.Normal([np.nan]), ValueError, ["mean has a NaN"]),
        (lambda: nk.Normal([1.0, 2.0], np.eye(3)), ValueError, ["(3, 3)", "(2,)", "(2, 2)"]),
        (lambda: nk.Normal([1.0], [-1.0]), ValueError, ["variance of -1 at index 0"]),
        (lambda: nk.Normal([1.0], ["a"]), TypeError, ["covariance has dtype"]),
        (lambda: nk.Normal([1.0]).std, ValueError, ["variance", 'covariance="diagonal"']),
        (lambda: nk.Normal([1.0]).sample(), ValueError, ["sample", 'covariance="full"']),
        (lambda: nk.Normal([1.0], [1.0]).sample(-1), ValueError, ["n is -1"]),
        (lambda: nk.Normal([1.0], [1.0]).sample(1.5), TypeError, ["n is 1.5"]),
        (
            lambda: nk.Normal([1.0], [1.0]).log_density([1.0, 2.0]),
            ValueError,
            ["y has shape (2,)", "(1,)"],
        ),
        (
            lambda: nk.Normal([1.0], [1.0]).log_density([1.0], noise_variance=-1.0),
            ValueError,
            ["noise_variance is -1"],
        ),
    ],
)
def test_bad_arguments_are_refused_by_name(ask, error, words):
    assert_refused(ask, error, words)
