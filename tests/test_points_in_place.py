"""Points are read in place or from a copy, with the same bits in the result."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import ntkfast as nk

NET = nk.mlp(2, nk.Relu(), w_std=1.4, b_std=0.1)


def points(dtype: str, n: int = 300) -> NDArray[Any]:
    """Return points of norms from 1e-3 to 1e3, with a row of zeros, equal and opposite rows."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((n, 40)) * 10 ** rng.uniform(-3, 3, (n, 1))
    x[5], x[7], x[8] = 0.0, x[6], -x[6]
    return x.astype(dtype)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_every_layout_has_the_same_bits(dtype: str) -> None:
    x = points(dtype)
    expected = NET.ntk(x)
    layouts = {
        "columns": np.asfortranarray(x),
        "steps": np.repeat(x, 2, axis=1)[:, ::2],
        "reversed": np.ascontiguousarray(x[::-1])[::-1],
    }
    for layout, other in layouts.items():
        assert np.array_equal(NET.ntk(other), expected), layout
        assert np.array_equal(NET.ntk(x, other), NET.ntk(x, x.copy())), layout
        assert np.array_equal(NET.ntk(other, x), NET.ntk(x, x.copy())), layout


@pytest.mark.parametrize(
    ("dtype", "factor", "tolerance"), [("float64", 2.0**-600, 1e-13), ("float32", 2.0**-80, 1e-5)]
)
def test_one_extreme_row_changes_no_other(dtype: str, factor: float, tolerance: float) -> None:
    x = points(dtype)
    expected = NET.ntk(x)
    x[0] *= np.dtype(dtype).type(factor)
    np.testing.assert_allclose(NET.ntk(x)[1:, 1:], expected[1:, 1:], rtol=tolerance)


def test_points_that_a_callback_changes() -> None:
    x = points("float64", 4000)
    expected = NET.ntk(x)

    def spoil(done: int, total: int) -> None:
        x[:] = np.nan

    assert np.array_equal(NET.ntk(x, progress=spoil), expected)
    assert np.isnan(x).all()


def test_nothing_of_huge_points() -> None:
    assert NET.ntk(np.empty((0, 2**56))).shape == (0, 0)
    assert NET.ntk(np.empty((0, 2**56)), diagonal=True).shape == (0,)
