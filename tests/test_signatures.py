"""Signatures: one order of arguments, the table in the reference, and messages for old calls."""

import inspect
import math
import re
from collections.abc import Callable
from dataclasses import is_dataclass

import numpy as np
import pytest

import ntkfast as nk
import signatures
from ntkfast._calls import by_keyword

NET = nk.mlp(1, nk.Erf(), b_std=0.1)
X, Y = np.array([[-1.0], [0.5], [1.0]]), np.array([0.5, -0.5, 1.0])
X_TEST = np.array([[0.0], [2.0]])
THETA, K = NET.ntk(X), NET.ntk(X_TEST, X)
FLOW = nk.GradientFlow(THETA, Y)
DESCENT = nk.GradientDescent(THETA, Y, learning_rate=0.1)
MODEL = nk.LinearModel(X, Y)
LOSS_FLOW = nk.LossFlow(THETA, Y, loss="mse")
ENSEMBLE, POSTERIOR = nk.Ensemble(NET, X, Y), nk.Posterior(NET, X, Y)
LINEARIZED = nk.finite.init(NET, 1, 0, width=8).linearize().train(X, Y)

AT = "takes the test input as first argument and"


def test_the_reference_has_the_signatures_of_everything_that_is_exported() -> None:
    page = signatures.between(signatures.PAGE.read_text(encoding="utf-8"))
    assert page == signatures.table(), "run .venv/bin/python tests/signatures.py"


def test_the_table_is_that_of_inspect() -> None:
    rows = {name: (signature, returns) for name, signature, returns in signatures.entries()}
    assert rows["nk.GradientFlow.predict"] == (
        "(k_test_train, f0_train=0.0, f0_test=0.0, *, t)",
        "`FloatArray`",
    )
    assert rows["nk.Network.ntk"] == rows["nk.Network.nngp"]
    assert "nk.Dense.ntk" not in rows
    assert rows["nk.set_num_threads"] == ("(n)", "`None`")
    for module in (nk, nk.classic, nk.data, nk.finite, nk.solvers, nk.theory, nk.plots, nk.sklearn):
        for name in module.__all__:
            value = getattr(module, name)
            if inspect.isfunction(value):
                assert any(row.endswith(f".{name}") for row in rows)


# What says how is given by keyword; what works on arrays of times draws them.
BY_KEYWORD = {"t", "covariance", "noise_variance", "learning_rate", "momentum", "progress"}
EXCEPTIONS = {"nk.plots.accuracy"}


def test_what_says_how_is_given_by_keyword() -> None:
    seen = 0
    for name, each in signatures.exported():
        made = is_made_by_package(each)
        functions = [] if made else [(name, each)]
        if inspect.isclass(each):
            functions += [(f"{name}.{word}", method) for word, method in signatures.methods(each)]
        for path, function in functions:
            if path in EXCEPTIONS or (
                inspect.isclass(function) and issubclass(function, Exception)
            ):
                continue
            for parameter in inspect.signature(function).parameters.values():
                if parameter.name in BY_KEYWORD:
                    seen += 1
                    assert parameter.kind is inspect.Parameter.KEYWORD_ONLY, (path, parameter)
    assert seen > 50


def is_made_by_package(value: object) -> bool:
    """Tell results, whose classes have their fields for parameters."""
    return is_dataclass(value) and value.__dataclass_params__.init


@pytest.mark.parametrize(
    ("call", "form"),
    [
        (lambda: FLOW.predict(3.0, K), f"predict {AT} t by keyword: predict(k_test_train, t=...)"),
        (lambda: FLOW.predict(3.0, K, 0.0, 0.0), "predict(k_test_train, t=...)"),
        (lambda: FLOW.predict(K), "1 positional argument and no t"),
        (lambda: FLOW.predict(K, t_=1.0), "and no t"),
        (lambda: DESCENT.predict(3, K), "2 positional arguments and no t"),
        (lambda: FLOW.predict_train(3.0), "predict_train takes t by keyword: predict_train(t=...)"),
        (lambda: FLOW.predict_train(3.0, Y), "predict_train(t=...)"),
        (lambda: FLOW.loss(3.0), "loss takes t by keyword: loss(t=...)"),
        (lambda: FLOW.residual(3.0), "residual(t=...)"),
        (lambda: FLOW.coefficients(math.inf), "coefficients(t=...)"),
        (
            lambda: FLOW.parameters(1.0, X, [0.0], 0.0),
            "parameters takes t by keyword: parameters(jacobian, parameters0, f0, t=...)",
        ),
        (
            lambda: MODEL.predict(3.0, X),
            f"predict {AT} t by keyword: predict(features_test, t=...)",
        ),
        (lambda: MODEL.parameters(3.0), "parameters(t=...)"),
        (lambda: MODEL.loss(3.0), "loss(t=...)"),
        (lambda: MODEL.distribution(X, 0.0, 2.0), "distribution(features_test, t=...)"),
        (lambda: LINEARIZED.predict(3.0, X), "predict(x_test, t=...)"),
        (lambda: LINEARIZED.predict_train(3.0), "predict_train(t=...)"),
        (lambda: LINEARIZED.network(3.0), "network(t=...)"),
        (
            lambda: ENSEMBLE.predict(X_TEST, 3.0),
            f"predict {AT} t by keyword: predict(x_test, t=...",
        ),
        (lambda: ENSEMBLE.predict(X_TEST, 3.0, "full"), "3 positional arguments"),
        (lambda: ENSEMBLE.trajectory(X_TEST, [1.0]), "trajectory(x_test, t=...)"),
        (
            lambda: ENSEMBLE.predict_kernels(NET.kernels(X_TEST, X), None, 1.0),
            "predict_kernels(kernels, t=...)",
        ),
        (lambda: POSTERIOR.predict(X_TEST, "full"), "predict(x_test, covariance=...)"),
        (
            lambda: POSTERIOR.predict_kernels(K, THETA, "full"),
            "predict_kernels(nngp_test_train, covariance=...)",
        ),
        (
            lambda: LOSS_FLOW.integrate([1.0]),
            "integrate(k_test_train, t=...)",
        ),
        (lambda: nk.Normal(Y, Y**2).log_density(Y, 0.1), "log_density(y, noise_variance=...)"),
        (lambda: nk.theory.label_loss(THETA, Y, 1.0), "label_loss(theta, y, t=...)"),
        (lambda: nk.theory.label_loss_bound(THETA, Y, 1.0), "label_loss_bound(theta, y, t=...)"),
        (lambda: nk.theory.loss_bound(THETA, 1.0, 1.0), "loss_bound(theta, loss0, t=...)"),
        (
            lambda: nk.theory.discrete_residual_norm(THETA, Y, 3, learning_rate=0.1),
            "discrete_residual_norm(theta, y, t=..., learning_rate=...)",
        ),
        (lambda: nk.theory.du_rate(3, 0.5, 0.1), "du_rate(lambda_min, t=..., learning_rate=...)"),
        (lambda: nk.plots.loss(FLOW, [1.0]), "loss(training, t=...)"),
    ],
)
def test_calls_in_an_old_form_are_told_the_new_one(call: Callable[[], object], form: str) -> None:
    with pytest.raises(TypeError, match=re.escape(form)):
        call()


def test_other_wrong_calls_are_told_what_python_says() -> None:
    with pytest.raises(TypeError, match="unexpected keyword argument 'time'"):
        FLOW.predict(K, t=1.0, time=2.0)
    with pytest.raises(TypeError, match="missing 1 required positional argument: 'k_test_train'"):
        FLOW.predict(t=1.0)
    with pytest.raises(ValueError, match="k_test_train has shape"):
        FLOW.predict(3.0, t=1.0)


def test_a_function_keeps_its_name_and_signature() -> None:
    @by_keyword("the test input")
    def both(x: int, *, t: int, rate: int = 1) -> int:
        """Return what was given."""
        return x * t * rate

    assert both(2, t=3) == 6
    assert both(x=2, t=3, rate=2) == 12
    assert both.__name__ == "both"
    assert both.__doc__ == "Return what was given."
    assert str(inspect.signature(both, eval_str=False)).startswith("(x: int, *, t: int, rate")
    expected = (
        "both takes the test input as first argument and t by keyword: both(x, t=...); "
        "this call has 0 positional arguments and no t"
    )
    with pytest.raises(TypeError, match=f"^{re.escape(expected)}$"):
        both()
