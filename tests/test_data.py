"""Example data and their preprocessing."""

import numpy as np
import pytest

import ntkfast as nk


def test_digits_are_pixels_from_zero_to_one_with_their_labels() -> None:
    x, y = nk.data.load_digits()
    assert x.shape == (1797, 64)
    assert x.dtype == np.float64
    assert (x.min(), x.max()) == (0, 1)
    assert np.array_equal(x * 16, np.round(x * 16))
    assert y.shape == (1797,)
    assert np.array_equal(np.unique(y), np.arange(10))


@pytest.mark.parametrize("dtype", [np.int64, np.int8, np.uint64])
def test_one_hot_is_rows_of_the_identity(rng: np.random.Generator, dtype: type) -> None:
    labels = rng.integers(0, 7, size=50).astype(dtype)
    rows = nk.data.one_hot(labels, 7)
    assert rows.dtype == np.float64
    assert np.array_equal(rows, np.eye(7)[labels.astype(int)])


def test_one_hot_counts_the_classes_itself() -> None:
    assert nk.data.one_hot([0, 4]).shape == (2, 5)
    assert nk.data.one_hot([]).shape == (0, 0)
    assert nk.data.one_hot([], 3).shape == (0, 3)


@pytest.mark.parametrize(
    ("labels", "n_classes", "error", "message"),
    [
        ([[0, 1]], None, ValueError, r"labels has shape \(1, 2\); expected"),
        ([0.0, 1.0], None, TypeError, r"dtype float64; expected integers; .*\.astype\(int\)"),
        ([0.5, 1.0], None, TypeError, "dtype float64; expected integers; .*numpy.unique"),
        (["a", "b"], None, TypeError, "numpy.unique"),
        ([0, 1], 2.0, TypeError, "n_classes is 2.0, of type float"),
        ([0, 1], -1, ValueError, "n_classes is -1"),
        (
            np.array([1, 2**64 - 1], np.uint64),
            2,
            ValueError,
            r"labels\[1\] is 18446744073709551615",
        ),
        (np.array([2**64 - 1], np.uint64), None, ValueError, "n_classes is 18446744073709551616"),
        ([0, 3], 3, ValueError, r"labels\[1\] is 3; expected 0 ≤ label < n_classes = 3"),
        ([0, -1], None, ValueError, r"labels\[1\] is -1"),
    ],
)
def test_one_hot_refuses(
    labels: list[object], n_classes: int | None, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        nk.data.one_hot(labels, n_classes)


@pytest.mark.parametrize("shape", [(6, 5), (4, 8, 8), (3, 4, 4, 2), (0, 5)])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_unit_norm_scales_each_sample_to_one(
    rng: np.random.Generator, shape: tuple[int, ...], dtype: type
) -> None:
    x = rng.standard_normal(shape).astype(dtype)
    before = x.copy()
    unit = nk.data.unit_norm(x)
    assert unit.shape == shape
    assert unit.dtype == dtype
    assert np.array_equal(x, before)
    flat, unit_flat = (a.reshape(len(a), int(np.prod(shape[1:]))) for a in (x, unit))
    epsilon = np.finfo(dtype).eps
    np.testing.assert_allclose(np.linalg.norm(unit_flat, axis=1), 1, atol=4 * epsilon)
    norms = np.linalg.norm(flat, axis=1, keepdims=True)
    np.testing.assert_allclose(unit_flat * norms, flat, rtol=8 * epsilon)


@pytest.mark.parametrize("scale", [1e-320, 1e-200, 1e200, 1e308])
def test_unit_norm_neither_overflows_nor_vanishes(scale: float) -> None:
    np.testing.assert_allclose(nk.data.unit_norm(np.full((1, 4), scale)), 0.5, rtol=1e-15)


def test_unit_norm_leaves_zeros_alone() -> None:
    assert np.array_equal(nk.data.unit_norm([[0, 0], [3, 4]]), [[0, 0], [0.6, 0.8]])


@pytest.mark.parametrize(
    ("x", "error", "message"),
    [
        ([1.0, 2.0], ValueError, r"x has shape \(2,\); expected \(n, ...\)"),
        ([[1.0], [np.nan]], ValueError, "x has a NaN at index 1, 0"),
        ([[1.0], [np.inf]], ValueError, "x has an infinity"),
        ([["a"]], TypeError, "x has dtype"),
        ([[1j]], TypeError, "x has dtype complex128"),
    ],
)
def test_unit_norm_refuses(x: list[object], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        nk.data.unit_norm(x)
