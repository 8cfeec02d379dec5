"""Eigendecompositions and Cholesky factors, against matrices with known results."""

import dataclasses
import math
import pickle

import numpy as np
import pytest

import ntkfast as nk
from refusals import assert_refused

EPS = float(np.finfo(float).eps)


def second_difference(n, dtype=np.float64):
    """2 on the diagonal, −1 beside it: eigenvalues 2 − 2cos(kπ/(n+1)), determinant n + 1."""
    return (2 * np.eye(n) - np.eye(n, k=1) - np.eye(n, k=-1)).astype(dtype)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("n", [1, 2, 3, 16, 33, 100, 257])
def test_known_eigenvalues(n, dtype):
    eps = float(np.finfo(dtype).eps)
    spectrum = nk.eigh(second_difference(n, dtype))
    assert spectrum.eigenvalues.dtype == spectrum.eigenvectors.dtype == dtype
    known = 2 - 2 * np.cos(np.arange(1, n + 1) * math.pi / (n + 1))
    norm = 4
    np.testing.assert_allclose(spectrum.eigenvalues, known, rtol=0, atol=20 * eps * norm)
    # Eigenvector k is a wave, sin(kπi/(n+1)): compared up to its sign.
    grid = np.outer(np.arange(1, n + 1), np.arange(1, n + 1)) * math.pi / (n + 1)
    waves = math.sqrt(2 / (n + 1)) * np.sin(grid)
    overlap = abs(np.sum(waves * spectrum.eigenvectors, axis=0))
    gap = min(np.diff(known).min(initial=1.0), 1.0)
    np.testing.assert_allclose(overlap, 1, atol=n * eps / gap, rtol=0)


def test_rank_and_condition_number():
    full = nk.eigh(np.diag([4.0, 1.0, 2.0]))
    assert (full.n, full.rank, full.condition_number) == (3, 3, 4.0)
    np.testing.assert_array_equal(full.eigenvalues, [1, 2, 4])
    thin = np.random.default_rng(0).normal(size=(30, 7))
    assert nk.eigh(thin @ thin.T).rank == 7
    assert nk.eigh((thin @ thin.T).astype(np.float32)).rank == 7
    assert nk.eigh(np.diag([0.0, 1.0])).condition_number == math.inf
    assert nk.eigh(np.zeros((3, 3))).rank == 0
    assert nk.eigh(np.zeros((3, 3))).condition_number == math.inf
    single = nk.eigh(np.diag(np.array([1e-5, 1.0], np.float32)))
    assert single.rank == 2
    assert nk.Spectrum(np.array([1e-7, 1], np.float32), np.eye(2, dtype=np.float32)).rank == 1
    # n·ε would be 1.2e-4 here; rounding in float32 does not reach that far.
    values = np.linspace(1e-5, 1, 1000, dtype=np.float32)
    assert nk.Spectrum(values, np.eye(1000, dtype=np.float32)).rank == 1000


def test_one_and_no_point():
    one = nk.eigh([[3]])
    assert (one.n, one.rank, one.condition_number) == (1, 1, 1.0)
    np.testing.assert_array_equal(abs(one.eigenvectors), [[1]])
    none = nk.eigh(np.empty((0, 0)))
    assert (none.n, none.rank) == (0, 0)
    assert math.isnan(none.condition_number)
    assert none.eigenvectors.shape == (0, 0)
    assert repr(none) == "Spectrum(n=0)"


def test_spectrum_holds_what_belongs_together():
    spectrum = nk.eigh(second_difference(4))
    text = repr(spectrum)
    for fact in ("n=4", "0.381966", "3.61803", "9.47", "rank 4"):
        assert fact in text
    twin = pickle.loads(pickle.dumps(spectrum))
    np.testing.assert_array_equal(twin.eigenvectors, spectrum.eigenvectors)
    assert spectrum != twin  # arrays are not compared
    with pytest.raises(dataclasses.FrozenInstanceError):
        spectrum.eigenvalues = None


@pytest.mark.parametrize(
    ("values", "vectors", "words"),
    [
        ([[1.0]], [[1.0]], ["eigenvalues has shape (1, 1)", "(n,)"]),
        ([1.0, 2.0], np.eye(3), ["eigenvectors has shape (3, 3)", "(2, 2)"]),
        ([2.0, 1.0], np.eye(2), ["ascending"]),
        ([1.0, math.nan], np.eye(2), ["eigenvalues has a NaN at index 1"]),
        ([1.0, 2.0], np.full((2, 2), math.inf), ["eigenvectors has an infinity at index 0, 0"]),
    ],
)
def test_a_spectrum_by_hand_is_checked(values, vectors, words):
    with pytest.raises(ValueError, match="eigen") as caught:
        nk.Spectrum(values, vectors)
    for word in words:
        assert word in str(caught.value)


BAD_MATRICES = [
    (np.ones(3), ValueError, ["shape (3,)", "(n, n)"]),
    (np.ones((2, 3)), ValueError, ["shape (2, 3)", "(n, n)"]),
    (np.ones((1, 2, 2)), ValueError, ["shape (1, 2, 2)", "(n, n)"]),
    ([[1.0, 2.0], [3.0, 20.0]], ValueError, ["symmetric"]),
    ([[1.0, 0.0], [1e-6, 1.0]], ValueError, ["symmetric"]),
    ([[1e-200, 0.0], [1e-200, 1e-200]], ValueError, ["symmetric"]),
    ([[1.0, math.nan], [math.nan, 1.0]], ValueError, ["NaN"]),
    ([[math.inf, 0.0], [0.0, 1.0]], ValueError, ["inf"]),
    ([[1.0, 0.0], [-math.inf, 1.0]], ValueError, ["inf"]),
    ([[1.0], [1.0, 2.0]], ValueError, ["rows of numbers of equal length"]),
    ([["a", "b"], ["c", "d"]], TypeError, ["<U1", "float64"]),
    (np.eye(2) + 0j, TypeError, ["complex128"]),
    (np.eye(2, dtype=object), TypeError, ["object"]),
    (nk.mlp(1), TypeError, ["a network, of type Serial", "net.ntk(x)"]),
    (nk.mlp(1).kernels(np.eye(2)), TypeError, ["both kernels, of type Kernels", "net.ntk(x)"]),
    (np.ma.masked_equal(np.eye(2), 0), TypeError, ["masked"]),
]


@pytest.mark.parametrize(("function", "name"), [(nk.eigh, "theta"), (nk.cholesky, "a")])
@pytest.mark.parametrize(("matrix", "error", "words"), BAD_MATRICES)
def test_bad_matrices_are_refused_by_name(function, name, matrix, error, words):
    assert_refused(lambda: function(matrix), error, [name, *words])


@pytest.mark.parametrize("n", [1, 2, 5, 40])
def test_cholesky_of_a_known_matrix(n):
    cholesky = nk.cholesky(second_difference(n))
    assert cholesky.n == n
    assert cholesky.log_determinant == pytest.approx(math.log(n + 1), abs=n**2 * EPS)
    x = np.arange(2.0 * n).reshape(n, 2) - n  # small integers: a @ x is exact
    b = second_difference(n) @ x
    bound = (n + 1) ** 2 * n * EPS * abs(x).max()  # the condition number is near (n+1)²/2
    np.testing.assert_allclose(cholesky.solve(b), x, atol=bound, rtol=0)
    np.testing.assert_allclose(cholesky.solve(b[:, 0]), x[:, 0], atol=bound, rtol=0)


@pytest.mark.parametrize(
    ("factor", "error", "words"),
    [
        (np.ones((2, 3)), ValueError, ["factor has shape (2, 3)", "(n, n)"]),
        (np.ones((2, 2)), ValueError, ["factor has entries above its diagonal"]),
        (np.diag([1.0, 0.0]), ValueError, ["factor has 0.0 at index 1, 1", "positive"]),
        ([[1.0, 0.0], [math.nan, 1.0]], ValueError, ["factor has a NaN at index 1, 0"]),
        ("L", TypeError, ["factor has dtype <U1"]),
    ],
)
def test_a_factor_by_hand_is_checked(factor, error, words):
    assert_refused(lambda: nk.Cholesky(factor), error, words)


def test_a_factor_by_hand_solves():
    by_hand = nk.Cholesky([[2, 0], [1, 1]])  # of [[4, 2], [2, 2]]
    np.testing.assert_allclose(by_hand.solve([6, 4]), [1, 1], rtol=4 * EPS)
    assert by_hand.log_determinant == pytest.approx(math.log(4), rel=4 * EPS)


def test_cholesky_of_nothing():
    cholesky = nk.cholesky(np.empty((0, 0)))
    assert cholesky.log_determinant == 0.0
    assert cholesky.solve(np.empty(0)).shape == (0,)
    assert cholesky.solve(np.empty((0, 2))).shape == (0, 2)


def test_solve_takes_the_wider_type():
    single = nk.cholesky(np.eye(3, dtype=np.float32))
    assert single.solve(np.ones(3, np.float32)).dtype == np.float32
    assert single.solve(np.ones(3)).dtype == np.float64
    assert nk.cholesky(np.eye(3)).solve(np.ones(3, np.float32)).dtype == np.float64


def test_cholesky_is_frozen_picklable_and_prints_a_summary():
    cholesky = nk.cholesky(second_difference(4))
    assert repr(cholesky) == "Cholesky(n=4, float64, log_determinant=1.60944)"
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(cholesky)).factor, cholesky.factor)
    with pytest.raises(dataclasses.FrozenInstanceError):
        cholesky.factor = None


@pytest.mark.parametrize(
    ("b", "error", "words"),
    [
        (np.ones(3), ValueError, ["b has shape (3,)", "(2,)"]),
        (np.ones((2, 1, 1)), ValueError, ["b has shape (2, 1, 1)"]),
        (1.0, ValueError, ["b has shape ()"]),
        (np.ones((2, 0)) * 1j, TypeError, ["b has dtype complex128"]),
        ([1.0, math.nan], ValueError, ["b has a NaN at index 1"]),
        (["a", "b"], TypeError, ["b has dtype <U1"]),
    ],
)
def test_bad_right_hand_sides(b, error, words):
    assert_refused(lambda: nk.cholesky(np.eye(2)).solve(b), error, words)


@pytest.mark.parametrize("activation", [nk.Tanh(), nk.Swish(), nk.Erf(), nk.Relu()])
@pytest.mark.parametrize(("dtype", "error"), [(np.float64, 1e-10), (np.float32, 1e-5)])
def test_negative_eigenvalues_are_within_the_precision_of_the_entries(activation, dtype, error):
    """Points of a line: nearly all eigenvalues are zero. The page on precision has this bound."""
    x = np.linspace(-1, 1, 250, dtype=dtype)[:, None]
    for gram in nk.mlp(2, activation, w_std=1.5, b_std=0.3).kernels(x):
        assert np.linalg.eigvalsh(gram.astype(float))[0] >= -error * np.trace(gram)
