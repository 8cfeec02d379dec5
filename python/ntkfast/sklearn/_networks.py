"""A network from parameters that a search can set: numbers, names, or the network itself."""

from __future__ import annotations

import re
from dataclasses import MISSING, fields

from ntkfast import networks
from ntkfast.networks import Activation, Network, mlp
from ntkfast.networks.composition import as_network
from ntkfast.networks.elementwise import Numerical

__all__ = ["ACTIVATIONS", "named_network"]


def _needs_nothing(cls: object) -> bool:
    return (
        isinstance(cls, type)
        and issubclass(cls, (Activation, Numerical))
        and all(f.default is not MISSING for f in fields(cls))
    )


ACTIVATIONS: dict[str, type[Network]] = {
    re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower(): getattr(networks, name)
    for name in networks.__all__
    if name != "Activation" and _needs_nothing(getattr(networks, name))
}
"""Activations that can be called by a name: "relu" is `Relu()`, "leaky_relu" `LeakyRelu()`, …"""


def named_network(
    network: Network | None,
    depth: int,
    activation: str | Network,
    w_std: float,
    b_std: float | None,
) -> Network:
    """Return `network`, or where that is None `mlp` of the others, whose activation may be a name.

    Raises TypeError and ValueError for what is no network and no name, and what `mlp` refuses.
    """
    if network is not None:
        network = as_network(network, "network")
        if network._spatial:
            raise ValueError(
                f"network is {network!r}, which takes images or sequences, and estimators take "
                "samples in rows; use its kernels with nk.KernelRegression, nk.Ensemble or "
                "nk.Posterior, or with an estimator whose kernel is precomputed"
            )
        return network
    if isinstance(activation, str):
        if activation not in ACTIVATIONS:
            raise ValueError(
                f"activation is {activation!r}; expected a layer, such as nk.LeakyRelu(0.1), or "
                f"one of {', '.join(map(repr, sorted(ACTIVATIONS)))}"
            )
        activation = ACTIVATIONS[activation]()
    return mlp(depth, as_network(activation, "activation"), w_std=w_std, b_std=b_std)
