"""`solver="auto"` of exact estimators above so many samples goes over to centres."""

import pickle
import warnings

import numpy as np
import pytest

import ntkfast as nk
from ntkfast.sklearn import NTKClassifier, NTKRegressor, NystroemRegressor, _many

RNG = np.random.default_rng(5)
X, X_TEST = RNG.normal(size=(300, 3)), RNG.normal(size=(50, 3))
Y = np.stack([np.sin(2 * X[:, 0]), 7 + 3 * X[:, 1] * X[:, 2]], axis=1)
LABELS = np.array(["a", "b", "c"])[(X[:, 0] > 0) + 1 * (X[:, 1] > 0.5)]
COPIES = np.arange(300) % 3


@pytest.fixture(autouse=True)
def few(monkeypatch):
    monkeypatch.setattr(_many, "MANY", 200)
    monkeypatch.setattr(_many, "CENTRES", 40)


@pytest.mark.parametrize("dtype", ["f", "d"])
def test_it_goes_over_to_centres_and_says_so(dtype, tmp_path):
    model = NTKRegressor(diag_reg=0.5, normalize_y=True)
    with pytest.warns(RuntimeWarning, match=r"300 samples .* 40 centres\. solver='cg' is ex"):
        model.fit(X.astype(dtype), Y, COPIES + 1)
    expected = NystroemRegressor(centres=40, diag_reg=0.5, normalize_y=True)
    expected.fit(X.astype(dtype), Y, COPIES + 1)
    found = model.predict(X_TEST.astype(dtype))
    assert found.dtype == dtype
    np.testing.assert_allclose(found, expected.predict(X_TEST.astype(dtype)), rtol=1e-3)
    assert isinstance(model.training_, nk.NystroemRegression)
    assert model.X_fit_.shape == (40, 3)
    for copy in (model.mean_only(), pickle.loads(pickle.dumps(model))):
        np.testing.assert_array_equal(copy.predict(X_TEST.astype(dtype)), found)
    nk.save(tmp_path / "model", model)
    np.testing.assert_array_equal(nk.load(tmp_path / "model").predict(X_TEST.astype(dtype)), found)


def test_what_needs_all_samples_says_so():
    with pytest.warns(RuntimeWarning, match="approximate"):
        model = NTKRegressor().fit(X, Y)
    with pytest.warns(RuntimeWarning, match="approximate"):
        classifier = NTKClassifier().fit(X, LABELS)
    advice = r"300 samples with 40 centres; use .*NystroemRegressor .*solver='cg'"
    with pytest.raises(ValueError, match="^standard deviations need .*" + advice):
        model.predict(X_TEST, return_std=True)
    with pytest.raises(ValueError, match="^estimates of the noise need .*" + advice):
        _ = model.noise_variance_
    with pytest.raises(ValueError, match=advice):
        classifier.predict_proba(X_TEST)
    assert classifier.score(X, LABELS) > 0.8


def test_it_can_be_turned_off():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for settings in ({"solver": "cg"}, {"solver": "cholesky"}, {"t": 1.0}):
            model = NTKRegressor(**settings).fit(X, Y)
            assert not isinstance(model.training_, nk.NystroemRegression)
        gram = NTKRegressor(kernel="precomputed").fit(nk.mlp(2).ntk(X), Y)
        assert not isinstance(gram.training_, nk.NystroemRegression)
        NTKRegressor().fit(X[:200], Y[:200])


def test_so_many_centres_fit_into_memory(monkeypatch):
    monkeypatch.setattr(_many, "CENTRES", 10_000)
    monkeypatch.setattr(_many, "available", lambda: 1e12)
    assert _many.centres_that_fit(np.float64) == 10_000
    monkeypatch.setattr(_many, "available", lambda: 2e9)
    few = _many.centres_that_fit(np.float64)
    assert 50_000 * few * 8 <= 1e9
    assert 2000 < few < _many.centres_that_fit(np.float32)
