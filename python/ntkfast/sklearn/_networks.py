"""A network from parameters that a search can set: numbers, names, or the network itself."""

from __future__ import annotations

from ntkfast.networks import Network, mlp
from ntkfast.networks.composition import as_network
from ntkfast.networks.named import as_activation

__all__ = ["named_network"]


def named_network(
    network: Network | None,
    depth: int,
    activation: str | Network,
    w_std: float,
    b_std: float | None,
) -> Network:
    """Return `network` or, if it is None, an `mlp` of the others; the activation may be a name.

    Raises TypeError and ValueError for invalid networks and names, and for arguments that `mlp`
    rejects.
    """
    if network is not None:
        network = as_network(network, "network")
        if network._rank is not None:
            raise ValueError(
                f"network is {network!r}, which takes images or sequences, but estimators take "
                'samples in rows; use its kernels with kernel="precomputed", or with '
                "nk.KernelRegression, nk.Ensemble or nk.Posterior"
            )
        return network
    return mlp(depth, as_activation(activation, "activation"), w_std=w_std, b_std=b_std)
