"""Standard architectures, each in one call: perceptrons, CNTK, Myrtle, wide residual networks."""

from __future__ import annotations

import math

from ntkfast._scalars import as_count, as_flag
from ntkfast.networks.activations import Relu
from ntkfast.networks.base import Network
from ntkfast.networks.composition import Residual, Serial, Sum, as_network
from ntkfast.networks.layers import Dense
from ntkfast.networks.spatial import AvgPool, Conv, Flatten, GlobalAvgPool

__all__ = ["cntk", "mlp", "myrtle", "wide_resnet"]

_FILTER = (3, 3)

# A slip, such as a number of images for a depth, is refused before it takes all of the memory.
_DEEPEST = 10_000
_MOST_HIDDEN = 100_000  # layers of a perceptron

# How many convolutions stand before each pooling; with the readout, as many layers as the name.
_MYRTLE = {5: (2, 1, 1), 7: (2, 2, 2), 10: (3, 3, 3)}


def mlp(
    depth: int,
    activation: Network = Relu(),  # noqa: B008  (frozen)
    *,
    w_std: float = 1.0,
    b_std: float | None = None,
    width: int | None = None,
    parameterization: str = "ntk",
) -> Serial:
    """Build a fully connected network: `depth` times a Dense and an activation, then a Dense.

    Parameters
    ----------
    depth
        Number of hidden layers, from 0, which is a single Dense, to 100,000.
    activation
        What follows each hidden Dense.
    w_std, b_std
        Of every Dense, the last one included. √2 keeps the variance through ReLU layers.
    width
        Of the hidden layers; the standard parameterization needs it.
    parameterization
        Of every Dense: ``"ntk"`` or ``"standard"``.

    Raises
    ------
    TypeError
        ``depth`` is not an integer, ``activation`` is not a network.
    ValueError
        A ``depth`` out of range, or what `Dense` and `Serial` refuse.

    Examples
    --------
    >>> mlp(1, Erf(), w_std=1.5)
    Serial(Dense(w_std=1.5), Erf(), Dense(w_std=1.5))
    """
    depth = as_count(depth, "mlp: depth", least=0, most=_MOST_HIDDEN)
    activation = as_network(activation, "mlp: activation")

    def dense(width: int | None) -> Dense:
        return Dense(width, w_std=w_std, b_std=b_std, parameterization=parameterization)

    return Serial(*(dense(width), activation) * depth, dense(None))


def cntk(
    depth: int,
    pooling: bool = True,
    *,
    w_std: float = math.sqrt(2.0),
    b_std: float | None = None,
) -> Serial:
    """Build `depth` times a 3×3 convolution and a ReLU, then pooling or Flatten, then a Dense.

    Parameters
    ----------
    depth
        Number of convolutions, from 1 to 10,000. They pad with zeros, so that all have the size of
        the image.
    pooling
        True for `GlobalAvgPool`, False for `Flatten`, which is far quicker.
    w_std, b_std
        Of the convolutions. √2 keeps the variance away from the edges. The last Dense has w_std 1
        and no bias.

    Raises
    ------
    TypeError
        ``depth`` is not an integer, ``pooling`` not a truth value.
    ValueError
        A ``depth`` out of its range, or what `Conv` refuses.

    References
    ----------
    Arora, Du, Hu, Li, Salakhutdinov, Wang (2019), arXiv:1904.11955: its vanilla CNTK, and CNTK-GAP
    with pooling, up to a factor.

    Examples
    --------
    >>> cntk(1, pooling=False, w_std=1.4)
    Serial(Conv(filter=(3, 3), w_std=1.4), Relu(), Flatten(), Dense())
    """
    depth = as_count(depth, "cntk: depth", least=1, most=_DEEPEST)
    end = GlobalAvgPool() if as_flag(pooling, "cntk: pooling") else Flatten()
    return Serial(*(Conv(_FILTER, w_std=w_std, b_std=b_std), Relu()) * depth, end, Dense())


def myrtle(layers: int, *, w_std: float = math.sqrt(2.0), b_std: float | None = None) -> Serial:
    """Build a Myrtle network: 3×3 convolutions with ReLUs in three groups, 2×2 pooling between.

    Parameters
    ----------
    layers
        5, 7 or 10: the number of layers with weights, the last Dense included.
    w_std, b_std
        Of the convolutions. The last Dense has w_std 1 and no bias.

    Raises
    ------
    TypeError
        ``layers`` is not an integer.
    ValueError
        Another number of ``layers``, or what `Conv` refuses.

    Notes
    -----
    Height and width of images have to be at least 4. The last group ends in `GlobalAvgPool`, which
    for the 32×32 images of the source is its three poolings by 2×2 in a row.

    References
    ----------
    Shankar, Fang, Guo, Fridovich-Keil, Schmidt, Ragan-Kelley, Recht (2020), "Neural Kernels Without
    Tangents", arXiv:2003.02237.
    """
    layers = as_count(layers, "myrtle: layers", least=1)
    if layers not in _MYRTLE:
        raise ValueError(f"myrtle: layers is {layers}; expected 5, 7 or 10")
    convolution = (Conv(_FILTER, w_std=w_std, b_std=b_std), Relu())
    first, second, third = (convolution * count for count in _MYRTLE[layers])
    pool = AvgPool((2, 2))
    return Serial(*first, pool, *second, pool, *third, GlobalAvgPool(), Dense())


def wide_resnet(blocks: int, *, w_std: float = 1.0, b_std: float | None = None) -> Serial:
    """Build a wide residual network: three groups of residual blocks, then pooling and a Dense.

    Parameters
    ----------
    blocks
        Number of blocks in each group, from 1 to 10,000; with two 3×3 convolutions each, the depth
        is 6·blocks + 2. The second and the third group halve height and width.
    w_std, b_std
        Of all convolutions. The last Dense has w_std 1 and no bias.

    Raises
    ------
    TypeError
        ``blocks`` is not an integer.
    ValueError
        ``blocks`` out of their range, or what `Conv` refuses.

    Notes
    -----
    Where a group begins, the shortcut is a 3×3 convolution. There is no batch normalisation, and no
    ReLU before the pooling over all positions.

    References
    ----------
    Zagoruyko, Komodakis (2016), "Wide Residual Networks", arXiv:1605.07146.
    """
    blocks = as_count(blocks, "wide_resnet: blocks", least=1, most=_DEEPEST)

    def convolution(stride: int = 1) -> Conv:
        return Conv(_FILTER, strides=(stride, stride), w_std=w_std, b_std=b_std)

    def branch(stride: int = 1) -> tuple[Network, ...]:
        return Relu(), convolution(stride), Relu(), convolution()

    def group(stride: int) -> tuple[Network, ...]:
        first = Sum(Serial(*branch(stride)), convolution(stride))
        return first, *(Residual(*branch()),) * (blocks - 1)

    return Serial(convolution(), *group(1), *group(2), *group(2), GlobalAvgPool(), Dense())
