"""Ensembles at the limits of floating point, what holds for any problem, shapes and types."""

import math

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import ntkfast as nk
from gaussian_processes import Problem

EPS = np.finfo(float).eps
TIMES = [0.0, 1e-3, 0.7, 5.0, 40.0, math.inf]


# Ill-conditioned kernels.

SPREAD = np.array([1e-13, 1e-9, 1e-3, 0.5, 1.0, 3e3])  # more than 1e16


@pytest.mark.filterwarnings("ignore:t = .* is so long that rounding")  # these eigenvalues are exact
@pytest.mark.parametrize("ridge", [0.0, 1e-6])
def test_a_spread_of_1e16_mode_by_mode(ridge):
    """With U = 1 what happens on training points is a function of one eigenvalue."""
    sigma, noise = np.linspace(0.5, 2, SPREAD.size), 0.25
    flow = nk.GradientFlow(
        nk.Spectrum(SPREAD, np.eye(SPREAD.size)), np.ones(SPREAD.size), diag_reg=ridge
    )
    ensemble = nk.Ensemble.from_kernels(np.diag(sigma), flow)
    for t in (1e-3, 1.0, 1e4, 1e8, 1e11):
        g = ensemble.predict(None, t=t, covariance="diagonal", noise_variance=noise)
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
    g = ensemble.predict(None, t=t, covariance="full", noise_variance=noise)
    test = ensemble.predict_kernels(
        nk.Kernels(sigma, theta), sigma, t=t, covariance="full", noise_variance=noise
    )
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
        plain = p.ensemble().predict_kernels(
            p.cross(), prior, t=t, covariance="full", noise_variance=0.1
        )
        found = scaled.predict_kernels(cross, prior, t=t, covariance="full", noise_variance=0.1)
        np.testing.assert_allclose(found.mean, plain.mean, atol=1e-12)
        np.testing.assert_allclose(found.covariance, plain.covariance, atol=1e-12)
        found = both.predict_kernels(
            cross_both, size * prior, t=t, covariance="full", noise_variance=0.1 * size
        )
        np.testing.assert_allclose(found.mean, plain.mean, atol=1e-12)
        np.testing.assert_allclose(found.covariance / size, plain.covariance, atol=1e-12)


# What must hold for any problem.

sizes = st.tuples(st.integers(1, 8), st.integers(1, 8), st.integers(1, 12), st.integers(0, 10_000))


@given(sizes, st.one_of(st.floats(0, 1e6), st.floats(0, allow_nan=False)), st.floats(0, 2))
def test_covariances_are_positive_semidefinite(size, t, noise):
    n, m, features, seed = size
    p = Problem(n, m, 1, features, seed)
    ensemble, prior = p.ensemble(), p.blocks("nngp")[2]
    on_test = ensemble.predict_kernels(
        p.cross(), prior, t=t, covariance="full", noise_variance=noise
    )
    on_train = ensemble.predict(None, t=t, covariance="full", noise_variance=noise)
    for g in (on_test, on_train):
        assert np.isfinite(g.mean).all()
        assert (g.variance >= 0).all()
        np.testing.assert_array_equal(g.covariance, g.covariance.T)
        values = np.linalg.eigvalsh(g.covariance)
        assert values[0] >= -1e-12 * (n + m) * max(values[-1], prior.max())
    diagonal = ensemble.predict_kernels(
        p.cross(), prior, t=t, covariance="diagonal", noise_variance=noise
    )
    bound = 1e-12 * (n + m) * max(on_test.variance.max(), prior.max())
    np.testing.assert_allclose(diagonal.variance, on_test.variance, atol=bound)


@given(sizes, st.lists(st.floats(0, 50), min_size=2, max_size=5))
def test_training_without_noise_only_takes_variance_on_training_points_away(size, times):
    n, m, features, seed = size
    ensemble = Problem(n, m, 1, features + n, seed).ensemble()
    total = [
        ensemble.predict(None, t=t, covariance="diagonal").variance.sum() for t in sorted(times)
    ]
    # Θ and Σ share no eigenvectors, so that single points may rise, but Σ ‖f_t − y‖² falls.
    assert (np.diff(total) <= 1e-12 * n * total[0]).all()


# Shapes, types, blocks.


@pytest.mark.parametrize("outputs", [(), (1,), (3,), (2, 2)])
def test_shapes(outputs):
    p = Problem(n=7)
    y = np.random.default_rng(1).normal(size=(7, *outputs))
    ensemble = nk.Ensemble.from_kernels(p.blocks("nngp")[0], nk.GradientFlow(p.blocks("ntk")[0], y))
    g = ensemble.predict_kernels(p.cross(), p.blocks("nngp")[2], t=0.5, covariance="diagonal")
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
        g = single.predict_kernels(
            p.cross(np.float32),
            prior.astype(np.float32),
            t=t,
            covariance="full",
            noise_variance=0.1,
        )
        assert g.mean.dtype == g.covariance.dtype == np.float32
        expected = double.predict_kernels(
            p.cross(), prior, t=t, covariance="full", noise_variance=0.1
        )
        np.testing.assert_allclose(g.mean, expected.mean, atol=accuracy)
        np.testing.assert_allclose(g.covariance, expected.covariance, atol=accuracy)
        on_train = single.predict(None, t=t, covariance="diagonal", noise_variance=0.1)
        assert on_train.mean.dtype == on_train.covariance.dtype == np.float32
    net, x = nk.mlp(1), rng.normal(size=(5, 2)).astype(np.float32)
    ensemble = nk.Ensemble(net, x, x[:, 0])
    for kind in ("diagonal", "full"):
        g = ensemble.predict(x[:3], t=1.0, covariance=kind, noise_variance=0.1)
        assert g.mean.dtype == g.covariance.dtype == np.float32


def test_blocks_of_test_points_change_nothing(monkeypatch, rng):
    net, x, y = nk.mlp(1, b_std=0.5), rng.normal(size=(6, 2)), rng.normal(size=(6, 2))
    x_test = rng.normal(size=(11, 2))
    ensemble, posterior = nk.Ensemble(net, x, y), nk.Posterior(net, x, y)
    whole = [
        ensemble.predict(x_test, t=0.5, covariance="diagonal"),
        posterior.predict(x_test, covariance="diagonal"),
    ]
    asked = []

    def count_rows(network, points, *others, **options):
        asked.append(len(points))
        return evaluate(network, points, *others, **options)

    evaluate = nk.Network.kernels
    monkeypatch.setattr(nk.Network, "kernels", count_rows)
    monkeypatch.setattr("ntkfast._gram._BLOCK", 18)  # three rows
    parts = [
        ensemble.predict(x_test, t=0.5, covariance="diagonal"),
        posterior.predict(x_test, covariance="diagonal"),
    ]
    assert asked == [3, 3, 3, 2]
    cross, prior = net.kernels(x_test, x), net.nngp(x_test, diagonal=True)
    parts.append(ensemble.predict_kernels(cross, prior, t=0.5, covariance="diagonal"))
    for part, expected in zip(parts, [*whole, whole[0]], strict=True):
        np.testing.assert_allclose(part.mean, expected.mean, atol=1e-14)
        np.testing.assert_allclose(part.covariance, expected.covariance, atol=1e-14)


def test_a_trajectory_is_a_prediction_at_each_time(rng):
    net, x, y = nk.mlp(1), rng.normal(size=(6, 2)), rng.normal(size=6)
    ensemble = nk.Ensemble(net, x, y)
    for points in (None, rng.normal(size=(3, 2))):
        for kind in ("none", "diagonal", "full"):
            path = ensemble.trajectory(points, t=TIMES, covariance=kind, noise_variance=0.1)
            assert len(path) == len(TIMES)
            for g, t in zip(path, TIMES, strict=True):
                single = ensemble.predict(points, t=t, covariance=kind, noise_variance=0.1)
                np.testing.assert_array_equal(g.mean, single.mean)
                np.testing.assert_array_equal(g.covariance, single.covariance)
                assert f"t = {t:g}" in repr(g)
    assert ensemble.trajectory(None, t=[]) == []
