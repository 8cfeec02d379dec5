"""Random initialisation of a network of finite width."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np

from ntkfast._memory import check
from ntkfast._scalars import as_flag, as_size
from ntkfast._seed import Seed, as_generator
from ntkfast.finite._arguments import as_features, as_rows
from ntkfast.finite._build import Builder, natural_width
from ntkfast.finite._joins import Difference
from ntkfast.finite._layers import Affine, Layer
from ntkfast.finite.network import FiniteNetwork
from ntkfast.networks import Network
from ntkfast.networks.activations import Array

__all__ = ["init", "restored"]


def init(
    network: Network,
    input_shape: int | Sequence[int],
    seed: Seed,
    *,
    output_dim: int | None = None,
    width: int | None = None,
    zero_output: bool = False,
) -> FiniteNetwork:
    """Draw a network of finite width: its architecture, with random weights and biases.

    In the NTK parameterization z = (w_std/√fan_in)·W h + b_std·b with W, b ~ N(0, 1). In the
    standard one z = W h + b with W ~ N(0, w_std²/fan_in), b ~ N(0, b_std²).

    Parameters
    ----------
    network
        The architecture. A Dense with a width keeps it.
    input_shape
        The number of features, or a tuple that contains it.
    seed
        An integer, a SeedSequence, or a Generator, which is advanced. The same integer gives the
        same network.
    output_dim
        Number of outputs c, for a readout without a width. None: one output without an axis of its
        own, or the number that the network determines itself.
    width
        Width of all other Dense layers without a width.
    zero_output
        Use the difference of two copies, f = (f_A − f_B)/√2. They start with equal parameters and
        are then trained separately: f₀ = 0, and the initial NTK is that of one copy.

    Returns
    -------
    FiniteNetwork
        The network with its parameters.

    Raises
    ------
    TypeError
        ``network`` is not a network, or another argument has the wrong type.
    ValueError
        A hidden Dense has no width, widths do not match, or the network contains ``ExpNormalized``,
        which is not a function of a neuron.
    ImportError
        SciPy is not installed, but Erf, SigmoidLike and Gelu need it; install the extra `scipy`.

    Notes
    -----
    If the branches of a join must have the same width, branches without a width take that of the
    others. A `Concatenate` divides ``output_dim`` equally among branches without a width. A
    `Dropout` drops the neurons that a hash of the point selects, so that a network is one function.
    The selection differs between points, layers and draws, but equal rows drop the same neurons.

    Examples
    --------
    >>> from ntkfast import mlp
    >>> net = init(mlp(1, b_std=0.1), 2, seed=0, width=1000)
    >>> net.n_parameters, net.forward([[1.0, 2.0]]).shape
    (4001, (1,))
    """
    network = as_rows(network)
    n_features = as_features(input_shape)
    rng = as_generator(seed)
    width = None if width is None else as_size(width, "width", least=1)
    natural = natural_width(network, n_features)
    wanted = natural or 1 if output_dim is None else as_size(output_dim, "output_dim", least=1)
    if natural not in (None, wanted):
        raise ValueError(
            f"output_dim is {wanted}, but the network determines {natural} outputs; leave "
            "output_dim unset, or leave the width of the readout unset"
        )
    copies: Literal[1, 2] = 2 if as_flag(zero_output, "zero_output") else 1
    layer, builders = _layers(network, n_features, wanted, width, copies)
    first = builders[0]
    check(8 * (first.n_parameters + first.n_fixed), "the parameters", "use smaller widths")
    parameters, fixed = np.empty(first.n_parameters), np.empty(first.n_fixed)
    for affine in first.affine:
        affine.draw(rng, parameters if affine.trainable else fixed)
    for drop in first.drops:
        drop.draw(rng, fixed)
    parameters = np.tile(parameters, copies)
    parameters.flags.writeable = False
    return FiniteNetwork(
        network,
        n_features,
        () if output_dim is None and wanted == 1 else (wanted,),
        parameters,
        layer,
        _affine(builders),
        fixed,
        width,
        copies,
    )


def restored(
    network: Network,
    n_features: int,
    output_shape: tuple[int, ...],
    parameters: Array,
    _fixed: Array,
    _width: int | None,
    _copies: Literal[1, 2],
) -> FiniteNetwork:
    """Return a network that `init` drew, from the fields that do not follow from the layers."""
    n_outputs = output_shape[0] if output_shape else 1
    layer, builders = _layers(network, n_features, n_outputs, _width, _copies)
    sizes = builders[-1].n_parameters, builders[0].n_fixed
    if (parameters.shape, _fixed.shape) != ((sizes[0],), (sizes[1],)):
        raise ValueError(
            f"there are {parameters.size} parameters and {_fixed.size} fixed numbers; "
            f"expected {sizes[0]} and {sizes[1]} for the layers"
        )
    parameters.flags.writeable = False
    return FiniteNetwork(
        network,
        n_features,
        output_shape,
        parameters,
        layer,
        _affine(builders),
        _fixed,
        _width,
        _copies,
    )


def _layers(
    network: Network, n_features: int, n_outputs: int, width: int | None, copies: int
) -> tuple[Layer, list[Builder]]:
    """Return the layers, and the builder of each copy."""
    builders: list[Builder] = []
    layers: list[Layer] = []
    for copy in range(copies):
        builder = Builder(width, builders[-1].n_parameters if builders else 0)
        place = f"copy {copy + 1}" if copies == 2 else ""
        layers.append(builder.build(network, n_features, n_outputs, place))
        builders.append(builder)
    layer = layers[0] if copies == 1 else Difference(n_outputs, tuple(layers))
    return layer, builders


def _affine(builders: list[Builder]) -> tuple[Affine, ...]:
    return tuple(affine for builder in builders for affine in builder.affine)
