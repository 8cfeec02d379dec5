"""Training of finite networks through their linearisation, and of one that is actually trained."""

import numpy as np
import pytest
import scipy.linalg

import ntkfast as nk
from linear_model import problem


def test_parameters_that_the_outputs_share():
    """One weight vector for all outputs: a Jacobian with a row for each output of each point."""
    rng = np.random.default_rng(5)
    n, c, p, t = 5, 2, 30, 1.7
    j, w0, y = rng.normal(size=(n * c, p)), rng.normal(size=p), rng.normal(size=n * c)
    # dw/dt = −Jᵀ(J·w − y) by a matrix exponential of its own.
    system = np.zeros((p + 1, p + 1))
    system[:p, :p], system[:p, p] = -j.T @ j, j.T @ y
    expected = (scipy.linalg.expm(system * t) @ np.append(w0, 1.0))[:p]
    flow = nk.GradientFlow(j @ j.T, y)
    found = flow.parameters(j, w0, j @ w0, t=t)
    np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-11)
    grid = flow.parameters(j, w0, j @ w0, t=[[0.0, t], [1.0, np.inf]])
    assert grid.shape == (2, 2, p)
    np.testing.assert_array_equal(grid[0, 0], w0)
    np.testing.assert_allclose(grid[0, 1], expected, rtol=1e-10, atol=1e-11)
    np.testing.assert_allclose(j @ grid[1, 1], y, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("flat", [True, False])
def test_a_kernel_that_is_the_same_for_every_output(flat):
    """Each output has weights of its own, stacked into one vector: Θ ⊗ I, of which Θ is given."""
    j, _, y, w0 = problem(n=6, c=3, p=9)
    (n, c), p = y.shape, w0.shape[0]
    stacked = np.zeros((n, c, c * p))
    for k in range(c):
        stacked[:, k, k * p : (k + 1) * p] = j
    flow = nk.GradientFlow(j @ j.T, y, diag_reg=0.1)
    t = np.array([0.3, 4.0, np.inf])
    separate = flow.parameters(j, w0, j @ w0, t=t)
    together = flow.parameters(
        stacked.reshape(n * c, c * p) if flat else stacked, w0.T.ravel(), j @ w0, t=t
    )
    assert separate.shape == (3, p, c)
    np.testing.assert_allclose(
        together.reshape(3, c, p).swapaxes(1, 2), separate, rtol=1e-12, atol=1e-13
    )
    np.testing.assert_allclose(
        j @ separate, flow.predict_train(j @ w0, t=t), rtol=1e-11, atol=1e-12
    )


@pytest.mark.parametrize(
    ("jacobian", "start", "words"),
    [
        (np.ones((3, 4)), 0.0, ["parameters0 has shape ()", "(P,)"]),
        (np.ones((3, 4)), np.ones((4, 5)), ["parameters0 has shape (4, 5)", "(P,) + (2,)"]),
        (np.ones((3, 4)), np.ones(4), ["jacobian has shape (3, 4)", "(6, 4)"]),
        (np.ones((6, 4)), np.ones((4, 2)), ["jacobian has shape (6, 4)", "(3, 4)"]),
        (np.ones((6, 5)), np.ones(4), ["jacobian has shape (6, 5)", "(6, 4)"]),
        (np.full((6, 4), np.nan), np.ones(4), ["jacobian has a NaN"]),
    ],
)
def test_bad_jacobians_are_refused_by_name(jacobian, start, words):
    flow = nk.GradientFlow(np.eye(3), np.ones((3, 2)))
    with pytest.raises(ValueError, match="expected") as caught:
        flow.parameters(jacobian, start, 0.0, t=1.0)
    for word in words:
        assert word in str(caught.value)


# A finite network with one hidden layer, f(x) = (1/√N)·Σ a_r·φ(w_r·x/√d), trained in plain NumPy.


def network(x, w, a):
    hidden = x @ w.T / np.sqrt(x.shape[1])
    return np.maximum(hidden, 0) @ a / np.sqrt(len(a)), hidden


def gradients(x, w, a):
    """∂f/∂(w, a) at each point, a row of (N·d + N) numbers each."""
    _, hidden = network(x, w, a)
    inner = (hidden > 0)[:, :, None] * a[None, :, None] * x[:, None, :]
    by_w = inner.reshape(len(x), -1) / np.sqrt(x.shape[1] * len(a))
    return np.hstack([by_w, np.maximum(hidden, 0) / np.sqrt(len(a))])


@pytest.mark.parametrize("momentum", [0.0, 0.8])
def test_a_wide_network_trains_as_its_kernel_says(momentum):
    """Errors of order 1/√N: of the kernel at the start, and of how far it moves."""
    rng = np.random.default_rng(7)
    n, m, d, width, rate, steps = 5, 3, 12, 4000, 0.3, 20
    x, x_test, y = rng.normal(size=(n, d)), rng.normal(size=(m, d)), rng.normal(size=n)
    w, a = rng.normal(size=(width, d)), rng.normal(size=width)
    points = np.vstack([x, x_test])
    f0, _ = network(points, w, a)
    jacobian = gradients(points, w, a)
    empirical = jacobian @ jacobian[:n].T
    net = nk.Serial(nk.Dense(), nk.Relu(), nk.Dense())
    speed_w, speed_a = np.zeros_like(w), np.zeros_like(a)
    for _ in range(steps):
        f, hidden = network(x, w, a)
        error = (f - y) / np.sqrt(width)
        pull = (error[:, None] * (hidden > 0) * a).T @ x / np.sqrt(d)
        speed_w = momentum * speed_w - rate * pull
        speed_a = momentum * speed_a - rate * (error @ np.maximum(hidden, 0))
        w, a = w + speed_w, a + speed_a
    trained, _ = network(points, w, a)
    settings = {"learning_rate": rate, "momentum": momentum}
    infinite = nk.GradientDescent(net.ntk(x), y, **settings)
    linearised = nk.GradientDescent(empirical[:n], y, **settings)
    for descent, kernel, bound in (
        (infinite, net.ntk(x_test, x), 8 / np.sqrt(width)),
        (linearised, empirical[n:], 3 / np.sqrt(width)),
    ):
        np.testing.assert_allclose(
            descent.predict_train(f0[:n], t=steps), trained[:n], atol=bound, rtol=0
        )
        np.testing.assert_allclose(
            descent.predict(kernel, f0[:n], f0[n:], t=steps), trained[n:], atol=bound, rtol=0
        )
    assert np.abs(trained - f0).max() > 0.5  # it did learn something
