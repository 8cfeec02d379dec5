"""Kernels on images at the edge between Python and the core: signals, progress, memory."""

import re
import sys

import numpy as np
import pytest

import ntkfast as nk
from contract import same_bits
from processes import run
from test_edge import INTERRUPT

POOLED = nk.Serial(
    nk.Conv((3, 3)), nk.Relu(), nk.AvgPool((2, 2)), nk.Conv((2, 2)), nk.Relu(), nk.Flatten()
)


@pytest.mark.alone  # within a limit of time
@pytest.mark.parametrize(
    ("call", "setup"),
    [
        ("net.ntk(images)", "net, images = nk.cntk(60), np.ones((1, 32, 32, 3))"),
        ("net.nngp(images, images)", "net, images = nk.myrtle(10), np.ones((40, 32, 32, 3))"),
        ("net.ntk(images, diagonal=True)", "net, images = nk.cntk(60), np.ones((1, 32, 32, 3))"),
        ("net.ntk(images)", "net, images = nk.cntk(60), np.ones((0, 400, 400, 1))"),
    ],
    ids=["one pair", "pools", "diagonal", "plan"],
)  # fmt: skip
def test_ctrl_c_ends_a_call_on_images_soon(call: str, setup: str) -> None:
    result = run(INTERRUPT.format(call=call, setup=setup, n=100, after=0.3, limit=0.2))
    assert result.returncode == 0, result.stderr
    assert float(result.stdout) < 0.2


@pytest.mark.parametrize("n", [1, 17, 40])
@pytest.mark.parametrize("two_sets", [False, True])
def test_progress_counts_up_to_the_total(n: int, two_sets: bool, rng: np.random.Generator) -> None:
    calls: list[tuple[int, int]] = []
    x = rng.standard_normal((n, 6, 5, 2))
    points = (x, x[::-1]) if two_sets else (x,)
    result = POOLED.ntk(*points, progress=lambda *counts: calls.append(counts))
    assert same_bits(result, POOLED.ntk(*points))
    done = [call[0] for call in calls]
    assert done == sorted(done)
    assert len({total for _, total in calls}) == 1
    assert done[-1] == calls[-1][1]


def pooled(padding: str) -> nk.Network:
    """Return a network that ends with small pools; at 18 × 18 the first one is large."""
    conv = nk.Conv((3, 3), padding=padding)
    first = [conv, nk.Relu(), nk.AvgPool((2, 2)), conv, nk.Relu(), nk.AvgPool((3, 3), (2, 2))]
    return nk.Serial(*first, conv, nk.Relu(), nk.GlobalAvgPool(), nk.Dense())


COMPANY = {
    "pooled": (nk.cntk(3), (6, 5, 2)),
    "flat": (nk.cntk(3, pooling=False), (6, 5, 2)),
    "large pools": (pooled("SAME"), (18, 18, 1)),
    "large pools around a circle": (pooled("CIRCULAR"), (18, 18, 1)),
}


@pytest.mark.parametrize("name", COMPANY)
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_neither_company_nor_threads_change_a_bit_of_a_pair(
    name: str, dtype: str, rng: np.random.Generator, threads: None
) -> None:
    network, shape = COMPANY[name]
    x = rng.standard_normal((50, *shape)).astype(dtype)
    whole = network.kernels(x)
    for n in (1, 2, 6, 17, 35, 49):
        for count in (1, 2, 3):
            nk.set_num_threads(count)
            part = network.kernels(x[:n])
            assert same_bits(part.nngp, whole.nngp[:n, :n])
            assert same_bits(part.ntk, whole.ntk[:n, :n])
            alone = network.kernels(x[:n], diagonal=True)
            assert same_bits(alone.ntk, np.diag(part.ntk))


@pytest.mark.parametrize("shape", [(16, 2), (17, 3), (33, 5), (40, 17), (3, 20)])
def test_blocks_with_gaps_agree_with_a_gram_matrix(
    shape: tuple[int, int], rng: np.random.Generator
) -> None:
    x = rng.standard_normal((sum(shape), 6, 5, 2))
    for network in (nk.cntk(2), nk.cntk(2, pooling=False), POOLED):
        whole = network.kernels(x)
        part = network.kernels(x[: shape[0]], x[shape[0] :])
        for a, b in ((whole.nngp, part.nngp), (whole.ntk, part.ntk)):
            scale = np.sqrt(np.outer(a.diagonal(), a.diagonal())).max()
            np.testing.assert_allclose(b, a[: shape[0], shape[0] :], rtol=0, atol=1e-13 * scale)


def test_ends_with_pooling_and_without_agree_on_one_set_or_two(rng: np.random.Generator) -> None:
    x = rng.standard_normal((19, 5, 6, 3))
    whole, blocks = POOLED.kernels(x), POOLED.kernels(x, x[3:])
    for name in ("nngp", "ntk"):
        gram, cross = getattr(whole, name), getattr(blocks, name)
        np.testing.assert_allclose(cross, gram[:, 3:], rtol=1e-13)
        assert same_bits(np.diagonal(gram), getattr(POOLED, name)(x, diagonal=True))


LIMITED = """
    import resource
    import numpy as np
    import ntkfast as nk

    net = nk.Serial(nk.Conv((3, 3)), nk.Relu(), nk.AvgPool((2, 2)), nk.GlobalAvgPool())
    x = np.ones((2, 8, 8, 1))
    k = net.ntk(x)
    limit = 2**33
    resource.setrlimit(resource.RLIMIT_AS, (limit, resource.getrlimit(resource.RLIMIT_AS)[1]))
    try:
        net.ntk(np.ones((1, 160, 160, 1)))
    except MemoryError as error:
        print(error)
    assert np.array_equal(net.ntk(x), k)
"""


@pytest.mark.alone  # with little memory left
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="RLIMIT_AS of Linux")
def test_images_too_large_for_memory_say_what_they_take() -> None:
    result = run(LIMITED, NTKFAST_NUM_THREADS="1")
    assert result.returncode == 0, result.stderr
    assert re.match(r"images of this size need 1\d\.\d GB of memory per thread, ", result.stdout)
