"""The networks under contract.

A new layer adds its line to ``BUILDERS``, its dual to ``reference/evaluator.py`` and a network or
two to ``NETWORKS``, and inherits every test that runs over them.

Networks are written as nested lists of plain data, which the reference evaluator reads as well.
"""

from collections.abc import Callable, Sequence
from typing import Any

import ntkfast as nk

Description = Sequence[Any]

BUILDERS: dict[str, Callable[..., Any]] = {
    "serial": lambda *layers: nk.Serial(*map(build, layers)),
    "residual": lambda *layers: nk.Residual(*map(build, layers)),
    "sum": lambda *branches: nk.Sum(*map(build, branches)),
    "dense": lambda w_std, b_std: nk.Dense(w_std=w_std, b_std=b_std),
    "identity": nk.Identity,
    "relu": nk.Relu,
    "leaky_relu": nk.LeakyRelu,
    "abrelu": nk.ABRelu,
    "abs": nk.Abs,
    "erf": nk.Erf,
    "gelu": nk.Gelu,
    "sin": nk.Sin,
    "cos": nk.Cos,
    "polynomial": lambda *coef: nk.Polynomial(coef),
    "monomial": nk.Monomial,
    "hermite": nk.Hermite,
    "rectified_monomial": nk.RectifiedMonomial,
}

DENSE, BIASED = ["dense", 1.4, None], ["dense", 1.3, 0.3]

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
}

KINKED = {"relu", "leaky_relu", "abrelu", "abs", "rectified_monomial"}
SMOOTH = {"erf", "gelu", "sin", "cos", "polynomial", "monomial", "hermite"}


def build(description: Description) -> Any:
    """Return the package's network of a description."""
    kind, *parameters = description
    return BUILDERS[kind](*parameters)


def kinds(description: Description) -> list[str]:
    """Return the layers' names in the order in which they stand in the text."""
    inner = [part for part in description[1:] if isinstance(part, (list, tuple))]
    return [description[0], *(kind for part in inner for kind in kinds(part))]


def kink_after_smooth(description: Description) -> bool:
    """Whether a kinked activation stands anywhere behind a smooth one."""
    order = kinds(description)
    first = next((i for i, kind in enumerate(order) if kind in SMOOTH), len(order))
    return any(kind in KINKED for kind in order[first:])


def smooth(description: Description) -> bool:
    """Whether any activation is smooth, so that the network is not homogeneous."""
    return any(kind in SMOOTH for kind in kinds(description))
