"""Infinitely wide networks as scikit-learn estimators and kernels.

They work in pipelines, searches and cross-validation. Their results are those of `nk.Ensemble`,
`nk.KernelRegression`, `nk.NystroemRegression` and `nk.Posterior`, which they keep as fitted
attributes.
"""

from ntkfast._optional import MissingExtraError

try:
    from sklearn.utils.validation import validate_data as _validate_data  # noqa: F401
except ImportError as error:
    raise MissingExtraError("ntkfast.sklearn", "scikit-learn >= 1.6", "sklearn") from error

from ntkfast.sklearn.classifiers import NNGPClassifier, NTKClassifier
from ntkfast.sklearn.features import NystroemFeatures
from ntkfast.sklearn.kernels import NNGPKernel, NTKKernel
from ntkfast.sklearn.machines import RFMClassifier, RFMRegressor
from ntkfast.sklearn.nystroem import NystroemClassifier, NystroemRegressor
from ntkfast.sklearn.regressors import NNGPRegressor, NTKRegressor
from ntkfast.sklearn.selection import NTKClassifierCV, NTKRegressorCV

__all__ = [
    "NNGPClassifier",
    "NNGPKernel",
    "NNGPRegressor",
    "NTKClassifier",
    "NTKClassifierCV",
    "NTKKernel",
    "NTKRegressor",
    "NTKRegressorCV",
    "NystroemClassifier",
    "NystroemFeatures",
    "NystroemRegressor",
    "RFMClassifier",
    "RFMRegressor",
]
