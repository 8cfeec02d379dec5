"""The precision of fitted activations, and of its estimate: scales, kinks, estimates."""

import itertools
import math
from typing import Any

import numpy as np
import pytest
from scipy import special

import ntkfast as nk
from fitted import Array, assert_kernels, polar, rows, worst


def sigmoid(u: Array) -> Array:
    return np.asarray(special.expit(u))


def bump(u: Array) -> Array:
    return np.asarray(np.exp(-u * u))


def sech(u: Array) -> Array:
    return np.asarray(1 / np.cosh(u))


@pytest.mark.parametrize(
    ("activation", "fn", "slope"),
    [
        (nk.Tanh(), np.tanh, lambda u: 1 / np.cosh(u) ** 2),
        (nk.Sigmoid(), sigmoid, lambda u: sigmoid(u) * sigmoid(-u)),
        (nk.Softplus(), lambda u: np.logaddexp(0, u), sigmoid),
        (nk.Swish(), lambda u: u * sigmoid(u), lambda u: sigmoid(u) * (1 + u * sigmoid(-u))),
        (
            nk.Elu(0.7),
            lambda u: np.where(u > 0, u, 0.7 * np.expm1(np.minimum(u, 0))),
            lambda u: np.where(u > 0, 1, 0.7 * np.exp(np.minimum(u, 0))),
        ),
        (
            nk.Selu(),
            lambda u: 1.0507009873554805 * np.where(u > 0, u, 1.6732632423543772 * np.expm1(u)),
            lambda u: 1.0507009873554805 * np.where(u > 0, 1, 1.6732632423543772 * np.exp(u)),
        ),
        (nk.Elementwise(np.arctan), np.arctan, lambda u: 1 / (1 + u * u)),
        (nk.Elementwise(bump), bump, lambda u: -2 * u * bump(u)),
        (nk.Elementwise(sech), sech, lambda u: -np.tanh(u) * sech(u)),
    ],
    ids=["tanh", "sigmoid", "softplus", "swish", "elu", "selu", "arctan", "bump", "sech"],
)
def test_quadrature_agrees(activation: nk.Network, fn: Any, slope: Any) -> None:
    # Variances from 1e-2 to 1e2, as a whole and alone, and correlations down to −1.
    angles = np.array([0.0, 1e-4, 0.4, 1.3, math.pi / 2, 2.4, math.pi])
    scales = np.array([1.0, 1.2, 0.1, 10.0, 3.0, 1.0, 0.3])
    points = np.column_stack([np.cos(angles), np.sin(angles)]) * scales[:, None] * math.sqrt(2)
    network = nk.Serial(nk.Dense(), activation, nk.Dense())
    for x in (points, points[[0, 1, 5]], points[[3, 3]]):
        got = network.kernels(x)
        k = x @ x.T / 2
        p = np.diagonal(k)
        rho = np.clip(k / np.sqrt(np.outer(p, p)), -1, 1)
        nngp, ntk = np.empty_like(k), np.empty_like(k)
        for i, j in np.ndindex(k.shape):
            correlation = 1.0 if i == j else rho[i, j]
            with np.errstate(over="ignore"):
                nngp[i, j] = polar(fn, p[i], p[j], correlation)
                ntk[i, j] = nngp[i, j] + polar(slope, p[i], p[j], correlation) * k[i, j]
        assert_kernels(got, nk.Kernels(nngp, ntk))


def exponential(p: Array, q: Array, k: Array) -> tuple[Array, Array]:
    kernel = np.exp((p + q) / 2 + k)
    return kernel, kernel


def exponential_less_one(p: Array, q: Array, k: Array) -> tuple[Array, Array]:
    product = np.exp((p + q) / 2)
    return product * np.expm1(k) + np.expm1(p / 2) * np.expm1(q / 2), product * np.exp(k)


def square(p: Array, q: Array, k: Array) -> tuple[Array, Array]:
    return p * q + 2 * k * k, 4 * k


def cube(p: Array, q: Array, k: Array) -> tuple[Array, Array]:
    return 9 * p * q * k + 6 * k**3, 9 * (p * q + 2 * k * k)


@pytest.mark.parametrize(
    ("fn", "closed", "scales"),
    [
        (np.exp, exponential, [3.0]),
        (np.exp, exponential, [0.1, 0.5, 1.0, 2.0, 3.0]),
        (np.exp, exponential, [10.0]),
        (np.expm1, exponential_less_one, [0.1, 3.2]),
        (lambda u: u**3, cube, [1e-4, 1e-3, 0.01, 1.0, 1.0]),
        (lambda u: u**3, cube, [1e-20, 1.0, 100.0]),
        (lambda u: u * u, square, [1e-8]),
        (lambda u: u * u, square, [1e-8, 1e-3, 7.0]),
    ],
    ids=["e^x", "e^x, wide", "e^x, far", "expm1", "x³", "x³, wide", "x², tiny", "x², wide"],
)
def test_rows_of_very_different_sizes(fn: Any, closed: Any, scales: list[float]) -> None:
    # Functions that grow fast, or vanish fast at zero: every row to its own scale.
    x = rows(scales)
    k = x @ x.T / 4
    p, q = np.diagonal(k)[:, None], np.diagonal(k)
    kernel, derivative = closed(p, q, k)
    got = nk.Serial(nk.Dense(), nk.Elementwise(fn), nk.Dense()).kernels(x)
    assert_kernels(got, nk.Kernels(kernel, kernel + derivative * k), 1e-12)


@pytest.mark.parametrize("fn", [np.cos, lambda u: np.exp(-u * u), lambda u: np.logaddexp(0, u)])
def test_tiny_inputs_of_functions_that_do_not_vanish_there(fn: Any) -> None:
    # φ(x) = φ(0) + O(x): all kernels are φ(0)² to this precision, and nothing is to be warned of.
    x = rows([1e-8, 1e-7, 1e-9])
    got = nk.Serial(nk.Dense(), nk.Elementwise(fn), nk.Dense()).kernels(x)
    for kernel in got:
        np.testing.assert_allclose(kernel, float(fn(np.zeros(1))[0]) ** 2, rtol=1e-12)


def test_what_cannot_be_resolved_is_refused() -> None:
    network = nk.Serial(nk.Dense(), nk.Elementwise(lambda u: np.sin(200 * u)), nk.Dense())
    message = (
        r"Elementwise\(<lambda>\) is not resolved .* are 5\.000e-1 to 1\.000e0: .* of \de[+-]?\d"
    )
    with pytest.raises(nk.NumericalError, match=message):
        network.kernels(rows([0.5, 1.0]))


def test_two_powers_over_five_decades() -> None:
    # u⁹ + |u|: E[φ²] = 17!!·s¹⁸ + s²; |K| ≤ √(K_ii K_jj) holds whatever cancels between them.
    scales = np.array([1e-3, 1.0, 100.0])
    network = nk.Serial(nk.Dense(), nk.Elementwise(lambda u: u**9 + np.abs(u)), nk.Dense())
    nngp = network.nngp(rows(list(scales)))
    np.testing.assert_allclose(np.diagonal(nngp), 34459425 * scales**18 + scales**2, rtol=1e-12)
    root = np.sqrt(np.diagonal(nngp))
    assert (np.abs(nngp) <= np.outer(root, root) * (1 + 1e-15)).all()


@pytest.mark.parametrize("kinks", [(), (-1.0, 1.0)])
def test_kinks_away_from_zero_at_one_norm(kinks: tuple[float, ...]) -> None:
    # clip(u, −1, 1) of rows of unit variance: they are found where they are not given.
    x = rows([1.0] * 5)
    network = nk.Serial(
        nk.Dense(), nk.Elementwise(lambda u: np.clip(u, -1, 1), kinks=kinks), nk.Dense()
    )
    got = network.kernels(x)
    rho = x @ x.T / 4
    np.fill_diagonal(rho, 1.0)
    # ∂²K/∂ρ² = 2n(1, 1; ρ) − 2n(1, −1; ρ), integrated from ρ = 0 where K and ∂K/∂ρ are known.
    nodes, weights = np.polynomial.legendre.leggauss(400)
    inside = 2 * special.ndtr(1.0) - 1
    kernel, slope = np.empty_like(rho), np.empty_like(rho)
    for index, r in np.ndenumerate(rho):
        angle = np.arcsin(r) * (1 + nodes) / 2
        s = np.sin(angle)
        density = (np.exp(-1 / (1 + s)) - np.exp(-1 / (1 - s))) / (2 * np.pi)
        step = np.arcsin(r) / 2 * weights
        slope[index] = inside**2 + 2 * np.sum(step * density)
        kernel[index] = inside**2 * r + 2 * np.sum(step * density * (r - s))
    assert_kernels(got, nk.Kernels(kernel, kernel + slope * rho))
    # Rounding makes no different norms of it.
    rounded = network.kernels((x / 3).astype(np.float32) * np.float32(3))
    assert_kernels(nk.Kernels(*(k.astype(np.float64) for k in rounded)), got, 1e-4)


@pytest.mark.parametrize("size", [0.3, 1.0, 1.3])
def test_a_hinge_away_from_zero(size: float) -> None:
    # max(u − ½, 0) is nothing at all near zero; E of its square and of its slope are known.
    network = nk.Serial(nk.Dense(), nk.Elementwise(lambda u: np.maximum(u - 0.5, 0)), nk.Dense())
    nngp, ntk = network.kernels([[size]])
    a = 0.5 / size
    above, density = special.ndtr(-a), math.exp(-a * a / 2) / math.sqrt(2 * math.pi)
    square = size * size * ((1 + a * a) * above - a * density)
    np.testing.assert_allclose(nngp, square, rtol=1e-10)
    np.testing.assert_allclose(ntk, square + above * size * size, rtol=1e-10)


@pytest.mark.parametrize("scales", [[0.5, 1.0, 2.0], [1.0, 1.1]])
def test_parallel_rows_of_different_norms(scales: list[float]) -> None:
    # clip(u, −1, 1), whose kinks they meet at different places: an integral over one variable.
    x = rows(scales)
    network = nk.Serial(nk.Dense(), nk.Elementwise(lambda u: np.clip(u, -1, 1)))
    got = network.nngp(np.concatenate([x, x * 1.37]), x)
    parallel = np.array([clipped_product(a, 1.37 * a) for a in scales])
    np.testing.assert_allclose(np.diagonal(got, -len(x)), parallel, rtol=1e-12)
    np.testing.assert_allclose(np.diagonal(got), clipped(x), rtol=1e-12)


def test_six_decades_of_norms() -> None:
    def steep(x: Array) -> Array:
        return np.asarray(special.erf(0.3 * x))

    x = rows(list(np.geomspace(1e-3, 1e3, 25)))
    got = nk.Serial(nk.Dense(), nk.Elementwise(steep), nk.Dense()).kernels(x)
    expected = nk.Serial(nk.Dense(), nk.Erf(b=0.3), nk.Dense()).kernels(x)
    assert worst(got.nngp, expected.nngp, np.diagonal(expected.nngp)) <= 1e-10
    assert worst(got.ntk, expected.ntk, np.diagonal(expected.ntk)) <= 1e-10


def clipped(x: Array) -> Array:
    """E[clip(z, −1, 1)²] for z of the rows' variances."""
    return np.array([clipped_product(s, s) for s in np.linalg.norm(x, axis=1) / 2])


def clipped_product(a: float, b: float) -> float:
    """E[clip(a·z, −1, 1)·clip(b·z, −1, 1)], by Gauss and Legendre's rule between the kinks."""
    nodes, weights = np.polynomial.legendre.leggauss(80)
    edges = np.array([-12, *np.sort([-1 / a, -1 / b, 1 / b, 1 / a]), 12])
    total = 0.0
    for low, high in itertools.pairwise(edges):
        z = (low + high) / 2 + (high - low) / 2 * nodes
        values = np.clip(a * z, -1, 1) * np.clip(b * z, -1, 1) * np.exp(-z * z / 2)
        total += (high - low) / 2 * float(weights @ values)
    return total / math.sqrt(2 * math.pi)


@pytest.mark.parametrize("size", [1e-160, 1e-201, 1e-295, 1e-303, 5e-324])
def test_the_smallest_rows(size: float) -> None:
    # tanh(x) = x there; the row of ordinary size gives E[z·tanh(z)], the slope at 0 is 1.
    x = np.array([[size], [1.0], [-size]])
    network = nk.Serial(nk.Dense(), nk.Tanh(), nk.Dense())
    for part in (x, x[:1], x[[0, 2]]):
        assert np.isfinite(network.ntk(part)).all()
    nngp, ntk = network.kernels(x)
    z, w = np.polynomial.hermite_e.hermegauss(180)
    mean = float(w @ (z * np.tanh(z)) / w.sum())
    slope = float(w @ (1 / np.cosh(z) ** 2) / w.sum())
    np.testing.assert_allclose(nngp[:, 1][[0, 2]], [size * mean, -size * mean], rtol=1e-9)
    np.testing.assert_allclose(ntk[0, 1], size * (mean + slope), rtol=1e-9)


def test_the_largest_rows() -> None:
    network = nk.Serial(nk.Dense(), nk.Elementwise(np.tanh), nk.Dense())
    with pytest.raises(nk.NumericalError, match=r"sample 1 .* layer 2 \(Elementwise\(tanh\)\)"):
        network.nngp([[1.0], [1e308]])


def test_values_with_noise() -> None:
    # As functions have whose authors saved digits: refused, or enough for float32.
    def single(u: Array) -> Array:
        return np.tanh(u.astype(np.float32)).astype(np.float64)

    def shaken(u: Array) -> Array:
        return np.asarray(np.tanh(u) + 1e-12 * np.sin(1e9 * u))

    x = rows([0.5, 1.0, 1.0, 2.0])
    expected = nk.Serial(nk.Dense(), nk.Tanh(), nk.Dense()).kernels(x)
    network = nk.Serial(nk.Dense(), nk.Elementwise(single), nk.Dense())
    with pytest.raises(nk.NumericalError, match=r"errors of about \de-[78] .* float32 points"):
        network.nngp(x)
    got = network.kernels(x.astype(np.float32))
    assert_kernels(nk.Kernels(*(k.astype(np.float64) for k in got)), expected, 1e-5)
    # Its derivative is one of noise; values are right.
    nngp = nk.Serial(nk.Dense(), nk.Elementwise(shaken), nk.Dense()).nngp(x)
    assert worst(nngp, expected.nngp, np.diagonal(expected.nngp)) <= 1e-11


@pytest.mark.parametrize(
    ("fn", "scales", "expected"),
    [
        # Steps away from zero, rows so small that they never meet one, and rows of zeros.
        (np.round, [1.0, 0.0, 0.02], [13 / 12, 0.0, 0.0]),
        (lambda u: np.cos(u) + (u > 2), [0.02, 0.0], [(1 + math.exp(-2 * 0.02**2)) / 2, 1.0]),
        # Steps at zero: a row of zeros has φ(0)².
        (np.sign, [1.0, 0.0], [1.0, 0.0]),
        (lambda u: np.heaviside(u, 0.5), [1.0, 0.0], [0.5, 0.25]),
        # max(u − 0.7, 0) of a row that hardly reaches it.
        (
            lambda u: np.maximum(u - 0.7, 0),
            [1.0, 0.01],
            [1.49 * special.ndtr(-0.7) - 0.7 * math.exp(-0.245) / math.sqrt(2 * math.pi), 0.0],
        ),
        # Terms that cancel near zero: E[(z − tanh z)²] by quadrature.
        (lambda u: u - np.tanh(u), [0.05, 1.0], [None, None]),
    ],
    ids=["round", "a step beside a cosine", "sign", "heaviside", "hinge", "tanhshrink"],
)
def test_small_rows_and_zeros(fn: Any, scales: list[float], expected: list[Any]) -> None:
    x = rows([scale or 1.0 for scale in scales]) * np.array([s > 0 for s in scales])[:, None]
    network = nk.Serial(nk.Dense(), nk.Elementwise(fn), nk.Dense())
    nngp, ntk = network.kernels(x)
    assert np.isfinite(ntk).all()
    z, w = np.polynomial.hermite_e.hermegauss(150)
    for i, (scale, value) in enumerate(zip(scales, expected, strict=True)):
        exact = float(w @ fn(scale * z) ** 2 / w.sum()) if value is None else value
        np.testing.assert_allclose(nngp[i, i], exact, rtol=1e-6, atol=1e-12)


@pytest.mark.parametrize(
    ("step", "scales"),
    [(1.0, [1.0, 2.0]), (1.0, [0.3, 1.0, 3.0]), (0.5, [1.0, 2.0]), (0.125, [0.5, 1.0])],
)
def test_staircases_have_no_slope(step: float, scales: list[float]) -> None:
    # Between steps, rounding is no derivative: the NTK is the NNGP, whose variance is nearly that
    # of the input and of rounding to a grid.
    network = nk.Serial(nk.Dense(), nk.Elementwise(lambda u: step * np.round(u / step)), nk.Dense())
    nngp, ntk = network.kernels(rows(scales))
    np.testing.assert_array_equal(nngp, ntk)
    if step <= 0.5 * min(scales):
        np.testing.assert_allclose(np.diagonal(nngp), np.square(scales) + step**2 / 12, rtol=1e-3)


@pytest.mark.parametrize("scales", [[0.1, 4.0], [0.09, 4.3], [0.01, 1.0]])
def test_functions_that_vanish_far_out(scales: list[float]) -> None:
    # e^(−x²)·sin x against its closed form.
    x = rows(scales)
    fn = nk.Elementwise(lambda u: np.exp(-u * u) * np.sin(u))
    got = nk.Serial(nk.Dense(), fn, nk.Dense()).kernels(x)
    assert_kernels(got, nk.Serial(nk.Dense(), nk.Gabor(), nk.Dense()).kernels(x), 1e-12)


@pytest.mark.parametrize("size", [1e-120, 1e-160, 1e-190])
def test_integrated_rows_of_the_smallest_sizes(size: float) -> None:
    # clip(u, −1, 1) = u there; E[z·clip(z, −1, 1)] is the chance of |z| < 1, and so is the slope's.
    network = nk.Serial(nk.Dense(), nk.Hardtanh(), nk.Dense())
    nngp, ntk = network.kernels([[size], [1.0], [-size]])
    inside = math.erf(1 / math.sqrt(2))
    np.testing.assert_allclose(nngp[[0, 2], 1], [size * inside, -size * inside], rtol=1e-12)
    np.testing.assert_allclose(ntk[[0, 2], 1], [2 * size * inside, -2 * size * inside], rtol=1e-12)
