"""Bounds and rates: they hold on random problems, and are attained as the theorems state."""

import math
import pickle

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import ntkfast as nk
from linear_model import problem
from ntkfast import theory

EPS = np.finfo(float).eps

sizes = st.tuples(st.integers(1, 8), st.integers(1, 3), st.integers(1, 10), st.integers(0, 10_000))
times = st.lists(st.floats(0, 1e4) | st.just(np.inf), min_size=1, max_size=5)


def random_problem(size):
    n, c, p, seed = size
    j, _, y, w0 = problem(n=n, c=c, p=p, seed=seed)
    return j @ j.T, y, j @ w0


# In continuous time.


@given(sizes, times, st.floats(0.01, 10))
def test_losses_stay_below_their_bounds(size, t, rate):
    theta, y, f0 = random_problem(size)
    spectrum = nk.eigh(theta)
    loss = nk.GradientFlow(spectrum, y, learning_rate=rate).loss(f0, t=t)
    loss0 = 0.5 * np.sum((y - f0) ** 2)
    rounding = 1e-12 * loss0
    uniform = theory.loss_bound(spectrum, loss0, t=t, learning_rate=rate)
    settings = {"f0": f0, "learning_rate": rate}
    aware = theory.label_loss_bound(spectrum, y, t=t, **settings)
    assert (loss <= aware + rounding).all()
    assert (aware <= uniform + rounding).all()  # the best k is no worse than k = n
    for top in range(spectrum.n + 1):
        one = theory.label_loss_bound(spectrum, y, t=t, top=top, **settings)
        assert (loss <= one + rounding).all()
        assert (aware <= one).all()
    np.testing.assert_allclose(theory.label_loss(spectrum, y, t=t, **settings), loss, rtol=1e-14)


def test_bounds_are_attained():
    u, _ = np.linalg.qr(np.random.default_rng(0).normal(size=(4, 4)))
    t = np.array([[0.0, 0.3], [2.0, np.inf]])
    spectrum = nk.Spectrum([0.5, 1.0, 2.0, 3.0], u)
    slowest = 2.5 * u[:, 0]  # all labels along v_min
    literal = 0.5 * 2.5**2 * np.exp(-2 * 0.7 * 0.5 * t)
    for found in (
        theory.loss_bound(spectrum, 0.5 * 2.5**2, t=t, learning_rate=0.7),
        theory.label_loss(spectrum, slowest, t=t, learning_rate=0.7),
        theory.label_loss_bound(spectrum, slowest, t=t, top=4, learning_rate=0.7),
    ):
        np.testing.assert_allclose(found, literal, rtol=1e-14, atol=1e-31)
    # Two top eigenvalues that are equal, the others 0.
    flat, y = nk.Spectrum([0.0, 0.0, 3.0, 3.0], u), np.arange(4.0)
    np.testing.assert_allclose(
        theory.label_loss_bound(flat, y, t=t, top=2), theory.label_loss(flat, y, t=t), rtol=1e-13
    )


@pytest.mark.filterwarnings("ignore:t = .* is so long that rounding")  # these eigenvalues are exact
def test_the_loss_from_labels_against_50_digits():
    rng = np.random.default_rng(1)
    values = np.geomspace(1e-16, 1.0, 7)
    u, _ = np.linalg.qr(rng.normal(size=(7, 7)))
    y, t = rng.normal(size=7), np.array([0.1, 10.0, 1e5, 1e12])
    with mpmath.workdps(60):
        modes = mpmath.matrix(u).T * mpmath.matrix(y)
        expected = [
            sum(
                mpmath.exp(-2 * mpmath.mpf(v) * mpmath.mpf(at)) * m**2 / 2
                for v, m in zip(values, modes, strict=True)
            )
            for at in t
        ]
        projections = [m**2 for m in modes]
    spectrum = nk.Spectrum(values, u)
    np.testing.assert_allclose(
        theory.label_loss(spectrum, y, t=t), np.array(expected, dtype=float), rtol=1e-12
    )
    np.testing.assert_allclose(
        theory.label_projections(spectrum, y), np.array(projections, dtype=float), rtol=1e-12
    )


@given(sizes)
def test_projections_add_up(size):
    theta, y, f0 = random_problem(size)
    parts = theory.label_projections(theta, y, f0)
    assert parts.shape == y.shape
    np.testing.assert_allclose(parts.sum(axis=0), np.sum((y - f0) ** 2, axis=0), rtol=1e-12)


# In steps.


@given(sizes, st.lists(st.integers(0, 300), min_size=1, max_size=4), st.floats(0.01, 0.99))
def test_the_residual_of_descent(size, k, share):
    theta, y, f0 = random_problem(size)
    rate = share * theory.max_learning_rate(theta)
    step, left, norms = np.eye(len(y)) - rate * theta, y - f0, []
    for _ in range(max(k) + 1):
        norms.append(np.linalg.norm(left))
        left = step @ left
    found = theory.discrete_residual_norm(theta, y, t=k, learning_rate=rate, f0=f0)
    np.testing.assert_allclose(found, np.array(norms)[k], rtol=1e-10, atol=1e-12 * norms[0])


@given(sizes, st.integers(0, 200), st.floats(0.01, 1))
def test_dus_rate_bounds_descent_of_the_limit(size, k, share):
    theta, y, f0 = random_problem(size)
    spectrum = nk.eigh(theta)
    rate = share / spectrum.eigenvalues[-1]
    smallest = max(spectrum.eigenvalues[0], 0.0)
    start, left = (
        theory.discrete_residual_norm(spectrum, y, t=[0, k], learning_rate=rate, f0=f0) ** 2
    )
    assert left <= theory.du_rate(smallest, t=k, learning_rate=rate) * start * (1 + 1e-12)


@pytest.mark.parametrize("momentum", [0.0, 0.5, 0.95])
@pytest.mark.parametrize("diag_reg", [0.0, 0.4])
def test_the_largest_stable_rate_is_the_edge(momentum, diag_reg):
    """By a literal loop on the fastest mode: it settles just below and runs away just above."""
    theta = np.array([[3.0, 1.0], [1.0, 2.0]])
    limit = theory.max_learning_rate(theta, momentum=momentum, diag_reg=diag_reg)
    fastest = np.linalg.eigvalsh(theta)[-1] + diag_reg
    for share, settles in ((0.98, True), (1.02, False)):
        left, before = 1.0, 1.0
        for _ in range(3000):
            left, before = (
                left + momentum * (left - before) - share * limit * fastest * left,
                left,
            )
            if abs(left) > 1e6:
                break
        assert (abs(left) < 1e-3) == settles
    assert theory.max_learning_rate(np.zeros((2, 2))) == math.inf


def test_condition_numbers():
    assert theory.condition_number(np.diag([0.5, 4.0, 1.0])) == pytest.approx(8.0, rel=1e-14)
    assert theory.condition_number(nk.Spectrum([0.0, 1.0], np.eye(2))) == math.inf


# The theorems on width.


def test_rates_and_widths_by_hand():
    np.testing.assert_allclose(
        theory.du_rate(0.5, t=[0, 1, 2], learning_rate=0.4), [1, 0.9, 0.81], rtol=1e-15
    )
    assert theory.du_rate(1e-15, t=1e15, learning_rate=1.0) == pytest.approx(
        math.exp(-0.5), rel=1e-14
    )
    np.testing.assert_array_equal(theory.du_rate(0.5, t=[0, np.inf], learning_rate=0.4), [1, 0])
    np.testing.assert_array_equal(
        theory.du_rate(0.0, t=[0, 3, np.inf], learning_rate=0.4), [1, 1, 1]
    )
    np.testing.assert_array_equal(theory.du_rate(2.0, t=[0, 3], learning_rate=1.0), [1, 0])
    assert theory.du_learning_rate(10, 0.5) == 0.005
    assert theory.du_width(10, 0.5, 0.1) == pytest.approx(1e6 * 16 * 1e3, rel=1e-13)
    assert theory.arora_width(10, 0.5, 0.1, 0.2, 0.01) == pytest.approx(
        1e7 * 16 * 1e4 * 1e4 * 25, rel=1e-13
    )
    kappa = 0.2 * 0.1 / math.sqrt(10)
    assert theory.arora_width(10, 0.5, 0.1, 0.2) == pytest.approx(
        theory.arora_width(10, 0.5, 0.1, 0.2, kappa), rel=1e-13
    )
    for width in (theory.du_width(5, 0.0, 0.1), theory.arora_width(5, 1e-200, 0.1, 0.1)):
        assert width == math.inf


# Generalisation.


@given(sizes)
def test_the_measure_is_the_norm_of_the_fit(size):
    """√(2/n)·‖w‖ of the least weights with J·w = y, by the pseudo-inverse of J itself."""
    n, c, p, seed = size
    j, _, y, w0 = problem(n=n, c=c, p=p + n, seed=seed)
    f0 = j @ w0
    norms = np.linalg.norm(np.linalg.pinv(j) @ (y - f0), axis=0)
    spectrum = nk.eigh(j @ j.T)
    np.testing.assert_allclose(
        theory.generalization_measure(spectrum, y, f0),
        np.sqrt(2 / n) * norms,
        rtol=1e-12 + 20 * n * EPS * spectrum.condition_number,
    )


def test_the_measure_of_a_singular_kernel():
    theta = np.ones((2, 2))
    assert theory.generalization_measure(theta, [1.0, -1.0]) == math.inf
    assert theory.generalization_measure(theta, [3.0, 3.0]) == pytest.approx(3.0, rel=1e-14)
    both = theory.generalization_measure(theta, [[1.0, 3.0], [-1.0, 3.0]])
    np.testing.assert_allclose(both, [np.inf, 3.0], rtol=1e-14)
    assert theory.generalization_measure([[2.0]], [3.0]) == pytest.approx(3.0, rel=1e-14)
    for scale in (1e-150, 1e150):
        measure = theory.generalization_measure(scale * np.diag([2.0, 1.0]), [2.0, 1.0])
        assert measure == pytest.approx(math.sqrt(3.0 / scale), rel=1e-13)


@pytest.mark.parametrize("scale", [1e-150, 1e150])
def test_any_scale_of_the_kernel(scale):
    theta, y, f0 = random_problem((6, 2, 9, 3))
    t, k = np.array([0.0, 0.5, 7.0, np.inf]), np.array([0, 3, 50])
    settings = {"f0": f0, "learning_rate": 0.5 / scale}
    plain = {"f0": f0, "learning_rate": 0.5}
    for found, expected in (
        (theory.condition_number(scale * theta), theory.condition_number(theta)),
        (theory.label_projections(scale * theta, y), theory.label_projections(theta, y)),
        (
            theory.label_loss(scale * theta, y, t=t, **settings),
            theory.label_loss(theta, y, t=t, **plain),
        ),
        (
            theory.loss_bound(scale * theta, 3.0, t=t, learning_rate=0.5 / scale),
            theory.loss_bound(theta, 3.0, t=t, learning_rate=0.5),
        ),
        (
            theory.discrete_residual_norm(scale * theta, y, t=k, **settings),
            theory.discrete_residual_norm(theta, y, t=k, **plain),
        ),
        (scale * theory.max_learning_rate(scale * theta), theory.max_learning_rate(theta)),
    ):
        np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-13)


@pytest.mark.parametrize(
    ("ask", "error", "words"),
    [
        (lambda: theory.loss_bound(np.eye(2), 1.0, t=-1), ValueError, "t is -1.0"),
        (lambda: theory.loss_bound(np.eye(2), -1.0, t=1), ValueError, "loss0 is -1.0"),
        (lambda: theory.condition_number(np.diag([1.0, -1.0])), ValueError, "semi-definite"),
        (lambda: theory.condition_number(np.ones(3)), ValueError, r"theta has shape \(3,\)"),
        (lambda: theory.max_learning_rate(np.eye(2), momentum=1), ValueError, "momentum is 1.0"),
        (lambda: theory.label_projections(np.eye(2), [1]), ValueError, r"y has shape \(1,\)"),
        (lambda: theory.label_projections(np.eye(2), np.ones((2, 0))), ValueError, "no output"),
        (lambda: theory.label_loss_bound(np.eye(2), [1, 1], t=1, top=3), ValueError, "top is 3"),
        (lambda: theory.label_loss_bound(np.eye(2), [1, 1], t=1, top=0.5), TypeError, "top is 0.5"),
        (lambda: theory.du_rate(3.0, t=1, learning_rate=1.0), ValueError, "expected at most 2"),
        (lambda: theory.du_width(5, 0.1, 1.0), ValueError, "delta is 1.0; expected a probability"),
        (lambda: theory.du_width(0, 0.1, 0.1), ValueError, "n is 0"),
        (lambda: theory.arora_width(5, 0.1, 0.1, 0.0), ValueError, "epsilon is 0.0"),
        (lambda: theory.arora_width(5, 0.1, 0.1, 0.1, 0), ValueError, "kappa is 0.0"),
        (
            lambda: theory.discrete_residual_norm(np.eye(2), [1, 1], t=1, learning_rate=3.0),
            ValueError,
            "learning_rate < 2 ",
        ),
    ],
)
def test_bad_arguments_are_refused_by_name(ask, error, words):
    with pytest.raises(error, match=words):
        ask()


def test_mean_fields_pickle():
    field = theory.mean_field(nk.Erf(), w_std=1.5, b_std=0.3)
    assert repr(pickle.loads(pickle.dumps(field))) == repr(field)
