"""Recursive feature machines: gradients against differences, and features that are found."""

import pickle

import numpy as np
import pandas as pd
import pytest
from scipy.linalg import sqrtm
from sklearn.base import clone

import ntkfast as nk
from ntkfast.sklearn import NTKRegressor, RFMClassifier, RFMRegressor
from ntkfast.sklearn._metric import gradients, independent, root_of

RNG = np.random.default_rng(0)
NET = nk.mlp(2, w_std=2**0.5, b_std=1.0)
RIDGE = 1e-3


def product(n=60, d=4):
    x = np.random.default_rng(1).normal(size=(n, d))
    return x, x[:, 0] * x[:, 1]


def literal_gradients(network, points, alpha, step=1e-5):
    """Central differences of f(x) = Θ(x, X)·α at each of the points, feature by feature."""
    found = np.empty(points.shape)
    for i in range(points.shape[0]):
        for k in range(points.shape[1]):
            ends = []
            for sign in (1, -1):
                moved = points[i].copy()
                moved[k] += sign * step
                ends.append((network.ntk(moved[None], points) @ alpha).item())
            found[i, k] = (ends[0] - ends[1]) / (2 * step)
    return found


@pytest.mark.parametrize("net", [NET, nk.mlp(2, nk.Gelu(), b_std=0.3)])
def test_gradients_are_those_of_differences(net):
    x, y = product(20)
    alpha = np.linalg.solve(net.ntk(x) + 0.1 * np.eye(20), y)
    expected = literal_gradients(net, x, alpha)
    np.testing.assert_allclose(gradients(net, x, alpha), expected, atol=1e-3 * abs(expected).max())


def test_points_that_coincide_drop_out():
    x, y = product(20)
    twice, alpha = np.concatenate([x, x]), np.linalg.solve(NET.ntk(x) + 0.1 * np.eye(20), y)
    once = gradients(NET, x, alpha)
    np.testing.assert_allclose(
        gradients(NET, twice, np.concatenate([alpha, alpha]) / 2), np.concatenate([once, once])
    )


def literal_rounds(x, y, weights, rounds, diagonal):
    """The algorithm as it is written, by differences and dense inverses: metrics and errors."""
    n, d = x.shape
    metric, found = np.eye(d), []
    for _ in range(rounds + 1):
        root = sqrtm(metric).real * np.sqrt(d / np.trace(metric))
        points = x @ root
        theta = NET.ntk(points)
        ridge = RIDGE * np.average(np.diag(theta), weights=weights) / weights
        alpha = np.linalg.solve(theta + np.diag(ridge), y)
        left = []
        for i in range(n):
            others = np.arange(n) != i
            rest = theta[np.ix_(others, others)] + np.diag(ridge[others])
            left.append(y[i] - theta[i, others] @ np.linalg.solve(rest, y[others]))
        error = np.mean(np.average(np.square(left), axis=0, weights=weights))
        found.append((metric, error))
        total = np.zeros((d, d))
        for output in alpha.reshape(n, -1).T:
            gradient = literal_gradients(NET, points, output) @ root
            total += np.einsum("i,ij,ik->jk", weights, gradient, gradient)
        if diagonal:
            total = np.diag(np.diag(total))
        metric = total / total.max()
    return found


@pytest.mark.parametrize("diagonal", [False, True])
@pytest.mark.parametrize("outputs", [1, 3])
@pytest.mark.parametrize("weighted", [False, True])
def test_rounds_are_those_of_a_literal_loop(diagonal, outputs, weighted):
    x, _ = product(24, 3)
    x = (x - x.mean(axis=0)) / x.std(axis=0)
    y = np.sin(2 * x[:, 0])
    if outputs > 1:
        y = np.stack([y, x[:, 0], y - x[:, 0]], axis=1)  # two are independent
    weights = np.linspace(0.5, 2, 24) if weighted else np.ones(24)
    model = RFMRegressor(
        rounds=2,
        diagonal=diagonal,
        relative_diag_reg=RIDGE,
        standardize=False,
        normalize_y=False,
        solver="cholesky",
    ).fit(x, y, weights if weighted else None)
    expected = literal_rounds(x, y, weights, 2, diagonal)
    errors = [error for _, error in expected]
    np.testing.assert_allclose(model.leave_one_out_errors_, errors, rtol=1e-3)
    assert model.best_round_ == np.argmin(errors) > 0
    metric = expected[model.best_round_][0]
    found = np.diag(model.metric_) if diagonal else model.metric_
    np.testing.assert_allclose(found, metric, atol=2e-3)
    scales = np.diag(metric)
    np.testing.assert_allclose(model.feature_importances_, scales / scales.sum(), atol=2e-3)
    # The last fit is that of the package on the features of the best round.
    root = sqrtm(model.metric_ if not diagonal else np.diag(model.metric_)).real
    root *= np.sqrt(3 / np.trace(root @ root))
    np.testing.assert_allclose(model.X_fit_, x @ root, rtol=1e-10, atol=1e-12)
    plain = NTKRegressor(relative_diag_reg=RIDGE, solver="cholesky")
    plain.fit(x @ root, y, weights if weighted else None)
    np.testing.assert_allclose(model.predict(x[:3] + 1), plain.predict((x[:3] + 1) @ root))
    mean, std = model.predict(x[:3] + 1, return_std=True)
    np.testing.assert_allclose(std, plain.predict((x[:3] + 1) @ root, return_std=True)[1])
    assert mean.shape == std.shape


def test_combinations_of_outputs_keep_sums_of_outer_products():
    alpha = RNG.normal(size=(12, 3))
    alpha -= alpha.mean(axis=1, keepdims=True)  # as those of classes
    combined = list(independent(alpha))
    assert len(combined) == 2
    np.testing.assert_allclose(sum(np.outer(a, a) for a in combined), alpha @ alpha.T, atol=1e-12)


def test_the_ridge_is_the_one_with_the_least_leave_one_out_error():
    x, y = product(40)
    y = y + 0.3 * RNG.normal(size=40)
    chosen = RFMRegressor(rounds=0).fit(x, y)
    errors = {
        ridge: RFMRegressor(rounds=0, relative_diag_reg=ridge).fit(x, y).leave_one_out_errors_[0]
        for ridge in np.logspace(-6, 1, 15)
    }
    assert chosen.relative_diag_reg_ == pytest.approx(min(errors, key=errors.get))
    assert chosen.leave_one_out_errors_[0] == pytest.approx(min(errors.values()), rel=1e-6)
    assert chosen.best_round_ == 0
    np.testing.assert_array_equal(chosen.feature_importances_, np.full(4, 0.25))


@pytest.mark.parametrize(
    ("function", "features", "before", "after"),
    [
        (lambda x: x[:, 0] * x[:, 1], {0, 1}, 0.6, 0.04),
        (lambda x: np.sin(2 * x[:, 0]) + x[:, 1] * x[:, 2], {0, 1, 2}, 0.6, 0.04),
    ],
)
def test_features_are_found_among_fifty(function, features, before, after):
    rng = np.random.default_rng(0)
    x, x_test = rng.standard_normal((2, 1000, 50))
    y, y_test = function(x), function(x_test)
    plain, model = RFMRegressor(rounds=0).fit(x, y), RFMRegressor().fit(x, y)
    errors = [np.var(each.predict(x_test) - y_test) / np.var(y_test) for each in (plain, model)]
    assert errors[0] > before
    assert errors[1] < after
    assert {*np.argsort(model.feature_importances_)[-len(features) :]} == features
    assert model.feature_importances_.sum() == pytest.approx(1)
    assert len(model.leave_one_out_errors_) == 6


def test_a_full_metric_finds_a_direction():
    """The target is a function of one direction, which no scales of features can stretch."""
    rng = np.random.default_rng(0)
    x, x_test = rng.standard_normal((2, 300, 10))
    direction = np.ones(10) / np.sqrt(10)
    model = RFMRegressor().fit(x, np.sin(2 * x @ direction))
    assert model.metric_.shape == (10, 10)
    top = np.linalg.eigh(model.metric_)[1][:, -1]
    assert abs(top @ direction) > 0.99
    better = np.mean((model.predict(x_test) - np.sin(2 * x_test @ direction)) ** 2)
    scales = RFMRegressor(diagonal=True).fit(x, np.sin(2 * x @ direction))
    assert better < 0.2 * np.mean((scales.predict(x_test) - np.sin(2 * x_test @ direction)) ** 2)


@pytest.mark.parametrize("solver", ["cg", "cholesky", "eigen"])
def test_other_solvers_learn_the_same_scales(solver):
    x, y = product(600)
    usual = RFMRegressor(rounds=2, relative_diag_reg=1e-2, diagonal=True).fit(x, y)
    model = clone(usual).set_params(solver=solver, tol=1e-9 if solver == "cg" else None).fit(x, y)
    if model.best_round_ == usual.best_round_:
        np.testing.assert_allclose(model.metric_, usual.metric_, rtol=1e-5)
        np.testing.assert_allclose(model.predict(x), usual.predict(x), rtol=1e-4, atol=1e-6)
    errors, rtol = usual.leave_one_out_errors_, 0.2 if solver == "cg" else 1e-6
    np.testing.assert_allclose(model.leave_one_out_errors_, errors, rtol=rtol)


def test_scales_are_learnt_from_some_samples_and_the_fit_from_all():
    x, y = product(120)
    model = RFMRegressor(max_samples=50, random_state=3).fit(x, y)
    again, other = clone(model).fit(x, y), clone(model).set_params(random_state=4).fit(x, y)
    np.testing.assert_array_equal(model.metric_, again.metric_)
    assert not np.array_equal(model.metric_, other.metric_)
    assert len(model.X_fit_) == 120
    assert len(RFMRegressor(max_samples=None).fit(x, y).X_fit_) == 120


def test_equal_targets_have_no_gradients():
    x, _ = product(20)
    model = RFMRegressor().fit(x, np.full(20, 3.0))
    assert model.best_round_ == 0
    np.testing.assert_allclose(model.predict(x), 3.0)


def test_units_of_features_do_not_matter():
    x, y = product()
    scale, shift = np.array([1e-3, 1.0, 1e4, 7.0]), np.array([5.0, 0.0, 1e5, -3.0])
    plain, moved = RFMRegressor().fit(x, y), RFMRegressor().fit(x * scale + shift, y)
    np.testing.assert_allclose(moved.metric_, plain.metric_, atol=1e-6)
    found = moved.predict(x[:5] * scale + shift)
    np.testing.assert_allclose(found, plain.predict(x[:5]), rtol=1e-5)


def test_classes_are_learnt_and_copies_predict_the_same():
    x, y = product(150, 6)
    labels = np.where(y > 0, "plus", "minus")
    model = RFMClassifier().fit(x[:100], labels[:100])
    assert model.score(x[100:], labels[100:]) > 0.85
    assert {*np.argsort(model.feature_importances_)[-2:]} == {0, 1}
    for other in (pickle.loads(pickle.dumps(model)), model.mean_only()):
        np.testing.assert_array_equal(other.predict(x[100:]), model.predict(x[100:]))
    np.testing.assert_allclose(model.predict_proba(x[100:]).sum(axis=1), 1)


def test_single_precision_is_kept():
    x, y = product()
    single = RFMRegressor().fit(x.astype("f") + 1000, y.astype("f"))
    assert single.X_fit_.dtype == single.predict(x.astype("f") + 1000).dtype == np.float32
    double = RFMRegressor().fit(x, y)
    np.testing.assert_allclose(single.predict(x.astype("f") + 1000), double.predict(x), atol=0.05)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"rounds": -1}, "rounds is -1"),
        ({"diagonal": "no"}, "diagonal is 'no'.*auto"),
        ({"diagonal": 2}, "diagonal is 2"),
        ({"relative_diag_reg": "best"}, "relative_diag_reg is 'best'.*auto"),
        ({"relative_diag_reg": -1.0}, "relative_diag_reg is -1"),
        ({"max_samples": 0}, "max_samples is 0"),
        ({"standardize": "yes"}, "standardize is 'yes'"),
        ({"categorical_features": "all"}, "categorical_features is 'all'.*from_dtype"),
        ({"network": nk.cntk(2)}, "takes images"),
    ],
)
def test_bad_parameters_are_told(parameters, message):
    x, y = product(10)
    with pytest.raises((TypeError, ValueError), match=message):
        RFMRegressor(**parameters).fit(x, y)


@pytest.mark.parametrize("ridge", ["auto", 1e-2])
def test_solvers_of_one_ridge_refuse_weights(ridge):
    x, y = product(30)
    with pytest.raises(ValueError, match=r"sample_weight.*solver='cholesky'"):
        RFMRegressor(solver="cg", relative_diag_reg=ridge).fit(x, y, np.linspace(1, 2, 30))


def test_metrics_of_features_without_gradients_have_roots():
    metric = np.diag([1.0, 0.0, 0.25])
    np.testing.assert_allclose(root_of(metric) @ root_of(metric), metric * 3 / 1.25)
    np.testing.assert_allclose(root_of(metric.diagonal()), root_of(metric).diagonal())


def table(n=300):
    """Numbers, text and integers as categories; the target is an effect of a city and a product."""
    rng = np.random.default_rng(2)
    cities, codes = rng.choice(["Bonn", "Kiel", "Ulm"], n), rng.integers(10, 14, n)
    numbers = rng.normal(size=(n, 2)) * [100, 1]
    frame = pd.DataFrame(
        {
            "size": numbers[:, 0],
            "city": pd.Categorical(cities),
            "noise": numbers[:, 1],
            "code": pd.Categorical(codes),
        }
    )
    effect = {"Bonn": -1.0, "Kiel": 0.0, "Ulm": 2.0}
    return frame, np.array([effect[city] for city in cities]) + numbers[:, 0] / 100


def test_categories_have_one_scale_each():
    frame, y = table()
    model = RFMRegressor().fit(frame[:200], y[:200])
    assert [*model.feature_names_in_] == ["size", "city", "noise", "code"]
    assert model.n_features_in_ == 4
    assert model.is_categorical_.tolist() == [False, True, False, True]
    assert [each.tolist() for each in model.categories_] == [
        ["Bonn", "Kiel", "Ulm"],
        [10, 11, 12, 13],
    ]
    assert model.feature_importances_.shape == (4,)
    assert {*np.argsort(model.feature_importances_)[-2:]} == {0, 1}
    assert model.feature_importances_.sum() == pytest.approx(1)
    metric = model.metric_ if model.metric_.ndim == 2 else np.diag(model.metric_)
    assert metric.shape == (9, 9)
    np.testing.assert_array_equal(metric[1:4, 1:4], metric[1, 1] * np.eye(3))
    assert not metric[1:4, [0, 4, 5, 6, 7, 8]].any()
    assert np.var(model.predict(frame[200:]) - y[200:]) < 0.01 * np.var(y)


@pytest.mark.parametrize("diagonal", [False, True])
def test_all_descriptions_of_categories_mean_the_same(diagonal):
    frame, y = table(80)
    plain = frame.astype({"city": object, "code": int})
    usual = RFMRegressor(diagonal=diagonal).fit(frame, y).predict(frame[:9])
    for given in (["city", "code"], [1, 3], [False, True, False, True], np.array([3, 1])):
        for X in (frame, plain, plain.to_numpy(), plain.to_numpy().tolist()):
            if isinstance(given[0], str) and not isinstance(X, pd.DataFrame):
                continue
            model = RFMRegressor(diagonal=diagonal, categorical_features=given).fit(X, y)
            np.testing.assert_array_equal(model.predict(X[:9]), usual)


def test_unseen_and_missing_categories_are_blocks_of_zeros():
    frame, y = table(80)
    frame.loc[3, "city"] = None
    model = RFMRegressor(diagonal=True).fit(frame, y)
    assert model.categories_[0].tolist() == ["Bonn", "Kiel", "Ulm"]
    np.testing.assert_array_equal(model.X_fit_[3, 1:4], 0)
    others = frame[:3].astype({"city": object})
    others["city"] = ["Rome", None, np.nan]
    found = model._projected(model._new_points(others))
    np.testing.assert_array_equal(found[:, 1:4], 0)
    assert np.isfinite(model.predict(others)).all()


@pytest.mark.parametrize("diagonal", [False, True])
def test_a_column_without_any_category_has_no_scale(diagonal):
    frame, y = table(60)
    frame["code"] = pd.Categorical([None] * 60)
    model = RFMRegressor(diagonal=diagonal).fit(frame, y)
    without = RFMRegressor(diagonal=diagonal).fit(frame.drop(columns="code"), y)
    assert model.feature_importances_[3] == 0
    np.testing.assert_array_equal(model.predict(frame), without.predict(frame.drop(columns="code")))


def test_categories_of_dropped_samples_are_unseen():
    frame, y = table(80)
    weights = np.where(frame["city"] == "Ulm", 0.0, 1.0)
    kept = frame[weights > 0]
    dropped = RFMRegressor(diagonal=True).fit(frame, y, weights)
    without = RFMRegressor(diagonal=True, categorical_features=["city", "code"]).fit(
        kept.astype({"city": object}), y[weights > 0]
    )
    np.testing.assert_allclose(
        dropped.predict(frame[:9]), without.predict(frame[:9].astype({"city": object})), rtol=1e-6
    )


def test_categories_that_are_numbers_work_in_dask_arrays():
    da = pytest.importorskip("dask.array")
    x, y = product(60, 3)
    x[:, 2] = np.arange(60) % 3
    model = RFMRegressor(categorical_features=[2]).fit(x, y + x[:, 2])
    lazy = da.from_array(x, chunks=(40, 3))
    np.testing.assert_allclose(model.predict(lazy).compute(), model.predict(x), rtol=1e-12)
    again = clone(model).fit(lazy, y + x[:, 2])
    np.testing.assert_array_equal(again.is_categorical_, model.is_categorical_)
    np.testing.assert_array_equal(again.metric_, model.metric_)


def test_missing_numbers_and_text_are_told():
    frame, y = table(40)
    model = RFMRegressor().fit(frame, y)
    gaps = frame.copy()
    gaps.loc[2, "size"] = np.nan
    for refused in (lambda: model.predict(gaps), lambda: clone(model).fit(gaps, y)):
        with pytest.raises(ValueError, match="Input X contains NaN"):
            refused()
    with pytest.raises(ValueError, match="feature names should match"):
        model.predict(frame.rename(columns={"size": "area"}))
    text = frame[["size", "city"]].astype({"city": object})
    with pytest.raises(ValueError, match=r"X has text: .*'Ulm'.*categorical_features"):
        RFMRegressor().fit(text, y)


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        (["town"], ValueError, "name 'town'; the columns of X are 'size', 'city'"),
        ([4], ValueError, "index 4; expected 0 to 3"),
        ([-1], ValueError, "index -1"),
        ([True, False], ValueError, "2 booleans; expected 4"),
        ([[1]], ValueError, r"shape \(1, 1\)"),
        ([1.5], TypeError, "expected column names"),
        (["code"], ValueError, "column 'city' that are not numbers.*categorical_features"),
    ],
)
def test_bad_columns_are_told(given, error, message):
    frame, y = table(20)
    with pytest.raises(error, match=message):
        RFMRegressor(categorical_features=given).fit(frame, y)


def test_names_need_a_table():
    x, y = product(20)
    with pytest.raises(ValueError, match="X has no column names"):
        RFMRegressor(categorical_features=["a"]).fit(x, y)
