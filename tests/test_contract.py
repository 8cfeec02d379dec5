"""The contract, over every network of the catalogue and over random ones."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

import ntkfast as nk
from catalogue import NETWORKS, Description, build
from contract import (
    CHECKS,
    KERNELS,
    Check,
    Points,
    assert_near,
    kernel,
    same_bits,
    same_bits_on_threads,
)
from strategies import networks, point_sets
from tolerances import pair_scale

# Around every multiple of a vector, a strip or a tile that the core might cut by.
SIZES = (0, 1, 2, 3, 7, 8, 9, 15, 31, 33, 63, 64, 65, 127, 128, 129, 255, 256, 257, 300, 513)
SIDES = (0, 1, 2, 7, 9, 63, 65, 128, 129, 257)
DTYPES = (np.float64, np.float32)


@pytest.fixture(params=NETWORKS, scope="module")
def network(request: pytest.FixtureRequest) -> Any:
    return build(NETWORKS[request.param])


def hard_points(rng: np.random.Generator, n: int, d: int, dtype: Any) -> Points:
    """Random rows, among them zero, equal, parallel, antipodal and nearly coincident ones."""
    x = rng.standard_normal((n, d))
    if n >= 12:
        x[1] = 0.0
        x[2] = x[0]
        x[3] = 2.5 * x[0]
        x[4] = -x[0]
        x[5] = x[0] + 1e-9 * x[6]
        x[7] = -0.3 * x[0] + 1e-6 * x[6]
        x[8] *= 1e-6
        x[9] *= 1e4
        x[n // 2] = x[0]
        x[n - 1] = 0.0
    return x.astype(dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_catalogue(network: Any, check: Check, dtype: Any, rng: np.random.Generator) -> None:
    for n, d in ((0, 3), (1, 2), (2, 1), (9, 3), (40, 5), (150, 33)):
        check(network, hard_points(rng, n, d, dtype))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
@given(description=networks(), x=point_sets())
def test_random_networks(check: Check, dtype: Any, description: Description, x: Points) -> None:
    check(build(description), x.astype(dtype))


@pytest.mark.parametrize("dtype", DTYPES)
def test_every_size(network: Any, dtype: Any, rng: np.random.Generator) -> None:
    x = hard_points(rng, max(SIZES), 10, dtype)
    full, diagonal = network.kernels(x), network.kernels(x, diagonal=True)
    for n in SIZES:
        part = network.kernels(x[:n])
        for name in KERNELS:
            k, d = getattr(part, name), getattr(diagonal, name)[:n]
            assert k.shape == (n, n)
            assert same_bits(k, k.T)
            assert same_bits(np.diagonal(k), d)
            assert_near(k, getattr(full, name)[:n, :n], pair_scale(d, d))


@pytest.mark.parametrize("dtype", DTYPES)
def test_every_pair_of_sides(network: Any, dtype: Any, rng: np.random.Generator) -> None:
    x, y = (hard_points(rng, max(SIDES), 7, dtype) for _ in range(2))
    y[: len(y) // 2] = x[: len(y) // 2]
    full = network.kernels(np.concatenate([x, y]))
    dx, dy = network.kernels(x, diagonal=True), network.kernels(y, diagonal=True)
    for n in SIDES:
        for m in SIDES:
            part = network.kernels(x[:n], y[:m])
            for name in KERNELS:
                k, block = getattr(part, name), getattr(full, name)[:n, len(x) : len(x) + m]
                assert k.shape == (n, m)
                assert_near(k, block, pair_scale(getattr(dx, name)[:n], getattr(dy, name)[:m]))


@pytest.mark.parametrize("d", [1, 2, 3, 15, 16, 17, 31, 32, 33, 64, 65, 100, 784])
def test_every_number_of_features(d: int, rng: np.random.Generator) -> None:
    # Columns of zeros change nothing but 1/√d, which w_std takes up: 4·d features, w_std twice.
    x = hard_points(rng, 20, d, np.float64)
    wide = np.concatenate([x, np.zeros((20, 3 * d))], axis=1)
    narrow = nk.Serial(nk.Dense(w_std=0.7, b_std=0.3), nk.Relu(), nk.Dense(b_std=0.3))
    same = nk.Serial(nk.Dense(w_std=1.4, b_std=0.3), nk.Relu(), nk.Dense(b_std=0.3))
    for name in KERNELS:
        diagonal = kernel(narrow, name)(x, diagonal=True)
        scale = pair_scale(diagonal, diagonal)
        assert_near(kernel(same, name)(wide), kernel(narrow, name)(x), scale)


@pytest.mark.parametrize("count", [1, 2, 3])
@pytest.mark.parametrize("dtype", DTYPES)
def test_number_of_threads_changes_no_bit(
    network: Any, dtype: Any, count: int, rng: np.random.Generator, threads: None
) -> None:
    x, y = hard_points(rng, 700, 20, dtype), hard_points(rng, 301, 20, dtype)
    same_bits_on_threads(network, x, y, count)


@pytest.mark.parametrize(
    ("given_dtype", "expected"),
    [
        (np.float64, np.float64),
        (np.float32, np.float32),
        (np.float16, np.float64),
        (np.int8, np.float64),
        (np.int64, np.float64),
        (np.uint16, np.float64),
        (np.bool_, np.float64),
        (">f8", np.float64),
        (">f4", np.float32),
    ],
)
def test_dtypes(network: Any, given_dtype: Any, expected: Any) -> None:
    x = np.array([[0, 1, 1], [1, 1, 0], [0, 0, 0], [1, 0, 1]]).astype(given_dtype)
    for name in KERNELS:
        method = kernel(network, name)
        plain = x.astype(expected)
        for k in (method(x), method(x, x[:2]), method(x, diagonal=True)):
            assert k.dtype == expected
            assert k.dtype.isnative
        assert same_bits(method(x), method(plain))
        assert same_bits(method(x, x[:2]), method(plain, plain[:2]))


def test_lists_are_float64(network: Any) -> None:
    rows = [[0.5, 1], [2, -3.25]]
    for name in KERNELS:
        assert same_bits(kernel(network, name)(rows), kernel(network, name)(np.array(rows)))


def test_mixed_dtypes_take_the_wider(network: Any, rng: np.random.Generator) -> None:
    x, y = hard_points(rng, 12, 3, np.float64), hard_points(rng, 15, 3, np.float32)
    for name in KERNELS:
        method, wide = kernel(network, name), y.astype(np.float64)
        assert same_bits(method(x, y), method(x, wide))
        assert same_bits(method(y, x), method(wide, x))
        integers = np.arange(6).reshape(2, 3)
        assert same_bits(method(y, integers), method(wide, integers.astype(np.float64)))


def outputs(shape: tuple[int, int], dtype: Any, folder: Path) -> list[NDArray[Any]]:
    """Return writeable arrays of every layout, full of NaN."""
    n, m = shape
    spaced = np.full((2 * n, 3 * m), np.nan, dtype)
    return [
        np.full(shape, np.nan, dtype),
        np.full(shape, np.nan, dtype, order="F"),
        spaced[::2, 1::3],
        np.full(shape, np.nan, dtype)[::-1, ::-1],
        np.full((m, n), np.nan, dtype).T,
        np.lib.format.open_memmap(folder / f"out{n}.npy", "w+", dtype, shape),
    ]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n", [1, 30, 270])
def test_out(network: Any, dtype: Any, n: int, rng: np.random.Generator, tmp_path: Path) -> None:
    x, y = hard_points(rng, n, 4, dtype), hard_points(rng, 65, 4, dtype)
    gram, cross, diagonal = network.ntk(x), network.ntk(x, y), network.ntk(x, diagonal=True)
    for out in outputs((n, n), dtype, tmp_path):
        assert network.ntk(x, out=out) is out
        assert same_bits(out, gram)
    for out in outputs((n, 65), dtype, tmp_path):
        assert network.ntk(x, y, out=out) is out
        assert same_bits(out, cross)
    out = np.full(3 * n, np.nan, dtype)[::-3]
    assert network.ntk(x, diagonal=True, out=out) is out
    assert same_bits(out, diagonal)


def test_out_leaves_the_rest_alone(network: Any, rng: np.random.Generator) -> None:
    x = hard_points(rng, 70, 3, np.float64)
    around = np.full((100, 100), 7.0)
    network.ntk(x, out=around[10:80, 20:90])
    assert same_bits(around[10:80, 20:90], network.ntk(x))
    around[10:80, 20:90] = 7.0
    assert np.all(around == 7.0)


def test_out_of_both_kernels(network: Any, rng: np.random.Generator) -> None:
    x = hard_points(rng, 70, 3, np.float64)
    expected = network.kernels(x)
    nngp, ntk = np.empty((70, 70)), np.empty((70, 70), order="F")
    result = network.kernels(x, out=(nngp, ntk))
    assert result.nngp is nngp
    assert result.ntk is ntk
    assert same_bits(nngp, expected.nngp)
    assert same_bits(ntk, expected.ntk)
    target = nk.Kernels(nngp=np.empty((70, 70)), ntk=np.empty((70, 70)))
    assert network.kernels(x, out=target) is target
    assert same_bits(target.ntk, expected.ntk)


@given(x=point_sets(min_n=1), data=st.data())
def test_zero_rows_without_bias_give_zero(x: Points, data: st.DataObject) -> None:
    row = data.draw(st.integers(0, len(x) - 1))
    x[row] = 0.0
    kinked = ["relu"], ["abs"], ["abrelu", 0.5, -2.0], ["sign"]
    for activation in (*kinked, ["erf", 1.0, 1.0, 0.0], ["gabor"], ["exp_normalized", 1.0, -0.5]):
        network = build(["serial", *[["dense", 1.2, None], activation] * 3, ["dense", 1.1, None]])
        for name in KERNELS:
            k = kernel(network, name)(x)
            assert not np.any(k[row])
            assert not np.any(k[:, row])
