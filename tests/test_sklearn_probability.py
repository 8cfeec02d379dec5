"""The probability of being the largest, against closed forms, SciPy and 30-digit quadrature."""

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import ndtr
from scipy.stats import multivariate_normal

from ntkfast.sklearn._probability import probability_of_largest


def test_of_two_it_is_the_normal_distribution_of_their_difference():
    gap = np.linspace(-30, 30, 241)
    mean, std = np.stack([gap, np.zeros_like(gap)], axis=1), np.full(gap.shape, 0.7)
    first = ndtr(gap / (0.7 * 2**0.5))
    expected = np.stack([first, 1 - first], axis=1)
    np.testing.assert_allclose(probability_of_largest(mean, std), expected, atol=4e-16)


def test_of_three_it_is_an_orthant_of_two_differences():
    mean = np.array([[0.3, -0.2, 0.1]])
    for i in range(3):
        others = [j for j in range(3) if j != i]
        orthant = multivariate_normal.cdf(
            mean[0, i] - mean[0, others], cov=0.25 * np.array([[2.0, 1.0], [1.0, 2.0]])
        )
        found = probability_of_largest(mean, np.array([0.5]))[0, i]
        assert found == pytest.approx(orthant, abs=1e-8)  # SciPy's precision


@pytest.mark.parametrize("count", [3, 6])
def test_of_several_it_is_the_integral(count):
    means = np.random.default_rng(count).normal(size=count)
    found = probability_of_largest(means[None], np.ones(1))[0]
    with mpmath.workdps(30):
        exact = [mpmath.mpf(float(mean)) for mean in means]
        for i in range(0, count, 5):
            others = exact[:i] + exact[i + 1 :]

            def integrand(z, own=exact[i], others=others):
                return mpmath.npdf(z - own) * mpmath.fprod(mpmath.ncdf(z - m) for m in others)

            expected = float(mpmath.quad(integrand, mpmath.linspace(-9, 12, 8)))
            assert found[i] == pytest.approx(expected, abs=1e-15)


@pytest.mark.parametrize("count", [10, 100, 1000])
def test_of_one_against_many_it_is_the_integral(count):
    means = np.full((1, count), -0.5)
    means[0, 3] = 0.0
    with mpmath.workdps(30):
        expected = mpmath.quad(
            lambda z: mpmath.npdf(z) * mpmath.ncdf(z + 0.5) ** (count - 1),
            mpmath.linspace(-9, 10, 12),
        )
    found = probability_of_largest(means, np.ones(1))[0, 3]
    assert found == pytest.approx(float(expected), abs=1e-14)


def test_equals_share():
    found = probability_of_largest(np.full((1, 1000), 7.0), np.ones(1))
    np.testing.assert_allclose(found, 1e-3, rtol=1e-13)


def test_without_deviation_the_largest_mean_wins_and_equals_share():
    mean = np.array([[1.0, 2.0, -1.0], [3.0, 0.0, 3.0], [0.0, 0.0, 0.0]])
    expected = [[0, 1, 0], [0.5, 0, 0.5], [1 / 3] * 3]
    for std in (0.0, 1e-300):
        found = probability_of_largest(mean, np.full(3, std))
        np.testing.assert_allclose(found, expected, atol=1e-15)


@given(
    st.lists(st.floats(-1e300, 1e300), min_size=2, max_size=6),
    st.floats(0, 1e300),
    st.randoms(use_true_random=False),
)
def test_it_is_a_probability_in_the_order_of_the_means(means, std, random):
    mean, order = np.array([means]), list(range(len(means)))
    found = probability_of_largest(mean, np.array([std]))[0]
    assert found.sum() == pytest.approx(1)
    assert (found >= 0).all()
    assert (np.diff(found[mean[0].argsort()]) >= -1e-14).all()
    random.shuffle(order)
    permuted = probability_of_largest(mean[:, order], np.array([std]))[0]
    np.testing.assert_allclose(permuted, found[order], atol=1e-14)


def test_many_rows_are_done_in_blocks():
    mean = np.random.default_rng(0).normal(size=(3000, 4))
    found = probability_of_largest(mean, np.ones(3000))
    np.testing.assert_array_equal(found[2900:], probability_of_largest(mean[2900:], np.ones(100)))
