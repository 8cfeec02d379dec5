"""Predictions by the names of neural-tangents, against matrix exponentials and solutions."""

from typing import Any

import numpy as np
import pytest
from scipy.integrate import quad_vec
from scipy.linalg import expm

import ntkfast as nk
import ntkfast.neural_tangents as nt
from ntkfast.neural_tangents import predict, stax

RNG = np.random.default_rng(3)
X, Z, Y = RNG.standard_normal((6, 4)), RNG.standard_normal((3, 4)), RNG.standard_normal((6, 2))
KERNEL_FN = stax.serial(stax.Dense(1, 1.5, 0.1), stax.Relu(), stax.Dense(1, 1.5, 0.1))[2]
THETA, CROSS = KERNEL_FN(X, None, "ntk"), KERNEL_FN(Z, X, "ntk")
SIGMA, SIGMA_TD = KERNEL_FN(X, None, "nngp"), KERNEL_FN(Z, X, "nngp")
SIGMA_TT = KERNEL_FN(Z, None, "nngp")
RATE, T = 0.3, 7.0


def ridge(kernel: Any, diag_reg: float, absolute: bool = False) -> Any:
    return kernel + diag_reg * np.eye(6) * (1.0 if absolute else np.trace(kernel) / 6)


def integral(matrix: Any, rate: float) -> Any:
    """∫₀^rate e^(−matrix·s) ds, which is (1 − e^(−matrix·rate))/matrix."""
    return quad_vec(lambda s: expm(-matrix * s), 0, rate, epsabs=1e-13, epsrel=1e-13)[0]


@pytest.mark.parametrize(("diag_reg", "absolute"), [(0.0, False), (0.1, False), (0.1, True)])
def test_mean_square_error(diag_reg: float, absolute: bool) -> None:
    f0, g0 = RNG.standard_normal(Y.shape), RNG.standard_normal((3, 2))
    matrix = ridge(THETA, diag_reg, absolute)
    fn = predict.gradient_descent_mse(THETA, Y, RATE, diag_reg, absolute)
    train = Y + expm(-matrix * RATE * T / Y.size) @ (f0 - Y)
    test = g0 + CROSS @ integral(matrix, RATE * T / Y.size) @ (Y - f0) / 1.0
    for got, expected in zip(fn(T, f0, g0, CROSS), (train, test), strict=True):
        np.testing.assert_allclose(got, expected, rtol=1e-9, atol=1e-11)
    np.testing.assert_allclose(fn(T, f0), train, rtol=1e-9, atol=1e-11)
    from_zero = CROSS @ integral(matrix, RATE * T / Y.size) @ Y
    np.testing.assert_allclose(fn(T, None, 0.0, CROSS), from_zero, rtol=1e-9, atol=1e-11)
    end = CROSS @ np.linalg.solve(matrix, Y)
    for t in (None, np.inf):
        at_train, at_test = fn(t, 0.0, 0.0, CROSS)
        np.testing.assert_allclose(at_train, Y, rtol=1e-9)
        np.testing.assert_allclose(at_test, end, rtol=1e-8)
    times = np.array([[0.0, 1.0, T], [2.0, np.inf, 3.0]])
    at_train, at_test = fn(times, 0.0, 0.0, CROSS)
    assert (at_train.shape, at_test.shape) == ((2, 3, 6, 2), (2, 3, 3, 2))
    np.testing.assert_allclose(at_test[0, 2], from_zero, rtol=1e-9, atol=1e-11)
    np.testing.assert_allclose(at_train[0, 0], 0.0, atol=1e-12)


def test_old_arguments_of_the_mean_square_error() -> None:
    new = predict.gradient_descent_mse(THETA, Y)(T, 0.0, 0.0, CROSS)
    for old in (
        predict.gradient_descent_mse(THETA, Y, CROSS),
        predict.gradient_descent_mse(THETA, Y, g_td=CROSS),
    ):
        for got, expected in zip(old(T), new, strict=True):
            np.testing.assert_array_equal(got, expected)
    with pytest.raises(ValueError, match="fx_test_0 is given without k_test_train"):
        predict.gradient_descent_mse(THETA, Y)(T, 0.0, 0.0)
    with pytest.raises(TypeError, match="no argument 'foo'"):
        predict.gradient_descent_mse(THETA, Y, foo=1)


def test_axes_that_are_not_traced() -> None:
    """A kernel with pairs of outputs is a matrix of all pairs of points and outputs."""
    mixing = RNG.standard_normal((2, 2))
    mixing = mixing @ mixing.T
    full = np.einsum("nm,cd->nmcd", THETA, mixing)
    cross = np.einsum("nm,cd->nmcd", CROSS, mixing)
    flat = np.kron(THETA, mixing)
    fn = predict.gradient_descent_mse(full, Y, RATE, trace_axes=())
    train, test = fn(T, 0.0, 0.0, cross)
    expected = Y.ravel() - expm(-flat * RATE * T / Y.size) @ Y.ravel()
    np.testing.assert_allclose(train.ravel(), expected, rtol=1e-9, atol=1e-11)
    weights = integral(flat, RATE * T / Y.size) @ Y.ravel()
    np.testing.assert_allclose(test.ravel(), np.kron(CROSS, mixing) @ weights, rtol=1e-9)
    posterior = predict.gp_inference(full, Y, 0.1, True, trace_axes=())
    found = posterior("nngp", cross, np.einsum("nm,cd->nmcd", SIGMA_TT, mixing))
    solved = np.linalg.solve(flat + 0.1 * np.eye(12), np.kron(CROSS, mixing).T)
    covariance = np.kron(SIGMA_TT, mixing) - np.kron(CROSS, mixing) @ solved
    got = found.covariance.transpose(0, 2, 1, 3).reshape(6, 6)
    np.testing.assert_allclose(got, covariance, rtol=1e-9, atol=1e-10)


def test_traced_axes_in_front_and_targets_without_outputs() -> None:
    plain = predict.gradient_descent_mse(THETA, Y)(T, 0.0, 0.0, CROSS)
    front = predict.gradient_descent_mse(THETA, Y.T, trace_axes=(0,))(T, 0.0, 0.0, CROSS)
    for got, expected in zip(front, plain, strict=True):
        np.testing.assert_allclose(got.T, expected, rtol=1e-12)
    one = predict.gradient_descent_mse(THETA, Y[:, 0])(2 * T, 0.0, 0.0, CROSS)
    two = predict.gradient_descent_mse(THETA, Y[:, :1])(2 * T, 0.0, 0.0, CROSS)
    for got, expected in zip(one, two, strict=True):
        np.testing.assert_allclose(got, expected[:, 0], rtol=1e-12)


@pytest.mark.parametrize("diag_reg", [0.0, 0.2])
def test_ensembles(diag_reg: float) -> None:
    fn = predict.gradient_descent_mse_ensemble(KERNEL_FN, X, Y, RATE, diag_reg)
    rate = RATE * T / Y.size
    theta, sigma = ridge(THETA, diag_reg), ridge(SIGMA, diag_reg)
    both = fn(T, Z, None, True)
    assert both._fields == ("nngp", "ntk")
    weights = CROSS @ integral(theta, rate)
    np.testing.assert_allclose(both.ntk.mean, weights @ Y, rtol=1e-9)
    mixed = weights @ SIGMA_TD.T
    covariance = SIGMA_TT + weights @ SIGMA @ weights.T - mixed - mixed.T
    np.testing.assert_allclose(both.ntk.covariance, covariance, rtol=1e-8, atol=1e-10)
    np.testing.assert_allclose(both.nngp.mean, SIGMA_TD @ integral(sigma, rate) @ Y, rtol=1e-9)
    covariance = SIGMA_TT - SIGMA_TD @ integral(sigma, 2 * rate) @ SIGMA_TD.T
    np.testing.assert_allclose(both.nngp.covariance, covariance, rtol=1e-8, atol=1e-10)
    train = fn(T, None, ("ntk", "nngp"), True)
    decay = expm(-theta * rate)
    np.testing.assert_allclose(train.ntk.covariance, decay @ SIGMA @ decay, rtol=1e-8, atol=1e-10)
    np.testing.assert_allclose(
        train.nngp.covariance, sigma @ expm(-2 * sigma * rate), rtol=1e-8, atol=1e-10
    )
    np.testing.assert_allclose(train.ntk.mean, Y - decay @ Y, rtol=1e-8, atol=1e-10)
    times = np.array([1.0, T])
    later = fn(times, Z, "ntk", True)
    assert (later.mean.shape, later.covariance.shape) == ((2, 3, 2), (2, 3, 3))
    np.testing.assert_allclose(later.covariance[1], both.ntk.covariance, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("diag_reg", [0.0, 0.2])
def test_inference(diag_reg: float) -> None:
    theta, sigma = ridge(THETA, diag_reg), ridge(SIGMA, diag_reg)
    fn = predict.gp_inference(KERNEL_FN(X, None, ("nngp", "ntk")), Y, diag_reg)
    cross, alone = KERNEL_FN(Z, X), KERNEL_FN(Z, None, ("nngp", "ntk"))
    found = fn(("ntk", "nngp", "ntkgp"), cross, alone)
    assert found._fields == ("ntk", "nngp", "ntkgp")
    weights = np.linalg.solve(theta, CROSS.T).T
    np.testing.assert_allclose(found.ntk.mean, weights @ Y, rtol=1e-8)
    mixed = weights @ SIGMA_TD.T
    expected = SIGMA_TT + weights @ SIGMA @ weights.T - mixed - mixed.T
    np.testing.assert_allclose(found.ntk.covariance, expected, rtol=1e-8, atol=1e-9)
    expected = SIGMA_TT - SIGMA_TD @ np.linalg.solve(sigma, SIGMA_TD.T)
    np.testing.assert_allclose(found.nngp.covariance, expected, rtol=1e-8, atol=1e-9)
    expected = KERNEL_FN(Z, None, "ntk") - weights @ CROSS.T
    np.testing.assert_allclose(found.ntkgp.covariance, expected, rtol=1e-8, atol=1e-9)
    np.testing.assert_array_equal(fn("nngp", cross), found.nngp.mean)
    at_train = fn("ntk", None, True)
    np.testing.assert_array_equal(at_train.mean, Y)
    assert not at_train.covariance.any()
    old = predict.gp_inference(KERNEL_FN, X, Y, Z, get="nngp", diag_reg=diag_reg, compute_cov=True)
    np.testing.assert_allclose(old.covariance, found.nngp.covariance, rtol=1e-10)
    ensemble = predict.gradient_descent_mse_ensemble(KERNEL_FN, X, Y, diag_reg=diag_reg)
    at_end = ensemble(None, Z, "ntk", compute_cov=True)
    np.testing.assert_allclose(at_end.covariance, found.ntk.covariance, rtol=1e-10)
    with pytest.raises(ValueError, match="needs both kernels in k_train_train"):
        predict.gp_inference(THETA, Y)("ntk", CROSS, alone)


def test_singular_kernels_give_limits() -> None:
    """A point that is there twice: no NaN, and its directions stay as they were."""
    x, y = np.vstack([X, X[:1]]), np.vstack([Y, Y[:1]])
    theta, cross = KERNEL_FN(x, None, "ntk"), KERNEL_FN(Z, x, "ntk")
    fn = predict.gradient_descent_mse(theta, y, RATE)
    reference = predict.gradient_descent_mse(THETA, Y, RATE)(None, None, 0.0, CROSS)
    for t in (None, 1e9, np.inf):
        np.testing.assert_allclose(fn(t, None, 0.0, cross), reference, rtol=1e-5)
    early = fn(1e-6, None, 0.0, cross)
    np.testing.assert_allclose(early, cross @ y * RATE * 1e-6 / y.size, rtol=1e-4)


def test_any_loss() -> None:
    """The mean square error by integration, and with momentum against an exponential."""

    def loss(outputs: Any, targets: Any) -> tuple[float, Any]:
        return 0.5 * np.mean((outputs - targets) ** 2), (outputs - targets) / targets.size

    times = np.array([0.0, 1.0, T])
    closed = predict.gradient_descent_mse(THETA, Y, RATE)
    fn = predict.gradient_descent(loss, THETA, Y, RATE)
    for got, expected in zip(
        fn(times, 0.0, 0.0, CROSS), closed(times, 0.0, 0.0, CROSS), strict=True
    ):
        np.testing.assert_allclose(got, expected, rtol=1e-6, atol=1e-7)
    np.testing.assert_allclose(
        fn(None, 0.0, 0.0, CROSS)[1], closed(None, 0.0, 0.0, CROSS)[1], rtol=1e-4, atol=1e-5
    )
    # (f − y, q)' = [[0, 1], [−Θ/N, −(1 − 0.9)/√rate]]·(f − y, q), over the time √rate·t
    friction, eye = (1 - 0.9) / np.sqrt(RATE), np.eye(6)
    block = np.block([[0 * eye, eye], [-THETA / Y.size, -friction * eye]])
    state = expm(block * np.sqrt(RATE) * T) @ np.vstack([-Y, 0 * Y])
    fn = predict.gradient_descent(loss, THETA, Y, RATE, 0.9)
    found = fn(T, predict.ODEState(0.0))
    np.testing.assert_allclose(found.fx_train, Y + state[:6], rtol=1e-6, atol=1e-7)
    np.testing.assert_allclose(found.qx_train, state[6:], rtol=1e-6, atol=1e-7)
    half = fn(T / 2, predict.ODEState(0.0, 0.0), None, CROSS)
    rest = fn(T / 2, half, None, CROSS)
    np.testing.assert_allclose(rest.fx_train, found.fx_train, rtol=1e-6, atol=1e-7)
    with pytest.raises(ValueError, match="put it into the state"):
        fn(T, half, 0.0, CROSS)


def test_learning_rates() -> None:
    largest = np.linalg.eigvalsh(THETA)[-1]
    found = predict.max_learning_rate(THETA, Y.size, momentum=0.5)
    assert found == pytest.approx(3 * Y.size / largest, rel=1e-10)
    assert predict.max_learning_rate(THETA) == pytest.approx(12 / largest, rel=1e-10)
    assert nk.theory.max_learning_rate(THETA) * Y.size == pytest.approx(found / 1.5, rel=1e-9)


def test_helpers() -> None:
    full = np.arange(2 * 3 * 4 * 5).reshape(2, 3, 4, 5)
    matrix = nt.utils.utils.make_2d(full)
    assert matrix.shape == (8, 15)
    assert matrix[1 * 4 + 2, 2 * 5 + 3] == full[1, 2, 2, 3]
    assert nt.utils.utils.canonicalize_get("NTK") == (True, ("ntk",))

    @nt.utils.utils.get_namedtuple("Pair")
    def both(x: float, get: Any = None) -> dict[str, float]:
        return {"a": x, "b": 2 * x}

    assert both(1.0, "b") == 2.0
    assert both(1.0, ("b", "a")) == (2.0, 1.0)
    assert both(1.0)._fields == ("a", "b")


def test_shapes_that_do_not_fit() -> None:
    expected = r"k_train_train has shape \(6, 6\) and y_train has shape \(4, 1\)"
    loss = lambda f, y: (0.0, f - y)  # noqa: E731
    kernels = KERNEL_FN(X, None, ("nngp", "ntk"))
    with pytest.raises(ValueError, match=expected):
        predict.gradient_descent_mse(THETA, Y[:4, :1])
    with pytest.raises(ValueError, match=expected):
        predict.gradient_descent(loss, THETA, Y[:4, :1])
    with pytest.raises(ValueError, match=expected):
        predict.gp_inference(kernels, Y[:4, :1])("ntk", CROSS)
    with pytest.raises(ValueError, match=expected):
        predict.gradient_descent_mse_ensemble(KERNEL_FN, X, Y[:4, :1])(1.0, Z, "ntk")
    columns = r"k_test_train has shape \(3, 5\), which is 5 columns; expected 6"
    with pytest.raises(ValueError, match=columns):
        predict.gradient_descent_mse(THETA, Y)(1.0, 0.0, 0.0, CROSS[:, :5])
    with pytest.raises(ValueError, match=columns):
        predict.gp_inference(kernels, Y)("ntkgp", CROSS[:, :5])
    with pytest.raises(ValueError, match=columns):
        predict.gradient_descent(loss, THETA, Y)(1.0, 0.0, 0.0, CROSS[:, :5])
