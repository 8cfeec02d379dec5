"""Networks from the literature: their layers, and their accuracy on images."""

import math
from typing import Any

import numpy as np
import pytest

import ntkfast as nk
from images import random_images


def flat(network: nk.Network) -> list[nk.Network]:
    """The layers in the order of the text, those of branches too."""
    layers = getattr(network, "layers", None)
    return [network] if layers is None else [one for layer in layers for one in flat(layer)]


def convolutions(network: nk.Network) -> list[nk.Conv]:
    return [layer for layer in flat(network) if isinstance(layer, nk.Conv)]


@pytest.mark.parametrize("depth", [1, 3])
@pytest.mark.parametrize("end", [nk.GlobalAvgPool(), nk.Flatten()])
def test_cntk(depth: int, end: nk.Network) -> None:
    net = nk.cntk(depth, pooling=end == nk.GlobalAvgPool())
    layers = [nk.Conv((3, 3), w_std=math.sqrt(2)), nk.Relu()] * depth
    assert net == nk.Serial(*layers, end, nk.Dense())


def test_cntk_by_the_formulae_of_its_source() -> None:
    # Arora et al. (2019), section 4 and its appendix on pooling, with c_σ = 2, for one layer: the
    # kernel of the first convolution, K = mean of x·x' over 3×3 (there times 9·channels), then
    # K₁ = 2E[σσ], K̇₁ = 2E[σ'σ'], and Θ = K̇₁·K + K₁, of which the trace or the mean is taken.
    x = np.pad(random_images(2, 3, 3, 2), ((0, 0), (1, 1), (1, 1), (0, 0)))
    patches = [[x[i, r : r + 3, c : c + 3] for r, c in np.ndindex(3, 3)] for i in range(2)]
    patches = np.array(patches).reshape(18, -1)
    k = 2 * patches @ patches.T / patches.shape[1]  # our √2 stands before the ReLU
    size = np.sqrt(np.diagonal(k))
    angle = np.arccos(np.clip(k / np.outer(size, size), -1, 1))
    nngp = np.outer(size, size) / (2 * np.pi) * (np.sin(angle) + (np.pi - angle) * np.cos(angle))
    theta = (nngp + k * (np.pi - angle) / (2 * np.pi)).reshape(2, 9, 2, 9)
    images = x[:, 1:-1, 1:-1]
    pooled, flattened = theta.mean((1, 3)), np.einsum("ipjp->ij", theta) / 9
    np.testing.assert_allclose(nk.cntk(1).ntk(images), pooled, rtol=1e-7)  # of arccos near 1
    np.testing.assert_allclose(nk.cntk(1, pooling=False).ntk(images), flattened, rtol=1e-7)


@pytest.mark.parametrize(("layers", "groups"), [(5, (2, 1, 1)), (7, (2, 2, 2)), (10, (3, 3, 3))])
def test_myrtle(layers: int, groups: tuple[int, int, int]) -> None:
    net = nk.myrtle(layers)
    assert len(convolutions(net)) + 1 == layers
    block, pool = [nk.Conv((3, 3), w_std=math.sqrt(2)), nk.Relu()], nk.AvgPool((2, 2))
    start = [*block * groups[0], pool, *block * groups[1], pool, *block * groups[2]]
    assert net == nk.Serial(*start, nk.GlobalAvgPool(), nk.Dense())
    # As in the source, whose images are 32 × 32: here a quarter of that, and one pooling.
    small = nk.Serial(*start, nk.AvgPool((2, 2)), nk.Flatten(), nk.Dense())
    x = random_images(2, 8, 8, 3)
    np.testing.assert_allclose(net.ntk(x), small.ntk(x), rtol=1e-12)


@pytest.mark.parametrize("blocks", [1, 2, 4])
def test_wide_resnet(blocks: int) -> None:
    net = nk.wide_resnet(blocks)
    layers = convolutions(net)
    # The first, two in each block, and a shortcut where each of the three groups begins.
    assert len(layers) == 1 + 3 * 2 * blocks + 3
    assert {layer.filter for layer in layers} == {(3, 3)}
    assert [layer.strides for layer in layers].count((2, 2)) == 4
    assert net.layers[-2:] == (nk.GlobalAvgPool(), nk.Dense())
    assert len(net.layers) == 1 + 3 * blocks + 2
    assert net.ntk(random_images(2, 8, 8, 3)).shape == (2, 2)


@pytest.mark.parametrize(
    ("build", "error", "words"),
    [
        (lambda: nk.cntk(0), ValueError, r"cntk: depth is 0; expected an integer >= 1"),
        (lambda: nk.cntk(10**9), ValueError, r"depth is 1000000000; .* >= 1 and <= 10000"),
        (lambda: nk.wide_resnet(10**9), ValueError, r"wide_resnet: blocks is 1000000000"),
        (lambda: nk.cntk(2.0), TypeError, r"cntk: depth is 2\.0"),
        (lambda: nk.cntk(2, 1), TypeError, r"cntk: pooling is 1, .*True or False"),
        (lambda: nk.cntk(2, w_std=-1), ValueError, r"Conv: w_std is -1"),
        (lambda: nk.myrtle(6), ValueError, r"myrtle: layers is 6; expected 5, 7 or 10"),
        (lambda: nk.myrtle("5"), TypeError, r"myrtle: layers is '5'"),
        (lambda: nk.wide_resnet(0), ValueError, r"wide_resnet: blocks is 0"),
    ],
)
def test_refusals(build: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        build()


@pytest.mark.parametrize("net", [nk.cntk(2), nk.myrtle(7, b_std=0.1), nk.wide_resnet(2)], ids=str)
def test_text(net: nk.Network) -> None:
    assert eval(repr(net), vars(nk)) == net
    assert nk.Network.from_dict(net.to_dict()) == net
