"""`mean_only`: estimators for deployment, without the matrix of n² numbers."""

import pickle

import joblib
import numpy as np
import pytest
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import ntkfast as nk

N = 200
RNG = np.random.default_rng(0)
X, X_TEST = RNG.normal(size=(N, 3)), RNG.normal(size=(40, 3))
Y = np.stack([X[:, 0] ** 2, 5 + X[:, 1]], axis=1)
LABELS = np.array(["a", "b", "c"])[RNG.integers(3, size=N)]

REGRESSORS = {
    "NTKRegressor": lambda: nk.sklearn.NTKRegressor(normalize_y=True),
    "NTKRegressor, weights": lambda: nk.sklearn.NTKRegressor(t=2.0, reduction="mean"),
    "NTKRegressorCV": lambda: nk.sklearn.NTKRegressorCV(depths=(1, 2)),
    "RFMRegressor": lambda: nk.sklearn.RFMRegressor(rounds=1),
    "NNGPRegressor": lambda: nk.sklearn.NNGPRegressor(normalize_y=True),
    "NNGPRegressor, auto": lambda: nk.sklearn.NNGPRegressor(noise_variance="auto"),
}
CLASSIFIERS = {
    "NTKClassifier": lambda: nk.sklearn.NTKClassifier(activation="erf"),
    "NTKClassifierCV": lambda: nk.sklearn.NTKClassifierCV(depths=(0, 1)),
    "RFMClassifier": lambda: nk.sklearn.RFMClassifier(rounds=1),
    "NNGPClassifier": nk.sklearn.NNGPClassifier,
}


def fitted(name: str):
    if name in CLASSIFIERS:
        return CLASSIFIERS[name]().fit(X, LABELS)
    weights = np.linspace(0, 1, N) if "weights" in name else None
    return REGRESSORS[name]().fit(X, Y, weights)


@pytest.mark.parametrize("name", [*REGRESSORS, *CLASSIFIERS])
def test_it_predicts_the_same_bits_from_few_numbers(name, tmp_path) -> None:
    model = fitted(name)
    expected = model.predict(X_TEST)
    light = model.mean_only()
    stored = pickle.dumps(light)
    assert len(pickle.dumps(model)) > 4 * N**2  # a factor in float32, or more
    assert len(stored) < 8 * N * 8 + 10_000
    nk.save(tmp_path / "light.npz", light)
    assert (tmp_path / "light.npz").stat().st_size < 8 * N * 8 + 10_000
    for again in (light, pickle.loads(stored), nk.load(tmp_path / "light.npz"), light.mean_only()):
        assert type(again) is type(model)
        np.testing.assert_array_equal(again.predict(X_TEST), expected)
    assert model.predict(X_TEST[:1]).shape == light.predict(X_TEST[:1]).shape


@pytest.mark.parametrize("name", REGRESSORS)
def test_standard_deviations_name_what_is_missing(name) -> None:
    model = fitted(name)
    attribute = "posterior_" if "NNGP" in name else "training_"
    light = model.mean_only()
    with pytest.raises(ValueError, match=rf"^standard deviations need {attribute}, which mean_on"):
        light.predict(X_TEST, return_std=True)
    assert model.predict(X_TEST, return_std=True)[1].shape == (40, 2)  # it keeps its own


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_so_do_probabilities(name) -> None:
    model = fitted(name)
    with pytest.raises(ValueError, match="use the estimator that it was called on"):
        model.mean_only().predict_proba(X_TEST)
    np.testing.assert_allclose(model.predict_proba(X_TEST).sum(axis=1), 1)


def test_so_do_likelihoods_and_noise() -> None:
    with pytest.raises(ValueError, match=r"^likelihoods need posterior_"):
        fitted("NNGPRegressor").mean_only().log_marginal_likelihood()
    light = fitted("NTKRegressor").mean_only()
    with pytest.raises(ValueError, match=r"^estimates of the noise need training_"):
        _ = light.noise_variance_


@pytest.mark.parametrize("estimator", [nk.sklearn.NTKRegressor, nk.sklearn.NNGPRegressor])
def test_precomputed_kernels(estimator) -> None:
    net = nk.mlp(1, b_std=0.5)
    kernel = net.ntk if estimator is nk.sklearn.NTKRegressor else net.nngp
    model = estimator(kernel="precomputed").fit(kernel(X), Y)
    light = model.mean_only()
    cross = kernel(X_TEST, X)
    np.testing.assert_array_equal(light.predict(cross), model.predict(cross))


def test_a_pipeline_around_it() -> None:
    model = make_pipeline(StandardScaler(), nk.sklearn.NTKRegressor()).fit(X, Y)
    light = make_pipeline(*model[:-1], model[-1].mean_only())
    np.testing.assert_array_equal(light.predict(X_TEST), model.predict(X_TEST))


def test_the_means_of_gaussian_processes_are_those_of_their_posterior() -> None:
    model = fitted("NNGPRegressor, auto")
    np.testing.assert_array_equal(model.predict(X_TEST), model.posterior_.predict(X_TEST).mean)
    assert model.X_fit_ is model.posterior_.x


@pytest.mark.parametrize("t", [1.0, np.inf])
def test_the_whole_model_is_one_matrix_in_files_of_joblib(t, tmp_path) -> None:
    x = np.random.default_rng(0).normal(size=(300, 2))
    model = nk.sklearn.NTKRegressor(t=t).fit(x, x[:, 0])
    expected = model.predict(x, return_std=True)
    joblib.dump(model, tmp_path / "model")
    assert (tmp_path / "model").stat().st_size < 1.1 * 8 * 300**2
    for found, value in zip(
        joblib.load(tmp_path / "model").predict(x, return_std=True), expected, strict=True
    ):
        np.testing.assert_array_equal(found, value)


def test_it_can_be_fitted_again() -> None:
    model = fitted("NTKRegressor")
    again = model.mean_only().fit(X, Y)
    assert again.predict(X_TEST, return_std=True)[1].shape == (40, 2)


def test_an_estimator_must_be_fitted() -> None:
    with pytest.raises(NotFittedError):
        nk.sklearn.NTKRegressor().mean_only()
