"""Fitted activations: against closed forms, against quadrature, and in edge cases."""

import pickle
import re
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import special

import ntkfast as nk
from contract import same_bits
from fitted import TOLERANCE, Array, assert_kernels, worst


@pytest.fixture
def points() -> Array:
    """Return rows identical, parallel, antipodal, close, zero and of different norms."""
    x = np.random.default_rng(5).standard_normal((14, 5))
    x[1], x[2], x[3], x[4] = x[0], -x[0], 1.7 * x[0], x[0] * (1 + 1e-9)
    x[5], x[6] = x[0] + 1e-7 * x[7], -x[0] + 1e-4 * x[7]
    x[8], x[9], x[10] = 0.0, 0.3 * x[9], 1.5 * x[10]
    return x


@pytest.mark.parametrize(("depth", "b_std"), [(1, None), (3, 0.3)])
@pytest.mark.parametrize(
    ("fn", "closed"),
    [
        (special.erf, nk.Erf()),
        (lambda u: 0.7 * special.erf(1.5 * u) + 0.2, nk.Erf(0.7, 1.5, 0.2)),
        (np.sin, nk.Sin()),
        (lambda u: np.cos(u + 0.3), nk.Cos(c=0.3)),
        (lambda u: u * special.ndtr(u), nk.Gelu()),
        (lambda u: np.maximum(u, 0), nk.Relu()),
        (lambda u: np.where(u < 0, 0.2 * u, u), nk.LeakyRelu(0.2)),
        (np.abs, nk.Abs()),
    ],
    ids=["erf", "erf, shifted", "sin", "cos", "gelu", "relu", "leaky relu", "abs"],
)
def test_closed_forms_are_found_again(
    fn: Any, closed: nk.Network, b_std: float | None, depth: int, points: Array
) -> None:
    ours = nk.mlp(depth, nk.Elementwise(fn), w_std=1.2, b_std=b_std)
    theirs = nk.mlp(depth, closed, w_std=1.2, b_std=b_std)
    assert_kernels(ours.kernels(points), theirs.kernels(points))
    assert_kernels(
        nk.Kernels(*(k.astype(np.float64) for k in ours.kernels(points.astype(np.float32)))),
        theirs.kernels(points.astype(np.float32).astype(np.float64)),
        1e-4,
    )


def test_tanh_is_the_function_of_that_name(points: Array) -> None:
    ours, theirs = nk.mlp(2, nk.Tanh(), w_std=1.5), nk.mlp(2, nk.Elementwise(np.tanh), w_std=1.5)
    for a, b in zip(ours.kernels(points), theirs.kernels(points), strict=True):
        assert same_bits(a, b)


def test_a_constant_and_the_zero_function(points: Array) -> None:
    for value in (0.0, 0.7):
        net = nk.Serial(
            nk.Dense(), nk.Elementwise(lambda u, c=value: np.full_like(u, c)), nk.Dense()
        )
        kernels = net.kernels(points)
        np.testing.assert_allclose(kernels.nngp, value**2, atol=1e-13)
        np.testing.assert_allclose(kernels.ntk, value**2, atol=1e-13)


@settings(max_examples=10)
@given(scale=st.sampled_from([1e-6, 1e-3, 0.1, 1.0, 3.0]), n=st.integers(1, 9))
def test_kernels_keep_their_promises(scale: float, n: int) -> None:
    x = scale * np.random.default_rng(n).standard_normal((n, 3))
    network = nk.mlp(2, nk.Tanh(), w_std=1.3)
    nngp, ntk = network.kernels(x)
    for k in (nngp, ntk):
        assert same_bits(k, k.T)
        assert np.linalg.eigvalsh(k)[0] >= -1e-9 * np.trace(k)
    assert same_bits(np.diagonal(ntk), network.ntk(x, diagonal=True))
    assert same_bits(nngp, network.nngp(x))
    assert worst(network.ntk(x, x), ntk, np.diagonal(ntk)) <= TOLERANCE


def test_calls_do_not_grow_with_the_rows() -> None:
    lengths: list[int] = []

    def fn(u: Array) -> Array:
        lengths.append(u.size)
        return np.tanh(u)

    rng = np.random.default_rng(0)
    network = nk.Serial(nk.Dense(), nk.Elementwise(fn), nk.Dense())
    x = rng.uniform(0.5, 1.0, (400, 3))
    network.ntk(x[:20])
    few = sum(lengths)
    network.ntk(x)
    assert len(lengths) < 100
    assert sum(lengths) < 5 * few
    before = len(lengths)
    network.ntk(x)  # the same scales: the fit is there
    assert len(lengths) == before


class Broken(Exception):
    """Raised by a user's function."""


def test_exceptions_of_the_function_propagate(points: Array) -> None:
    def fn(u: Array) -> Array:
        raise Broken("at home")

    network = nk.mlp(1, nk.Elementwise(fn))
    for call in (
        network.ntk,
        lambda x: network.nngp(x, x),
        lambda x: network.ntk(x, diagonal=True),
    ):
        with pytest.raises(Broken, match="at home"):
            call(points)


@pytest.mark.parametrize(
    ("fn", "error", "message"),
    [
        (lambda u: u[:3], ValueError, "returned an array of shape"),
        (lambda u: u.astype(complex), TypeError, "complex128; expected real numbers"),
        (lambda u: np.full_like(u, np.nan), ValueError, "Elementwise.* it returned NaN at"),
        (lambda u: np.exp(u**4), ValueError, "Elementwise.* it returned inf at"),
    ],
    ids=["shape", "dtype", "nan", "infinite"],
)
def test_bad_functions(fn: Any, error: type[Exception], message: str, points: Array) -> None:
    with pytest.raises(error, match=message):
        nk.mlp(1, nk.Elementwise(fn)).ntk(points)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"fn": 3.0}, "fn is 3.0; expected a function"),
        ({"fn": np.tanh, "derivative": "no"}, "derivative is 'no'"),
        ({"fn": np.tanh, "kinks": 0.0}, "kinks is 0.0; expected a tuple"),
        ({"fn": np.tanh, "kinks": ("a",)}, "Elementwise: kinks"),
    ],
)
def test_bad_arguments(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(TypeError, match=message):
        nk.Elementwise(**arguments)


def test_networks_with_functions_are_values() -> None:
    first, second = (nk.mlp(1, nk.Elementwise(np.tanh, kinks=[0])) for _ in range(2))
    assert first == second
    assert hash(first) == hash(second)
    assert pickle.loads(pickle.dumps(first)) == first
    assert first != nk.mlp(1, nk.Elementwise(np.arctan, kinks=(0,)))
    with pytest.raises(ValueError, match="put a Dense before it"):
        nk.Serial(nk.Dense(), nk.Tanh(), nk.Tanh())


@pytest.mark.filterwarnings("error")
def test_overflow_on_the_way_is_no_matter(points: Array) -> None:
    fn = nk.Elementwise(lambda u: 1 / (1 + np.exp(-1000 * u)))
    with np.errstate(all="raise"):
        assert np.isfinite(nk.mlp(1, fn).ntk(points)).all()


@pytest.mark.usefixtures("threads")
def test_bits_do_not_depend_on_threads(points: Array) -> None:
    # Nor do those of fits, which every one of these networks makes anew.
    x = np.tile(points, (20, 1))
    x *= np.geomspace(0.5, 2, len(x))[:, None]
    results = []
    for count in (1, 2, 3):
        nk.set_num_threads(count)
        results.append(nk.mlp(2, nk.Elementwise(np.arctan), w_std=1.4).ntk(x))
    assert same_bits(results[0], results[1])
    assert same_bits(results[0], results[2])


def softsign(u: Array) -> Array:
    """Return what a module of one's own might define."""
    return u / (1 + np.abs(u))


class Family:
    """A place for functions."""

    @staticmethod
    def cube(u: Array) -> Array:
        """Return the third power."""
        return u**3


@pytest.mark.parametrize(
    ("network", "text"),
    [
        (nk.Elementwise(np.tanh), "Elementwise(numpy.tanh)"),
        (nk.Elementwise(np.sinc), "Elementwise(numpy.sinc)"),
        (nk.Elementwise(np.polynomial.hermite.hermval), None),
        (nk.Elementwise(special.erf), "Elementwise(scipy.special.erf)"),
        (nk.Elementwise(abs, kinks=[0]), "Elementwise(abs, kinks=(0.0,))"),
        (nk.Elementwise(softsign), f"Elementwise({__name__}.softsign)"),
        (nk.Elementwise(Family.cube), f"Elementwise({__name__}.Family.cube)"),
        (
            nk.Elementwise(np.sin, derivative=np.cos, kinks=(1, -2.5)),
            "Elementwise(numpy.sin, derivative=numpy.cos, kinks=(1.0, -2.5))",
        ),
    ],
    ids=repr,
)
def test_importable_functions_can_be_pasted(network: nk.Elementwise, text: str | None) -> None:
    shown = repr(network)
    assert text in (None, shown)
    here = __name__.partition(".")[0]
    modules = {"numpy": np, "scipy": scipy, here: sys.modules[here]}
    assert eval(shown, {**modules, **vars(nk)}) == network
    net = nk.mlp(2, network, w_std=1.5)
    assert eval(repr(net), {**modules, **vars(nk)}) == net


def test_what_the_main_program_defines_goes_by_its_name() -> None:
    code = (
        "import ntkfast as nk\ndef fn(u): return u\nnet = nk.mlp(1, nk.Elementwise(fn))\n"
        "from ntkfast import *\nassert eval(repr(net)) == net\nprint(repr(net.layers[1]))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "Elementwise(fn)\n"


def test_other_functions_say_that_they_cannot_be_pasted() -> None:
    def closure(u: Array) -> Array:
        return u

    file = re.escape(Path(__file__).name)
    for fn, text in (
        (closure, rf"Elementwise\(<function closure at {file}:\d+, cannot be pasted>\)"),
        (lambda u: u, rf"Elementwise\(<lambda at {file}:\d+, cannot be pasted>\)"),
        (partial(np.clip, a_min=0, a_max=1), r"Elementwise\(<object of type partial, cannot be .*"),
    ):
        shown = repr(nk.Elementwise(fn))
        assert re.fullmatch(text, shown)
        with pytest.raises(SyntaxError):
            compile(shown, "", "eval")
