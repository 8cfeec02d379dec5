"""Activations made of powers to 50 digits, at any variance."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

import ntkfast as nk
from catalogue import build
from contract import Points
from reference import evaluator
from reference.cases import errors
from strategies import point_sets, powers
from test_precision import assert_random_network, assert_within
from tolerances import contract, pair_scale, worst

DTYPES = ["float64", "float32"]
DENSE = ["dense", 1.0, None]

LOW = [
    ["polynomial", 0.7, -1.0, 0.3, 0.2],
    ["polynomial", 0.0, 0.0, -1.0, 0.5],
    ["monomial", 0],
    ["monomial", 2],
    ["monomial", 3],
    ["hermite", 1],
    ["hermite", 2],
    ["hermite", 3],
    ["rectified_monomial", 0],
    ["rectified_monomial", 1],
    ["rectified_monomial", 2],
    ["rectified_monomial", 3],
]
HIGH = [
    ["polynomial", *[0.0] * 6, 1.0, 0.0, -2.0, 0.0, 0.3],
    ["monomial", 20],
    ["hermite", 12],
    ["rectified_monomial", 7],
    ["rectified_monomial", 20],
]
TINY, ORDINARY, HUGE = 1e-12, 1.0, 1e12


def of_variance(variance: float) -> NDArray[np.float64]:
    """Rows of one variance: correlations 0, ±1 and ±(1 − 1e-12) with the first one."""
    angle = math.sqrt(2e-12)
    near = [math.cos(angle), math.sin(angle)]
    rows = np.array([[1, 0], [0, 1], [1, 0], [-1, 0], near, np.negative(near)])
    return rows * math.sqrt(2 * variance)


@pytest.mark.parametrize(
    ("activation", "dtype", "variance"),
    [(a, d, v) for a in LOW for d in DTYPES for v in (TINY, ORDINARY, HUGE)]
    + [(a, "float64", v) for a in HIGH for v in (TINY, ORDINARY, HUGE)]
    + [(a, "float32", ORDINARY) for a in HIGH],  # elsewhere float32 holds no such power
    ids=str,
)
def test_every_correlation_to_50_digits(activation: Any, dtype: str, variance: float) -> None:
    assert_50_digits(activation, of_variance(variance).astype(dtype))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("activation", LOW, ids=str)
def test_every_pair_of_variances_to_50_digits(activation: Any, dtype: str) -> None:
    variances = np.array([0, TINY, 0.25, 0.999, 1, 1 + 1e-6, 1.7, 1e4, HUGE])
    x = np.sqrt(variances)[:, None] * [[1.0, -1.0]]
    x[::3] = np.abs(x[::3])
    assert_50_digits(activation, x.astype(dtype))


def assert_50_digits(activation: Any, x: Points) -> None:
    description = ["serial", DENSE, activation, DENSE]
    expected = evaluator.every_pair(description, x)
    assert_within(errors(build(description), x, expected), contract(x.dtype))


@pytest.mark.parametrize("dtype", DTYPES)
@given(activation=powers(), x=point_sets(min_n=1, max_n=4, max_d=3), data=st.data())
def test_random_powers(dtype: str, activation: Any, x: Points, data: st.DataObject) -> None:
    last = data.draw(st.sampled_from([[], [["relu"], DENSE], [["erf", 1.0, 1.0, 0.0]]]))
    bias = data.draw(st.sampled_from([None, 0.4]))
    layers = [["dense", 0.9, bias], activation, DENSE, *last]
    assert_random_network(["serial", *layers], x.astype(dtype))


@pytest.mark.parametrize(
    "activation",
    [["monomial", 3], ["hermite", 4], ["rectified_monomial", 3], ["polynomial", 2.0, 0.0, -1e-150]],
    ids=str,
)
@pytest.mark.parametrize("power", [70, -60])
def test_scales_beyond_the_range_of_a_variance(activation: Any, power: int) -> None:
    # A power of 1e70 has a variance beyond 1e308, which the next layer takes back.
    x = np.array([[1.0, 2.0], [1.0, 2.0], [-0.5, -1.0], [3.0, -1.0]])
    degree = activation[-1] if len(activation) == 2 else 2
    up, down = ["dense", 10.0**power, None], ["dense", 10.0 ** (-power * degree), None]
    description = ["serial", up, activation, down]
    if power < 0 and activation[0] in ("hermite", "polynomial"):
        description[-1] = DENSE  # their constant term is all there is
    expected = evaluator.every_pair(description, x)
    assert_within(errors(build(description), x, expected), contract(np.float64))
    if power > 0 and degree > 2:
        with pytest.raises(nk.NumericalError, match=r"sample 0 .*layer 2 .*float64"):
            build(description[:-1]).nngp(x)


def test_coefficients_as_far_apart_as_numbers_go() -> None:
    # At scale 1e150 the four terms are of size 1, 1, 1e-150 and 1e-200.
    activation = ["polynomial", 1.0, 1e-150, 1e-300 * 1e-10, 0.0]
    x = np.array([[1.0, 2.0], [-2.0, 1.5], [1e-200, 0.0], [1e-150, 3e-150]])
    description = ["serial", ["dense", 1e150, None], activation, DENSE]
    expected = evaluator.every_pair(description, x)
    assert_within(errors(build(description), x, expected), contract(np.float64))


@pytest.mark.parametrize("dtype", DTYPES)
def test_kernels_that_change_their_sign_with_the_norm(dtype: str) -> None:
    # x − x³ has E[uφ(u)] = p − 3p²: parallel rows of small and large variance are opposed.
    x = np.array([[0.1, 0.2], [1.0, 2.0], [3.0, 1.0], [-0.2, 0.1]], dtype)
    description = ["serial", DENSE, ["relu"], DENSE, ["polynomial", 0.0, 1.0, 0.0, -1.0], DENSE]
    assert build(description).nngp(x)[0, 1] < 0
    for layers in (description, [*description, ["relu"], DENSE]):
        expected = evaluator.every_pair(layers, x)
        assert_within(errors(build(layers), x, expected), contract(dtype))


def test_functions_that_change_the_sign_of_a_kernel() -> None:
    # The same, known by its values: the ReLU behind it sees cosines that are negative.
    x = np.array([[0.1, 0.2], [1.0, 2.0], [3.0, 1.0], [-0.2, 0.1]])
    polynomial = nk.Polynomial((0, 1, 0, -1))
    kernels = [
        nk.Serial(nk.Dense(), nk.Relu(), nk.Dense(), activation, nk.Dense(), nk.Relu()).nngp(x)
        for activation in (polynomial, nk.Elementwise(polynomial_values))
    ]
    scale = pair_scale(np.diagonal(kernels[0]), np.diagonal(kernels[0]))
    assert worst(kernels[1], kernels[0], scale) < 1e-10


def polynomial_values(u: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return u − u³."""
    return u - u**3
