"""Small problems, and the preprocessing of their inputs and labels."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import ntkfast as nk


def test_three_points_are_those_of_the_worked_example() -> None:
    x, y = nk.data.three_points()
    assert np.array_equal(x, nk.data.append_one([[0.2], [0.4], [0.8]]))
    assert np.array_equal(y, [-0.05, -0.2, 0.3])


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_append_one_appends_a_one(rng: np.random.Generator, dtype: type) -> None:
    x = rng.standard_normal((4, 3)).astype(dtype)
    extended = nk.data.append_one(x)
    assert extended.dtype == dtype
    assert np.array_equal(extended[:, :3], x)
    assert np.array_equal(extended[:, 3], np.ones(4))


def test_the_appended_one_is_a_bias(rng: np.random.Generator) -> None:
    x = rng.standard_normal((5, 3))
    appended = nk.Serial(nk.Dense(w_std=2.0), nk.Relu(), nk.Dense())
    # √4 of four features is 2; of three features √3 gives weights of standard deviation 1.
    biased = nk.Serial(nk.Dense(w_std=math.sqrt(3), b_std=1.0), nk.Relu(), nk.Dense())
    np.testing.assert_allclose(appended.ntk(nk.data.append_one(x)), biased.ntk(x), rtol=1e-13)


@pytest.mark.parametrize(
    ("problem", "middle"),
    [
        (nk.data.sine, [-1, 0, 1]),  # at −½, 0, ½
        (nk.data.step, [-1, 1, 1]),
        (nk.data.chirp, [math.sqrt(0.5), 0, math.sin(2.25 * math.pi)]),
    ],
)
def test_problems_on_a_line(problem: object, middle: list[float]) -> None:
    assert callable(problem)
    x, y = problem(5)
    assert np.array_equal(x, [[-1], [-0.5], [0], [0.5], [1]])
    np.testing.assert_allclose(y[1:4], middle, atol=1e-15)
    assert [a.shape for a in problem(1)] == [(1, 1), (1,)]
    noise = problem(2000, noise_std=0.1, seed=1)[1] - problem(2000)[1]
    assert abs(noise.mean()) < 4 * 0.1 / math.sqrt(2000)
    assert noise.std() == pytest.approx(0.1, rel=4 / math.sqrt(4000))
    assert np.array_equal(
        problem(9, noise_std=1.0, seed=3)[1],
        problem(9, noise_std=1.0, seed=np.random.default_rng(3))[1],
    )


def test_circle_is_evenly_spaced() -> None:
    points = nk.data.circle(8)
    np.testing.assert_allclose(np.linalg.norm(points, axis=1), 1, rtol=1e-15)
    np.testing.assert_allclose(points[[0, 2, 4]], [[1, 0], [0, 1], [-1, 0]], atol=1e-15)
    steps = np.linalg.norm(points - np.roll(points, 1, axis=0), axis=1)
    np.testing.assert_allclose(steps, 2 * math.sin(math.pi / 8), rtol=1e-14)
    assert nk.data.circle(0).shape == (0, 2)


def test_sphere_is_uniform() -> None:
    points = nk.data.sphere(4000, 3, seed=5)
    np.testing.assert_allclose(np.linalg.norm(points, axis=1), 1, rtol=1e-14)
    # By symmetry the mean is 0 and the covariance 1/3, each within four standard errors.
    assert np.abs(points.mean(axis=0)).max() < 4 / math.sqrt(3 * 4000)
    np.testing.assert_allclose(points.T @ points / 4000, np.eye(3) / 3, atol=4 * 0.3 / 63)
    assert np.array_equal(points, nk.data.sphere(4000, 3, seed=5))
    assert set(nk.data.sphere(9, 1, seed=0).ravel()) <= {-1.0, 1.0}


def test_two_digits_are_a_problem_of_two_classes() -> None:
    pixels, labels = nk.data.load_digits()
    x, y = nk.data.two_digits(3, 8)
    assert np.array_equal(x[y == 1], pixels[labels == 3])
    assert np.array_equal(x[y == -1], pixels[labels == 8])
    assert len(y) == np.isin(labels, [3, 8]).sum()
    few = nk.data.two_digits(3, 8, n=20)
    assert np.array_equal(few[0], x[:20])
    assert np.array_equal(few[1], y[:20])


@given(
    st.lists(st.sampled_from([-1.0, 1.0, 4.5]), max_size=30),
    st.floats(0, 1),
    st.integers(0, 2**64),
)
def test_random_labels_touch_a_fraction(labels: list[float], fraction: float, seed: int) -> None:
    before = np.array(labels)
    after = nk.data.random_labels(before, fraction, seed)
    assert np.array_equal(before, labels)
    assert np.count_nonzero(after != before) <= round(fraction * len(labels))
    assert set(after) <= set(before)
    assert np.array_equal(after, nk.data.random_labels(before, fraction, seed))


def test_random_labels_are_independent_at_one() -> None:
    before = np.repeat([0, 7], 5000).astype(np.int8)
    after = nk.data.random_labels(before, 1.0, seed=2)
    assert after.dtype == np.int8
    agree = (after == before).mean()
    assert agree == pytest.approx(0.5, abs=4 * 0.5 / 100)
    # At a half of them three in four agree.
    agree = (nk.data.random_labels(before, 0.5, seed=2) == before).mean()
    assert agree == pytest.approx(0.75, abs=4 * 0.5 / 100)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: nk.data.random_labels([[1]], 0.5, 0), ValueError, r"labels has shape \(1, 1\)"),
        (lambda: nk.data.random_labels(["a"], 0.5, 0), TypeError, "numpy.unique"),
        (lambda: nk.data.random_labels([0, math.nan], 0.5, 0), ValueError, "NaN at index 1"),
        (lambda: nk.data.random_labels([1], 1.5, 0), ValueError, "fraction is 1.5; expected"),
        (lambda: nk.data.random_labels([1], -0.5, 0), ValueError, "fraction is -0.5; expected"),
        (lambda: nk.data.random_labels([1], 1.0, None), TypeError, "seed is None"),  # type: ignore[arg-type]
        (lambda: nk.data.sphere(3, 2, -1), ValueError, "seed is -1; expected"),
        (lambda: nk.data.sphere(3, 0, 1), ValueError, "n_features is 0"),
        (lambda: nk.data.sine(0), ValueError, "n is 0; expected an integer >= 1"),
        (lambda: nk.data.step(3, noise_std=-1.0), ValueError, "noise_std is -1"),
        (lambda: nk.data.circle(2.5), TypeError, "n is 2.5, of type float"),  # type: ignore[arg-type]
        (lambda: nk.data.append_one([1.0]), ValueError, r"x has shape \(1,\)"),
        (lambda: nk.data.two_digits(3, 3), ValueError, "both 3; expected two different"),
        (lambda: nk.data.two_digits(3, 10), ValueError, "second is 10; expected a digit"),
        (lambda: nk.data.two_digits(3, 8, n=10**6), ValueError, "n is 1000000; there are 357"),
    ],
)
def test_refusals(call: object, error: type[Exception], message: str) -> None:
    assert callable(call)
    with pytest.raises(error, match=message):
        call()
