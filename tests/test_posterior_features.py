"""A posterior of features with a centre and scales is that of the moved and scaled features."""

import numpy as np
import pytest

import ntkfast as nk

RNG = np.random.default_rng(0)
NET = nk.mlp(2, nk.Erf(), b_std=0.3)
X, X_TEST, X_NEW = RNG.normal(size=(30, 3)), RNG.normal(size=(8, 3)), RNG.normal(size=(4, 3))
Y, Y_NEW = np.sin(X[:, 0]), np.sin(X_NEW[:, 0])
CENTER, SCALES = np.array([0.5, -1.0, 3.0]), np.array([2.0, 0.0, 0.7])


def moved(x):
    return (x - CENTER) * SCALES


def pair(**settings):
    """Return a posterior with scales, and that of scaled features."""
    scaled = nk.Posterior(NET, X, Y, feature_scales=SCALES, feature_center=CENTER, **settings)
    return scaled, nk.Posterior(NET, moved(X), Y, **settings)


def same(a, b, rtol=1e-10):
    np.testing.assert_allclose(a.mean, b.mean, rtol=rtol, atol=1e-12)
    np.testing.assert_allclose(a.covariance, b.covariance, rtol=rtol, atol=1e-12)


@pytest.mark.parametrize("settings", [{}, {"solver": "cg"}, {"noise_variance": np.full(30, 0.1)}])
@pytest.mark.parametrize("covariance", ["diagonal", "full"])
def test_predictions_are_those_of_scaled_features(settings, covariance):
    scaled, plain = pair(**settings)
    np.testing.assert_array_equal(scaled.x, X)
    evidences = [each.log_marginal_likelihood(return_std=True) for each in (scaled, plain)]
    assert evidences[0] == evidences[1]
    found = scaled.predict(X_TEST, covariance=covariance)
    same(found, plain.predict(moved(X_TEST), covariance=covariance))


@pytest.mark.parametrize(
    "settings", [{}, {"solver": "cg"}, {"relative_diag_reg": 1e-3}, {"solver": "eigen"}]
)
def test_points_are_appended_with_the_same_scales(settings):
    scaled, plain = pair(**settings)
    more, expected = scaled.append(X_NEW, Y_NEW), plain.append(moved(X_NEW), Y_NEW)
    np.testing.assert_array_equal(more.x, np.concatenate([X, X_NEW]))
    np.testing.assert_array_equal(more.feature_scales, SCALES)
    np.testing.assert_allclose(
        more.predict(X_TEST).mean, expected.predict(moved(X_TEST)).mean, rtol=1e-9, atol=1e-9
    )


def test_dask_arrays_are_scaled_by_chunks():
    da = pytest.importorskip("dask.array")
    scaled, plain = pair()
    lazy = scaled.predict(da.from_array(X_TEST, chunks=(3, 3)), covariance="diagonal")
    expected = plain.predict(moved(X_TEST), covariance="diagonal")
    np.testing.assert_allclose(np.asarray(lazy.mean), expected.mean, rtol=1e-10)


def test_one_number_serves_all_features_and_single_precision_stays():
    scaled = nk.Posterior(NET, X.astype("f"), Y.astype("f"), feature_scales=0.5)
    np.testing.assert_array_equal(scaled.feature_scales, np.full(3, 0.5))
    assert scaled.feature_center is None
    assert scaled.predict(X_TEST.astype("f")).mean.dtype == np.float32


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"feature_scales": [1.0, 2.0]}, r"feature_scales has shape \(2,\), and x has shape \(30"),
        ({"feature_center": np.ones((3, 1))}, r"feature_center has shape \(3, 1\)"),
        ({"feature_scales": [1.0, -2.0, 1.0]}, "feature_scales has the entry -2; expected >= 0"),
        ({"feature_scales": [1.0, np.nan, 1.0]}, "feature_scales"),
    ],
)
def test_bad_scales_are_told(settings, message):
    with pytest.raises(ValueError, match=message):
        nk.Posterior(NET, X, Y, **settings)


def test_a_choice_of_scales_is_true_or_false():
    with pytest.raises(TypeError, match="feature_scales is"):
        nk.Posterior.maximize(NET, X, Y, feature_scales=[1.0, 1.0, 1.0])
