"""The multilayer perceptron, in one call."""

from __future__ import annotations

from ntkfast._scalars import as_count
from ntkfast.networks.activations import Relu
from ntkfast.networks.base import Network
from ntkfast.networks.composition import Serial, as_network
from ntkfast.networks.layers import Dense

__all__ = ["mlp"]

# A slip, such as a number of samples for a depth, is refused before it takes all of the memory.
_DEEPEST = 100_000


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
    depth = as_count(depth, "mlp: depth", least=0, most=_DEEPEST)
    activation = as_network(activation, "mlp: activation")

    def dense(width: int | None) -> Dense:
        return Dense(width, w_std=w_std, b_std=b_std, parameterization=parameterization)

    return Serial(*(dense(width), activation) * depth, dense(None))
