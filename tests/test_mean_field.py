"""Signal propagation against quadrature, published values, and limits by hand."""

import math

import numpy as np
import pytest
import scipy.integrate
import scipy.optimize
import scipy.special

import ntkfast as nk
from ntkfast.theory import mean_field

# The trapezoid rule, which converges faster than any power for what decays like a Gaussian.
NODES = np.linspace(-9.0, 9.0, 241)
WEIGHTS = np.exp(-(NODES**2) / 2) / np.sqrt(2 * np.pi) * (NODES[1] - NODES[0])

TANH = (np.tanh, lambda x: 1 / np.cosh(x) ** 2)
ERF = (scipy.special.erf, lambda x: 2 / np.sqrt(np.pi) * np.exp(-(x**2)))


def mean(function, q):
    return WEIGHTS @ function(np.sqrt(q) * NODES)


def mean_of_pairs(function, q, c):
    u = np.sqrt(q) * NODES[:, None]
    v = c * u + np.sqrt(1 - c * c) * np.sqrt(q) * NODES
    return WEIGHTS @ (function(u) * function(v)) @ WEIGHTS


def by_quadrature(phi, slope, w_std, b_std):
    """q*, c*, χ(1), χ(c*) and dq'/dq at q*, by bisection on sums over nodes."""

    def variance(q):
        return w_std**2 * mean(lambda x: phi(x) ** 2, q) + b_std**2

    q = scipy.optimize.brentq(lambda q: variance(q) - q, 1e-3, 50, xtol=1e-14)
    chi_1 = w_std**2 * mean(lambda x: slope(x) ** 2, q)

    def excess(c):
        return (w_std**2 * mean_of_pairs(phi, q, c) + b_std**2) / q - c

    c = 1.0 if chi_1 <= 1 else scipy.optimize.brentq(excess, -1e-9, 1 - 1e-6, xtol=1e-14)
    chi_star = w_std**2 * mean_of_pairs(slope, q, c)
    h = 1e-3 * q
    slope_q = (
        8 * (variance(q + h) - variance(q - h)) - variance(q + 2 * h) + variance(q - 2 * h)
    ) / (12 * h)
    return q, c, chi_1, chi_star, slope_q


@pytest.mark.parametrize(
    ("activation", "functions", "w_std", "b_std", "phase", "accuracy"),
    [
        (nk.Erf(), ERF, 1.5, 0.3, "chaotic", 1e-12),
        (nk.Erf(), ERF, 2.0, 0.05, "chaotic", 1e-12),
        (nk.Erf(), ERF, 1.0, 0.5, "ordered", 1e-12),
        (nk.Tanh(), TANH, 0.8, 0.3, "ordered", 1e-11),
    ],
)
def test_fixed_points_and_slopes_are_those_of_quadrature(
    activation, functions, w_std, b_std, phase, accuracy
):
    field = mean_field(activation, w_std=w_std, b_std=b_std)
    q, c, chi_1, chi_star, slope_q = by_quadrature(*functions, w_std, b_std)
    assert field.phase == phase
    assert field.variance == pytest.approx(q, rel=accuracy)
    assert field.correlation == pytest.approx(c, abs=accuracy)
    assert field.chi_1 == pytest.approx(chi_1, rel=accuracy)
    assert field.chi_star == pytest.approx(chi_star, rel=accuracy)
    assert field.correlation_depth == pytest.approx(-1 / math.log(chi_star), rel=100 * accuracy)
    assert field.variance_depth == pytest.approx(-1 / math.log(abs(slope_q)), rel=1e-10)


def test_maps_are_those_of_quadrature():
    field = mean_field(nk.Erf(), w_std=1.7, b_std=0.2)
    phi, slope = ERF
    q = np.array([[0.0, 0.1], [1.0, 4.0]])
    expected = [[1.7**2 * mean(lambda x: phi(x) ** 2, v) + 0.04 for v in row] for row in q]
    np.testing.assert_allclose(field.variance_map(q), expected, rtol=1e-10)
    at = field.variance
    c = np.array([-1.0, -0.6, -0.1, -0.02, 0.0, 0.05, 0.0999, 0.1, 0.5, 1.0])
    maps = [(1.7**2 * mean_of_pairs(phi, at, v) + 0.04) / at for v in c]
    slopes = [1.7**2 * mean_of_pairs(slope, at, v) for v in c]
    np.testing.assert_allclose(field.correlation_map(c), maps, atol=1e-12)
    np.testing.assert_allclose(field.chi(c), slopes, rtol=1e-11)
    assert field.correlation_map(1.0) == pytest.approx(1.0, abs=1e-12)
    assert field.chi() == field.chi_1


def test_the_edge_of_chaos_of_relu():
    """He's initialisation, σ_w² = 2 without bias: every variance is kept, χ = 1 for all of them."""
    edge = mean_field(nk.Relu(), w_std=math.sqrt(2))
    assert edge.phase == "critical"
    assert (edge.variance, edge.correlation) == (1.0, 1.0)
    assert edge.chi_1 == pytest.approx(1.0, abs=1e-14)
    assert edge.variance_depth == edge.correlation_depth == math.inf
    np.testing.assert_allclose(edge.variance_map([0.3, 70.0]), [0.3, 70.0], rtol=1e-14)
    # The arc-cosine kernels of Cho and Saul.
    c = np.linspace(-1, 1, 9)
    theta = np.arccos(c)
    np.testing.assert_allclose(
        edge.correlation_map(c), (np.sin(theta) + (np.pi - theta) * c) / np.pi, atol=1e-14
    )
    np.testing.assert_allclose(edge.chi(c), 1 - theta / np.pi, atol=1e-13)


@pytest.mark.parametrize("w_std", [0.5, 1.2, 1.4])
def test_relu_with_a_bias_by_hand(w_std):
    field = mean_field(nk.Relu(), w_std=w_std, b_std=0.6)
    chi = w_std**2 / 2
    assert field.phase == "ordered"
    assert field.variance == pytest.approx(0.36 / (1 - chi), rel=1e-11)
    assert field.correlation == 1.0
    assert field.chi_1 == pytest.approx(chi, rel=1e-13)
    assert field.correlation_depth == pytest.approx(-1 / math.log(chi), rel=1e-10)
    assert field.variance_depth == pytest.approx(-1 / math.log(chi), rel=1e-8)


def test_the_origin_of_erf():
    """Without bias the phase changes where σ_w²·φ'(0)² = 4σ_w²/π is 1, at q* = 0."""
    edge = math.sqrt(math.pi) / 2
    ordered = mean_field(nk.Erf(), w_std=0.9 * edge)
    assert (ordered.phase, ordered.variance, ordered.correlation) == ("ordered", 0.0, 1.0)
    assert ordered.chi_1 == pytest.approx(0.81, rel=1e-10)
    assert mean_field(nk.Erf(), w_std=edge).phase == "critical"
    chaotic = mean_field(nk.Erf(), w_std=1.1 * edge)
    assert (chaotic.phase, chaotic.correlation) == ("chaotic", 0.0)


@pytest.mark.parametrize(
    ("activation", "w_std", "b_std", "variance", "phase"),
    [
        (nk.Relu(), 1.5, None, math.inf, "chaotic"),
        (nk.Relu(), 1.5, 1.0, math.inf, "chaotic"),
        (nk.Relu(), 1.0, None, 0.0, "ordered"),
        (nk.Relu(), 0.0, None, 0.0, "ordered"),
        (nk.Relu(), 0.0, 0.5, 0.25, "ordered"),
        (nk.Identity(), 1.0, None, 1.0, "critical"),
    ],
)
def test_variances_without_a_fixed_point_and_without_an_input(
    activation, w_std, b_std, variance, phase
):
    field = mean_field(activation, w_std=w_std, b_std=b_std)
    assert field.variance == pytest.approx(variance, rel=1e-11)
    assert (field.phase, field.correlation) == (phase, 1.0)
    assert field.chi_1 == pytest.approx(w_std**2 * (1 if phase == "critical" else 0.5), rel=1e-12)
    if variance in (0.0, math.inf):
        with pytest.raises(ValueError, match="change w_std"):
            field.chi()


def test_networks_and_activations_say_the_same():
    alone = mean_field(nk.Erf(), w_std=1.5, b_std=0.1)
    for net in (
        nk.mlp(1, nk.Erf(), w_std=1.5, b_std=0.1),
        nk.mlp(4, nk.Erf(), w_std=1.5, b_std=0.1),
        nk.Serial(nk.Dense(w_std=1.5, b_std=0.1), nk.Erf()),
        nk.Serial(
            nk.Serial(nk.Dense(w_std=1.5, b_std=0.1), nk.Erf()), nk.Dense(w_std=1.5, b_std=0.1)
        ),
        # Signals propagate alike whatever is trained.
        nk.mlp(2, nk.Erf(), w_std=1.5, b_std=0.1, width=9, parameterization="standard"),
        nk.Serial(
            nk.Dense(w_std=1.5, b_std=0.1, trainable=False),
            nk.Erf(),
            nk.Dense(w_std=1.5, b_std=0.1),
        ),
    ):
        assert repr(mean_field(net)) == repr(alone)
    for fact in ("Erf()", "w_std=1.5", "chaotic", "q*=1.09", "chi(1)=1.23", "xi_c="):
        assert fact in repr(alone)


@pytest.mark.parametrize("b_std", [None, 0.3])
@pytest.mark.parametrize("step", [nk.Sign(), nk.RectifiedMonomial(0)], ids=repr)
def test_activations_that_jump_have_no_slope(step, b_std):
    # 1 − 2θ/π, or 1 − θ/π, of a correlation c = cos θ: its slope at c = 1 is infinite.
    with pytest.raises(ValueError, match=r"jumps.*steep Erf"):
        mean_field(step, w_std=1.2, b_std=b_std)


@pytest.mark.parametrize(
    ("activation", "mean_square_slope"),
    [
        (nk.Erf(b=1000), lambda q: 4e6 / (math.pi * math.sqrt(1 + 4e6 * q))),
        (nk.Rbf(50), lambda q: 100),
        (nk.Abs(), lambda q: 1),
        (nk.Monomial(0), lambda q: 0),
    ],
)
def test_activations_that_are_steep_or_bent_or_flat_have_one(activation, mean_square_slope):
    field = mean_field(activation, w_std=1.2, b_std=0.3)
    expected = 1.44 * mean_square_slope(field.variance)
    assert field.chi_1 == pytest.approx(expected, rel=1e-12)


# The NTK with depth.


def test_condition_numbers_tend_to_what_is_published():
    """Xiao et al. (2020): (n + 2)/2 for smooth functions and (n + 3)/3 for ReLU at criticality."""
    n = 10
    relu = mean_field(nk.Relu(), w_std=math.sqrt(2)).condition_number(3000, n)
    assert relu[-1] == pytest.approx((n + 3) / 3, rel=0.01)
    # erf at criticality with q* = 1: σ_w²·E[φ'²] = 1 fixes σ_w, the fixed point σ_b.
    w_std = mean(lambda x: ERF[1](x) ** 2, 1.0) ** -0.5
    b_std = math.sqrt(1 - w_std**2 * mean(lambda x: ERF[0](x) ** 2, 1.0))
    edge = mean_field(nk.Erf(), w_std=w_std, b_std=b_std)
    assert edge.variance == pytest.approx(1.0, rel=1e-9)
    assert edge.chi_1 == pytest.approx(1.0, abs=1e-9)
    assert edge.condition_number(1000, n, 0.3)[-1] == pytest.approx((n + 2) / 2, rel=0.02)
    chaotic = mean_field(nk.Erf(), w_std=2.0, b_std=0.1).condition_number(60, n)
    assert chaotic[-1] == pytest.approx(1.0, abs=1e-6)
    ordered = mean_field(nk.Erf(), w_std=1.0, b_std=0.5)
    growth = ordered.condition_number(40, n)
    depth = np.arange(41)
    scaled = growth * depth * ordered.chi_1**depth  # n·χ^(−l)/l, up to what does not depend on l
    assert scaled[25] == pytest.approx(scaled[20], rel=0.1)


@pytest.mark.parametrize("activation", [nk.Relu(), nk.Erf(), nk.Gelu()])
def test_condition_numbers_are_those_of_the_network(activation):
    """Four points of variance q* and correlation 1/3: the corners of a tetrahedron, moved apart."""
    field = mean_field(activation, w_std=1.2, b_std=0.4)
    simplex = np.eye(4) + 0.25 * (math.sqrt(3) - 1) * np.ones((4, 4))  # any equal angles will do
    simplex /= np.linalg.norm(simplex, axis=1, keepdims=True)
    correlation = float(simplex[0] @ simplex[1])
    # The first Dense makes σ_w²·x·x'/d + σ_b² of its inputs.
    gram = field.variance * ((1 - correlation) * np.eye(4) + correlation) - 0.16
    x = np.linalg.cholesky(gram) * math.sqrt(4) / 1.2
    found = field.condition_number(5, 4, correlation)
    for depth in range(6):
        values = np.linalg.eigvalsh(nk.mlp(depth, activation, w_std=1.2, b_std=0.4).ntk(x))
        assert found[depth] == pytest.approx(values[-1] / values[0], rel=1e-9)


def test_a_lost_eigenvalue_is_no_number():
    deep = mean_field(nk.Erf(), w_std=0.5, b_std=0.5).condition_number(200, 5)
    assert deep[-1] == math.inf
    assert not np.isnan(deep).any()


FIELD = mean_field(nk.Erf(), w_std=1.5)


@pytest.mark.parametrize(
    ("ask", "error", "words"),
    [
        (lambda: mean_field(nk.Erf()), TypeError, "w_std is missing"),
        (lambda: mean_field(nk.mlp(2), w_std=1.0), TypeError, "set by the network's Dense"),
        (lambda: mean_field(3, w_std=1.0), TypeError, "mean_field: network is 3"),
        (lambda: mean_field(nk.Relu, w_std=1.0), TypeError, r"write Relu\(\)"),
        (lambda: mean_field(nk.Erf(), w_std=-1.0), ValueError, "w_std is -1.0"),
        (lambda: mean_field(nk.Dense()), ValueError, "expected equal blocks"),
        (
            lambda: mean_field(nk.Serial(nk.Dense(), nk.Relu(), nk.Dense(w_std=2.0))),
            ValueError,
            "one w_std",
        ),
        (
            lambda: mean_field(nk.Serial(nk.Dense(), nk.Relu(), nk.Dense(), nk.Erf())),
            ValueError,
            "one activation",
        ),
        (
            lambda: mean_field(nk.Serial(nk.Dense(), nk.Residual(nk.Relu(), nk.Dense()))),
            ValueError,
            "equal blocks",
        ),
        (
            lambda: mean_field(nk.Dropout(keep=0.5), w_std=1.0),
            TypeError,
            "together with an activation",
        ),
        (lambda: mean_field(nk.Serial(nk.Dense(), nk.LayerNorm())), ValueError, "equal blocks"),
        (lambda: FIELD.chi(1.5), ValueError, r"c has entries outside \[-1, 1\]"),
        (lambda: FIELD.correlation_map(np.nan), ValueError, "c has entries"),
        (lambda: FIELD.variance_map(-1.0), ValueError, "q has -1"),
        (lambda: FIELD.condition_number(-1, 4), ValueError, "depth is -1"),
        (lambda: FIELD.condition_number(4, 1), ValueError, "n is 1"),
        (lambda: FIELD.condition_number(4, 4, 1.0), ValueError, "correlation is 1.0"),
    ],
)
def test_bad_arguments_are_refused_by_name(ask, error, words):
    with pytest.raises(error, match=words):
        ask()
