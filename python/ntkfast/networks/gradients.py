"""Derivatives of kernels by the scales of weights and biases, and by parameters of activations."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from ntkfast._arrays import FloatArray
from ntkfast._derivatives import check_rows
from ntkfast._ntkfast import Program
from ntkfast._progress import Progress
from ntkfast._scalars import as_choice, as_flag
from ntkfast.derivatives import Parameter, by_parameters
from ntkfast.kernels import KernelName, as_samples
from ntkfast.networks.base import Network
from ntkfast.networks.composition import as_first, leaves
from ntkfast.networks.description import for_core
from ntkfast.networks.layers import Dense
from ntkfast.networks.parameters import as_scales, named

__all__ = ["kernel_gradients"]

_SCALES = ("w_std", "b_std")


def kernel_gradients(
    network: Network,
    x: npt.ArrayLike,
    x2: npt.ArrayLike | None = None,
    *,
    parameters: str | Sequence[str] = _SCALES,
    tied: bool = True,
    kernel: KernelName = "ntk",
    progress: Progress = None,
) -> dict[str, FloatArray]:
    """Compute derivatives of a kernel by the scales of weights and biases, and by activations.

    Parameters
    ----------
    network
        A network on rows of features.
    x, x2, progress
        As for `Network.ntk`.
    parameters
        ``"w_std"`` and ``"b_std"`` of `Dense` layers; ``"a"``, ``"b"``, ``"c"`` of `ABRelu`, `Erf`,
        `Sin`, `Cos`, `Exp` and `Gaussian`; ``"alpha"`` of `LeakyRelu`, ``"gamma"`` of `Rbf`.
    tied
        Whether a parameter is one number that is added to that of all layers which have it;
        otherwise each layer has its own.
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
    Costs a few kernels, tied or for each layer; by parameters of activations for each layer.
    Kernels depend on b_std², so that the derivative by it is 0 at b_std = 0.

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
    check_rows(network._program)
    one = isinstance(parameters, str) or not np.iterable(parameters)
    known = (*_SCALES, *sorted(set().union(*(named(layer) for layer in leaves(network)))))
    names = [as_choice(name, "parameters", known) for name in ([parameters] if one else parameters)]
    tied = as_flag(tied, "tied")
    scales = [name for name in names if name in _SCALES]
    others = [name for name in names if name not in _SCALES]
    found: dict[str, FloatArray] = {}
    if scales and tied:
        wanted: list[Parameter] = [(name, None) for name in scales]
        arrays = by_parameters(network._program, x, x2, wanted, kernel=kernel, progress=progress)
        found.update(zip(scales, arrays, strict=True))
    elif scales:
        layers = sum(isinstance(layer, Dense) for layer in leaves(network))
        wanted = [(name, layer) for name in scales for layer in range(layers)]
        program = Program.distinct(for_core(network))
        arrays = by_parameters(program, x, x2, wanted, kernel=kernel, progress=progress)
        found.update({name: arrays[i * layers :][:layers] for i, name in enumerate(scales)})
    if others:
        found.update(_of_activations(network, x, x2, others, tied, kernel, progress))
    return {name: found[name] for name in names}


def _of_activations(
    network: Network,
    x: npt.ArrayLike,
    x2: npt.ArrayLike | None,
    names: list[str],
    tied: bool,
    kernel: KernelName,
    progress: Progress,
) -> dict[str, FloatArray]:
    """Return derivatives by parameters of activations, each a weighted sum of those by scales."""
    points = as_samples(network._program, x, "x", None)
    rewritten, derivatives = as_scales(network, points.shape[1])
    terms = [term for name in names for layer in derivatives[name] for term in layer]
    wanted: list[Parameter] = sorted({(scale, layer) for _, scale, layer in terms})
    program = Program.distinct(for_core(rewritten))
    arrays = by_parameters(program, x, x2, wanted, kernel=kernel, progress=progress)
    place = {parameter: i for i, parameter in enumerate(wanted)}
    found = {}
    for name in names:
        own = np.zeros((len(derivatives[name]), *arrays.shape[1:]), arrays.dtype)
        for i, layer in enumerate(derivatives[name]):
            for rate, scale, index in layer:
                own[i] += rate * arrays[place[scale, index]]
        found[name] = own.sum(axis=0) if tied else own
    return found
