"""Kernels of dask arrays: the bits of one call on NumPy arrays, for any chunks."""

from __future__ import annotations

import pickle
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

import ntkfast as nk
from catalogue import NETWORKS as CATALOGUE
from catalogue import build
from contract import same_bits
from images import IMAGE_NETWORKS

dask = pytest.importorskip("dask")
da = pytest.importorskip("dask.array")
plan = pytest.importorskip("ntkfast.dask.plan")

Array = NDArray[np.floating[Any]]

# Their bits depend on the range of norms (fitted), or on the number of pairs (zonal).
FITTED = nk.Serial(nk.Dense(w_std=1.3), nk.Elementwise(np.tanh), nk.Dense(), nk.Swish(), nk.Dense())
NETWORKS = {
    "relu": nk.mlp(3, nk.Relu(), w_std=1.4, b_std=0.1),
    "zonal": nk.mlp(12, nk.Relu(), w_std=1.4),
    "fitted": FITTED,
    "gelu": nk.Serial(nk.Dense(), nk.Gelu(), nk.Dense(b_std=0.1)),
    "dropout": nk.Serial(nk.Dense(), nk.Relu(), nk.Dropout(keep=0.7), nk.Dense()),
    "concatenate": build(CATALOGUE["concatenate"]),
}


@pytest.fixture(autouse=True)
def scheduler() -> Any:
    with dask.config.set(scheduler="threads", num_workers=2):
        yield


def points(n: int, features: int, dtype: str = "float64", seed: int = 5) -> Array:
    rng = np.random.default_rng(seed)
    scales = np.exp(rng.uniform(-1, 1, n))[:, None]
    return (scales * rng.standard_normal((n, features))).astype(dtype)


@st.composite
def chunks(draw: st.DrawFn, n: int) -> tuple[int, ...]:
    """Chunks that begin at multiples of 64 samples, or anywhere; some are empty."""
    step = draw(st.sampled_from([64, 1]))
    cuts = draw(st.lists(st.integers(0, n // step).map(lambda k: k * step), max_size=4))
    return tuple(int(size) for size in np.diff([0, *sorted(cuts), n]))


@given(data=st.data())
@pytest.mark.parametrize("name", NETWORKS)
def test_the_bits_of_one_call(name: str, data: st.DataObject) -> None:
    network, draw = NETWORKS[name], data.draw
    features, dtype = draw(st.sampled_from([2, 7, 40])), draw(st.sampled_from("fd"))
    n, m = draw(st.integers(0, 320)), draw(st.integers(0, 200))
    x, x2 = points(n, features, dtype), points(m, features, dtype, seed=6)
    lazy = da.from_array(x, chunks=(draw(chunks(n)), features))
    lazy2 = da.from_array(x2, chunks=(draw(chunks(m)), features))

    for got, wanted in (
        (network.ntk(lazy), network.ntk(x)),
        (network.nngp(lazy, lazy2), network.nngp(x, x2)),
        (network.ntk(lazy2, x), network.ntk(x2, x)),
        (network.ntk(lazy, diagonal=True), network.ntk(x, diagonal=True)),
        *zip(network.kernels(lazy), network.kernels(x), strict=True),
    ):
        assert isinstance(got, da.Array)
        assert (got.shape, got.dtype) == (wanted.shape, wanted.dtype)
        assert same_bits(got.compute(), wanted)


@pytest.mark.parametrize("name", ["cntk", "cntk, flatten", "bias", "strides", "average pooling"])
@pytest.mark.parametrize("size", [(1, 1), (6, 5)])
def test_images(name: str, size: tuple[int, int]) -> None:
    network = build(IMAGE_NETWORKS[name])
    if name == "average pooling" and size == (1, 1):
        pytest.skip("the windows are larger than these images")
    x = np.random.default_rng(1).standard_normal((140, *size, 2))
    lazy = da.from_array(x, chunks=(50, *size, 2))
    assert network.ntk(lazy).chunks == ((64, 64, 12),) * 2
    assert same_bits(network.ntk(lazy).compute(), network.ntk(x))
    for got, wanted in zip(network.kernels(lazy, x[:70]), network.kernels(x, x[:70]), strict=True):
        assert same_bits(got.compute(), wanted)
    assert same_bits(network.nngp(lazy, diagonal=True).compute(), network.nngp(x, diagonal=True))


def test_one_chunk_in_memory_that_stands_for_several_points() -> None:
    """A scheduler hands the same array to a task twice; Dropout tells samples apart."""
    network, x = NETWORKS["dropout"], points(64, 5)
    part = da.from_array(x, chunks=(64, 5))
    assert same_bits(network.ntk(part, part[:64]).compute(), network.ntk(x))
    twice, whole = da.concatenate([part, part]), np.concatenate([x, x])
    assert same_bits(network.ntk(twice).compute(), network.ntk(whole))
    assert same_bits(network.ntk(twice, part).compute(), network.ntk(whole, x))


def test_types() -> None:
    network = NETWORKS["relu"]
    for dtype in ("float16", "int32", "bool", ">f4", "float32"):
        x = (3 * points(70, 3)).astype(dtype)
        lazy = da.from_array(x, chunks=(64, 3))
        assert same_bits(network.ntk(lazy).compute(), network.ntk(x))
        assert network.ntk(lazy).dtype == network.ntk(x).dtype
        wide = points(20, 3)
        assert same_bits(network.ntk(lazy, wide).compute(), network.ntk(x, wide))


def test_nothing_is_computed_when_the_array_is_made() -> None:
    def read(block: Array) -> Array:
        raise AssertionError

    lazy = da.from_array(points(300, 4), chunks=(64, 4)).map_blocks(read, dtype=float)
    kernel = NETWORKS["fitted"].ntk(lazy)
    assert kernel.shape == (300, 300)
    assert nk.Kernels(kernel, kernel)


def test_blocks_below_the_diagonal_are_transposes() -> None:
    lazy = da.from_array(points(300, 4), chunks=(64, 4))
    for kernel in (NETWORKS["relu"].ntk(lazy), NETWORKS["relu"].kernels(lazy).nngp):
        tasks = [str(task) for task in kernel.dask.to_dict().values()]
        assert sum("block" in task and "partial" in task for task in tasks) == 15
        assert sum("_transposed" in task for task in tasks) == 10


def test_only_blocks_that_are_asked_for_are_computed(monkeypatch: pytest.MonkeyPatch) -> None:
    from ntkfast.dask import arrays, blocks

    shapes = []

    def counted(*arguments: Any) -> Any:
        shapes.append([len(x) for x in arguments[3:]])
        return block(*arguments)

    block = blocks.block
    monkeypatch.setattr(arrays.blocks, "block", counted)
    x = points(300, 4)
    kernel = NETWORKS["zonal"].ntk(da.from_array(x, chunks=(64, 4)))
    assert same_bits(kernel[:64, 128:].compute(), NETWORKS["zonal"].ntk(x)[:64, 128:])
    assert sorted(shapes) == [[64, 44], [64, 64], [64, 64]]


def test_both_kernels_take_one_task_per_block() -> None:
    x = points(200, 4)
    kernels = NETWORKS["fitted"].kernels(da.from_array(x, chunks=(64, 4)))
    graph = {**kernels.nngp.dask.to_dict(), **kernels.ntk.dask.to_dict()}
    assert sum("block" in str(task) and "partial" in str(task) for task in graph.values()) == 10
    for got, wanted in zip(dask.compute(*kernels), NETWORKS["fitted"].kernels(x), strict=True):
        assert same_bits(got, wanted)


def test_a_plan_prepares_a_network_once_per_process() -> None:
    lazy = da.from_array(points(200, 4), chunks=(64, 4))
    plans = [plan.of(NETWORKS["fitted"], lazy).compute() for _ in range(8)]
    plans += [pickle.loads(pickle.dumps(plans[0]))]
    with ThreadPoolExecutor(9) as pool:
        prepared = list(pool.map(plan.Plan.prepared, plans))
    assert len({id(one) for one in prepared}) == 1
    whole = NETWORKS["fitted"]._program.prepare(points(200, 4)).recipe
    assert {**prepared[0].recipe, "fits": []} == {**whole, "fits": []}
    both = plan.of(NETWORKS["fitted"], lazy, lazy[:30]).compute()
    assert both.prepared().recipe["pairs"] == 6000


def test_names_are_deterministic() -> None:
    x = points(200, 4)
    lazy = da.from_array(x, chunks=(64, 4))
    for make in (
        lambda: nk.mlp(2, nk.Gelu()),
        lambda: nk.Serial(nk.Dense(), nk.Elementwise(np.tanh), nk.Dense()),
        lambda: nk.Serial(nk.Dense(), nk.Elementwise(lambda v: v**3), nk.Dense()),
    ):
        network, again = make(), make()
        again.ntk(x[:5])
        with dask.config.set({"tokenize.ensure-deterministic": True}):
            assert network.ntk(lazy).name == again.ntk(da.from_array(x, chunks=(64, 4))).name
    names = {
        network.ntk(some, **options).name
        for network in (nk.mlp(2), nk.mlp(3), nk.mlp(2, w_std=1.1))
        for some in (lazy, lazy[:100], lazy.astype("float32"), lazy.rechunk((128, 4)))
        for options in ({}, {"diagonal": True}, {"x2": lazy[:3]})
    }
    assert len(names) == 36
    assert nk.mlp(2).ntk(lazy).name != nk.mlp(2).nngp(lazy).name


def test_names_are_those_of_another_process() -> None:
    script = """if True:
        import dask.array as da, numpy as np, ntkfast as nk
        net = nk.Serial(nk.Dense(), nk.Elementwise(np.tanh), nk.Dense(), nk.Gelu(), nk.Dense())
        print(net.ntk(da.from_array(np.eye(100), chunks=(64, 100))).name)
    """
    names = {
        subprocess.run(
            [sys.executable, "-c", script], capture_output=True, text=True, check=True
        ).stdout
        for _ in range(2)
    }
    assert len(names) == 1


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ((64, 128, 100), (64, 128, 100)),
        ((256, 36), (256, 36)),
        ((100, 100, 92), (128, 128, 36)),
        ((1,) * 292, (64, 64, 64, 64, 36)),
        ((0, 128, 0, 164), (128, 164)),
        ((292,), (292,)),
    ],
)
def test_chunks_of_the_result(given: tuple[int, ...], expected: tuple[int, ...]) -> None:
    lazy = da.from_array(points(292, 3), chunks=(given, 3))
    assert nk.mlp(1).ntk(lazy).chunks == (expected, expected)
    assert nk.mlp(1).ntk(lazy, lazy[:70]).chunks[0] == expected
    assert nk.mlp(1).ntk(lazy, diagonal=True).chunks == (given,)


@pytest.mark.parametrize(("dtype", "rows"), [("float64", 3520), ("float32", 4992)])
def test_blocks_of_one_large_chunk_have_100_megabytes(dtype: str, rows: int) -> None:
    lazy = da.zeros((20_000, 5), chunks=(20_000, 5), dtype=dtype)
    kernel = nk.mlp(1).ntk(lazy)
    assert kernel.chunks[0][0] == rows
    assert 90e6 < rows**2 * kernel.dtype.itemsize < 100e6
