"""Kernels of networks with nearly the same scales: one fit of the activations for all of them."""

import time
import warnings

import numpy as np
import pytest

import ntkfast as nk
from ntkfast.networks.neighbours import Neighbours
from ntkfast.networks.scaling import scaled
from ntkfast.sklearn import NNGPKernel, NTKKernel

RNG = np.random.default_rng(0)
X = RNG.normal(size=(20, 3))
Y = np.sin(2 * X[:, 0]) + 0.1 * RNG.normal(size=20)
NETWORKS = {
    "tanh": nk.mlp(2, nk.Tanh(), w_std=1.4, b_std=0.5),
    "deep": nk.mlp(5, nk.Swish(), w_std=1.2, b_std=0.3),
    "branches": nk.Serial(
        nk.Dense(b_std=0.3), nk.Residual(nk.Softplus(), nk.Dense()), nk.Tanh(), nk.Dense()
    ),
}


class Counting:
    """tanh, and how often it was called."""

    __name__ = "counting"

    def __init__(self):
        self.calls = 0

    def __call__(self, x):
        self.calls += 1
        return np.tanh(x)


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize(("dtype", "error"), [(np.float64, 2e-10), (np.float32, 2e-5)])
@pytest.mark.parametrize("which", ["ntk", "nngp"])
def test_neighbours_have_the_kernels_of_networks_alone(name, dtype, error, which):
    """In the neighbourhood and far from it, there and back."""
    network, x = NETWORKS[name], X.astype(dtype)
    near = Neighbours(x, 0.3)
    for weights, biases in [(1, 1), (1.1, 0.9), (0.8, 1.3), (4, 1), (1, 0.1), (1.05, 1), (4.1, 1)]:
        moved = scaled(network, weights, biases)
        expected = getattr(moved, which)(x)
        got = near.gram(moved, which)
        size = np.sqrt(np.outer(expected.diagonal(), expected.diagonal()))
        assert got.dtype == dtype
        assert (abs(got - expected) / size).max() <= error


def test_fits_are_shared_in_the_neighbourhood_alone():
    function = Counting()
    network = nk.mlp(2, nk.Elementwise(function), w_std=1.4, b_std=0.5)
    near = Neighbours(X, 0.3)
    near.gram(network, "ntk")
    begun = function.calls
    for factor in (0.8, 0.9, 1.1, 1.3):
        near.gram(scaled(network, factor, factor), "nngp")
    assert function.calls == begun
    near.gram(scaled(network, 3.0, 1.0), "nngp")  # beyond it
    assert function.calls > begun


def test_networks_in_closed_form_keep_their_bits():
    network = nk.mlp(2, nk.Erf(), w_std=1.4, b_std=0.5)
    near = Neighbours(X, 0.3)
    for factor in (1.0, 1.1, 5.0):
        moved = scaled(network, factor, 1.0)
        np.testing.assert_array_equal(near.gram(moved, "ntk"), moved.ntk(X))


def test_another_network_and_bad_samples_are_no_neighbours():
    near = Neighbours(X, 0.3)
    near.gram(NETWORKS["tanh"], "ntk")
    for other in (NETWORKS["deep"], NETWORKS["branches"], nk.mlp(3, nk.Tanh(), w_std=1.4)):
        np.testing.assert_allclose(near.gram(other, "ntk"), other.ntk(X), rtol=1e-8)
    for sign in (1, -1):  # two functions of one name
        other = nk.mlp(1, nk.Elementwise(lambda x, sign=sign: np.exp(-x * x) + sign * x))
        np.testing.assert_allclose(near.gram(other, "ntk"), other.ntk(X), rtol=1e-8, atol=1e-8)
    prepared = NETWORKS["tanh"]._program.prepare(X)
    with pytest.raises(ValueError, match="other activations than this network"):
        NETWORKS["deep"]._program.prepare_like(prepared)
    with pytest.raises(ValueError, match="NaN"):
        Neighbours(np.full((2, 3), np.nan), 0.3).gram(NETWORKS["tanh"], "ntk")


@pytest.mark.parametrize("which", [NTKKernel, NNGPKernel])
def test_derivatives_of_a_fitted_kernel(which):
    """Those of erf in closed form: the same function, known by its values."""
    special = pytest.importorskip("scipy.special")
    fitted = which(2, nk.Elementwise(special.erf), w_std=1.4, b_std=0.5)
    exact = which(2, nk.Erf(), w_std=1.4, b_std=0.5)
    (kernel, got), (_, expected) = (k(X, eval_gradient=True) for k in (fitted, exact))
    size = np.sqrt(np.outer(kernel.diagonal(), kernel.diagonal()))[:, :, None]
    assert (abs(got - expected) / size).max() <= 1e-8
    np.testing.assert_array_equal(kernel, fitted(X))


@pytest.mark.alone
def test_a_gradient_and_a_search_cost_a_few_fits():
    """Ratios of processor times: a gradient took 25 kernels with new fits, a search over 200."""

    def seconds(work):
        begun = time.process_time()
        work()
        return time.process_time() - begun

    def value():
        nk.mlp(2, nk.Tanh(), w_std=1.4, b_std=0.5).nngp(X)

    value()
    one = min(seconds(value) for _ in range(5))
    kernel = NNGPKernel(2, "tanh", w_std=1.3)
    assert seconds(lambda: kernel(X, eval_gradient=True)) < 8 * one
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        start = nk.mlp(2, nk.Tanh(), w_std=1.4, b_std=0.5)
        assert seconds(lambda: nk.Posterior.maximize(start, X, Y)) < 60 * one
