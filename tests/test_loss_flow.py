"""Flow on any loss against closed forms, and against the weights of a linear model."""

import numpy as np
import pytest
import scipy.integrate
import scipy.linalg
import scipy.special

import ntkfast as nk
from linear_model import problem
from ntkfast.dynamics import losses

TIGHT = {"rtol": 1e-11, "atol": 1e-13}
T = np.array([0.0, 0.4, 3.0, 10.0])


def one_hot(n, c, seed=0):
    return np.eye(c)[np.random.default_rng(seed).integers(c, size=n)]


def softmax_error(f, y):
    return scipy.special.softmax(f, axis=-1) - y


def logistic_error(f, y):
    return -y * scipy.special.expit(-y * f)


def huber_error(f, y):
    return np.sign(f - y) * np.minimum(np.abs(f - y), 1)


def weights(j, y, w0, gradient, rate, momentum=None, ridge=0.0):
    """Weights under dw/dt = −η·[Jᵀ·∇L + r·(w − w_0)], or with inertia."""

    def force(w):
        return -rate * (j.T @ gradient(j @ w, y) + ridge * (w - w0))

    def motion(_, state):
        if momentum is None:
            return force(state.reshape(w0.shape)).ravel()
        w, v = state.reshape(2, *w0.shape)
        return np.concatenate([v.ravel(), (force(w) - (1 - momentum) * v).ravel()])

    start = w0.ravel() if momentum is None else np.concatenate([w0.ravel(), 0 * w0.ravel()])
    solved = scipy.integrate.solve_ivp(
        motion, (0, T[-1]), start, "DOP853", t_eval=T, rtol=1e-11, atol=1e-12
    )
    return solved.y.T[:, : w0.size].reshape(-1, *w0.shape)


# Integrators do not see the corner of Huber's gradient: they step over it, with errors of second
# order in the step.
CASES = {
    "cross_entropy": (one_hot(7, 3), softmax_error, 2e-10),
    "logistic": (1 - 2 * one_hot(7, 2), logistic_error, 2e-10),
    "huber": (3 * problem(n=7, c=3)[2], huber_error, 1e-7),
}


@pytest.mark.parametrize(("momentum", "ridge"), [(None, 0.0), (None, 0.2), (0.0, 0.0), (0.7, 0.2)])
@pytest.mark.parametrize("loss", CASES)
def test_outputs_are_those_of_the_trained_weights(loss, momentum, ridge):
    y, gradient, error = CASES[loss]
    j, j_test, _, w0 = problem(n=7, m=4, c=y.shape[1], p=10)
    w = weights(j, y, w0, gradient, 0.8, momentum, ridge)
    tolerances = TIGHT if loss != "huber" else {"rtol": 1e-9, "atol": 1e-10}
    flow = nk.LossFlow(
        j @ j.T, y, loss=loss, learning_rate=0.8, momentum=momentum, diag_reg=ridge, **tolerances
    )
    result = flow.integrate(j_test @ j.T, j @ w0, j_test @ w0, t=T)
    assert result.completed
    np.testing.assert_allclose(result.train, j @ w, atol=error, rtol=0)
    np.testing.assert_allclose(result.test, j_test @ w, atol=error, rtol=0)


@pytest.mark.parametrize("method", ["DOP853", "RK45", "LSODA", "BDF", "Radau"])
def test_squares_have_a_closed_form(method):
    j, _, y, w0 = problem(n=5, c=2, p=8)
    theta, f0 = j @ j.T, j @ w0
    f = [f0 + (y - f0) - scipy.linalg.expm(-0.5 * t * theta) @ (y - f0) for t in T]
    settings = {"loss": "mse", "learning_rate": 0.5, "method": method}
    rough = nk.LossFlow(theta, y, **settings).integrate(f0_train=f0, t=T)
    np.testing.assert_allclose(rough.train, f, atol=3e-4, rtol=0)
    fine = nk.LossFlow(theta, y, rtol=1e-8, atol=1e-9, **settings).integrate(f0_train=f0, t=T)
    np.testing.assert_allclose(fine.train, f, atol=3e-6, rtol=0)
    assert fine.steps > rough.steps > 0
    assert fine.evaluations >= fine.steps
    np.testing.assert_allclose(
        fine.loss, [0.5 * np.sum((y - at) ** 2) for at in fine.train], rtol=1e-12
    )


def test_momentum_is_that_of_its_matrix_exponential():
    j, _, y, w0 = problem(n=5, c=2, p=8)
    theta, f0, eta, m = j @ j.T, j @ w0, 0.3, 0.9
    system = np.block(
        [[np.zeros((5, 5)), np.eye(5)], [-eta * theta, -(1 - m) * np.eye(5)]]
    )  # of (f − y, f')
    start = np.vstack([f0 - y, 0 * y])
    f = [y + (scipy.linalg.expm(t * system) @ start)[:5] for t in T]
    flow = nk.LossFlow(theta, y, loss="mse", learning_rate=eta, momentum=m, **TIGHT)
    np.testing.assert_allclose(flow.integrate(f0_train=f0, t=T).train, f, atol=1e-10, rtol=0)


def test_momentum_counts_the_steps_of_descent():
    """The smaller η, with 1 − m of the order of √η, the nearer."""
    j, _, y, _ = problem(n=5, c=1, p=8)
    gaps = []
    for shrink in (1, 4):
        eta, m, k = 0.01 / shrink**2, 1 - 0.1 / shrink, 40 * shrink
        flow = nk.LossFlow(j @ j.T, y, loss="mse", learning_rate=eta, momentum=m, **TIGHT)
        descent = nk.GradientDescent(j @ j.T, y, learning_rate=eta, momentum=m)
        gaps.append(np.abs(flow.integrate(t=k).train[-1] - descent.predict_train(t=k)).max())
    assert gaps[0] < 0.1
    assert gaps[1] < 0.4 * gaps[0]


def test_means_divide_by_the_points_or_by_the_outputs():
    j, _, targets, w0 = problem(n=6, c=3)
    theta, f0, labels = j @ j.T, j @ w0, one_hot(6, 3)
    for loss, y, count in (
        ("cross_entropy", labels, 6),
        ("huber", targets, 18),
        ("mse", targets, 18),
    ):
        mean = nk.LossFlow(theta, y, loss=loss, reduction="mean", **TIGHT).integrate(
            f0_train=f0, t=5.0
        )
        total = nk.LossFlow(theta, y, loss=loss, learning_rate=1 / count, **TIGHT)
        total = total.integrate(f0_train=f0, t=5.0)
        np.testing.assert_allclose(mean.train, total.train, atol=1e-11, rtol=0)
        np.testing.assert_allclose(mean.loss, total.loss / count, rtol=1e-10)


@pytest.mark.parametrize("loss", ["cross_entropy", "logistic", "huber", "mse"])
def test_gradients_are_those_of_the_values(loss):
    rng = np.random.default_rng(2)
    f = rng.normal(size=(4, 3)) * np.array([0.1, 1, 3])
    y = {"cross_entropy": one_hot(4, 3), "logistic": 1.0 - 2 * one_hot(4, 3)}.get(loss, f[::-1] / 2)
    function, h = losses.LOSSES[loss], 1e-5
    _, gradient = function(f, y)
    for index in np.ndindex(f.shape):
        step = np.zeros_like(f)
        step[index] = h
        slope = (function(f + step, y)[0] - function(f - step, y)[0]) / (2 * h)
        assert slope == pytest.approx(gradient[index], abs=1e-9)


def test_losses_keep_their_digits_far_out():
    far = np.array([[800.0, -800.0], [-800.0, 800.0]])
    value, gradient = losses.cross_entropy(far, np.eye(2))
    assert value == 0.0
    np.testing.assert_array_equal(gradient, np.zeros((2, 2)))
    assert losses.cross_entropy(-far, np.eye(2))[0] == 3200.0
    value, gradient = losses.logistic(far, np.sign(-far))
    assert value == 3200.0
    np.testing.assert_array_equal(gradient, np.sign(far))
    assert losses.logistic(np.array([40.0]), np.array([1.0]))[0] == pytest.approx(np.exp(-40.0))
    assert losses.huber(np.array([5.0]), np.array([1.0]), delta=0.5)[0] == 0.5 * (4 - 0.25)


def test_any_function_and_any_shape():
    j, j_test, _, _ = problem(n=6)
    y = np.random.default_rng(1).normal(size=(6, 2, 2))

    def quartic(f, y):
        return np.sum((f - y) ** 4) / 4, (f - y) ** 3

    flow = nk.LossFlow(j @ j.T, y, loss=quartic, **TIGHT)
    result = flow.integrate(j_test @ j.T, t=T)
    assert result.train.shape == (4, 6, 2, 2)
    assert result.test.shape == (4, 5, 2, 2)
    one = nk.LossFlow(j @ j.T, y[:, 1, 0], loss=quartic, **TIGHT).integrate(t=T)
    np.testing.assert_allclose(result.train[:, :, 1, 0], one.train, atol=1e-10, rtol=0)
    assert (np.diff(result.loss) < 0).all()
    assert "quartic" in repr(flow)


def test_a_spectrum_and_float32_do_as_well():
    j, _, _, _ = problem(n=6)
    theta, y = j @ j.T, one_hot(6, 3)
    plain = nk.LossFlow(theta, y).integrate(t=T)
    np.testing.assert_allclose(
        nk.LossFlow(nk.eigh(theta), y).integrate(t=T).train, plain.train, atol=1e-9, rtol=0
    )
    single = nk.LossFlow(theta.astype(np.float32), y.astype(np.float32)).integrate(t=T)
    assert single.train.dtype == np.float32
    np.testing.assert_allclose(single.train, plain.train, atol=1e-4, rtol=0)


@pytest.mark.parametrize("momentum", [None, 0.5])
def test_any_scale_of_the_kernel(momentum):
    j, _, _, _ = problem(n=6)
    theta, y = j @ j.T, one_hot(6, 3)
    plain = nk.LossFlow(theta, y, momentum=momentum).integrate(t=T).train
    for exponent in (-498, 498):  # 1e∓150
        scaled = nk.LossFlow(
            np.ldexp(theta, exponent), y, learning_rate=np.ldexp(1.0, -exponent), momentum=momentum
        )
        np.testing.assert_allclose(scaled.integrate(t=T).train, plain, atol=1e-12, rtol=0)
    in_time = nk.LossFlow(np.ldexp(theta, 498), y).integrate(t=np.ldexp(T, -498))
    if momentum is None:
        np.testing.assert_allclose(in_time.train, plain, atol=1e-12, rtol=0)


def test_duplicates_one_point_and_no_time():
    doubled = nk.LossFlow(np.ones((2, 2)), [1.0, -1.0], loss="logistic").integrate(t=[0.0, 50.0])
    np.testing.assert_allclose(doubled.train, 0.0, atol=1e-12)
    one = nk.LossFlow([[2.0]], [1.0], loss="mse", **TIGHT).integrate(t=[0.5])
    np.testing.assert_allclose(one.train, [[-np.expm1(-1.0)]], rtol=1e-10)
    still = nk.LossFlow(np.eye(2), [1.0, 2.0], loss="mse").integrate(t=0.0)
    np.testing.assert_array_equal(still.train, [[0.0, 0.0]])
    assert still.completed
    none = nk.LossFlow(np.eye(2), [1.0, 2.0], loss="mse").integrate(t=[])
    assert none.train.shape == (0, 2)
    assert "no time" in repr(none)
