"""Arguments in each other's place are recognised, and so are calls that other libraries make."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.kernel_approximation import Nystroem
from sklearn.kernel_ridge import KernelRidge
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

import ntkfast as nk

X = np.random.default_rng(0).standard_normal((5, 3))
Y = X[:, 0].copy()
NET = nk.mlp(1, b_std=0.5)
THETA = NET.ntk(X)
FINITE = nk.finite.init(NET, 3, seed=0, width=5)
STUDY: dict[str, Any] = {"widths": (2, 3), "learning_rate": 0.1, "steps": 1}


@pytest.mark.parametrize("y", [Y, X[:, :2], Y.tolist()], ids=["one", "two", "list"])
@pytest.mark.parametrize("theta", [THETA, THETA.tolist(), nk.eigh(THETA)], ids=type)
@pytest.mark.parametrize(
    ("call", "name"),
    [
        (nk.KernelRegression, "theta"),
        (nk.GradientFlow, "theta"),
        (lambda *args: nk.GradientDescent(*args, learning_rate=0.1), "theta"),
        (nk.LossFlow, "theta"),
        (nk.Posterior.from_kernels, "nngp"),
        (nk.theory.label_projections, "theta"),
        (nk.theory.generalization_measure, "theta"),
    ],
)
def test_kernel_and_targets(call: Callable[..., Any], name: str, y: Any, theta: Any) -> None:
    shape = r"is a Spectrum" if isinstance(theta, nk.Spectrum) else r"has shape \(5, 5\)"
    message = rf"^y {shape}, like a kernel, and {name} has .*; the order is \({name}, y\)$"
    with pytest.raises(ValueError, match=message):
        call(y, theta)


def test_targets_with_as_many_outputs_as_points_are_targets() -> None:
    np.testing.assert_allclose(nk.KernelRegression(THETA, THETA).predict_train(), THETA)
    assert nk.GradientFlow(nk.eigh(THETA), THETA).y.shape == (5, 5)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: nk.LinearModel(Y, X), r"like features, .*; the order is \(features, y\)$"),
        (
            lambda: FINITE.train(Y, X, learning_rate=0.1, steps=1),
            r"like points, .*; the order is \(x, y\)$",
        ),
        (
            lambda: nk.finite.drift_study(NET, Y, X, X, **STUDY),
            r"like points, .*; the order is \(x, y\)$",
        ),
        (lambda: nk.Ensemble(NET, Y, X), r"^x has .* The order is \(network, x, y\)$"),
        (lambda: nk.Posterior(NET, Y, X), r"^x has .* The order is \(network, x, y\)$"),
        (lambda: NET.ntk(X, Y), r"^x2 has shape \(5,\), one number for each row of x, as targets"),
        (lambda: NET.kernels(X, Y), r"^x2 has shape \(5,\), one number for each row of x"),
    ],
)
def test_points_and_targets(call: Callable[[], Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        call()


@pytest.mark.parametrize(
    "call",
    [
        lambda x, net: nk.Ensemble(x, net, Y),
        lambda x, net: nk.Posterior(x, net, Y),
        lambda x, net: nk.Posterior.maximize(x, net, Y),
        nk.ntk_by_depth,
        nk.nngp_by_depth,
        nk.ntk_by_frozen,
        lambda x, net: nk.finite.init(x, net, 0),
        lambda x, net: nk.finite.monte_carlo_kernels(x, net, n_samples=2, seed=0),
        lambda x, net: nk.finite.width_study(x, net, widths=(2, 3)),
        lambda x, net: nk.finite.drift_study(x, net, Y, X, **STUDY),
    ],
)
@pytest.mark.parametrize("x", [X, X.tolist(), 3], ids=["array", "list", "number"])
def test_network_and_points(call: Callable[..., Any], x: Any) -> None:
    given = r"an array of shape \(5, 3\)" if isinstance(x, np.ndarray) else r"(\[\[|3)"
    message = rf"^network is {given}.* The network is the first argument: \(network, x, \.\.\.\)$"
    with pytest.raises(TypeError, match=message):
        call(x, NET)


@pytest.mark.parametrize(
    "call", [NET.ntk, NET.kernels, FINITE.forward, nk.classic.squared_exponential_kernel]
)
def test_networks_are_no_points(call: Callable[..., Any]) -> None:
    with pytest.raises(TypeError, match=r"^x is a network, Serial\(.* \(network, x, \.\.\.\)$"):
        call(NET)


@pytest.mark.parametrize("call", [nk.KernelRegression, nk.GradientFlow, nk.Posterior.from_kernels])
def test_methods_are_no_kernels(call: Callable[..., Any]) -> None:
    with pytest.raises(TypeError, match=r"is a method, which was not called; pass its .*\(x\)$"):
        call(NET.ntk, Y)


def test_value_and_path(tmp_path: Path) -> None:
    spectrum = nk.eigh(THETA)
    for path in (str(tmp_path / "a.npz"), tmp_path / "a.npz"):
        with pytest.raises(
            TypeError, match=r"^path is of type Spectrum; .*a\.npz'; the order is s"
        ):
            nk.save(spectrum, path)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"^path is of type int; expected the name of a file$"):
        nk.save(3, spectrum)  # type: ignore[arg-type]
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("model", "words"),
    [
        (make_pipeline(StandardScaler(), nk.sklearn.NTKRegressor()), r"type Pipeline.*e\[-1"),
        (GridSearchCV(nk.sklearn.NTKRegressor(), {"depth": [1]}, cv=2), r"type Grid.*best_"),
        (StandardScaler(), r"type StandardScaler.*estimator of ntkfast\.sklearn$"),
    ],
)  # fmt: skip
def test_models_of_other_packages(model: Any, words: str, tmp_path: Path) -> None:
    path = tmp_path / "model.npz"
    with pytest.raises(TypeError, match=rf"^value is of {words}") as caught:
        nk.save(path, model.fit(X, Y))
    assert "joblib.dump" in str(caught.value)
    assert not path.exists()


def test_the_step_of_a_pipeline_is_saved(tmp_path: Path) -> None:
    pipeline = make_pipeline(StandardScaler(), nk.sklearn.NTKRegressor()).fit(X, Y)
    nk.save(tmp_path / "step.npz", pipeline[-1])
    again = nk.load(tmp_path / "step.npz").predict(pipeline[:-1].transform(X))
    np.testing.assert_array_equal(again, pipeline.predict(X))


@pytest.mark.parametrize(
    ("kernel", "name"),
    [(NET.ntk, "NTKKernel"), (NET.nngp, "NNGPKernel"), (NET.kernels, "NTKKernel")],
)
@pytest.mark.parametrize(
    "estimator", [lambda kernel: Nystroem(kernel, n_components=3), lambda k: KernelRidge(kernel=k)]
)
def test_methods_as_kernels_of_pairs(estimator: Any, kernel: Any, name: str) -> None:
    words = rf"one sample each, as scikit-learn.* kernel=nk\.sklearn\.{name}\(network=net\)"
    with pytest.raises(ValueError, match=words):
        estimator(kernel).fit(X, Y)
    ours = getattr(nk.sklearn, name)(network=NET)
    assert estimator(ours).fit(X, Y) is not None


def test_methods_as_kernels_of_two_sets() -> None:
    kernels = NET.ntk, nk.sklearn.NTKKernel(network=NET)
    one, other = (SVC(kernel=kernel).fit(X, Y > 0).decision_function(X) for kernel in kernels)
    np.testing.assert_array_equal(one, other)


def test_finite_networks_name_the_layer_before_the_shape_of_points() -> None:
    net, images = nk.cntk(1), np.ones((2, 8, 8, 1))
    nested = nk.Serial(nk.Residual(nk.Serial(nk.Relu(), nk.Conv((3, 3)))), nk.Flatten(), nk.Dense())
    nested = nk.Serial(nk.Dense(), *nested.layers)
    for x in (images, images.reshape(2, -1)):
        for call in (
            lambda net, x: nk.finite.monte_carlo_kernels(net, x, n_samples=2, seed=0),
            lambda net, x: nk.finite.width_study(net, x, widths=(2, 3)),
            lambda net, x: nk.finite.drift_study(net, x, Y[:2], x, **STUDY),
            lambda net, x: nk.finite.init(net, x.shape[-1], 0),
        ):
            with pytest.raises(TypeError, match=r"^layer 1 \(Conv\) is .* images or sequences"):
                call(net, x)
            place = r"layer 2 \(Conv\) of layer 1 \(Serial\) of layer 2 \(Residual\)"
            with pytest.raises(TypeError, match=rf"^{place} is .* images or sequences"):
                call(nested, x)
