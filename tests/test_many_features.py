"""Points with many features: long sums of one sign, and sums that are split into parts."""

from __future__ import annotations

import numpy as np
import pytest

import ntkfast as nk
from tolerances import contract, pair_scale, worst


@pytest.mark.parametrize("d", [513, 4097, 300_000])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_long_sums_keep_their_digits(d: int, dtype: str) -> None:
    x = np.random.default_rng(0).uniform(size=(5, d)).astype(dtype)
    ntk = nk.mlp(1, nk.Relu(), w_std=1.0).ntk(x)
    # One hidden layer by hand (Cho and Saul 2009): θ between rows is near 0.7, where its cosine
    # loses no digits that matter here.
    exact = x.astype(np.float64)
    k = np.stack([(exact * row).sum(axis=1) for row in exact]) / d  # NumPy adds in pairs
    norms = np.sqrt(np.diag(k))
    cosine = np.minimum(k / np.outer(norms, norms), 1)
    theta = np.arccos(cosine)
    nngp = np.outer(norms, norms) * (np.sin(theta) + (np.pi - theta) * cosine) / (2 * np.pi)
    expected = nngp + k * (np.pi - theta) / (2 * np.pi)
    diagonal = np.diag(expected)
    others = ~np.eye(5, dtype=bool)
    scale = pair_scale(diagonal, diagonal)
    assert worst(ntk[others], expected[others], scale[others]) < contract(dtype)


@pytest.mark.parametrize("d", [513, 1025, 4609])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_every_pair_has_every_feature(d: int, dtype: str) -> None:
    # Rows and columns that leave over parts of whatever is multiplied together.
    rng = np.random.default_rng(0)
    x, x2 = (rng.standard_normal((n, d)).astype(dtype) for n in (70, 131))
    left, right = x.astype(np.float64), x2.astype(np.float64)
    scale = pair_scale((left**2).mean(axis=1), (right**2).mean(axis=1))
    nngp = nk.Serial(nk.Dense(w_std=1.0)).nngp
    assert worst(nngp(x, x2), left @ right.T / d, scale) < contract(dtype)
    assert worst(nngp(x2, x), right @ left.T / d, scale.T) < contract(dtype)
