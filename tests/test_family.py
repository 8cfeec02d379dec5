"""All depths, and all numbers of frozen first layers, in one pass."""

from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mpmath import mp, mpf, workdps
from numpy.typing import NDArray

import ntkfast as nk
from catalogue import BIASED, DENSE, Description, build
from contract import Points, same_bits
from reference import evaluator
from strategies import activations, dense, point_sets
from tolerances import contract, exact_error, pair_scale, worst

BY_DEPTH = {"ntk": nk.ntk_by_depth, "nngp": nk.nngp_by_depth}
FAMILIES = [nk.ntk_by_depth, nk.nngp_by_depth, nk.ntk_by_frozen]
NETWORK = nk.mlp(2, nk.Relu(), w_std=1.4, b_std=0.1)
GOOD = np.arange(12.0).reshape(4, 3)


@st.composite
def perceptrons(draw: st.DrawFn) -> Description:
    """Dense layers with or without an activation between them."""
    layers = [draw(dense())]
    for _ in range(draw(st.integers(0, 4))):
        if draw(st.booleans()):
            kind, *layer = activation = draw(activations())
            layers += layer if kind == "serial" else [activation]
        layers.append(draw(dense()))
    return ["serial", *layers]


def cut(description: Description) -> list[Description]:
    """Return the networks of every depth, the shallowest first."""
    _, *layers = description
    ends = [i for i, (kind, *_) in enumerate(layers) if kind == "dense"]
    return [["serial", *layers[:end], layers[-1]] for end in ends]


def textbook(description: Description, frozen: int, x: Any, y: Any) -> tuple[Any, Any, Any]:
    """Return T(x, y), T(x, x), T(y, y) with the first dense layers frozen: no T before them."""

    def tangent(a: Any, b: Any) -> Any:
        m, left = evaluator.moments(a, b), frozen
        for layer in description[1:]:
            m = evaluator.propagate(layer, m)
            if layer[0] == "dense" and left:
                m, left = replace(m, ntk=mpf(0)), left - 1
        return m.ntk

    return tangent(x, y), tangent(x, x), tangent(y, y)


@given(perceptrons(), point_sets(), st.sampled_from([np.float64, np.float32]))
def test_each_depth_has_the_bits_of_the_network_cut_and_closed(
    description: Description, x: Points, dtype: Any
) -> None:
    net, x = build(description), x.astype(dtype)
    for name, by_depth in BY_DEPTH.items():
        for arguments, options in (((x,), {}), ((x, x[::2]), {}), ((x,), {"diagonal": True})):
            got = by_depth(net, *arguments, **options)
            cuts = [build(d) for d in cut(description)]
            assert got.shape[0] == len(cuts)
            for entry, alone in zip(got, cuts, strict=True):
                assert same_bits(entry, getattr(alone, name)(*arguments, **options))


@given(perceptrons(), point_sets(), st.sampled_from([np.float64, np.float32]))
def test_frozen_layers_end_in_the_nngp_and_in_nothing(
    description: Description, x: Points, dtype: Any
) -> None:
    net, x = build(description), x.astype(dtype)
    for arguments, options in (((x,), {}), ((x, x[::2]), {}), ((x,), {"diagonal": True})):
        got = nk.ntk_by_frozen(net, *arguments, **options)
        assert got.dtype == dtype
        # The same numbers; but a zero may have another sign.
        assert worst(got[0], net.ntk(*arguments, **options), np.ones(got[0].shape)) == 0
        assert worst(got[-2], net.nngp(*arguments, **options), np.ones(got[-2].shape)) == 0
        assert not got[-1].any()
    # Every layer that is trained adds something.
    diagonals = nk.ntk_by_frozen(net, x, diagonal=True)
    assert np.all(diagonals[:-1] >= diagonals[1:] * (1 - contract(dtype)))


POINTS = np.array(
    [[1, 2, -1], [1, 2, -1], [2, 4, -2], [-1, -2, 1], [0.3, -0.2, 1.5], [0, 0, 0]], dtype=np.float64
)
PERCEPTRONS = {
    "relu": ["serial", DENSE, ["relu"], DENSE, ["relu"], DENSE, ["relu"], DENSE],
    "leaky relu, bias": ["serial", BIASED, ["leaky_relu", 0.2], BIASED, ["abs"], BIASED],
    "erf": ["serial", BIASED, ["erf", 1.2, 0.7, 0.3], BIASED, ["erf", 1.0, 1.0, 0.0], DENSE],
    "gelu": ["serial", BIASED, ["gelu"], DENSE, ["gelu"], BIASED],
    "linear": ["serial", BIASED, BIASED, ["identity"], DENSE],
}


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("description", PERCEPTRONS.values(), ids=PERCEPTRONS.keys())
def test_50_digits(description: Description, dtype: Any) -> None:
    net, x = build(description), POINTS.astype(dtype)
    depths, frozen = nk.ntk_by_depth(net, x), nk.ntk_by_frozen(net, x)
    cuts = cut(description)
    references = [(depths[i], alone, 0) for i, alone in enumerate(cuts)]
    references += [(frozen[k], description, k) for k in range(len(cuts) + 1)]
    with workdps(evaluator.WORKING_DIGITS):
        for got, alone, k in references:
            for i, j in zip(*np.tril_indices(len(x)), strict=True):
                values = textbook(alone, k, x[i], x[j])
                value, left, right = (Decimal(mp.nstr(v, 50)) for v in values)
                assert exact_error(got[i, j], value, (left * right).sqrt()) <= contract(dtype)


def test_one_hidden_relu_layer_by_hand() -> None:
    # σ_w² = 2 at orthogonal points of unit variance: K₁ = 2I; E[φφ] = 1/π off the diagonal and 1 on
    # it; E[φ'φ'] = 1/4 and 1/2.
    net = nk.mlp(1, nk.Relu(), w_std=np.sqrt(2))
    x = np.sqrt(2) * np.eye(2)
    one, readout = 2 * np.eye(2), np.array([[2, 2 / np.pi], [2 / np.pi, 2]])
    np.testing.assert_allclose(nk.ntk_by_depth(net, x), [one, readout + one], atol=4e-15)
    np.testing.assert_allclose(nk.nngp_by_depth(net, x), [one, readout], atol=4e-15)
    none = np.zeros((2, 2))
    np.testing.assert_allclose(nk.ntk_by_frozen(net, x), [readout + one, readout, none], atol=4e-15)


def test_functions_known_by_their_values_are_fitted_once_a_layer() -> None:
    calls = []

    def arctan(x: NDArray[np.float64]) -> NDArray[np.float64]:
        calls.append(x.size)
        return np.arctan(x)

    x = np.random.default_rng(0).standard_normal((20, 3))
    x /= np.linalg.norm(x, axis=1, keepdims=True)  # one scale is fitted sooner than a range
    net = nk.mlp(2, nk.Elementwise(arctan), w_std=1.3, b_std=0.2)
    deepest = net.ntk(x)
    alone, calls[:] = len(calls), []
    depths = nk.ntk_by_depth(net, x)
    assert len(calls) == alone
    assert same_bits(depths[-1], deepest)
    for hidden, entry in enumerate(depths):
        layers = (*net.layers[: 2 * hidden], net.layers[-1])
        assert same_bits(entry, nk.Serial(*layers).ntk(x))
    calls.clear()
    frozen = nk.ntk_by_frozen(net, x)
    assert len(calls) == alone
    assert same_bits(frozen[0], deepest)
    assert same_bits(frozen[-2], net.nngp(x))


@pytest.mark.parametrize("depth", [0, 1, 3])
@pytest.mark.parametrize("n", [0, 1, 5])
def test_shapes(depth: int, n: int) -> None:
    net, x, x2 = nk.mlp(depth), GOOD[[0] * n].astype(np.float32), GOOD
    for family in FAMILIES:
        entries = depth + 2 if family is nk.ntk_by_frozen else depth + 1
        assert family(net, x).shape == (entries, n, n)
        assert family(net, x, x2).shape == (entries, n, 4)
        assert family(net, x, diagonal=True).shape == (entries, n)
        assert family(net, x).dtype == np.float32
        assert family(net, x, x2).dtype == np.float64


def test_networks_may_be_nested() -> None:
    block = nk.Serial(nk.Relu(), nk.Serial(nk.Dense(w_std=1.4, b_std=0.1)))
    nested = nk.Serial(nk.Dense(w_std=1.4, b_std=0.1), block, block)
    for family in FAMILIES:
        assert same_bits(family(nested, GOOD), family(NETWORK, GOOD))
        assert same_bits(family(nk.Dense(), GOOD), family(nk.Serial(nk.Dense()), GOOD))


@pytest.mark.usefixtures("threads")
def test_the_number_of_threads_changes_no_bit(rng: np.random.Generator) -> None:
    x = rng.standard_normal((600, 40))  # several tiles
    for family in FAMILIES:
        nk.set_num_threads(1)
        gram, cross = family(NETWORK, x), family(NETWORK, x, x[:300])
        assert same_bits(gram, np.ascontiguousarray(gram.swapaxes(1, 2)))
        nk.set_num_threads(3)
        assert same_bits(family(NETWORK, x), gram)
        assert same_bits(family(NETWORK, x, x[:300]), cross)
        scale = pair_scale(*[np.diagonal(gram[0])] * 2)
        assert worst(cross[0], gram[0][:, :300], scale[:, :300]) <= 2 * contract(np.float64)


def test_outputs_of_any_layout_are_written_in_place(tmp_path: Path) -> None:
    x = np.random.default_rng(0).standard_normal((70, 3))
    for family in FAMILIES:
        expected = family(NETWORK, x)
        entries = len(expected)
        mapped = np.lib.format.open_memmap(
            tmp_path / "out.npy", mode="w+", dtype=np.float64, shape=expected.shape
        )
        layouts = [
            np.empty(expected.shape),
            np.empty((70, 70, entries)).transpose(2, 0, 1),
            np.empty((2 * entries, 140, 70))[::-2, ::2],
            mapped,
        ]
        for out in layouts:
            assert family(NETWORK, x, out=out) is out
            assert np.array_equal(out, expected)
        diagonal = np.empty((70, entries)).T
        assert family(NETWORK, x, diagonal=True, out=diagonal) is diagonal
        assert np.array_equal(diagonal, np.diagonal(expected, axis1=1, axis2=2))


@pytest.mark.parametrize("family", FAMILIES)
def test_unsuitable_outputs_are_refused(family: Any) -> None:
    shape = family(NETWORK, GOOD).shape
    expected = r"expected a writeable numpy array of shape \(\d, 4, 4\) and dtype float64"
    with pytest.raises(ValueError, match=r"out has shape \(4, 4\).*" + expected):
        family(NETWORK, GOOD, out=np.empty((4, 4)))
    with pytest.raises(TypeError, match=f"out has .*float32; {expected}"):
        family(NETWORK, GOOD, out=np.empty(shape, np.float32))
    with pytest.raises(TypeError, match=f"out is of type list; {expected}"):
        family(NETWORK, GOOD, out=[np.empty((4, 4))] * shape[0])
    one = np.empty((4, 4))
    stacked = np.lib.stride_tricks.as_strided(one, shape, (0, *one.strides))
    with pytest.raises(ValueError, match=r"overlaps an input or another output"):
        family(NETWORK, GOOD, out=stacked)
    whole = np.ones(shape)
    with pytest.raises(ValueError, match="out overlaps x in memory"):
        family(NETWORK, whole[0], out=whole)


def test_progress_counts_tiles_once_for_all_entries() -> None:
    x = np.random.default_rng(0).standard_normal((600, 3))
    for family in FAMILIES:
        calls: list[tuple[int, int]] = []
        family(NETWORK, x, progress=lambda done, total, calls=calls: calls.append((done, total)))
        assert calls[-1] == (6, 6)
    with pytest.raises(RuntimeError, match="enough"):
        nk.ntk_by_depth(NETWORK, x, progress=stop)


def stop(done: int, total: int) -> None:
    raise RuntimeError("enough")


CHAIN = "a Serial of Dense layers and activations that begins and ends with a Dense; this one "


@pytest.mark.parametrize(
    ("net", "problem"),
    [
        (nk.Serial(nk.Dense(), nk.Relu()), "ends with Relu"),
        (nk.Relu(), "begins with Relu"),
        (nk.Serial(nk.Identity(), nk.Dense()), "begins with Identity"),
        (nk.Serial(nk.Dense(), nk.Residual(nk.Relu(), nk.Dense())), "has a Residual"),
        (nk.Sum(nk.Dense(), nk.Dense()), "has a Sum"),
    ],
)
def test_networks_that_are_no_chain_are_refused(net: nk.Network, problem: str) -> None:
    for family in FAMILIES:
        with pytest.raises(ValueError, match=CHAIN + problem):
            family(net, GOOD)


def test_bad_input_is_refused_as_for_one_network() -> None:
    for family in FAMILIES:
        with pytest.raises(TypeError, match="network is the class Relu; write Relu"):
            family(nk.Relu, GOOD)
        with pytest.raises(
            TypeError, match="network is 3, of type int; expected a layer or a network"
        ):
            family(3, GOOD)
        with pytest.raises(ValueError, match="x must be finite, but has NaN at row 0, column 1"):
            family(NETWORK, [[0.0, np.nan]])
        with pytest.raises(ValueError, match=r"x2 has shape \(4, 3\); expected 2 features"):
            family(NETWORK, [[0.0, 1.0]], GOOD)
        with pytest.raises(ValueError, match="takes no x2"):
            family(NETWORK, GOOD, GOOD, diagonal=True)


def test_any_entry_may_be_too_large() -> None:
    huge = nk.Serial(nk.Dense(w_std=1e100), nk.Relu(), nk.Dense(w_std=1e100), nk.Dense(w_std=1e-9))
    assert np.all(np.isfinite(nk.nngp_by_depth(huge, [[1e-50]])))
    with pytest.raises(nk.NumericalError, match=r"layer 3 \(Dense\)"):
        nk.nngp_by_depth(huge, [[1.0]])
    with pytest.raises(nk.NumericalError, match=r"layer 3 \(Dense\)"):
        nk.ntk_by_frozen(huge, [[1.0]])
