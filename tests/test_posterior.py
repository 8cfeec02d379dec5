"""The NNGP posterior against scikit-learn, brute force, and limits by hand."""

import math
import pickle

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import Kernel

import ntkfast as nk
from gaussian_processes import Problem

EPS = np.finfo(float).eps
NOISES = [1e-3, 0.5, np.linspace(0.1, 2, 12)]


class Precomputed(Kernel):
    """A covariance between points that are given as their numbers."""

    def __init__(self, gram):
        self.gram = gram

    def __call__(self, x, y=None, eval_gradient=False):
        rows, columns = (np.asarray(z, int).ravel() for z in (x, x if y is None else y))
        return self.gram[np.ix_(rows, columns)]

    def diag(self, x):
        return self.gram.diagonal()[np.asarray(x, int).ravel()]

    def is_stationary(self):
        return False


@pytest.mark.parametrize("noise", NOISES)
def test_it_is_the_posterior_of_scikit_learn(noise):
    p = Problem()
    sigma, cross, prior = p.blocks("nngp")
    numbers = np.arange(p.n + p.m)[:, None]
    other = GaussianProcessRegressor(Precomputed(p.nngp), alpha=noise, optimizer=None)
    other.fit(numbers[: p.n], p.y)
    mean, covariance = other.predict(numbers, return_cov=True)
    covariance = covariance[:, :, 0]
    posterior = nk.Posterior.from_kernels(sigma, p.y, noise_variance=noise)
    close = {"rtol": 1e-10, "atol": 1e-12}
    for given_prior, kind in (
        (prior, "full"),
        (prior, "diagonal"),
        (prior.diagonal(), "diagonal"),
        (None, "none"),
    ):
        found = posterior.predict_kernels(cross, given_prior, covariance=kind)
        np.testing.assert_allclose(found.mean, mean[p.n :], **close)
        if kind == "full":
            np.testing.assert_allclose(found.covariance, covariance[p.n :, p.n :], **close)
            np.testing.assert_array_equal(found.covariance, found.covariance.T)
        elif kind == "diagonal":
            np.testing.assert_allclose(found.variance, covariance.diagonal()[p.n :], **close)
    on_train = posterior.predict(covariance="full")
    np.testing.assert_allclose(on_train.mean, mean[: p.n], **close)
    np.testing.assert_allclose(on_train.covariance, covariance[: p.n, : p.n], **close)
    variance = posterior.predict(covariance="diagonal").variance
    np.testing.assert_allclose(variance, covariance.diagonal()[: p.n], **close)
    evidence = other.log_marginal_likelihood_value_
    assert posterior.log_marginal_likelihood() == pytest.approx(evidence, rel=1e-12)


def test_a_network_gives_what_its_kernels_give(rng):
    net = nk.mlp(2, nk.Erf(), w_std=1.5, b_std=0.2)
    x, x_test, y = rng.normal(size=(9, 3)), rng.normal(size=(4, 3)), rng.normal(size=9)
    posterior = nk.Posterior(net, x, y, noise_variance=0.1)
    same = nk.Posterior.from_kernels(net.nngp(x), y, noise_variance=0.1)
    for kind in ("none", "diagonal", "full"):
        found = posterior.predict(x_test, covariance=kind)
        expected = same.predict_kernels(net.nngp(x_test, x), net.nngp(x_test), covariance=kind)
        np.testing.assert_allclose(found.mean, expected.mean, atol=1e-14)
        if kind != "none":
            np.testing.assert_allclose(found.covariance, expected.covariance, atol=1e-14)
    # The training points as test points: the same by another way.
    twice, on_train = (
        posterior.predict(x, covariance="full"),
        posterior.predict(None, covariance="full"),
    )
    np.testing.assert_allclose(twice.mean, on_train.mean, atol=1e-13)
    np.testing.assert_allclose(twice.covariance, on_train.covariance, atol=1e-13)


@pytest.mark.parametrize("noise", NOISES)
def test_leave_one_out_is_what_it_says(noise):
    p = Problem()
    sigma = p.blocks("nngp")[0]
    posterior = nk.Posterior.from_kernels(sigma, p.y, noise_variance=noise)
    found = posterior.leave_one_out()
    diagonal, total = np.broadcast_to(noise, p.n), 0.0
    for i in range(p.n):
        rest = np.delete(np.arange(p.n), i)
        alone = nk.Posterior.from_kernels(
            sigma[np.ix_(rest, rest)], p.y[rest], noise_variance=diagonal[rest]
        )
        gram = sigma[np.ix_(rest, rest)] + np.diag(diagonal[rest])
        weights = np.linalg.solve(gram, sigma[rest, i])
        mean, variance = weights @ p.y[rest], sigma[i, i] - weights @ sigma[rest, i]
        np.testing.assert_allclose(found.mean[i], mean, rtol=1e-10, atol=1e-11)
        np.testing.assert_allclose(found.variance[i], variance, rtol=1e-10, atol=1e-11)
        one = alone.predict_kernels(sigma[[i]][:, rest], sigma[[i], [i]], covariance="diagonal")
        np.testing.assert_allclose(one.variance, variance, atol=1e-11)
        total += stats.norm(mean, math.sqrt(variance + diagonal[i])).logpdf(p.y[i]).sum()
    assert found.log_density(p.y, noise_variance=noise) == pytest.approx(total, rel=1e-10)


def test_the_evidence_is_the_density_of_the_targets():
    p = Problem()
    sigma = p.blocks("nngp")[0]
    for noise in NOISES:
        gram = sigma + noise * np.eye(p.n)
        expected = stats.multivariate_normal(np.zeros(p.n), gram).logpdf(p.y.T).sum()
        posterior = nk.Posterior.from_kernels(sigma, p.y, noise_variance=noise)
        assert posterior.log_marginal_likelihood() == pytest.approx(expected, rel=1e-12)


def test_the_predictive_density_is_a_ratio_of_evidences():
    """log p(y*|y) = log p(y, y*) − log p(y)."""
    p = Problem()
    sigma, cross, prior = p.blocks("nngp")
    new = np.random.default_rng(5).normal(size=(p.m, p.c))
    few = nk.Posterior.from_kernels(sigma, p.y, noise_variance=0.2)
    more = nk.Posterior.from_kernels(p.nngp, np.vstack([p.y, new]), noise_variance=0.2)
    found = few.predict_kernels(cross, prior, covariance="full").log_density(
        new, noise_variance=0.2
    )
    expected = more.log_marginal_likelihood() - few.log_marginal_likelihood()
    assert found == pytest.approx(expected, rel=1e-11)


sizes = st.tuples(st.integers(1, 8), st.integers(1, 8), st.integers(1, 12), st.integers(0, 10_000))


@given(sizes, st.floats(1e-8, 1e8))
def test_data_never_add_variance(size, noise):
    n, m, features, seed = size
    p = Problem(n, m, 1, features, seed)
    sigma, cross, prior = p.blocks("nngp")
    posterior = nk.Posterior.from_kernels(sigma, p.y, noise_variance=noise)
    g = posterior.predict_kernels(cross, prior, covariance="full")
    bound = 1e-10 * (n + m) * prior.max()
    assert (g.variance >= 0).all()
    assert np.linalg.eigvalsh(g.covariance)[0] >= -bound
    assert np.linalg.eigvalsh(prior - g.covariance)[0] >= -bound
    on_train = posterior.predict(covariance="full")
    rounding = 20 * EPS * (np.linalg.norm(sigma) + noise)  # ‖K‖, however small the noise
    assert np.linalg.eigvalsh(on_train.covariance)[0] >= -rounding
    assert (on_train.variance <= noise + rounding).all()
    assert (posterior.leave_one_out().variance >= 0).all()


@pytest.mark.parametrize("size", [1e150, 1e-150])
def test_scale_changes_rounding_only(size):
    p = Problem()
    blocks = p.blocks("nngp")
    sigma, cross, prior = (size * k for k in blocks)
    plain = nk.Posterior.from_kernels(blocks[0], p.y, noise_variance=0.1)
    scaled = nk.Posterior.from_kernels(sigma, p.y, noise_variance=0.1 * size)
    expected = plain.predict_kernels(*blocks[1:], covariance="full")
    found = scaled.predict_kernels(cross, prior, covariance="full")
    np.testing.assert_allclose(found.mean, expected.mean, atol=1e-12)
    np.testing.assert_allclose(found.covariance / size, expected.covariance, atol=1e-12)
    fit = np.sum(p.y * plain.regression.coefficients)
    evidence = plain.log_marginal_likelihood() + 0.5 * (fit - fit / size)
    evidence -= 0.5 * p.y.size * math.log(size)
    assert scaled.log_marginal_likelihood() == pytest.approx(evidence, rel=1e-12)
    loo, expected = scaled.leave_one_out(), plain.leave_one_out()
    np.testing.assert_allclose(loo.mean, expected.mean, atol=1e-12)
    np.testing.assert_allclose(loo.variance / size, expected.variance, atol=1e-12)


# Singular and ill-conditioned kernels.


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("shift", [0.0, 1.0])
def test_points_that_come_twice_are_one_point_with_half_the_noise(dtype, shift):
    p = Problem(n=6, m=3, c=2)
    sigma, cross, prior = p.blocks("nngp")
    once = nk.Posterior.from_kernels(sigma, p.y + shift / 2, noise_variance=0.01)
    twice = nk.Posterior.from_kernels(
        np.tile(sigma, (2, 2)).astype(dtype),
        np.vstack([p.y, p.y + shift]).astype(dtype),
        noise_variance=0.02,
    )
    expected = once.predict_kernels(cross, prior, covariance="full")
    found = twice.predict_kernels(
        np.tile(cross, 2).astype(dtype), prior.astype(dtype), covariance="full"
    )
    accuracy = 1e4 * np.finfo(dtype).eps
    np.testing.assert_allclose(found.mean, expected.mean, atol=accuracy, rtol=0)
    np.testing.assert_allclose(found.covariance, expected.covariance, atol=accuracy, rtol=0)
    assert found.mean.dtype == found.covariance.dtype == dtype
    on_train = twice.predict(covariance="diagonal")
    assert on_train.mean.dtype == on_train.covariance.dtype == dtype
    np.testing.assert_allclose(
        on_train.variance[:6], once.predict(covariance="diagonal").variance, atol=accuracy
    )


def test_a_singular_kernel_without_noise_takes_a_jitter():
    sigma = np.ones((3, 3))
    with pytest.warns(RuntimeWarning, match=r"^nngp is singular.*noise_variance"):
        posterior = nk.Posterior.from_kernels(sigma, np.ones(3), noise_variance=0.0)
    assert 0 < posterior.regression.jitter <= 1e-8
    assert "jitter=3.7e-11" in repr(posterior)
    assert "jitter of 3.7e-11 was added" in str(posterior)
    for kind in ("diagonal", "full"):
        for g in (
            posterior.predict(covariance=kind),
            posterior.predict_kernels(sigma, sigma, covariance=kind),
        ):
            np.testing.assert_allclose(g.mean, 1, atol=1e-9)
            np.testing.assert_allclose(g.variance, 0, atol=1e-9)
    loo = posterior.leave_one_out()
    np.testing.assert_allclose(loo.mean, 1, atol=1e-5)
    np.testing.assert_allclose(loo.variance, 0, atol=1e-9)


def test_an_ill_conditioned_kernel_against_50_digits():
    """Equally spaced points of a smooth kernel: noise 1e-9 leaves a condition number of 1e10."""
    x, noise = np.linspace(0, 1, 11), 1e-9
    gram = np.exp(-(np.subtract.outer(x, x) ** 2))
    sigma, cross, prior = gram[:10, :10], gram[10:, :10], gram[10:, 10:]
    y = np.sin(3 * x[:10])
    posterior = nk.Posterior.from_kernels(sigma, y, noise_variance=noise)
    found = posterior.predict_kernels(cross, prior, covariance="full")
    with mpmath.workdps(50):
        k = mpmath.matrix(sigma.tolist()) + mpmath.diag([mpmath.mpf(noise)] * 10)
        weights = mpmath.lu_solve(k, mpmath.matrix(cross[0]))
        mean = mpmath.fdot(weights, y)
        variance = 1 - mpmath.fdot(weights, cross[0])
        fit = mpmath.fdot(mpmath.lu_solve(k, mpmath.matrix(y)), y)
        evidence = -(fit + mpmath.log(mpmath.det(k)) + 10 * mpmath.log(2 * mpmath.pi)) / 2
        condition = float(mpmath.mnorm(k, 1) * mpmath.mnorm(mpmath.inverse(k), 1))
    # Rounding in K is seen through the weights: ε·‖K‖·‖w‖·‖α‖ and ε·‖K‖·‖w‖².
    size = 10 * EPS * np.linalg.norm(sigma) * float(mpmath.norm(weights))
    alpha = np.linalg.norm(posterior.regression.coefficients)
    assert abs(found.mean[0] - float(mean)) < size * alpha
    assert abs(found.covariance[0, 0] - float(variance)) < size * float(mpmath.norm(weights)) + EPS
    assert abs(posterior.log_marginal_likelihood() - float(evidence)) < 10 * EPS * condition
    assert 1 < posterior.regression.condition_estimate <= condition


# Shapes, types, the object.


@pytest.mark.parametrize("outputs", [(), (1,), (3,), (2, 2)])
def test_shapes(outputs):
    p = Problem(n=7)
    sigma, cross, prior = p.blocks("nngp")
    y = np.random.default_rng(1).normal(size=(7, *outputs))
    posterior = nk.Posterior.from_kernels(sigma, y)
    assert posterior.predict_kernels(cross, prior, covariance="full").mean.shape == (5, *outputs)
    assert posterior.predict(covariance="diagonal").mean.shape == y.shape
    assert posterior.leave_one_out().mean.shape == y.shape
    evidence = [
        nk.Posterior.from_kernels(sigma, y[(slice(None), *index)]).log_marginal_likelihood()
        for index in np.ndindex(outputs)
    ]
    assert posterior.log_marginal_likelihood() == pytest.approx(sum(evidence), rel=1e-12)


def test_one_and_no_training_point():
    one = nk.Posterior.from_kernels([[3.0]], [5.0], noise_variance=1.0)
    g = one.predict_kernels([[1.5]], [2.0], covariance="diagonal")
    np.testing.assert_allclose([g.mean[0], g.variance[0]], [1.5 / 4 * 5, 2 - 1.5**2 / 4])
    loo = one.leave_one_out()  # the prior
    np.testing.assert_allclose([loo.mean[0], loo.variance[0]], [0, 3], atol=1e-14)
    net, x = nk.mlp(1, b_std=1.0), np.ones((4, 2))
    none = nk.Posterior(net, np.empty((0, 2)), np.empty((0, 3)))
    g = none.predict(x, covariance="full")
    np.testing.assert_array_equal(g.mean, np.zeros((4, 3)))
    np.testing.assert_array_equal(g.covariance, net.nngp(x))
    assert none.log_marginal_likelihood() == 0
    assert none.leave_one_out().mean.shape == (0, 3)
    assert none.predict(covariance="full").covariance.shape == (0, 0)


def test_it_is_picklable_keeps_its_points_and_prints_a_summary(rng):
    net, x, y = nk.mlp(1), rng.normal(size=(5, 2)), rng.normal(size=5)
    posterior, ensemble = nk.Posterior(net, x, y), nk.Ensemble(net, x, y)
    for fact in ("Posterior(Serial(", "noise_variance=0.001", "n=5", "jitter=0", "condition"):
        assert fact in repr(posterior)
    assert "diag_reg=0" in repr(ensemble)
    ensemble.predict(t=1.0)  # which decomposes the kernel
    for fact in ("Ensemble(Serial(", "n=5", "condition number", "rank", "trained='all'"):
        assert fact in repr(ensemble)
    assert "kernels" in repr(nk.Posterior.from_kernels(net.nngp(x), y))
    for made in (posterior, ensemble):
        expected = made.predict(np.ones((1, 2)), covariance="diagonal")
        twin = pickle.loads(pickle.dumps(made))
        found = twin.predict(np.ones((1, 2)), covariance="diagonal")
        np.testing.assert_array_equal(found.std, expected.std)
    x[:] = 0.0
    again = posterior.predict(np.ones((1, 2)), covariance="diagonal")
    same = pickle.loads(pickle.dumps(posterior)).predict(np.ones((1, 2)), covariance="diagonal")
    np.testing.assert_array_equal(again.mean, same.mean)
    assert posterior.x.any()
