"""The networks that the contract tests.

A new layer adds its line to ``BUILDERS``, its dual to ``reference/evaluator.py`` and a network or
two to ``NETWORKS``. It then inherits every test that runs over these networks.

Networks are written as nested lists of plain data, which the reference evaluator also reads.
"""

from collections.abc import Callable, Sequence
from typing import Any

import ntkfast as nk

Description = Sequence[Any]


def dense(
    w_std: float, b_std: float | None, width: int | None = None, training: str = "ntk"
) -> nk.Dense:
    """Return a dense layer whose training is "ntk", "standard" or "frozen"."""
    return nk.Dense(
        width,
        w_std=w_std,
        b_std=b_std,
        parameterization="standard" if training == "standard" else "ntk",
        trainable=training != "frozen",
    )


def conv(*parameters: Any) -> nk.Conv:
    """Return a convolution: filter, strides, padding, then what `dense` takes."""
    height, wide, down, right, padding, w_std, b_std, width, training = parameters
    return nk.Conv(
        (height, wide),
        width=width,
        strides=(down, right),
        padding=padding,
        w_std=w_std,
        b_std=b_std,
        parameterization="standard" if training == "standard" else "ntk",
        trainable=training != "frozen",
    )


BUILDERS: dict[str, Callable[..., Any]] = {
    "serial": lambda *layers: nk.Serial(*map(build, layers)),
    "residual": lambda *layers: nk.Residual(*map(build, layers)),
    "sum": lambda *branches: nk.Sum(*map(build, branches)),
    "product": lambda *factors: nk.Product(*map(build, factors)),
    "concatenate": lambda *branches: nk.Concatenate(*map(build, branches)),
    "dense": dense,
    "conv": conv,
    "avg_pool": lambda h, w, down, right, padding: nk.AvgPool((h, w), (down, right), padding),
    "sum_pool": lambda h, w, down, right, padding: nk.SumPool((h, w), (down, right), padding),
    "global_avg_pool": nk.GlobalAvgPool,
    "global_sum_pool": nk.GlobalSumPool,
    "flatten": nk.Flatten,
    "layer_norm": nk.LayerNorm,
    "dropout": lambda keep: nk.Dropout(keep=keep),
    "identity": nk.Identity,
    "relu": nk.Relu,
    "leaky_relu": nk.LeakyRelu,
    "abrelu": nk.ABRelu,
    "abs": nk.Abs,
    "sign": nk.Sign,
    "erf": nk.Erf,
    "sigmoid_like": nk.SigmoidLike,
    "gelu": nk.Gelu,
    "sin": nk.Sin,
    "cos": nk.Cos,
    "rbf": nk.Rbf,
    "exp": nk.Exp,
    "exp_normalized": nk.ExpNormalized,
    "gaussian": nk.Gaussian,
    "gabor": nk.Gabor,
    "polynomial": lambda *coef: nk.Polynomial(coef),
    "monomial": nk.Monomial,
    "hermite": nk.Hermite,
    "rectified_monomial": nk.RectifiedMonomial,
}


DENSE, BIASED = ["dense", 1.4, None], ["dense", 1.3, 0.3]
STANDARD, AT_ZERO = ["dense", 1.2, 0.2, 32, "standard"], ["dense", 1.2, 0.0, 32, "standard"]
FROZEN = ["dense", 1.1, 0.2, None, "frozen"]

NETWORKS: dict[str, Description] = {
    "dense": ["serial", DENSE],
    "linear with bias": ["serial", BIASED, BIASED],
    "identity": ["serial", BIASED, ["identity"], DENSE],
    "relu": ["serial", DENSE, ["relu"], DENSE],
    "relu, deep, bias": ["serial", *[BIASED, ["relu"]] * 6, BIASED],
    "relu last": ["serial", BIASED, ["relu"]],
    "leaky relu": ["serial", BIASED, ["leaky_relu", 0.2], DENSE, ["leaky_relu", 0.2], DENSE],
    "abrelu": ["serial", DENSE, ["abrelu", 0.5, 1.5], BIASED, ["abrelu", -0.5, 1.5], BIASED],
    "abs": ["serial", DENSE, ["abs"], DENSE, ["abs"], DENSE],
    "erf": ["serial", DENSE, ["erf", 1.0, 1.0, 0.0], DENSE],
    "erf, shifted": [
        "serial",
        BIASED,
        ["erf", 1.2, 0.7, 0.3],
        BIASED,
        ["erf", 1.0, 1.0, 0.0],
        DENSE,
    ],
    "erf, steep and negative": [
        "serial",
        BIASED,
        ["erf", -1.2, 15.0, 0.2],
        BIASED,
        ["erf", 1.0, -8.0, 0.0],
        DENSE,
    ],
    "a layer that forgets": [
        "serial",
        BIASED,
        ["relu"],
        ["dense", 0.0, 0.3],
        ["relu"],
        ["dense", 0.0, None],
    ],
    "relu after erf": ["serial", BIASED, ["erf", 1.0, 1.0, 0.0], BIASED, ["relu"], DENSE],
    "gelu": ["serial", DENSE, ["gelu"], BIASED, ["gelu"], DENSE],
    "relu after gelu": ["serial", BIASED, ["gelu"], BIASED, ["relu"], DENSE],
    "sin": ["serial", DENSE, ["sin", 1.5, 0.8, 0.0], BIASED, ["sin", 1.0, 1.0, 0.4], DENSE],
    "cos": ["serial", DENSE, ["cos", 1.5, 0.8, 0.0], BIASED, ["cos", 1.0, -1.2, 0.4], DENSE],
    "abs after sin": ["serial", BIASED, ["sin", 1.0, 1.0, 0.0], DENSE, ["abs"], DENSE],
    "sign": ["serial", DENSE, ["sign"], DENSE],
    "sign, then others": ["serial", BIASED, ["sign"], BIASED, ["relu"], DENSE, ["sign"], BIASED],
    "rbf": ["serial", BIASED, ["rbf", 0.7], DENSE, ["rbf", 0.2], BIASED],
    "exp": ["serial", DENSE, ["erf", 1.0, 1.0, 0.0], BIASED, ["exp", 0.8, -0.6], BIASED],
    "exp, normalised": ["serial", DENSE, *[["exp_normalized", 1.5, -0.8], DENSE] * 2],
    "gaussian": ["serial", DENSE, ["gaussian", 1.0, -1.0], BIASED, ["gaussian", 2.0, -0.3], DENSE],
    "gabor": ["serial", DENSE, ["gabor"], BIASED, ["gabor"], DENSE],
    "sigmoid-like": ["serial", BIASED, ["sigmoid_like"], DENSE, ["sigmoid_like"], DENSE],
    "polynomial": ["serial", DENSE, ["polynomial", 0.5, -1.0, 0.2, 0.1], BIASED],
    "polynomial of zero rows": ["serial", DENSE, ["polynomial", 0.0, 0.0, 1.0, -0.3], DENSE],
    "monomial": ["serial", DENSE, ["monomial", 3], DENSE],
    "constant": ["serial", BIASED, ["monomial", 0], BIASED],
    "hermite": ["serial", BIASED, ["hermite", 2], ["dense", 0.6, None], ["relu"], DENSE],
    "step": ["serial", DENSE, ["rectified_monomial", 0], BIASED, ["relu"], DENSE],
    "rectified monomials": [
        "serial",
        DENSE,
        ["rectified_monomial", 2],
        BIASED,
        ["rectified_monomial", 1],
        DENSE,
    ],
    "residual": ["serial", BIASED, ["residual", ["relu"], BIASED], ["relu"], BIASED],
    "residual, nested": [
        "serial",
        DENSE,
        ["residual", ["abs"], DENSE, ["residual", ["relu"], BIASED]],
        ["leaky_relu", 0.1],
        DENSE,
    ],
    "sum": [
        "serial",
        DENSE,
        ["sum", ["serial", ["relu"], BIASED], ["serial", ["erf", 1.0, 1.0, 0.0], DENSE]],
        ["relu"],
        DENSE,
    ],
    "sum at the input": ["sum", ["serial", DENSE], ["serial", BIASED, ["relu"], DENSE]],
    "standard": ["serial", STANDARD, ["relu"], STANDARD, ["erf", 1.0, 1.0, 0.0], STANDARD],
    "standard, bias at zero": ["serial", AT_ZERO, ["relu"], AT_ZERO, ["relu"], AT_ZERO],
    "frozen": ["serial", FROZEN, ["relu"], FROZEN],
    "frozen first": ["serial", FROZEN, ["relu"], BIASED, ["gelu"], DENSE],
    "frozen last": ["serial", BIASED, ["relu"], DENSE, ["abs"], FROZEN],
    "product": [
        "serial",
        DENSE,
        ["product", ["serial", ["relu"], BIASED], ["serial", ["erf", 1.0, 1.0, 0.0], DENSE]],
        BIASED,
        ["relu"],
        DENSE,
    ],
    "product of three": ["product", ["serial", DENSE], ["serial", BIASED, ["relu"]], BIASED],
    "concatenate": [
        "serial",
        DENSE,
        ["concatenate", ["relu"], ["serial", ["abs"], BIASED], ["identity"]],
        BIASED,
        ["relu"],
        DENSE,
    ],
    "concatenate, widths": [
        "serial",
        BIASED,
        ["concatenate", ["serial", ["gelu"], ["dense", 1.2, 0.1, 16]], ["dense", 0.8, None, 48]],
        STANDARD,
        ["relu"],
        STANDARD,
    ],
    "layer norm": ["serial", BIASED, ["layer_norm", 1e-12], ["relu"], DENSE, ["layer_norm", 0.1]],
    "layer norm, zero": ["serial", DENSE, ["layer_norm", 0.0], ["erf", 1.0, 1.0, 0.0], DENSE],
    "dropout": ["serial", BIASED, ["relu"], ["dropout", 0.7], BIASED, ["relu"], DENSE],
    "dropout last": ["serial", DENSE, ["abs"], ["dropout", 0.9]],
    "joins in joins": [
        "serial",
        DENSE,
        [
            "residual",
            ["layer_norm", 1e-12],
            ["concatenate", ["relu"], ["product", ["serial", ["gelu"], DENSE], ["identity"]]],
            ["dropout", 0.8],
            BIASED,
            ["sum", ["serial", ["relu"], FROZEN], ["identity"]],
        ],
        ["relu"],
        BIASED,
    ],
}

KINKED = {"relu", "leaky_relu", "abrelu", "abs", "sign", "rectified_monomial"}
SMOOTH = {
    *("erf", "sigmoid_like", "gelu", "sin", "cos"),
    *("rbf", "exp", "exp_normalized", "gaussian", "gabor"),
    *("polynomial", "monomial", "hermite"),
}


def build(description: Description) -> Any:
    """Return the package's network of a description."""
    kind, *parameters = description
    return BUILDERS[kind](*parameters)


def kinds(description: Description) -> list[str]:
    """Return the layers' names in the order in which they stand in the text."""
    inner = [part for part in description[1:] if isinstance(part, (list, tuple))]
    return [description[0], *(kind for part in inner for kind in kinds(part))]


def has_step(description: Description) -> bool:
    """Whether max(x, 0)⁰, which jumps as sign does, stands anywhere."""
    inner = [part for part in description[1:] if isinstance(part, (list, tuple))]
    return list(description) == ["rectified_monomial", 0] or any(map(has_step, inner))


def kink_after_smooth(description: Description) -> bool:
    """Whether a kinked activation stands anywhere behind a smooth one, or behind a jump."""
    order = kinds(description)
    starters = {*SMOOTH, "sign", *(["rectified_monomial"] if has_step(description) else [])}
    first = next((i for i, kind in enumerate(order) if kind in starters), len(order))
    return any(kind in KINKED for kind in order[first + 1 :])


def smooth(description: Description) -> bool:
    """Whether any activation is smooth, so that the network is not homogeneous."""
    return any(kind in SMOOTH for kind in kinds(description))
