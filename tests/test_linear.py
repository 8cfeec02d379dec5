"""Linear models in closed form, against matrix exponentials of their own and least squares."""

import pickle
import tracemalloc

import numpy as np
import pytest
from scipy.linalg import expm

import ntkfast as nk


def problem(n, p, c=2, seed=0):
    """Features of n training and 4 test points, targets (n, c), weights (p, c)."""
    rng = np.random.default_rng(seed)
    features, test = rng.normal(size=(n, p)) / p**0.5, rng.normal(size=(4, p))
    return features, test, rng.normal(size=(n, c)), rng.normal(size=(p, c))


def propagate(features, t, rate=1.0, ridge=0.0):
    """M and N of w_t = M·w_0 + N·y: dw/dt = −η·(ΦᵀΦ·w − Φᵀy + r·(w − w_0)), as one exponential."""
    n, p = features.shape
    system = np.zeros((2 * p + n, 2 * p + n))  # of (w, w_0, y), the latter two constant
    system[:p, :p] = -rate * (features.T @ features + ridge * np.eye(p))
    system[:p, p : 2 * p] = rate * ridge * np.eye(p)
    system[:p, 2 * p :] = rate * features.T
    solution = expm(system * t)[:p]
    return solution[:, :p] + solution[:, p : 2 * p], solution[:, 2 * p :]


@pytest.mark.parametrize(("n", "p"), [(12, 3), (5, 9), (6, 6)])
@pytest.mark.parametrize("ridge", [0.0, 0.3])
def test_training_in_parameter_space(n, p, ridge):
    features, test, y, w0 = problem(n, p)
    model = nk.LinearModel(features, y, learning_rate=0.7, diag_reg=ridge)
    for t in (0.0, 0.4, 30.0):
        forget, learn = propagate(features, t, 0.7, ridge)
        w = forget @ w0 + learn @ y
        np.testing.assert_allclose(model.parameters(w0, t=t), w, atol=1e-12)
        np.testing.assert_allclose(model.predict(test, w0, t=t), test @ w, atol=1e-12)
        np.testing.assert_allclose(model.predict_train(w0, t=t), features @ w, atol=1e-12)
        np.testing.assert_allclose(model.residual(w0, t=t), y - features @ w, atol=1e-12)
        loss = 0.5 * np.sum((features @ w - y) ** 2)
        np.testing.assert_allclose(model.loss(w0, t=t), loss, rtol=1e-11)


@pytest.mark.parametrize(("n", "p"), [(12, 3), (5, 9)])
def test_it_is_gradient_flow_on_its_kernel(n, p):
    features, test, y, w0 = problem(n, p)
    t = np.array([[0.1, 1.0], [20.0, np.inf]])
    for reduction in ("sum", "mean"):
        model = nk.LinearModel(features, y, reduction=reduction)
        flow = nk.GradientFlow(features @ features.T, y, reduction=reduction)
        f0 = features @ w0
        predicted = flow.predict(test @ features.T, f0, test @ w0, t=t)
        np.testing.assert_allclose(model.predict(test, w0, t=t), predicted, atol=1e-11)
        np.testing.assert_allclose(model.loss(w0, t=t), flow.loss(f0, t=t), rtol=1e-10, atol=1e-14)
        np.testing.assert_allclose(
            model.parameters(w0, t=t), flow.parameters(features, w0, f0, t=t), atol=1e-11
        )


@pytest.mark.parametrize(("n", "p"), [(12, 3), (5, 9)])
def test_it_ends_at_the_least_squares_nearest_to_the_start(n, p):
    features, _, y, w0 = problem(n, p)
    change, *_ = np.linalg.lstsq(features, y - features @ w0, rcond=None)
    model = nk.LinearModel(features, y)
    np.testing.assert_allclose(model.parameters(w0, t=np.inf), w0 + change, atol=1e-12)


def test_powers_that_hardly_differ_are_told_apart():
    """Singular values from 7 to 1e-10: their squares span more digits than there are."""
    x = np.linspace(0.0, 1.0, 40)
    powers = np.vander(x, 15)
    y = np.cos(3 * x)
    model = nk.LinearModel(powers, y)
    assert model.singular_values[0] < 1e-8 * model.singular_values[-1]
    best, *_ = np.linalg.lstsq(powers, y, rcond=None)
    assert np.abs(powers @ best - y).max() < 1e-12
    np.testing.assert_allclose(model.predict_train(t=np.inf), y, atol=1e-12)
    np.testing.assert_allclose(model.predict(powers, t=np.inf), y, atol=1e-9)


@pytest.mark.parametrize(("n", "p"), [(12, 3), (5, 9), (6, 6)])
@pytest.mark.parametrize("ridge", [0.0, 0.3])
def test_uncertainty(n, p, ridge):
    features, test, y, w0 = problem(n, p)
    model = nk.LinearModel(features, y, diag_reg=ridge)
    prior, noise = 1.7, 0.2
    for t in (0.0, 0.4, 30.0):
        forget, learn = propagate(features, t, ridge=ridge)
        weights = prior * forget @ forget.T + noise * learn @ learn.T
        covariance = test @ weights @ test.T
        settings = {"prior_variance": prior, "noise_variance": noise, "w0": w0}
        full = model.distribution(test, t=t, covariance="full", **settings)
        np.testing.assert_allclose(full.covariance, covariance, atol=1e-12)
        np.testing.assert_array_equal(full.covariance, full.covariance.T)
        np.testing.assert_allclose(full.mean, test @ (forget @ w0 + learn @ y), atol=1e-12)
        diagonal = model.distribution(test, t=t, covariance="diagonal", **settings)
        np.testing.assert_allclose(diagonal.variance, covariance.diagonal(), atol=1e-12)
        own = model.distribution(np.eye(p), t=t, covariance="full", **settings)
        np.testing.assert_allclose(own.covariance, weights, atol=1e-12)
        np.testing.assert_allclose(own.mean, model.parameters(w0, t=t), atol=1e-12)
    assert model.distribution(test).covariance is None


def test_the_end_is_bayesian_regression_where_the_penalty_is_that_of_the_noise():
    features, test, y, w0 = problem(12, 4)
    prior, noise = 2.0, 0.5
    model = nk.LinearModel(features, y, diag_reg=noise / prior)
    found = model.distribution(
        test, t=np.inf, covariance="full", prior_variance=prior, noise_variance=noise, w0=w0
    )
    covariance = np.linalg.inv(features.T @ features / noise + np.eye(4) / prior)
    mean = covariance @ (features.T @ y / noise + w0 / prior)
    np.testing.assert_allclose(found.mean, test @ mean, atol=1e-12)
    np.testing.assert_allclose(found.covariance, test @ covariance @ test.T, atol=1e-12)


def test_what_is_learnt_is_certain():
    """Differences of large covariances would leave 1e-16 of the prior here."""
    features, _, y, _ = problem(5, 9)
    known = nk.LinearModel(features, y).distribution(features, t=np.inf, covariance="diagonal")
    assert known.variance.max() < 1e-28


def test_many_points_and_few_features_take_little_memory():
    rng = np.random.default_rng(1)
    features, y = rng.normal(size=(20_000, 3)), rng.normal(size=20_000)
    tracemalloc.start()
    model = nk.LinearModel(features, y, reduction="mean")
    model.loss(t=np.linspace(0, 10, 50))
    model.distribution(features, t=1.0, covariance="diagonal")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 20e6  # a kernel has 3.2e9 bytes


@pytest.mark.parametrize("y_shape", [(7,), (7, 1), (7, 2, 3)])
@pytest.mark.parametrize("t_shape", [(), (4,), (2, 3), (0,)])
def test_shapes(t_shape, y_shape):
    rng = np.random.default_rng(2)
    features, t = rng.normal(size=(7, 4)), rng.uniform(size=t_shape)
    model = nk.LinearModel(features, rng.normal(size=y_shape))
    assert model.parameters(t=t).shape == (*t_shape, 4, *y_shape[1:])
    assert model.predict(features[:2], 0.5, t=t).shape == (*t_shape, 2, *y_shape[1:])
    assert model.predict_train(t=t).shape == model.residual(t=t).shape == t_shape + y_shape
    assert np.shape(model.loss(t=t)) == t_shape
    assert model.distribution(features[:2], t=1.0, covariance="full").mean.shape == (
        2,
        *y_shape[1:],
    )


def test_types():
    features, test, y, _ = (a.astype(np.float32) for a in problem(6, 3))
    single = nk.LinearModel(features, y)
    for found in (single.parameters(t=1.0), single.loss(t=1.0), single.predict(test, t=1.0)):
        assert found.dtype == np.float32
    assert single.distribution(test, t=1.0, covariance="full").covariance.dtype == np.float32
    assert nk.LinearModel(features, y.astype(float)).parameters(t=1.0).dtype == np.float64


def test_it_says_what_it_is_and_survives_pickling():
    features, _, y, _ = problem(6, 3)
    twice = np.hstack([features, features[:, :1]])
    model = nk.LinearModel(twice, y, learning_rate=0.5)
    assert "LinearModel(4 features, singular values from" in repr(model)
    assert "rank 3 of 4" in str(model)
    assert "rank" not in str(nk.LinearModel(features, y))
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again.parameters(t=2.0), model.parameters(t=2.0))
    with pytest.raises(AttributeError):
        model.y = y
    empty = nk.LinearModel(np.zeros((0, 2)), np.zeros(0))
    np.testing.assert_array_equal(empty.parameters(1.0, t=3.0), np.ones(2))
    assert "LinearModel(2 features, y of shape (0,)" in repr(empty)


@pytest.mark.parametrize(
    ("call", "kind", "words"),
    [
        (lambda m: nk.LinearModel(np.ones(3), np.ones(3)), ValueError, "features has shape"),
        (lambda m: nk.LinearModel([[np.inf]], [1.0]), ValueError, "features has an infinity"),
        (lambda m: nk.LinearModel(np.eye(3), np.ones(4)), ValueError, "each row of features"),
        (lambda m: nk.LinearModel([[1e200]], [1.0]), nk.NumericalError, "scale the features down"),
        (lambda m: m.parameters(t=-1.0), ValueError, "t is -1.0"),
        (lambda m: m.parameters(np.ones(5), t=1.0), ValueError, "w0 has shape"),
        (lambda m: m.predict(np.eye(2), t=1.0), ValueError, "features_test has shape"),
        (lambda m: m.distribution(np.eye(3), t=[1.0]), ValueError, "expected one time"),
        (
            lambda m: m.distribution(np.eye(3), t=1.0, covariance="all"),
            ValueError,
            "covariance is 'all'",
        ),
        (
            lambda m: m.distribution(np.eye(3), t=1.0, prior_variance=-1.0),
            ValueError,
            "prior_variance is -1.0",
        ),
    ],
)
def test_refusals(call, kind, words):
    with pytest.raises(kind, match=words):
        call(nk.LinearModel(np.eye(3), np.ones(3)))
