"""The table of layer effects: against numbers by hand, textbook formulae and quadrature."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mpmath import mpf

import ntkfast as nk
from catalogue import BIASED, DENSE, Description, build
from reference import evaluator
from strategies import networks

norms = st.sampled_from([0.0, 1e-3, 0.7, 1.0, 30.0])


def columns(summary: nk.Summary, *names: str) -> list[list[Any]]:
    return [[getattr(row, name) for row in summary.rows] for name in names]


def test_relu_at_the_edge_of_chaos_by_hand() -> None:
    # σ_w² = 2: each activation halves the variance, each Dense doubles it; χ = 2·½ = 1, so that the
    # NTK grows by one variance a Dense, and all of them share it alike.
    summary = nk.mlp(3, nk.Relu(), w_std=np.sqrt(2)).summary(norm=3.0)
    variance, chi, ntk, share = columns(summary, "variance", "chi", "ntk", "share")
    assert variance == pytest.approx([18, 9, 18, 9, 18, 9, 18], rel=1e-14)
    assert chi == [pytest.approx(2), *[None, pytest.approx(1, rel=1e-14)] * 3]
    assert ntk == pytest.approx([18, 9, 36, 18, 54, 27, 72], rel=1e-14)
    assert share == pytest.approx([1 / 4, 1 / 4, 1 / 2, 1 / 2, 3 / 4, 3 / 4, 1], rel=1e-14)
    assert {row.norm for row in summary.rows} == {3.0}


def test_a_residual_network_by_hand() -> None:
    # Norm 1: the first Dense gives K = T = 4. The branch: ½·4 = 2 for both; then K = 9·2 + 1 = 19,
    # T = 19 + 9·2 = 37, χ = 9·½. Together K = 23, T = 41. The readout: K = 23/4, T = 23/4 + 41/4.
    # Of these 16, the first Dense has (1 + 9/2)·4/4 = 5.5, the branch 19/4, the readout 23/4.
    net = nk.Serial(
        nk.Dense(w_std=2), nk.Residual(nk.Relu(), nk.Dense(w_std=3, b_std=1)), nk.Dense(w_std=0.5)
    )
    names, variance, chi, ntk, share = columns(
        net.summary(), "layer", "variance", "chi", "ntk", "share"
    )
    assert names == [
        "layer 1 (Dense)",
        "layer 1 (Relu) of layer 2 (Residual)",
        "layer 2 (Dense) of layer 2 (Residual)",
        "layer 2 (Residual)",
        "layer 3 (Dense)",
    ]
    assert variance == pytest.approx([4, 2, 19, 23, 5.75], rel=1e-14)
    assert [chi[i] for i in (0, 2, 4)] == pytest.approx([4, 4.5, 0.25], rel=1e-14)
    assert chi[1] is None
    assert chi[3] is None
    assert ntk == pytest.approx([4, 2, 37, 41, 16], rel=1e-14)
    parts = np.array([5.5, 5.5, 10.25, 10.25, 16]) / 16
    assert share == pytest.approx(parts, rel=1e-14)


@pytest.mark.parametrize(
    "description",
    [
        ["serial", BIASED, ["relu"], BIASED, ["abs"], DENSE],
        ["serial", BIASED, ["erf", 1.2, 0.7, 0.3], BIASED, ["erf", 1.0, 1.0, 0.0], DENSE],
        ["serial", DENSE, ["gelu"], BIASED, ["sin", 1.0, 1.3, 0.4], BIASED, ["gelu"]],
    ],
)
def test_textbook_recursions(description: Description) -> None:
    norm, layers = 0.8, description[1:]
    rows = build(description).summary(norm).rows
    start = evaluator.moments([norm], [norm])
    m, passed, slope = start, 0, 1.0  # no activation before the first dense layer
    total = propagate(layers, start, frozen=0)
    for row, layer in zip(rows, layers, strict=True):
        before, m = m, evaluator.propagate(layer, m)
        assert row.variance == pytest.approx(float(m.k11), rel=1e-13)
        assert row.ntk == pytest.approx(float(m.ntk), rel=1e-13)
        # What is left of the NTK without the weights so far.
        passed += layer[0] == "dense"
        rest = propagate(layers, start, frozen=passed)
        assert row.share == pytest.approx(float(1 - rest / total), abs=1e-13)
        assert (row.chi is not None) == (layer[0] == "dense")
        if row.chi is not None:
            assert row.chi == pytest.approx(layer[1] ** 2 * slope, rel=1e-12)
        else:
            slope = mean_square_of_the_derivative(layer, float(before.k11))


def propagate(layers: list[Description], m: evaluator.Moments, frozen: int) -> Any:
    """Return the NTK with the first dense layers frozen."""
    for layer in layers:
        m = evaluator.propagate(layer, m)
        if layer[0] == "dense" and frozen:
            m, frozen = replace(m, ntk=mpf(0)), frozen - 1
    return m.ntk


def mean_square_of_the_derivative(layer: Description, variance: float) -> float:
    """Integrate φ'² against a Gaussian, one half line after the other: a kink at 0 does no harm."""
    kind, *parameters = layer
    derivative = evaluator.FUNCTIONS[kind][1]
    nodes, weights = np.polynomial.legendre.leggauss(80)
    total = 0.0
    for sign in (1, -1):
        z = 6 * (nodes + 1)  # from 0 to 12 standard deviations, where nothing is left
        values = [float(derivative(mpf(sign * np.sqrt(variance) * t), *parameters)) for t in z]
        total += np.sum(6 * weights * np.square(values) * np.exp(-(z**2) / 2)) / np.sqrt(2 * np.pi)
    return float(total)


@given(networks(), norms)
def test_the_last_row_is_the_kernel_of_the_network(description: Description, norm: float) -> None:
    net = build(description)
    nngp, ntk = net.kernels([[norm]])
    rows = net.summary(norm).rows
    if all(part[0] in ("dense", "identity") for part in description[1:]):
        assert len(rows) == sum(part[0] == "dense" for part in description[1:])
    assert rows[-1].variance == pytest.approx(nngp[0, 0], rel=1e-13)
    assert rows[-1].ntk == pytest.approx(ntk[0, 0], rel=1e-13)
    shares = [0.0, *(row.share for row in rows)]
    assert np.all(np.diff(shares) >= 0)
    assert shares[-1] == pytest.approx(1.0 if ntk[0, 0] > 0 else 0.0, rel=1e-12)
    assert all(np.isfinite([row.variance, row.ntk, row.chi or 0.0]).all() for row in rows)


def test_functions_known_by_their_values() -> None:
    fitted, exact = (
        nk.Serial(nk.Dense(b_std=0.3), activation, nk.Dense(w_std=1.5)).summary([0.5, 2.0])
        for activation in (nk.Elementwise(np.abs), nk.Abs())
    )
    for name in ("variance", "ntk", "share"):
        assert columns(fitted, name)[0] == pytest.approx(columns(exact, name)[0], rel=1e-10)
    assert fitted.rows[2].chi == pytest.approx(1.5**2, rel=1e-10)


def test_the_table() -> None:
    net = nk.Serial(nk.Dense(w_std=2.0), nk.Identity(), nk.Dense(w_std=0.5))
    first = """\
norm 2           variance   chi  NTK  share of NTK
layer 1 (Dense)        16     4   16         50.0%
layer 3 (Dense)         4  0.25    8        100.0%"""
    assert str(net.summary(2)) == first
    second = """\
norm 0           variance   chi  NTK  share of NTK
layer 1 (Dense)         0     4    0          0.0%
layer 3 (Dense)         0  0.25    0          0.0%"""
    assert str(net.summary([2.0, 0.0, 2])) == f"{first}\n\n{second}"
    assert net.summary(np.array([2.0, 0.0])) == net.summary((2, 0))
    assert net.summary(np.float32(2)) == net.summary(2)
    assert hash(net.summary(2)) == hash(net.summary(2.0))


@pytest.mark.parametrize(
    ("norm", "error", "message"),
    [
        (-1.0, ValueError, r"norm is -1.0; expected a finite number >= 0"),
        (np.nan, ValueError, "norm is nan"),
        ([1.0, np.inf], ValueError, r"norm\[1\] is inf; expected a finite number >= 0"),
        ([], ValueError, "norm is empty; expected a number >= 0 or a list of them"),
        ("1", TypeError, "norm is '1', of type str"),
        (None, TypeError, "norm is None"),
        ([[1.0]], TypeError, r"norm\[0\] is \[1.0\], of type list"),
    ],
)
def test_bad_norms_are_refused(norm: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        nk.Dense().summary(norm)


def test_the_number_of_features_is_the_fan_in_of_the_first_layer() -> None:
    net = nk.mlp(1, nk.Abs(), width=5, parameterization="standard")
    # A row of norm 2 has ‖x‖² = 4d: T = ‖x‖² behind the first layer, 5·4 more behind the second.
    ntk = columns(net.summary(2.0, n_features=7), "ntk")[0]
    assert ntk == pytest.approx([28, 28, 48], rel=1e-14)
    assert columns(net.summary(2.0), "ntk")[0] == pytest.approx([4, 4, 24], rel=1e-14)
    x = np.full((1, 7), 2.0)
    assert ntk[-1] == pytest.approx(net.ntk(x)[0, 0], rel=1e-14)
    # A mean over 7 features, of variance 4, and 3 neurons of variance 1.
    beside = nk.Concatenate(nk.Identity(), nk.Dense(3, w_std=0.5))
    variance = columns(beside.summary(2.0, n_features=7), "variance")[0]
    assert variance[-1] == pytest.approx((7 * 4 + 3 * 1) / 10, rel=1e-14)
    plain = nk.mlp(2, nk.Erf(), b_std=0.1)
    assert plain.summary(2.0, n_features=7) == plain.summary(2.0)


def test_bad_numbers_of_features_are_refused() -> None:
    with pytest.raises(ValueError, match="n_features is 0; expected an integer >= 1"):
        nk.Dense().summary(n_features=0)
    with pytest.raises(TypeError, match=r"n_features is 2\.5, of type float"):
        nk.Dense().summary(n_features=2.5)  # type: ignore[arg-type]


def test_what_cannot_be_summarised_is_refused() -> None:
    with pytest.raises(ValueError, match="put a Dense before it"):
        nk.Relu().summary()
    with pytest.raises(nk.NumericalError, match=r"layer 3 \(Dense\)"):
        nk.mlp(2, w_std=1e100).summary([1.0, 1.0e-90, 1e3])
