"""Networks as data: layers, activations, and compositions of them."""

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
    SigmoidLike,
    Sign,
    Sin,
)
from ntkfast.networks.architectures import cntk, mlp, myrtle, wide_resnet
from ntkfast.networks.base import Network
from ntkfast.networks.composition import Concatenate, Product, Residual, Serial, Sum
from ntkfast.networks.description import register
from ntkfast.networks.differential import derivative_gram, derivative_kernel
from ntkfast.networks.elementwise import (
    Elementwise,
    Elu,
    Hardtanh,
    Selu,
    Sigmoid,
    Softplus,
    Swish,
    Tanh,
)
from ntkfast.networks.estimate import Estimate
from ntkfast.networks.exponentials import Exp, ExpNormalized, Gabor, Gaussian, Rbf
from ntkfast.networks.family import nngp_by_depth, ntk_by_depth, ntk_by_frozen
from ntkfast.networks.gradients import kernel_gradients
from ntkfast.networks.layers import Dense, Dropout, LayerNorm
from ntkfast.networks.polynomials import Hermite, Monomial, Polynomial, RectifiedMonomial
from ntkfast.networks.spatial import (
    AvgPool,
    Conv,
    Flatten,
    GlobalAvgPool,
    GlobalSumPool,
    SumPool,
)
from ntkfast.networks.summary import LayerSummary, Summary

__all__ = [
    "ABRelu",
    "Abs",
    "Activation",
    "AvgPool",
    "Concatenate",
    "Conv",
    "Cos",
    "Dense",
    "Dropout",
    "Elementwise",
    "Elu",
    "Erf",
    "Estimate",
    "Exp",
    "ExpNormalized",
    "Flatten",
    "Gabor",
    "Gaussian",
    "Gelu",
    "GlobalAvgPool",
    "GlobalSumPool",
    "Hardtanh",
    "Hermite",
    "Identity",
    "LayerNorm",
    "LayerSummary",
    "LeakyRelu",
    "Monomial",
    "Network",
    "Polynomial",
    "Product",
    "Rbf",
    "RectifiedMonomial",
    "Relu",
    "Residual",
    "Selu",
    "Serial",
    "Sigmoid",
    "SigmoidLike",
    "Sign",
    "Sin",
    "Softplus",
    "Sum",
    "SumPool",
    "Summary",
    "Swish",
    "Tanh",
    "cntk",
    "derivative_gram",
    "derivative_kernel",
    "kernel_gradients",
    "mlp",
    "myrtle",
    "nngp_by_depth",
    "ntk_by_depth",
    "ntk_by_frozen",
    "wide_resnet",
]

register(globals()[name] for name in __all__)
