"""Error bars of new observations, and noise that estimators choose themselves."""

import numpy as np
import pytest
from sklearn.exceptions import NotFittedError

import ntkfast as nk
from estimators import Data

DATA = Data(n=20)
NET = nk.mlp(2, w_std=2**0.5, b_std=1.0)


def observations(n, seed, noise, features):
    """Targets of scale 1,000 around 5,000."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, features))
    signal = np.sin(2 * x[:, 0]) + (x[:, 1] * x[:, 2] if features > 2 else 0.0)
    return x, 5000 + 1000 * signal + noise * rng.normal(size=n)


MODELS = [
    nk.sklearn.NNGPRegressor(noise_variance="auto", normalize_y=True),
    nk.sklearn.NTKRegressor(relative_diag_reg=0.01, normalize_y=True),
    nk.sklearn.NTKRegressor(relative_diag_reg=0.1, normalize_y=True),
    nk.sklearn.NTKRegressor(t=1.0, normalize_y=True),
    nk.sklearn.NTKRegressor(t=30.0, normalize_y=True, relative_diag_reg=0.01),
    nk.sklearn.NTKRegressorCV(normalize_y=True),
]


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("model", MODELS)
def test_error_bars_cover_new_observations(model, weighted):
    """68 ± 4 % within one standard deviation and 95 ± 2 % within two, averaged over data sets."""
    covered = []
    for seed in range(8):
        x, y = observations(250, seed, 400.0, 2)
        # Samples of weight 1/4 have twice the noise.
        weights = np.where(np.arange(len(x)) % 2, 1.0, 0.25)
        if weighted:
            y[::2] += 400 * 3**0.5 * np.random.default_rng(seed + 50).normal(size=len(x) // 2)
        x_test, y_test = observations(500, seed + 100, 400.0, 2)
        mean, std = model.fit(x, y, weights if weighted else None).predict(
            x_test, return_std=True, noise=True
        )
        score = np.abs(y_test - mean) / std
        covered.append([np.mean(score < 1), np.mean(score < 2)])
    one, two = np.mean(covered, axis=0)
    assert 0.64 < one < 0.72
    assert 0.93 < two < 0.97


@pytest.mark.parametrize("model", MODELS)
def test_predictive_variances_are_sums(model):
    x, y = observations(60, 0, 300.0, 3)
    model.fit(x, y)
    mean, inner = model.predict(x[:5], return_std=True)
    again, outer = model.predict(x[:5], return_std=True, noise=True)
    np.testing.assert_array_equal(mean, again)
    noise = model.noise_variance_ * model.y_scale_**2
    np.testing.assert_allclose(outer**2, inner**2 + noise, rtol=1e-10)
    assert noise > 0
    with pytest.raises(ValueError, match="pass return_std=True"):
        model.predict(x, noise=True)
    with pytest.raises(TypeError, match=r"noise is 0\.1"):
        model.predict(x, return_std=True, noise=0.1)


def test_noise_of_several_outputs():
    x, y = observations(200, 0, 100.0, 2)
    other = np.random.default_rng(1).normal(size=len(x))
    model = nk.sklearn.NTKRegressor(relative_diag_reg=0.05).fit(x, np.stack([y / 1e3, other], 1))
    assert model.noise_variance_.shape == (2,)
    assert model.noise_variance_[1] > 10 * model.noise_variance_[0]
    assert 0.8 < model.noise_variance_[1] < 1.5
    mean, std = model.predict(x[:4], return_std=True, noise=True)
    assert mean.shape == std.shape == (4, 2)


@pytest.mark.parametrize("weights", [None, np.linspace(0.5, 4.0, len(DATA.x))])
def test_noise_is_what_leaving_out_leaves(weights):
    """Literal refits: squared residuals less the variance of the networks at the point."""
    x, y = DATA.x, DATA.y[:, 0] - 5
    model = nk.sklearn.NTKRegressor(diag_reg=0.4, relative_diag_reg=0.0).fit(x, y, weights)
    excess = []
    for i in range(len(x)):
        kept = np.arange(len(x)) != i
        noise = np.full(len(x), 0.4) if weights is None else 0.4 / weights
        theta, sigma = NET.ntk(x), NET.nngp(x)
        b = np.linalg.solve(theta[np.ix_(kept, kept)] + np.diag(noise[kept]), theta[kept, i])
        variance = sigma[i, i] - 2 * b @ sigma[kept, i] + b @ sigma[np.ix_(kept, kept)] @ b
        excess.append((y[i] - b @ y[kept]) ** 2 - variance)
    expected = max(np.mean(np.array(excess) * (1 if weights is None else weights)), 0.0)
    assert expected > 0
    assert float(model.noise_variance_) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("t", [0.0, 0.02, 1.0, 10.0, 1e4])
@pytest.mark.parametrize("ridge", [0.0, 0.4])
@pytest.mark.parametrize("weights", [None, np.linspace(0.5, 4.0, len(DATA.x))])
def test_noise_at_a_finite_time_is_what_leaving_out_leaves(t, ridge, weights):
    """Literal refits: training to a time is not ridge regression, but its residuals are known."""
    x, y = DATA.x, DATA.y[:, 0] - 5
    model = nk.sklearn.NTKRegressor(t=t, diag_reg=ridge, relative_diag_reg=0.0).fit(x, y, weights)
    found = float(model.noise_variance_)
    excess = []
    for i in range(len(x)):
        kept = np.arange(len(x)) != i
        one = model.fit(x[kept], y[kept], None if weights is None else weights[kept])
        mean, std = one.predict(x[[i]], return_std=True)
        excess.append(float((y[i] - mean[0]) ** 2 - std[0] ** 2))
    expected = np.mean(np.array(excess) * (1 if weights is None else weights))
    assert found == pytest.approx(max(expected, 0.0), rel=1e-7)
    assert t < 1 or found > 0


def test_a_refit_forgets_the_noise():
    model = nk.sklearn.NTKRegressor(relative_diag_reg=0.1).fit(*observations(40, 0, 10.0, 3))
    before = model.noise_variance_
    assert model.fit(*observations(40, 1, 500.0, 3)).noise_variance_ != before


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_the_noise_after_a_long_time_is_that_at_its_end(dtype):
    x, y = (a.astype(dtype) for a in observations(100, 0, 300.0, 2))
    noise = [
        float(nk.sklearn.NTKRegressor(t=t, relative_diag_reg=0.01).fit(x, y / 1000).noise_variance_)
        for t in (1e6, np.inf)
    ]
    assert noise[0] == pytest.approx(noise[1], rel=1e-7 if dtype == np.float64 else 1e-2)


@pytest.mark.parametrize("weights", [None, np.linspace(0.5, 4.0, len(DATA.x))])
@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e3])
def test_auto_is_the_maximum_of_the_evidence(scale, weights):
    x = DATA.x
    y = scale * (np.sin(2 * x[:, 0]) + 0.3 * np.random.default_rng(5).normal(size=len(x)))
    model = nk.sklearn.NNGPRegressor(noise_variance="auto").fit(x, y, weights)
    inverse = np.ones(len(x)) if weights is None else 1 / weights
    gram = NET.nngp(x)

    def evidence(noise):
        k = gram + np.diag(noise * inverse)
        return -0.5 * (y @ np.linalg.solve(k, y) + np.linalg.slogdet(k)[1])

    grid = np.geomspace(1e-11, 1e8, 4000)
    best = max(map(evidence, grid))
    assert evidence(model.noise_variance_) > best - 1e-3
    assert model.posterior_.noise_variance.shape == (() if weights is None else (len(x),))


@pytest.mark.parametrize("unit", [1e-14, 1e-6, 1e6, 1e14])
@pytest.mark.parametrize("outputs", [1, 2])
def test_auto_is_in_the_unit_of_the_weights(unit, outputs):
    """Weights of inverse variances may have any size: only noise/weight matters."""
    x, y = observations(60, 0, 500.0, 2)
    y = np.stack([y, y[::-1]], axis=1)[:, :outputs]
    weights = np.linspace(0.5, 4.0, len(x))
    model = nk.sklearn.NNGPRegressor(noise_variance="auto", normalize_y=True)
    expected = model.fit(x, y, weights).noise_variance_
    assert model.fit(x, y, unit * weights).noise_variance_ == pytest.approx(unit * expected)
    assert expected > 0.01


def test_displays_neither_compute_the_noise_nor_need_it():
    """Notebooks show every attribute that `dir` names."""
    x, y = DATA.x, DATA.y[:, 0]
    regressor = nk.sklearn.NTKRegressor
    for model in (
        regressor().fit(x, y),
        regressor(kernel="precomputed").fit(NET.ntk(x), y),
        regressor(solver="cg", relative_diag_reg=0.1).fit(x, y),
        regressor(t=1e9, relative_diag_reg=0.0).fit(x, y),
        regressor().fit(x, y).mean_only(),
        nk.sklearn.NTKRegressorCV().fit(x, y),
        nk.sklearn.NTKClassifier().fit(x, DATA.labels),
    ):
        assert type(model).__name__ in model._repr_html_()
        assert "noise_variance_" not in vars(model)
        assert "noise_variance_" not in dir(model)
        assert "dual_coef_" in dir(model)
    assert "fit" in dir(regressor(kernel="invalid"))
    model = regressor(relative_diag_reg=0.1).fit(x, y)
    assert model.noise_variance_ >= 0
    assert "noise_variance_" in dir(model)


def test_an_estimator_that_is_not_fitted_has_no_noise():
    model = nk.sklearn.NTKRegressor()
    assert not hasattr(model, "noise_variance_")
    with pytest.raises(NotFittedError):
        _ = model.noise_variance_


@pytest.mark.parametrize("y", [np.zeros(20), np.full(20, 3.0)])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_auto_has_an_answer_for_any_targets(y, dtype):
    for normalize_y in (False, True):
        model = nk.sklearn.NNGPRegressor(noise_variance="auto", normalize_y=normalize_y)
        model.fit(DATA.x.astype(dtype), y)
        assert 0 < model.noise_variance_ < np.inf
        assert np.isfinite(model.predict(DATA.x, return_std=True, noise=True)).all()


def test_a_fitted_model_keeps_its_time():
    x, y = observations(60, 0, 300.0, 3)
    model = nk.sklearn.NTKRegressor(t=1.0, normalize_y=True).fit(x, y)
    before = model.predict(x[:5], return_std=True)
    for found, expected in zip(
        model.set_params(t=0.01).predict(x[:5], return_std=True), before, strict=True
    ):
        np.testing.assert_array_equal(found, expected)
