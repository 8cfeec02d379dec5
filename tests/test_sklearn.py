"""scikit-learn estimators against scikit-learn's own, matrix exponentials and Monte Carlo."""

import doctest
import functools
import importlib
import pickle
import pkgutil
import weakref

import numpy as np
import pytest
import scipy.sparse
from sklearn.base import clone
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.kernel_ridge import KernelRidge
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import ntkfast as nk
from estimators import Data
from gaussian_processes import trained_moments
from ntkfast.sklearn import (
    NNGPClassifier,
    NNGPKernel,
    NNGPRegressor,
    NTKClassifier,
    NTKRegressor,
    NTKRegressorCV,
)
from ntkfast.solvers import ConjugateGradients, SingleCholeskySolver
from processes import python

NET = nk.mlp(2, nk.Erf(), w_std=1.4, b_std=0.3)
NAMED = {"depth": 2, "activation": "erf", "w_std": 1.4, "b_std": 0.3}


DATA = Data()


def test_the_end_of_training_is_kernel_ridge_regression():
    theta, cross = NET.ntk(DATA.x), NET.ntk(DATA.x_test, DATA.x)
    ridge = 0.1 + 0.01 * theta.diagonal().mean()
    reference = KernelRidge(alpha=ridge, kernel="precomputed")
    for y in (DATA.y, DATA.y[:, 0]):
        model = NTKRegressor(**NAMED, diag_reg=0.1, relative_diag_reg=0.01).fit(DATA.x, y)
        expected = reference.fit(theta, y)
        np.testing.assert_allclose(model.predict(DATA.x_test), expected.predict(cross), rtol=1e-11)
        np.testing.assert_allclose(model.dual_coef_, expected.dual_coef_, rtol=1e-10)
        assert model.network_ == NET
    labels = np.array(["a", "b", "c"])
    classifier = NTKClassifier(**NAMED, diag_reg=0.1, relative_diag_reg=0.01)
    expected = reference.fit(theta, DATA.one_hot).predict(cross).argmax(axis=1)
    classifier.fit(DATA.x, DATA.labels)
    np.testing.assert_array_equal(classifier.classes_, labels)
    np.testing.assert_array_equal(classifier.predict(DATA.x_test), labels[expected])


@pytest.mark.parametrize("time", [{}, {"t": 0.0}, {"t": 3.0, "learning_rate": 0.2}])
@pytest.mark.parametrize("normalize", [False, True])
def test_means_and_deviations_are_those_of_the_trained_process(time, normalize):
    points = np.vstack([DATA.x, DATA.x_test])
    n, y = len(DATA.x), DATA.y
    shift, unit = (y.mean(axis=0), y.std(axis=0)) if normalize else (0.0, np.ones(2))
    mean, covariance = trained_moments(
        NET.nngp(points),
        NET.ntk(points),
        (y - shift) / unit,
        n,
        time.get("t", np.inf),
        rate=time.get("learning_rate", 1.0),
        ridge=0.2,
    )
    settings = {"diag_reg": 0.2, "relative_diag_reg": 0.0, "normalize_y": normalize, **time}
    for model in (NTKRegressor(**NAMED, **settings), NTKRegressor(network=NET, **settings)):
        found, std = model.fit(DATA.x, y).predict(DATA.x_test, return_std=True)
        deviations = np.sqrt(covariance.diagonal())[n:, None] * unit
        np.testing.assert_allclose(found, shift + unit * mean[n:], rtol=1e-9, atol=1e-11)
        np.testing.assert_allclose(std, deviations, rtol=1e-9)
        np.testing.assert_array_equal(found, model.predict(DATA.x_test))


def test_a_mean_loss_is_a_slower_one():
    slow = NTKRegressor(t=280.0, reduction="mean").fit(DATA.x, DATA.y)
    same = NTKRegressor(t=10.0).fit(DATA.x, DATA.y)
    np.testing.assert_allclose(slow.predict(DATA.x_test), same.predict(DATA.x_test), rtol=1e-9)


@pytest.mark.parametrize("normalize", [False, True])
def test_the_posterior_is_that_of_scikit_learn(normalize):
    kernel = NNGPKernel(network=NET)
    for y in (DATA.y, DATA.y[:, 0]):
        model = NNGPRegressor(**NAMED, noise_variance=0.1, normalize_y=normalize).fit(DATA.x, y)
        other = GaussianProcessRegressor(
            kernel, alpha=0.1, optimizer=None, normalize_y=normalize
        ).fit(DATA.x, y)
        expected = other.predict(DATA.x_test, return_std=True)
        found = model.predict(DATA.x_test, return_std=True)
        np.testing.assert_allclose(found, expected, rtol=1e-9)
        evidence = pytest.approx(other.log_marginal_likelihood_value_, rel=1e-11)
        assert model.log_marginal_likelihood() == evidence
    classifier = NNGPClassifier(**NAMED, noise_variance=0.1).fit(DATA.x, DATA.labels)
    other = GaussianProcessRegressor(kernel, alpha=0.1, optimizer=None).fit(DATA.x, DATA.one_hot)
    winners = other.predict(DATA.x_test).argmax(axis=1)
    np.testing.assert_array_equal(classifier.predict(DATA.x_test), classifier.classes_[winners])
    evidence = pytest.approx(other.log_marginal_likelihood_value_, rel=1e-11)
    assert classifier.log_marginal_likelihood() == evidence


@pytest.mark.parametrize("t", [np.inf, 0.5])
def test_probabilities_are_shares_of_trained_networks(t):
    """Of 200,000 drawn from the process: each share within 5 standard errors."""
    points = np.vstack([DATA.x, DATA.x_test])
    n, draws = len(DATA.x), 200_000
    mean, covariance = trained_moments(
        NET.nngp(points), NET.ntk(points), DATA.one_hot, n, t, ridge=0.5
    )
    model = NTKClassifier(**NAMED, t=t, diag_reg=0.5, relative_diag_reg=0.0)
    found = model.fit(DATA.x, DATA.labels).predict_proba(DATA.x_test)
    std = np.sqrt(covariance.diagonal())[n:, None]
    rng = np.random.default_rng(0)
    for probabilities, centre, deviation in zip(found, mean[n:], std, strict=True):
        winners = (centre + deviation * rng.normal(size=(draws, 3))).argmax(axis=1)
        shares = np.bincount(winners, minlength=3) / draws
        assert (abs(shares - probabilities) <= 5 * np.sqrt(probabilities / draws)).all()


def test_what_is_learnt_exactly_is_certain():
    model = NTKClassifier(relative_diag_reg=0.0).fit(DATA.x, DATA.labels)
    np.testing.assert_allclose(model.predict_proba(DATA.x), DATA.one_hot + 1 / 3, atol=1e-12)


@pytest.mark.parametrize(
    "labels",
    [["no", "yes", "no", "yes"], [True, False, True, True], [-3, 7, 0, 7], [0.0, 2.0, 2.0, 0.0]],
)
def test_labels_of_any_kind(labels):
    x = [[0.0], [1.0], [2.0], [3.0]]
    for model in (NTKClassifier(), NNGPClassifier(noise_variance=1e-6)):
        found = model.fit(x, labels).predict(x)
        assert found.tolist() == labels
        assert found.dtype == np.asarray(labels).dtype
        assert model.predict_proba(x).shape == (4, len(set(labels)))


def test_searches_and_pipelines():
    """A grid over names, numbers and whole networks; best by leave-one-out where data say so."""
    x = np.linspace(-1, 1, 24)[:, None]
    y = 7 * x[:, 0] - 3
    grid = [
        {"ntkregressor__depth": [0, 2], "ntkregressor__activation": ["relu", nk.Erf()]},
        {"ntkregressor__network": [nk.Serial(nk.Dense(w_std=1.0)), NET]},
    ]
    pipeline = make_pipeline(StandardScaler(), NTKRegressor(relative_diag_reg=1e-3))
    search = GridSearchCV(pipeline, grid, cv=4).fit(x, y)
    assert search.best_params_["ntkregressor__depth"] == 0
    assert search.best_estimator_.score(x, y) > 0.999
    copy = clone(search.best_estimator_[-1].set_params(network=NET))
    assert copy.network == NET
    assert pickle.loads(pickle.dumps(search)).predict(x).tolist() == search.predict(x).tolist()


def test_single_precision_stays():
    for model in (NTKRegressor(diag_reg=0.1), NNGPRegressor(noise_variance=0.1)):
        model.fit(DATA.x.astype("f"), DATA.y)
        double = clone(model).fit(DATA.x, DATA.y).predict(DATA.x_test, return_std=True)
        single = model.predict(DATA.x_test.astype("f"), return_std=True)
        for found, expected in zip(single, double, strict=True):
            assert found.dtype == np.float32
            np.testing.assert_allclose(found, expected, rtol=2e-4, atol=2e-4)


@pytest.mark.parametrize("size", [1e-300, 1e300])
def test_targets_of_any_size_are_normalised(size):
    for model in (NTKRegressor(normalize_y=True), NNGPRegressor(normalize_y=True)):
        expected = model.fit(DATA.x, DATA.y).predict(DATA.x_test, return_std=True)
        found = model.fit(DATA.x, size * DATA.y).predict(DATA.x_test, return_std=True)
        for some, others in zip(found, expected, strict=True):
            np.testing.assert_allclose(some / size, others, rtol=1e-7)


@pytest.mark.parametrize("value", [0.0, 0.1, -3e300, 5e-324])
def test_equal_targets_are_predicted_everywhere(value):
    model = NTKRegressor(normalize_y=True).fit(DATA.x, np.full(len(DATA.x), value))
    assert model.y_scale_ == 1
    np.testing.assert_array_equal(model.predict(DATA.x_test), value)


def test_many_points_are_predicted_in_blocks():
    x = np.random.default_rng(0).normal(size=(1200, 2))
    model = NTKRegressor(diag_reg=1.0).fit(x, x)
    expected = nk.mlp(2, w_std=2**0.5, b_std=1.0).ntk(x) @ model.dual_coef_
    np.testing.assert_allclose(model.predict(x), expected, rtol=1e-12, atol=1e-10)


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (NTKRegressor(activation="rleu"), "activation is 'rleu'.*'leaky_relu'.*mean 'relu'"),
        (NTKRegressor(activation=nk.Relu), r"activation is the class Relu; write Relu\(\)"),
        (NTKRegressor(network="relu"), "network is 'relu'"),
        (NTKRegressor(network=nk.Relu()), "network is Relu.*end it with a Dense"),
        (NTKRegressor(depth=-1), "depth is -1"),
        (NTKRegressor(w_std=-1.0), "w_std is -1"),
        (NTKRegressor(t=-1.0), "t is -1"),
        (NTKRegressor(learning_rate=0.0), "learning_rate is 0"),
        (NTKRegressor(reduction="median"), "reduction is 'median'"),
        (NTKRegressor(diag_reg=-1.0), "diag_reg is -1"),
        (NTKRegressor(relative_diag_reg=-1.0), "relative_diag_reg is -1"),
        (NTKRegressor(normalize_y="yes"), "normalize_y is 'yes'"),
        (NNGPRegressor(noise_variance=-1.0), "noise_variance is -1"),
        (NTKRegressorCV(depths=[]), r"depths is \[\]"),
        (NTKRegressorCV(depths=[1.5]), "depths is 1.5"),
        (NTKRegressorCV(relative_diag_regs=[-1.0]), "relative_diag_regs is -1"),
    ],
)
def test_parameters_that_are_refused(model, message):
    with pytest.raises((TypeError, ValueError), match=message):
        model.fit(DATA.x, DATA.y)


def test_data_that_are_refused():
    sparse = scipy.sparse.csr_matrix(DATA.x)
    with pytest.raises(TypeError, match=r"[Ss]parse"):
        NTKRegressor().fit(sparse, DATA.y)
    with pytest.raises(ValueError, match="one class, 'a'; expected labels of at least two"):
        NTKClassifier().fit([[0.0]], ["a"])
    with pytest.raises(TypeError, match="return_std is 1"):
        NTKRegressor().fit(DATA.x, DATA.y).predict(DATA.x, return_std=1)


def test_one_point_is_enough_for_a_function():
    mean, std = NTKRegressor(relative_diag_reg=0.0).fit([[1.0]], [3.0]).predict([[1.0]], True)
    assert mean == pytest.approx(3.0)
    assert std == pytest.approx(0.0, abs=1e-7)
    normalized = NNGPRegressor(normalize_y=True).fit([[1.0]], [3.0])
    assert normalized.predict([[5.0]]) == pytest.approx(3.0)


def test_it_is_loaded_when_it_is_asked_for():
    ended = python(
        "-c",
        "import sys, ntkfast as nk; assert 'sklearn' not in sys.modules; "
        "assert nk.sklearn.NTKRegressor().depth == 2",
    )
    assert (ended.returncode, ended.stderr) == (0, "")


def test_without_a_scikit_learn_that_is_new_enough_the_extra_is_named():
    ended = python(
        "-c",
        "import ntkfast, sklearn.utils.validation as v; del v.validate_data; ntkfast.sklearn",
    )
    assert "ntkfast.sklearn requires scikit-learn >= 1.6" in ended.stderr
    assert "ntkfast[sklearn]" in ended.stderr


@pytest.mark.parametrize(
    "module", [module.name for module in pkgutil.iter_modules(nk.sklearn.__path__)]
)
def test_examples_give_what_they_show(module):
    failed, _ = doctest.testmod(importlib.import_module(f"ntkfast.sklearn.{module}"))
    assert failed == 0


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_products_alone_give_the_same_regression(dtype, monkeypatch):
    rng = np.random.default_rng(0)
    x, x_test = rng.normal(size=(300, 4)).astype(dtype), rng.normal(size=(9, 4)).astype(dtype)
    y = np.sin(x[:, :2])
    exact = ConjugateGradients(tol=1e-10)
    for solver in ("cg", exact, "auto"):
        if solver == "auto":
            monkeypatch.setattr("ntkfast.dynamics._solvers._FACTORED", 100)
        model = nk.sklearn.NTKRegressor(relative_diag_reg=0.01, solver=solver).fit(x, y)
        assert isinstance(model.training_.solver, ConjugateGradients)
        factored = nk.sklearn.NTKRegressor(relative_diag_reg=0.01, solver="cholesky").fit(x, y)
        pairs = zip(model.predict(x_test, True), factored.predict(x_test, True), strict=True)
        for found, expected in pairs:
            assert found.dtype == expected.dtype == dtype
            tolerance = 1e-3 if dtype == np.float32 else 1e-8 if solver is exact else 1e-4
            np.testing.assert_allclose(found, expected, atol=tolerance)
        with pytest.raises(ValueError, match="use solver='cholesky'"):
            model.predict(x_test, return_std=True, noise=True)
    weighted = nk.sklearn.NTKRegressor().fit(x, y, np.linspace(1, 2, 300))
    assert not isinstance(weighted.training_.solver, ConjugateGradients)


@pytest.mark.parametrize(
    "kind",
    [
        nk.sklearn.NTKRegressor,
        nk.sklearn.NTKRegressorCV,
        nk.sklearn.NNGPRegressor,
        functools.partial(nk.sklearn.NTKRegressor, t=1.0),
        functools.partial(nk.sklearn.NTKRegressor, solver="cg"),
    ],
)
def test_fits_report_progress(kind):
    x = np.random.default_rng(0).normal(size=(1100, 3))
    calls = []
    kind(progress=lambda *call: calls.append(call)).fit(x, x[:, 0])
    assert calls[-1][0] == calls[-1][1]
    assert any(total > 1 for _, total in calls)  # tiles of the kernel, or blocks


def test_progress_of_classifiers():
    x = np.random.default_rng(0).normal(size=(600, 3))
    for kind in (nk.sklearn.NTKClassifier, nk.sklearn.NTKClassifierCV, nk.sklearn.NNGPClassifier):
        calls = []
        kind(progress=lambda *call, calls=calls: calls.append(call)).fit(x, x[:, 0] > 0)
        assert len(calls) > 1


@pytest.mark.parametrize("model", [NNGPRegressor, NNGPClassifier])
@pytest.mark.parametrize("solver", ["cg", SingleCholeskySolver()], ids=["cg", "single"])
def test_posteriors_by_products(model, solver):
    x = np.random.default_rng(8).normal(size=(150, 3))
    y = x[:, 0] if model is NNGPRegressor else x[:, 0] > 0
    exact, found = model().fit(x, y), model(solver=solver, memory=1e5).fit(x, y)
    assert type(found.posterior_.regression.solver).__name__ in str(found.posterior_)
    np.testing.assert_allclose(found.dual_coef_, exact.dual_coef_, atol=1e-3)
    if model is NNGPRegressor:
        for a, b in zip(
            found.predict(x[:9] + 1, True), exact.predict(x[:9] + 1, True), strict=True
        ):
            np.testing.assert_allclose(a, b, rtol=0.01)
    else:
        np.testing.assert_allclose(
            found.predict_proba(x[:9]), exact.predict_proba(x[:9]), atol=0.01
        )
    with pytest.raises(ValueError, match="give it to the solver"):
        model(solver=ConjugateGradients(), tol=1e-3).fit(x, y)


def test_the_evidence_of_an_estimator_has_its_standard_error():
    rng = np.random.default_rng(5)
    x, y = rng.normal(size=(2, 60, 3))
    network = nk.mlp(1, b_std=0.5)
    models = [
        NNGPRegressor(network=network, noise_variance=0.1, solver=solver).fit(x, y[:, 0])
        for solver in ("cholesky", "cg")
    ]
    (exact, none), (found, error) = (m.log_marginal_likelihood(return_std=True) for m in models)
    assert none == 0 < error
    assert exact == models[0].log_marginal_likelihood()
    assert abs(found - exact) < 4 * error


def test_the_evidence_for_the_noise_leaves_no_kernel_behind(monkeypatch):
    """The posterior makes its own: two at once would take twice the memory."""
    rng = np.random.default_rng(6)
    x, y = rng.normal(size=(2, 60, 3))
    network = nk.mlp(1, b_std=0.5)
    grams, alive = [], []
    nngp, posterior = nk.Serial.nngp, nk.Posterior.__init__

    def remember(self, *args, **settings):
        found = nngp(self, *args, **settings)
        grams.append(weakref.ref(found))
        return found

    def count(self, *args, **settings):
        alive.append(sum(gram() is not None for gram in grams))
        posterior(self, *args, **settings)

    monkeypatch.setattr(nk.Serial, "nngp", remember)
    monkeypatch.setattr(nk.Posterior, "__init__", count)
    NNGPRegressor(network=network, noise_variance="auto").fit(x, y[:, 0])
    assert grams
    assert alive == [0]


def test_training_for_a_finite_time_by_products():
    x = np.random.default_rng(9).normal(size=(150, 3))
    y = np.stack([x[:, 0], x[:, 1] * x[:, 2]], axis=1)
    exact = NTKRegressor(t=3.0, diag_reg=0.1).fit(x, y)
    found = NTKRegressor(t=3.0, diag_reg=0.1, solver="cg", tol=1e-9, memory=1e6).fit(x, y)
    assert "products=" in str(found.training_)
    told = [each.predict(x[:40] + 1, return_std=True) for each in (found, exact)]
    for a, b in zip(*told, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)
    weighted = NTKRegressor(t=3.0, diag_reg=0.1).fit(x, y, np.ones(150))
    np.testing.assert_allclose(weighted.predict(x), exact.predict(x), atol=1e-10)
