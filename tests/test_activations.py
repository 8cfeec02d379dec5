"""What single activations are known to do, in closed form or in the limit."""

import math

import numpy as np
import pytest

import ntkfast as nk
from contract import assert_near
from tolerances import pair_scale

X = np.array([[0.3, -1.2], [0.5, 0.7], [-2.0, 0.1]])


def test_a_sigmoid_like_is_an_erf_for_the_core():
    assert nk.SigmoidLike()._spec() == nk.Erf(0.5, 1 / 2.4020563531719796, 0.5)._spec()


def test_an_rbf_is_a_sine_with_a_gaussian_kernel():
    scale = np.ones((len(X), len(X)))
    for gamma in (0.0, 0.3, 2.0):
        rbf = nk.Serial(nk.Dense(), nk.Rbf(gamma)).kernels(X)
        sine = nk.Sin(math.sqrt(2), math.sqrt(2 * gamma), math.pi / 4)
        for ours, theirs in zip(rbf, nk.Serial(nk.Dense(), sine).kernels(X), strict=True):
            diagonal = np.diag(theirs)
            assert_near(ours, theirs, pair_scale(diagonal, diagonal))
        distances = np.sum((X[:, None] - X) ** 2, axis=2) / X.shape[1]
        assert_near(rbf.nngp, np.exp(-gamma * distances), scale)


def test_the_ntk_forgets_what_is_below_a_sign():
    below = [nk.Dense(w_std=1.4, b_std=0.3), nk.Relu(), nk.Dense(b_std=0.1), nk.Sign()]
    kernels = nk.Serial(*below, nk.Dense(w_std=1.2, b_std=0.4)).kernels(X)
    np.testing.assert_array_equal(kernels.ntk, kernels.nngp)
    assert not np.any(nk.Serial(*below).ntk(X))
    assert np.all(nk.Serial(*below).nngp(X, diagonal=True) == 1.0)


def test_a_variance_of_exp_that_is_too_large_is_refused_by_name():
    net = nk.Serial(nk.Dense(), nk.Exp(), nk.Dense())
    for dtype, size in (("float32", 8.0), ("float64", 20.0), ("float64", 1e100)):
        x = np.array([[0.1], [size], [0.0]], dtype)
        with pytest.raises(nk.NumericalError, match=rf"(?s)sample 1 .*Exp.*{dtype}"):
            net.ntk(x)
        assert np.all(np.isfinite(net.ntk(x[::2])))
    # What a bounded activation makes of it can be held.
    bounded = nk.Serial(nk.Dense(), nk.Exp(), nk.Dense(), nk.Sign())
    np.testing.assert_array_equal(bounded.nngp([[1e3], [1e3]]), np.ones((2, 2)))


def test_odd_activations_may_join_a_branch_that_is_not_closed():
    # Sums need means of zero: sin has one, and so has a cosine that is a sine; GELU and cos do not.
    odds = nk.Sin(), nk.Sin(c=math.pi), nk.Cos(c=math.pi / 2), nk.Sign(), nk.Gabor()
    for odd in odds:
        nk.Serial(nk.Dense(), nk.Sum(nk.Serial(nk.Dense(), odd), nk.Relu()))
    others = nk.Cos(), nk.Gelu(), nk.Sin(c=0.1), nk.Exp(), nk.Rbf(), nk.Gaussian()
    for other in (*others, nk.SigmoidLike(), nk.ExpNormalized()):
        with pytest.raises(ValueError, match="means that are not zero"):
            nk.Serial(nk.Dense(), nk.Sum(nk.Serial(nk.Dense(), other), nk.Relu()))
