"""Kernels of many related networks in one pass, for choosing among them."""

from __future__ import annotations

import numpy.typing as npt

from ntkfast._arrays import FloatArray
from ntkfast._progress import Progress
from ntkfast.kernels import evaluate
from ntkfast.networks.base import Network
from ntkfast.networks.composition import as_network

__all__ = ["nngp_by_depth", "ntk_by_depth", "ntk_by_frozen"]


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

    Entry l is the kernel of the network cut after l hidden layers and closed with its last Dense;
    the last entry is ``network.ntk(x, x2)``. Each entry has the bits of a network that is built so.

    Parameters
    ----------
    network
        A `Serial` of Dense layers and activations that begins and ends with a Dense, as `mlp`
        builds it; it may be nested. Its depth is the number of Dense layers less one.
    x, x2, diagonal, progress
        As for `Network.ntk`.
    out
        Where to write: exactly the shape and type of the result; may be memory-mapped.

    Returns
    -------
    ndarray
        Shape (depth + 1, n, n), (depth + 1, n, m) with ``x2``, (depth + 1, n) for a diagonal.

    Raises
    ------
    TypeError
        ``network`` is not a network; what `Network.ntk` refuses.
    ValueError
        ``network`` is not such a chain; what `Network.ntk` refuses.

    Notes
    -----
    The layers cost what they cost in the deepest network alone; on top of that, each entry costs
    its closing Dense and the writing of its matrix. No matrix is made but the result.
    """
    return evaluate(
        as_network(network, "network")._program_by_depth,
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

    Parameters, result, errors and cost are those of `ntk_by_depth`; the work for the NTK is not
    done.
    """
    return evaluate(
        as_network(network, "network")._program_by_depth,
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

    Entry k is the kernel of the network that trains all its Dense layers but the first k: entry 0
    is ``network.ntk(x, x2)``, entry depth trains the readout alone and equals
    ``network.nngp(x, x2)``, and the last entry trains nothing and is zero.

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
    All entries share the NNGP and what each activation does to the NTK, which is the work of one
    network; on top of that, each entry costs a few multiplications a pair and layer, and the
    writing of its matrix. No matrix is made but the result.

    References
    ----------
    Arora, Du, Li, Salakhutdinov, Wang, Yu (2020), "Harnessing the Power of Infinitely Wide Deep
    Nets on Small-data Tasks", arXiv:1910.01663: kernels with the first layers fixed.
    """
    return evaluate(
        as_network(network, "network")._program_by_frozen,
        x,
        x2,
        wanted=("ntk",),
        out=(out,),
        diagonal=diagonal,
        progress=progress,
        stacked=True,
    )[0]
