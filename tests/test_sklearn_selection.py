"""Selection of depth and regularisation by leave-one-out, against explicit leave-one-out."""

import numpy as np
import pytest
from sklearn.model_selection import LeaveOneOut, cross_val_score

import ntkfast as nk
from estimators import Data
from ntkfast.sklearn import NTKClassifier, NTKClassifierCV, NTKRegressor, NTKRegressorCV, selection

DATA = Data()


def test_leave_one_out_is_what_leaving_out_gives():
    """Every score of the grid, the choice and its predictions, as by scikit-learn's search."""
    x = DATA.x
    model = NTKRegressorCV(
        depths=[1, 3], activation="erf", relative_diag_regs=[0.003, 0.1], b_std=0.5
    ).fit(x, DATA.y)
    scores = []
    for depth, ridge in zip(
        model.cv_results_["param_depth"], model.cv_results_["param_relative_diag_reg"], strict=True
    ):
        absolute = ridge * nk.mlp(depth, nk.Erf(), w_std=2**0.5, b_std=0.5).ntk(x).trace() / len(x)
        one = NTKRegressor(depth, "erf", b_std=0.5, diag_reg=absolute, relative_diag_reg=0.0)
        left_out = cross_val_score(
            one, x, DATA.y, cv=LeaveOneOut(), scoring="neg_mean_squared_error"
        )
        scores.append(left_out.mean())
    np.testing.assert_allclose(model.cv_results_["mean_test_score"], scores, rtol=1e-9)
    best = int(np.argmax(scores))
    assert model.best_score_ == pytest.approx(scores[best], rel=1e-9)
    assert model.cv_results_["rank_test_score"].tolist() == [
        1 + sum(score > other for score in scores) for other in scores
    ]
    chosen = NTKRegressor(
        model.best_depth_,
        "erf",
        b_std=0.5,
        diag_reg=model.best_diag_reg_,
        relative_diag_reg=0.0,
    ).fit(x, DATA.y)
    for found, expected in zip(
        model.predict(DATA.x_test, return_std=True),
        chosen.predict(DATA.x_test, return_std=True),
        strict=True,
    ):
        np.testing.assert_allclose(found, expected, rtol=1e-8)


def test_leave_one_out_of_a_classifier_counts_labels():
    x, labels = DATA.x, (DATA.x[:, 0] > DATA.x[:, 1] ** 2)
    model = NTKClassifierCV(depths=[2, 0], relative_diag_regs=[1e-3, 1.0]).fit(x, labels)
    scores = []
    for depth in (2, 0):
        size = nk.mlp(depth, w_std=2**0.5, b_std=1.0).ntk(x).trace() / len(x)
        for ridge in (1e-3, 1.0):
            one = NTKClassifier(depth, diag_reg=ridge * size, relative_diag_reg=0.0)
            scores.append(cross_val_score(one, x, labels, cv=LeaveOneOut()).mean())
    np.testing.assert_allclose(model.cv_results_["mean_test_score"], scores)
    assert model.best_score_ == max(scores)


def test_a_grid_takes_one_decomposition_a_depth(monkeypatch):
    calls = []

    def counted(theta, **options):
        calls.append(theta)
        return nk.eigh(theta, **options)

    monkeypatch.setattr(selection, "eigh", counted)
    NTKRegressorCV(depths=(1, 2)).fit(DATA.x, DATA.y)
    assert len(calls) == 2


def test_singular_candidates_are_not_chosen():
    x, y = [[0.0], [1.0], [1.0], [2.0]], [0.0, 1.0, 1.0, 2.0]
    model = NTKRegressorCV(depths=[1], relative_diag_regs=[0.0, 1e-3]).fit(x, y)
    assert model.cv_results_["mean_test_score"][0] == -np.inf
    assert model.best_relative_diag_reg_ == 1e-3
    with pytest.raises(nk.NumericalError, match=r"singular .* larger"):
        NTKRegressorCV(relative_diag_regs=[0.0]).fit(x, y)
