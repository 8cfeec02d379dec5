"""Kernels on images against the literal formulae, at 30 digits."""

from functools import cache
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mpmath import mpf
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
    on_rows,
    random_images,
    without_windows,
)
from reference import evaluator
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


@pytest.mark.parametrize(
    ("size", "window", "stride", "padding", "seen"),
    [
        (4, 3, 1, "SAME", ["_01", "012", "123", "23_"]),
        (3, 2, 1, "SAME", ["01", "12", "2_"]),
        (4, 3, 2, "SAME", ["012", "23_"]),  # one zero in all, behind
        (5, 3, 2, "SAME", ["_01", "123", "34_"]),
        (5, 4, 2, "SAME", ["_012", "1234", "34__"]),
        (4, 1, 3, "SAME", ["0", "3"]),
        (2, 5, 1, "SAME", ["__01_", "_01__"]),
        (5, 3, 2, "VALID", ["012", "234"]),
        (4, 3, 2, "VALID", ["012"]),
        (3, 3, 1, "CIRCULAR", ["201", "012", "120"]),
        (3, 2, 1, "CIRCULAR", ["01", "12", "20"]),
        (2, 5, 1, "CIRCULAR", ["01010", "10101"]),
    ],
)
def test_windows_of_the_literal_kernels_by_hand(
    size: int, window: int, stride: int, padding: str, seen: list[str]
) -> None:
    found = literal.sources(size, window, stride, padding)
    assert ["".join("_" if p == size else str(p) for p in row) for row in found] == seen


@pytest.mark.parametrize("name", ["cntk", "standard", "concatenate, widths", "layer norm", "sign"])
def test_literal_kernels_of_one_position_are_those_of_rows(name: str) -> None:
    x = random_images(2, 1, 1, 3)
    rows = evaluator.kernels(on_rows(IMAGE_NETWORKS[name]), x[0, 0, 0], x[1, 0, 0])
    found = literal.kernels(without_windows(IMAGE_NETWORKS[name]), x)
    for k, value in zip(found, rows, strict=True):
        assert abs(k[0, 1] - value) < mpf("1e-50")


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
