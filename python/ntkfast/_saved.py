"""The classes whose objects can be saved, and the parts that are written of each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, is_dataclass
from inspect import signature
from typing import Any, get_type_hints

from ntkfast.dynamics import (
    Ensemble,
    GradientDescent,
    GradientFlow,
    KernelRegression,
    LinearModel,
    LossFlow,
    Normal,
    Posterior,
    Trajectory,
)
from ntkfast.dynamics._modes import Modes, SquaredSingularValues
from ntkfast.dynamics.rules import ContinuousTime, HeavyBall
from ntkfast.finite import (
    DriftStudy,
    FiniteNetwork,
    FiniteTrajectory,
    LinearizedNetwork,
    LinearizedTraining,
    MonteCarloKernels,
    Scaling,
    WidthStudy,
)
from ntkfast.finite.initial import restored
from ntkfast.kernels import Kernels
from ntkfast.linalg import Cholesky
from ntkfast.nystroem import NystroemRegression
from ntkfast.solvers import (
    CholeskySolver,
    EigenSolver,
    PreparedCholesky,
    PreparedEigen,
    PreparedRefined,
    RefinedSolver,
    SolveReport,
)
from ntkfast.spectrum import Spectrum
from ntkfast.theory import EdgeOfChaos, MeanField

__all__ = ["CLASSES", "DERIVED", "ESTIMATORS", "class_named", "parts"]

CLASSES: dict[str, type] = {
    class_.__name__: class_
    for class_ in (
        *(Kernels, Spectrum, Cholesky),
        *(GradientFlow, GradientDescent, KernelRegression, LossFlow, Trajectory),
        *(LinearModel, Modes, SquaredSingularValues),
        *(Ensemble, Posterior, Normal, NystroemRegression, SolveReport),
        *(CholeskySolver, PreparedCholesky, RefinedSolver, PreparedRefined),
        *(EigenSolver, PreparedEigen, ContinuousTime, HeavyBall),
        *(FiniteNetwork, FiniteTrajectory, LinearizedNetwork, LinearizedTraining),
        *(MonteCarloKernels, Scaling, WidthStudy, DriftStudy, MeanField, EdgeOfChaos),
    )
}

# Classes of ntkfast.sklearn, which are imported when needed.
ESTIMATORS = {
    *("NTKRegressor", "NTKRegressorCV", "NTKClassifier", "NTKClassifierCV", "NTKKernel"),
    *("NNGPRegressor", "NNGPClassifier", "NNGPKernel"),
    *("NystroemRegressor", "NystroemClassifier", "NystroemFeatures"),
    *("RFMRegressor", "RFMClassifier"),
}

# Fields that follow from the others, and the functions that create an object from those.
DERIVED: dict[type, tuple[set[str], Callable[..., Any]]] = {
    FiniteNetwork: ({"_layer", "_affine"}, restored),
}

# Fields that older files do not have; the classes have defaults for them.
_LATER: dict[type, tuple[str, ...]] = {
    KernelRegression: ("relative_diag_reg",),
    Posterior: ("relative_diag_reg", "feature_scales", "feature_center"),
    Normal: ("variance_bounds",),
    Ensemble: ("solver", "tol"),
}


def class_named(name: str) -> type | None:
    """Return the class with this name, if its objects can be saved."""
    if name in ESTIMATORS:
        from ntkfast import sklearn

        estimator: type = getattr(sklearn, name)
        return estimator
    return CLASSES.get(name)


def parts(class_: type) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the annotations of what is always written, and of what may be missing."""
    hints = get_type_hints(class_, localns=CLASSES)
    if not is_dataclass(class_):  # an estimator, which checks its parameters in fit
        fitted = {name: hint for name, hint in hints.items() if name.endswith("_")}
        return dict.fromkeys(signature(class_).parameters, object), fitted
    derived = DERIVED[class_][0] if class_ in DERIVED else set()
    written = {field.name: hints[field.name] for field in fields(class_)}
    sometimes = {name: written.pop(name) for name in _LATER.get(class_, ())}
    for name in getattr(class_, "_kept", ()):  # computed on first access
        sometimes[name] = get_type_hints(vars(class_)[name].func, localns=CLASSES)["return"]
    return {name: hint for name, hint in written.items() if name not in derived}, sometimes
