"""Parameterizations, joins, normalisation, dropout: their repr, and rejected arguments."""

import math
from typing import Any

import numpy as np
import pytest

import ntkfast as nk
from refusals import assert_refused

X = np.array([[1.0, 1.0], [1.0, -1.0], [2.0, 2.0]])


@pytest.mark.parametrize(
    ("net", "text"),
    [
        (
            nk.Dense(8, parameterization="standard", trainable=False),
            "Dense(width=8, parameterization='standard', trainable=False)",
        ),
        (nk.Dense(parameterization="ntk", trainable=np.True_), "Dense()"),
        (nk.LayerNorm(), "LayerNorm()"),
        (nk.LayerNorm(0), "LayerNorm(eps=0.0)"),
        (nk.Dropout(keep=1), "Dropout(keep=1.0)"),
        (nk.Product(nk.Dense(), nk.Dense()), "Product(Dense(), Dense())"),
        (nk.Concatenate(nk.Relu(), nk.Abs()), "Concatenate(Relu(), Abs())"),
    ],
)
def test_text(net: nk.Network, text: str) -> None:
    assert repr(net) == text
    assert eval(text, vars(nk)) == net


STANDARD = nk.Dense(parameterization="standard")


@pytest.mark.parametrize(
    ("build", "error", "words"),
    [
        (
            lambda: nk.Dense(parameterization="mup"),
            ValueError,
            ["parameterization is 'mup'", "'ntk'"],
        ),
        (
            lambda: nk.Dense(parameterization=None),
            TypeError,
            ["parameterization is of type NoneType"],
        ),
        (lambda: nk.Dense(trainable=0), TypeError, ["Dense: trainable is 0", "True or False"]),
        (lambda: nk.LayerNorm(-1), ValueError, ["LayerNorm: eps is -1.0", ">= 0"]),
        (lambda: nk.LayerNorm("x"), TypeError, ["LayerNorm: eps is 'x'"]),
        (lambda: nk.Dropout(keep=0), ValueError, ["Dropout: keep is 0.0", "> 0"]),
        (lambda: nk.Dropout(keep=1.5), ValueError, ["Dropout: keep is 1.5", "0 < keep <= 1"]),
        (lambda: nk.Dropout(keep=math.nan), ValueError, ["Dropout: keep is nan"]),
        (lambda: nk.Dropout(keep=True), TypeError, ["Dropout: keep is True"]),
        (lambda: nk.Dropout(0.5), TypeError, ["positional"]),
        (nk.Product, ValueError, ["Product() is empty"]),
        (nk.Concatenate, ValueError, ["Concatenate() is empty"]),
        (
            lambda: nk.Product(nk.Relu(), nk.Abs()),
            ValueError,
            ["Product multiplies", "same random"],
        ),
        (
            lambda: nk.Serial(nk.Dense(), nk.Product(nk.Dense(), nk.Dense()), nk.Relu()),
            ValueError,
            ["layer 3 (Relu)", "put a Dense before it"],
        ),
        (
            lambda: nk.Serial(nk.Dense(), nk.Concatenate(nk.Dense(), nk.Dense()), nk.LayerNorm()),
            ValueError,
            ["layer 3 (LayerNorm)", "put a Dense before it"],
        ),
        (
            lambda: nk.Serial(nk.Dense(), nk.Dropout(keep=0.9), nk.Erf()),
            ValueError,
            ["layer 3 (Erf)", "put a Dense before it"],
        ),
        (
            lambda: nk.Serial(nk.Dense(), nk.Relu(), nk.LayerNorm()),
            ValueError,
            ["layer 3 (LayerNorm)", "Gaussian"],
        ),
        (
            lambda: nk.Concatenate(nk.Dense(3), nk.Serial(nk.Dense(), nk.Relu())),
            ValueError,
            ["Concatenate", "give layer 1 (Dense) of layer 2 (Serial) a width"],
        ),
        (
            lambda: nk.Serial(nk.Dense(), nk.Relu(), STANDARD),
            ValueError,
            ["layer 3 (Dense) has the standard", "give layer 1 (Dense) a width"],
        ),
        (
            lambda: nk.Sum(nk.Dense(3), nk.Dense(4)),
            ValueError,
            ["Sum adds branches of different widths, 3 and 4"],
        ),
    ],
)
def test_what_cannot_be_is_refused_where_it_is_built(
    build: Any, error: type[Exception], words: list[str]
) -> None:
    assert_refused(build, error, words)


def test_what_the_kernel_refuses() -> None:
    # As parts of other networks these may be fine, so that construction cannot know.
    with pytest.raises(ValueError, match="put a Dense before it"):
        nk.LayerNorm().ntk(X)
    with pytest.raises(ValueError, match=r"layer 2 \(Dense\) a width, or leave all widths unset"):
        nk.Concatenate(nk.Identity(), nk.Dense()).ntk(X)
    with pytest.raises(ValueError, match="multiplies branches that depend on the same"):
        nk.Product(nk.Identity(), nk.Identity()).ntk(X)


def test_parts_that_a_whole_completes() -> None:
    part = nk.Residual(nk.LayerNorm(), nk.Relu(), STANDARD)
    assert nk.Serial(nk.Dense(4), part).ntk(X).shape == (3, 3)
    with pytest.raises(ValueError, match=r"give layer 1 \(Dense\) a width"):
        nk.Serial(nk.Dense(), part)
