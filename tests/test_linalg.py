"""Eigendecomposition, Cholesky and products, against NumPy, mpmath and their own definitions."""

from typing import Any

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

import ntkfast as nk
from contract import same_bits
from ntkfast import _ntkfast
from ntkfast.linalg import cholesky, matmul
from tolerances import FACTORIZATION

Matrix = NDArray[np.floating[Any]]
SIZES = (0, 1, 2, 3, 5, 8, 17, 33, 64, 65, 129, 260)
DTYPES = (np.float64, np.float32)


def spd(rng: np.random.Generator, n: int, dtype: Any = np.float64) -> Matrix:
    """A well-conditioned symmetric positive definite matrix, exactly symmetric."""
    a = rng.standard_normal((n, n))
    return (a @ a.T / max(n, 1) + 0.1 * np.eye(n)).astype(dtype)


def unit(dtype: Any, n: int) -> float:
    """The unit of backward errors: n·ε, times the factor all tests share."""
    return float(FACTORIZATION * max(n, 1) * np.finfo(dtype).eps)


def assert_spectrum(a: Matrix, spectrum: nk.Spectrum) -> None:
    """λ ascending, U orthogonal, AU = UΛ; looked at in unit size, so that nothing overflows."""
    n, dtype = len(a), a.dtype
    values, vectors = spectrum.eigenvalues, spectrum.eigenvectors
    assert values.shape == (n,)
    assert vectors.shape == (n, n)
    assert values.dtype == vectors.dtype == dtype
    assert np.all(values[1:] >= values[:-1])
    u, tolerance = vectors.astype(np.float64), unit(dtype, n)
    assert np.max(np.abs(u.T @ u - np.eye(n)), initial=0.0) <= tolerance
    power = -int(np.frexp(np.max(np.abs(a), initial=0.0))[1])
    scaled, lam = np.ldexp(a.astype(np.float64), power), np.ldexp(values.astype(np.float64), power)
    residual = np.linalg.norm(scaled @ u - u * lam)
    assert residual <= tolerance * np.linalg.norm(scaled)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n", SIZES)
def test_eigh(n: int, dtype: Any, rng: np.random.Generator) -> None:
    for a in (
        spd(rng, n, dtype),
        np.zeros((n, n), dtype),
        np.eye(n, dtype=dtype),
        np.ones((n, n), dtype),
        np.diag(np.arange(n)[::-1]).astype(dtype),
        -spd(rng, n, dtype),
        spd(rng, n, dtype)[::-1, ::-1] - np.eye(n, dtype=dtype),
    ):
        spectrum = nk.eigh(a)
        assert_spectrum(a, spectrum)
        expected = np.linalg.eigvalsh(a.astype(np.float64))
        size = np.max(np.abs(expected), initial=0.0)
        assert np.all(np.abs(spectrum.eigenvalues - expected) <= unit(dtype, n) * size)


@pytest.mark.parametrize("size", [1e150, 1e-150, 1e-200, 1e300, 1e-300, 1.0])
@pytest.mark.parametrize("n", [2, 30, 150])
def test_eigh_of_entries_of_any_size(n: int, size: float, rng: np.random.Generator) -> None:
    a = spd(rng, n) * size
    assert_spectrum(a, nk.eigh(a))


def test_eigh_of_graded_entries(rng: np.random.Generator) -> None:
    scale = np.logspace(-8, 8, 60)
    a = spd(rng, 60) * scale * scale[:, None]
    a = (a + a.T) / 2
    assert_spectrum(a, nk.eigh(a))


@pytest.mark.parametrize("n", [4, 8, 12])
def test_eigh_of_hilbert_matrices(n: int) -> None:
    # λ_min is far below n·ε·λ_max from n = 12 on: absolute accuracy is what can be had.
    with mpmath.workdps(60):
        exact = mpmath.eigsy(mpmath.hilbert(n), eigvals_only=True)
        exact = np.array([float(v) for v in exact])
    spectrum = nk.eigh(hilbert(n))
    assert np.all(np.abs(spectrum.eigenvalues - exact) <= unit(np.float64, n) * exact[-1])


def hilbert(n: int) -> Matrix:
    i = np.arange(n)
    return 1.0 / (1 + i + i[:, None])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n", SIZES)
def test_cholesky(n: int, dtype: Any, rng: np.random.Generator) -> None:
    a = spd(rng, n, dtype)
    result = cholesky(a)
    factor = result.factor
    assert factor.shape == (n, n)
    assert factor.dtype == dtype
    assert not np.any(np.triu(factor, 1))
    wide, tolerance = factor.astype(np.float64), unit(dtype, n)
    norm = np.linalg.norm(a)
    assert np.linalg.norm(wide @ wide.T - a) <= tolerance * norm
    sign, expected = np.linalg.slogdet(a.astype(np.float64))
    assert sign == 1.0
    assert abs(result.log_determinant - expected) <= tolerance * max(n, 1)
    for b in (rng.standard_normal(n), rng.standard_normal((n, 4)), np.zeros((n, 0))):
        x = result.solve(b.astype(dtype))
        assert x.shape == b.shape
        assert x.dtype == dtype
        residual = np.linalg.norm(a.astype(np.float64) @ x - b.astype(dtype))
        assert residual <= tolerance * (norm * np.linalg.norm(x) + np.linalg.norm(b))
        size = np.linalg.norm(wide)
        for solved, matrix in (
            (result.solve_lower(b.astype(dtype)), wide),
            (result.solve_upper(b.astype(dtype)), wide.T),
        ):
            assert solved.shape == b.shape
            assert solved.dtype == dtype
            residual = np.linalg.norm(matrix @ solved - b.astype(dtype))
            assert residual <= tolerance * (size * np.linalg.norm(solved) + np.linalg.norm(b))


@pytest.mark.parametrize("size", [1e150, 1e-200, 1e300])
def test_cholesky_of_entries_of_any_size(size: float, rng: np.random.Generator) -> None:
    a = spd(rng, 40)
    straight, scaled = cholesky(a), cholesky(a * size)
    np.testing.assert_allclose(scaled.factor / np.sqrt(size), straight.factor, rtol=0, atol=1e-13)
    expected = straight.log_determinant + 40 * np.log(size)
    assert scaled.log_determinant == pytest.approx(expected, rel=1e-13)


def test_a_diagonal_stands_in_place_of_the_matrix_s_own(rng: np.random.Generator) -> None:
    b, diagonal = rng.normal(size=(80, 90)), rng.uniform(200, 300, size=80)
    a = b @ b.T
    found = _ntkfast.cholesky(a, diagonal)
    expected = np.linalg.cholesky(a - np.diag(a.diagonal()) + np.diag(diagonal))
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12 * np.abs(expected).max())
    with pytest.raises(ValueError, match=r"diagonal has shape \(79,\); expected \(80,\)"):
        _ntkfast.cholesky(a, diagonal[1:])


def test_cholesky_against_hilbert_by_mpmath() -> None:
    n = 10
    with mpmath.workdps(60):
        rounded = mpmath.matrix(hilbert(n).tolist())
        exact = float(mpmath.log(mpmath.det(rounded)))
        factor = np.array(mpmath.cholesky(rounded).tolist(), dtype=np.float64)
    result = cholesky(hilbert(n))
    # Condition number 1.6e13, so that the last pivots keep three digits.
    assert result.log_determinant == pytest.approx(exact, abs=1e-2)
    assert np.max(np.abs(result.factor - factor)) <= 1e-4 * np.max(factor)
    product = result.factor @ result.factor.T
    assert np.max(np.abs(product - hilbert(n))) <= unit(np.float64, n)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    "shape", [(0, 0, 0), (1, 1, 1), (3, 0, 2), (0, 4, 5), (7, 65, 3), (130, 33, 257)]
)
def test_matmul(shape: tuple[int, int, int], dtype: Any, rng: np.random.Generator) -> None:
    m, k, n = shape
    a, b = rng.standard_normal((m, k)).astype(dtype), rng.standard_normal((k, n)).astype(dtype)
    product = matmul(a, b)
    assert product.shape == (m, n)
    assert product.dtype == dtype
    bound = np.abs(a).astype(np.float64) @ np.abs(b).astype(np.float64)
    gap = np.abs(product - a.astype(np.float64) @ b.astype(np.float64))
    assert np.all(gap <= unit(dtype, k) * bound)
    spaced = np.zeros((2 * m, 3 * k), dtype)
    spaced[::2, ::3] = a
    for left, right in (
        (np.asfortranarray(a), b),
        (a, np.asfortranarray(b)),
        (spaced[::2, ::3], b),
    ):
        assert np.all(np.abs(matmul(left, right) - product) <= unit(dtype, k) * bound)


@pytest.mark.parametrize("dtype", DTYPES)
def test_strides_change_nothing(dtype: Any, rng: np.random.Generator) -> None:
    a = spd(rng, 70, dtype)
    spaced = np.zeros((140, 210), dtype)
    spaced[::2, ::3] = a
    spectrum, factor = nk.eigh(a), cholesky(a).factor
    for view in (np.asfortranarray(a), spaced[::2, ::3], a[::-1, ::-1].copy()[::-1, ::-1], a.T):
        again = nk.eigh(view)
        assert same_bits(again.eigenvalues, spectrum.eigenvalues)
        assert same_bits(again.eigenvectors, spectrum.eigenvectors)
        assert same_bits(cholesky(view).factor, factor)


def test_inputs_are_left_alone(rng: np.random.Generator) -> None:
    a = spd(rng, 70)
    a.flags.writeable = False
    before, result = a.copy(), cholesky(a)
    nk.eigh(a)
    b = rng.standard_normal(70)
    b_before = b.copy()
    result.solve(b)
    matmul(a, a)
    assert same_bits(a, before)
    assert same_bits(b, b_before)


@pytest.mark.parametrize("dtype", DTYPES)
def test_number_of_threads_changes_no_bit(
    dtype: Any, rng: np.random.Generator, threads: None
) -> None:
    a, b = spd(rng, 400, dtype), rng.standard_normal((400, 30)).astype(dtype)
    results = []
    for count in (1, 2, 3):
        nk.set_num_threads(count)
        spectrum, decomposition = nk.eigh(a), cholesky(a)
        solution, product = decomposition.solve(b), matmul(a, b)
        results.append(
            (spectrum.eigenvalues, spectrum.eigenvectors, decomposition.factor, solution, product)
        )
    for others in results[1:]:
        assert all(same_bits(x, y) for x, y in zip(results[0], others, strict=True))


@pytest.mark.parametrize("dtype", DTYPES)
def test_large_matrices_on_any_number_of_threads(
    dtype: Any, rng: np.random.Generator, threads: None
) -> None:
    a = spd(rng, 850, dtype)  # several panels of the Cholesky factor
    spectra, factors = [], []
    for count in (1, 3):
        nk.set_num_threads(count)
        spectra.append(nk.eigh(a))
        factors.append(cholesky(a).factor)
    assert_spectrum(a, spectra[0])
    assert same_bits(spectra[0].eigenvalues, spectra[1].eigenvalues)
    assert same_bits(spectra[0].eigenvectors, spectra[1].eigenvectors)
    assert same_bits(factors[0], factors[1])
    assert not np.any(np.triu(factors[0], 1))
    gap = np.linalg.norm(factors[0].astype(np.float64) @ factors[0].T.astype(np.float64) - a)
    assert gap <= unit(dtype, 850) * np.linalg.norm(a)


def test_integers_and_lists_become_float64() -> None:
    a = [[4, 2], [2, 3]]
    for theta in (a, np.array(a, np.float16), np.array(a, np.int8), np.eye(2, dtype=bool)):
        assert nk.eigh(theta).eigenvalues.dtype == np.float64
    np.testing.assert_allclose(cholesky(a).factor, [[2, 0], [1, np.sqrt(2)]], rtol=1e-15)


@pytest.mark.parametrize("function", [nk.eigh, cholesky])
@pytest.mark.parametrize("n", [2, 40, 200])
def test_rounding_of_symmetry_is_accepted(function: Any, n: int, rng: np.random.Generator) -> None:
    a = spd(rng, n)
    function(a * (1 + 2 * np.finfo(np.float64).eps * rng.integers(-1, 2, (n, n))))


@pytest.mark.parametrize(
    ("a", "pivot"),
    [
        (-np.eye(3), 0),
        (np.diag([1.0, 1.0, 0.0]), 2),
        (np.array([[1.0, 2.0], [2.0, 1.0]]), 1),
        (np.diag([1.0] * 150 + [-1.0] + [1.0] * 50), 150),
    ],
)
def test_matrices_that_are_not_positive_definite(a: Matrix, pivot: int) -> None:
    with pytest.raises(nk.NumericalError, match=rf"(?s)not positive definite.*\b{pivot}\b"):
        cholesky(a)


def test_eigenvalues_beyond_the_range_are_an_error_of_the_numbers() -> None:
    with pytest.raises(nk.NumericalError, match=r"(?i)overflow|range|large"):
        nk.eigh(np.full((4, 4), 1e308))


@given(n=st.integers(1, 12), power=st.integers(-900, 900), seed=st.integers(0, 2**32 - 1))
def test_any_gram_matrix_has_a_spectrum(n: int, power: int, seed: int) -> None:
    x = np.random.default_rng(seed).standard_normal((n, max(n // 2, 1)))
    a = np.ldexp(x @ x.T, power)
    assert_spectrum((a + a.T) / 2, nk.eigh((a + a.T) / 2))
