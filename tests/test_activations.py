"""Known properties of single activations, in closed form or in a limit."""

import math

import numpy as np
import pytest

import ntkfast as nk
from contract import assert_near
from ntkfast.networks.description import for_core
from tolerances import pair_scale

X = np.array([[0.3, -1.2], [0.5, 0.7], [-2.0, 0.1]])


def test_a_sigmoid_like_is_an_erf_for_the_core():
    assert for_core(nk.SigmoidLike()) == for_core(nk.Erf(0.5, 1 / 2.4020563531719796, 0.5))


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


def test_a_cosine_is_a_sine_a_quarter_turn_ahead():
    for c in (0.0, 0.3, -40.0):
        cosine = nk.Serial(nk.Dense(), nk.Cos(1.5, 0.7, c), nk.Dense())
        sine = nk.Serial(nk.Dense(), nk.Sin(1.5, 0.7, c + math.pi / 2), nk.Dense())
        for ours, theirs in zip(cosine.kernels(X), sine.kernels(X), strict=True):
            diagonal = np.diag(theirs)
            assert_near(ours, theirs, pair_scale(diagonal, diagonal))


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
    # What a bounded activation makes of it can be held, if its square root can.
    bounded = nk.Serial(nk.Dense(), nk.Exp(), nk.Dense(), nk.Sign(), nk.Dense(w_std=2))
    np.testing.assert_array_equal(bounded.nngp([[26.0], [26.0]]), np.full((2, 2), 4.0))


FORGETFUL = nk.Dense(w_std=0.0, b_std=0.3)


@pytest.mark.parametrize(
    "after",
    [
        (FORGETFUL, nk.Erf()),  # 0·∞
        (nk.Dense(), nk.Sign()),  # T would be 0·∞
        (nk.Sum(nk.Dense(), nk.Dense(w_std=3)), nk.Sign()),  # ∞/∞
        (nk.Dense(), nk.Sin()),  # norms that differ, and no longer do
        (nk.Dense(), nk.LayerNorm(), nk.Relu()),
        (nk.Dense(), nk.Tanh()),
    ],
    ids=repr,
)
def test_what_no_number_holds_is_refused_whatever_follows(after):
    net = nk.Serial(nk.Dense(), nk.Exp(), *after, nk.Dense())
    x = np.array([[0.1], [30.0], [0.0]])
    for ask in (net.ntk, net.nngp, net.kernels):
        for call in (lambda: ask(x), lambda: ask(x[:1], x), lambda: ask(x, diagonal=True)):  # noqa: B023
            with pytest.raises(nk.NumericalError) as caught:
                call()
            for words in ("sample 1 grows beyond 1e616 at layer 2 (Exp)", "parameters of an"):
                assert words in str(caught.value)
    assert all(np.all(np.isfinite(kernel)) for kernel in net.kernels(x[::2]))
    with pytest.raises(nk.NumericalError, match=r"beyond 1e616 at layer 2 \(Exp\)"):
        net.summary(30.0)


def test_a_layer_that_forgets_gives_its_bias_alone():
    forgets = nk.Serial(nk.Dense(), nk.Exp(), FORGETFUL)
    for kernel in forgets.kernels([[0.1], [26.0], [0.0]]):  # Exp makes 1e587 of the second
        np.testing.assert_allclose(kernel, 0.09, rtol=1e-14)


def test_odd_activations_may_join_a_branch_that_is_not_closed():
    # Sums need means of zero: sin has one, and so has a cosine that is a sine; GELU and cos do not.
    odds = nk.Sin(), nk.Sin(c=math.pi), nk.Cos(c=math.pi / 2), nk.Sign(), nk.Gabor()
    for odd in odds:
        nk.Serial(nk.Dense(), nk.Sum(nk.Serial(nk.Dense(), odd), nk.Relu()))
    others = nk.Cos(), nk.Gelu(), nk.Sin(c=0.1), nk.Exp(), nk.Rbf(), nk.Gaussian()
    for other in (*others, nk.SigmoidLike(), nk.ExpNormalized()):
        with pytest.raises(ValueError, match="means that are not zero"):
            nk.Serial(nk.Dense(), nk.Sum(nk.Serial(nk.Dense(), other), nk.Relu()))
