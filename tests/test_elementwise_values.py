"""Functions applied to every neuron, against quadrature at 36 digits: fitted or integrated.

The values are those of tests/reference/values/elementwise.
"""

from typing import Any

import numpy as np
import pytest

import ntkfast as nk
from fitted import Array, elementwise_cases

CASES = {(name, rows): case for name, *case in elementwise_cases() for rows in [case[1]]}
# Waves of 300 radians (48 waves) a standard deviation: refused, see docs/activations.md.
REFUSED = {("sin_3", "four decades")}
TOLERANCE = {np.float64: 1e-9, np.float32: 1e-5}


def error(got: Any, expected: Array) -> Array:
    """Return errors relative to √K_ii·√K_jj."""
    root = np.sqrt(np.diagonal(expected))
    size = np.outer(root, root)
    return np.abs(np.asarray(got, dtype=np.float64) - expected) / np.where(size > 0, size, 1.0)


def representable(fn: Any, x: Array, slope: Array) -> float:
    """Return the error of slopes that rounding of φ's values makes inevitable.

    φ' can be no more accurate than differences of values over a standard deviation.
    """
    scale = np.sqrt(np.mean(x * x, axis=1))
    z = np.linspace(-6, 6, 61)
    rounding = np.finfo(float).eps * np.array([np.abs(fn(s * z)).max() for s in scale])
    steepness = scale * np.sqrt(np.diagonal(slope))
    known = steepness > 0
    return float(np.max(10 * rounding[known] / steepness[known], initial=0.0))


@pytest.mark.parametrize("trainable", [True, False], ids=["trained", "frozen"])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("case", CASES, ids=" ".join)
def test_values(case: tuple[str, str], dtype: type, trainable: bool) -> None:
    fn, _, x, nngp, slope = CASES[case]
    network = nk.Serial(nk.Dense(), nk.Elementwise(fn), nk.Dense(trainable=trainable))
    tolerance = TOLERANCE[dtype]
    points = x.astype(dtype)
    if case in REFUSED:
        with pytest.raises(nk.NumericalError, match=r"sin_3\) is not resolved .* 1\.000e2"):
            network.nngp(points)
        return
    sizes = np.diagonal(nngp)
    if dtype is np.float32 and not ((sizes > 1e-37) & (sizes < 1e37)).all():
        pytest.skip("beyond single precision")
    got = network.nngp(points)
    assert np.isfinite(got).all()
    assert error(got, nngp).max() <= tolerance
    root = np.sqrt(np.diagonal(got).astype(np.float64))
    assert (np.abs(got) <= np.outer(root, root) * (1 + 4 * np.finfo(dtype).eps)).all()
    if np.isinf(np.diagonal(slope)).any():
        with pytest.raises(nk.NumericalError, match=r"NTK of Elementwise.* is infinite"):
            network.ntk(points)
        return
    k = x @ x.T / x.shape[1]
    expected = slope * k + (nngp if trainable else 0.0)
    errors = error(network.ntk(points), expected)
    if case == ("power_0_55", "four decades"):
        # Parallel rows of different norms: φ'φ' has |z|^-0.9, and rounding of the rows makes an
        # angle of 1e-8 of it, which changes the value by a percent.
        errors[0, 1] = errors[1, 0] = 0.0
    assert errors.max() <= tolerance + representable(fn, x, slope)
