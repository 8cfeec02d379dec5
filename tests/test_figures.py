"""The numbers of the figures, against independent results, and their drawing."""

import math

import numpy as np
import pytest
from scipy import optimize, stats

import ntkfast as nk
from ntkfast.plots.figures import gaussian_process, kernel_map, labels, trainability
from small_figures import RESULTS


@pytest.fixture(scope="module")
def aligned() -> labels.LabelAlignment:
    return labels.compute(n=120)


def test_labels_are_true_and_random(aligned: labels.LabelAlignment) -> None:
    assert np.array_equal(aligned.true, nk.data.two_digits(3, 8, n=120)[1])
    agree = np.count_nonzero(aligned.true == aligned.random)
    assert stats.binomtest(agree, 120).pvalue > 1e-3
    untouched = labels.compute(n=20, fraction=0.0)
    assert np.array_equal(untouched.loss_true, untouched.loss_random)


def test_labels_spectrum_has_the_trace_of_the_kernel(aligned: labels.LabelAlignment) -> None:
    # A Dense of w_std = √2 makes k = 2/64 of a row of norm one, ReLU halves it, the next doubles
    # it, and the NTK of the two layers is twice that.
    assert aligned.spectrum.eigenvalues.sum() == pytest.approx(120 * 2 * 2 / 64, rel=1e-12)


def test_labels_losses_are_sums_over_eigenvectors(aligned: labels.LabelAlignment) -> None:
    x = nk.data.unit_norm(nk.data.two_digits(3, 8, n=120)[0])
    values, vectors = np.linalg.eigh(labels.NETWORK.ntk(x))
    for y, loss, share in (
        (aligned.true, aligned.loss_true, aligned.share_true),
        (aligned.random, aligned.loss_random, aligned.share_random),
    ):
        parts = (vectors.T @ y) ** 2 / 120
        expected = np.exp(-2 * np.outer(aligned.t, values)) @ parts
        np.testing.assert_allclose(loss, expected, rtol=1e-9)
        np.testing.assert_allclose(share, np.cumsum(parts[::-1]), rtol=1e-9)


def test_true_labels_are_learnt_first(aligned: labels.LabelAlignment) -> None:
    assert (aligned.loss_true <= aligned.loss_random).all()
    assert aligned.share_true[-1] == pytest.approx(1, rel=1e-12)
    # Ten of 120 directions hold most of the labels, or a twelfth of random ones.
    assert aligned.share_true[9] > 0.75
    assert aligned.share_random[9] < 0.25
    true, random = aligned.time_to(0.1)
    assert random > 5 * true
    for y, t in ((aligned.true, true), (aligned.random, random)):
        left = nk.theory.label_loss(aligned.spectrum, y, t=t) / nk.theory.label_loss(
            aligned.spectrum, y, t=0
        )
        assert left == pytest.approx(0.1, rel=0.01)  # between the times that were computed


def test_kernel_map_is_the_formula() -> None:
    result = kernel_map.compute(n=41)
    assert np.array_equal(result.points, [[0, 1], [1, 1], [3, 1]])
    assert (result.axis[0], result.axis[-1]) == (-4, 4)
    first, second = np.meshgrid(result.axis, result.axis)
    for point, values in zip(result.points, result.values, strict=True):
        inner = point[0] * first + point[1] * second
        angle = np.abs(np.arctan2(point[0] * second - point[1] * first, inner))
        scale = math.hypot(*point) * np.hypot(first, second)
        # x·x'(π−θ)/2π of the first layer, and the second one's arc-cosine kernel.
        expected = inner * (np.pi - angle) + scale * (
            np.sin(angle) + (np.pi - angle) * np.cos(angle)
        )
        np.testing.assert_allclose(values, expected / (2 * np.pi), atol=1e-13)


def test_kernel_map_is_even_and_homogeneous() -> None:
    values = kernel_map.compute([(0, 1)], n=5).values[0]
    np.testing.assert_allclose(values, values[:, ::-1], atol=1e-15)
    assert values[2, 2] == 0  # at the origin
    np.testing.assert_allclose(values[4], [values[4, 0], *values[4, 1:]], rtol=0)
    np.testing.assert_allclose(values[4, ::2], 2 * values[3, 1:4], rtol=1e-14)


def test_gaussian_process_begins_with_the_prior() -> None:
    result = gaussian_process.compute(n=7)
    np.testing.assert_array_equal(result.normals[0].mean, 0)
    # Θ(x, x) = ‖(x, 1)‖² + 1.
    np.testing.assert_allclose(result.normals[0].variance, 2 * (result.grid**2 + 2), rtol=1e-14)


def test_gaussian_process_passes_the_printed_values() -> None:
    # The worked example after time 1.5, to the digits it is printed with.
    (normal,) = gaussian_process.compute((1.5,), n=2).training
    np.testing.assert_allclose(normal.mean, [-0.03078716, -0.00183128, 0.100015], atol=0.5e-8)


def test_gaussian_process_ends_at_the_targets() -> None:
    result = gaussian_process.compute(n=7)
    end = result.training[-1]
    np.testing.assert_allclose(end.mean, result.y, atol=1e-13)
    # Each network fits its own noise: what is left is the noise's.
    np.testing.assert_allclose(end.variance, 0.001, rtol=1e-8)

    x, grid = (p[:, None] for p in (result.x, result.grid))
    network = gaussian_process.NETWORK
    weights = np.linalg.solve(network.ntk(x), network.ntk(x, grid))
    reduction = np.sum(network.ntk(x, grid) * weights, axis=0)
    expected = 2 * (result.grid**2 + 2 - reduction) + 0.001 * np.square(weights).sum(axis=0)
    np.testing.assert_allclose(result.normals[-1].variance, expected, rtol=1e-9)
    np.testing.assert_allclose(result.normals[-1].mean, weights.T @ result.y, rtol=1e-9)


def test_gaussian_process_becomes_surer_at_the_training_points() -> None:
    result = gaussian_process.compute(n=7, noise_variance=0.0)
    std = np.array([normal.std for normal in result.training])
    assert (np.diff(std, axis=0) < 0).all()
    assert all((normal.std >= 0).all() for normal in result.normals)


@pytest.fixture(scope="module")
def phases() -> trainability.Trainability:
    return trainability.compute((0.9, 1.15, 2.4), depth=46, stride=15, n_train=40)


def test_trainability_knows_the_edge_of_chaos(phases: trainability.Trainability) -> None:
    def variance(w: float) -> float:
        def excess(q: float) -> float:
            return w**2 * 2 / math.pi * math.asin(2 * q / (1 + 2 * q)) + 0.2**2 - q

        return float(optimize.brentq(excess, 1e-9, 1e3, xtol=1e-15))

    def chi(w: float) -> float:
        return w**2 * 4 / math.pi / math.sqrt(1 + 4 * variance(w)) - 1

    assert phases.edge == pytest.approx(optimize.brentq(chi, 0.5, 2, xtol=1e-14), rel=1e-9)
    assert [field.phase for field in phases.phases] == ["ordered", "critical", "chaotic"]


def test_trainability_theory_is_that_of_the_kernels(phases: trainability.Trainability) -> None:
    np.testing.assert_allclose(phases.measured, phases.theory, rtol=1e-6)
    ordered, critical, chaotic = phases.theory
    assert ordered[-1] > 50 * critical[-1]
    assert critical[-1] == pytest.approx((phases.n + 2) / 2, rel=0.2)  # what it tends to
    assert chaotic[-1] == pytest.approx(1, abs=0.01)


def test_trainability_is_lost_in_order_and_generalisation_in_chaos(
    phases: trainability.Trainability,
) -> None:
    assert phases.depths.tolist() == [1, 16, 31, 46]
    assert phases.loss.shape == phases.error.shape == (4, 3)
    ordered, critical, chaotic = phases.loss[-1]
    assert ordered > 0.1
    assert chaotic < critical < 1e-3 * ordered
    ordered, critical, chaotic = phases.error[-1]
    assert critical < 0.15
    assert chaotic > 0.4


def test_every_figure_is_drawn() -> None:
    assert RESULTS.keys() == nk.plots.figures.FIGURES.keys()


@pytest.mark.parametrize("letter", RESULTS)
def test_figures_say_what_they_show(letter: str) -> None:
    figure = nk.plots.figures.FIGURES[letter].draw(RESULTS[letter]())
    figure.draw_without_rendering()  # where Matplotlib would complain
    assert figure.get_suptitle()
    shown = [ax for ax in figure.axes if ax.axison]
    assert all(ax.lines or ax.collections or ax.images or ax.patches for ax in shown)
    for ax in shown:
        outer = len(ax.get_shared_x_axes().get_siblings(ax)) == 1
        assert ax.get_xlabel() or ax.get_ylabel() or not outer
    assert figure.legends or any(ax.get_legend() for ax in shown)
