"""Symmetry and geometry of kernels on images, without a reference."""

from typing import Any

import numpy as np
import pytest

import ntkfast as nk
from catalogue import Description, build
from contract import KERNELS, kernel
from images import IMAGE_NETWORKS, on_rows, random_images, without_windows
from tolerances import CONTRACT, pair_scale, worst


def assert_same(a: Any, b: Any, tolerance: float = CONTRACT["float64"]) -> None:
    """Two pairs of kernels agree, up to the contract."""
    for name in KERNELS:
        got, expected = getattr(a, name), getattr(b, name)
        scale = pair_scale(np.diagonal(expected), np.diagonal(expected))
        assert worst(got, expected, scale) <= tolerance


@pytest.mark.parametrize("name", IMAGE_NETWORKS)
def test_one_position_is_a_fully_connected_network(name: str) -> None:
    x = random_images(12, 1, 1, 5)
    x[1], x[2], x[3], x[4] = 0.0, x[0], -x[0], 2 * x[0]
    description = without_windows(IMAGE_NETWORKS[name])
    rows = build(on_rows(description))
    assert_same(build(description).kernels(x), rows.kernels(x[:, 0, 0]), 1e-15)


def as_sequences(network: nk.Network) -> nk.Network:
    """Return the network on sequences that is this one on images of width 1."""
    if isinstance(network, nk.Conv):
        fields = {name: getattr(network, name) for name in ("width", "padding", "w_std", "b_std")}
        trained = {name: getattr(network, name) for name in ("parameterization", "trainable")}
        assert network.strides is not None
        return nk.Conv(network.filter[:1], strides=network.strides[:1], **fields, **trained)
    if isinstance(network, (nk.AvgPool, nk.SumPool)):
        assert network.strides is not None
        return type(network)(network.window[:1], network.strides[:1], network.padding)
    if layers := getattr(network, "layers", ()):
        return type(network)(*map(as_sequences, layers))
    return network


def of_width_one(description: Description) -> Description:
    """Return the network with windows and strides that are 1 along the width."""
    kind, *rest = description
    if kind in ("conv", "avg_pool", "sum_pool"):
        return [kind, rest[0], 1, rest[2], 1, *rest[4:]]
    return [kind, *(of_width_one(p) if isinstance(p, (list, tuple)) else p for p in rest)]


@pytest.mark.parametrize("name", IMAGE_NETWORKS)
def test_sequences_are_images_of_width_one(name: str) -> None:
    x, y = random_images(3, 5, 2), random_images(2, 5, 2)
    images = build(of_width_one(IMAGE_NETWORKS[name]))
    sequences = as_sequences(images)
    for name in KERNELS:
        flat, deep = kernel(sequences, name), kernel(images, name)
        assert np.array_equal(flat(x), deep(x[:, :, None]))
        assert np.array_equal(flat(x, y), deep(x[:, :, None], y[:, :, None]))
        assert np.array_equal(flat(x, diagonal=True), deep(x[:, :, None], diagonal=True))


@pytest.mark.parametrize("name", ["circular", "circular, flatten"])
def test_circular_padding_knows_no_edge(name: str) -> None:
    x = random_images(3, 4, 5, 2)
    network = build(IMAGE_NETWORKS[name])
    # Both images moved alike; with pooling over all positions, also one alone.
    moved = np.roll(x, (1, 3), axis=(1, 2))
    assert_same(network.kernels(moved), network.kernels(x))
    if "flatten" not in name:
        own = network.kernels(x)
        one = network.kernels(moved, x)
        assert_same(one, own)


@pytest.mark.parametrize("activation", [nk.Relu(), nk.Erf(), nk.Abs()])
def test_flatten_behind_filters_of_one_position_is_a_mean(activation: nk.Network) -> None:
    x, y = random_images(4, 3, 2, 3), random_images(3, 3, 2, 3)
    one, dense = nk.Conv((1, 1), w_std=1.3, b_std=0.2), nk.Dense(w_std=1.3, b_std=0.2)
    network = nk.Serial(one, activation, one, activation, nk.Flatten())
    rows = nk.Serial(dense, activation, dense, activation)
    for name in KERNELS:
        pixels = [kernel(rows, name)(x[:, r, c], y[:, r, c]) for r, c in np.ndindex(3, 2)]
        got = kernel(network, name)(x, y)
        np.testing.assert_allclose(got, np.mean(pixels, axis=0), rtol=1e-13)


@pytest.mark.parametrize("activation", [nk.Relu(), nk.Erf()])
def test_pooling_behind_filters_of_one_position_is_a_mean_over_pairs(
    activation: nk.Network,
) -> None:
    x, y = random_images(4, 3, 2, 3), random_images(3, 3, 2, 3)
    network = nk.Serial(nk.Dense(b_std=0.2), activation, nk.Conv((1, 1)), nk.GlobalAvgPool())
    rows = nk.Serial(nk.Dense(b_std=0.2), activation, nk.Dense())
    for name in KERNELS:
        pairs = kernel(rows, name)(x.reshape(-1, 3), y.reshape(-1, 3)).reshape(4, 6, 3, 6)
        np.testing.assert_allclose(kernel(network, name)(x, y), pairs.mean((1, 3)), rtol=1e-12)


def test_sums_are_means_times_the_number_of_positions() -> None:
    x = random_images(3, 4, 6, 2)

    def network(small: nk.Network, whole: nk.Network) -> nk.Network:
        return nk.Serial(nk.Conv((3, 3)), nk.Relu(), small, whole)

    means = network(nk.AvgPool((2, 3)), nk.GlobalAvgPool()).ntk(x)
    sums = network(nk.SumPool((2, 3)), nk.GlobalSumPool()).ntk(x)
    np.testing.assert_allclose(sums, (2 * 3 * 4) ** 2 * means, rtol=1e-13)
    once = network(nk.Identity(), nk.GlobalAvgPool()).ntk(x)
    np.testing.assert_allclose(means, once, rtol=1e-12)  # windows that do not overlap


@pytest.mark.parametrize("flip", [np.s_[:, ::-1], np.s_[:, :, ::-1]])
def test_images_may_be_mirrored_together(flip: Any) -> None:
    x = random_images(3, 5, 4, 2)
    network = nk.cntk(2)
    assert_same(network.kernels(x[flip]), network.kernels(x))


def test_images_may_be_turned_together() -> None:
    x = random_images(3, 5, 4, 2)
    standing = nk.Serial(
        nk.Conv((4, 3), strides=(2, 1)), nk.Relu(), nk.AvgPool((1, 2)), nk.Flatten()
    )
    lying = nk.Serial(nk.Conv((3, 4), strides=(1, 2)), nk.Relu(), nk.AvgPool((2, 1)), nk.Flatten())
    assert_same(lying.kernels(x.swapaxes(1, 2)), standing.kernels(x))
