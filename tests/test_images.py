"""Kernels on images against the literal formulae, at 30 digits."""

from functools import cache
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

import ntkfast as nk
from catalogue import Description, build
from contract import KERNELS
from image_strategies import image_networks, image_sets
from images import (
    IMAGE_NETWORKS,
    POOLED,
    SHAPES,
    Images,
    hard_images,
    random_images,
)
from reference import images as literal
from tolerances import pair_scale, worst

SETS = hard_images()

# Networks that meet every set; of the others, each meets a quarter of them.
THOROUGH = {"cntk", "bias, flatten", "average pooling", "strided shortcut"}

CASES = [
    (name, images)
    for i, name in enumerate(IMAGE_NETWORKS)
    for j, images in enumerate(SETS)
    if name in THOROUGH or (i + j) % 4 == 0
]

# |error of K_ij| ≤ this · √(K_ii K_jj); docs/precision.md says where less is promised.
TOLERANCE = {"float64": 1e-12, "float32": 1e-5}
PROPORTIONAL = {"float64": 1e-7, "float32": 1e-3}
COINCIDING_AND_POOLED = {"float64": 1e-8, "float32": 1e-4}


def tolerance(name: str, which: str) -> dict[str, float]:
    """What is promised of a network on a set of images."""
    if which == "scaled":
        return PROPORTIONAL
    return COINCIDING_AND_POOLED if name in POOLED and which != "random" else TOLERANCE


@cache
def references(name: str, which: str) -> dict[str, NDArray[Any]]:
    return literal_kernels(IMAGE_NETWORKS[name], SETS[which])


def literal_kernels(description: Description, x: Images) -> dict[str, NDArray[Any]]:
    return dict(zip(KERNELS, literal.kernels(description, x), strict=True))


def assert_kernels(
    network: nk.Network,
    x: Images,
    expected: dict[str, NDArray[Any]],
    bound: dict[str, float] = TOLERANCE,
) -> None:
    got = network.kernels(x)
    for name in KERNELS:
        k = expected[name].astype(np.float64)
        scale = pair_scale(np.diagonal(k), np.diagonal(k))
        assert getattr(got, name).dtype == x.dtype
        assert worst(getattr(got, name), k, scale) <= bound[x.dtype.name]


@pytest.mark.parametrize(("name", "which"), CASES)
def test_literal_kernels(name: str, which: str) -> None:
    bound = tolerance(name, which)
    assert_kernels(build(IMAGE_NETWORKS[name]), SETS[which], references(name, which), bound)


@pytest.mark.parametrize(("name", "which"), CASES)
def test_literal_kernels_in_float32(name: str, which: str) -> None:
    x = SETS[which].astype(np.float32)
    expected = references(name, which)
    assert_kernels(build(IMAGE_NETWORKS[name]), x, expected, tolerance(name, which))


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize(
    "name", ["bias", "circular", "a filter beyond the image", "uneven strides"]
)
def test_shapes(name: str, shape: tuple[int, ...]) -> None:
    x = random_images(2, *shape)
    assert_kernels(build(IMAGE_NETWORKS[name]), x, literal_kernels(IMAGE_NETWORKS[name], x))


@given(data=st.data(), x=image_sets())
def test_random_networks(data: st.DataObject, x: Images) -> None:
    description = data.draw(image_networks(x.shape[1:3]))
    assert_kernels(build(description), x, literal_kernels(description, x))
