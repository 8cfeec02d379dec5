"""Outputs that are written around the caches: all entries, in any layout, and nothing else."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import ntkfast as nk
from tolerances import contract

N = 2_101  # 35 MB in float64, and rows that begin at any place in a cache line
NET = nk.Serial(nk.Dense(w_std=1.4, b_std=0.1), nk.Relu(), nk.Dense(w_std=1.4, b_std=0.1))


def rows(dtype: str, n: int = N) -> NDArray[Any]:
    return np.random.default_rng(0).standard_normal((n, 40)).astype(dtype)


def blocks(x: NDArray[Any], x2: NDArray[Any]) -> NDArray[Any]:
    """Return the kernel in pieces too small to be written past the caches."""
    return np.vstack([NET.ntk(x[i : i + 500], x2) for i in range(0, len(x), 500)])


def arrays(dtype: str, shape: tuple[int, int]) -> dict[str, NDArray[Any]]:
    """Return outputs of several layouts, filled with what no kernel has."""
    n, m = shape
    return {
        "rows": np.full((n, m), -7, dtype),
        "columns": np.full((m, n), -7, dtype).T,
        "padded": np.full((n + 2, m + 3), -7, dtype)[1:-1, 1:-2],
        "reversed": np.full((n, m), -7, dtype)[::-1],
    }


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_gram(dtype: str) -> None:
    n = N if dtype == "float64" else 2_999
    x = rows(dtype, n)
    expected = blocks(x, x)
    size = expected.diagonal().max()
    for layout, out in arrays(dtype, (n, n)).items():
        NET.ntk(x, out=out)
        assert np.abs(out - expected).max() < contract(dtype) * size, layout
        assert np.array_equal(out, out.T), layout


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_cross(dtype: str) -> None:
    x, x2 = rows(dtype, 4_001), rows(dtype, 2_101)[::-1]
    expected = blocks(x, x2)
    size = NET.ntk(x, diagonal=True).max()
    for layout, out in arrays(dtype, (4_001, 2_101)).items():
        NET.ntk(x, x2, out=out)
        assert np.abs(out - expected).max() < contract(dtype) * size, layout


@pytest.mark.parametrize("layout", ["rows", "columns"])
def test_out_of_a_refused_call_is_left_alone(layout: str) -> None:
    x = rows("float64")
    x[-1, 3] = np.nan
    out = arrays("float64", (N, N))[layout]
    with pytest.raises(ValueError, match="row 2100, column 3"):
        NET.ntk(x, out=out)
    assert (out == -7).all()


def test_a_new_array_is_as_one_that_is_given() -> None:
    x, outs = rows("float64"), [np.full((N, N), -7.0) for _ in range(2)]
    NET.kernels(x, out=(outs[0], outs[1]))
    kernels = NET.kernels(x)
    assert np.array_equal(kernels.nngp, outs[0])
    assert np.array_equal(kernels.ntk, outs[1])


def test_nothing_around_it_is_touched() -> None:
    whole = np.full((N + 2, N + 3), -7.0)
    NET.ntk(rows("float64"), out=whole[1:-1, 1:-2])
    assert (whole[[0, -1]] == -7).all()
    assert (whole[:, [0, -2, -1]] == -7).all()
