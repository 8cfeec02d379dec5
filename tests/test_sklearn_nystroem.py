"""Estimators on centres against exact ones, explicit features and scikit-learn's models on them."""

import pickle

import numpy as np
import pandas as pd
import pytest
import sklearn
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import ntkfast as nk
from ntkfast.sklearn import (
    NNGPRegressor,
    NTKClassifier,
    NTKRegressor,
    NystroemClassifier,
    NystroemFeatures,
    NystroemRegressor,
)

RNG = np.random.default_rng(5)
X, X_TEST = RNG.normal(size=(300, 3)), RNG.normal(size=(50, 3))
Y = np.stack([np.sin(2 * X[:, 0]), 7 + 3 * X[:, 1] * X[:, 2]], axis=1)
Y += 0.3 * RNG.normal(size=Y.shape)
LABELS = np.array(["a", "b", "c"])[(X[:, 0] + 0.5 * RNG.normal(size=300) > 0) + 1 * (X[:, 1] > 0.5)]
COPIES = np.arange(300) % 3
NET = nk.mlp(2, w_std=2**0.5, b_std=1.0)


class TestFeatures:
    @pytest.mark.parametrize("kernel", ["ntk", "nngp"])
    def test_inner_products_are_the_kernel_that_centres_explain(self, kernel):
        features = NystroemFeatures(centres=40, kernel=kernel).fit(X)
        compute, z = getattr(NET, kernel), features.centres_
        found = features.transform(X_TEST)
        assert found.shape == (50, 40)
        cross = compute(X_TEST, z)
        expected = cross @ np.linalg.solve(compute(z), cross.T)
        np.testing.assert_allclose(found @ found.T, expected, rtol=1e-7)
        own = features.transform(X)
        diagonal = compute(X, diagonal=True)
        rest = 1 - np.sum(own**2) / diagonal.sum()
        assert 0.001 < rest < 0.2
        assert features.unexplained_ == pytest.approx(rest, rel=1e-6)

    def test_all_samples_are_the_whole_kernel(self):
        found = NystroemFeatures().fit_transform(X)
        np.testing.assert_allclose(found @ found.T, NET.ntk(X), rtol=1e-9)

    def test_a_linear_model_on_them_is_the_regressor(self):
        ridge = make_pipeline(NystroemFeatures(centres=30), Ridge(2.0, fit_intercept=False))
        model = NystroemRegressor(centres=30, diag_reg=2.0, relative_diag_reg=0.0)
        expected = ridge.fit(X, Y).predict(X_TEST)
        np.testing.assert_allclose(model.fit(X, Y).predict(X_TEST), expected, rtol=1e-6)
        np.testing.assert_array_equal(model.centres_, ridge[0].centres_)

    def test_the_type_stays_and_blocks_do_not_matter(self, monkeypatch):
        features = NystroemFeatures(centres=20).fit(X.astype("f"))
        single = features.transform(X_TEST.astype("f"))
        assert single.dtype == np.float32
        monkeypatch.setattr("ntkfast._gram._BLOCK", 7 * 20)
        np.testing.assert_array_equal(features.transform(X_TEST.astype("f")), single)
        double = NystroemFeatures(centres=features.centres_).fit(X).transform(X_TEST)
        assert double.dtype == np.float64
        np.testing.assert_allclose(single @ single.T, double @ double.T, rtol=1e-4)

    def test_names_and_tables(self):
        table = pd.DataFrame(X, columns=["p", "q", "r"])
        features = NystroemFeatures(centres=3).set_output(transform="pandas").fit(table)
        found = features.transform(table[:4])
        assert list(found.columns) == [f"nystroemfeatures{i}" for i in range(3)]
        assert list(features.feature_names_in_) == ["p", "q", "r"]
        np.testing.assert_array_equal(found, NystroemFeatures(centres=3).fit(X).transform(X[:4]))

    def test_centres_by_share_by_points_and_at_random(self):
        few = NystroemFeatures(centres=0.2).fit(X)
        assert few.unexplained_ <= 0.2
        assert 1 < len(few.centres_) < 100
        np.testing.assert_array_equal(NystroemFeatures(centres=X[:5]).fit(X).centres_, X[:5])
        drawn = [
            NystroemFeatures(centres=9, sampling="uniform", random_state=state).fit(X).centres_
            for state in (0, 0, np.random.RandomState(1), None)
        ]
        np.testing.assert_array_equal(drawn[0], drawn[1])
        assert not np.array_equal(drawn[0], drawn[2])
        rows = {row.tobytes() for row in X}
        assert all(row.tobytes() in rows for centres in drawn for row in centres)

    def test_it_must_be_fitted(self):
        with pytest.raises(NotFittedError):
            NystroemFeatures().transform(X)


class TestRegressor:
    @pytest.mark.parametrize("normalize_y", [False, True])
    def test_with_all_samples_as_centres_it_is_exact(self, normalize_y):
        settings = {"diag_reg": 0.3, "relative_diag_reg": 0.01, "normalize_y": normalize_y}
        model = NystroemRegressor(**settings).fit(X, Y, COPIES)
        exact = NTKRegressor(**settings).fit(X, Y, COPIES)
        np.testing.assert_allclose(model.predict(X_TEST), exact.predict(X_TEST), rtol=1e-6)
        assert len(model.centres_) == 200  # those with weights > 0, without a warning

    @pytest.mark.parametrize("normalize_y", [False, True])
    @pytest.mark.parametrize("noise", [False, True])
    def test_deviations_are_those_of_the_gaussian_process(self, normalize_y, noise):
        model = NystroemRegressor(
            kernel="nngp", diag_reg=0.4, relative_diag_reg=0.0, normalize_y=normalize_y
        )
        exact = NNGPRegressor(noise_variance=0.4, normalize_y=normalize_y)
        assert model.fit(X, Y).noise_variance_ == 0.4
        pairs = zip(
            model.predict(X_TEST, return_std=True, noise=noise),
            exact.fit(X, Y).predict(X_TEST, return_std=True, noise=noise),
            strict=True,
        )
        for found, expected in pairs:
            np.testing.assert_allclose(found, expected, rtol=1e-6)

    def test_weights_are_copies(self):
        model = NystroemRegressor(centres=X[:30], diag_reg=0.5, normalize_y=True, tol=1e-10)
        weighted = clone(model).fit(X, Y, COPIES).predict(X_TEST, return_std=True)
        rows = np.repeat(np.arange(300), COPIES)
        copied = model.fit(X[rows], Y[rows]).predict(X_TEST, return_std=True)
        np.testing.assert_allclose(weighted, copied, rtol=1e-7)

    def test_the_regularisation_that_leave_one_out_chooses(self):
        model = NystroemRegressor(centres=60, relative_diag_reg="auto").fit(X, Y[:, 0])
        unit = NET.ntk(X, diagonal=True).mean()
        chosen = model.diag_reg_ / unit
        errors = {}
        for ridge in np.logspace(-8, 2, 21):
            one = NystroemRegressor(centres=60, relative_diag_reg=ridge).fit(X, Y[:, 0])
            errors[ridge] = one.training_.leave_one_out().rmse
        best = min(errors, key=errors.get)
        assert 1e-8 < best < 100
        assert chosen == pytest.approx(best, rel=1e-9)

    def test_large_inputs_are_not_copied(self):
        for x in (X, X.astype("f"), np.asfortranarray(X)):
            model = NystroemRegressor(centres=9).fit(x, Y)
            assert np.shares_memory(model.training_._problem.points._arrays[0], x)

    def test_single_precision_stays(self):
        single = NystroemRegressor(centres=X[:40], diag_reg=0.1).fit(X.astype("f"), Y)
        double = NystroemRegressor(centres=X[:40], diag_reg=0.1).fit(X, Y)
        for found, expected in zip(
            single.predict(X_TEST.astype("f"), return_std=True),
            double.predict(X_TEST, return_std=True),
            strict=True,
        ):
            assert found.dtype == np.float32
            np.testing.assert_allclose(found, expected, atol=0.02)


class TestClassifier:
    def test_squared_error_with_all_samples_is_exact(self):
        model = NystroemClassifier(relative_diag_reg=0.1).fit(X, LABELS)
        exact = NTKClassifier(relative_diag_reg=0.1).fit(X, LABELS)
        np.testing.assert_allclose(
            model._outputs(X_TEST), exact._outputs(X_TEST), rtol=1e-6, atol=1e-9
        )
        np.testing.assert_array_equal(model.predict(X_TEST), exact.predict(X_TEST))
        np.testing.assert_allclose(model.predict_proba(X_TEST).sum(axis=1), 1)

    @pytest.mark.parametrize(("ridge", "passes"), [(0.1, 250), (1.0, 80), (100.0, 12)])
    @pytest.mark.parametrize("labels", [LABELS, LABELS == "b"], ids=["three", "two"])
    @pytest.mark.parametrize("weights", [None, COPIES])
    def test_the_logistic_loss_is_that_of_scikit_learn(self, ridge, passes, labels, weights):
        model = NystroemClassifier(
            loss="log", centres=30, diag_reg=ridge, relative_diag_reg=0.0, tol=1e-7
        ).fit(X, labels, weights)
        features = NystroemFeatures(centres=model.centres_).fit(X)
        other = LogisticRegression(C=1 / ridge, fit_intercept=False, tol=1e-9, max_iter=5000)
        other.fit(features.transform(X), labels, weights)
        expected = other.predict_proba(features.transform(X_TEST))
        np.testing.assert_allclose(model.predict_proba(X_TEST), expected, atol=1e-4)
        predicted = other.predict(features.transform(X_TEST))
        np.testing.assert_array_equal(model.predict(X_TEST), predicted)
        assert model.report_.residuals.max() <= 1e-7
        assert model.report_.products < passes

    def test_a_sketch_serves_as_preconditioner(self, monkeypatch):
        model = NystroemClassifier(loss="log", centres=20, diag_reg=1.0, tol=1e-8)
        whole = clone(model).fit(X, LABELS)
        monkeypatch.setattr("ntkfast.nystroem._matrix._FEW", 10)
        sketched = model.fit(X, LABELS)
        assert sketched.report_.rank == 120  # rows of the sketch
        np.testing.assert_allclose(
            sketched.predict_proba(X_TEST), whole.predict_proba(X_TEST), atol=1e-6
        )

    def test_memory_does_not_change_a_bit_and_100_classes_fit(self):
        labels = np.arange(300) % 100
        kept, again = (
            NystroemClassifier(loss="log", centres=20, diag_reg=1.0, memory=memory).fit(X, labels)
            for memory in (None, 0)
        )
        np.testing.assert_array_equal(kept.predict_proba(X_TEST), again.predict_proba(X_TEST))
        assert kept.report_.memory > again.report_.memory

    @pytest.mark.parametrize("classes", [2, 3])
    def test_probabilities_are_calibrated(self, classes):
        """On data of a known model: shares of labels within 4 standard errors of binomials."""
        rng = np.random.default_rng(classes)
        x = rng.normal(size=(24_000, 2))
        outputs = np.stack([0 * x[:, 0], 2 * np.sin(2 * x[:, 0]) + x[:, 1], x[:, 1] ** 2], axis=1)
        powers = np.exp(outputs[:, :classes])
        truth = powers / powers.sum(axis=1, keepdims=True)
        labels = (rng.random((len(x), 1)) > truth.cumsum(axis=1)).sum(axis=1)
        model = NystroemClassifier(loss="log", centres=60, diag_reg=0.3, relative_diag_reg=0.0)
        model.fit(x[:20_000], labels[:20_000])
        found, seen = model.predict_proba(x[20_000:]), labels[20_000:]
        np.testing.assert_allclose(found.sum(axis=1), 1, rtol=1e-12)
        bins = 0
        for c in range(classes):
            for low in np.arange(0, 1, 0.1):
                some = (found[:, c] >= low) & (found[:, c] < low + 0.1)
                if some.sum() < 50:
                    continue
                p = found[some, c]
                error = np.sqrt((p * (1 - p)).sum()) / some.sum()
                assert abs((seen[some] == c).mean() - p.mean()) < 4 * error
                bins += 1
        assert bins >= 10
        assert abs(found - truth[20_000:]).mean() < 0.03

    @pytest.mark.parametrize("scale", [1e-3, 1.0, 1e6])
    def test_separable_classes_give_finite_probabilities(self, scale):
        x = scale * np.concatenate([X[:100] - 9, X[100:200] + 9])
        model = NystroemClassifier(loss="log", centres=20).fit(x, np.arange(200) >= 100)
        probabilities = model.predict_proba(np.concatenate([x, 100 * x, 0 * x]))
        assert np.isfinite(probabilities).all()
        assert (probabilities[:200].max(axis=1) > 0.99).all()
        assert model.score(x, np.arange(200) >= 100) == 1

    def test_labels_that_nothing_tells_apart(self):
        x, labels = np.repeat(X[:20], 2, axis=0), np.tile([0, 1], 20)
        model = NystroemClassifier(loss="log").fit(x, labels)
        np.testing.assert_allclose(model.predict_proba(X_TEST), 0.5, atol=1e-9)

    def test_a_search_that_ends_early_warns(self, monkeypatch):
        monkeypatch.setattr("ntkfast.nystroem._logistic._MOST", 3)
        with pytest.warns(RuntimeWarning, match=r"after \d+ passes with .* asks for 1e-05"):
            NystroemClassifier(loss="log", centres=30).fit(X, LABELS)

    def test_a_fit_with_another_loss_leaves_nothing_of_the_first(self):
        model = NystroemClassifier(centres=20, relative_diag_reg=0.1).fit(X, LABELS)
        squared = model.predict_proba(X_TEST)
        model.set_params(loss="log")
        np.testing.assert_array_equal(model.predict_proba(X_TEST), squared)
        assert not hasattr(model.fit(X, LABELS), "training_")
        assert abs(model.predict_proba(X_TEST) - squared).max() > 0.01


MODELS = {
    "regressor": lambda: NystroemRegressor(centres=30, normalize_y=True).fit(X, Y),
    "auto": lambda: NystroemRegressor(centres=30, relative_diag_reg="auto").fit(X, Y),
    "squared": lambda: NystroemClassifier(centres=30, relative_diag_reg=0.1).fit(X, LABELS),
    "log": lambda: NystroemClassifier(centres=30, loss="log", diag_reg=1.0).fit(X, LABELS),
}


def uncertain(model):
    if isinstance(model, NystroemRegressor):
        return model.predict(X_TEST, return_std=True)[1]
    return model.predict_proba(X_TEST)


class TestCopies:
    @pytest.mark.parametrize("name", MODELS)
    def test_pickles_predict_the_same_bits(self, name):
        model = MODELS[name]()
        again = pickle.loads(pickle.dumps(model))
        np.testing.assert_array_equal(again.predict(X_TEST), model.predict(X_TEST))
        np.testing.assert_array_equal(uncertain(again), uncertain(model))

    @pytest.mark.parametrize("name", MODELS)
    def test_mean_only_has_few_numbers(self, name, tmp_path):
        model = MODELS[name]()
        light = model.mean_only()
        nk.save(tmp_path / "light", light)
        assert len(pickle.dumps(light)) < 8 * 30 * 6 + 5000
        for copy in (light, nk.load(tmp_path / "light")):
            np.testing.assert_array_equal(copy.predict(X_TEST), model.predict(X_TEST))
            if name == "log":
                np.testing.assert_array_equal(uncertain(copy), uncertain(model))
            else:
                with pytest.raises(ValueError, match=r"^standard deviations need training_"):
                    uncertain(copy)

    def test_files_have_no_variances(self, tmp_path):
        nk.save(tmp_path / "model", MODELS["regressor"]())
        with pytest.raises(ValueError, match="variances need the training points"):
            uncertain(nk.load(tmp_path / "model"))


class TestCompany:
    """Searches, pipelines and tables."""

    def test_a_search_over_centres_and_kernels(self):
        pipeline = make_pipeline(StandardScaler(), NystroemRegressor(normalize_y=True))
        grid = {"nystroemregressor__centres": [3, 60], "nystroemregressor__kernel": ["ntk", "nngp"]}
        search = GridSearchCV(pipeline, grid, cv=3).fit(X, Y[:, 0])
        assert search.best_params_["nystroemregressor__centres"] == 60
        assert pickle.loads(pickle.dumps(search)).predict(X).tolist() == search.predict(X).tolist()

    @pytest.mark.parametrize("library", ["pandas", "polars"])
    def test_tables(self, library):
        table = pytest.importorskip(library).DataFrame({"p": X[:, 0], "q": X[:, 1], "r": X[:, 2]})
        model = NystroemClassifier(centres=20).fit(table, LABELS)
        assert model.feature_names_in_.tolist() == ["p", "q", "r"]
        expected = NystroemClassifier(centres=20).fit(X, LABELS).predict(X)
        np.testing.assert_array_equal(model.predict(table), expected)

    def test_weights_are_routed(self):
        with sklearn.config_context(enable_metadata_routing=True):
            model = NystroemRegressor(centres=X[:30], diag_reg=0.5)
            model.set_fit_request(sample_weight=True).set_score_request(sample_weight=False)
            found = cross_validate(
                model, X, Y, params={"sample_weight": COPIES}, cv=2, return_estimator=True
            )
        expected = NystroemRegressor(centres=X[:30], diag_reg=0.5)
        expected.fit(X[150:], Y[150:], COPIES[150:])
        np.testing.assert_array_equal(
            found["estimator"][0].predict(X_TEST), expected.predict(X_TEST)
        )

    def test_progress(self):
        for model in (NystroemRegressor(), NystroemClassifier(loss="log"), NystroemFeatures()):
            calls = []
            model.set_params(centres=20, progress=lambda *call, calls=calls: calls.append(call))
            model.fit(X, X[:, 0] > 0)
            assert calls[-1][0] == calls[-1][1]
            if isinstance(model, NystroemClassifier):
                digits = [done for done, total in calls if total == 50]  # 1e-5, in tenths
                assert len(digits) > 5
                assert digits == sorted(digits)


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (NystroemRegressor(centres=0), "centres is 0; expected an integer >= 1"),
        (NystroemRegressor(centres=True), "centres is True, of type bool"),
        (NystroemRegressor(centres=1.5), "centres is 1.5; expected an integer, or a share"),
        (NystroemRegressor(centres=X[:, :2]), r"centres have shape \(2,\) each, and the points"),
        (NystroemRegressor(sampling="best"), "sampling is 'best'"),
        (NystroemRegressor(kernel="precomputed"), "kernel is 'precomputed'; expected 'ntk'"),
        (NystroemRegressor(diag_reg=-1.0), "diag_reg is -1"),
        (NystroemRegressor(relative_diag_reg=-1.0), "relative_diag_reg is -1"),
        (NystroemRegressor(relative_diag_reg="best"), "relative_diag_reg is 'best'; .*a number"),
        (
            NystroemRegressor(relative_diag_reg="auto", diag_reg=0.1),
            "diag_reg is 0.1 beside relative_diag_reg='auto'",
        ),
        (
            NystroemRegressor(relative_diag_reg="auto"),
            "all 300 samples are centres; use fewer centres",
        ),
        (
            NystroemRegressor(relative_diag_reg="auto", centres=X),
            "every point is a centre or equals one, .*use fewer centres",
        ),
        (NystroemRegressor(tol=1.0), "tol is 1.0; expected"),
        (NystroemRegressor(tol=0.0), "tol is 0.0; expected"),
        (NystroemRegressor(random_state=-1), "random_state is -1"),
        (NystroemRegressor(random_state="x"), "random_state is 'x', of type str"),
        (NystroemRegressor(memory=-1.0), "memory is -1"),
        (NystroemClassifier(loss="hinge"), "loss is 'hinge'; expected 'squared' or 'log'"),
        (
            NystroemClassifier(loss="log", relative_diag_reg="auto"),
            "relative_diag_reg is 'auto' with loss='log'.*pass a number",
        ),
        (NystroemClassifier(loss="log", diag_reg=-1.0), "diag_reg is -1"),
        (NystroemClassifier(loss="log", tol=2.0), "tol is 2.0"),
        (NystroemFeatures(kernel="rbf"), "kernel is 'rbf'; expected 'ntk' or 'nngp'"),
        (NystroemFeatures(network=nk.cntk(1)), "takes images or sequences"),
        (NystroemFeatures(centres="all"), "centres"),
    ],
)
def test_parameters_that_are_refused(model, message):
    with pytest.raises((TypeError, ValueError), match=message):
        model.fit(X, X[:, 0] > 0)
