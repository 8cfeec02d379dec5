"""Networks as data: equality, repr, rejected arguments, and the description for the core."""

import copy
import dataclasses
import math
import pickle
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given

import ntkfast as nk
from catalogue import build
from ntkfast.networks.description import for_core
from refusals import assert_refused
from strategies import networks
from tolerances import CONTRACT, pair_scale, worst

any_network = networks().map(build)


def nested(levels):
    net = nk.Dense()
    for _ in range(levels):
        net = nk.Serial(net)
    return net


@given(any_network)
def test_a_network_is_its_text(net):
    assert eval(repr(net), vars(nk)) == net


@given(any_network)
def test_copies_and_pickles_are_equal(net):
    twins = (pickle.loads(pickle.dumps(net)), copy.copy(net), copy.deepcopy(net))
    for twin in twins:
        assert twin == net
        assert hash(twin) == hash(net)
        assert repr(twin) == repr(net)


def test_the_deepest_nesting_does_all_that_a_network_does():
    net = nested(100)
    test_copies_and_pickles_are_equal.hypothesis.inner_test(net)
    np.testing.assert_array_equal(net.ntk(X), nk.Dense().ntk(X))


@given(any_network, any_network)
def test_different_text_is_a_different_network(a, b):
    assert (a == b) == (repr(a) == repr(b))


@pytest.mark.parametrize(
    ("net", "text"),
    [
        (nk.Dense(), "Dense()"),
        (nk.Dense(512, w_std=1.4, b_std=0), "Dense(width=512, w_std=1.4, b_std=0.0)"),
        (nk.Dense(w_std=np.float64(1.4)), "Dense(w_std=1.4)"),
        (nk.Relu(), "Relu()"),
        (nk.LeakyRelu(), "LeakyRelu()"),
        (nk.LeakyRelu(0.2), "LeakyRelu(alpha=0.2)"),
        (nk.ABRelu(0, 1), "ABRelu(a=0.0, b=1.0)"),
        (nk.Erf(b=2), "Erf(b=2.0)"),
        (nk.Gelu(), "Gelu()"),
        (nk.Sign(), "Sign()"),
        (nk.SigmoidLike(), "SigmoidLike()"),
        (nk.Rbf(), "Rbf()"),
        (nk.Exp(b=2), "Exp(b=2.0)"),
        (nk.ExpNormalized(2, shift=0), "ExpNormalized(gamma=2.0, shift=0.0)"),
        (nk.Gaussian(b=-2), "Gaussian(b=-2.0)"),
        (nk.Gabor(), "Gabor()"),
        (nk.Sin(c=0.5), "Sin(c=0.5)"),
        (nk.Cos(2, b=-1), "Cos(a=2.0, b=-1.0)"),
        (
            nk.Serial(nk.Dense(), nk.Residual(nk.Relu(), nk.Dense()), nk.Relu(), nk.Dense()),
            "Serial(Dense(), Residual(Relu(), Dense()), Relu(), Dense())",
        ),
        (nk.Sum(nk.Dense(), nk.Dense(b_std=1)), "Sum(Dense(), Dense(b_std=1.0))"),
    ],
)
def test_only_what_is_not_the_default_is_printed(net, text):
    assert repr(net) == text


def test_values_are_compared_as_numbers():
    assert nk.Dense(w_std=1) == nk.Dense(w_std=np.float64(1.0))
    assert hash(nk.Dense(w_std=1)) == hash(nk.Dense(w_std=1.0))
    assert nk.Dense() != nk.Dense(b_std=0.0)  # a bias that starts at zero is still a bias
    assert nk.Relu() != nk.LeakyRelu(0.0)
    assert len({nk.mlp(2), nk.mlp(2), nk.mlp(3)}) == 2


@pytest.mark.parametrize(
    "net", [nk.Dense(), nk.Relu(), nk.Erf(), nk.mlp(1), nk.Sum(nk.Dense()), nk.Residual(nk.Dense())]
)
def test_networks_are_frozen(net):
    name = dataclasses.fields(net)[0].name if dataclasses.fields(net) else "anything"
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(net, name, None)


def test_piecewise_linear_activations_are_one_kind_for_the_core():
    assert for_core(nk.Relu()) == for_core(nk.ABRelu(0, 1))
    assert for_core(nk.LeakyRelu(0.3)) == for_core(nk.ABRelu(0.3, 1))
    assert for_core(nk.Abs()) == for_core(nk.ABRelu(-1, 1))


@pytest.mark.parametrize(
    ("build", "error", "words"),
    [
        (lambda: nk.Dense(0), ValueError, ["Dense: width is 0", ">= 1"]),
        (lambda: nk.Dense(1.5), TypeError, ["Dense: width is 1.5", "integer"]),
        (lambda: nk.Dense(True), TypeError, ["Dense: width is True", "bool"]),
        (lambda: nk.LeakyRelu(math.nan), ValueError, ["LeakyRelu: alpha is nan"]),
        (lambda: nk.ABRelu(1, "x"), TypeError, ["ABRelu: b is 'x'"]),
        (lambda: nk.Erf(c=math.inf), ValueError, ["Erf: c is inf"]),
        (lambda: nk.Sin(b=math.nan), ValueError, ["Sin: b is nan"]),
        (lambda: nk.Cos("x"), TypeError, ["Cos: a is 'x'"]),
        (lambda: nk.Rbf(-1), ValueError, ["Rbf: gamma is -1.0", ">= 0"]),
        (lambda: nk.Rbf(None), TypeError, ["Rbf: gamma is None"]),
        (lambda: nk.ExpNormalized(-0.1), ValueError, ["ExpNormalized: gamma is -0.1", ">= 0"]),
        (lambda: nk.ExpNormalized(shift=math.inf), ValueError, ["ExpNormalized: shift is inf"]),
        (lambda: nk.Gaussian(b=0), ValueError, ["Gaussian: b is 0.0", "< 0", "-1/(2·s²)"]),
        (lambda: nk.Gaussian(b=0.5), ValueError, ["Gaussian: b is 0.5", "< 0", "-1/(2·s²)"]),
        (lambda: nk.Gaussian(1, "x"), TypeError, ["Gaussian: b is 'x'"]),
        (lambda: nk.Exp(math.nan), ValueError, ["Exp: a is nan"]),
        (lambda: nk.Serial(nk.Dense(), nk.Exp(), nk.Rbf()), ValueError, ["(Rbf)", "Dense"]),
        (lambda: nk.Serial(nk.Dense(), nk.Sign(), nk.Sign()), ValueError, ["(Sign)", "Dense"]),
        (
            lambda: nk.Serial(nk.Dense(), nk.Gabor(), nk.SigmoidLike()),
            ValueError,
            ["(SigmoidLike)", "Dense"],
        ),
        (lambda: nk.Serial(nk.Dense(), nk.Cos(), nk.Gelu()), ValueError, ["(Gelu)", "Dense"]),
        (nk.Serial, ValueError, ["Serial() is empty"]),
        (nk.Sum, ValueError, ["Sum() is empty"]),
        (nk.Residual, ValueError, ["Residual() is empty"]),
        (lambda: nk.Serial(nk.Dense(), nk.Relu), TypeError, ["argument 2", "write Relu()"]),
        (
            lambda: nk.Serial([nk.Dense(), nk.Relu()]),
            TypeError,
            ["argument 1 is a list", "*layers"],
        ),
        (lambda: nk.Sum(nk.Dense(), 3), TypeError, ["Sum: argument 2 is 3", "int"]),
        (lambda: nk.mlp(-1), ValueError, ["depth is -1", ">= 0"]),
        (lambda: nk.mlp(10**9), ValueError, ["depth is 1000000000", "<= 100000"]),
        (lambda: nk.mlp(2, 3), TypeError, ["activation is 3", "such as nk.Relu()"]),
        (lambda: nk.mlp(2.0), TypeError, ["depth is 2.0", "integer"]),
        (lambda: nk.mlp(1, nk.Erf), TypeError, ["activation is the class Erf", "write Erf()"]),
        (lambda: nk.mlp(1, w_std=-1), ValueError, ["w_std is -1.0"]),
        (lambda: nk.Serial(nk.Dense(), nk.Relu(), nk.Erf()), ValueError, ["Dense"]),
        (lambda: nested(101), ValueError, ["nested more than 100 deep", "Serial(*net.layers"]),
    ],
)
def test_what_cannot_be_a_network_is_refused_where_it_is_built(build, error, words):
    assert_refused(build, error, words)


def test_an_activation_on_the_input_is_refused_by_the_kernel():
    # As the branch of a Residual it would be fine, so that construction cannot know.
    with pytest.raises(ValueError, match="Dense"):
        nk.Serial(nk.Relu(), nk.Dense()).ntk([[1.0]])


def test_mlp():
    assert nk.mlp(0) == nk.Serial(nk.Dense())
    one = nk.Dense(w_std=1.5, b_std=0.1)
    assert nk.mlp(depth=2, activation=nk.Erf(), w_std=1.5, b_std=0.1) == nk.Serial(
        one, nk.Erf(), one, nk.Erf(), one
    )
    assert nk.mlp(1, width=64) == nk.Serial(nk.Dense(64), nk.Relu(), nk.Dense())


# Kernels through the methods of a network. Values worked out by hand.

X = np.array([[1.0, 1.0], [1.0, -1.0], [2.0, 2.0]])


def assert_kernel(got, expected):
    scale = np.diag(expected)
    assert worst(got, expected, pair_scale(scale, scale)) <= CONTRACT["float64"]


def test_kernels_of_linear_networks():
    k = X @ X.T / 2
    assert_kernel(nk.Dense(w_std=3).ntk(X), 9 * k)
    assert_kernel(nk.Dense(w_std=3, b_std=2).nngp(X), 9 * k + 4)
    two = nk.Serial(nk.Dense(w_std=3), nk.Identity(), nk.Dense(w_std=2))
    assert_kernel(two.nngp(X), 36 * k)
    assert_kernel(two.ntk(X), 2 * 36 * k)  # one share from each layer
    assert_kernel(nk.Sum(nk.Dense(), nk.Dense(w_std=2)).ntk(X), 5 * k)
    branch = nk.Serial(nk.Dense(), nk.Residual(nk.Dense(w_std=2)))
    assert_kernel(branch.nngp(X), 5 * k)
    assert_kernel(branch.ntk(X), k + 8 * k)


def test_kernels_of_a_relu_network():
    # Orthogonal rows of variance 1 have θ = π/2, parallel ones θ = 0.
    net = nk.Serial(nk.Dense(), nk.Relu(), nk.Dense())
    nngp, ntk = net.kernels(X)
    half = 1 / (2 * math.pi)
    assert_kernel(nngp, [[0.5, half, 1], [half, 0.5, 2 * half], [1, 2 * half, 2]])
    assert_kernel(ntk, [[1, half, 2], [half, 1, 2 * half], [2, 2 * half, 4]])


def test_kernels_are_a_pair_and_print_a_summary():
    kernels = nk.Dense().kernels(X)
    nngp, ntk = kernels
    assert nngp is kernels.nngp
    assert ntk is kernels.ntk
    shape = "<float64 array of shape (3, 3)>"
    assert repr(kernels) == f"Kernels(nngp={shape}, ntk={shape})"
    with pytest.raises(dataclasses.FrozenInstanceError):
        kernels.ntk = nngp
    twin = pickle.loads(pickle.dumps(kernels))
    np.testing.assert_array_equal(twin.ntk, ntk)


def test_outputs_are_written_where_asked():
    net = nk.mlp(1)
    expected = net.kernels(X)
    out = np.empty((3, 3))
    assert net.ntk(X, out=out) is out
    np.testing.assert_array_equal(out, expected.ntk)
    pair = np.empty((3, 3)), np.empty((3, 3))
    kernels = net.kernels(X, out=pair)
    assert kernels.nngp is pair[0]
    assert kernels.ntk is pair[1]
    np.testing.assert_array_equal(pair[0], expected.nngp)
    pair[0][:] = 0
    assert net.kernels(X, out=kernels) is kernels
    np.testing.assert_array_equal(pair[0], expected.nngp)
    assert net.kernels(X, out=(None, out)).ntk is out


def test_the_program_is_compiled_once_and_no_part_of_the_value():
    net = nk.mlp(1)
    fresh = nk.mlp(1)
    net.ntk(X)
    program = net._program
    net.ntk(X)
    assert net._program is program
    assert net == fresh
    assert hash(net) == hash(fresh)
    assert repr(net) == repr(fresh)
    for twin in (pickle.loads(pickle.dumps(net)), copy.copy(net), copy.deepcopy(net)):
        assert vars(twin) == {"layers": fresh.layers}
        np.testing.assert_array_equal(twin.ntk(X), net.ntk(X))


def test_one_network_serves_several_threads():
    x = np.random.default_rng(0).normal(size=(50, 4))
    net = nk.mlp(3, w_std=1.4)
    expected = net.ntk(x)
    with ThreadPoolExecutor(4) as pool:
        for theta in pool.map(nk.mlp(3, w_std=1.4).ntk, [x] * 20):
            np.testing.assert_array_equal(theta, expected)


def test_a_bar_shows_progress(capsys):
    theta = nk.mlp(1).ntk(X, progress=True)
    np.testing.assert_array_equal(theta, nk.mlp(1).ntk(X))
    assert "NTK" in capsys.readouterr().err
    nk.mlp(1).kernels(X, progress=True)
    assert "NNGP and NTK: " in capsys.readouterr().err
    nk.mlp(1).kernels(X, progress=False)
    assert capsys.readouterr().err == ""


def test_a_bar_without_tqdm_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "tqdm.auto", None)
    with pytest.raises(ImportError, match=r"ntkfast\[progress\]"):
        nk.mlp(1).ntk(X, progress=True)
