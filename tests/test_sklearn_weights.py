"""Weights of samples and precomputed kernels, against scikit-learn's own regressions and copies."""

import numpy as np
import pytest
import sklearn
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel
from sklearn.kernel_ridge import KernelRidge
from sklearn.model_selection import GridSearchCV, KFold, cross_val_score
from sklearn.utils import get_tags

import ntkfast as nk
from estimators import Data

DATA = Data()
NET = nk.mlp(2, w_std=2**0.5, b_std=1.0)
WEIGHTS = np.random.default_rng(3).uniform(0.2, 5.0, len(DATA.x))
COPIES = np.arange(len(DATA.x)) % 4  # 0 to 3 copies of each sample


def test_weights_are_those_of_kernel_ridge_regression():
    ridge = KernelRidge(alpha=0.3, kernel="precomputed").fit(NET.ntk(DATA.x), DATA.y, WEIGHTS)
    model = nk.sklearn.NTKRegressor(diag_reg=0.3, relative_diag_reg=0.0)
    model.fit(DATA.x, DATA.y, sample_weight=WEIGHTS)
    expected = ridge.predict(NET.ntk(DATA.x_test, DATA.x))
    np.testing.assert_allclose(model.predict(DATA.x_test), expected, rtol=1e-10)


class Covariance(ConstantKernel):
    """Our covariance as a kernel of scikit-learn with nothing to choose."""

    def __call__(self, x, y=None, eval_gradient=False):
        return NET.nngp(x, y)

    def diag(self, x):
        return NET.nngp(x, diagonal=True)


def test_weights_are_inverse_variances_of_the_noise():
    y = DATA.y[:, 0] - 5
    process = GaussianProcessRegressor(Covariance(), alpha=0.3 / WEIGHTS, optimizer=None)
    expected = process.fit(DATA.x, y).predict(DATA.x_test, return_std=True)
    model = nk.sklearn.NNGPRegressor(noise_variance=0.3).fit(DATA.x, y, WEIGHTS)
    for found, value in zip(model.predict(DATA.x_test, return_std=True), expected, strict=True):
        np.testing.assert_allclose(found, value, rtol=1e-10)


@pytest.mark.parametrize("normalize_y", [False, True])
@pytest.mark.parametrize(
    "model",
    [
        nk.sklearn.NTKRegressor(relative_diag_reg=0.1),
        nk.sklearn.NTKRegressor(t=0.3, diag_reg=0.01),
        nk.sklearn.NTKRegressor(t=3.0, reduction="mean"),
        nk.sklearn.NNGPRegressor(),
    ],
)
def test_a_weight_is_a_number_of_copies(model, normalize_y):
    model = sklearn.base.clone(model).set_params(normalize_y=normalize_y)
    weighted = sklearn.base.clone(model).fit(DATA.x, DATA.y, COPIES)
    copied = model.fit(np.repeat(DATA.x, COPIES, axis=0), np.repeat(DATA.y, COPIES, axis=0))
    pairs = zip(
        weighted.predict(DATA.x_test, return_std=True),
        copied.predict(DATA.x_test, return_std=True),
        strict=True,
    )
    for found, expected in pairs:
        np.testing.assert_allclose(found, expected, rtol=1e-8)


@pytest.mark.parametrize("model", [nk.sklearn.NTKClassifier(t=1.0), nk.sklearn.NNGPClassifier()])
def test_a_weight_is_a_number_of_copies_of_a_label(model):
    weighted = sklearn.base.clone(model).fit(DATA.x, DATA.labels, COPIES)
    copied = model.fit(np.repeat(DATA.x, COPIES, axis=0), np.repeat(DATA.labels, COPIES))
    np.testing.assert_allclose(
        weighted.predict_proba(DATA.x_test), copied.predict_proba(DATA.x_test), rtol=1e-8
    )


def test_leave_one_out_with_weights_is_what_leaving_out_gives():
    x, y = DATA.x, DATA.y[:, 0]
    model = nk.sklearn.NTKRegressorCV(depths=[2], relative_diag_regs=[0.05]).fit(x, y, WEIGHTS)
    errors = []
    for i in range(len(x)):
        kept = np.arange(len(x)) != i
        one = nk.sklearn.NTKRegressor(diag_reg=model.best_diag_reg_, relative_diag_reg=0.0)
        one.fit(x[kept], y[kept], WEIGHTS[kept])
        errors.append(float(one.predict(x[i : i + 1])[0] - y[i]))
    expected = -np.average(np.square(errors), weights=WEIGHTS)
    assert model.best_score_ == pytest.approx(expected, rel=1e-9)


def test_weights_are_routed_through_a_search():
    with sklearn.config_context(enable_metadata_routing=True):
        model = nk.sklearn.NNGPRegressor(noise_variance=0.5).set_fit_request(sample_weight=True)
        folds, y = KFold(3), DATA.y[:, 0]
        model.set_score_request(sample_weight=False)
        search = GridSearchCV(model, {"depth": [1, 2]}, cv=folds)
        search.fit(DATA.x, y, sample_weight=WEIGHTS)
    scores = []
    for train, test in folds.split(DATA.x):
        one = nk.sklearn.NNGPRegressor(depth=1, noise_variance=0.5)
        one.fit(DATA.x[train], y[train], WEIGHTS[train])
        scores.append(one.score(DATA.x[test], y[test]))
    assert search.cv_results_["mean_test_score"][0] == pytest.approx(np.mean(scores))


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        (np.ones(3), r"sample_weight has shape \(3,\); expected \(14,\)"),
        (np.ones((14, 1)), r"sample_weight has shape \(14, 1\)"),
        (-np.ones(14), "sample_weight has the entry -1; expected weights >= 0"),
        (np.zeros(14), "sample_weight is zero for every sample"),
        (np.full(14, np.nan), "sample_weight has a NaN at index 0"),
    ],
)
def test_wrong_weights_are_refused(weights, message):
    for model in (nk.sklearn.NTKRegressor(), nk.sklearn.NNGPRegressor()):
        with pytest.raises(ValueError, match=message):
            model.fit(DATA.x, DATA.y, sample_weight=weights)


@pytest.mark.parametrize(
    "model",
    [
        nk.sklearn.NTKRegressor(),
        nk.sklearn.NNGPRegressor(),
        nk.sklearn.NNGPRegressor(noise_variance="auto"),
    ],
)
def test_weights_too_small_to_divide_by_are_refused(model):
    weights = np.r_[1e-320, np.ones(13)]
    with pytest.raises(ValueError, match=r"sample_weight has the entry .*e-32., .* use 0 to drop"):
        model.fit(DATA.x, DATA.y, weights)


@pytest.mark.parametrize("t", [1.0, np.inf])
def test_solvers_are_checked_at_any_time(t):
    for kind in (nk.sklearn.NTKRegressor, nk.sklearn.NTKClassifier):
        with pytest.raises(ValueError, match="solver is 'lu'; expected 'auto' or 'cholesky'"):
            kind(t=t, solver="lu").fit(DATA.x, DATA.labels == "a")


def test_weights_do_not_go_with_conjugate_gradients():
    for solver in ("cg", nk.solvers.ConjugateGradients()):
        with pytest.raises(ValueError, match=r"sample_weight divides .* use solver='cholesky'"):
            nk.sklearn.NTKRegressor(solver=solver).fit(DATA.x, DATA.y, WEIGHTS)
        with pytest.raises(ValueError, match=r"sample_weight divides .* use solver='cholesky'"):
            nk.sklearn.NNGPRegressor(solver=solver).fit(DATA.x, DATA.y, WEIGHTS)


def test_noise_of_single_samples_belongs_to_fit():
    for noise in (np.full(14, 0.1), [0.1] * 14):
        with pytest.raises(ValueError, match=r"expected one number.*sample_weight=1 / variances"):
            nk.sklearn.NNGPRegressor(noise_variance=noise).fit(DATA.x, DATA.y)
    with pytest.raises(ValueError, match="noise_variance is 'best'; expected 'auto'"):
        nk.sklearn.NNGPRegressor(noise_variance="best").fit(DATA.x, DATA.y)


MODELS = [
    (nk.sklearn.NTKRegressor, NET.ntk, {"relative_diag_reg": 0.1, "normalize_y": True}),
    (nk.sklearn.NTKRegressor, NET.ntk, {"t": 0.5}),
    (nk.sklearn.NNGPRegressor, NET.nngp, {"noise_variance": 0.1}),
    (nk.sklearn.NNGPRegressor, NET.nngp, {"noise_variance": "auto"}),
    (nk.sklearn.NTKClassifier, NET.ntk, {"relative_diag_reg": 0.1}),
    (nk.sklearn.NNGPClassifier, NET.nngp, {}),
]


@pytest.mark.parametrize(("kind", "kernel", "parameters"), MODELS)
def test_a_precomputed_kernel_is_the_one_of_the_network(kind, kernel, parameters):
    targets = DATA.labels if kind.__name__.endswith("Classifier") else DATA.y
    computed = kind(**parameters).fit(DATA.x, targets, WEIGHTS)
    gram, model = kernel(DATA.x), kind(**parameters, kernel="precomputed")
    before = gram.copy()
    model.fit(gram, targets, WEIGHTS)
    np.testing.assert_array_equal(gram, before)
    assert get_tags(model).input_tags.pairwise
    assert not get_tags(computed).input_tags.pairwise
    found, expected = model.predict(kernel(DATA.x_test, DATA.x)), computed.predict(DATA.x_test)
    if targets is DATA.labels:
        np.testing.assert_array_equal(found, expected)
    else:
        np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_precomputed_kernels_are_cross_validated():
    y, folds = DATA.y[:, 0], KFold(3)
    scores = cross_val_score(nk.sklearn.NTKRegressor(diag_reg=0.1), DATA.x, y, cv=folds)
    # The relative regularisation is that of the training points.
    model = nk.sklearn.NTKRegressor(diag_reg=0.1, kernel="precomputed")
    np.testing.assert_allclose(
        cross_val_score(model, NET.ntk(DATA.x), y, cv=folds), scores, rtol=1e-10
    )


def test_what_a_kernel_cannot_give_is_refused():
    gram, cross = NET.ntk(DATA.x), NET.ntk(DATA.x_test, DATA.x)
    for kind in (nk.sklearn.NTKRegressor, nk.sklearn.NNGPRegressor):
        model = kind(kernel="precomputed").fit(gram, DATA.y)
        with pytest.raises(ValueError, match=r"standard deviations need .*Posterior.from_kernels"):
            model.predict(cross, return_std=True)
        with pytest.raises(ValueError, match=r"X has shape \(14, 3\); expected a square matrix"):
            model.fit(DATA.x, DATA.y)
        with pytest.raises(ValueError, match="sample_weight is 0 for sample 0"):
            model.fit(gram, DATA.y, COPIES)
        with pytest.raises(ValueError, match=r"kernel is 'rbf'; expected '(ntk|nngp)' or 'precom"):
            kind(kernel="rbf").fit(DATA.x, DATA.y)
