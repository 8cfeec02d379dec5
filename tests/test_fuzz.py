"""Arbitrary arguments: the result is valid, or an error message explains the problem."""

import warnings
from collections.abc import Callable
from inspect import isabstract
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

import ntkfast as nk
from catalogue import build
from contract import same_bits
from ntkfast._ntkfast import check
from ntkfast.networks.description import for_core
from strategies import activations, any_networks, dense, floats, networks, point_sets
from tolerances import contract

REFUSALS = (ValueError, TypeError, nk.NumericalError)


@st.composite
def finite_points(draw: st.DrawFn, max_side: int = 6) -> NDArray[Any]:
    """Finite points of either float type and either byte order, with any strides."""
    dtype = np.dtype(draw(st.sampled_from(["f8", "f4", ">f8", ">f4"])))
    n, d = draw(st.integers(0, max_side)), draw(st.integers(1, max_side))
    x = draw(hnp.arrays(dtype, (n, d), elements=floats(dtype)))
    step, other, order = (
        draw(st.sampled_from([1, -1, 2, -3])),
        draw(st.sampled_from([1, -1, 2])),
        "CF",
    )
    buffer = np.zeros((abs(step) * n, abs(other) * d), dtype, order=draw(st.sampled_from(order)))
    view = buffer[::step, ::other]
    view[:n, :d] = x
    return view


def attempt(call: Callable[[], Any]) -> tuple[Any, str]:
    """Return the result and no message, or no result and the message of an error by contract."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            return call(), ""
        except REFUSALS as error:
            return None, str(error) or "an error without a word"


@given(description=networks(), x=finite_points())
def test_finite_points_of_any_size_and_stride(description: Any, x: NDArray[Any]) -> None:
    network = build(description)
    kernels, message = attempt(lambda: network.kernels(x))
    if kernels is None:
        # Only what is too large for the type may be refused, and by name.
        assert x.dtype.name in message
        largest = float(np.max(np.abs(x)))
        assert largest > 1e-6 * float(np.finfo(x.dtype).max) ** 0.5
        return
    for name, k in (("nngp", kernels.nngp), ("ntk", kernels.ntk)):
        assert k.shape == (len(x), len(x))
        assert k.dtype == x.dtype.newbyteorder("=")
        assert np.all(np.isfinite(k))
        assert same_bits(k, k.T)
        assert same_bits(np.diagonal(k), getattr(network, name)(x, diagonal=True))
        # A subnormal variance may have lost all of its digits.
        root = np.sqrt(np.diagonal(k).astype(np.float64) + float(np.finfo(x.dtype).tiny))
        assert np.all(np.abs(k) <= np.outer(root, root) * (1 + contract(x.dtype)))


def anything() -> st.SearchStrategy[Any]:
    """Arrays of any dtype and shape, and things that are no arrays."""
    dtypes = st.one_of(
        hnp.scalar_dtypes(), hnp.array_dtypes(), st.sampled_from([np.dtype(object), np.dtype("U3")])
    )
    shapes = hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4)
    plain = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3)
    nested = st.recursive(plain, lambda inner: st.lists(inner, max_size=3), max_leaves=6)
    return hnp.arrays(dtypes, shapes) | nested | st.dictionaries(plain, plain, max_size=2)


@given(x=anything(), x2=anything())
def test_anything_as_points(x: Any, x2: Any) -> None:
    network = nk.mlp(1, nk.Relu())
    results = [
        attempt(lambda: network.ntk(x)),
        attempt(lambda: network.ntk(x, x2)),
        attempt(lambda: network.ntk(np.ones((2, 2)), x2)),
        attempt(lambda: network.ntk(x, diagonal=True)),
    ]
    for k, message in results:
        if not message:
            assert k.dtype in (np.float64, np.float32)
            assert np.all(np.isfinite(k))


@given(out=anything(), x=hnp.arrays(np.float64, (2, 2), elements=st.floats(-2, 2)))
def test_anything_as_output(out: Any, x: NDArray[Any]) -> None:
    network = nk.mlp(1, nk.Relu())
    k, message = attempt(lambda: network.ntk(x, out=out))
    if message:
        assert message.startswith("out ")
    else:
        assert out is None or k is out
        assert same_bits(k, network.ntk(x))


def layers() -> st.SearchStrategy[Any]:
    """Any layers in any order, most of which cannot follow one another."""
    parts = [["layer_norm", 0.0], ["dropout", 0.5]]
    single = dense() | dense(3) | activations() | st.sampled_from(parts)
    return st.recursive(
        single,
        lambda inner: st.tuples(
            st.sampled_from(["serial", "residual", "sum", "product", "concatenate"]),
            st.lists(inner, max_size=3),
        ).map(lambda t: [t[0], *t[1]]),
        max_leaves=8,
    )


@given(description=layers())
def test_layers_in_any_order(description: Any) -> None:
    x = np.array([[1.0, 0.5], [0.0, 0.0], [1.0, 0.5], [-2.0, -1.0]])
    kernels, message = attempt(lambda: build(description).kernels(x))
    if not message:
        for k in kernels:
            assert np.all(np.isfinite(k))
            assert same_bits(k, k.T)


CLASSES = [x for x in vars(nk).values() if isinstance(x, type) and issubclass(x, nk.Network)]
KINDS = sorted({str(layer._kind) for layer in CLASSES if not isabstract(layer)})
DENSE = for_core(nk.Dense())
FIELDS = {**for_core(nk.Conv((3, 3))), "window": [2], "eps": 0.0, "keep": 0.5, "layers": [DENSE]}
FIELDS |= {"fn": np.tanh, "name": "f", "kinks": [0.0], "degree": 2, "coef": [1.0], "gamma": 1.0}
FIELDS |= {"a": 1.0, "b": -1.0, "c": 0.5, "shift": 0.0, "wave": False, "quarter_ahead": True}


def values() -> st.SearchStrategy[Any]:
    plain = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3)
    return st.recursive(plain, lambda inner: st.lists(inner, max_size=3), max_leaves=4)


@given(
    kind=st.sampled_from(KINDS),
    others=st.dictionaries(st.sampled_from(sorted({*FIELDS} - {"type"})), values(), max_size=2),
)
def test_anything_in_fields_for_the_core(kind: str, others: dict[str, Any]) -> None:
    description = {"type": kind}
    _, message = attempt(lambda: check(description))
    while " needs the field '" in message:  # give what is asked for
        name = message.split("'")[1]
        description[name] = others.get(name, FIELDS[name])
        _, message = attempt(lambda: check(description))
    assert not message or message.startswith(f"{kind}: ")
    if not set(others) <= set(description):  # what nobody asked for is refused
        _, message = attempt(lambda: check({**FIELDS, **others, **description}))
        assert message.startswith(f"{kind}")


@given(description=any_networks(), x=finite_points(), cut=st.integers(0, 3))
def test_any_network_of_any_size(description: Any, x: NDArray[Any], cut: int) -> None:
    kernels, message = attempt(lambda: build(description).kernels(x))
    if message:
        return
    network = build(description)
    for name, k in (("nngp", kernels.nngp), ("ntk", kernels.ntk)):
        assert k.shape == (len(x), len(x))
        assert k.dtype == x.dtype.newbyteorder("=")
        assert np.all(np.isfinite(k))
        assert same_bits(k, k.T)
        method = getattr(network, name)
        assert same_bits(np.diagonal(k), method(x, diagonal=True))
        block = method(x[:cut], x[cut:])
        assert np.all(np.isfinite(block))


NUMERICAL: list[nk.Network] = [
    *(nk.Tanh(), nk.Sigmoid(), nk.Softplus(), nk.Swish(), nk.Elu(0.7), nk.Selu(), nk.Hardtanh()),
    *(nk.Elementwise(fn) for fn in (np.arctan, np.abs, np.sign, np.ones_like, np.zeros_like)),
    nk.Elementwise(lambda z: np.sin(5 * z)),
    nk.Elementwise(lambda z: np.maximum(z - 0.5, 0), kinks=(0.5,)),
]
WRONG = [nk.Elementwise(lambda z: z * np.nan), nk.Elementwise(lambda z: z[1:])]


def numerical(activation: nk.Network, w_std: float, b_std: float | None) -> nk.Network:
    return nk.Serial(nk.Dense(w_std=w_std, b_std=b_std), activation, nk.Dense(b_std=b_std))


@given(
    activation=st.sampled_from([*NUMERICAL, *WRONG]),
    w_std=floats(np.float64),
    b_std=st.none() | floats(np.float64),
    x=finite_points(max_side=3),
)
def test_functions_at_any_size(
    activation: nk.Network, w_std: float, b_std: float | None, x: NDArray[Any]
) -> None:
    kernels, message = attempt(lambda: numerical(activation, w_std, b_std).kernels(x))
    if not message:
        for k in kernels:
            assert np.all(np.isfinite(k))
            assert same_bits(k, k.T)


# Fits take most of a second each.
@settings(max_examples=settings().max_examples // 4)
@given(
    activation=st.sampled_from(NUMERICAL),
    w_std=st.floats(0.1, 3.0),
    b_std=st.none() | st.floats(0.0, 2.0),
    x=point_sets(max_n=2),
)
def test_functions_at_ordinary_sizes(
    activation: nk.Network, w_std: float, b_std: float | None, x: NDArray[Any]
) -> None:
    kernels, message = attempt(lambda: numerical(activation, w_std, b_std).kernels(x))
    if message:
        # Hundreds of waves in a standard deviation.
        assert "Elementwise(cos) is not resolved" in message
        assert np.abs(x).max() * w_std > 50
        return
    for k in kernels:
        assert np.all(np.isfinite(k))
        assert same_bits(k, k.T)


@given(x=finite_points(), value=st.sampled_from([np.nan, np.inf, -np.inf]), data=st.data())
def test_points_that_are_not_finite(x: NDArray[Any], value: float, data: st.DataObject) -> None:
    if x.size == 0:
        return
    broken = x.copy()
    broken.flat[data.draw(st.integers(0, x.size - 1))] = value
    network = nk.mlp(1, nk.Relu())
    fine = np.ones((2, x.shape[1]), x.dtype)
    for call, name in (
        (lambda: network.ntk(broken), "x"),
        (lambda: network.ntk(broken, diagonal=True), "x"),
        (lambda: network.ntk(fine, broken), "x2"),
    ):
        result, message = attempt(call)
        assert result is None
        assert message.startswith(f"{name} ")
