"""Properties of gradient flow on any problem."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

import ntkfast as nk
from linear_model import problem

EPS = np.finfo(float).eps

sizes = st.tuples(st.integers(1, 8), st.integers(1, 3), st.integers(1, 10), st.integers(0, 10_000))
some_times = st.floats(0, 1e6)


@given(sizes, some_times, st.sampled_from([0.0, 0.1]))
def test_answers_agree_with_each_other(size, t, ridge):
    n, c, p, seed = size
    j, j_test, y, w0 = problem(n=n, c=c, p=p, seed=seed)
    theta, k_test, f0 = j @ j.T, j_test @ j.T, j @ w0
    flow = nk.GradientFlow(theta, y, diag_reg=ridge)
    f, left = flow.predict_train(f0, t=t), flow.residual(f0, t=t)
    scale = abs(y - f0).max() + abs(f0).max()
    np.testing.assert_allclose(f + left, y, atol=1e-13 * scale * n, rtol=0)
    np.testing.assert_allclose(flow.loss(f0, t=t), 0.5 * np.sum(left**2), rtol=1e-9, atol=1e-25)
    alpha = flow.coefficients(f0, t=t)
    size_of_sum = n * EPS * abs(k_test).max() * abs(alpha).sum()
    np.testing.assert_allclose(
        flow.predict(k_test, f0, 2.0, t=t), 2 + k_test @ alpha, rtol=1e-12, atol=4 * size_of_sum
    )
    np.testing.assert_allclose(flow.predict_train(f0, t=0.0), f0, rtol=1e-14)
    np.testing.assert_allclose(flow.residual(f0, t=0.0), y - f0, atol=1e-13 * scale * n, rtol=0)


@given(sizes, st.lists(some_times, min_size=2, max_size=6))
def test_the_loss_never_rises(size, times):
    n, c, p, seed = size
    j, _, y, w0 = problem(n=n, c=c, p=p, seed=seed)
    times = np.sort(np.append(times, np.inf))
    flow = nk.GradientFlow(j @ j.T, y)
    # At t = ∞ what is zero to working precision is left alone: finite times only, if singular.
    loss = flow.loss(j @ w0, t=times if flow.spectrum.rank == n else times[:-1])
    assert (np.diff(loss) <= loss[:-1] * 1e-14).all()


@given(sizes, st.floats(0, 5), st.floats(0, 5))
def test_training_can_be_resumed(size, first, second):
    n, c, p, seed = size
    j, _, y, w0 = problem(n=n, c=c, p=p, seed=seed)
    flow = nk.GradientFlow(j @ j.T, y)
    f0 = j @ w0
    resumed = flow.predict_train(flow.predict_train(f0, t=first), t=second)
    scale = abs(y - f0).max() + abs(f0).max()
    np.testing.assert_allclose(
        resumed, flow.predict_train(f0, t=first + second), atol=1e-12 * scale * n, rtol=0
    )


@given(sizes, some_times)
def test_order_of_the_points_does_not_matter(size, t):
    n, c, p, seed = size
    j, j_test, y, _ = problem(n=n, c=c, p=p + n, seed=seed)
    order = np.random.default_rng(seed).permutation(n)
    flow = nk.GradientFlow(j @ j.T, y)
    shuffled = nk.GradientFlow(j[order] @ j[order].T, y[order])
    bound = 1e-12 * n * max(1.0, flow.spectrum.condition_number) * abs(y).max()
    np.testing.assert_allclose(
        shuffled.predict(j_test @ j[order].T, t=t),
        flow.predict(j_test @ j.T, t=t),
        atol=bound,
        rtol=0,
    )
