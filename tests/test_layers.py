"""Parameterizations, joins, normalisation, dropout: values by hand, and rejected arguments."""

import math
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import ntkfast as nk
from contract import same_bits
from tolerances import CONTRACT, pair_scale, worst

# Two features; variances 1, 1 and 4, the second row orthogonal to the others.
X = np.array([[1.0, 1.0], [1.0, -1.0], [2.0, 2.0]])
K = X @ X.T / 2
A = nk.Serial(nk.Dense(w_std=1.3, b_std=0.2), nk.Relu(), nk.Dense(w_std=1.1))


def assert_kernel(got: NDArray[np.float64], expected: Any) -> None:
    scale = np.diagonal(expected)
    assert worst(got, expected, pair_scale(scale, scale)) <= CONTRACT["float64"]


def kappa0(k: NDArray[np.float64]) -> NDArray[np.float64]:
    """E[φ'φ'] of ReLU, from the definition: the probability that both are positive."""
    p = np.diagonal(k)
    angle = np.arctan2(np.sqrt(np.maximum(np.outer(p, p) - k**2, 0)), k)
    return 0.5 - angle / (2 * math.pi)


# Frozen layers


@pytest.mark.parametrize("b_std", [None, 0.3])
def test_a_trained_readout_alone_has_the_nngp(b_std: float | None) -> None:
    x = np.random.default_rng(0).normal(size=(30, 4))
    frozen = nk.Dense(w_std=1.4, b_std=b_std, trainable=False)
    layers = [frozen, nk.Relu(), frozen, nk.Residual(nk.Erf(), frozen), nk.Gelu()]
    network = nk.Serial(*layers, nk.Dense(w_std=1.4, b_std=b_std))
    for kernels in (
        network.kernels(x),
        network.kernels(x, x[:7]),
        network.kernels(x, diagonal=True),
    ):
        assert same_bits(kernels.ntk, kernels.nngp)


def test_fixed_first_and_last_layers() -> None:
    # Arora et al. (2020), arXiv:1910.01663, section 3: the sum runs over trained layers alone.
    free, fixed = nk.Dense(), nk.Dense(trainable=False)
    hidden = nk.Serial(nk.Dense(), nk.Relu()).nngp(X)
    assert_kernel(nk.Serial(fixed, nk.Relu(), free).ntk(X), hidden)
    assert_kernel(nk.Serial(free, nk.Relu(), fixed).ntk(X), K * kappa0(K))
    both = nk.Serial(fixed, nk.Relu(), free, nk.Relu(), fixed)
    assert_kernel(both.ntk(X), hidden * kappa0(hidden))


@pytest.mark.parametrize("parameterization", ["ntk", "standard"])
def test_a_network_of_frozen_layers_has_no_ntk(parameterization: str) -> None:
    dense = nk.Dense(w_std=1.3, b_std=0.2, parameterization=parameterization, trainable=False)
    x = np.concatenate([X, np.zeros((1, 2))])
    branch = nk.Serial(nk.LayerNorm(0.0), nk.Relu(), nk.Dropout(keep=0.5), dense)
    network = nk.Serial(dense, nk.Product(branch, branch), dense, nk.Concatenate(branch, nk.Relu()))
    nngp, ntk = network.kernels(x)
    assert np.all(np.isfinite(nngp))
    assert not np.any(ntk)
    assert not np.any(network.ntk(x, diagonal=True))


# The standard parameterization


def test_standard_kernels_grow_with_the_fan_in() -> None:
    standard = nk.Dense(50, w_std=3, b_std=2, parameterization="standard")
    assert_kernel(standard.nngp(X), 9 * K + 4)
    assert_kernel(standard.ntk(X), X @ X.T + 1)  # ∂z/∂W is x, ∂z/∂b is 1
    readout = nk.Dense(w_std=2, parameterization="standard")
    hidden = nk.Serial(standard, nk.Relu()).nngp(X)
    ntk = nk.Serial(standard, nk.Relu(), readout).ntk(X)
    assert_kernel(ntk, 50 * hidden + 4 * kappa0(9 * K + 4) * (X @ X.T + 1))


def test_a_bias_that_starts_at_zero_is_trained_in_the_standard_parameterization_only() -> None:
    zero = nk.Dense(w_std=3, b_std=0, parameterization="standard")
    assert_kernel(zero.ntk(X), X @ X.T + 1)
    assert_kernel(nk.Dense(w_std=3, parameterization="standard").ntk(X), X @ X.T)
    assert_kernel(nk.Dense(w_std=3, b_std=0).ntk(X), 9 * K)


def test_the_fan_in_is_the_width_of_the_last_dense_layers() -> None:
    readout = nk.Dense(w_std=0, parameterization="standard")  # its own gradient alone
    through = (
        nk.Relu(),
        nk.Dropout(keep=1.0),
        nk.Dense(7),
        nk.LayerNorm(),
        nk.Identity(),
        nk.Relu(),
    )
    layers = (nk.Dense(), *through)
    assert_kernel(nk.Serial(*layers, readout).ntk(X), 7 * nk.Serial(*layers).nngp(X))
    beside = nk.Concatenate(
        nk.Dense(3), nk.Serial(nk.Dense(5), nk.Concatenate(nk.Relu(), nk.Abs()))
    )
    assert_kernel(nk.Serial(beside, readout).ntk(X), 13 * beside.nngp(X))
    with_input = nk.Concatenate(nk.Identity(), nk.Dense(6, w_std=2))
    assert_kernel(with_input.nngp(X), (2 * K + 6 * 4 * K) / 8)  # two features
    assert_kernel(nk.Serial(with_input, readout).ntk(X), 8 * with_input.nngp(X))
    # What a branch does not say, the other does: they are added neuron by neuron.
    block = nk.Serial(nk.Dense(9), nk.Residual(nk.Relu(), nk.Dense()))
    assert_kernel(nk.Serial(block, readout).ntk(X), 9 * block.nngp(X))


def test_rows_of_zeros_behind_a_bias_that_starts_at_zero_are_equal_rows() -> None:
    x = np.concatenate([np.zeros((2, 40)), np.random.default_rng(0).normal(size=(3, 40))])
    dense = nk.Dense(20, b_std=0, parameterization="standard")
    for few in (x, x[:, :3]):  # as differences and as products
        nngp, ntk = nk.Serial(dense, nk.Relu(), dense, nk.Relu(), dense).kernels(few)
        assert not np.any(nngp[:2])
        # ReLU' is 0 or 1 with equal odds, independent of its value for other rows: 1 + (1 + 1/2)/2.
        np.testing.assert_allclose(ntk[:2, :2], 1.75, rtol=1e-15)
        assert np.linalg.eigvalsh(ntk)[0] >= -1e-13 * np.trace(ntk)


def test_mlp_passes_its_parameterization_on() -> None:
    net = nk.mlp(1, nk.Erf(), width=8, parameterization="standard")
    dense = nk.Dense(8, parameterization="standard")
    assert net == nk.Serial(dense, nk.Erf(), nk.Dense(parameterization="standard"))


# Joins


def test_products_of_linear_networks() -> None:
    square = nk.Product(nk.Dense(), nk.Dense(w_std=2))
    assert_kernel(square.nngp(X), 4 * K**2)
    assert_kernel(square.ntk(X), 2 * 4 * K**2)
    cube = nk.Product(nk.Dense(), nk.Dense(b_std=1), nk.Identity())
    assert_kernel(cube.nngp(X), K**2 * (K + 1))
    assert_kernel(cube.ntk(X), K**2 * (K + 1) + K**2 * (K + 1))


def test_products_do_not_overflow_on_the_way() -> None:
    x = np.array([[1e100, 2e100], [1e100, -1e100]])
    small = nk.Dense(w_std=1e-60)
    assert_kernel(nk.Product(small, small).nngp(x), ((x / 1e60) @ (x / 1e60).T / 2) ** 2)
    large = nk.Serial(nk.Dense(), nk.Product(nk.Dense(), nk.Dense()))
    assert_kernel(
        nk.Serial(large, nk.Dense(w_std=1e-120)).nngp(x), ((x / 1e60) @ (x / 1e60).T / 2) ** 2
    )
    with pytest.raises(nk.NumericalError, match=r"sample 0 .*layer 2 \(Product\)"):
        large.ntk(x)


def test_concatenations_are_weighted_by_width() -> None:
    assert_kernel(nk.Concatenate(nk.Dense(), nk.Dense(w_std=2)).ntk(X), 2.5 * K)
    assert_kernel(nk.Concatenate(nk.Dense(1), nk.Dense(3, w_std=2)).ntk(X), (1 + 3 * 4) / 4 * K)
    pair = nk.Concatenate(nk.Dense(), nk.Dense(w_std=2))
    assert_kernel(nk.Concatenate(pair, nk.Dense(w_std=3)).nngp(X), (1 + 4 + 9) / 3 * K)
    frozen = nk.Dense(1, w_std=2, trainable=False)
    assert_kernel(nk.Concatenate(frozen, nk.Dense(3)).ntk(X), 3 / 4 * K)


@pytest.mark.parametrize(("join", "factors"), [(nk.Sum, (2, 2)), (nk.Concatenate, (1, 1))])
def test_equal_branches_have_weights_of_their_own(join: Any, factors: tuple[int, int]) -> None:
    for got, factor, one in zip(join(A, A).kernels(X), factors, A.kernels(X), strict=True):
        assert_kernel(got, factor * one)


def test_equal_branches_call_a_function_once() -> None:
    calls = []

    def arctan(x: NDArray[np.float64]) -> NDArray[np.float64]:
        calls.append(len(x))
        return np.arctan(x)

    branch = nk.Serial(nk.Dense(), nk.Elementwise(arctan), nk.Dense())
    one = branch.nngp(X)
    once = len(calls)
    calls.clear()
    assert_kernel(nk.Sum(branch, branch, branch).nngp(X), 3 * one)
    assert len(calls) == once


# Normalisation and dropout


def test_layer_norm_divides_by_the_standard_deviation() -> None:
    dense = nk.Dense(w_std=3)
    x = np.concatenate([X, np.zeros((1, 2)), [[1e-200, 0.0]]])
    k = nk.Serial(dense, nk.LayerNorm(0.0)).nngp(x)
    half = math.sqrt(0.5)
    row = [1.0, 0.0, 1.0, 0.0, half]
    other = [0.0, 1.0, 0.0, 0.0, half]
    assert_kernel(k, [row, other, row, [0.0] * 5, [half, half, half, 0.0, 1.0]])
    norm = np.sqrt(9 * np.diagonal(K) + 0.5)
    nngp, ntk = nk.Serial(dense, nk.LayerNorm(0.5), nk.Dense(w_std=2)).kernels(X)
    assert_kernel(nngp, 4 * 9 * K / np.outer(norm, norm))
    assert_kernel(ntk, 2 * 4 * 9 * K / np.outer(norm, norm))


def test_dropout_acts_where_a_sample_meets_itself() -> None:
    network = nk.Serial(nk.Dense(w_std=3), nk.Dropout(keep=0.25), nk.Dense(w_std=2))
    twice = np.concatenate([X, X[:1]])
    k = 9 * twice @ twice.T / 2
    dropped = k + 3 * np.diag(np.diagonal(k))
    for got, factor in zip(network.kernels(twice), (4, 8), strict=True):
        assert_kernel(got, factor * dropped)
    assert_kernel(
        network.nngp(twice, diagonal=True)[:, None] * np.eye(4), 16 * np.diag(np.diagonal(k))
    )
    scale = 4 * pair_scale(np.diagonal(k), np.diagonal(k))
    assert worst(network.nngp(twice, twice.copy()), 4 * k, scale) <= CONTRACT["float64"]
    np.testing.assert_array_equal(network.nngp(twice, twice), network.nngp(twice))
    certain = nk.Serial(nk.Dense(w_std=3), nk.Dropout(keep=1.0))
    assert_kernel(certain.nngp(X), 9 * K)
