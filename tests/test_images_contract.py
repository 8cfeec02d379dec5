"""The contract of every network, for networks on images whose samples are passed as rows."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import ntkfast as nk
from catalogue import build
from contract import (
    CHECKS,
    KERNELS,
    Check,
    Points,
    cross_is_a_block,
    kernel,
    permutation,
    same_bits,
    same_bits_on_threads,
)
from image_strategies import image_networks
from images import IMAGE_NETWORKS, POOLED
from strategies import point_sets
from test_contract import DTYPES, hard_points

SIZE = (3, 4)

NAMES = [
    *("cntk", "bias, flatten", "circular", "valid", "strides", "average pooling, same"),
    *("sum pooling", "layer norm", "residual", "strided shortcut", "product", "two ends"),
    *("standard", "smooth"),
]


class OnRows:
    """A network on images of 3 × 4 positions, for rows of as many numbers, or as many channels."""

    def __init__(self, network: nk.Network) -> None:
        self.network = network

    def kernels(self, x: Points, x2: Points | None = None, **options: Any) -> Any:
        return self.network.kernels(images(x), None if x2 is None else images(x2), **options)

    def nngp(self, x: Points, x2: Points | None = None, **options: Any) -> Any:
        return self.network.nngp(images(x), None if x2 is None else images(x2), **options)

    def ntk(self, x: Points, x2: Points | None = None, **options: Any) -> Any:
        return self.network.ntk(images(x), None if x2 is None else images(x2), **options)


def images(x: Points) -> Points:
    if x.shape[1] == 4:  # the rows of `broadcast_rows`
        x = np.concatenate([x] * 3, axis=1)
    return x.reshape(len(x), *SIZE, x.shape[1] // 12)


@pytest.fixture(params=NAMES, scope="module")
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def network(name: str) -> Any:
    return OnRows(build(IMAGE_NETWORKS[name]))


# These compare what rounding differs in, beyond what is promised of every network on images;
# test_images.py compares it with 30 digits.
ROUNDED: list[Check] = [cross_is_a_block, permutation]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_catalogue(name: str, check: Check, dtype: Any, rng: np.random.Generator) -> None:
    if name in POOLED and check in ROUNDED:
        return
    for n, d in ((0, 12), (1, 24), (5, 12), (20, 24)):
        check(OnRows(build(IMAGE_NETWORKS[name])), hard_points(rng, n, d, dtype))


@pytest.mark.parametrize("dtype", DTYPES)
@given(data=st.data(), x=point_sets(d=12))
def test_random_networks(dtype: Any, data: st.DataObject, x: Points) -> None:
    network = OnRows(build(data.draw(image_networks(SIZE))))
    for check in CHECKS:
        if check not in ROUNDED:
            check(network, x.astype(dtype))


@pytest.mark.parametrize("count", [1, 2, 3])
@pytest.mark.parametrize("dtype", DTYPES)
def test_number_of_threads_changes_no_bit(
    network: Any, dtype: Any, count: int, rng: np.random.Generator, threads: None
) -> None:
    x, y = hard_points(rng, 30, 12, dtype), hard_points(rng, 11, 12, dtype)
    same_bits_on_threads(network, x, y, count)


@pytest.mark.parametrize("dtype", DTYPES)
def test_out(network: Any, dtype: Any, rng: np.random.Generator) -> None:
    x, y = hard_points(rng, 17, 12, dtype), hard_points(rng, 5, 12, dtype)
    for name in KERNELS:
        method = kernel(network, name)
        spaced = np.full((34, 51), np.nan, dtype)[::2, ::3]
        assert method(x, out=spaced) is spaced
        assert same_bits(spaced, method(x))
        transposed = np.full((5, 17), np.nan, dtype).T
        assert method(x, y, out=transposed) is transposed
        assert same_bits(transposed, method(x, y))
