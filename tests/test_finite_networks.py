"""Networks of finite width: every derivative, checked independently, for every layer."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from mpmath import mpf

import ntkfast as nk
from catalogue import BUILDERS, NETWORKS, build, kinds
from finite import sized
from reference.evaluator import FUNCTIONS
from strategies import networks, point_sets
from tolerances import pair_scale, worst

POINTS = np.array([[1.1, -0.4, 0.3], [0.8, 0.5, -0.6], [-0.9, 0.7, 0.4], [0.2, 0.1, -0.5]])
OTHERS = np.array([[0.3, -1.2, 0.1], [0.8, 0.5, -0.6]])
EXACT = 1e-12  # what two orders of the same sums may differ by

# A map of kernels that is no function of a neuron has no finite network.
FINITE = [name for name, net in NETWORKS.items() if "exp_normalized" not in kinds(net)]
NUMERICAL = [nk.Tanh(), nk.Sigmoid(), nk.Softplus(), nk.Swish(), nk.Elu(0.7), nk.Selu()]
CASES = [
    *(pytest.param(build(sized(NETWORKS[name], 5, 1)), id=name) for name in FINITE),
    *(
        pytest.param(nk.Serial(nk.Dense(9), phi, nk.Dense(4, b_std=0.2)), id=repr(phi))
        for phi in [*NUMERICAL, nk.Hardtanh()]
    ),
]


def assert_near(got, expected, tolerance=EXACT):
    assert got.shape == expected.shape
    assert abs(got - expected).max() <= tolerance * abs(expected).max()


@pytest.mark.parametrize("zero_output", [False, True])
@pytest.mark.parametrize("network", CASES)
def test_every_derivative_is_that_of_the_jacobian(network, zero_output, rng):
    net = nk.finite.init(network, 3, rng, zero_output=zero_output)
    (c,), p = net.output_shape, net.n_parameters
    left, right = net.jacobian(POINTS), net.jacobian(OTHERS)
    assert left.shape == (len(POINTS), c, p)
    if p == 0:  # all frozen
        assert not net.ntk(POINTS).any()
        return
    for x2, other in ((None, left), (OTHERS, right)):
        full = np.einsum("nap,mbp->nmab", left, other)
        mean = np.einsum("nmaa->nm", full) / c
        assert_near(net.ntk(POINTS, x2, full=True), full)
        # On the scale of the full kernel: outputs in the mean may cancel.
        assert abs(net.ntk(POINTS, x2) - mean).max() <= EXACT * abs(full).max()
    own = np.einsum("nap,nbp->nab", left, left)
    assert_near(net.ntk(POINTS, diagonal=True, full=True), own)
    assert_near(net.ntk(POINTS, diagonal=True), np.einsum("naa->n", own) / c)
    direction, residual = rng.standard_normal(p), rng.standard_normal((len(POINTS), c))
    assert_near(net.derivative(POINTS, direction), left @ direction)
    assert_near(net.gradient(POINTS, residual), np.einsum("nc,ncp->p", residual, left))


@given(networks(), point_sets(d=3, min_n=1, max_n=5), st.integers(0, 99))
def test_any_network_has_the_kernel_of_its_jacobian(description, x, seed):
    assume("exp_normalized" not in kinds(description))
    net = nk.finite.init(build(description), 3, seed, width=4, output_dim=None)
    c = (net.output_shape or (1,))[0]
    jacobian = net.jacobian(x).reshape(len(x), c * net.n_parameters)
    expected = jacobian @ jacobian.T / c
    ntk, own = net.ntk(x), net.ntk(x, diagonal=True)
    scale = pair_scale(np.diag(expected), np.diag(expected))
    assert worst(ntk, expected, scale) <= EXACT
    np.testing.assert_array_equal(ntk, ntk.T)
    assert worst(own, np.diag(ntk), np.diag(expected)) <= EXACT
    assert worst(net.ntk(x, x), ntk, scale) <= EXACT
    direction = np.random.default_rng(seed).standard_normal(net.n_parameters)
    along = net.jacobian(x).reshape(len(x), c, net.n_parameters) @ direction
    size = np.linalg.norm(jacobian, axis=1)[:, None] * np.linalg.norm(direction) * np.ones(c)
    assert worst(net.derivative(x, direction).reshape(len(x), c), along, size) <= EXACT


@pytest.mark.parametrize("network", CASES)
def test_the_jacobian_is_that_of_central_differences(network, rng):
    net = nk.finite.init(network, 3, rng)
    jacobian = net.jacobian(POINTS)
    chosen = rng.permutation(net.n_parameters)[:60]
    step, size = 1e-5, abs(jacobian).max(initial=0.0)
    for i in chosen:
        there, back = net.parameters.copy(), net.parameters.copy()
        there[i], back[i] = there[i] + step, back[i] - step
        rise = net.with_parameters(there).forward(POINTS) - net.with_parameters(back).forward(
            POINTS
        )
        # Truncation is step² times third derivatives, which are 15³ where an erf is steep.
        assert abs(rise / (2 * step) - jacobian[:, :, i]).max() <= 1e-6 * size


@pytest.mark.parametrize("name", FINITE)
def test_means_over_networks_are_the_kernels(name):
    """Up to what falls with the width: less than what is lost by halving it, as in test_finite."""
    found = []
    for factor in (1, 2):
        network = build(sized(NETWORKS[name], 16, factor))
        exact = network.kernels(POINTS[:3])
        sampled = nk.finite.monte_carlo_kernels(network, POINTS[:3], n_samples=40, seed=factor)
        gaps = sampled.nngp - exact.nngp, sampled.ntk - exact.ntk
        found.append(zip(gaps, (sampled.nngp_error, sampled.ntk_error), exact, strict=True))
    for (far, _, _), (near, error, kernel) in zip(*found, strict=True):
        assert np.all(abs(near) <= 5 * error + abs(far - near) + EXACT * abs(kernel).max())


@pytest.mark.parametrize(
    ("kind", "parameters"),
    [
        ("relu", ()),
        ("leaky_relu", (0.2,)),
        ("abrelu", (0.5, -1.5)),
        ("abs", ()),
        ("sign", ()),
        ("erf", (1.2, -0.7, 0.3)),
        ("sigmoid_like", ()),
        ("gelu", ()),
        ("sin", (1.5, 0.8, 0.4)),
        ("cos", (1.5, -0.8, 0.4)),
        ("rbf", (0.7,)),
        ("exp", (0.8, -0.6)),
        ("gaussian", (2.0, -0.3)),
        ("gabor", ()),
        ("polynomial", (0.5, -1.0, 0.2, 0.1)),
        ("monomial", (3,)),
        ("hermite", (5,)),
        ("rectified_monomial", (2,)),
        ("identity", ()),
    ],
)
def test_activations_are_their_formulae(kind, parameters):
    activation = BUILDERS[kind](*parameters)
    x = np.array([-3.1, -1.0, -0.2, 0.3, 1.7, 2.9])
    for order, got in enumerate((activation._evaluate(x), activation._derivative(x))):
        expected = [float(FUNCTIONS[kind][order](mpf(z), *parameters)) for z in x]
        np.testing.assert_allclose(got, expected, rtol=1e-13, atol=1e-15)
