"""Networks of finite width: values by hand, limits, shapes, seeds, error messages."""

import builtins
import math
import pickle
import tracemalloc

import numpy as np
import pytest

import ntkfast as nk
from ntkfast.finite import _blocks
from refusals import assert_refused
from test_three_points import NETWORK, POINTS, THETA

X = np.array([[1.1, -0.4], [0.8, 0.5], [-0.9, 0.7]])
NET = nk.mlp(2, nk.Erf(), w_std=1.3, b_std=0.2)


def test_the_output_is_the_formula():
    net = nk.finite.init(nk.mlp(1, nk.Tanh(), w_std=1.3, b_std=0.2), 2, 7, width=5)
    w, b, v, c = (net.parameters[place] for place in net.groups.values())
    hidden = np.tanh(1.3 / math.sqrt(2) * X @ w.reshape(2, 5) + 0.2 * b)
    expected = 1.3 / math.sqrt(5) * hidden @ v + 0.2 * c
    np.testing.assert_allclose(net.forward(X), expected, rtol=1e-14)
    np.testing.assert_allclose(
        net.nngp(X), 1.3**2 / 5 * hidden @ hidden.T + 0.2**2, rtol=1e-14, atol=1e-15
    )
    (before,) = net.preactivations(X).values()
    np.testing.assert_allclose(np.tanh(before), hidden, rtol=1e-14)


def test_the_standard_parameterization_keeps_its_weights_as_they_are():
    network = nk.mlp(1, nk.Tanh(), w_std=1.3, b_std=0.2, width=5, parameterization="standard")
    net = nk.finite.init(network, 2, 7)
    w, b, v, c = (net.parameters[place] for place in net.groups.values())
    np.testing.assert_allclose(net.forward(X), np.tanh(X @ w.reshape(2, 5) + b) @ v + c, rtol=1e-14)
    # The same draws as in the other parameterization: the same function.
    other = nk.finite.init(nk.mlp(1, nk.Tanh(), w_std=1.3, b_std=0.2, width=5), 2, 7)
    np.testing.assert_allclose(net.forward(X), other.forward(X), rtol=1e-13)


def test_groups_are_called_as_the_summary_calls_layers():
    net = nk.finite.init(
        nk.Serial(nk.Dense(4), nk.Residual(nk.Relu(), nk.Dense(b_std=0.1)), nk.Dense()), 3, 0
    )
    assert net.groups == {
        "layer 1 (Dense) weights": slice(0, 12),
        "layer 2 (Dense) of layer 2 (Residual) weights": slice(12, 28),
        "layer 2 (Dense) of layer 2 (Residual) biases": slice(28, 32),
        "layer 3 (Dense) weights": slice(32, 36),
    }
    named = {row.layer for row in net.network.summary().rows}
    assert {name.rsplit(" ", 1)[0] for name in net.groups} <= named
    assert net.n_parameters == 36
    assert "36 parameters" in repr(net)


def test_the_three_points_at_width_10_000():
    """Within 2 % (one standard deviation is 1 % at the third point), and right in the mean."""
    gaps = np.array(
        [nk.finite.init(NETWORK, 2, s, width=10_000).ntk(POINTS) / THETA - 1 for s in range(10)]
    )
    assert np.median(abs(gaps).max(axis=(1, 2))) < 0.02
    assert np.all(abs(gaps.mean(axis=0)) < 4 * gaps.std(axis=0, ddof=1) / math.sqrt(len(gaps)))
    assert abs(gaps[0]).max() < 0.02


def test_kernels_of_one_hidden_layer_are_right_in_the_mean_at_any_width():
    network = nk.mlp(1, nk.Relu(), w_std=1.4, b_std=0.3)
    sampled = nk.finite.monte_carlo_kernels(network, X, X[:2], n_samples=2000, seed=0, width=4)
    exact = network.kernels(X, X[:2])
    for got, error, value in (
        (sampled.nngp, sampled.nngp_error, exact.nngp),
        (sampled.ntk, sampled.ntk_error, exact.ntk),
    ):
        assert got.shape == (3, 2)
        assert np.all(abs(got - value) < 4 * error)
        assert np.all(error < 0.05 * value.max())


def test_outputs_become_independent_as_width_grows():
    """Θ → Θ ⊗ I: what is off the diagonal of outputs falls like 1/√width, for every seed."""
    widths, exact = np.array([32, 128, 512]), NET.ntk(X)
    slopes = []
    for seed in range(8):
        errors = []
        for width in widths:
            full = nk.finite.init(NET, 2, seed, width=width, output_dim=3).ntk(X, full=True)
            gap = full - exact[:, :, None, None] * np.eye(3)
            errors.append(np.sqrt((gap**2).mean()))
        slopes.append(np.polyfit(np.log(widths), np.log(errors), 1)[0])
    error = np.std(slopes, ddof=1) / math.sqrt(len(slopes))
    assert abs(np.mean(slopes) + 0.5) < 4 * error < 0.3


def test_two_copies_begin_at_zero_and_have_the_kernel_of_one():
    one = nk.finite.init(NET, 2, 3, width=20, output_dim=2)
    both = nk.finite.init(NET, 2, 3, width=20, output_dim=2, zero_output=True)
    assert not both.forward(X).any()
    assert both.n_parameters == 2 * one.n_parameters
    np.testing.assert_allclose(both.ntk(X, full=True), one.ntk(X, full=True), rtol=1e-13)
    np.testing.assert_allclose(both.nngp(X), one.nngp(X), rtol=1e-13)
    # Later each copy has parameters of its own.
    p = both.parameters + np.random.default_rng(0).standard_normal(both.n_parameters)
    first, second = (one.with_parameters(half) for half in np.split(p, 2))
    expected = (first.forward(X) - second.forward(X)) / math.sqrt(2)
    np.testing.assert_allclose(both.with_parameters(p).forward(X), expected, rtol=1e-13)
    kernel = 0.5 * (first.ntk(X) + second.ntk(X))
    np.testing.assert_allclose(both.with_parameters(p).ntk(X), kernel, rtol=1e-13)
    assert next(iter(both.groups)) == "layer 1 (Dense) of copy 1 weights"


@pytest.mark.parametrize("output_dim", [None, 3])
def test_blocks_of_rows_change_nothing(monkeypatch, rng, output_dim):
    x = rng.standard_normal((40, 2))
    net = nk.finite.init(NET, 2, 0, width=8, output_dim=output_dim)
    residual = rng.standard_normal(net.forward(x).shape)

    def everything():
        yield from (net.forward(x), net.jacobian(x), net.ntk(x, full=True), net.ntk(x, x[:19]))
        yield from (net.gradient(x, residual), net.derivative(x, net.parameters), net.nngp(x))
        yield from (net.ntk(x, diagonal=True), net.ntk(x), net.nngp(x[:20], x))

    whole = list(everything())
    monkeypatch.setattr(_blocks, "_BUDGET", 1)  # the least: 16 rows at a time
    for got, expected in zip(everything(), whole, strict=True):
        np.testing.assert_allclose(got, expected, rtol=1e-12, atol=1e-12 * abs(expected).max())
    for kernel in (net.ntk(x), net.nngp(x)):
        np.testing.assert_array_equal(kernel, kernel.T)
    full = net.ntk(x, full=True)
    np.testing.assert_array_equal(full, full.transpose(1, 0, 3, 2))


def test_the_ntk_takes_far_less_memory_than_the_jacobian(rng):
    net = nk.finite.init(NET, 2, 0, width=300)
    x = rng.standard_normal((100, 2))
    tracemalloc.start()
    net.ntk(x)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 8 * len(x) * net.n_parameters / 20


def test_a_jacobian_beyond_memory_is_refused_with_what_it_takes():
    net = nk.finite.init(nk.mlp(1), 1, 0, width=100_000)
    with pytest.raises(MemoryError, match=r"200000 parameters takes 1,600 GB.*ntk, gradient"):
        net.jacobian(np.ones((1_000_000, 1)))


def test_a_seed_is_a_network():
    def drawn(seed, width=6):
        return nk.finite.init(NET, 2, seed, width=width).parameters

    np.testing.assert_array_equal(drawn(5), drawn(5))
    np.testing.assert_array_equal(drawn(5), drawn(np.random.default_rng(5)))
    np.testing.assert_array_equal(drawn(np.random.SeedSequence(5)), drawn(5))
    assert np.all(drawn(5) != drawn(6))
    few, many = (
        nk.finite.monte_carlo_kernels(NET, X, n_samples=n, seed=5, width=6) for n in (2, 3)
    )
    third = nk.finite.monte_carlo_kernels(NET, X, n_samples=3, seed=5, width=6)
    np.testing.assert_array_equal(many.ntk, third.ntk)
    assert not np.array_equal(few.ntk, many.ntk)


def test_monte_carlo_is_mean_and_standard_error():
    rng, calls = np.random.default_rng(5), []
    draws = [nk.finite.init(NET, 2, rng, width=6) for _ in range(7)]
    sampled = nk.finite.monte_carlo_kernels(
        NET, X, n_samples=7, seed=5, width=6, progress=lambda *call: calls.append(call)
    )
    for name in ("nngp", "ntk"):
        kernels = np.array([getattr(net, name)(X) for net in draws])
        error = kernels.std(axis=0, ddof=1) / math.sqrt(7)
        np.testing.assert_allclose(getattr(sampled, name), kernels.mean(axis=0), rtol=1e-13)
        np.testing.assert_allclose(getattr(sampled, f"{name}_error"), error, rtol=1e-12)
    assert calls == [(i, 7) for i in range(1, 8)]
    assert "7 networks" in repr(sampled)


def test_networks_are_values():
    net = nk.finite.init(NET, 2, 5, width=6, zero_output=True)
    twin = pickle.loads(pickle.dumps(net))
    np.testing.assert_array_equal(twin.ntk(X), net.ntk(X))
    assert twin.groups == net.groups
    for each in (net, twin, net.with_parameters(net.parameters)):
        with pytest.raises(ValueError, match="read-only"):
            each.parameters[0] = 1.0
    moved = net.with_parameters(np.zeros(net.n_parameters))
    assert moved.ntk(X)[0, 0] != net.ntk(X)[0, 0]
    assert net.forward(X[:0]).shape == (0,)
    assert net.ntk(X[:0], X).shape == (0, 3)
    np.testing.assert_allclose(net.ntk(X.astype(np.float32)), net.ntk(X), rtol=1e-6)


def test_frozen_layers_keep_their_own():
    frozen = nk.Serial(nk.Dense(6, trainable=False, b_std=0.3), nk.Relu(), nk.Dense())
    net = nk.finite.init(frozen, 2, 0)
    assert list(net.groups) == ["layer 3 (Dense) weights"]
    np.testing.assert_allclose(net.ntk(X), net.nngp(X), rtol=1e-13)
    assert net.with_parameters(np.zeros(6)).nngp(X)[0, 0] == net.nngp(X)[0, 0]


def test_dropout_is_a_function_of_the_point():
    network = nk.Serial(nk.Dense(20_000), nk.Dropout(keep=0.7), nk.Identity())
    kept = nk.finite.init(network, 2, 0).forward(X) != 0
    np.testing.assert_allclose(kept.mean(axis=1), 0.7, atol=5 * math.sqrt(0.21 / 20_000))
    shares = kept.astype(float) @ kept.T / 20_000
    np.testing.assert_allclose(shares[np.triu_indices(3, 1)], 0.49, atol=5 * 0.5 / 141)
    np.testing.assert_array_equal(nk.finite.init(network, 2, 0).forward(X[::-1]) != 0, kept[::-1])
    other = nk.finite.init(network, 2, 1).forward(X) != 0
    np.testing.assert_allclose((kept & other).mean(axis=1), 0.49, atol=5 * 0.5 / 141)


def test_activation_patterns_are_the_sides_of_kinks():
    kinked = [nk.Relu(), nk.Hardtanh(), nk.Tanh()]
    layers = [layer for phi in kinked for layer in (nk.Dense(4, b_std=0.5), phi)]
    net = nk.finite.init(nk.Serial(*layers, nk.Dense()), 2, 0)
    relu, hard, _ = net.preactivations(X).values()
    expected = np.concatenate([relu > 0, hard > -1, hard > 1], axis=1)
    np.testing.assert_array_equal(net.activation_pattern(X), expected)
    smooth = nk.finite.init(NET, 2, 0, width=4)
    assert smooth.activation_pattern(X).shape == (3, 0)


def test_an_elementwise_without_derivative_takes_differences():
    def given(derivative):
        phi = nk.Elementwise(np.arctan, derivative)
        return nk.finite.init(nk.mlp(2, phi, w_std=1.5), 2, 0, width=10).jacobian(X)

    exact = given(lambda x: 1 / (1 + x**2))
    np.testing.assert_allclose(given(None), exact, rtol=0, atol=1e-9 * abs(exact).max())

    def in_place(x):
        return np.clip(x, -0.5, 0.5, out=x)

    clipped = nk.finite.init(nk.Serial(nk.Dense(5), nk.Elementwise(in_place)), 2, 0)
    assert abs(clipped.preactivations(X)["layer 2 (Elementwise)"]).max() > 0.5


def test_widths_of_joins_follow_from_each_other():
    def outputs(network, **keywords):
        return nk.finite.init(network, 3, 0, **keywords).forward(np.ones((2, 3))).shape

    end = nk.Residual(nk.Relu(), nk.Dense())
    assert outputs(nk.Serial(nk.Dense(), end), output_dim=4) == (2, 4)
    assert outputs(nk.Sum(nk.Dense(), nk.Serial(nk.Dense(7), nk.Relu(), nk.Dense(5)))) == (2, 5)
    assert outputs(nk.Sum(nk.Identity(), nk.Dense())) == (2, 3)
    halves = nk.Serial(nk.Dense(6), nk.Relu(), nk.Concatenate(nk.Dense(), nk.Dense()))
    assert outputs(halves, output_dim=8) == (2, 8)
    assert outputs(nk.Concatenate(nk.Dense(2), nk.Dense(3))) == (2, 5)
    assert outputs(nk.Dense(1)) == outputs(nk.Dense()) == (2,)
    assert outputs(nk.Dense(), output_dim=1) == (2, 1)
    assert outputs(nk.Serial(nk.Dense(), nk.Abs()), output_dim=2) == (2, 2)


HALVES = nk.Concatenate(nk.Dense(), nk.Dense())


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: nk.finite.init(NET, 2, 0), ValueError, ["layer 1 (Dense) has no width", "width="]),
        (lambda: nk.finite.init(nk.Relu, 2, 0), TypeError, ["Relu()"]),
        (lambda: nk.finite.init(NET, (2, 2), 0), ValueError, ["input_shape is (2, 2)", "vectors"]),
        (lambda: nk.finite.init(NET, 2.0, 0), TypeError, ["input_shape is 2.0"]),
        (lambda: nk.finite.init(NET, 2, None), TypeError, ["seed is None", "integer"]),
        (lambda: nk.finite.init(NET, 2, -1), ValueError, ["seed is -1"]),
        (lambda: nk.finite.init(NET, 2, 0, width=0), ValueError, ["width is 0"]),
        (lambda: nk.finite.init(NET, 2, 0, zero_output=1), TypeError, ["zero_output is 1"]),
        (
            lambda: nk.finite.init(nk.Dense(3), 2, 0, output_dim=2),
            ValueError,
            ["output_dim is 2", "determines 3 outputs"],
        ),
        (
            lambda: nk.finite.init(nk.Serial(nk.Sum(nk.Identity(), nk.Dense(5))), 2, 0),
            ValueError,
            ["layer 2 (Dense) of layer 1 (Sum) has width 5", "2 outputs"],
        ),
        (lambda: nk.finite.init(HALVES, 2, 0, output_dim=3), ValueError, ["3 outputs", "2 bran"]),
        (
            lambda: nk.finite.init(nk.Serial(nk.Dense(2), nk.ExpNormalized()), 2, 0),
            ValueError,
            ["ExpNormalized", "not a function"],
        ),
        (lambda: SMALL.forward([[1.0]]), ValueError, ["x has 1 features", "expected 2"]),
        (lambda: SMALL.ntk(X, [[1.0, np.nan]]), ValueError, ["x2 has a NaN at index 0, 1"]),
        (lambda: SMALL.ntk(X, X, diagonal=True), ValueError, ["takes no x2"]),
        (lambda: SMALL.with_parameters([1.0]), ValueError, ["parameters has shape (1,)"]),
        (lambda: SMALL.derivative(X, [1.0]), ValueError, ["direction has shape (1,)"]),
        (lambda: SMALL.gradient(X, [1.0]), ValueError, ["residual has shape (1,)", "(3,)"]),
        (
            lambda: nk.finite.monte_carlo_kernels(NET, X, n_samples=1, seed=0, width=3),
            ValueError,
            ["n_samples is 1"],
        ),
    ],
)
def test_refusals_say_what_to_do(call, error, words):
    assert_refused(call, error, words)


SMALL = nk.finite.init(NET, 2, 0, width=3)


@pytest.mark.parametrize(
    ("phi", "size"), [(nk.Relu(), 1e200), (nk.Exp(), 1e4), (nk.Monomial(3), 1e150)]
)
@pytest.mark.parametrize("method", ["ntk", "jacobian", "nngp", "forward"])
def test_overflow_is_an_error_and_no_infinity(phi, size, method):
    network = nk.Serial(nk.Dense(40), phi, nk.Dense(30, w_std=1e200), nk.Dense())
    net = nk.finite.init(network, 1, 0)
    with pytest.raises(nk.NumericalError, match="range of a float"):
        getattr(net, method)(np.array([[size], [1.0]]))


def test_rows_of_zeros_have_no_direction_to_normalise():
    net = nk.finite.init(nk.Serial(nk.Dense(4), nk.LayerNorm(0.0), nk.Relu(), nk.Dense()), 2, 0)
    zero, tiny, plain = np.array([[0.0, 0.0]]), np.array([[1e-200, 0.0]]), np.array([[1.0, 0.0]])
    assert not net.ntk(zero, plain).any()
    assert not net.forward(zero).any()
    np.testing.assert_allclose(net.forward(tiny), net.forward(plain), rtol=1e-13)


@pytest.mark.parametrize("phi", [nk.Erf(), nk.Gelu(), nk.SigmoidLike()])
def test_without_scipy_the_extra_is_named(monkeypatch, phi):
    real = builtins.__import__

    def missing(name, *args, **kwargs):
        if name.startswith("scipy"):
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", missing)
    with pytest.raises(ImportError, match=rf"{type(phi).__name__} .*ntkfast\[scipy\]"):
        nk.finite.init(nk.mlp(1, phi), 2, 0, width=3)
    assert nk.finite.init(nk.mlp(1, nk.Relu()), 2, 0, width=3).ntk(X).shape == (3, 3)
