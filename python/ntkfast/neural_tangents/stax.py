"""The layers of neural-tangents, by their old names and arguments."""

from typing import Any

from ntkfast.neural_tangents._activations import (
    ABRelu,
    Abs,
    Cos,
    Elementwise,
    ElementwiseNumerical,
    Erf,
    Exp,
    ExpNormalized,
    Gabor,
    Gaussian,
    Gelu,
    Hermite,
    LeakyRelu,
    Monomial,
    Polynomial,
    Rbf,
    RectifiedMonomial,
    Relu,
    Sigmoid_like,
    Sign,
    Sin,
)
from ntkfast.neural_tangents._combinators import (
    FanInConcat,
    FanInProd,
    FanInSum,
    FanOut,
    parallel,
    repeat,
    serial,
)
from ntkfast.neural_tangents._linear import Conv, Dense, Padding
from ntkfast.neural_tangents._spatial import (
    AvgPool,
    Dropout,
    Flatten,
    GlobalAvgPool,
    GlobalSumPool,
    Identity,
    LayerNorm,
    SumPool,
)

__all__ = [
    "ABRelu",
    "Abs",
    "AvgPool",
    "Conv",
    "Cos",
    "Dense",
    "Dropout",
    "Elementwise",
    "ElementwiseNumerical",
    "Erf",
    "Exp",
    "ExpNormalized",
    "FanInConcat",
    "FanInProd",
    "FanInSum",
    "FanOut",
    "Flatten",
    "Gabor",
    "Gaussian",
    "Gelu",
    "GlobalAvgPool",
    "GlobalSumPool",
    "Hermite",
    "Identity",
    "LayerNorm",
    "LeakyRelu",
    "Monomial",
    "Padding",
    "Polynomial",
    "Rbf",
    "RectifiedMonomial",
    "Relu",
    "Sigmoid_like",
    "Sign",
    "Sin",
    "SumPool",
    "parallel",
    "repeat",
    "serial",
]

# Names of the old library that are not provided, and what to do instead.
_MISSING = {
    "layer": "layers of one's own: use ElementwiseNumerical for an activation",
    "requires": "layers of one's own",
    "supports_masking": "layers of one's own",
    "unmask_fn": "masks: cut sequences to one length",
    "Affine": "use Dense on rows, or a scale of the targets",
    "Aggregate": "graphs",
    "AggregateImplementation": "graphs",
    "ConvLocal": "convolutions with weights of their own at each position",
    "ConvTranspose": "transposed convolutions",
    "DotGeneral": "constant operators on positions: apply them to the samples",
    "GlobalSelfAttention": "attention",
    "AttentionMechanism": "attention",
    "PositionalEmbedding": "attention",
    "ImageResize": "resizing: apply it to the samples",
    "Index": "slices of positions: apply them to the samples",
    "Slice": "slices of positions: apply them to the samples",
}


def __getattr__(name: str) -> Any:
    if name in _MISSING:
        raise NotImplementedError(
            f"stax.{name} is not provided by ntkfast.neural_tangents ({_MISSING[name]}); "
            "docs/from-neural-tangents.md lists what is"
        )
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
