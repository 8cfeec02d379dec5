"""One function of the cosine, against evaluation layer by layer.

A call with many pairs may use the former; blocks of it may use the latter.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import ntkfast as nk
from catalogue import NETWORKS, build
from contract import one_pass_or_two
from tolerances import contract, pair_scale, worst

Array = NDArray[np.floating[Any]]

# 512² pairs times five steps are enough for the first way, 64² are not for a hundred.
N, BLOCK = 512, 64


def unit_rows(dtype: str) -> Array:
    """Return unit vectors, some of them equal, opposite, or close to either."""
    x = np.random.default_rng(0).standard_normal((N, 40))
    x[1], x[2], x[3] = x[0], -x[0], x[0] + 1e-9 * x[5]
    x[4] = -x[0] + 1e-5 * x[6]
    x[10:20] = x[20:30] + np.geomspace(1e-12, 1, 10)[:, None] * x[30:40]
    return (x / np.linalg.norm(x, axis=1, keepdims=True)).astype(dtype)


def in_blocks(kernels: Any, x: Array) -> list[Array]:
    """Return kernels among the rows of x, of which a function gives some at a time."""
    parts = [x[i : i + BLOCK] for i in range(0, N, BLOCK)]
    # A row meets itself in a call with one argument alone, which is where Dropout differs.
    rows = [[tuple(kernels(a) if a is b else kernels(a, b)) for b in parts] for a in parts]
    return [
        np.concatenate([np.concatenate([part[k] for part in row], axis=-1) for row in rows], -2)
        for k in range(len(rows[0][0]))
    ]


def differences(net: Any, x: Array) -> list[float]:
    """Return the largest differences between both ways, for NNGP and NTK, relative to the rows."""
    pairs = zip(net.kernels(x), in_blocks(net.kernels, x), strict=True)
    return [worst(a, b, pair_scale(np.diag(a), np.diag(a))) for a, b in pairs]


def layer_by_layer(net: Any, x: Array) -> bool:
    """Whether both ways are one: above the diagonal, pairs stand in the same order in both."""
    above = np.triu_indices(N, 1)
    pairs = zip(net.kernels(x), in_blocks(net.kernels, x), strict=True)
    return all(np.array_equal(whole[above], blocks[above]) for whole, blocks in pairs)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", NETWORKS)
def test_rows_of_one_norm(name: str, dtype: str) -> None:
    assert max(differences(build(NETWORKS[name]), unit_rows(dtype))) < contract(dtype)


def test_most_networks_take_the_short_way() -> None:
    x = unit_rows("float64")
    assert sum(not layer_by_layer(build(net), x) for net in NETWORKS.values()) >= len(NETWORKS) / 2


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("depth", [3, 10, 30, 100])
def test_one_kernel_alone_has_the_bits_that_it_has_beside_the_other(depth: int, dtype: str) -> None:
    one_pass_or_two(nk.mlp(depth, nk.Relu(), w_std=1.4), unit_rows(dtype))
    one_pass_or_two(nk.mlp(depth, nk.Erf(), w_std=1.4, b_std=0.1), unit_rows(dtype))


@pytest.mark.parametrize("depth", [2, 3, 30, 100])
def test_homogeneous_networks_at_any_norms(depth: int) -> None:
    net = nk.mlp(depth, nk.LeakyRelu(0.2), w_std=1.4)
    x = unit_rows("float64") * np.geomspace(1e-100, 1e100, N)[:, None]
    x[7] = 0
    whole, blocks = net.ntk(x), in_blocks(net.kernels, x)[1]
    assert worst(whole, blocks, pair_scale(np.diag(whole), np.diag(whole))) < contract("float64")
    assert not layer_by_layer(net, x)


def test_functions_that_are_constant() -> None:
    net = nk.Serial(*nk.mlp(3, nk.Relu()).layers, nk.Abs(), nk.Dense(w_std=0.0, b_std=2.0))
    x = unit_rows("float64")
    np.testing.assert_allclose(net.nngp(x), 4.0, rtol=1e-15)
    np.testing.assert_allclose(net.ntk(x), 4.0, rtol=1e-15)


def test_duplicates_and_opposites_keep_their_values() -> None:
    x = unit_rows("float64")
    nngp, ntk = nk.mlp(3, nk.Abs(), w_std=1.1).kernels(x)
    for kernel in (nngp, ntk):
        np.testing.assert_allclose(kernel[0, [1, 2]], kernel[0, 0], rtol=1e-15)


def test_rows_of_zeros_beside_a_bias_have_constants_of_their_own() -> None:
    net, x = nk.mlp(3, nk.Relu(), b_std=0.5), unit_rows("float64")
    x[7] = 0
    assert layer_by_layer(net, x)


def test_nearly_one_norm_is_not_one_norm() -> None:
    net, x = nk.mlp(3, nk.Relu(), b_std=0.5), unit_rows("float64")
    x[7] *= 1 + 1e-12
    assert layer_by_layer(net, x)


def test_functions_that_no_short_series_resolves_go_layer_by_layer() -> None:
    net, x = nk.mlp(40, nk.Erf(), w_std=4.0), unit_rows("float64")
    assert layer_by_layer(net, x)


def test_functions_known_by_their_values() -> None:
    x = unit_rows("float64")
    # Both ways run the same fit; that of the norms of a block may differ by what a fit leaves out.
    assert max(differences(nk.mlp(2, nk.Tanh(), w_std=1.5, b_std=0.1), x)) < 1e-11


def test_all_depths() -> None:
    net, x = nk.mlp(6, nk.Erf(), w_std=1.5, b_std=0.1), unit_rows("float64")
    whole = nk.ntk_by_depth(net, x)
    [blocks] = in_blocks(lambda *points: [nk.ntk_by_depth(net, *points)], x)
    for large, small in zip(whole, blocks, strict=True):
        assert worst(large, small, pair_scale(np.diag(large), np.diag(large))) < contract("float64")


@pytest.mark.parametrize("threads", [1, 3])
def test_any_number_of_threads_gives_the_same_bits(threads: int) -> None:
    net, x = nk.mlp(3, nk.Gelu(), w_std=1.5, b_std=0.1), unit_rows("float64")
    before = nk.num_threads()
    expected = net.ntk(x)
    try:
        nk.set_num_threads(threads)
        np.testing.assert_array_equal(net.ntk(x), expected)
    finally:
        nk.set_num_threads(before)
