"""Ensembles of trained networks against matrix exponentials, samples, and limits by hand."""

import math

import numpy as np
import pytest
from scipy.integrate import solve_ivp

import ntkfast as nk
from gaussian_processes import Problem, trained_moments

EPS = np.finfo(float).eps
TIMES = [0.0, 1e-3, 0.7, 5.0, 40.0, math.inf]


# Against the matrix exponential.


@pytest.mark.parametrize("noise", [0.0, 0.3])
@pytest.mark.parametrize(("reduction", "ridge"), [("sum", 0.0), ("sum", 0.2), ("mean", 0.0)])
@pytest.mark.parametrize("t", TIMES)
def test_mean_and_covariance(t, reduction, ridge, noise):
    p = Problem()
    ensemble = p.ensemble(learning_rate=0.6, reduction=reduction, diag_reg=ridge)
    rate = 0.6 / (p.y.size if reduction == "mean" else 1)
    mean, covariance = trained_moments(
        p.nngp, p.ntk, p.y, p.n, t, rate=rate, ridge=ridge, noise=noise
    )
    close = {"rtol": 1e-10, "atol": 1e-12}
    for prior, kind in (
        (p.blocks("nngp")[2], "full"),
        (p.blocks("nngp")[2], "diagonal"),
        (p.blocks("nngp")[2].diagonal(), "diagonal"),
        (None, "none"),
    ):
        found = ensemble.predict_kernels(
            p.cross(), prior, t=t, covariance=kind, noise_variance=noise
        )
        np.testing.assert_allclose(found.mean, mean[p.n :], **close)
        if kind == "full":
            np.testing.assert_allclose(found.covariance, covariance[p.n :, p.n :], **close)
            np.testing.assert_array_equal(found.covariance, found.covariance.T)
        elif kind == "diagonal":
            expected = covariance.diagonal()[p.n :]
            np.testing.assert_allclose(found.covariance, expected, **close)
        else:
            assert found.covariance is None
    on_train = ensemble.predict(None, t=t, covariance="full", noise_variance=noise)
    np.testing.assert_allclose(on_train.mean, mean[: p.n], **close)
    np.testing.assert_allclose(on_train.covariance, covariance[: p.n, : p.n], **close)
    variance = ensemble.predict(None, t=t, covariance="diagonal", noise_variance=noise).covariance
    np.testing.assert_allclose(variance, covariance.diagonal()[: p.n], **close)


@pytest.mark.parametrize("trained", ["all", "readout"])
def test_a_network_gives_what_its_kernels_give(trained, rng):
    net = nk.mlp(2, nk.Erf(), w_std=1.5, b_std=0.2)
    x, x_test, y = rng.normal(size=(9, 3)), rng.normal(size=(4, 3)), rng.normal(size=9)
    everything = np.vstack([x, x_test])
    sigma = net.nngp(everything)
    theta = net.ntk(everything) if trained == "all" else sigma
    settings = {"learning_rate": 0.5, "diag_reg": 0.1}
    ensemble = nk.Ensemble(net, x, y, trained=trained, **settings)
    for t, noise in ((0.8, 0.0), (math.inf, 0.2)):
        mean, covariance = trained_moments(sigma, theta, y, 9, t, rate=0.5, ridge=0.1, noise=noise)
        found = ensemble.predict(x_test, t=t, covariance="full", noise_variance=noise)
        np.testing.assert_allclose(found.mean, mean[9:], atol=1e-12)
        np.testing.assert_allclose(found.covariance, covariance[9:, 9:], atol=1e-12)
        diagonal = ensemble.predict(x_test, t=t, covariance="diagonal", noise_variance=noise)
        np.testing.assert_allclose(diagonal.variance, found.variance, atol=1e-13)
        on_train = ensemble.predict(t=t, covariance="full", noise_variance=noise)
        np.testing.assert_allclose(on_train.covariance, covariance[:9, :9], atol=1e-12)
        given = nk.Kernels(sigma[9:, :9], theta[9:, :9])
        from_kernels = ensemble.predict_kernels(
            given, sigma[9:, 9:], t=t, covariance="full", noise_variance=noise
        )
        np.testing.assert_allclose(from_kernels.covariance, found.covariance, atol=1e-13)
        # The training points as test points: the same by another way.
        twice = ensemble.predict(x, t=t, covariance="full", noise_variance=noise)
        np.testing.assert_allclose(twice.mean, on_train.mean, atol=1e-12)
        np.testing.assert_allclose(twice.covariance, on_train.covariance, atol=1e-12)


def test_the_readout_with_noise_like_its_regularisation(rng):
    """Θ = Σ and σ² = r: Σ** − Σ*·[(1 − e^{−2η(λ+r)t})/(λ+r)]·Σ*ᵀ."""
    p = Problem()
    sigma, cross, prior = p.blocks("nngp")
    r, eta = 0.15, 0.8
    ensemble = nk.Ensemble.from_kernels(
        sigma, nk.GradientFlow(sigma, p.y, learning_rate=eta, diag_reg=r)
    )
    values, vectors = np.linalg.eigh(sigma)
    q = cross @ vectors
    for t in TIMES:
        found = ensemble.predict_kernels(
            nk.Kernels(cross, cross), prior, t=t, covariance="full", noise_variance=r
        )
        learnt = -np.expm1(-2 * eta * (values + r) * t) / (values + r)
        np.testing.assert_allclose(found.covariance, prior - (q * learnt) @ q.T, atol=1e-12)
    posterior = nk.Posterior.from_kernels(sigma, p.y, noise_variance=r)
    # Where it ends is the posterior.
    end = posterior.predict_kernels(cross, prior, covariance="full")
    np.testing.assert_allclose(found.mean, end.mean, atol=1e-12)
    np.testing.assert_allclose(found.covariance, end.covariance, atol=1e-12)


# Against sampled networks.


def test_against_initial_functions_that_are_trained_one_by_one(rng):
    p = Problem(n=4, m=2, c=1, features=9)
    count, t, eta, noise = 20_000, 1.3, 0.7, 0.1
    root = np.linalg.cholesky(p.nngp)
    f0 = root @ rng.standard_normal((p.n + p.m, count))
    targets = p.y + noise**0.5 * rng.standard_normal((p.n, count))

    def speed(_, flat):
        f = flat.reshape(p.n + p.m, count)
        return (-eta * p.ntk[:, : p.n] @ (f[: p.n] - targets)).ravel()

    f = solve_ivp(speed, (0, t), f0.ravel(), rtol=1e-6, atol=1e-8).y[:, -1]
    f = f.reshape(p.n + p.m, count)
    ensemble = p.ensemble(learning_rate=eta)
    on_test = ensemble.predict_kernels(
        p.cross(), p.blocks("nngp")[2], t=t, covariance="full", noise_variance=noise
    )
    on_train = ensemble.predict(None, t=t, covariance="full", noise_variance=noise)
    for g, values in ((on_train, f[: p.n]), (on_test, f[p.n :])):
        error = g.std / count**0.5
        assert (abs(values.mean(axis=1) - g.mean[:, 0]) < 5 * error).all()
        # Var of an empirical covariance: (K_ij² + K_ii K_jj)/N.
        expected = g.covariance
        error = np.sqrt((expected**2 + np.outer(g.variance, g.variance)) / count)
        assert (abs(np.cov(values) - expected) < 5 * error).all()


# Limits.


def test_both_ends_of_time():
    p = Problem()
    ensemble, prior = p.ensemble(), p.blocks("nngp")[2]
    start = ensemble.predict_kernels(p.cross(), prior, t=0, covariance="full")
    np.testing.assert_array_equal(start.mean, np.zeros((p.m, p.c)))
    np.testing.assert_array_equal(start.covariance, prior)
    end = ensemble.predict(None, t=math.inf, covariance="full")
    np.testing.assert_allclose(end.mean, p.y, atol=1e-12)
    np.testing.assert_array_equal(end.covariance, np.zeros((p.n, p.n)))
    noisy = ensemble.predict(None, t=math.inf, covariance="full", noise_variance=0.2)
    np.testing.assert_allclose(noisy.covariance, 0.2 * np.eye(p.n), atol=1e-13)


def test_mean_is_that_of_the_flow():
    p = Problem()
    ensemble = p.ensemble(diag_reg=0.1)
    k_test = p.blocks("ntk")[1]
    for t in TIMES:
        np.testing.assert_allclose(
            ensemble.predict_kernels(p.cross(), t=t).mean,
            ensemble.flow.predict(k_test, t=t),
            atol=1e-13,
        )
        np.testing.assert_allclose(
            ensemble.predict(t=t).mean, ensemble.flow.predict_train(t=t), atol=1e-13
        )


@pytest.mark.filterwarnings("ignore:t = .* is so long that rounding")  # in float32
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("shift", [0.0, 1.0])
def test_points_that_come_twice(dtype, shift):
    """With equal labels nothing is left open; contradictory ones leave their mean."""
    p = Problem(n=6, m=3, c=2)
    sigma, theta, y = p.blocks("nngp")[0], p.blocks("ntk")[0], p.y
    double = nk.Ensemble.from_kernels(
        np.tile(sigma, (2, 2)).astype(dtype),
        nk.GradientFlow(
            np.tile(theta, (2, 2)).astype(dtype), np.vstack([y, y + shift]).astype(dtype)
        ),
    )
    cross = nk.Kernels(*(np.tile(p.blocks(k)[1], 2).astype(dtype) for k in ("nngp", "ntk")))
    prior = p.blocks("nngp")[2].astype(dtype)
    accuracy = 1e3 * np.finfo(dtype).eps
    for t in (1e3, 1e30, 1e200, math.inf):  # 1e200 is far beyond what rounding could resolve
        mean, covariance = trained_moments(p.nngp, p.ntk, y + shift / 2, p.n, math.inf)
        if t == 1e3:
            mean, covariance = trained_moments(p.nngp, p.ntk, y + shift / 2, p.n, 2 * t)
        g = double.predict_kernels(cross, prior, t=t, covariance="full")
        np.testing.assert_allclose(g.mean, mean[p.n :], atol=300 * accuracy, rtol=0)
        np.testing.assert_allclose(g.covariance, covariance[p.n :, p.n :], atol=300 * accuracy)
        at_train = double.predict(None, t=t, covariance="diagonal")
        np.testing.assert_allclose(at_train.mean[: p.n], y + shift / 2, atol=30 * accuracy)
        np.testing.assert_allclose(at_train.variance, 0, atol=30 * accuracy)


def test_a_kernel_of_rank_one():
    """Σ = Θ = vvᵀ: a line through the origin is fitted to y, and nothing else changes."""
    v, w, y = np.array([1.0, 2.0, -1.0]), np.array([0.5, 3.0]), np.array([1.0, 0.0, 2.0])
    k, cross, prior = np.outer(v, v), np.outer(w, v), np.outer(w, w)
    ensemble = nk.Ensemble.from_kernels(k, nk.GradientFlow(k, y))
    slope = v @ y / (v @ v)
    for t in (0.1, 3.0, 1e4, 1e40, math.inf):
        left = math.exp(-t * (v @ v))
        # Eigenvalues that should be 0 are wrong by ε·‖Θ‖, until t is so large that they are left.
        close = {"rtol": 0, "atol": 100 * EPS * max(1.0, t if t < 1e15 else 0.0)}
        g = ensemble.predict_kernels(nk.Kernels(cross, cross), prior, t=t, covariance="full")
        np.testing.assert_allclose(g.mean, w * slope * (1 - left), **close)
        np.testing.assert_allclose(g.covariance, left**2 * prior, **close)
        g = ensemble.predict(None, t=t, covariance="full")
        np.testing.assert_allclose(g.mean, v * slope * (1 - left), **close)
        np.testing.assert_allclose(g.covariance, left**2 * k, **close)


def test_a_kernel_of_zeros_learns_nothing():
    zero = np.zeros((2, 2))
    ensemble = nk.Ensemble.from_kernels(np.eye(2), nk.GradientFlow(zero, [1.0, 2.0]))
    for t in (0.0, 5.0, 1e308, math.inf):
        g = ensemble.predict_kernels(
            nk.Kernels(np.eye(2), zero), np.eye(2), t=t, covariance="full", noise_variance=0.5
        )
        np.testing.assert_array_equal(g.mean, [0, 0])
        np.testing.assert_array_equal(g.covariance, np.eye(2))
        np.testing.assert_array_equal(
            ensemble.predict(None, t=t, covariance="full").covariance, np.eye(2)
        )


def test_one_and_no_training_point():
    one = nk.Ensemble.from_kernels([[3.0]], nk.GradientFlow([[2.0]], [5.0]))
    g = one.predict(None, t=0.5, covariance="diagonal")
    np.testing.assert_allclose(g.mean, [5 * -math.expm1(-1)], rtol=1e-14)
    np.testing.assert_allclose(g.variance, [3 * math.exp(-2)], rtol=1e-14)
    net, x = nk.mlp(1, b_std=1.0), np.ones((4, 2))
    none = nk.Ensemble(net, np.empty((0, 2)), np.empty((0, 3)))
    g = none.predict(x, t=1.0, covariance="full")
    np.testing.assert_array_equal(g.mean, np.zeros((4, 3)))
    np.testing.assert_array_equal(g.covariance, net.nngp(x))
    assert none.predict(None, t=1.0, covariance="full").covariance.shape == (0, 0)
    assert one.predict_kernels(nk.Kernels(np.empty((0, 1)), np.empty((0, 1)))).mean.shape == (0,)
