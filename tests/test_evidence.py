"""The evidence maximised over the scales of a network and the noise, against SciPy's density."""

import sys

import numpy as np
import pytest
from scipy import stats

import ntkfast as nk
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

    def evidence(network, variance):
        if network != net or variance != noise:
            raise nk.NumericalError("no Cholesky factor")
        return -664.0

    def with_gradient(network, variance):
        return evidence(network, variance), np.ones(3)

    with pytest.warns(RuntimeWarning, match=r"no larger log .* than the -664 .* scale the feat"):
        best, variance = maximize_evidence(evidence, with_gradient, net, noise, 1e3)
    assert best == net
    assert variance == noise


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
