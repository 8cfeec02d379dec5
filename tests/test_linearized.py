"""Linearised networks: in parameter space, in function space, and by matrix exponentials."""

import pickle

import numpy as np
import pytest
from scipy.linalg import expm

import ntkfast as nk

RNG = np.random.default_rng(3)
X, X_TEST = RNG.normal(size=(4, 2)), RNG.normal(size=(3, 2))
MLP = nk.mlp(1, nk.Erf(), w_std=1.3, b_std=0.3)
NETWORKS = {
    "one output": nk.finite.init(MLP, 2, 1, width=8),
    "two outputs": nk.finite.init(MLP, 2, 2, width=7, output_dim=2),
    "from zero": nk.finite.init(nk.mlp(2, nk.Relu(), b_std=0.2), 2, 3, width=5, zero_output=True),
    "frozen layer": nk.finite.init(
        nk.Serial(nk.Dense(9, trainable=False), nk.Tanh(), nk.Dense(b_std=0.1)), 2, 4
    ),
    "standard": nk.finite.init(
        nk.Serial(nk.Dense(6, parameterization="standard"), nk.Gelu(), nk.Dense(b_std=1.0)), 2, 5
    ),
}


@pytest.fixture(params=list(NETWORKS))
def net(request):
    return NETWORKS[request.param]


def targets(net):
    return np.random.default_rng(0).normal(size=(len(X), *net.output_shape))


def flat_jacobian(net, x):
    return net.jacobian(x).reshape(-1, net.n_parameters)


def trained_weights(net, t, rate=1.0, ridge=0.0):
    """Weights under dp/dt = −η·[Jᵀ(f_lin − y) + r·(p − p_0)], by one exponential."""
    j, p = flat_jacobian(net, X), net.n_parameters
    system = np.zeros((p + 1, p + 1))
    system[:p, :p] = -rate * (j.T @ j + ridge * np.eye(p))
    system[:p, p] = rate * j.T @ (targets(net) - net.forward(X)).ravel()
    return net.parameters + (expm(system * t) @ np.eye(p + 1)[p])[:p]


def test_forward_is_the_tangent(net):
    linear = net.linearize()
    p = net.parameters + RNG.normal(size=net.n_parameters)
    change = net.jacobian(X_TEST) @ (p - net.parameters)
    np.testing.assert_allclose(
        linear.forward(X_TEST, p), net.forward(X_TEST) + change, rtol=0, atol=1e-12
    )
    np.testing.assert_array_equal(linear.forward(X_TEST), net.forward(X_TEST))
    np.testing.assert_array_equal(linear.parameters, net.parameters)
    np.testing.assert_array_equal(linear.ntk(X, X_TEST), net.ntk(X, X_TEST))
    near = net.parameters + 1e-5 * (p - net.parameters)
    np.testing.assert_allclose(  # second order in the step, unless a kink is crossed
        linear.forward(X, near), net.with_parameters(near).forward(X), rtol=0, atol=1e-7
    )


@pytest.mark.parametrize(("rate", "ridge", "reduction"), [(1.0, 0.0, "sum"), (0.6, 0.2, "mean")])
def test_flow_in_parameter_space(net, rate, ridge, reduction):
    y = targets(net)
    training = net.linearize().train(X, y, learning_rate=rate, diag_reg=ridge, reduction=reduction)
    size = y.size if reduction == "mean" else 1
    for t in (0.0, 0.3, 5.0):
        p = trained_weights(net, t, rate / size, ridge)
        np.testing.assert_allclose(training.parameters(t=t), p, rtol=0, atol=1e-10)
        on_test = net.forward(X_TEST) + net.jacobian(X_TEST) @ (p - net.parameters)
        np.testing.assert_allclose(training.predict(X_TEST, t=t), on_test, rtol=0, atol=1e-10)
        f = net.forward(X) + net.jacobian(X) @ (p - net.parameters)
        np.testing.assert_allclose(training.predict_train(t=t), f, rtol=0, atol=1e-10)
        np.testing.assert_allclose(training.residual(t=t), y - f, rtol=0, atol=1e-10)
        np.testing.assert_allclose(
            training.loss(t=t), 0.5 * np.sum((f - y) ** 2) / size, atol=1e-11
        )


def test_it_is_gradient_flow_on_the_empirical_ntk(net):
    y, t = targets(net), np.array([[0.1, 1.0], [30.0, np.inf]])
    j, j_test = flat_jacobian(net, X), flat_jacobian(net, X_TEST)
    f0, f0_test = net.forward(X).ravel(), net.forward(X_TEST).ravel()
    flow = nk.GradientFlow(j @ j.T, y.ravel())
    training = net.linearize().train(X, y)
    expected = flow.predict(j_test @ j.T, f0, f0_test, t=t)
    found = training.predict(X_TEST, t=t)
    assert found.shape == (2, 2, *net.forward(X_TEST).shape)
    np.testing.assert_allclose(found, expected.reshape(found.shape), rtol=0, atol=1e-9)
    parameters = training.parameters(t=t)
    np.testing.assert_allclose(
        parameters, flow.parameters(j, net.parameters, f0, t=t), rtol=0, atol=1e-9
    )
    if not net.output_shape:
        flow = nk.GradientFlow(net.ntk(X), y)
        expected = flow.predict(net.ntk(X_TEST, X), f0, f0_test, t=t)
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-9)


@pytest.mark.parametrize("momentum", [0.0, 0.7])
def test_descent_in_parameter_space(net, momentum):
    y, j = targets(net), flat_jacobian(net, X)
    rate = 1 / np.linalg.eigvalsh(j @ j.T)[-1]
    training = net.linearize().train(X, y, method="descent", learning_rate=rate, momentum=momentum)
    p, speed = net.parameters.copy(), np.zeros(net.n_parameters)
    for step in range(21):
        np.testing.assert_allclose(training.parameters(t=step), p, rtol=0, atol=1e-11)
        left = net.forward(X).ravel() + j @ (p - net.parameters) - y.ravel()
        speed = momentum * speed - rate * (j.T @ left)
        p = p + speed


def test_the_network_itself_at_the_parameters_of_the_theory(net):
    training = net.linearize().train(X, targets(net))
    moved = training.network(t=2.0)
    np.testing.assert_array_equal(moved.parameters, training.parameters(t=2.0))
    gap = abs(moved.forward(X) - training.predict_train(t=2.0)).max()
    if net is NETWORKS["frozen layer"]:
        assert gap < 1e-14  # linear in all that is trained
    else:
        assert gap > 1e-6


def test_it_says_what_it_is_and_survives_pickling():
    net = NETWORKS["one output"]
    training = net.linearize().train(X, targets(net), method="descent", learning_rate=0.01)
    for words in ("LinearizedTraining(LinearizedNetwork(FiniteNetwork(", "GradientDescent("):
        assert words in repr(training)
    assert "eigendecomposition in" in str(training)
    again = pickle.loads(pickle.dumps(training))
    np.testing.assert_array_equal(again.parameters(t=3), training.parameters(t=3))
    with pytest.raises(AttributeError):
        training.y = 1


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda m: m.train(X[:, :1], np.ones(4)), "x has 1 features"),
        (lambda m: m.train(X[:0], np.ones(0)), "at least one training point"),
        (lambda m: m.train(X, np.ones(3)), r"y has shape \(3,\); expected \(4,\)"),
        (lambda m: m.train(X, np.ones((4, 1))), r"y has shape \(4, 1\); expected \(4,\)"),
        (lambda m: m.train(X, np.full(4, np.nan)), "y has a NaN"),
        (lambda m: m.train(X, np.ones(4), method="adam"), "method is 'adam'"),
        (lambda m: m.train(X, np.ones(4), momentum=0.5), "momentum is 0.5, but gradient flow"),
        (lambda m: m.train(X, np.ones(4), learning_rate=1e3, method="descent"), "not converge"),
        (lambda m: m.forward(X, np.ones(3)), r"parameters has shape \(3,\)"),
    ],
)
def test_refusals(call, words):
    with pytest.raises(ValueError, match=words):
        call(NETWORKS["one output"].linearize())
