"""Sums whose first part is small beside the second: a bias, or a branch, against 50 digits."""

from typing import Any

import numpy as np
import pytest

import ntkfast as nk
from catalogue import Description, build
from contract import Points
from reference import evaluator
from reference.cases import errors
from tolerances import contract

DENSE = ["dense", 1.0, None]
# Differences of the small part are of order 1, whatever the large one is.
POINTS = np.array([[1.0, 2.0], [1.5, 1.75], [-0.5, 1.0], [0.25, -3.0], [0.0, 0.0]])
# Exactly parallel, so that a branch after a sign is a constant.
PARALLEL = np.array([0.25, 0.5, 1.0, 2.0])[:, None] * [1.0, 2.0]
LARGE = [3e2, 1e5, 3e7, 1e10, 1e17]
ACTIVATIONS = [
    *(["rbf", 0.5], ["sin", 1.0, 1.0, 0.4], ["sin", 1.0, 1.0, 0.0], ["cos", 1.0, 1.0, 0.4]),
    *(["gaussian", 1.0, -1.0], ["gabor"], ["erf", 1.0, 1.0, 0.0], ["sigmoid_like"], ["gelu"]),
    *(["sign"], ["relu"], ["abs"], ["abrelu", -0.5, 1.5], ["exp_normalized", 1.0, -1.0]),
]
GROWING = [["hermite", 3], ["polynomial", 0.5, -1.0, 0.2, 0.1], ["rectified_monomial", 2]]


def assert_right(description: Description, x: Points, dtype: str) -> None:
    x = x.astype(dtype)
    found = errors(build(description), x, evaluator.every_pair(description, x))
    assert max(found.values()) <= contract(dtype), found


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("large", LARGE)
@pytest.mark.parametrize("activation", ACTIVATIONS, ids=str)
def test_a_large_bias(activation: list[Any], large: float, dtype: str) -> None:
    biased = ["serial", ["dense", 1.0, large], activation, DENSE]
    assert_right(biased, POINTS, dtype)
    assert_right([*biased, ["relu"], DENSE], POINTS, dtype)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("activation", GROWING, ids=str)
def test_a_large_bias_before_a_power(activation: list[Any], dtype: str) -> None:
    for large in (3e2, 1e5) if dtype == "float32" else LARGE:
        assert_right(["serial", ["dense", 1.0, large], activation, DENSE], POINTS, dtype)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("large", LARGE)
@pytest.mark.parametrize("activation", ACTIVATIONS, ids=str)
def test_a_large_branch(activation: list[Any], large: float, dtype: str) -> None:
    branch = ["serial", DENSE, ["sign"], ["dense", large, None]]
    for pair in ([DENSE, branch], [branch, DENSE]):
        assert_right(["serial", ["sum", *pair], activation, DENSE], PARALLEL, dtype)
        wide = [["serial", part, ["dense", 1.0, None, 8]] for part in pair]
        joined = ["serial", ["concatenate", *wide], DENSE]
        assert_right([*joined, activation, DENSE], PARALLEL, dtype)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_a_small_bias(dtype: str) -> None:
    for small in (1e-17, 1e-10, 1e-5):
        for activation in ACTIVATIONS:
            assert_right(["serial", ["dense", 1.0, small], activation, DENSE], POINTS, dtype)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_the_rbf_of_a_bias_does_not_depend_on_it(dtype: str) -> None:
    # Rbf sees distances alone: e^{−γ‖x − y‖²/d}, up to where the square of the bias has no number.
    x = POINTS.astype(dtype)
    distance = ((x[:, None, :] - x[None, :, :]) ** 2).sum(axis=2).astype(np.float64)
    expected = np.exp(-0.5 * distance / 2)
    for bias in (0.0, 1.0, 1e6, 1e15, 1e18) + ((1e30, 1e100) if dtype == "float64" else ()):
        network = nk.Serial(nk.Dense(b_std=bias), nk.Rbf(0.5))
        np.testing.assert_allclose(network.nngp(x), expected, rtol=0, atol=contract(dtype))


def test_on_images_too() -> None:
    images = np.random.default_rng(0).standard_normal((3, 2, 2, 3))
    flat = images.reshape(3, -1)
    distance = ((flat[:, None, :] - flat[None, :, :]) ** 2).sum(axis=2)
    expected = np.exp(-0.5 * distance / 12)
    for bias in (0.0, 1e5, 1e10, 1e17):
        network = nk.Serial(nk.Conv((2, 2), padding="VALID", b_std=bias), nk.Rbf(0.5), nk.Flatten())
        np.testing.assert_allclose(network.nngp(images), expected, rtol=0, atol=1e-12)
