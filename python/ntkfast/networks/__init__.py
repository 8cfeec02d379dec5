"""Networks as data: layers, activations, and the ways to join them."""

from ntkfast.networks.activations import (
    ABRelu,
    Abs,
    Activation,
    Cos,
    Erf,
    Gelu,
    Identity,
    LeakyRelu,
    Relu,
    Sin,
)
from ntkfast.networks.base import Network
from ntkfast.networks.composition import Residual, Serial, Sum
from ntkfast.networks.elementwise import Elementwise, Tanh
from ntkfast.networks.family import nngp_by_depth, ntk_by_depth, ntk_by_frozen
from ntkfast.networks.layers import Dense
from ntkfast.networks.mlp import mlp
from ntkfast.networks.summary import LayerSummary, Summary

__all__ = [
    "ABRelu",
    "Abs",
    "Activation",
    "Cos",
    "Dense",
    "Elementwise",
    "Erf",
    "Gelu",
    "Identity",
    "LayerSummary",
    "LeakyRelu",
    "Network",
    "Relu",
    "Residual",
    "Serial",
    "Sin",
    "Sum",
    "Summary",
    "Tanh",
    "mlp",
    "nngp_by_depth",
    "ntk_by_depth",
    "ntk_by_frozen",
]
