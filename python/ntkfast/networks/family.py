"""Kernels of many related networks in one pass, for model selection."""

from __future__ import annotations

import numpy.typing as npt

from ntkfast._arrays import FloatArray
from ntkfast._progress import Progress
from ntkfast.kernels import evaluate
from ntkfast.networks.base import Network
from ntkfast.networks.composition import Serial, as_first, leaves
from ntkfast.networks.layers import Dense

__all__ = ["cut_by_depth", "nngp_by_depth", "ntk_by_depth", "ntk_by_frozen"]


def ntk_by_depth(
    network: Network,
    x: npt.ArrayLike,
    x2: npt.ArrayLike | None = None,
    *,
    diagonal: bool = False,
    out: FloatArray | None = None,
    progress: Progress = None,
) -> FloatArray:
    """Compute the NTK of a multilayer perceptron at every depth, in one pass.

    Entry l is the kernel of the network that consists of the first l hidden layers and the readout.
    The last entry is ``network.ntk(x, x2)``. Each entry has the same bits as the kernel of a
    separately built network.

    Parameters
    ----------
    network
        A `Serial` of Dense layers and activations that begins and ends with a Dense, as built by
        `mlp`; it may be nested. Its depth is the number of Dense layers minus one.
    x, x2, diagonal, progress
        As for `Network.ntk`.
    out
        Array for the result, with its exact shape and type. It may be memory-mapped.

    Returns
    -------
    ndarray
        Shape (depth + 1, n, n), (depth + 1, n, m) with ``x2``, (depth + 1, n) for a diagonal.

    Raises
    ------
    TypeError
        ``network`` is not a network, or `Network.ntk` rejects its arguments.
    ValueError
        ``network`` is not such a chain, or `Network.ntk` rejects its arguments.

    Notes
    -----
    The layers cost as much as those of the deepest network alone. In addition, each entry costs its
    readout and the writing of its matrix. No matrix other than the result is allocated.
    """
    return evaluate(
        as_first(network)._program_by_depth,
        x,
        x2,
        wanted=("ntk",),
        out=(out,),
        diagonal=diagonal,
        progress=progress,
        stacked=True,
    )[0]


def nngp_by_depth(
    network: Network,
    x: npt.ArrayLike,
    x2: npt.ArrayLike | None = None,
    *,
    diagonal: bool = False,
    out: FloatArray | None = None,
    progress: Progress = None,
) -> FloatArray:
    """Compute the NNGP of a multilayer perceptron at every depth, in one pass.

    Parameters, result, errors and cost are those of `ntk_by_depth`, without the work for the NTK.
    """
    return evaluate(
        as_first(network)._program_by_depth,
        x,
        x2,
        wanted=("nngp",),
        out=(out,),
        diagonal=diagonal,
        progress=progress,
        stacked=True,
    )[0]


def ntk_by_frozen(
    network: Network,
    x: npt.ArrayLike,
    x2: npt.ArrayLike | None = None,
    *,
    diagonal: bool = False,
    out: FloatArray | None = None,
    progress: Progress = None,
) -> FloatArray:
    """Compute the NTK of a multilayer perceptron for every number of frozen first layers.

    Entry k is the kernel of the network that trains all its Dense layers except the first k. Entry
    0 is ``network.ntk(x, x2)``. Entry depth trains only the readout and equals
    ``network.nngp(x, x2)``. The last entry trains nothing and is zero.

    Parameters
    ----------
    network, x, x2, diagonal, out, progress
        As for `ntk_by_depth`.

    Returns
    -------
    ndarray
        Shape (depth + 2, n, n), (depth + 2, n, m) with ``x2``, (depth + 2, n) for a diagonal.

    Raises
    ------
    TypeError, ValueError
        As for `ntk_by_depth`.

    Notes
    -----
    All entries share the NNGP and the effect of each activation on the NTK, which cost as much as
    one network. In addition, each entry costs a few multiplications per pair and layer, and the
    writing of its matrix. No matrix other than the result is allocated.

    References
    ----------
    Arora, Du, Li, Salakhutdinov, Wang, Yu (2020), "Harnessing the Power of Infinitely Wide Deep
    Nets on Small-data Tasks", arXiv:1910.01663: kernels with the first layers fixed.
    """
    return evaluate(
        as_first(network)._program_by_frozen,
        x,
        x2,
        wanted=("ntk",),
        out=(out,),
        diagonal=diagonal,
        progress=progress,
        stacked=True,
    )[0]


def cut_by_depth(network: Network) -> list[Network]:
    """Return the networks whose kernels `ntk_by_depth`, which accepts this one, computes."""
    layers = list(leaves(network))
    ends = [end for end, layer in enumerate(layers) if isinstance(layer, Dense)]
    return [Serial(*layers[:end], layers[-1]) for end in ends]
