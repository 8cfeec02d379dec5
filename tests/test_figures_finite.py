"""The numbers of the figures of finite networks, against independent results."""

import math

import numpy as np
import pytest
from scipy import linalg, stats

import ntkfast as nk
from ntkfast.plots.figures import (
    gaussian_at_initialization,
    kernel_convergence,
    lazy_training,
    linear_parameters,
    parameter_motion,
    three_models,
    training_dynamics,
)

# The kernel of the worked example, as it is printed.
THETA = [
    [2.04, 2.04888213, 2.07923821],
    [2.04888213, 2.16, 2.26003372],
    [2.07923821, 2.26003372, 2.64],
]


@pytest.fixture(scope="module")
def dynamics() -> training_dynamics.TrainingDynamics:
    return training_dynamics.compute(times=(0, 1.5, math.inf), extent=(-0.5, 1.5), n=41)


def test_dynamics_has_the_kernel_of_the_worked_example(
    dynamics: training_dynamics.TrainingDynamics,
) -> None:
    assert dynamics.network.n_parameters == 45_001
    theta = dynamics.network.ntk(dynamics.x[:, None])
    np.testing.assert_allclose(theta, THETA, rtol=0.02)
    # Θ is the sum over units, by hand: ∂f/∂v, ∂f/∂w, ∂f/∂b and the output's bias.
    parts = dynamics.network.groups.values()
    w, b, v, _ = (dynamics.network.parameters[part] for part in parts)
    before = np.outer(dynamics.x, w) + b
    active = before > 0
    hidden = (before * active) @ (before * active).T
    slopes = (np.outer(dynamics.x, dynamics.x) + 1) * ((active * v) @ (active * v).T)
    np.testing.assert_allclose(theta, (hidden + slopes) / w.size + 1, rtol=1e-12)


def test_dynamics_solve_the_differential_equation(
    dynamics: training_dynamics.TrainingDynamics,
) -> None:
    theta = dynamics.network.ntk(dynamics.x[:, None])
    left = dynamics.y - dynamics.f0
    expected = np.array([linalg.expm(-theta * t) @ left for t in dynamics.t[::10]])
    np.testing.assert_allclose(dynamics.residual[::10], expected, atol=1e-13)
    np.testing.assert_allclose(dynamics.train[::10], dynamics.y - expected, atol=1e-13)
    np.testing.assert_allclose(
        dynamics.loss, 0.5 * np.square(dynamics.residual).sum(axis=1), rtol=1e-9
    )


def test_dynamics_go_from_the_network_to_the_targets(
    dynamics: training_dynamics.TrainingDynamics,
) -> None:
    assert (np.diff(dynamics.loss) < 0).all()
    assert (dynamics.loss <= dynamics.bound * (1 + 1e-12)).all()
    start, _, end = dynamics.functions
    assert np.array_equal(start, dynamics.network.forward(dynamics.grid[:, None]))
    # 0.2, 0.4 and 0.8 are points of the grid from −0.5 to 1.5 in steps of 0.05.
    np.testing.assert_allclose(end[[14, 18, 26]], dynamics.y, atol=1e-11)
    np.testing.assert_allclose(start[[14, 18, 26]], dynamics.f0, atol=1e-12)


def test_parameters_hardly_move_and_the_less_the_wider() -> None:
    narrow, wide = parameter_motion.compute(150), parameter_motion.compute(15_000)
    assert wide.n_parameters == 45_001
    assert wide.loss[-1] < 1e-4 * wide.loss[0]
    groups = [f"layer {layer} (Dense) {kind}" for layer in (1, 3) for kind in ("weights", "biases")]
    assert list(wide.distance) == list(wide.samples) == groups
    for name in groups:
        sample = wide.samples[name]
        assert sample.shape == (61, 12 if name != groups[-1] else 1)
        change = np.abs(sample - sample[0]).max(axis=0)
        assert change[-1] == change.max()
        assert wide.distance[name][0] == 0
    for name in groups[:-1]:
        # A hundred times the width, a tenth of the way; single networks differ by less than 3.
        assert 0.03 < wide.distance[name].max() / narrow.distance[name].max() < 0.3
        assert wide.distance[name].max() < 0.02


def test_the_sentences_about_parameters_are_true() -> None:
    wide = parameter_motion.compute()
    assert 10**5.5 < wide.loss[0] / wide.loss[-1] < 10**6  # "nearly six orders of magnitude"
    *hidden, output, bias = wide.distance
    for name in hidden:  # "about a hundredth of their norm"
        assert wide.distance[name].max() == pytest.approx(0.01, abs=0.002)
    assert wide.distance[output].max() < 0.008  # "by less"
    moved = np.abs(wide.samples[bias][:, 0] - wide.samples[bias][0, 0])
    assert round(moved.max(), 2) == 0.19
    assert moved[-1] < 0.03


def test_the_last_parameter_of_each_group_moves_furthest() -> None:
    # Not only at the end: the output's bias and some weights return.
    motion = parameter_motion.compute(200)
    x, y = nk.data.three_points()
    network = nk.finite.init(parameter_motion.NETWORK, 1, np.random.default_rng(0), width=200)
    flow = nk.GradientFlow(network.ntk(x[:, :1]), y)
    paths = flow.parameters(
        network.jacobian(x[:, :1]), network.parameters, network.forward(x[:, :1]), t=motion.t
    )
    for name, place in network.groups.items():
        furthest = np.abs(paths[:, place] - network.parameters[place]).max()
        shown = motion.samples[name][:, -1]
        assert np.abs(shown - shown[0]).max() == pytest.approx(furthest, rel=1e-9)


def test_parameters_move_as_the_loss_falls() -> None:
    motion = parameter_motion.compute(50, n_samples=10**6)
    # With all of them at hand, the energy ½‖f_t − y‖² is what the way of the parameters costs:
    # dL/dt = −‖dp/dt‖², so that the square of the way is at most t·L_0.
    way = np.sqrt(sum(np.square(s - s[0]).sum(axis=1) for s in motion.samples.values()))
    assert (way[1:] <= np.sqrt(motion.t[1:] * (motion.loss[0] - motion.loss[1:]))).all()
    assert sum(s.shape[1] for s in motion.samples.values()) == motion.n_parameters == 151


def test_linear_parameters_fit_better_in_wider_networks() -> None:
    result = linear_parameters.compute((30, 300, 3000), n_seeds=6, extent=(-0.5, 1.5), n=21)
    assert result.start.shape == result.linear.shape == result.full.shape == (3, 21)
    gap = np.sqrt(np.square(result.full - result.linear).mean(axis=1))
    np.testing.assert_allclose(gap, result.gap.values[:, 0], rtol=1e-12)
    # The second order of the parameters' way, which is of the order of one over the root of the
    # width: not exact at any width.
    assert abs(result.gap.slope + 0.5) < 4 * result.gap.slope_error < 0.4
    assert (result.gap.values > 1e-4).all()
    # Nearly trained: the linear model is at the targets, points of the grid from −0.5 to 1.5.
    np.testing.assert_allclose(result.linear[2][[7, 9, 13]], result.y, atol=0.02)


@pytest.fixture(scope="module")
def models() -> three_models.ThreeModels:
    return three_models.compute((1, 20, 300), widths=(30, 1000), extent=(-0.5, 1.5), n=21)


AT_THE_TRAINING_POINTS = [7, 9, 13]  # of a grid from −0.5 to 1.5 in steps of 0.1


def test_infinite_width_is_gradient_descent_on_the_kernel(models: three_models.ThreeModels) -> None:
    f, theta = np.zeros(3), np.array(THETA)
    assert models.learning_rate == pytest.approx(2 / 3 / 6.55660386, rel=1e-8)
    for step in range(1, 301):
        f = f + models.learning_rate * theta @ (models.y - f)
        if step in models.steps:
            found = models.infinite[models.steps.index(step)]
            np.testing.assert_allclose(found[AT_THE_TRAINING_POINTS], f, atol=1e-6)


def test_finite_and_linearised_networks_take_the_same_steps(
    models: three_models.ThreeModels,
) -> None:
    x = models.x[:, None]
    network = nk.finite.init(three_models.NETWORK, 1, 0, width=30, zero_output=True)
    jacobian, on_grid = network.jacobian(x), network.jacobian(models.grid[:, None])
    full, linear = network.parameters.copy(), np.zeros(network.n_parameters)
    for step in range(1, 301):
        now = network.with_parameters(full)
        full = full + models.learning_rate * now.jacobian(x).T @ (models.y - now.forward(x))
        linear += models.learning_rate * jacobian.T @ (models.y - jacobian @ linear)
        if step in models.steps:
            k = models.steps.index(step)
            found = network.with_parameters(full).forward(models.grid[:, None])
            np.testing.assert_allclose(models.full[0, k], found, atol=1e-9)
            np.testing.assert_allclose(models.linear[0, k], on_grid @ linear, atol=1e-9)


def test_the_three_models_meet_at_large_width(models: three_models.ThreeModels) -> None:
    assert models.gap_to_linear.shape == models.gap_to_infinite.shape == (2, 3)
    # The width grows 33 times, its root by nearly 6.
    assert (models.gap_to_linear[1] < models.gap_to_linear[0] / 2).all()
    assert (models.gap_to_infinite[1] < models.gap_to_infinite[0] / 2).all()
    last = models.gap_to_linear[:, -1]
    assert last[0] == pytest.approx(np.std(models.full[0, -1] - models.linear[0, -1]), rel=0.2)


@pytest.fixture(scope="module")
def lazy() -> lazy_training.LazyTraining:
    return lazy_training.compute((10, 100, 1000), n=5, steps=150)


def test_lazy_training_begins_alike(lazy: lazy_training.LazyTraining) -> None:
    assert np.array_equal(lazy.y, np.sin(np.pi * np.linspace(-1, 1, 5)))
    for trained in lazy.training:
        assert trained.completed
        assert trained.times[[0, 1, -1]].tolist() == [0, 1, 150]
        assert trained.loss[0] == pytest.approx(0.5 * np.square(lazy.y).sum(), rel=1e-12)
        assert trained.loss[-1] < 0.5 * trained.loss[0]
    np.testing.assert_allclose(lazy.training[-1].kernel_start, lazy.limit, rtol=0.2)


def test_lazy_training_is_that_of_a_linear_model(lazy: lazy_training.LazyTraining) -> None:
    # By eigenvectors of the kernel at the start: what is left after k steps, and the way of the
    # parameters, ‖Jᵀ·A·y‖² = Σ ((1 − (1 − ηλ)ᵏ)·vᵀy)²/λ.
    trained = lazy.training[-1]
    values, vectors = np.linalg.eigh(trained.kernel_start)
    parts = vectors.T @ lazy.y
    decay = 1 - values / np.linalg.eigvalsh(lazy.limit)[-1]
    left = decay ** trained.times[:, None]
    loss = 0.5 * np.sum((left * parts) ** 2, axis=1)
    way = np.sqrt(np.sum(((1 - left) * parts) ** 2 / values, axis=1))
    early = trained.times <= 10
    np.testing.assert_allclose(trained.loss[early], loss[early], rtol=0.01)
    np.testing.assert_allclose(trained.distance[early], way[early], rtol=0.01, atol=1e-12)
    # Units that switch add up.
    np.testing.assert_allclose(trained.distance, way, rtol=0.1, atol=1e-12)


def test_wider_networks_are_lazier(lazy: lazy_training.LazyTraining) -> None:
    for quantity, factor in (("relative_distance", 10), ("kernel_drift", 10)):
        first, _, last = (getattr(trained, quantity)[-1] for trained in lazy.training)
        # A hundred times the width: the tenth part, or less where changes cancel.
        assert last < 2 * first / factor
    drift = [trained.kernel_drift[-1] for trained in lazy.training]
    assert drift == sorted(drift, reverse=True)
    for trained in lazy.training:
        change = np.linalg.norm(trained.kernel_end - trained.kernel_start)
        relative = change / np.linalg.norm(trained.kernel_start)
        assert trained.kernel_drift[-1] == pytest.approx(relative, rel=1e-12)


def test_kernels_converge_like_one_over_the_root_of_the_width() -> None:
    result = kernel_convergence.compute((1, 3), widths=(16, 64, 256), n_seeds=8, n=4)
    assert result.depths == (1, 3)
    for study in result.studies:
        for errors in (study.ntk, study.nngp):
            assert errors.widths.tolist() == [16, 64, 256]
            assert errors.values.shape == (3, 8)
            assert abs(errors.slope + 0.5) < 4 * errors.slope_error < 0.5
    shallow, deep = (study.ntk.typical for study in result.studies)
    assert (deep > shallow).all()


@pytest.fixture(scope="module")
def draws() -> gaussian_at_initialization.GaussianAtInitialization:
    return gaussian_at_initialization.compute((2, 80), n_draws=800, n=5)


def test_wide_networks_are_gaussian(
    draws: gaussian_at_initialization.GaussianAtInitialization,
) -> None:
    narrow, wide = draws.outputs / draws.limit.std[-1]
    assert stats.kstest(narrow, "norm").pvalue < 1e-6
    # At width 80 the distribution still has somewhat heavier tails, below what 800 draws show.
    assert stats.kstest(wide, "norm").pvalue > 1e-3
    np.testing.assert_allclose(draws.kurtosis, stats.kurtosis([narrow, wide], axis=1), rtol=0.05)
    assert draws.kurtosis[0] > 10 > 2 > draws.kurtosis[1]


def test_networks_of_any_width_have_the_variance_of_the_limit(
    draws: gaussian_at_initialization.GaussianAtInitialization,
) -> None:
    # ReLU layers with w_std = √2 keep ½·2·k: three add their biases to 2·2² + 0.09, and the last.
    assert draws.limit.variance[-1] == pytest.approx(2 * 4 + 4 * 0.09, rel=1e-14)
    squares = np.square(draws.outputs[1])
    error = squares.std() / math.sqrt(squares.size)
    assert squares.mean() == pytest.approx(8.36, abs=4 * error)
    assert draws.paths.shape == (2, 12, 5)
    np.testing.assert_allclose(draws.paths[:, :, -1], draws.outputs[:, :12], rtol=1e-12)
