"""Layers on images: their repr, and the messages for invalid arguments."""

import copy
import json
import pickle
from typing import Any

import numpy as np
import pytest

import ntkfast as nk
from contract import KERNELS, kernel
from images import random_images

NET = nk.Serial(nk.Conv((2, 2), padding="VALID"), nk.Relu(), nk.GlobalAvgPool(), nk.Dense())
SEQUENCES = nk.Serial(nk.Conv((3,)), nk.Relu(), nk.Flatten())
EITHER = nk.Serial(nk.Dense(), nk.Relu(), nk.Flatten())
X = random_images(3, 4, 5, 2)


@pytest.mark.parametrize(
    ("layer", "text"),
    [
        (nk.Conv((3, 3)), "Conv(filter=(3, 3))"),
        (nk.Conv([3, 2], strides=[1, 1]), "Conv(filter=(3, 2))"),
        (
            nk.Conv((3,), strides=(2,), padding="VALID"),
            "Conv(filter=(3,), strides=(2,), padding='VALID')",
        ),
        (
            nk.Conv((5, 5), width=7, b_std=0, parameterization="standard", trainable=False),
            "Conv(filter=(5, 5), width=7, b_std=0.0, parameterization='standard', trainable=False)",
        ),
        (nk.AvgPool((2, 2), (2, 2)), "AvgPool(window=(2, 2))"),
        (nk.AvgPool((2,), (1,), "SAME"), "AvgPool(window=(2,), strides=(1,), padding='SAME')"),
        (nk.SumPool((np.int64(2), 3)), "SumPool(window=(2, 3))"),
        (nk.GlobalAvgPool(), "GlobalAvgPool()"),
        (nk.GlobalSumPool(), "GlobalSumPool()"),
        (nk.Flatten(), "Flatten()"),
    ],
)  # fmt: skip
def test_text_and_copies(layer: nk.Network, text: str) -> None:
    assert repr(layer) == text
    for other in (
        eval(text, vars(nk)),
        pickle.loads(pickle.dumps(layer)),
        copy.deepcopy(layer),
        nk.Network.from_dict(json.loads(json.dumps(layer.to_dict()))),
    ):
        assert other == layer
        assert hash(other) == hash(layer)


@pytest.mark.parametrize("layer", [nk.Conv, nk.AvgPool, nk.SumPool])
@pytest.mark.parametrize(
    ("arguments", "options", "error", "words"),
    [
        ((3,), {}, TypeError, r"is 3, of type int; .*\(3, 3\) for images, \(3,\) for sequences"),
        (("33",), {}, TypeError, r"is '33', of type str"),
        (((),), {}, ValueError, r"has 0 numbers; expected a tuple of one integer >= 1 for each"),
        (((3, 3, 3),), {}, ValueError, r"has 3 numbers"),
        (((3, 0),), {}, ValueError, r"\[1\] is 0; expected an integer >= 1"),
        (((2, 1001),), {}, ValueError, r"is \(2, 1001\); expected at most 1,000"),
        (((2.0, 2),), {}, TypeError, r"\[0\] is 2\.0"),
        (((2, True),), {}, TypeError, r"\[1\] is True"),
        (((2, 2),), {"strides": 2}, TypeError, r"strides is 2, of type int"),
        (((2, 2),), {"strides": (2,)}, ValueError, r"strides is \(2,\) and \w+ is \(2, 2\)"),
        (((2,),), {"strides": (2, 2)}, ValueError, r"strides is \(2, 2\) and \w+ is \(2,\)"),
        (((2, 2),), {"strides": (0, 1)}, ValueError, r"strides\[0\] is 0"),
        (((2, 2),), {"padding": "same"}, ValueError, r"padding is 'same'; expected 'SAME' or 'VAL"),
        (((2, 2),), {"padding": 1}, TypeError, r"padding is of type int"),
    ],
)
def test_windows(
    layer: Any, arguments: Any, options: Any, error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=rf"^{layer.__name__}: .*{words}"):
        layer(*arguments, **options)


@pytest.mark.parametrize("options", [{"w_std": -1}, {"b_std": np.nan}, {"width": 0}])
def test_weights(options: Any) -> None:
    with pytest.raises(ValueError, match=rf"^Conv: {next(iter(options))} is "):
        nk.Conv((3, 3), **options)


IMAGE, SEQUENCE = nk.Conv((3, 3)), nk.Conv((3,))


@pytest.mark.parametrize(
    "build",
    [
        lambda: nk.Serial(IMAGE, nk.Relu(), SEQUENCE),
        lambda: nk.Serial(SEQUENCE, nk.Relu(), nk.AvgPool((2, 2))),
        lambda: nk.Serial(nk.Serial(nk.SumPool((2,))), nk.Residual(nk.Relu(), IMAGE)),
        lambda: nk.Sum(IMAGE, SEQUENCE),
        lambda: nk.Concatenate(nk.Serial(nk.Dense(), nk.Relu(), SEQUENCE), IMAGE),
    ],
)
def test_one_number_of_dimensions(build: Any) -> None:
    with pytest.raises(ValueError, match=r"mixes numbers of spatial dim.* sequences.* images"):
        build()


STANDARD = nk.Conv((2, 2), parameterization="standard")


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (
            lambda: nk.Serial(IMAGE, nk.GlobalAvgPool(), IMAGE),
            r"layer 3 \(Conv\) needs .*positions",
        ),
        (
            lambda: nk.Serial(nk.Flatten(), nk.Dense(), nk.AvgPool((2, 2))),
            r"layer 3 \(AvgPool\) needs .*positions",
        ),
        (lambda: nk.Serial(IMAGE, nk.Flatten(), nk.Relu()), r"layer 3 \(Relu\).*Dense"),
        (
            lambda: nk.Serial(IMAGE, nk.Relu(), nk.AvgPool((2, 2)), nk.Relu()),
            r"layer 4 \(Relu\).*Dense",
        ),
        (lambda: nk.Serial(STANDARD, nk.Relu(), STANDARD), r"give layer 1 \(Conv\) a width"),
        (
            lambda: nk.Sum(nk.Serial(nk.Relu(), nk.GlobalAvgPool(), nk.Dense()), IMAGE),
            r"Sum joins branches of different shapes",
        ),
        (
            lambda: nk.Concatenate(nk.Flatten(), IMAGE),
            r"Concatenate joins branches of different shapes",
        ),
        (
            lambda: nk.Serial(IMAGE, nk.Sum(nk.Relu(), nk.Serial(nk.SumPool((2, 2)), nk.Abs()))),
            r"^Sum adds branches that depend on the same random values",
        ),
    ],
)
def test_layers_that_cannot_follow(build: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        build()


@pytest.mark.parametrize(
    "net",
    [nk.Conv((3, 3)), nk.Serial(nk.Conv((3, 3)), nk.Relu()), nk.Serial(nk.AvgPool((2, 2)))],
)
def test_positions_have_to_end(net: nk.Network) -> None:
    for name in KERNELS:
        with pytest.raises(ValueError, match=r"(?s)Flatten.*GlobalAvgPool|GlobalAvgPool.*Flatten"):
            kernel(net, name)(X)


@pytest.mark.parametrize(
    ("net", "x", "words"),
    [
        (NET, X[0], r"has shape \(4, 5, 2\); expected images, .*\[\.\.\., None\].*\[None\]"),
        (NET, X[..., 0], r"has shape \(3, 4, 5\); .*\(n_samples, height, width, channels\)"),
        (NET, X.reshape(3, -1), r"has shape \(3, 40\); .*reshape\(len\(x2?\), height, width, ch"),
        (NET, X[None], r"has shape \(1, 3, 4, 5, 2\); .*reshape\(-1, \*x2?.shape\[-3:\]\)$"),
        (NET, X[:, :, :, :0], r"has shape \(3, 4, 5, 0\), so it has no features"),
        (NET, X[:, :0], r"has shape \(3, 0, 5, 2\), so it has no features"),
        (SEQUENCES, X, r"has shape \(3, 4, 5, 2\); expected sequences, .*\(n_samples, length, ch"),
        (SEQUENCES, X[:, 0, :, 0], r"has shape \(3, 5\).*reshape\(len\(x2?\), length, channels\)"),
        (EITHER, X[0, 0, 0], r"has shape \(2,\); expected rows, .* or images, .*x2?\[None"),
        (EITHER, X[None], r"has shape \(1, 3, 4, 5, 2\); .*reshape\(-1, \*x2?.shape\[-3:\]\)$"),
        (nk.mlp(2), X, r"has shape \(3, 4, 5, 2\); expected \(n_samples, n_features\)"),
    ],
)  # fmt: skip
def test_shapes(net: nk.Network, x: Any, words: str) -> None:
    good = {id(NET): X, id(SEQUENCES): X[:, 0], id(EITHER): X}.get(id(net), X[:, 0, 0])
    for name in KERNELS:
        with pytest.raises(ValueError, match=rf"^x {words}"):
            kernel(net, name)(x)
        with pytest.raises(ValueError, match=rf"^x2 {words}"):
            kernel(net, name)(good, x)


def test_layers_of_either_kind_take_both() -> None:
    assert EITHER.ntk(X).shape == EITHER.ntk(X[:, 0]).shape == (3, 3)


@pytest.mark.parametrize("other", [X[:, 1:], X[:, :, 1:], X[..., 1:]])
def test_both_sets_have_one_size(other: Any) -> None:
    for name in KERNELS:
        with pytest.raises(ValueError, match=r"^x2 "):
            kernel(NET, name)(X, other)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_numbers_have_to_be_finite(value: float, dtype: Any) -> None:
    x = X.astype(dtype)
    x[2, 3, 0, 1] = value
    for call in (NET.ntk, NET.nngp, lambda x: NET.ntk(x, diagonal=True), lambda x: NET.ntk(x, X)):
        with pytest.raises(ValueError, match=r"^x .*(NaN|inf)"):
            call(x)
    with pytest.raises(ValueError, match=r"^x2 .*(NaN|inf)"):
        NET.ntk(X, x)


@pytest.mark.parametrize(
    ("layer", "words"),
    [
        (nk.Conv((5, 1), padding="VALID"), r"layer 1 \(Conv\)"),
        (nk.Conv((1, 6), padding="VALID"), r"layer 1 \(Conv\)"),
        (nk.AvgPool((4, 6)), r"layer 1 \(AvgPool\)"),
        (nk.SumPool((5, 2), (1, 1)), r"layer 1 \(SumPool\)"),
    ],
)
def test_windows_have_to_fit(layer: nk.Network, words: str) -> None:
    net = nk.Serial(layer, nk.Flatten(), nk.Dense())
    for call in (net.ntk, net.nngp, lambda x: net.ntk(x, diagonal=True), lambda x: net.ntk(x, x)):
        with pytest.raises(ValueError, match=words):
            call(X)


FIRST = np.zeros((2, 3, 32, 32))  # channels first, as in PyTorch
GREY = np.zeros((2, 1, 28, 28), np.float32)


@pytest.mark.parametrize("x", [FIRST, GREY])
@pytest.mark.parametrize(
    "net", [nk.myrtle(5), nk.Serial(nk.Conv((5, 5), padding="VALID"), nk.Flatten())]
)
def test_channels_in_front_of_positions_are_recognised(net: nk.Network, x: Any) -> None:
    advice = r"Channels are the last axis: .* use x\.transpose\(0, 2, 3, 1\)$"
    for name in KERNELS:
        with pytest.raises(ValueError, match=rf"do not fit .*{advice}"):
            kernel(net, name)(x)
    assert net.ntk(x.transpose(0, 2, 3, 1)).shape == (2, 2)
    # Few positions alone are no reason for this advice.
    for other in (np.zeros((2, 3, 2, 3)), np.zeros((2, 3, 32, 1)), np.zeros((2, 3, 3, 32))):
        with pytest.raises(ValueError, match=r"(larger images|\d\))$"):
            net.ntk(other)


@pytest.mark.parametrize("x", [FIRST, GREY])
def test_channels_in_front_of_one_of_two_sets_are_recognised(x: Any) -> None:
    net, right = nk.cntk(1), x.transpose(0, 2, 3, 1)
    with pytest.raises(ValueError, match=r"^x2 has .*as in x\. .* x\.transpose\(0, 2, 3, 1\)$"):
        net.ntk(x, right)
    with pytest.raises(ValueError, match=r"^x2 has .*as in x\. .* x2\.transpose\(0, 2, 3, 1\)$"):
        net.ntk(right, x)
    trained = nk.Posterior(net, right, [0.0, 1.0], noise_variance=1.0)
    with pytest.raises(ValueError, match=r"^x_test has .* x_test\.transpose\(0, 2, 3, 1\)$"):
        trained.predict(x)


@pytest.mark.parametrize(
    ("net", "x", "x2", "words"),
    [
        (SEQUENCES, X[:, 0], X[:, :, 0], r"^x2 has shape \(3, 4, 2\); expected \(n, 5, 2\)"),
        (SEQUENCES, X[:, 0], X[:, 0, :, :1], r"^x2 has shape \(3, 5, 1\); expected \(n, 5, 2\)"),
        (EITHER, X[:, 0], X, r"^x2 has shape \(3, 4, 5, 2\); expected \(n, 5, 2\), as in x$"),
        (EITHER, X[:, 0, 0], X[:, 0, :, 0], r"^x2 has shape \(3, 5\); expected \(n, 2\), as in x$"),
        (EITHER, X[:, 0] * np.nan, None, r"^x must be finite, but has NaN at index \(0, 0, 0\)"),
        (EITHER, X[:, 0, 0] * np.nan, None, r"^x must be finite, but has NaN at row 0, column 0"),
        (
            nk.Serial(nk.Conv((6,), padding="VALID"), nk.Flatten()),
            X[:, 0],
            None,
            r"windows of 6, which do not fit into its input of 5 positions: .*longer sequences$",
        ),
    ],
)  # fmt: skip
def test_messages_show_the_shape_that_was_given(
    net: nk.Network, x: Any, x2: Any, words: str
) -> None:
    for name in KERNELS:
        with pytest.raises(ValueError, match=words):
            kernel(net, name)(x, x2)


def test_branches_have_to_keep_their_size() -> None:
    shrinking = nk.Conv((3, 3), strides=(2, 2))
    net = nk.Serial(nk.Conv((3, 3)), nk.Residual(nk.Relu(), shrinking), nk.Flatten())
    with pytest.raises(ValueError, match=r"layer 2 \(Residual\)"):
        net.ntk(X)


@pytest.mark.parametrize("size", [99, 1000])
def test_filters_far_beyond_the_image(size: int) -> None:
    # All of the image is in every window, of which it is a small part.
    net = nk.Serial(nk.Conv((size, size)), nk.Flatten())
    pixels = np.einsum("ihwc,jhwc->ij", X, X) / 2
    np.testing.assert_allclose(net.nngp(X) * float(size) ** 2, pixels, rtol=1e-12)


def test_what_knows_no_positions_says_so() -> None:
    with pytest.raises(ValueError, match=r"summary\(\).* images or sequences"):
        NET.summary()
    for by_depth in (nk.ntk_by_depth, nk.nngp_by_depth, nk.ntk_by_frozen):
        with pytest.raises(ValueError, match=r"Conv"):
            by_depth(NET, X)
    with pytest.raises(TypeError, match=r"layer 1 \(Conv\) .* images or sequences"):
        nk.finite.init(NET, 4, seed=0, width=3)
    with pytest.raises(ValueError, match="mean_field"):
        nk.theory.mean_field(NET)
    with pytest.raises(ValueError, match=r"has a Flatten"):
        nk.ntk_by_depth(EITHER, X[:, 0, 0])
    for layer in (nk.Flatten(), nk.GlobalAvgPool(), nk.AvgPool((1, 1)), nk.Conv((1, 1))):
        with pytest.raises(ValueError, match="mean_field"):
            nk.theory.mean_field(nk.Serial(nk.Dense(), layer, nk.Dense()))


def test_estimators_of_scikit_learn_take_rows() -> None:
    with pytest.raises(ValueError, match=r"but estimators take .* kernel=\"precomputed\""):
        nk.sklearn.NTKRegressor(network=NET).fit(X[:, 0, 0], np.arange(3.0))
