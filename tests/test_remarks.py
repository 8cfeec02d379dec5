"""Remarks in the summaries of training results, and the locations of warnings."""

import warnings

import numpy as np
import pytest

import ntkfast as nk

NET = nk.mlp(1, nk.Relu(), w_std=1.5, b_std=0.3)
X = np.array([[1.0, 2.0], [0.5, -1.0], [1.0, 2.0]])
Y = np.array([1.0, 2.0, 3.0])


@pytest.mark.parametrize(
    ("make", "name", "remedy"),
    [
        (lambda: nk.Posterior(NET, X, Y, noise_variance=0.0), "the NNGP of x", "noise_variance"),
        (
            lambda: nk.Posterior.from_kernels(NET.nngp(X), Y, noise_variance=0.0),
            "nngp",
            "noise_variance",
        ),
        (lambda: nk.KernelRegression(NET.ntk(X), Y), "theta", "diag_reg"),
    ],
)
def test_a_jitter_is_told_by_the_callers_name_at_the_callers_line(make, name, remedy):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        result = make()
    (warning,) = caught
    assert warning.filename == __file__
    assert warning.lineno == make.__code__.co_firstlineno
    assert str(warning.message).startswith(f"{name} is singular to working precision")
    assert f"increase {remedy}" in str(warning.message)
    assert "look for duplicate points" in str(result)


def test_maximize_warns_at_the_callers_line():
    with pytest.warns(RuntimeWarning, match="Posterior.maximize") as caught:
        nk.Posterior.maximize(NET, X[:2], [1.0, 1.0], noise_variance=1.0, span=1.5)
    assert caught[0].filename == __file__


def trained_ensemble():
    ensemble = nk.Ensemble(NET, X, Y)
    ensemble.predict()
    return ensemble


@pytest.mark.parametrize(
    "make",
    [
        lambda: nk.GradientFlow(NET.ntk(X), Y),
        lambda: nk.GradientDescent(NET.ntk(X), Y, learning_rate=0.01),
        trained_ensemble,
    ],
)
def test_a_singular_kernel_is_told_with_its_rank(make):
    first, *remarks = str(make()).splitlines()
    assert first == repr(make())
    assert any("rank 2 of 3" in line and "add diag_reg" in line for line in remarks)


def test_results_know_how_long_they_took():
    rng = np.random.default_rng(0)
    j, y = rng.normal(size=(200, 300)), rng.normal(size=200)
    theta = j @ j.T
    flow = nk.GradientFlow(theta, y)
    for result in (
        flow,
        nk.KernelRegression(theta, y),
        nk.LossFlow(theta / 300, y, loss="mse").integrate(t=[1.0]),
    ):
        assert 0 < result.seconds < 60
        assert f"in {result.seconds:.3g} s" in str(result)
    again = nk.GradientFlow(flow.spectrum, y)
    assert again.seconds == 0
    assert str(again) == repr(again)
