"""Cases in which the usual formula, √(k11·k22 − k12²), fails, as reported by users.

The name of each test says what goes wrong in other libraries.
"""

import numpy as np
import pytest
from numpy.typing import NDArray

import ntkfast as nk
from catalogue import NETWORKS, Description, build
from contract import KERNELS, Points, assert_near, drops, kernel, same_bits
from reference.cases import errors
from reference.evaluator import every_pair
from tolerances import contract, pair_scale, worst

DTYPES = ["float64", "float32"]


def usual_ntk(x: Points, depth: int, w_std: float) -> NDArray[np.float64]:
    """Return the NTK of ReLU layers as the textbook has it (Cho & Saul 2009), in float64."""
    k = w_std**2 * (x @ x.T) / x.shape[1]
    ntk = k
    for _ in range(depth):
        variances = np.diagonal(k)
        root = np.sqrt(np.maximum(np.multiply.outer(variances, variances) - k * k, 0.0))
        derivative = (np.pi - np.arctan2(root, k)) / (2 * np.pi)
        k = w_std**2 * (root / (2 * np.pi) + derivative * k)
        ntk = k + w_std**2 * derivative * ntk
    return np.asarray(ntk)


def parallel(rng: np.random.Generator, d: int) -> Points:
    """Rows that are one row, again, and multiples of it."""
    factors = np.array([1.0, 1.0, 3.7, 2.3, 1e-3, 7.0])
    return factors[:, None] * rng.standard_normal(d)


def relu(depth: int, w_std: float, b_std: float | None = None) -> Description:
    dense = ["dense", w_std, b_std]
    return ["serial", *[dense, ["relu"]] * depth, dense]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", NETWORKS)
def test_rows_of_zeros_give_no_nan(name: str, dtype: str, rng: np.random.Generator) -> None:
    x = np.concatenate([np.zeros((2, 3)), rng.standard_normal((2, 3))]).astype(dtype)
    expected = every_pair(NETWORKS[name], x)
    assert max(errors(build(NETWORKS[name]), x, expected).values()) <= contract(dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", NETWORKS)
def test_duplicate_rows_have_the_kernel_of_one(
    name: str, dtype: str, rng: np.random.Generator
) -> None:
    x = rng.standard_normal((5, 7)).astype(dtype)
    network = build(NETWORKS[name])
    for which in KERNELS:
        one, many = kernel(network, which)(x), kernel(network, which)(np.repeat(x, 3, axis=0))
        diagonal = np.diagonal(many)
        assert same_bits(diagonal, np.repeat(np.diagonal(one), 3))
        # Samples that drop neurons of their own are two, also where their rows are one.
        pairs = kernel(network, which)(x, x.copy()) if drops(network) else one
        expected = np.repeat(np.repeat(pairs, 3, axis=0), 3, axis=1)
        np.fill_diagonal(expected, diagonal)
        assert_near(many, expected, pair_scale(diagonal, diagonal))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    "activation",
    [
        *(["rectified_monomial", degree] for degree in (0, 2, 3)),
        ["monomial", 2],
        ["polynomial", 0.0, 1.0, 0.5, -0.2],
    ],
    ids=str,
)
def test_diagonals_of_rectified_powers_and_polynomials_are_numbers(
    activation: Description, dtype: str, rng: np.random.Generator
) -> None:
    x = np.concatenate([np.zeros((1, 4)), 0.5 * parallel(rng, 4)]).astype(dtype)
    dense = ["dense", 1.0, None]
    description = ["serial", dense, activation, dense]
    network = build(description)
    assert max(errors(network, x, every_pair(description, x)).values()) <= contract(dtype)
    for name in KERNELS:
        diagonal = kernel(network, name)(x, diagonal=True)
        assert same_bits(diagonal, np.diagonal(kernel(network, name)(x)))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("degree", [2, 3, 4])
def test_hermite_polynomials_at_variances_other_than_1(
    degree: int, dtype: str, rng: np.random.Generator
) -> None:
    x = parallel(rng, 5).astype(dtype)
    description = ["serial", ["dense", 1.0, 0.1], ["hermite", degree], ["dense", 1.0, None]]
    network = build(description)
    assert max(errors(network, x, every_pair(description, x)).values()) <= contract(dtype)
    # So that it would notice ρⁿ, which holds at unit variance alone.
    k = network.nngp(x)
    assert worst(k, np.ones_like(k), np.ones_like(k)) > 0.1


@pytest.mark.parametrize("b_std", [None, 0.1])
@pytest.mark.parametrize("dtype", DTYPES)
def test_coincident_points_lose_no_digits_100_layers_deep(
    dtype: str, b_std: float | None, rng: np.random.Generator
) -> None:
    row = rng.standard_normal(20)
    near = [row + 10.0**-j * rng.standard_normal(20) for j in (13, 9, 5)]
    x = np.concatenate([parallel(rng, 20), [row], near]).astype(dtype)
    description = relu(100, 2**0.5, b_std)
    found = errors(build(description), x, every_pair(description, x))
    assert max(found.values()) <= contract(dtype)


def test_the_usual_formula_loses_half_of_them(rng: np.random.Generator) -> None:
    # So that the test before this one would notice it.
    def gap(x: Points, depth: int) -> float:
        got = nk.mlp(depth, nk.Relu(), w_std=2**0.5).ntk(x)
        diagonal = np.diagonal(got)
        return worst(usual_ntk(x, depth, 2**0.5), got, pair_scale(diagonal, diagonal))

    assert gap(rng.standard_normal((6, 20)), 3) <= contract(np.float64)
    assert gap(parallel(rng, 20), 100) > 1e-8


@pytest.mark.parametrize("depth", [25, 50])
def test_w_std_3_is_right_in_float32_as_deep_as_float32_holds_the_result(
    depth: int, rng: np.random.Generator
) -> None:
    x = np.concatenate([np.zeros((1, 4)), parallel(rng, 4), -parallel(rng, 4)]).astype("float32")
    description = relu(depth, 3.0)
    found = errors(build(description), x, every_pair(description, x))
    assert max(found.values()) <= contract("float32")


def test_w_std_3_and_100_layers_in_float32_are_right_for_inputs_small_enough(
    rng: np.random.Generator,
) -> None:
    x = (1e-17 * np.concatenate([parallel(rng, 4), rng.standard_normal((3, 4))])).astype("float32")
    description = relu(100, 3.0)
    found = errors(build(description), x, every_pair(description, x))
    assert max(found.values()) <= contract("float32")


def test_w_std_3_and_100_layers_in_float32_name_the_layer_where_nothing_can_hold_the_result(
    rng: np.random.Generator,
) -> None:
    x = rng.standard_normal((5, 4)).astype("float32")
    network, largest = build(relu(100, 3.0)), np.finfo(np.float32).max
    wide = x[:1].astype(np.float64)
    for name in KERNELS:
        too_deep = next(
            count
            for count in range(1, len(network.layers) + 1)
            if kernel(nk.Serial(*network.layers[:count]), name)(wide) > largest
        )
        with pytest.raises(nk.NumericalError, match=rf"sample 0 .*layer {too_deep} .*float32"):
            kernel(network, name)(x)
