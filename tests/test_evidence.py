"""The evidence maximised over the scales of a network and the noise, against SciPy's density."""

import sys
import warnings

import numpy as np
import pytest
from scipy import stats

import ntkfast as nk
from ntkfast.dynamics._evidence import Candidate, Evidence
from ntkfast.dynamics._maximize import maximize_evidence


def wave(n=16):
    x = np.linspace(-1, 1, n)[:, None]
    return x, 1 + np.sin(3 * x[:, 0]) + 0.1 * np.random.default_rng(3).normal(size=n)


def test_the_maximum_is_one():
    """No step of 1 % in any of the three scales leads higher, by SciPy's density."""
    x, y = wave()

    def evidence(w_std, b_std, noise):
        gram = nk.mlp(1, nk.Erf(), w_std=w_std, b_std=b_std).nngp(x) + noise * np.eye(len(x))
        return stats.multivariate_normal(np.zeros(len(x)), gram).logpdf(y)

    start = nk.mlp(1, nk.Erf(), w_std=1.5, b_std=0.5)
    best = nk.Posterior.maximize(start, x, y, noise_variance=0.05)
    first = best.network.layers[0]
    assert best.network == nk.mlp(1, nk.Erf(), w_std=first.w_std, b_std=first.b_std)
    found = np.array([first.w_std, first.b_std, best.noise_variance])
    at_best = evidence(*found)
    assert best.log_marginal_likelihood() == pytest.approx(at_best, rel=1e-9)
    assert at_best > evidence(1.5, 0.5, 0.05) + 1
    for i in range(3):
        for factor in (0.99, 1.01):
            moved = found.copy()
            moved[i] *= factor
            assert evidence(*moved) < at_best


def test_what_is_zero_stays_and_ratios_stay():
    x, y = wave()
    net = nk.Serial(
        nk.Dense(w_std=1.0, b_std=0.0),
        nk.Residual(nk.Erf(), nk.Dense(w_std=2.0)),
        nk.Erf(),
        nk.Dense(),
    )
    noise = np.linspace(0.01, 0.02, len(y))
    best = nk.Posterior.maximize(net, x, y, noise_variance=noise)
    first, residual, _, last = best.network.layers
    assert first.b_std == 0.0
    assert last.b_std is None
    assert residual.layers[1].w_std == pytest.approx(2 * first.w_std)
    assert last.w_std == pytest.approx(first.w_std)
    assert first.w_std != 1.0
    np.testing.assert_allclose(best.noise_variance / best.noise_variance[0], noise / noise[0])


def test_a_maximum_at_a_bound_is_told():
    x, _ = wave()
    with pytest.warns(RuntimeWarning, match=r"bound of .*noise_variance \(times 1e-07\).*span"):
        nk.Posterior.maximize(
            nk.mlp(1, nk.Erf(), b_std=0.5), x, np.sin(3 * x[:, 0]), noise_variance=1.0, span=1e7
        )


def test_a_bound_of_the_weights_is_told_with_its_range():
    x, y = np.linspace(0, 1, 10)[:, None], np.full(10, 1e-3)
    with pytest.warns(RuntimeWarning, match=r"bound of w_std .*w_std stays between 0\.1 and 10"):
        nk.Posterior.maximize(nk.mlp(2, b_std=0.1), x, y, noise_variance=0.1)


def test_a_start_that_is_the_best_is_told():
    """As where no other candidate has a Cholesky factor."""
    net, noise = nk.mlp(1, nk.Erf(), w_std=1.5, b_std=0.5), np.array(0.01)

    def evidence(at):
        if at.network != net or at.noise != noise:
            raise nk.NumericalError("no Cholesky factor")
        return -664.0

    def with_gradient(at):
        return evidence(at), np.ones(3)

    with pytest.warns(RuntimeWarning, match=r"no larger log .* than the -664 .* scale the feat"):
        best = maximize_evidence(evidence, with_gradient, Candidate(net, noise), 1e3)
    assert best.network == net
    assert best.noise == noise


def relevant(n=60, d=10):
    """Features in different units, of which two matter; rows to test, and what they should be."""
    rng = np.random.default_rng(4)
    units, z = np.logspace(-2, 3, d), rng.normal(size=(2, n, d))
    truth = np.sin(2 * z[..., 3]) + z[..., -3]
    return 5 + z[0] * units, truth[0] + 0.1 * rng.normal(size=n), 5 + z[1] * units, truth[1]


@pytest.mark.parametrize("activation", [nk.Relu(), nk.Gelu(), nk.Tanh()])
def test_the_gradient_of_the_evidence_is_that_of_differences(activation):
    x, y, _, _ = relevant(20, 4)
    y = np.stack([y, y**2], axis=1)
    net, noise = nk.mlp(2, activation, w_std=1.3, b_std=0.4), np.linspace(0.1, 0.2, 20)
    center, scales = x.mean(axis=0), 0.7 / x.std(axis=0)
    evidence = Evidence(x - center, y, "")
    value, slope = evidence.with_gradient(Candidate(net, noise, scales))
    gram = net.nngp((x - center) * scales) + np.diag(noise)
    density = stats.multivariate_normal(np.zeros(20), gram).logpdf(y.T).sum()
    assert value == pytest.approx(density, rel=1e-9)
    assert slope.shape == (7,)
    for k in range(4):
        step = 1e-4 * (np.arange(4) == k)
        ends = [evidence(Candidate(net, noise, scales * np.exp(s * step))) for s in (1, -1)]
        assert slope[3 + k] == pytest.approx((ends[0] - ends[1]) / 2e-4, rel=1e-5, abs=1e-5)


@pytest.mark.parametrize("activation", [nk.Relu(), nk.Erf(), nk.Tanh()])
def test_scales_of_features_find_those_that_matter(activation):
    x, y, x_test, truth = relevant()
    net = nk.mlp(2, activation, b_std=0.5)
    units = (x - x.mean(axis=0)) / x.std(axis=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about a bound of b_std
        plain = nk.Posterior.maximize(net, units, y)
        best = nk.Posterior.maximize(net, x, y, feature_scales=True)
    relative = best.feature_scales * x.std(axis=0)
    assert {*np.argsort(relative)[-2:]} == {3, 7}
    assert np.sort(relative)[-3] < 0.1 * np.sort(relative)[-2]
    assert best.log_marginal_likelihood() > plain.log_marginal_likelihood() + 10
    at_test = best.predict(x_test, covariance="diagonal")
    usual = plain.predict((x_test - x.mean(axis=0)) / x.std(axis=0)).mean
    assert np.mean((at_test.mean - truth) ** 2) < 0.1 * np.mean((usual - truth) ** 2)
    # All results are those of the kernel of scaled features.
    features = (x - best.feature_center) * best.feature_scales
    same = nk.Posterior(best.network, features, y, noise_variance=best.noise_variance)
    moved = (x_test - best.feature_center) * best.feature_scales
    expected = same.predict(moved, covariance="diagonal")
    np.testing.assert_allclose(at_test.mean, expected.mean, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(at_test.covariance, expected.covariance, rtol=1e-6)
    assert same.log_marginal_likelihood() == pytest.approx(best.log_marginal_likelihood())
    assert "feature_scales=" in repr(best)


def test_no_step_of_a_scale_leads_higher():
    x, y, _, _ = relevant(40, 5)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        best = nk.Posterior.maximize(nk.mlp(1, b_std=0.5), x, y, feature_scales=True)
    at_best = best.log_marginal_likelihood()
    for k in range(5):
        for factor in (0.95, 1.05):
            if factor < 1 and best.feature_scales[k] * x[:, k].std() < 1.01e-3:
                continue  # at the bound
            scales = best.feature_scales * np.where(np.arange(5) == k, factor, 1.0)
            moved = nk.Posterior(
                best.network,
                x,
                y,
                noise_variance=best.noise_variance,
                feature_scales=scales,
                feature_center=best.feature_center,
            )
            assert moved.log_marginal_likelihood() < at_best + 1e-4


def test_features_without_influence_are_no_bound_to_tell():
    x, y, _, _ = relevant(150)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        best = nk.Posterior.maximize(nk.mlp(2, b_std=0.5), x, y, feature_scales=True)
    assert (best.feature_scales * x.std(axis=0)).min() < 0.01


@pytest.mark.parametrize("activation", [nk.Relu(), nk.Tanh()])
def test_raw_years_are_learnt_with_scales(activation):
    year = np.arange(1958.0, 2002.0)[:, None]
    t = year[:, 0] - 1958
    y = 0.8 * (t / 40) ** 2 + 0.1 * np.sin(2 * np.pi * t / 11)
    y += 0.03 * np.random.default_rng(0).normal(size=len(t))
    net = nk.mlp(2, activation, b_std=0.5)
    with warnings.catch_warnings():
        warnings.filterwarnings(
            "ignore", "Posterior.maximize: the maximum lies at a bound of w_std"
        )
        best = nk.Posterior.maximize(net, year, y, feature_scales=True)
    units = nk.Posterior.maximize(net, (year - year.mean()) / year.std(), y)
    assert best.log_marginal_likelihood() > units.log_marginal_likelihood() - 0.1
    assert best.log_marginal_likelihood() > 30


def test_networks_without_derivatives_have_no_scales():
    x, y = wave()
    images = np.random.default_rng(0).normal(size=(16, 4, 4, 1))
    for net, points in ((nk.mlp(1, nk.Elementwise(np.sign)), x), (nk.cntk(2), images)):
        with pytest.raises(ValueError, match=r"feature_scales=True needs derivatives.*images"):
            nk.Posterior.maximize(net, points, y, feature_scales=True)


def test_a_jitter_above_the_noise_is_told():
    # Raw years in float32: the search computes in float64, where no jitter is needed.
    x = np.arange(1860.0, 2020.0, 4.0, dtype=np.float32)[:, None]
    noise = 0.1 * np.random.default_rng(0).normal(size=len(x))
    y = (((x[:, 0] - 1860) / 100) ** 2 + noise).astype(np.float32)
    net = nk.mlp(1, w_std=0.75, b_std=700.0)
    with pytest.warns(RuntimeWarning) as caught:
        best = nk.Posterior.maximize(net, x, y)
    assert best.regression.jitter > best.noise_variance
    (message,) = [str(w.message) for w in caught if "reports" in str(w.message)]
    assert f"jitter of {best.regression.jitter:.2g}" in message
    assert "scale the features" in message


def test_maximize_keeps_single_precision():
    x, y = wave()
    best = nk.Posterior.maximize(nk.mlp(1, nk.Erf(), b_std=0.5), x.astype("f"), y.astype("f"))
    assert best.predict(x.astype("f"), covariance="diagonal").std.dtype == np.float32


def test_maximize_needs_scipy(monkeypatch):
    monkeypatch.setitem(sys.modules, "scipy", None)
    with pytest.raises(ImportError, match=r"Posterior.maximize requires scipy.*ntkfast\[scipy\]"):
        nk.Posterior.maximize(nk.mlp(1), [[1.0]], [1.0])
