"""The estimators follow the conventions of scikit-learn, by its own checks."""

from sklearn.utils.estimator_checks import parametrize_with_checks

import ntkfast as nk

LEAVE_ONE_OUT = (nk.sklearn.NTKRegressorCV, nk.sklearn.RFMRegressor, nk.sklearn.RFMClassifier)


def expected_failures(estimator):
    """Leaving out a sample of weight 2 leaves out both copies that it stands for."""
    if isinstance(estimator, LEAVE_ONE_OUT):
        return {"check_sample_weight_equivalence_on_dense_data": "leave-one-out of copies differs"}
    return {}


@parametrize_with_checks(
    [
        nk.sklearn.NTKRegressor(),
        nk.sklearn.NTKRegressor(t=1.0),
        nk.sklearn.NTKRegressorCV(),
        nk.sklearn.NNGPRegressor(),
        nk.sklearn.NTKClassifier(),
        nk.sklearn.NTKClassifierCV(),
        nk.sklearn.NNGPClassifier(),
        nk.sklearn.NystroemRegressor(),
        nk.sklearn.NystroemClassifier(),
        nk.sklearn.NystroemClassifier(loss="log"),
        nk.sklearn.NystroemFeatures(),
        nk.sklearn.RFMRegressor(),
        nk.sklearn.RFMClassifier(),
    ],
    expected_failed_checks=expected_failures,
)
def test_conventions_of_scikit_learn(estimator, check):
    check(estimator)
