"""Derivatives of kernels by the scales of weights and biases."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from ntkfast._arrays import FloatArray
from ntkfast._ntkfast import Program
from ntkfast._progress import Progress
from ntkfast._scalars import as_choice, as_flag
from ntkfast.derivatives import Parameter, by_parameters
from ntkfast.kernels import KernelName
from ntkfast.networks.base import Network
from ntkfast.networks.composition import as_first, leaves
from ntkfast.networks.description import for_core
from ntkfast.networks.layers import Dense

__all__ = ["kernel_gradients"]

_NAMES = ("w_std", "b_std")


def kernel_gradients(
    network: Network,
    x: npt.ArrayLike,
    x2: npt.ArrayLike | None = None,
    *,
    parameters: str | Sequence[str] = _NAMES,
    tied: bool = True,
    kernel: KernelName = "ntk",
    progress: Progress = None,
) -> dict[str, FloatArray]:
    """Compute derivatives of a kernel by the scales of weights and biases.

    Parameters
    ----------
    network
        A network on rows of features.
    x, x2, progress
        As for `Network.ntk`.
    parameters
        ``"w_std"``, ``"b_std"``, or both.
    tied
        Whether a parameter is one number that is added to that of all `Dense` layers; otherwise
        each layer has its own.
    kernel
        ``"ntk"`` or ``"nngp"``.

    Returns
    -------
    dict
        For each parameter an array of shape (n, m); (layers, n, m) if they are not tied, in the
        order of the layers in the network as it is printed.

    Raises
    ------
    TypeError, ValueError, MemoryError, NumericalError
        As for `Network.ntk_vjp`.

    Notes
    -----
    Costs a few kernels, tied or for each layer. Kernels depend on b_std², so that the derivative by
    it is 0 at b_std = 0.

    Examples
    --------
    >>> import numpy as np
    >>> from ntkfast import mlp
    >>> found = kernel_gradients(mlp(2, w_std=1.5), np.eye(3))
    >>> found["w_std"].shape
    (3, 3)
    """
    network = as_first(network)
    as_choice(kernel, "kernel", ("ntk", "nngp"))
    one = isinstance(parameters, str) or not np.iterable(parameters)
    names = [
        as_choice(name, "parameters", _NAMES) for name in ([parameters] if one else parameters)
    ]
    if as_flag(tied, "tied"):
        wanted: list[Parameter] = [(name, None) for name in names]
        found = by_parameters(network._program, x, x2, wanted, kernel=kernel, progress=progress)
        return dict(zip(names, found, strict=True))
    layers = sum(isinstance(layer, Dense) for layer in leaves(network))
    wanted = [(name, layer) for name in names for layer in range(layers)]
    program = Program.distinct(for_core(network))
    found = by_parameters(program, x, x2, wanted, kernel=kernel, progress=progress)
    return {name: found[i * layers : (i + 1) * layers] for i, name in enumerate(names)}
