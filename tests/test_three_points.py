"""The example of three points on a line, to the printed digits.

Its kernel is that of a network with a hidden layer of N(0, 1) weights on (x, 1), without the factor
1/√d of the NTK parameterisation, and a bias N(0, 1) at the output:

    Θ(x, x') = x·x'(π−θ)/2π + ‖x‖‖x'‖(sin θ + (π−θ)cos θ)/2π + 1.

In the package's layers: the points with an appended 1 have d = 2 features, so ``Dense(w_std=√2)``
cancels 1/√d and gives k = T = x·x'. ``Relu()`` maps k to the arc-cosine kernel and T to
x·x'(π−θ)/2π. ``Dense(b_std=1)``, with w_std = 1, adds 1 to k and the new k to T: Θ = k + 1 + T.
There is no remaining factor.
"""

import math

import numpy as np

import ntkfast as nk

NETWORK = nk.Serial(nk.Dense(w_std=math.sqrt(2)), nk.Relu(), nk.Dense(b_std=1))
POINTS = np.array([[0.2, 1.0], [0.4, 1.0], [0.8, 1.0]])
TARGETS = np.array([-0.05, -0.2, 0.3])

THETA = [
    [2.04, 2.04888213, 2.07923821],
    [2.04888213, 2.16, 2.26003372],
    [2.07923821, 2.26003372, 2.64],
]
EIGENVALUES = [0.02901953, 0.2543766, 6.55660386]
FLOW_AT_1_5 = [-0.03078716, -0.00183128, 0.100015]
HALF_A_DIGIT = 0.5e-8 * (1 + 1e-6)


def test_kernel() -> None:
    theta = NETWORK.ntk(POINTS)
    np.testing.assert_allclose(theta, THETA, rtol=0, atol=HALF_A_DIGIT)
    # On the diagonal θ = 0: Θ = ‖x‖² + 1.
    np.testing.assert_allclose(np.diagonal(theta), [2.04, 2.16, 2.64], rtol=1e-15)


def test_kernel_is_the_formula() -> None:
    norms = np.linalg.norm(POINTS, axis=1)
    inner, scale = POINTS @ POINTS.T, np.outer(norms, norms)
    x, one = POINTS.T
    angle = np.abs(np.arctan2(np.outer(x, one) - np.outer(one, x), inner))
    derivative = inner * (np.pi - angle) / (2 * np.pi)
    value = scale * (np.sin(angle) + (np.pi - angle) * np.cos(angle)) / (2 * np.pi)
    kernels = NETWORK.kernels(POINTS)
    np.testing.assert_allclose(kernels.nngp, value + 1, rtol=1e-14)
    np.testing.assert_allclose(kernels.ntk, derivative + value + 1, rtol=1e-14)


def test_eigenvalues() -> None:
    spectrum = nk.eigh(NETWORK.ntk(POINTS))
    # The largest is 6.5566038656: printed cut off, not rounded.
    np.testing.assert_allclose(spectrum.eigenvalues, EIGENVALUES, rtol=0, atol=2 * HALF_A_DIGIT)


def test_training() -> None:
    flow = nk.GradientFlow(NETWORK.ntk(POINTS), TARGETS)
    np.testing.assert_allclose(flow.predict_train(t=1.5), FLOW_AT_1_5, rtol=0, atol=HALF_A_DIGIT)
    np.testing.assert_allclose(flow.predict_train(t=np.inf), TARGETS, rtol=0, atol=1e-14)
