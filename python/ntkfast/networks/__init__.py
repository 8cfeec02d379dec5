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
from ntkfast.networks.layers import Dense
from ntkfast.networks.mlp import mlp
from ntkfast.networks.polynomials import Hermite, Monomial, Polynomial, RectifiedMonomial

__all__ = [
    "ABRelu",
    "Abs",
    "Activation",
    "Cos",
    "Dense",
    "Elementwise",
    "Erf",
    "Gelu",
    "Hermite",
    "Identity",
    "LeakyRelu",
    "Monomial",
    "Network",
    "Polynomial",
    "RectifiedMonomial",
    "Relu",
    "Residual",
    "Serial",
    "Sin",
    "Sum",
    "Tanh",
    "mlp",
]
