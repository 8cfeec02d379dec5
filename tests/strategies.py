"""Hypothesis strategies: valid networks as plain descriptions, and point sets with edge cases.

Functions without ``draw`` are cached, because Hypothesis validates each new strategy, which costs
more than drawing from it.
"""

from dataclasses import fields
from functools import cache
from typing import Any

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from catalogue import BUILDERS, Description


@cache
def decimals(low: float, high: float) -> st.SearchStrategy[float]:
    """Two decimals between low and high: they shrink and print well."""
    return st.integers(round(100 * low), round(100 * high)).map(lambda i: i / 100)


@cache
def dense(width: int | None = None) -> st.SearchStrategy[list[Any]]:
    """Dense layers, with a width also frozen ones and those of the standard parameterization."""
    size, bias = decimals(0.3, 2.0), st.none() | decimals(0.0, 1.0)
    if width is not None:
        training = st.sampled_from(["ntk", "standard", "standard", "frozen"])
        return st.tuples(size, bias, st.just(width), training).map(lambda t: ["dense", *t])
    w_std = st.sampled_from([1, 1, 1, 1, 1, 1, 1, 0])  # now and then a layer that forgets its input
    return st.tuples(size, w_std, bias).map(lambda t: ["dense", t[0] * t[1], t[2]])


@cache
def activations(*, smooth: bool = True) -> st.SearchStrategy[list[Any]]:
    """Every activation; without the smooth ones the network is positively homogeneous."""
    slope = decimals(-1.5, 1.5)
    kinked = st.one_of(
        st.just(["relu"]),
        decimals(0.0, 0.9).map(lambda alpha: ["leaky_relu", alpha]),
        st.just(["abs"]),
        st.just(["identity"]),
        st.tuples(slope, slope).filter(any).map(lambda t: ["abrelu", *t]),
    )
    if not smooth:
        return kinked
    sign, gentle, steep = st.sampled_from([1, -1]), decimals(0.3, 1.5), decimals(1.5, 20.0)
    sizes = st.tuples(sign, gentle, sign, gentle | gentle | steep, decimals(-0.5, 0.5))
    erfs = sizes.map(lambda t: ["erf", t[0] * t[1], t[2] * t[3], t[4]])
    phased = st.tuples(st.sampled_from(["sin", "cos"]), gentle, gentle, decimals(-0.5, 0.5))
    # Nothing but a bounded input keeps e^x in range; the width serves a standard layer behind it.
    bounded = ["serial", ["erf", 1.0, 1.0, 0.0], ["dense", 1.0, 0.2, 7]]
    parameters = st.tuples(gentle, decimals(-1.5, -0.5))
    exponentials = st.one_of(
        gentle.map(lambda gamma: ["rbf", gamma]),
        gentle.map(lambda b: [*bounded, ["exp", 1, b]]),
        parameters.map(lambda t: ["exp_normalized", *t]),
        parameters.map(lambda t: ["gaussian", *t]),
        st.just(["gabor"]),
    )
    constant = st.sampled_from([["gelu"], ["sigmoid_like"]])
    return kinked | erfs | phased.map(list) | constant | exponentials


@cache
def powers() -> st.SearchStrategy[list[Any]]:
    """Activations made of powers: those of several in a row have no kernel that a float holds."""
    coefficients = st.lists(decimals(-1.5, 1.5), min_size=1, max_size=4)
    kinds = st.sampled_from(["monomial", "hermite", "rectified_monomial"])
    return coefficients.map(lambda coef: ["polynomial", *coef]) | st.tuples(
        kinds, st.integers(0, 3)
    ).map(list)


@cache
@st.composite
def branches(draw: st.DrawFn, *, smooth: bool, depth: int, width: int | None) -> list[Any]:
    """Layers that start at a Gaussian value, and end in one that a dense layer closes."""
    layers: list[Any] = []
    for _ in range(draw(st.integers(0, 2))):
        layers += draw(blocks(smooth=smooth, depth=depth, width=width))
    return [*layers, draw(activations(smooth=smooth)), draw(dense(width))]


@cache
@st.composite
def blocks(draw: st.DrawFn, *, smooth: bool, depth: int = 1, width: int | None = None) -> list[Any]:
    """Layers from a Gaussian value to a Gaussian value."""
    single = ["chain", "chain", "dense", "layer_norm", "dropout"]
    joins = ["residual", "residual", "sum", "sum", "product", "concatenate"]
    kind = draw(st.sampled_from(single if depth == 0 else single + joins))
    norm = ["layer_norm", draw(st.sampled_from([1e-3, 0.5]))]
    if kind == "layer_norm":
        return [norm]
    if kind == "dense":
        return [draw(dense(width))]
    if kind in single:
        rest = [["dropout", draw(decimals(0.3, 1.0))]] if kind == "dropout" else []
        return [draw(activations(smooth=smooth)), *rest, draw(dense(width))]
    inner = branches(smooth=smooth, depth=depth - 1, width=width)
    if kind == "residual":
        return [["residual", *draw(inner)]]
    join = [kind, *(["serial", *draw(inner)] for _ in range(draw(st.integers(2, 3))))]
    if kind == "sum":
        return [join]
    # Products square what they are given, and would leave the range of float32.
    return [norm, join, draw(dense(width))] if kind == "product" else [join, draw(dense(width))]


@st.composite
def networks(
    draw: st.DrawFn, *, smooth: bool = True, min_blocks: int = 0, max_blocks: int = 4
) -> Description:
    """Valid networks: dense first, any blocks, and sometimes an activation at the end."""
    width = draw(st.none() | st.integers(1, 64))
    layers = [draw(dense(width))]
    for _ in range(draw(st.integers(min_blocks, max_blocks))):
        layers += draw(blocks(smooth=smooth, width=width))
    if draw(st.booleans()):
        layers.append(draw(activations(smooth=smooth)))
    return ["serial", *layers]


# How a row relates to an earlier one; "fresh" rows and zero rows relate to none.
RELATIONS = ("fresh", "zero", "duplicate", "parallel", "antipodal", "near", "near antipodal")


@cache
def coordinates() -> st.SearchStrategy[float]:
    """Numbers whose squares are far from underflow, and zero."""
    size = st.floats(1e-3, 4.0)
    return st.just(0.0) | size | size.map(lambda v: -v)


@cache
def vectors(length: int) -> st.SearchStrategy[list[float]]:
    """Lists of so many coordinates."""
    return st.lists(coordinates(), min_size=length, max_size=length)


@st.composite
def point_sets(
    draw: st.DrawFn, *, min_n: int = 0, max_n: int = 8, max_d: int = 5, d: int | None = None
) -> NDArray[np.float64]:
    """Point sets with zero rows, duplicates, parallel, antipodal and nearly coincident rows."""
    features = draw(st.integers(1, max_d)) if d is None else d
    row = vectors(features).map(np.array)
    rows: list[NDArray[np.float64]] = []
    for _ in range(draw(st.integers(min_n, max_n))):
        relation = draw(st.sampled_from(RELATIONS)) if rows else "fresh"
        if relation == "fresh":
            rows.append(draw(row) * 10.0 ** draw(st.sampled_from([0, 0, 0, -5, 4])))
        elif relation == "zero":
            rows.append(np.zeros(features))
        else:
            rows.append(relative(relation, draw(st.sampled_from(rows)), draw))
    return np.array(rows, dtype=np.float64).reshape(len(rows), features)


def relative(relation: str, x: NDArray[np.float64], draw: st.DrawFn) -> NDArray[np.float64]:
    """Return a row that stands in the named relation to x."""
    if relation == "duplicate":
        return x.copy()
    if relation in ("parallel", "antipodal"):
        factor = draw(st.sampled_from([1.0, 0.3, 3.7, 1e-3, 100.0]))
        return x * (factor if relation == "parallel" else -factor)
    shift = np.array(draw(vectors(len(x))))
    distance = 10.0 ** draw(st.integers(-14, -1)) * np.max(np.abs(x), initial=0.0)
    moved: NDArray[np.float64] = x + distance * shift
    return moved if relation == "near" else -moved


@cache
def floats(dtype: Any) -> st.SearchStrategy[Any]:
    """Any finite number of a type, subnormal and extreme ones as often as ordinary ones."""
    info = np.finfo(dtype)
    sizes = [0.0, info.smallest_subnormal, info.tiny, info.tiny**0.5, 1.0, info.max**0.5, info.max]
    # Before NumPy 2 the roots are of float64.
    edges = [float(info.dtype.type(sign * value)) for value in sizes for sign in (1, -1)]
    width = 8 * np.dtype(dtype).itemsize
    return st.sampled_from(edges) | st.floats(width=width, allow_nan=False, allow_infinity=False)


@cache
def numbers() -> st.SearchStrategy[float]:
    """Parameters: mostly ordinary ones, and any that there are."""
    ordinary = decimals(-2.0, 2.0)
    return st.one_of(ordinary, ordinary, ordinary, floats(np.float64), st.floats())


@cache
def any_activations() -> st.SearchStrategy[list[Any]]:
    """Every activation and pointwise layer of the catalogue, with any parameters."""
    degrees = st.integers(0, 6) | st.integers(-1, 1001)
    choices: list[st.SearchStrategy[Any]] = [
        st.tuples(
            st.just(kind),
            *(degrees if field.name == "degree" else numbers() for field in fields(builder)),
        )
        for kind, builder in BUILDERS.items()
        if isinstance(builder, type)
    ]
    choices.append(st.lists(numbers(), max_size=5).map(lambda coef: ["polynomial", *coef]))
    choices.append(numbers().map(lambda keep: ["dropout", keep]))
    return st.one_of(choices).map(list)


@cache
def any_dense() -> st.SearchStrategy[list[Any]]:
    """Dense layers of any parameters."""
    width = st.none() | st.none() | st.just(3) | st.integers(-1, 2**70)
    training = st.sampled_from(["ntk", "ntk", "frozen", "standard"])
    return st.tuples(numbers(), st.none() | numbers(), width, training).map(lambda t: ["dense", *t])


@st.composite
def any_networks(draw: st.DrawFn, depth: int = 1) -> Description:
    """Networks of any layers with any parameters, in an order that has a chance to be valid."""
    layers: list[Any] = [draw(any_dense())]
    joins = ["residual", "sum", "product", "concatenate"]
    for _ in range(draw(st.integers(0, 4))):
        kind = draw(st.sampled_from(["chain", "chain", *(joins if depth else [])]))
        if kind == "chain":
            layers += [draw(any_activations()), draw(any_dense())]
        elif kind == "residual":
            layers.append([kind, draw(any_activations()), draw(any_dense())])
        else:
            branches = draw(st.integers(0, 3))
            layers.append([kind, *(draw(any_networks(depth - 1)) for _ in range(branches))])
            layers.append(draw(any_dense()))
    return ["serial", *layers]
