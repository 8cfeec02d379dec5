"""Activations made of powers: exact values, edge cases, rejected arguments."""

import math
from typing import Any

import numpy as np
import pytest
from numpy.polynomial.hermite_e import herme2poly, hermegauss

import ntkfast as nk
from contract import KERNELS
from refusals import assert_refused
from tolerances import contract, pair_scale, worst

DTYPES = ["float64", "float32"]
X = np.array([[1.0, 1], [1, -1], [2, 2], [-1, -1], [0.3, 2]])  # variances 1, 1, 4, 1, 2.045


def kernels_by_quadrature(function: Any, derivative: Any, p: float, q: float, k: float) -> Any:
    """E[φ(u)φ(v)] and E[φ'(u)φ'(v)] of polynomials up to degree 30, exactly but for rounding."""
    nodes, weights = hermegauss(40)
    z, y = np.meshgrid(nodes, nodes)
    w = np.multiply.outer(weights, weights) / (2 * np.pi)
    rho = k / math.sqrt(p * q)
    u, v = math.sqrt(p) * z, math.sqrt(q) * (rho * z + math.sqrt(max(1 - rho * rho, 0)) * y)
    return [np.sum(w * f(u) * f(v)) for f in (function, derivative)]


@pytest.mark.parametrize("degree", range(9))
@pytest.mark.parametrize("w_std", [0.5, 1.0, 1.3])
def test_hermite_at_any_variance_is_the_integral(degree: int, w_std: float) -> None:
    he = herme2poly([0.0] * degree + [1.0]) / math.sqrt(math.factorial(degree))
    phi = np.polynomial.Polynomial(he)
    nngp, ntk = nk.Serial(nk.Dense(w_std=w_std), nk.Hermite(degree)).kernels(X)
    k = w_std**2 * X @ X.T / 2
    for i, j in np.ndindex(k.shape):
        value, slope = kernels_by_quadrature(phi, phi.deriv(), k[i, i], k[j, j], k[i, j])
        assert nngp[i, j] == pytest.approx(value, abs=1e-12 * math.sqrt(nngp[i, i] * nngp[j, j]))
        tangent = math.sqrt(ntk[i, i] * ntk[j, j])
        assert ntk[i, j] == pytest.approx(slope * k[i, j], abs=1e-12 * tangent)


@pytest.mark.parametrize("degree", [1, 2, 3, 7])
def test_hermite_at_unit_variance_is_a_power_of_the_correlation(degree: int) -> None:
    angles = np.linspace(0, np.pi, 9)
    x = math.sqrt(2) * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    nngp, ntk = nk.Serial(nk.Dense(), nk.Hermite(degree)).kernels(x)
    rho = np.cos(angles[:, None] - angles)
    np.testing.assert_allclose(nngp, rho**degree, atol=1e-14)
    np.testing.assert_allclose(ntk, degree * rho**degree, atol=1e-14 * degree)


@pytest.mark.parametrize("degree", [0, 1, 2, 5, 12])
def test_diagonals(degree: int) -> None:
    # E[x^2n] = (2n−1)!!·pⁿ, half of it from x > 0.
    p = np.array([0.0, 1e-3, 1.0, 30.0])
    x = np.sqrt(p)[:, None]
    moment = math.prod(range(1, 2 * degree, 2)) * p**degree
    for network, factor in (
        (nk.Serial(nk.Dense(), nk.Monomial(degree)), 1.0),
        (nk.Serial(nk.Dense(), nk.RectifiedMonomial(degree)), np.where(p > 0, 0.5, 0.0)),
    ):
        expected = factor * moment
        np.testing.assert_allclose(network.nngp(x, diagonal=True), expected, rtol=1e-14)
        np.testing.assert_allclose(np.diagonal(network.nngp(x)), expected, rtol=1e-14)


def test_what_a_polynomial_makes_of_zero_rows() -> None:
    x = np.array([[0.0, 0.0], [0.0, 0.0], [3.0, 1.0]])
    net = nk.Serial(nk.Dense(), nk.Polynomial((0.5, -2.0, 0.25)))
    nngp, ntk = net.kernels(x)
    # E[φ(v)] = 0.5 + 0.25·5 for the last row, of variance 5.
    np.testing.assert_allclose(nngp[:2], [[0.25, 0.25, 0.875]] * 2, rtol=1e-15)
    np.testing.assert_array_equal(ntk[:2], 0.0)
    # With a bias behind it: K = a_0² + 1, and T is what the last layer adds.
    biased = nk.Serial(*net.layers, nk.Dense(b_std=1.0))
    np.testing.assert_allclose(biased.ntk(x)[:2, :2], 1.25, rtol=1e-15)
    for other in (nk.Monomial(2), nk.Polynomial((0, 1, 1)), nk.RectifiedMonomial(0)):
        for kernel in nk.Serial(nk.Dense(), other, nk.Dense()).kernels(x):
            np.testing.assert_array_equal(kernel[:2], 0.0)
            np.testing.assert_array_equal(kernel[:, :2], 0.0)


@pytest.mark.parametrize("coef", [(0.0,), (0.0, -0.0, 0.0)])
def test_the_zero_polynomial(coef: tuple[float, ...]) -> None:
    for kernel in nk.Serial(nk.Dense(), nk.Polynomial(coef), nk.Dense(b_std=2.0)).kernels(X):
        np.testing.assert_array_equal(kernel, 4.0)
    for kernel in nk.Serial(nk.Dense(), nk.Polynomial(coef), nk.Dense(), nk.Relu()).kernels(X):
        np.testing.assert_array_equal(kernel, 0.0)


def test_constants() -> None:
    for activation in (nk.Monomial(0), nk.Polynomial((-1.0,)), nk.Hermite(0)):
        nngp, ntk = nk.Serial(nk.Dense(), activation).kernels(X)
        np.testing.assert_array_equal(nngp, 1.0)
        np.testing.assert_array_equal(ntk, 0.0)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (nk.RectifiedMonomial(1), nk.Relu()),
        (nk.Monomial(1), nk.Identity()),
        (nk.Hermite(1), nk.Identity()),
        (nk.Monomial(4), nk.Polynomial((0, 0, 0, 0, 1))),
        (nk.Polynomial((1, 2, 0)), nk.Polynomial((1, 2))),
        (nk.Hermite(2), nk.Polynomial((-math.sqrt(0.5), 0, math.sqrt(0.5)))),
        (nk.Hermite(3), nk.Polynomial(tuple(np.array([0, -3, 0, 1]) / math.sqrt(6)))),
    ],
    ids=repr,
)
@pytest.mark.parametrize("dtype", DTYPES)
def test_two_names_of_one_function(one: Any, other: Any, dtype: str) -> None:
    x = np.concatenate([X, 1e-3 * X, [[0.0, 0.0]]]).astype(dtype)
    networks = [nk.Serial(nk.Dense(b_std=0.3), act, nk.Dense()) for act in (one, other)]
    for name in KERNELS:
        a, b = (getattr(network, name)(x) for network in networks)
        assert worst(a, b, pair_scale(np.diagonal(a), np.diagonal(a))) <= contract(dtype) / 10


def test_steps_count_angles() -> None:
    x = np.array([[1.0, 0.0], [0.0, 2.0], [-3.0, 0.0], [1.0, 1.0], [0.0, 0.0]])
    nngp, ntk = nk.Serial(nk.Dense(), nk.RectifiedMonomial(0)).kernels(x)
    eighths = np.array([[4, 2, 0, 3], [2, 4, 2, 3], [0, 2, 4, 1], [3, 3, 1, 4]])
    np.testing.assert_allclose(nngp[:4, :4], eighths / 8, atol=1e-16)
    assert not np.any(nngp[4])
    assert not np.any(ntk)


def test_rectified_powers_of_opposite_rows_have_nothing_in_common() -> None:
    for degree in (0, 1, 2, 9, 20):
        nngp, ntk = nk.Serial(nk.Dense(), nk.RectifiedMonomial(degree)).kernels(
            np.array([[1.0, 2.0], [-2.0, -4.0]])
        )
        assert nngp[0, 1] == 0.0
        assert ntk[0, 1] == 0.0


def test_only_odd_functions_have_a_mean_of_zero() -> None:
    odd = [nk.Monomial(3), nk.Hermite(5), nk.Polynomial((0, 1, 0, -2))]
    # He_2 has one at unit variance only.
    others = [nk.Monomial(2), nk.Hermite(2), nk.Polynomial((0.1, 1)), nk.RectifiedMonomial(3)]
    for activation in odd:
        nk.Serial(nk.Dense(), nk.Sum(nk.Serial(nk.Dense(), activation), nk.Relu()))
    for activation in others:
        with pytest.raises(ValueError, match="means that are not zero"):
            nk.Serial(nk.Dense(), nk.Sum(nk.Serial(nk.Dense(), activation), nk.Relu()))


def test_the_highest_degree_still_has_a_kernel() -> None:
    # ρ^1000 of He_1000 at unit variance, and powers of what is small enough.
    angle = 0.01
    x = math.sqrt(2) * np.array([[1.0, 0.0], [math.cos(angle), math.sin(angle)]])
    nngp = nk.Serial(nk.Dense(), nk.Hermite(1000)).nngp(x)
    np.testing.assert_allclose(nngp[0, 1], math.cos(angle) ** 1000, rtol=1e-11)
    small = nk.Dense(w_std=math.sqrt(math.e / 2000))
    for activation in (nk.Monomial(1000), nk.RectifiedMonomial(1000)):
        nngp = nk.Serial(small, activation).nngp(x)
        # (2n−1)!!·(e/2n)ⁿ tends to √2.
        factor = 1.0 if isinstance(activation, nk.Monomial) else 0.5
        np.testing.assert_allclose(np.diagonal(nngp), factor * math.sqrt(2), rtol=1e-3)
        assert 0 < nngp[0, 1] < nngp[0, 0]


def test_they_print_as_what_builds_them() -> None:
    for text in (
        "Polynomial(coef=(1.0, -0.5))",
        "Monomial(degree=3)",
        "Hermite(degree=0)",
        "RectifiedMonomial(degree=2)",
    ):
        network = eval(text, vars(nk))
        assert repr(network) == text
        assert eval(repr(network), vars(nk)) == network
        assert hash(eval(text, vars(nk))) == hash(network)
    assert nk.Polynomial([1, 2]) == nk.Polynomial((1.0, 2.0))


@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (lambda: nk.Polynomial(()), ValueError, ["Polynomial: coef has 0", "1 to 1001"]),
        (lambda: nk.Polynomial((0.0,) * 1002), ValueError, ["has 1002", "1 to 1001"]),
        (lambda: nk.Polynomial(2.0), TypeError, ["Polynomial: coef is 2.0", "tuple"]),
        (lambda: nk.Polynomial((1, "x")), TypeError, ["Polynomial: coef[1] is 'x'"]),
        (lambda: nk.Polynomial((math.nan,)), ValueError, ["Polynomial: coef[0] is nan"]),
        (lambda: nk.Monomial(-1), ValueError, ["Monomial: degree is -1", ">= 0"]),
        (lambda: nk.Monomial(10**9), ValueError, ["degree is 1000000000", "0 to 1000"]),
        (lambda: nk.Hermite(2.0), TypeError, ["Hermite: degree is 2.0", "integer"]),
        (lambda: nk.RectifiedMonomial(True), TypeError, ["RectifiedMonomial: degree is True"]),
    ],
)
def test_what_has_no_such_power_is_refused(make: Any, error: Any, words: list[str]) -> None:
    assert_refused(make, error, words)


def test_errors_call_them_by_their_names() -> None:
    for activation, name in (
        (nk.Monomial(2), "Monomial"),
        (nk.Polynomial((1, 1)), "Polynomial"),
        (nk.Hermite(2), "Hermite"),
        (nk.RectifiedMonomial(2), "RectifiedMonomial"),
    ):
        with pytest.raises(ValueError, match=rf"\({name}\)"):
            nk.Serial(nk.Dense(), nk.Relu(), activation)
