"""Rows have no positions: Flatten and global pooling leave them as they are."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ntkfast as nk
from contract import KERNELS, kernel
from images import random_images
from ntkfast.cli import main

X = np.random.default_rng(0).standard_normal((6, 4))
Y = np.sin(X[:, 0])
ENDS = [nk.Flatten(), nk.GlobalAvgPool(), nk.GlobalSumPool()]
PLAIN = nk.Serial(nk.Dense(w_std=1.4, b_std=0.1), nk.Relu(), nk.Dense())


def networks(end: nk.Network) -> list[nk.Network]:
    """Return `PLAIN` with layers that rows pass unchanged."""
    first, activation, last = PLAIN.layers
    return [
        nk.Serial(end, *PLAIN.layers),
        nk.Serial(first, activation, end, last),
        nk.Serial(end, end, nk.Serial(*PLAIN.layers), nk.Flatten()),
        nk.Serial(nk.Identity(), first, nk.Serial(activation, end), end, last),
    ]


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("end", ENDS, ids=repr)
def test_kernels_of_rows(end: nk.Network, dtype: Any) -> None:
    x = X.astype(dtype)
    for net in networks(end):
        for name in KERNELS:
            found, expected = kernel(net, name), kernel(PLAIN, name)
            np.testing.assert_array_equal(found(x), expected(x))
            np.testing.assert_array_equal(found(x, x[:2] + 1), expected(x, x[:2] + 1))
            np.testing.assert_array_equal(found(x, diagonal=True), expected(x, diagonal=True))


@pytest.mark.parametrize("end", ENDS, ids=repr)
def test_layers_after_the_positions_have_gone(end: nk.Network) -> None:
    images = random_images(3, 4, 5, 2)
    once = nk.Serial(nk.Conv((3, 3)), nk.Relu(), nk.GlobalAvgPool(), nk.Dense())
    again = nk.Serial(nk.Conv((3, 3)), nk.Relu(), nk.GlobalAvgPool(), end, nk.Dense(), end)
    for name in KERNELS:
        np.testing.assert_array_equal(kernel(again, name)(images), kernel(once, name)(images))
    with pytest.raises(ValueError, match=r"layer 5 \(Conv\) needs an input with positions"):
        nk.Serial(*again.layers[:4], nk.Conv((3, 3)))


def test_widths_of_the_standard_parameterization() -> None:
    layer = nk.Dense(w_std=1.4, parameterization="standard")
    np.testing.assert_array_equal(nk.Serial(nk.Flatten(), layer).ntk(X), layer.ntk(X))


@pytest.mark.parametrize("end", ENDS, ids=repr)
def test_everything_on_rows_takes_such_networks(end: nk.Network) -> None:
    for net in networks(end):
        for make in (nk.Ensemble, nk.Posterior):
            found, expected = make(net, X, Y).predict(X + 1), make(PLAIN, X, Y).predict(X + 1)
            np.testing.assert_array_equal(found.mean, expected.mean)
        fitted = nk.sklearn.NTKRegressor(network=net).fit(X, Y)
        expected = nk.sklearn.NTKRegressor(network=PLAIN).fit(X, Y)
        np.testing.assert_array_equal(fitted.predict(X + 1), expected.predict(X + 1))
        np.testing.assert_array_equal(
            nk.sklearn.NNGPKernel(network=net)(X), nk.sklearn.NNGPKernel(network=PLAIN)(X)
        )
        finite, plain = (nk.finite.init(each, 4, seed=0, width=7) for each in (net, PLAIN))
        np.testing.assert_array_equal(finite.forward(X), plain.forward(X))
        np.testing.assert_array_equal(finite.ntk(X), plain.ntk(X))
        # The rows of the table are called by their places.
        rows = [(row.variance, row.chi, row.ntk, row.share) for row in net.summary().rows]
        assert rows == [(r.variance, r.chi, r.ntk, r.share) for r in PLAIN.summary().rows]


@pytest.mark.parametrize(
    ("net", "x"),
    [
        (nk.Serial(nk.Flatten(), *PLAIN.layers), X),
        (nk.Serial(nk.Conv((3,)), nk.Relu(), nk.Flatten(), nk.Dense()), X.reshape(3, 4, 2)),
    ],
    ids=["rows", "sequences"],
)
def test_files_of_rows_and_sequences(
    net: nk.Network, x: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    np.save("x.npy", x)
    Path("net.json").write_text(json.dumps(net.to_dict()), encoding="utf-8")
    assert main(["gram", "x.npy", "k.npy", "--network", "net.json"]) == 0
    np.testing.assert_allclose(np.load("k.npy"), net.ntk(x), rtol=1e-14)
