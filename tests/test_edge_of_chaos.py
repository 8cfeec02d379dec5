"""The edge of chaos, against quadrature, formulae by hand, and published values."""

import math

import numpy as np
import pytest
import scipy.integrate
import scipy.optimize
import scipy.special
from matplotlib.figure import Figure

import ntkfast as nk
from ntkfast.theory import edge_of_chaos, mean_field


def mean(function, q):
    """E[f(√q·z)] by adaptive quadrature, split where functions may bend."""
    halves = [
        scipy.integrate.quad(
            lambda z: function(math.sqrt(q) * z) * math.exp(-z * z / 2),
            *limits,
            epsabs=1e-13,
            epsrel=1e-13,
        )[0]
        for limits in ((-12, 0), (0, 12))
    ]
    return sum(halves) / math.sqrt(2 * math.pi)


def critical(phi, slope, b_std, low, high):
    """σ_w by two nested bisections: q* as a fixed point of the map, then χ(1) = 1."""

    def fixed_point(w_std):
        def excess(q):
            return w_std**2 * mean(lambda x: phi(x) ** 2, q) + b_std**2 - q

        return scipy.optimize.brentq(excess, 1e-6, 100, xtol=1e-13)

    def chi(w_std):
        return w_std**2 * mean(lambda x: slope(x) ** 2, fixed_point(w_std)) - 1

    w_std = scipy.optimize.brentq(chi, low, high, xtol=1e-12)
    return w_std, fixed_point(w_std)


@pytest.mark.parametrize(
    ("activation", "phi", "slope", "b_std", "limits"),
    [
        (nk.Tanh(), math.tanh, lambda x: math.cosh(x) ** -2, 0.05, (0.9, 3)),
        (nk.Tanh(), math.tanh, lambda x: math.cosh(x) ** -2, 0.5, (0.9, 3)),
        (nk.Tanh(), math.tanh, lambda x: math.cosh(x) ** -2, 1.0, (0.9, 3)),
        (
            nk.Elu(),
            lambda x: x if x > 0 else math.expm1(x),
            lambda x: 1.0 if x > 0 else math.exp(x),
            0.2,
            (1.1, 1.3),
        ),
    ],
)
def test_the_edge_is_that_of_quadrature(activation, phi, slope, b_std, limits):
    edge = edge_of_chaos(activation, b_std)
    w_std, variance = critical(phi, slope, b_std, *limits)
    assert edge.w_std == pytest.approx([w_std], rel=1e-8)
    assert edge.variance == pytest.approx([variance], rel=1e-7)


def test_the_published_point_of_tanh():
    # Schoenholz et al. (2017): with σ_b² = 0.05, the edge of tanh is at σ_w² = 1.76.
    assert edge_of_chaos(nk.Tanh(), math.sqrt(0.05)).w_std[0] ** 2 == pytest.approx(1.76, abs=0.005)


@pytest.mark.parametrize(
    ("activation", "w_std"),
    [
        (nk.Relu(), math.sqrt(2)),
        (nk.LeakyRelu(0.1), math.sqrt(2 / 1.01)),  # He et al. (2015)
        (nk.Abs(), 1.0),
        (nk.Identity(), 1.0),
    ],
)
def test_homogeneous_activations_have_one_point(activation, w_std):
    edge = edge_of_chaos(activation)
    assert edge.w_std == pytest.approx([w_std], rel=1e-13)
    assert (edge.b_std, edge.variance) == ([0.0], [1.0])
    assert edge.variance_slope == pytest.approx([1.0], rel=1e-9)
    with pytest.raises(ValueError, match=r"no edge of chaos at b_std = 0\.1.*at b_std = 0 only"):
        edge_of_chaos(activation, [0.0, 0.1])


@pytest.mark.parametrize(
    ("activation", "slope"),
    [
        (nk.Tanh(), 1.0),
        (nk.Erf(), 2 / math.sqrt(math.pi)),
        (nk.Sin(), 1.0),
        (nk.Gelu(), 0.5),
        (nk.Elu(), 1.0),
        (nk.Hardtanh(), 1.0),
    ],
)
def test_without_bias_the_slope_at_zero_decides(activation, slope):
    edge = edge_of_chaos(activation)
    assert edge.w_std == pytest.approx([1 / slope], rel=1e-9)
    assert edge.variance == [0.0]


def test_sin_by_hand():
    # E[sin²] = (1 − e^{−2q})/2 and E[cos²] = (1 + e^{−2q})/2, so that q − tanh q = σ_b².
    biases = np.array([0.01, 0.3, 2.0])
    edge = edge_of_chaos(nk.Sin(), biases)
    assert np.array_equal(edge.b_std, biases)
    q = edge.variance
    np.testing.assert_allclose(q - np.tanh(q), biases**2, rtol=1e-10)
    np.testing.assert_allclose(edge.w_std, np.sqrt(2 / (1 + np.exp(-2 * q))), rtol=1e-13)
    # σ_w²·E[sin²] = tanh q·…: the slope of the map of variances is σ_w²·e^{−2q}.
    np.testing.assert_allclose(edge.variance_slope, edge.w_std**2 * np.exp(-2 * q), rtol=1e-9)


def test_erf_by_hand():
    def excess(q):
        kept = 2 / math.pi * math.asin(2 * q / (1 + 2 * q))
        return q - kept * math.pi * math.sqrt(1 + 4 * q) / 4 - 0.09

    q = scipy.optimize.brentq(excess, 1e-3, 10, xtol=1e-14)
    edge = edge_of_chaos(nk.Erf(), 0.3)
    assert edge.w_std[0] ** 2 == pytest.approx(math.pi * math.sqrt(1 + 4 * q) / 4, rel=1e-12)
    assert edge.variance_slope[0] < 1  # so that depth leads there:
    assert mean_field(nk.Erf(), w_std=float(edge.w_std[0]), b_std=0.3).phase == "critical"


def test_an_edge_that_does_not_begin_at_the_origin():
    # exp: E[φ²] = E[φ'²] = e^{2q}, so that q* = 1 + σ_b². Other variances leave it: slope 2.
    edge = edge_of_chaos(nk.Exp(), [0.0, 0.5])
    assert edge.variance == pytest.approx([1.0, 1.25], rel=1e-10)
    assert edge.w_std == pytest.approx(np.exp([-1.0, -1.25]), rel=1e-9)
    assert edge.variance_slope == pytest.approx([2.0, 2.0], rel=1e-8)
    # The logistic function is far from 0 at 0.
    edge = edge_of_chaos(nk.Sigmoid())
    q = edge.variance[0]
    kept, slope = (
        mean(lambda x: scipy.special.expit(x) ** 2, q),
        mean(lambda x: (scipy.special.expit(x) * scipy.special.expit(-x)) ** 2, q),
    )
    assert q == pytest.approx(kept / slope, rel=1e-8)
    assert edge.w_std[0] == pytest.approx(slope**-0.5, rel=1e-8)


def test_it_shows_its_numbers():
    shown = repr(edge_of_chaos(nk.Erf(), [0.0, 0.5]))
    assert shown.startswith("EdgeOfChaos(Erf(), b_std=[0.  0.5], w_std=[0.8862 ")


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ((nk.Sign(),), ValueError, "edge_of_chaos: Sign.*jumps"),
        ((nk.Monomial(0),), ValueError, "no edge of chaos at b_std = 0"),
        ((nk.Tanh(), -0.1), ValueError, r"b_std is -0\.1; expected numbers >= 0"),
        ((nk.Tanh(), [[0.1]]), ValueError, r"expected numbers >= 0, shape \(k,\)"),
        ((nk.Tanh(), math.nan), ValueError, "edge_of_chaos: b_std"),
        ((nk.mlp(2),), TypeError, "expected an activation, such as nk.Tanh"),
        ((nk.Dense(),), TypeError, "expected an activation"),
        ((1.0,), TypeError, "edge_of_chaos: activation is 1.0"),
    ],
)
def test_bad_arguments_are_refused_by_name(arguments, error, words):
    with pytest.raises(error, match=words):
        edge_of_chaos(*arguments)


def test_its_plot_shows_the_curve_between_two_phases():
    ax = Figure().subplots()
    edge = edge_of_chaos(nk.Erf(), np.linspace(0, 1, 5))
    assert nk.plots.edge_of_chaos(edge, ax, color="black") is ax
    (line,) = ax.lines
    assert np.array_equal(line.get_xdata(), edge.w_std)
    assert np.array_equal(line.get_ydata(), edge.b_std)
    assert line.get_color() == "black"
    assert line.get_label() == "Erf()"
    ordered, chaotic = ax.texts
    assert (ordered.get_text(), chaotic.get_text()) == ("ordered", "chaotic")
    middle = np.interp(0.5, edge.b_std, edge.w_std)
    ax.get_xlim()  # determines the limits
    left, right = (ax.transLimits.inverted().transform(t.get_position())[0] for t in ax.texts)
    assert left < middle < right
    nk.plots.edge_of_chaos(edge_of_chaos(nk.Tanh(), np.linspace(0, 1, 5)), ax)
    assert len(ax.texts) == 2  # the phases are named once


def test_its_plot_shows_a_point_as_a_point():
    ax = Figure().subplots()
    nk.plots.edge_of_chaos(edge_of_chaos(nk.Relu()), ax)
    (line,) = ax.lines
    assert line.get_marker() not in ("", "None")
    with pytest.raises(TypeError, match=r"edge is of type float; expected .*edge_of_chaos"):
        nk.plots.edge_of_chaos(1.4, ax)
