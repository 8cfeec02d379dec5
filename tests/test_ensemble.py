"""Ensembles of trained networks against matrix exponentials, samples, and limits by hand."""

import math

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
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
        found = ensemble.predict_kernels(p.cross(), prior, t, kind, noise)
        np.testing.assert_allclose(found.mean, mean[p.n :], **close)
        if kind == "full":
            np.testing.assert_allclose(found.covariance, covariance[p.n :, p.n :], **close)
            np.testing.assert_array_equal(found.covariance, found.covariance.T)
        elif kind == "diagonal":
            expected = covariance.diagonal()[p.n :]
            np.testing.assert_allclose(found.covariance, expected, **close)
        else:
            assert found.covariance is None
    on_train = ensemble.predict(None, t, "full", noise)
    np.testing.assert_allclose(on_train.mean, mean[: p.n], **close)
    np.testing.assert_allclose(on_train.covariance, covariance[: p.n, : p.n], **close)
    variance = ensemble.predict(None, t, "diagonal", noise).covariance
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
        found = ensemble.predict(x_test, t, "full", noise)
        np.testing.assert_allclose(found.mean, mean[9:], atol=1e-12)
        np.testing.assert_allclose(found.covariance, covariance[9:, 9:], atol=1e-12)
        diagonal = ensemble.predict(x_test, t, covariance="diagonal", noise_variance=noise)
        np.testing.assert_allclose(diagonal.variance, found.variance, atol=1e-13)
        on_train = ensemble.predict(t=t, covariance="full", noise_variance=noise)
        np.testing.assert_allclose(on_train.covariance, covariance[:9, :9], atol=1e-12)
        given = nk.Kernels(sigma[9:, :9], theta[9:, :9])
        from_kernels = ensemble.predict_kernels(given, sigma[9:, 9:], t, "full", noise)
        np.testing.assert_allclose(from_kernels.covariance, found.covariance, atol=1e-13)
        # The training points as test points: the same by another way.
        twice = ensemble.predict(x, t, "full", noise)
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
        found = ensemble.predict_kernels(nk.Kernels(cross, cross), prior, t, "full", r)
        learnt = -np.expm1(-2 * eta * (values + r) * t) / (values + r)
        np.testing.assert_allclose(found.covariance, prior - (q * learnt) @ q.T, atol=1e-12)
    posterior = nk.Posterior.from_kernels(sigma, p.y, noise_variance=r)
    end = posterior.predict_kernels(cross, prior, "full")  # where it ends is the posterior
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
    on_test = ensemble.predict_kernels(p.cross(), p.blocks("nngp")[2], t, "full", noise)
    on_train = ensemble.predict(None, t, "full", noise)
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
    start = ensemble.predict_kernels(p.cross(), prior, 0, "full")
    np.testing.assert_array_equal(start.mean, np.zeros((p.m, p.c)))
    np.testing.assert_array_equal(start.covariance, prior)
    end = ensemble.predict(None, math.inf, "full")
    np.testing.assert_allclose(end.mean, p.y, atol=1e-12)
    np.testing.assert_array_equal(end.covariance, np.zeros((p.n, p.n)))
    noisy = ensemble.predict(None, math.inf, "full", 0.2)
    np.testing.assert_allclose(noisy.covariance, 0.2 * np.eye(p.n), atol=1e-13)


def test_mean_is_that_of_the_flow():
    p = Problem()
    ensemble = p.ensemble(diag_reg=0.1)
    k_test = p.blocks("ntk")[1]
    for t in TIMES:
        np.testing.assert_allclose(
            ensemble.predict_kernels(p.cross(), t=t).mean,
            ensemble.flow.predict(t, k_test),
            atol=1e-13,
        )
        np.testing.assert_allclose(
            ensemble.predict(t=t).mean, ensemble.flow.predict_train(t), atol=1e-13
        )


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
        g = double.predict_kernels(cross, prior, t, "full")
        np.testing.assert_allclose(g.mean, mean[p.n :], atol=300 * accuracy, rtol=0)
        np.testing.assert_allclose(g.covariance, covariance[p.n :, p.n :], atol=300 * accuracy)
        at_train = double.predict(None, t, "diagonal")
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
        g = ensemble.predict_kernels(nk.Kernels(cross, cross), prior, t, "full")
        np.testing.assert_allclose(g.mean, w * slope * (1 - left), **close)
        np.testing.assert_allclose(g.covariance, left**2 * prior, **close)
        g = ensemble.predict(None, t, "full")
        np.testing.assert_allclose(g.mean, v * slope * (1 - left), **close)
        np.testing.assert_allclose(g.covariance, left**2 * k, **close)


def test_a_kernel_of_zeros_learns_nothing():
    zero = np.zeros((2, 2))
    ensemble = nk.Ensemble.from_kernels(np.eye(2), nk.GradientFlow(zero, [1.0, 2.0]))
    for t in (0.0, 5.0, 1e308, math.inf):
        g = ensemble.predict_kernels(nk.Kernels(np.eye(2), zero), np.eye(2), t, "full", 0.5)
        np.testing.assert_array_equal(g.mean, [0, 0])
        np.testing.assert_array_equal(g.covariance, np.eye(2))
        np.testing.assert_array_equal(ensemble.predict(None, t, "full").covariance, np.eye(2))


def test_one_and_no_training_point():
    one = nk.Ensemble.from_kernels([[3.0]], nk.GradientFlow([[2.0]], [5.0]))
    g = one.predict(None, 0.5, "diagonal")
    np.testing.assert_allclose(g.mean, [5 * -math.expm1(-1)], rtol=1e-14)
    np.testing.assert_allclose(g.variance, [3 * math.exp(-2)], rtol=1e-14)
    net, x = nk.mlp(1, b_std=1.0), np.ones((4, 2))
    none = nk.Ensemble(net, np.empty((0, 2)), np.empty((0, 3)))
    g = none.predict(x, 1.0, "full")
    np.testing.assert_array_equal(g.mean, np.zeros((4, 3)))
    np.testing.assert_array_equal(g.covariance, net.nngp(x))
    assert none.predict(None, 1.0, "full").covariance.shape == (0, 0)
    assert one.predict_kernels(nk.Kernels(np.empty((0, 1)), np.empty((0, 1)))).mean.shape == (0,)


# Ill-conditioned kernels.

SPREAD = np.array([1e-13, 1e-9, 1e-3, 0.5, 1.0, 3e3])  # more than 1e16


@pytest.mark.parametrize("ridge", [0.0, 1e-6])
def test_a_spread_of_1e16_mode_by_mode(ridge):
    """With U = 1 what happens on training points is a function of one eigenvalue."""
    sigma, noise = np.linspace(0.5, 2, SPREAD.size), 0.25
    flow = nk.GradientFlow(
        nk.Spectrum(SPREAD, np.eye(SPREAD.size)), np.ones(SPREAD.size), diag_reg=ridge
    )
    ensemble = nk.Ensemble.from_kernels(np.diag(sigma), flow)
    for t in (1e-3, 1.0, 1e4, 1e8, 1e11):
        g = ensemble.predict(None, t, "diagonal", noise)
        with mpmath.workdps(50):
            for i, (value, prior) in enumerate(zip(SPREAD, sigma, strict=True)):
                shifted = mpmath.mpf(value) + mpmath.mpf(ridge)
                share = value * -mpmath.expm1(-shifted * t) / shifted
                variance = (1 - share) ** 2 * prior + share**2 * noise
                assert abs(g.mean[i] / share - 1) < 50 * EPS
                assert abs(g.variance[i] / variance - 1) < 500 * EPS


HADAMARD = np.array([[1, 1, 1, 1], [1, -1, 1, -1], [1, 1, -1, -1], [1, -1, -1, 1]]) / 2.0


@pytest.mark.parametrize("t", [1.0, 1e4, 1e8, 1e13, math.inf])
def test_an_ill_conditioned_kernel_against_50_digits(t):
    """Eigenvalues are powers of two and eigenvectors exact: so is Θ, with condition 1e12."""
    values, sigma_values = 2.0 ** -np.array([0, 14, 27, 40]), 2.0 ** -np.array([0, 2, 7, 12])
    theta, sigma = ((HADAMARD * v) @ HADAMARD for v in (values, sigma_values))
    y, noise = np.array([0.3, -1.0, 0.25, 2.0]), 0.125
    ensemble = nk.Ensemble.from_kernels(sigma, nk.GradientFlow(theta, y))
    g = ensemble.predict(None, t, "full", noise)
    test = ensemble.predict_kernels(nk.Kernels(sigma, theta), sigma, t, "full", noise)
    with mpmath.workdps(50):
        u = mpmath.matrix(HADAMARD.tolist())
        shares = [1 if t == math.inf else -mpmath.expm1(-mpmath.mpf(v) * t) for v in values]
        variances = [
            (1 - share) ** 2 * mpmath.mpf(s) + share**2 * noise
            for share, s in zip(shares, sigma_values, strict=True)
        ]
        mean = np.array((u * mpmath.diag(shares) * u * mpmath.matrix(y)).tolist(), float).ravel()
        covariance = np.array((u * mpmath.diag(variances) * u).tolist(), float)
    # An eigenvalue is wrong by ε·λ_max, and what it decides by t times that, or by the condition
    # number once all is learnt; then training points do not depend on eigenvalues any more.
    bound = 20 * EPS * min(t, 2.0**40)
    on_train = 20 * EPS if t == math.inf else bound
    np.testing.assert_allclose(g.mean, mean, rtol=0, atol=on_train)
    np.testing.assert_allclose(g.covariance, covariance, rtol=0, atol=on_train)
    np.testing.assert_allclose(test.mean, mean, rtol=0, atol=bound)
    np.testing.assert_allclose(test.covariance, covariance, rtol=0, atol=bound)


@pytest.mark.parametrize("size", [1e150, 1e-150])
def test_scale_changes_rounding_only(size):
    p = Problem()
    prior = p.blocks("nngp")[2]
    scaled = nk.Ensemble.from_kernels(
        p.blocks("nngp")[0], nk.GradientFlow(size * p.blocks("ntk")[0], p.y, learning_rate=1 / size)
    )
    cross = nk.Kernels(p.blocks("nngp")[1], size * p.blocks("ntk")[1])
    both = nk.Ensemble.from_kernels(
        size * p.blocks("nngp")[0],
        nk.GradientFlow(size * p.blocks("ntk")[0], p.y, learning_rate=1 / size),
    )
    cross_both = nk.Kernels(size * p.blocks("nngp")[1], size * p.blocks("ntk")[1])
    for t in TIMES:
        plain = p.ensemble().predict_kernels(p.cross(), prior, t, "full", 0.1)
        found = scaled.predict_kernels(cross, prior, t, "full", 0.1)
        np.testing.assert_allclose(found.mean, plain.mean, atol=1e-12)
        np.testing.assert_allclose(found.covariance, plain.covariance, atol=1e-12)
        found = both.predict_kernels(cross_both, size * prior, t, "full", 0.1 * size)
        np.testing.assert_allclose(found.mean, plain.mean, atol=1e-12)
        np.testing.assert_allclose(found.covariance / size, plain.covariance, atol=1e-12)


# What must hold for any problem.

sizes = st.tuples(st.integers(1, 8), st.integers(1, 8), st.integers(1, 12), st.integers(0, 10_000))


@given(sizes, st.one_of(st.floats(0, 1e6), st.floats(0, allow_nan=False)), st.floats(0, 2))
def test_covariances_are_positive_semidefinite(size, t, noise):
    n, m, features, seed = size
    p = Problem(n, m, 1, features, seed)
    ensemble, prior = p.ensemble(), p.blocks("nngp")[2]
    on_test = ensemble.predict_kernels(p.cross(), prior, t, "full", noise)
    on_train = ensemble.predict(None, t, "full", noise)
    for g in (on_test, on_train):
        assert np.isfinite(g.mean).all()
        assert (g.variance >= 0).all()
        np.testing.assert_array_equal(g.covariance, g.covariance.T)
        values = np.linalg.eigvalsh(g.covariance)
        assert values[0] >= -1e-12 * (n + m) * max(values[-1], prior.max())
    diagonal = ensemble.predict_kernels(p.cross(), prior, t, "diagonal", noise)
    bound = 1e-12 * (n + m) * max(on_test.variance.max(), prior.max())
    np.testing.assert_allclose(diagonal.variance, on_test.variance, atol=bound)


@given(sizes, st.lists(st.floats(0, 50), min_size=2, max_size=5))
def test_training_without_noise_only_takes_variance_on_training_points_away(size, times):
    n, m, features, seed = size
    ensemble = Problem(n, m, 1, features + n, seed).ensemble()
    total = [ensemble.predict(None, t, "diagonal").variance.sum() for t in sorted(times)]
    # Θ and Σ share no eigenvectors, so that single points may rise, but Σ ‖f_t − y‖² falls.
    assert (np.diff(total) <= 1e-12 * n * total[0]).all()


# Shapes, types, blocks.


@pytest.mark.parametrize("outputs", [(), (1,), (3,), (2, 2)])
def test_shapes(outputs):
    p = Problem(n=7)
    y = np.random.default_rng(1).normal(size=(7, *outputs))
    ensemble = nk.Ensemble.from_kernels(p.blocks("nngp")[0], nk.GradientFlow(p.blocks("ntk")[0], y))
    g = ensemble.predict_kernels(p.cross(), p.blocks("nngp")[2], 0.5, "diagonal")
    assert g.mean.shape == (5, *outputs)
    assert g.covariance.shape == g.variance.shape == g.std.shape == (5,)
    assert ensemble.predict().mean.shape == (7, *outputs)
    for index in np.ndindex(outputs):
        one = nk.Ensemble.from_kernels(
            p.blocks("nngp")[0], nk.GradientFlow(p.blocks("ntk")[0], y[(slice(None), *index)])
        )
        alone = one.predict_kernels(p.cross(), t=0.5)
        np.testing.assert_allclose(alone.mean, g.mean[(slice(None), *index)], atol=1e-14)


def test_single_precision_stays_what_it_is(rng):
    p = Problem()
    prior = p.blocks("nngp")[2]
    single, double = p.ensemble(np.float32), p.ensemble()
    accuracy = 20 * np.finfo(np.float32).eps * double.flow.spectrum.condition_number
    for t in TIMES:
        g = single.predict_kernels(p.cross(np.float32), prior.astype(np.float32), t, "full", 0.1)
        assert g.mean.dtype == g.covariance.dtype == np.float32
        expected = double.predict_kernels(p.cross(), prior, t, "full", 0.1)
        np.testing.assert_allclose(g.mean, expected.mean, atol=accuracy)
        np.testing.assert_allclose(g.covariance, expected.covariance, atol=accuracy)
        on_train = single.predict(None, t, "diagonal", 0.1)
        assert on_train.mean.dtype == on_train.covariance.dtype == np.float32
    net, x = nk.mlp(1), rng.normal(size=(5, 2)).astype(np.float32)
    ensemble = nk.Ensemble(net, x, x[:, 0])
    for kind in ("diagonal", "full"):
        g = ensemble.predict(x[:3], 1.0, kind, 0.1)
        assert g.mean.dtype == g.covariance.dtype == np.float32


def test_blocks_of_test_points_change_nothing(monkeypatch, rng):
    net, x, y = nk.mlp(1, b_std=0.5), rng.normal(size=(6, 2)), rng.normal(size=(6, 2))
    x_test = rng.normal(size=(11, 2))
    ensemble, posterior = nk.Ensemble(net, x, y), nk.Posterior(net, x, y)
    whole = [ensemble.predict(x_test, 0.5, "diagonal"), posterior.predict(x_test, "diagonal")]
    asked = []

    def count_rows(network, points, *others, **options):
        asked.append(len(points))
        return evaluate(network, points, *others, **options)

    evaluate = nk.Network.kernels
    monkeypatch.setattr(nk.Network, "kernels", count_rows)
    monkeypatch.setattr("ntkfast.dynamics._gram._BLOCK", 18)  # three rows
    parts = [ensemble.predict(x_test, 0.5, "diagonal"), posterior.predict(x_test, "diagonal")]
    assert asked == [3, 3, 3, 2]
    cross, prior = net.kernels(x_test, x), net.nngp(x_test, diagonal=True)
    parts.append(ensemble.predict_kernels(cross, prior, 0.5, "diagonal"))
    for part, expected in zip(parts, [*whole, whole[0]], strict=True):
        np.testing.assert_allclose(part.mean, expected.mean, atol=1e-14)
        np.testing.assert_allclose(part.covariance, expected.covariance, atol=1e-14)


def test_a_trajectory_is_a_prediction_at_each_time(rng):
    net, x, y = nk.mlp(1), rng.normal(size=(6, 2)), rng.normal(size=6)
    ensemble = nk.Ensemble(net, x, y)
    for points in (None, rng.normal(size=(3, 2))):
        for kind in ("none", "diagonal", "full"):
            path = ensemble.trajectory(points, TIMES, kind, 0.1)
            assert len(path) == len(TIMES)
            for g, t in zip(path, TIMES, strict=True):
                single = ensemble.predict(points, t, kind, 0.1)
                np.testing.assert_array_equal(g.mean, single.mean)
                np.testing.assert_array_equal(g.covariance, single.covariance)
                assert f"t = {t:g}" in repr(g)
    assert ensemble.trajectory(None, []) == []
