"""The estimators follow the conventions of scikit-learn, by its own checks."""

from sklearn.utils.estimator_checks import parametrize_with_checks

import ntkfast as nk


@parametrize_with_checks(
    [
        nk.sklearn.NTKRegressor(),
        nk.sklearn.NTKRegressor(t=1.0),
        nk.sklearn.NTKRegressorCV(),
        nk.sklearn.NNGPRegressor(),
        nk.sklearn.NTKClassifier(),
        nk.sklearn.NTKClassifierCV(),
        nk.sklearn.NNGPClassifier(),
    ]
)
def test_conventions_of_scikit_learn(estimator, check):
    check(estimator)
