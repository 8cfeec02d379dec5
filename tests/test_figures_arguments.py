"""Figures of other networks, activations, data and times than those of the guide."""

import math

import numpy as np
import pytest
from scipy import stats

import ntkfast as nk
from ntkfast.plots.figures import (
    convolutional,
    gaussian_at_initialization,
    gaussian_process,
    kernel_convergence,
    kernel_map,
    labels,
    lazy_training,
    linear_parameters,
    parameter_motion,
    three_models,
    trainability,
    training_dynamics,
)
from ntkfast.plots.figures._problem import decay_times

X, Y = np.array([-1.0, 0.0, 2.0]), np.array([1.0, -1.0, 0.5])
ERF = nk.Serial(nk.Dense(b_std=1), nk.Erf(), nk.Dense(b_std=1))
DEEP = nk.mlp(2, nk.Erf(), b_std=0.3)
GRID = np.linspace(-2, 3, 5)
LINE = {"data": (X, Y), "extent": (-2, 3), "n": 5}


@pytest.mark.parametrize(
    ("given", "network"), [({"activation": nk.Erf()}, ERF), ({"network": DEEP}, DEEP)]
)
def test_training_dynamics(given: dict[str, nk.Network], network: nk.Network) -> None:
    result = training_dynamics.compute(20, **given, **LINE, times=(0, 3.0), seed=4)
    finite = nk.finite.init(network, 1, 4, width=20)
    flow = nk.GradientFlow(finite.ntk(X[:, None]), Y)
    assert np.array_equal(result.x, X)
    assert np.array_equal(result.grid, GRID)
    start, late = result.functions
    np.testing.assert_allclose(start, finite.forward(GRID[:, None]), rtol=1e-13)
    expected = flow.predict(
        finite.ntk(GRID[:, None], X[:, None]),
        finite.forward(X[:, None]),
        finite.forward(GRID[:, None]),
        t=3.0,
    )
    np.testing.assert_allclose(late, expected, rtol=1e-12)
    assert training_dynamics.draw(result).axes[0].get_xlabel() == "$x$"


def test_without_an_extent_the_grid_is_three_times_as_long_as_the_data() -> None:
    assert training_dynamics.compute(5, data=(X, Y), n=3).grid.tolist() == [-4, 0.5, 5]
    assert training_dynamics.compute(5, data=([1.0], [1.0]), n=3).grid.tolist() == [0, 1, 2]


def test_labels(rng: np.random.Generator) -> None:
    x, y = rng.standard_normal((12, 3)), np.sign(rng.standard_normal(12))
    t = np.array([0.5, 2.0])
    result = labels.compute(activation=nk.Erf(), data=(x, y), times=t, fraction=0.5)
    values, vectors = np.linalg.eigh(nk.mlp(1, nk.Erf(), w_std=2**0.5).ntk(x))
    expected = np.exp(-2 * np.outer(t, values)) @ (vectors.T @ y) ** 2 / (y @ y)
    np.testing.assert_allclose(result.loss_true, expected, rtol=1e-9)
    assert result.digits is None
    assert "12 points" in labels.draw(result).get_suptitle()
    assert np.array_equal(
        labels.compute(network=DEEP, data=(x, y)).spectrum.eigenvalues[-1:],
        nk.eigh(DEEP.ntk(x)).eigenvalues[-1:],
    )


def test_parameter_motion(rng: np.random.Generator) -> None:
    x, y = rng.standard_normal((4, 2)), rng.standard_normal(4)
    result = parameter_motion.compute(30, network=DEEP, data=(x, y), times=[1.0, 4.0], n_samples=5)
    assert result.t.tolist() == [0, 1, 4]
    # Three layers with weights and biases; the first weights are 2·30.
    assert result.n_parameters == 60 + 30 + 900 + 30 + 30 + 1
    assert len(result.samples) == 6
    titles = [ax.get_title() for ax in parameter_motion.draw(result).axes]
    assert titles[2].startswith("Layer 1 weights")
    erf = parameter_motion.compute(30, activation=nk.Erf(), times=[1.0])
    assert erf.loss[1] < erf.loss[0]


def test_linear_parameters() -> None:
    result = linear_parameters.compute((7, 9), activation=nk.Erf(), t=2.0, n_seeds=2, **LINE)
    finite = nk.finite.init(ERF, 1, 0, width=7)
    np.testing.assert_allclose(result.start[0], finite.forward(GRID[:, None]), rtol=1e-13)
    assert result.t == 2.0
    assert np.array_equal(result.grid, GRID)


def test_three_models() -> None:
    result = three_models.compute((2,), widths=(6,), network=DEEP, **LINE)
    x, grid = X[:, None], GRID[:, None]
    theta, rate = DEEP.ntk(x), result.learning_rate
    f = rate * theta @ Y
    step = rate * DEEP.ntk(grid, x)
    np.testing.assert_allclose(result.infinite[0], step @ Y + step @ (Y - f), rtol=1e-10)


def test_kernel_map() -> None:
    result = kernel_map.compute([(0.5, 1)], activation=nk.Erf(), extent=1, n=3)
    network = nk.Serial(nk.Dense(w_std=2**0.5), nk.Erf(), nk.Dense())
    assert result.values[0, 2, 0] == network.ntk([[0.5, 1.0]], [[-1.0, 1.0]])[0, 0]


def test_gaussian_process() -> None:
    result = gaussian_process.compute((0, math.inf), activation=nk.Erf(), **LINE)
    first, last = result.training
    prior = 2 * ERF.ntk(X[:, None], diagonal=True)
    np.testing.assert_allclose(first.variance, prior, rtol=1e-13)
    np.testing.assert_allclose(last.mean, Y, atol=1e-10)


def test_lazy_training(rng: np.random.Generator) -> None:
    x, y = rng.standard_normal((3, 2)), rng.standard_normal(3)
    result = lazy_training.compute((4, 8), activation=nk.Erf(), data=(x, y), steps=4)
    np.testing.assert_array_equal(result.limit, ERF.ntk(x))
    assert result.training[0].loss[0] == pytest.approx(0.5 * y @ y, rel=1e-12)


def test_gaussian_at_initialization() -> None:
    result = gaussian_at_initialization.compute((3,), network=DEEP, extent=(0, 1), n=2, n_draws=20)
    assert result.grid.tolist() == [0, 1]
    np.testing.assert_array_equal(
        result.limit.variance, DEEP.nngp(result.grid[:, None], diagonal=True)
    )


def test_kernel_convergence(rng: np.random.Generator) -> None:
    x = rng.standard_normal((3, 2))
    result = kernel_convergence.compute(
        (2,), activation=nk.Erf(), w_std=1.2, b_std=0.3, x=x, widths=(4, 8), n_seeds=2
    )
    network = nk.mlp(2, nk.Erf(), w_std=1.2, b_std=0.3)
    expected = nk.finite.width_study(network, x, widths=(4, 8), seeds=2)
    np.testing.assert_array_equal(result.studies[0].ntk.values, expected.ntk.values)


def test_trainability_of_tanh_is_one_call() -> None:
    result = trainability.compute((1.0, 1.8), activation=nk.Tanh(), depth=4, stride=3, n_train=9)
    # The edge of tanh at σ_b = 0.2, which test_edge_of_chaos finds by quadrature, too.
    assert result.edge == pytest.approx(1.3041, abs=5e-5)
    assert [field.phase for field in result.phases] == ["ordered", "critical", "chaotic"]
    np.testing.assert_allclose(result.measured, result.theory, rtol=1e-6)
    assert "Tanh()" in trainability.draw(result).get_suptitle()


def test_trainability_with_data_and_large_biases(rng: np.random.Generator) -> None:
    x, y = rng.standard_normal((30, 4)), np.sign(rng.standard_normal(30))
    result = trainability.compute(data=(x, y), depth=3, stride=2, n_train=20, b_std=1.0, steps=5)
    assert result.w_std[[0, -1]] == pytest.approx([0.6 * result.edge, 2.2 * result.edge])
    network = nk.mlp(3, nk.Erf(), w_std=float(result.w_std[4]), b_std=1.0)
    theta = network.ntk(x[:20])
    rate = 1 / np.linalg.eigvalsh(theta)[-1]
    residual = np.linalg.matrix_power(np.eye(20) - rate * theta, 5) @ y[:20]
    assert result.loss[1, 4] == pytest.approx(residual @ residual / 20, rel=1e-9)
    np.testing.assert_allclose(result.measured, result.theory, rtol=1e-6)


def test_convolutional(rng: np.random.Generator) -> None:
    images, classes = rng.random((40, 4, 4)), np.arange(40) % 2
    networks = {"one": nk.mlp(1, nk.Erf()), "two": nk.cntk(1, pooling=False)}
    result = convolutional.compute((10, 20), networks=networks, data=(images, classes), n_test=20)
    assert result.networks == ("one", "two")
    assert result.accuracy.shape == (2, 2, 2)
    legend = convolutional.draw(result).legends[0]
    assert [text.get_text() for text in legend.texts] == ["one", "two"]
    relu = convolutional.compute((10, 20), data=(images, classes), n_test=20)
    same = convolutional.compute((10, 20), activation=nk.Relu(), data=(images, classes), n_test=20)
    np.testing.assert_array_equal(relu.accuracy, same.accuracy)
    x = images[:3, :, :, None]
    theirs = nk.cntk(3).ntk(x)
    np.testing.assert_array_equal(convolutional.NETWORKS["convolutional, pooled"].ntk(x), theirs)


@pytest.mark.parametrize("errors", [0, 1, 3, 250])
def test_intervals_are_those_of_wilson(errors: int) -> None:
    accuracy = np.full((1, 2, 1), 1 - errors / 500)
    result = convolutional.ImageKernels(("one",), np.array([10]), 500, accuracy)
    expected = stats.binomtest(500 - errors, 500).proportion_ci(0.95, method="wilson")
    np.testing.assert_allclose(result.interval[:, 0, 0, 0], expected, atol=1e-5)


def test_times_span_the_training() -> None:
    t = decay_times(nk.Spectrum(np.array([0.0, 0.5, 20.0]), np.eye(3)), 3)
    np.testing.assert_allclose(t[[0, -1]], [0.05 / 20, 5 / 0.5])  # 0 never decays
    with pytest.raises(ValueError, match="the kernel of the data is 0"):
        decay_times(nk.Spectrum(np.zeros(2), np.eye(2)), 3)


@pytest.mark.parametrize(
    ("ask", "error", "words"),
    [
        (
            lambda: training_dynamics.compute(5, network=DEEP, activation=nk.Erf()),
            TypeError,
            "give only one of them",
        ),
        (lambda: training_dynamics.compute(5, data=X), TypeError, r"expected a pair \(x, y\)"),
        (
            lambda: training_dynamics.compute(5, data=(np.eye(3), Y)),
            ValueError,
            r"x has shape \(3, 3\); expected points on a line",
        ),
        (
            lambda: three_models.compute(data=(X, Y[:2])),
            ValueError,
            r"x has shape \(3, 1\) and y \(2,\); expected n >= 1 points",
        ),
        (lambda: lazy_training.compute(data=(X, [1, math.nan, 0])), ValueError, "data: y"),
        (lambda: labels.compute(data=([], [])), ValueError, "expected n >= 1 points"),
        (
            lambda: trainability.compute(activation=nk.Relu()),
            ValueError,
            "no edge of chaos at b_std = 0.2",
        ),
        (
            lambda: trainability.compute(data=(X, Y), n_train=3),
            ValueError,
            "n_train is 3; expected 1 to 2",
        ),
        (
            lambda: convolutional.compute(networks={"one": DEEP}, activation=nk.Erf()),
            TypeError,
            "networks and activation are both given",
        ),
        (
            lambda: convolutional.compute(
                (20,), data=(np.zeros((30, 2, 2)), np.zeros(30, int)), n_test=11
            ),
            ValueError,
            "together more than 30 images",
        ),
        (
            lambda: convolutional.compute(data=(np.zeros((30, 4)), np.zeros(30, int))),
            ValueError,
            r"expected \(n, height, width, channels\) and n integers",
        ),
    ],
)
def test_bad_arguments_are_named(ask: object, error: type[Exception], words: str) -> None:
    assert callable(ask)
    with pytest.raises(error, match=words):
        ask()
