"""Training of finite networks against explicit loops, and against SciPy's integrator."""

import builtins
import pickle

import numpy as np
import pytest
import scipy.integrate
from scipy.special import erf

import ntkfast as nk

RNG = np.random.default_rng(4)
X, X_TEST = RNG.normal(size=(5, 2)), RNG.normal(size=(3, 2))
Y = RNG.normal(size=5)
W_STD, B_STD, WIDTH = 1.4, 0.3, 20
PHI = {
    "relu": (nk.Relu(), lambda z: np.maximum(z, 0), lambda z: 1.0 * (z > 0)),
    "erf": (nk.Erf(), erf, lambda z: 2 / np.sqrt(np.pi) * np.exp(-(z**2))),
}


def drawn(kind, seed=0, **settings):
    return nk.finite.init(
        nk.mlp(1, PHI[kind][0], w_std=W_STD, b_std=B_STD), 2, seed, width=WIDTH, **settings
    )


class ByHand:
    """f = σ_w/√N · a·φ(σ_w/√2 · W x + σ_b·b) + σ_b·c, with its gradient written out."""

    def __init__(self, kind):
        _, self.phi, self.slope = PHI[kind]

    @staticmethod
    def parts(p):
        return p[: 2 * WIDTH].reshape(2, WIDTH), p[2 * WIDTH : 3 * WIDTH], p[3 * WIDTH : -1], p[-1]

    def hidden(self, p, x):
        w, b, _, _ = self.parts(p)
        return W_STD / np.sqrt(2) * x @ w + B_STD * b

    def __call__(self, p, x):
        _, _, a, c = self.parts(p)
        return W_STD / np.sqrt(WIDTH) * self.phi(self.hidden(p, x)) @ a + B_STD * c

    def jacobian(self, p, x):
        z, a = self.hidden(p, x), self.parts(p)[2]
        by_z = W_STD / np.sqrt(WIDTH) * self.slope(z) * a
        by_w = W_STD / np.sqrt(2) * x[:, :, None] * by_z[:, None, :]
        by_a = W_STD / np.sqrt(WIDTH) * self.phi(z)
        rows = [by_w.reshape(len(x), -1), B_STD * by_z, by_a, np.full((len(x), 1), B_STD)]
        return np.hstack(rows)

    def gradient(self, p):
        return self.jacobian(p, X).T @ (self(p, X) - Y)


@pytest.mark.parametrize("kind", ["relu", "erf"])
@pytest.mark.parametrize(("momentum", "reduction"), [(0.0, "sum"), (0.8, "sum"), (0.5, "mean")])
def test_descent(kind, momentum, reduction):
    net, hand = drawn(kind), ByHand(kind)
    size = len(Y) if reduction == "mean" else 1
    rate, steps = 0.02 * size, [3, 10, 40]
    run = net.train(
        X,
        Y,
        steps=steps,
        learning_rate=rate,
        momentum=momentum,
        reduction=reduction,
        x_test=X_TEST,
        snapshots=True,
    )
    assert run.completed
    assert run.steps == 40
    np.testing.assert_array_equal(run.times, [0, *steps])
    p, speed = net.parameters.copy(), 0.0
    first, theta = hand.hidden(p, X) > 0, hand.jacobian(p, X) @ hand.jacobian(p, X).T
    row = 0
    for step in range(41):
        if step in run.times:
            f, j, moved = hand(p, X), hand.jacobian(p, X), p - net.parameters
            expected = {
                "train": f,
                "test": hand(p, X_TEST),
                "loss": 0.5 * np.sum((f - Y) ** 2) / size,
                "snapshots": p,
                "distance": np.linalg.norm(moved),
                "relative_distance": np.linalg.norm(moved) / np.linalg.norm(net.parameters),
                "kernel_drift": np.linalg.norm(j @ j.T - theta) / np.linalg.norm(theta),
                "pattern_changes": np.mean((hand.hidden(p, X) > 0) != first) * (kind == "relu"),
            }
            for name, value in expected.items():
                np.testing.assert_allclose(getattr(run, name)[row], value, rtol=0, atol=1e-10)
            parts = [moved[:40], moved[40:60], moved[60:80], moved[80:]]
            for (name, sizes), part in zip(run.group_distance.items(), parts, strict=True):
                assert name.endswith(("weights", "biases"))
                np.testing.assert_allclose(sizes[row], np.linalg.norm(part), rtol=0, atol=1e-11)
            row += 1
        speed = momentum * speed - rate / size * hand.gradient(p)
        last, p = p, p + speed
    np.testing.assert_allclose(run.end.parameters, last, rtol=0, atol=1e-11)
    np.testing.assert_allclose(run.kernel_start, theta, rtol=0, atol=1e-12)
    j = hand.jacobian(last, X)
    np.testing.assert_allclose(run.kernel_end, j @ j.T, rtol=0, atol=1e-10)
    assert run.kernel_drift[-1] > 0.005  # it did move
    assert run.loss[-1] < 0.8 * run.loss[0]


@pytest.mark.parametrize("reduction", ["sum", "mean"])
def test_flow(reduction):
    net, hand = drawn("erf"), ByHand("erf")
    size = len(Y) if reduction == "mean" else 1
    t = np.array([0.0, 0.3, 2.0])
    settings = {"reduction": reduction, "x_test": X_TEST, "integrator": "DOP853"}
    run = net.train(X, Y, t=t, learning_rate=1.5 * size, rtol=1e-9, atol=1e-10, **settings)
    solved = scipy.integrate.solve_ivp(
        lambda _, p: -1.5 * hand.gradient(p),
        (0, t[-1]),
        net.parameters,
        "DOP853",
        t_eval=t,
        rtol=1e-11,
        atol=1e-12,
    )
    assert run.completed
    np.testing.assert_array_equal(run.times, t)
    for row, p in enumerate(solved.y.T):
        np.testing.assert_allclose(run.train[row], hand(p, X), rtol=0, atol=1e-7)
        np.testing.assert_allclose(run.test[row], hand(p, X_TEST), rtol=0, atol=1e-7)
    np.testing.assert_allclose(run.end.parameters, solved.y[:, -1], rtol=0, atol=1e-7)


def test_flow_with_the_default_tolerances_and_descent_in_small_steps():
    net, hand = drawn("relu"), ByHand("relu")
    flow = net.train(X, Y, t=1.0, record=1)
    p = net.parameters.copy()
    for _ in range(2000):  # Euler's method: along a kink, others take ever shorter steps
        p = p - 5e-4 * hand.gradient(p)
    expected = hand(p, X)
    np.testing.assert_allclose(flow.train[-1], expected, rtol=0, atol=2e-3)
    small = net.train(X, Y, steps=100, learning_rate=0.01, record=1, kernel=False)
    np.testing.assert_allclose(small.train[-1], expected, rtol=0, atol=0.02)
    short = net.train(X, Y, t=2.0, max_steps=5)
    assert not short.completed
    assert "max_steps=5 were not enough" in short.reason


@pytest.mark.parametrize("output_dim", [None, 2])
def test_a_network_that_is_linear_trains_as_a_linear_model(output_dim):
    """One Dense layer is a linear model in its own weights, at any time and for any step."""
    net = nk.finite.init(nk.Serial(nk.Dense(w_std=1.5)), 2, 8, output_dim=output_dim)
    y = RNG.normal(size=(5, *net.output_shape))
    weights = net.parameters.reshape(2, *net.output_shape)
    features = 1.5 / np.sqrt(2) * X
    run = net.train(X, y, t=[0.1, 0.5, 3.0], rtol=1e-10, atol=1e-12, snapshots=True)
    model = nk.LinearModel(features, y)
    expected = model.parameters(weights, t=run.times)
    np.testing.assert_allclose(run.snapshots.reshape(expected.shape), expected, rtol=0, atol=1e-8)
    np.testing.assert_allclose(run.loss, model.loss(weights, t=run.times), rtol=0, atol=1e-8)
    np.testing.assert_array_equal(run.kernel_drift, np.zeros(4))
    np.testing.assert_array_equal(run.pattern_changes, np.zeros(4))
    descent = nk.GradientDescent(features @ features.T, y, learning_rate=0.1, momentum=0.6)
    steps = net.train(X, y, steps=30, record=30, learning_rate=0.1, momentum=0.6)
    found = descent.predict_train(net.forward(X), t=steps.times)
    np.testing.assert_allclose(steps.train, found, rtol=0, atol=1e-11)


@pytest.mark.parametrize("momentum", [0.0, 0.5])
@pytest.mark.parametrize("reduction", ["sum", "mean"])
def test_divergence_is_told_with_the_rate_that_would_do(momentum, reduction):
    """For a linear network the largest stable rate is exact."""
    net = nk.finite.init(nk.Serial(nk.Dense()), 2, 8)
    stable = 2 * (1 + momentum) / np.linalg.eigvalsh(X @ X.T / 2)[-1]
    stable *= len(Y) if reduction == "mean" else 1
    settings = {"momentum": momentum, "reduction": reduction, "steps": 500}
    fine = net.train(X, Y, learning_rate=0.99 * stable, **settings)
    assert fine.completed
    assert fine.reason == "reached the last time"
    assert fine.loss[-1] < fine.loss[0]
    run = net.train(X, Y, learning_rate=1.05 * stable, kernel=False, **settings)
    assert not run.completed
    assert run.steps < 500
    assert "diverged at step" in run.reason
    assert f"= {stable:.4g}" in run.reason
    assert "INCOMPLETE" in repr(run)
    assert len(run.times) == len(run.loss) == len(run.train) < 51
    assert np.isfinite(run.train).all()


def test_divergence_beyond_the_range_of_a_float():
    run = drawn("relu").train(X, Y, steps=[50], learning_rate=1e200)
    assert not run.completed
    np.testing.assert_array_equal(run.times, [0])
    assert "diverged at step 1" in run.reason


def test_what_is_recorded_and_what_is_not():
    net = drawn("relu", zero_output=True)
    run = net.train(X, Y, steps=7, learning_rate=0.02, snapshots=[5, 0], kernel=False)
    np.testing.assert_array_equal(run.times, np.arange(8))
    np.testing.assert_array_equal(run.train[0], np.zeros(5))
    np.testing.assert_array_equal(run.snapshots[0], net.parameters[[5, 0]])
    np.testing.assert_array_equal(run.snapshots[-1], run.end.parameters[[5, 0]])
    assert run.test is run.kernel_drift is run.kernel_start is run.kernel_end is None
    assert "kernel" not in repr(run)
    assert run.start is net
    timed = net.train(X, Y, t=0.2, record=4)
    np.testing.assert_allclose(timed.times, [0, 0.05, 0.1, 0.15, 0.2])
    assert timed.snapshots is None
    still = net.train(X, Y, steps=0)
    np.testing.assert_array_equal(still.times, [0])
    np.testing.assert_array_equal(still.end.parameters, net.parameters)
    assert net.train(X, Y, t=0.0).completed


def test_frozen_layers_stay_and_what_starts_at_zero_has_moved_infinitely_far():
    net = nk.finite.init(nk.Serial(nk.Dense(6, trainable=False), nk.Relu(), nk.Dense()), 2, 1)
    before = net.preactivations(X)
    run = net.train(X, Y, steps=5, learning_rate=0.01)
    for name, entering in run.end.preactivations(X).items():
        np.testing.assert_array_equal(entering, before[name])
    assert run.pattern_changes[-1] == 0
    assert run.distance[-1] > 0
    zero = net.with_parameters(np.zeros(6)).train(X, Y, steps=[1], learning_rate=0.01)
    np.testing.assert_array_equal(zero.relative_distance, [0, np.inf])


def test_the_same_seed_gives_the_same_training_and_progress_is_reported():
    calls = []
    settings = {"steps": 20, "learning_rate": 0.02}
    first, second = (
        drawn("relu", seed=5).train(X, Y, progress=lambda *c: calls.append(c), **settings)
        for _ in range(2)
    )
    np.testing.assert_array_equal(first.train, second.train)
    assert calls == 2 * [(i, 20) for i in range(1, 21)]
    again = pickle.loads(pickle.dumps(first))
    np.testing.assert_array_equal(again.loss, first.loss)
    np.testing.assert_array_equal(again.end.forward(X), first.end.forward(X))
    assert repr(first).startswith("FiniteTrajectory(21 times from 0 to 20, loss from ")
    with pytest.raises(AttributeError):
        first.loss = 0


def test_without_scipy_flow_names_the_extra(monkeypatch):
    real = builtins.__import__

    def without(name, *rest):
        if name == "scipy" or name.startswith("scipy."):
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ImportError, match=r"train\(t=…\) requires scipy.*ntkfast\[scipy\]"):
        drawn("relu").train(X, Y, t=1.0)
    assert drawn("relu").train(X, Y, steps=1, learning_rate=0.01).completed


@pytest.mark.parametrize(
    ("settings", "kind", "words"),
    [
        ({}, ValueError, "neither of them"),
        ({"steps": 3, "t": 1.0}, ValueError, "both of them"),
        ({"steps": 2.5}, ValueError, "fractional numbers"),
        ({"steps": [2, 1]}, ValueError, "steps is not in ascending"),
        ({"steps": -1}, ValueError, "steps is -1.0"),
        ({"steps": "many"}, TypeError, "steps has dtype"),
        ({"steps": []}, ValueError, "no time to record"),
        ({"t": np.inf}, ValueError, "finite times"),
        ({"t": -1.0}, ValueError, "t is -1.0"),
        ({"t": 1.0, "momentum": 0.5}, ValueError, "momentum is 0.5, but gradient flow"),
        ({"steps": 1, "momentum": 1.0}, ValueError, "momentum is 1.0"),
        ({"steps": 1, "learning_rate": 0.0}, ValueError, "learning_rate is 0.0"),
        ({"steps": 1, "reduction": "max"}, ValueError, "reduction is 'max'"),
        ({"steps": 1, "record": 0}, ValueError, "record is 0"),
        ({"steps": 1, "kernel": 1}, TypeError, "kernel is 1"),
        ({"steps": 1, "x_test": np.ones((2, 3))}, ValueError, "x_test has 3 features"),
        ({"steps": 1, "snapshots": [0.5]}, TypeError, "snapshots is an array"),
        ({"steps": 1, "snapshots": [81]}, ValueError, "indices from 0 to 80"),
        ({"t": 1.0, "integrator": "Euler"}, ValueError, "integrator is 'Euler'"),
    ],
)
def test_refusals(settings, kind, words):
    with pytest.raises(kind, match=words):
        drawn("relu").train(X, Y, **settings)


def test_refusals_of_targets():
    with pytest.raises(ValueError, match=r"y has shape \(5, 1\); expected \(5,\)"):
        drawn("relu").train(X, Y[:, None], steps=1)
