"""The contract of every network, over networks on images that are handed over in rows."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import ntkfast as nk
from catalogue import build
from contract import CHECKS, KERNELS, Check, Points, kernel, same_bits
from image_strategies import image_networks
from images import IMAGE_NETWORKS
from strategies import point_sets
from test_contract import DTYPES, hard_points

HEIGHT, CHANNELS = 2, 2


class OnRows:
    """A network on images of two rows and two channels, for rows of as many numbers."""

    def __init__(self, network: nk.Network) -> None:
        self.network = network

    def kernels(self, x: Points, x2: Points | None = None, **options: Any) -> Any:
        return self.network.kernels(images(x), None if x2 is None else images(x2), **options)

    def nngp(self, x: Points, x2: Points | None = None, **options: Any) -> Any:
        return self.network.nngp(images(x), None if x2 is None else images(x2), **options)

    def ntk(self, x: Points, x2: Points | None = None, **options: Any) -> Any:
        return self.network.ntk(images(x), None if x2 is None else images(x2), **options)


def images(x: Points) -> Points:
    n, d = x.shape
    return x.reshape(n, HEIGHT, d // (HEIGHT * CHANNELS), CHANNELS)


@pytest.fixture(params=IMAGE_NETWORKS, scope="module")
def network(request: pytest.FixtureRequest) -> Any:
    return OnRows(build(IMAGE_NETWORKS[request.param]))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_catalogue(network: Any, check: Check, dtype: Any, rng: np.random.Generator) -> None:
    for n, d in ((0, 4), (1, 8), (5, 4), (20, 12)):
        check(network, hard_points(rng, n, d, dtype))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
@given(data=st.data(), x=point_sets(d=12))
def test_random_networks(check: Check, dtype: Any, data: st.DataObject, x: Points) -> None:
    # Windows have to fit into the images that `broadcast_rows` makes of four columns, too.
    check(OnRows(build(data.draw(image_networks((HEIGHT, 1))))), x.astype(dtype))


@pytest.mark.parametrize("count", [1, 2, 3])
@pytest.mark.parametrize("dtype", DTYPES)
def test_number_of_threads_changes_no_bit(
    network: Any, dtype: Any, count: int, rng: np.random.Generator, threads: None
) -> None:
    x, y = hard_points(rng, 40, 8, dtype), hard_points(rng, 21, 8, dtype)
    before = network.kernels(x), network.kernels(x, y), network.kernels(x, diagonal=True)
    nk.set_num_threads(count)
    after = network.kernels(x), network.kernels(x, y), network.kernels(x, diagonal=True)
    for a, b in zip(before, after, strict=True):
        assert same_bits(a.nngp, b.nngp)
        assert same_bits(a.ntk, b.ntk)


@pytest.mark.parametrize("dtype", DTYPES)
def test_out(network: Any, dtype: Any, rng: np.random.Generator) -> None:
    x, y = hard_points(rng, 17, 8, dtype), hard_points(rng, 5, 8, dtype)
    for name in KERNELS:
        method = kernel(network, name)
        spaced = np.full((34, 51), np.nan, dtype)[::2, ::3]
        assert method(x, out=spaced) is spaced
        assert same_bits(spaced, method(x))
        transposed = np.full((5, 17), np.nan, dtype).T
        assert method(x, y, out=transposed) is transposed
        assert same_bits(transposed, method(x, y))
