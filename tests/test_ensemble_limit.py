"""Ensembles at t = ∞ by a Cholesky factor, against literal formulae and against eigenvectors."""

import math
import pickle

import numpy as np
import pytest

import ntkfast as nk
from contract import same_bits
from ntkfast.solvers.cholesky import prepare_regular

RNG = np.random.default_rng(4)
X, X_TEST = RNG.normal(size=(30, 4)), RNG.normal(size=(7, 4))
Y = RNG.normal(size=(30, 2))
NET = nk.mlp(2, nk.Erf(), w_std=1.5, b_std=0.3)


def literal(trained, ridge, noise, x_test):
    """Mean and covariance of f(x) + Θ*·(Θ + r)⁻¹·(y + noise − f(X)), by NumPy."""
    both = np.concatenate([X, x_test])
    sigma = NET.nngp(both)
    theta = NET.ntk(both) if trained == "all" else sigma
    n = len(X)
    b = np.linalg.solve(theta[:n, :n] + ridge * np.eye(n), theta[:n, n:]).T
    c = np.concatenate([-b, np.eye(len(x_test))], axis=1)
    return b @ Y, c @ sigma @ c.T + noise * b @ b.T


@pytest.mark.parametrize("trained", ["all", "readout"])
@pytest.mark.parametrize("noise", [0.0, 0.2])
@pytest.mark.parametrize("ridge", [0.0, 0.1])
@pytest.mark.parametrize("points", ["test", "training"])
def test_it_is_the_literal_formula(trained, noise, ridge, points):
    ensemble = nk.Ensemble(NET, X, Y, diag_reg=ridge, trained=trained)
    mean, covariance = literal(trained, ridge, noise, X_TEST if points == "test" else X)
    x_test = X_TEST if points == "test" else None
    full = ensemble.predict(x_test, covariance="full", noise_variance=noise)
    np.testing.assert_allclose(full.mean, mean, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(full.covariance, covariance, atol=1e-9)
    np.testing.assert_array_equal(full.covariance, full.covariance.T)
    diagonal = ensemble.predict(x_test, covariance="diagonal", noise_variance=noise)
    np.testing.assert_allclose(diagonal.variance, covariance.diagonal(), atol=1e-9)
    assert same_bits(diagonal.mean, ensemble.predict(x_test).mean)
    assert "flow" not in vars(ensemble)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_both_ways_agree(dtype):
    x, y, x_test = X.astype(dtype), Y.astype(dtype), X_TEST.astype(dtype)
    ensemble = nk.Ensemble(NET, x, y, relative_diag_reg=0.01)
    flow = nk.GradientFlow(NET.ntk(x), y, relative_diag_reg=0.01)
    other = nk.Ensemble.from_kernels(NET.nngp(x), flow)
    found = ensemble.predict(x_test, covariance="full", noise_variance=0.1)
    expected = other.predict_kernels(
        NET.kernels(x_test, x), NET.nngp(x_test), covariance="full", noise_variance=0.1
    )
    rounding = 500 * np.finfo(dtype).eps
    np.testing.assert_allclose(found.mean, expected.mean, atol=rounding)
    np.testing.assert_allclose(found.covariance, expected.covariance, atol=rounding)
    assert found.mean.dtype == found.covariance.dtype == dtype


def test_a_trajectory_takes_either_way_at_each_time():
    ensemble = nk.Ensemble(NET, X, Y, diag_reg=0.1)
    times = [math.inf, 0.5, math.inf]
    for x_test in (None, X_TEST):
        states = ensemble.trajectory(x_test, t=times, covariance="diagonal")
        for t, state in zip(times, states, strict=True):
            one = ensemble.predict(x_test, t=t, covariance="diagonal")
            assert same_bits(one.mean, state.mean)
            assert same_bits(one.variance, state.variance)
    assert nk.Ensemble(NET, X, Y).trajectory(X_TEST, t=[]) == []


def test_contradictory_copies_leave_their_mean():
    """Θ is singular, so the eigenvectors decide: no jitter, no warning."""
    x, y = np.concatenate([X, X]), np.concatenate([Y, Y + 2.0])
    ensemble = nk.Ensemble(NET, x, y)
    mean = ensemble.predict(X_TEST).mean
    np.testing.assert_allclose(mean, literal("all", 0.0, 0.0, X_TEST)[0] + _ones(), atol=1e-8)
    assert "flow" in vars(ensemble)


def _ones():
    n = len(X)
    both = np.concatenate([X, X_TEST])
    theta = NET.ntk(both)
    return np.linalg.solve(theta[:n, :n], theta[:n, n:]).T @ np.ones((n, 1))


@pytest.mark.parametrize("exponent", range(4, 17))
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_nearly_singular_systems_are_recognised(exponent, dtype):
    """No system whose smallest eigenvalue is below the tolerance counts as regular."""
    n = 60
    vectors = np.linalg.qr(np.random.default_rng(exponent).normal(size=(n, n)))[0]
    values = np.geomspace(10.0**-exponent, 1.0, n)
    gram = ((vectors * values) @ vectors.T).astype(dtype)
    gram = (gram + gram.T) / 2
    found = prepare_regular(gram, 0.0)
    tolerance = nk.eigh(gram).tolerance
    if values[0] < tolerance:
        assert found is None
    if values[0] > 1e3 * tolerance:
        assert found is not None
        b = np.ones(n, dtype)
        np.testing.assert_allclose(
            found.solve(b), np.linalg.solve(gram.astype(np.float64), b), rtol=1e-3
        )


def test_no_points():
    ensemble = nk.Ensemble(NET, X[:0], Y[:0])
    at_test = ensemble.predict(X_TEST, covariance="full")
    np.testing.assert_array_equal(at_test.mean, np.zeros((7, 2)))
    np.testing.assert_allclose(at_test.covariance, NET.nngp(X_TEST), rtol=1e-12)
    assert ensemble.predict(covariance="diagonal").mean.shape == (0, 2)


def test_a_regularisation_per_point_does_not_exist():
    with pytest.raises(TypeError, match="diag_reg"):
        nk.Ensemble(NET, X, Y, diag_reg=np.ones(30))


def test_pickles_hold_no_factor():
    ensemble = nk.Ensemble(NET, X, Y, diag_reg=0.1)
    before = len(pickle.dumps(ensemble))
    expected = ensemble.predict(X_TEST).mean
    assert len(pickle.dumps(ensemble)) == before
    assert same_bits(pickle.loads(pickle.dumps(ensemble)).predict(X_TEST).mean, expected)
