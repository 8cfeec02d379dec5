"""Kernels for scikit-learn: derivatives against 50-digit formulae, and their use in estimators."""

import warnings

import mpmath
import numpy as np
import pytest
from scipy.optimize import approx_fprime
from sklearn.base import clone
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import WhiteKernel
from sklearn.metrics.pairwise import pairwise_kernels
from sklearn.svm import SVC

import ntkfast as nk
from ntkfast.sklearn import NNGPKernel, NTKKernel
from reference import evaluator

KERNELS = [NTKKernel, NNGPKernel]
# Points that are twice another, opposite, zero, and nearly the same.
X = np.array(
    [[0.3, -1.2], [0.6, -2.4], [-0.3, 1.2], [0.0, 0.0], [0.3, -1.2 + 1e-9], [2.0, 1.0], [0.3, -1.2]]
)


def moved(start, k, step):
    return [value + step * (i == k) for i, value in enumerate(start)]


def textbook_value(which, depth, activation, i, j, logarithms):
    """The kernel of two points by the logarithms of amplitude, b_std and w_std, in mpmath."""
    amplitude, bias, weight = map(mpmath.exp, logarithms)
    dense = ["dense", weight, bias]
    net = ["serial", *[dense, list(activation)] * depth, dense]
    nngp, ntk = evaluator.kernels(net, X[i], X[j])
    return amplitude**2 * (ntk if which is NTKKernel else nngp)


@pytest.mark.parametrize("which", KERNELS)
@pytest.mark.parametrize(("depth", "name"), [(1, "relu"), (3, "relu"), (2, "erf"), (0, "relu")])
def test_derivatives_are_those_of_the_textbook_formulae(which, depth, name):
    """Within 1e-11·√(K_ii·K_jj): by 50-digit differences of formulae the package does not share."""
    kernel = which(depth, name, amplitude=1.5, w_std=1.4, b_std=0.3)
    parameters = {"relu": ("abrelu", 0.0, 1.0), "erf": ("erf", 1.0, 1.0, 0.0)}[name]
    values, gradient = kernel(X, eval_gradient=True)
    assert gradient.shape == (7, 7, 3)
    np.testing.assert_array_equal(values, kernel(X))
    with mpmath.workdps(60):
        start = [mpmath.log(mpmath.mpf(value)) for value in (1.5, 0.3, 1.4)]
        step = mpmath.mpf(10) ** -15
        for i, j in [(0, 0), (1, 0), (2, 0), (3, 0), (3, 3), (4, 0), (5, 0), (5, 3), (6, 0)]:
            scale = np.sqrt(values[i, i] * values[j, j])
            for k in range(3):
                ends = [
                    textbook_value(which, depth, parameters, i, j, moved(start, k, sign * step))
                    for sign in (1, -1)
                ]
                expected = float((ends[0] - ends[1]) / (2 * step))
                assert gradient[i, j, k] == pytest.approx(expected, abs=1e-11 * scale)
                assert gradient[j, i, k] == pytest.approx(gradient[i, j, k], abs=1e-12 * scale)


@pytest.mark.parametrize("which", KERNELS)
def test_values_are_those_of_the_network(which):
    net = nk.mlp(3, nk.Erf(), w_std=1.3, b_std=0.2)
    expected = 4 * (net.ntk if which is NTKKernel else net.nngp)(X, X[:3])
    named = which(3, "erf", w_std=1.3, b_std=0.2, amplitude=2.0)
    given = which(network=net, amplitude=2.0)
    for kernel in (named, given, clone(named)):
        np.testing.assert_array_equal(kernel(X, X[:3]), expected)
        np.testing.assert_allclose(kernel.diag(X), kernel(X).diagonal(), rtol=1e-14)
        assert not kernel.is_stationary()
    assert [h.name for h in named.hyperparameters if not h.fixed] == ["amplitude", "b_std", "w_std"]
    assert [h.name for h in given.hyperparameters if not h.fixed] == ["amplitude"]
    np.testing.assert_allclose(np.exp(named.theta), [2.0, 0.2, 1.3])
    assert named.clone_with_theta(named.theta) == named
    assert given(X, eval_gradient=True)[1].shape == (7, 7, 1)


@pytest.mark.parametrize("which", KERNELS)
@pytest.mark.parametrize("activation", ["relu", "gelu", "tanh"])
@pytest.mark.parametrize("lengths", [0.7, [0.5, 2.0]])
def test_derivatives_by_lengths_are_those_of_differences(which, activation, lengths):
    x = np.random.default_rng(0).normal(size=(7, 2))
    kernel = which(2, activation, w_std=1.4, b_std=0.3, amplitude=1.5, length_scale=lengths)
    plain = which(2, activation, w_std=1.4, b_std=0.3, amplitude=1.5)
    values, gradient = kernel(x, eval_gradient=True)
    np.testing.assert_allclose(values, plain(x / lengths), rtol=1e-12)
    np.testing.assert_allclose(kernel(x, x[:3]), plain(x / lengths, x[:3] / lengths), rtol=1e-12)
    np.testing.assert_allclose(kernel.diag(x), values.diagonal(), rtol=1e-10)
    count = np.size(lengths)
    assert gradient.shape == (7, 7, 3 + count)
    assert kernel.theta.shape == (3 + count,)
    np.testing.assert_allclose(np.exp(kernel.theta[2 : 2 + count]), lengths)
    for k in range(3 + count):
        step = 1e-5 * (np.arange(3 + count) == k)
        ends = [kernel.clone_with_theta(kernel.theta + sign * step)(x) for sign in (1, -1)]
        differences = (ends[0] - ends[1]) / 2e-5
        np.testing.assert_allclose(gradient[..., k], differences, rtol=1e-5, atol=1e-6)


def test_lengths_may_be_fixed_and_given_networks_have_them():
    fixed = NNGPKernel(length_scale=[1.0, 2.0], length_scale_bounds="fixed")
    assert [h.name for h in fixed.hyperparameters if not h.fixed] == ["amplitude", "b_std", "w_std"]
    given = NTKKernel(network=nk.mlp(1), length_scale=[1.0, 2.0])
    assert [h.name for h in given.hyperparameters if not h.fixed] == ["amplitude", "length_scale"]
    assert given(X, eval_gradient=True)[1].shape == (7, 7, 3)
    assert "length_scale=[1., 2.]" in repr(given)
    assert clone(given) == given


@pytest.mark.parametrize("which", KERNELS)
def test_lengths_grow_for_features_without_influence(which):
    rng = np.random.default_rng(0)
    x, x_test = rng.normal(size=(2, 60, 6))
    truth = np.sin(2 * x_test[:, 1]) + x_test[:, 4]
    y = np.sin(2 * x[:, 1]) + x[:, 4] + 0.1 * rng.normal(size=60)
    kernel = which(2, amplitude_bounds="fixed", length_scale=np.ones(6)) + WhiteKernel(0.1)
    plain = which(2, amplitude_bounds="fixed") + WhiteKernel(0.1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # lengths at their bounds
        models = [GaussianProcessRegressor(each).fit(x, y) for each in (kernel, plain)]
    errors = [np.mean((model.predict(x_test) - truth) ** 2) for model in models]
    assert {*np.argsort(models[0].kernel_.k1.length_scale)[:2]} == {1, 4}
    assert errors[0] < 0.2 * errors[1]


def test_biases_that_are_none_or_zero_stay():
    for b_std in (None, 0.0):
        kernel = NNGPKernel(b_std=b_std, amplitude_bounds="fixed")
        assert [h.name for h in kernel.hyperparameters if not h.fixed] == ["w_std"]
    fixed = NNGPKernel(w_std_bounds="fixed", b_std_bounds="fixed", amplitude_bounds="fixed")
    assert fixed(X, eval_gradient=True)[1].shape == (7, 7, 0)


@pytest.mark.parametrize("which", KERNELS)
def test_the_optimiser_of_scikit_learn_finds_a_maximum(which):
    """The gradient of the evidence is that of differences, and vanishes where it ends."""
    rng = np.random.default_rng(0)
    x = np.linspace(-2, 2, 25)[:, None]
    y = 1 + np.sin(2 * x[:, 0]) + 0.3 * rng.normal(size=25)
    kernel = which(2, "relu", amplitude_bounds="fixed") + WhiteKernel(0.1, (1e-3, 10))
    model = GaussianProcessRegressor(kernel).fit(x, y)
    start, end = kernel.theta, model.kernel_.theta
    value, gradient = model.log_marginal_likelihood(start, eval_gradient=True)
    differences = approx_fprime(start, model.log_marginal_likelihood, 1e-6)
    np.testing.assert_allclose(gradient, differences, rtol=1e-4, atol=1e-4)
    _, at_end = model.log_marginal_likelihood(end, eval_gradient=True)
    assert model.log_marginal_likelihood_value_ > value + 0.5
    assert abs(at_end).max() < 1e-3 * abs(gradient).max()


def years():
    """Return raw years, 1860 to 2019, and a noisy trend with a period of 60 years."""
    year = np.arange(1860.0, 2020.0)
    trend = 0.8 * ((year - 1860) / 160) ** 2 - 0.3 + 0.1 * np.sin(2 * np.pi * year / 60)
    return year[:, None], trend + 0.1 * np.random.default_rng(0).normal(size=len(year))


@pytest.mark.parametrize("depth", [1, 2, 3])
@pytest.mark.parametrize("which", KERNELS)
def test_the_default_bounds_let_raw_years_train(which, depth):
    """A corner of the bounds without a Cholesky factor would return the start."""
    x, y = years()
    kernel = which(depth) + WhiteKernel(0.1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a parameter near its bound
        model = GaussianProcessRegressor(kernel).fit(x, y)
    start = model.log_marginal_likelihood(kernel.theta)
    assert model.log_marginal_likelihood_value_ > start + 50


def test_support_vectors_and_pairwise_kernels_take_them():
    rng = np.random.default_rng(0)
    x, labels = rng.normal(size=(40, 3)), rng.integers(2, size=40)
    kernel = NTKKernel(1)
    net = nk.mlp(1, w_std=2**0.5, b_std=1.0)
    machine = SVC(kernel=kernel).fit(x[:30], labels[:30])
    same = SVC(kernel="precomputed").fit(net.ntk(x[:30]), labels[:30])
    np.testing.assert_allclose(
        machine.decision_function(x[30:]), same.decision_function(net.ntk(x[30:], x[:30]))
    )
    np.testing.assert_allclose(pairwise_kernels(x, x[:4], metric=kernel), net.ntk(x, x[:4]))


def test_what_they_refuse():
    with pytest.raises(ValueError, match="drop Y"):
        NTKKernel()(X, X, eval_gradient=True)
    with pytest.raises(ValueError, match="amplitude is -1"):
        NTKKernel(amplitude=-1.0)(X)
    for scales in ({"w_std": "a"}, {"b_std": -1.0}):
        with pytest.raises((TypeError, ValueError), match=f"{next(iter(scales))} is .*expected"):
            NNGPKernel(**scales)(X)
    with pytest.raises(
        ValueError, match=r"length_scale has shape \(3,\), and X has shape \(7, 2\)"
    ):
        NTKKernel(length_scale=np.ones(3))(X)
    for lengths in (0.0, [1.0, -1.0], [1.0, np.inf]):
        with pytest.raises(ValueError, match=r"length_scale is .*expected finite numbers > 0"):
            NTKKernel(length_scale=lengths)(X)
    with pytest.raises(ValueError, match="activation is 'rleu'"):
        NTKKernel(activation="rleu").diag(X)


def test_they_print_what_was_chosen():
    assert repr(NTKKernel()) == (
        "NTKKernel(depth=2, activation='relu', w_std=1.41, b_std=1, amplitude=1)"
    )
    net = nk.Serial(nk.Dense())
    assert repr(NNGPKernel(network=net)) == "NNGPKernel(network=Serial(Dense()), amplitude=1)"
    assert "b_std=None" in repr(NTKKernel(b_std=None))
