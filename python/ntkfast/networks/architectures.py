"""Standard architectures: perceptrons, CNTK, Myrtle and wide residual networks."""

from __future__ import annotations

import math

from ntkfast._scalars import as_count, as_flag
from ntkfast.networks.activations import Relu
from ntkfast.networks.base import Network
from ntkfast.networks.composition import Residual, Serial, Sum
from ntkfast.networks.layers import Dense
from ntkfast.networks.named import as_activation
from ntkfast.networks.spatial import AvgPool, Conv, Flatten, GlobalAvgPool

__all__ = ["cntk", "mlp", "myrtle", "wide_resnet"]

_FILTER = (3, 3)

# Mistakes, such as passing a number of images as a depth, are rejected before memory runs out.
_DEEPEST = 10_000
_MOST_HIDDEN = 100_000  # layers of a perceptron

# Convolutions before each pooling. With the readout they add up to the layers in the name.
_MYRTLE = {5: (2, 1, 1), 7: (2, 2, 2), 10: (3, 3, 3)}


def mlp(
    depth: int,
    activation: str | Network = Relu(),  # noqa: B008  (frozen)
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
        Number of hidden layers, from 0 (a single Dense) to 100,000.
    activation
        The activation after each hidden Dense: a layer, or its name, such as ``"relu"`` or
        ``"leaky_relu"``, for its default parameters.
    w_std, b_std
        For every Dense, including the readout. √2 preserves the variance through ReLU layers.
    width
        Width of the hidden layers. The standard parameterization requires it.
    parameterization
        For every Dense: ``"ntk"`` or ``"standard"``.

    Raises
    ------
    TypeError
        ``depth`` is not an integer, or ``activation`` is neither a network nor a string.
    ValueError
        ``depth`` is out of range, no activation has this name, or `Dense` or `Serial` reject their
        arguments.

    Examples
    --------
    >>> mlp(1, Erf(), w_std=1.5)
    Serial(Dense(w_std=1.5), Erf(), Dense(w_std=1.5))
    >>> mlp(1, "erf", w_std=1.5) == mlp(1, Erf(), w_std=1.5)
    True
    """
    depth = as_count(depth, "mlp: depth", least=0, most=_MOST_HIDDEN)
    activation = as_activation(activation, "mlp: activation")

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
        Number of convolutions, from 1 to 10,000. They pad with zeros, so that every layer has the
        size of the image.
    pooling
        True for `GlobalAvgPool`, False for `Flatten`, which is much faster.
    w_std, b_std
        For the convolutions. √2 preserves the variance away from the edges. The readout has
        w_std 1 and no bias.

    Raises
    ------
    TypeError
        ``depth`` is not an integer, or ``pooling`` is not a boolean.
    ValueError
        ``depth`` is out of range, or `Conv` rejects its arguments.

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
    """Build a Myrtle network: three groups of 3×3 convolutions with ReLUs and 2×2 pooling between.

    Parameters
    ----------
    layers
        5, 7 or 10: the number of layers with weights, including the readout.
    w_std, b_std
        For the convolutions. The readout has w_std 1 and no bias.

    Raises
    ------
    TypeError
        ``layers`` is not an integer.
    ValueError
        Another number of ``layers``, or `Conv` rejects its arguments.

    Notes
    -----
    Images must have a height and width of at least 4. The last group ends with `GlobalAvgPool`,
    which for the 32×32 images of the reference equals its three successive poolings by 2×2.

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
        Number of blocks in each group, from 1 to 10,000. Each block has two 3×3 convolutions, so
        the depth is 6·blocks + 2. The second and the third group halve height and width.
    w_std, b_std
        For all convolutions. The readout has w_std 1 and no bias.

    Raises
    ------
    TypeError
        ``blocks`` is not an integer.
    ValueError
        ``blocks`` is out of range, or `Conv` rejects its arguments.

    Notes
    -----
    At the start of a group, the shortcut is a 3×3 convolution. There is no batch normalisation and
    no ReLU before the global pooling.

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
