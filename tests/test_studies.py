"""Powers of the width: fits against SciPy, and the slopes predicted by theory, over seeds."""

import numpy as np
import pytest
import scipy.stats

import ntkfast as nk
from ntkfast.finite import Scaling

RNG = np.random.default_rng(6)
X, X_TEST = RNG.normal(size=(4, 2)), RNG.normal(size=(8, 2))
Y = RNG.normal(size=4)
NET = nk.mlp(1, nk.Relu(), w_std=1.4, b_std=0.3)


def near(scaling, slope):
    """Within four standard errors, which are small enough to tell powers of 1/2 apart."""
    assert scaling.slope_error < 0.12
    assert abs(scaling.slope - slope) < 4 * scaling.slope_error


def test_the_fit_is_least_squares_of_logarithms():
    widths = np.array([10, 30, 100])
    values = 3.0 * widths[:, None] ** -0.5 * np.exp(0.3 * RNG.normal(size=(3, 4)))
    scaling = Scaling(widths, values, "error")
    fit = scipy.stats.linregress(np.repeat(np.log(widths), 4), np.log(values).ravel())
    assert scaling.slope == pytest.approx(fit.slope, rel=1e-12)
    assert scaling.slope_error == pytest.approx(fit.stderr, rel=1e-12)
    assert scaling.prefactor == pytest.approx(np.exp(fit.intercept), rel=1e-12)
    np.testing.assert_allclose(scaling.typical, scipy.stats.gmean(values, axis=1), rtol=1e-12)
    np.testing.assert_allclose(
        scaling.law(widths), np.exp(fit.intercept) * widths**fit.slope, rtol=1e-12
    )
    assert "4 seeds, slope" in repr(scaling)
    exact = Scaling(widths[:2], [[1.0], [1 / 3]], "error")
    assert exact.slope == pytest.approx(-1.0)
    assert exact.slope_error == np.inf


@pytest.mark.parametrize(
    ("widths", "values", "words"),
    [
        ([1, 2], [1.0, 2.0], "values has shape"),
        ([1, 2], np.ones((3, 1)), r"expected \(2, s\)"),
        ([2, 2], np.ones((2, 1)), "at least two different widths"),
        ([1, 2], [[np.nan], [1.0]], "values has a NaN"),
        ([1, 2], [[1.0], [-1.0]], "values has -1"),
    ],
)
def test_scalings_that_are_none(widths, values, words):
    with pytest.raises(ValueError, match=words):
        Scaling(widths, values, "error")


def test_what_vanishes_has_no_slope():
    scaling = Scaling([1, 2], [[1.0, 0.5], [0.0, 0.1]], "error")
    np.testing.assert_array_equal(scaling.typical, [np.sqrt(0.5), 0])
    assert "zero values, no slope" in repr(scaling)
    for ask in (lambda: scaling.slope, lambda: scaling.slope_error, lambda: scaling.law(3)):
        with pytest.raises(nk.NumericalError, match="error is 0 at width 2"):
            ask()


@pytest.mark.parametrize("depth", [1, 3])
def test_random_kernels_are_off_by_the_root_of_the_width(depth):
    net, widths = nk.mlp(depth, nk.Relu(), w_std=1.4, b_std=0.3), (16, 64, 256)
    study = nk.finite.width_study(net, X, widths=widths, seeds=20)
    near(study.ntk, -0.5)
    near(study.nngp, -0.5)
    assert study.ntk.values.shape == (3, 20)
    again = nk.finite.width_study(net, X, widths=widths[:2], seeds=[3, 7])
    np.testing.assert_array_equal(again.ntk.values, study.ntk.values[:2, [3, 7]])
    drawn = nk.finite.init(net, 2, np.random.SeedSequence((7, 64)), width=64)
    j, theta = drawn.jacobian(X), net.ntk(X)
    error = np.linalg.norm(j @ j.T - theta) / np.linalg.norm(theta)
    assert again.ntk.values[1, 1] == pytest.approx(error, rel=1e-10)


@pytest.mark.parametrize("by", ["steps", "t"])
@pytest.mark.parametrize("kind", ["relu", "erf"])
def test_training_becomes_lazy_as_the_width_grows(kind, by):
    net = NET if kind == "relu" else nk.mlp(1, nk.Erf(), w_std=1.4, b_std=0.3)
    rate = 0.5 * nk.theory.max_learning_rate(net.ntk(X))
    settings = {"steps": 20, "learning_rate": rate} if by == "steps" else {"t": 20 * rate}
    study = nk.finite.drift_study(
        net, X, Y, X_TEST, widths=(64, 256, 1024), seeds=10, record=1, zero_output=True, **settings
    )
    near(study.parameters, -0.5)
    near(study.infinite, -0.5)
    if kind == "erf":
        assert not study.patterns.values.any()
        near(study.kernel, -1.0)
        near(study.linearized, -1.0)
    else:  # theory bounds these by 1/√width, and they fall faster
        near(study.patterns, -0.5)
        for scaling in (study.kernel, study.linearized):
            assert scaling.slope < -0.5 + 4 * scaling.slope_error
            assert scaling.slope > -1.0
    assert study.linearized.typical[-1] < study.infinite.typical[-1]


def test_a_study_is_what_its_networks_did():
    y = RNG.normal(size=(4, 2))
    settings = {"learning_rate": 0.05, "momentum": 0.5, "reduction": "mean"}
    calls = []
    study = nk.finite.drift_study(
        NET,
        X,
        y,
        X_TEST,
        widths=(8, 32),
        seeds=[5],
        steps=[2, 9],
        progress=lambda *c: calls.append(c),
        **settings,
    )
    assert calls == [(1, 2), (2, 2)]
    net = nk.finite.init(NET, 2, np.random.SeedSequence((5, 32)), width=32, output_dim=2)
    run = study.trajectories[1][0]
    np.testing.assert_array_equal(run.start.parameters, net.parameters)
    np.testing.assert_array_equal(run.times, [0, 2, 9])
    assert study.kernel.values[1, 0] == run.kernel_drift[-1]
    assert study.parameters.values[1, 0] == run.relative_distance[-1]
    assert study.patterns.values[1, 0] == run.pattern_changes[-1]
    end = run.end.forward(X_TEST)
    j, j_test = net.jacobian(X).reshape(8, -1), net.jacobian(X_TEST).reshape(16, -1)
    f0, f0_test = net.forward(X), net.forward(X_TEST)
    own = nk.GradientDescent(j @ j.T, y.ravel(), **settings)
    linear = own.predict(j_test @ j.T, f0.ravel(), f0_test.ravel(), t=9).reshape(8, 2)
    wide = nk.GradientDescent(NET.ntk(X), y, **settings).predict(
        NET.ntk(X_TEST, X), f0, f0_test, t=9
    )
    for scaling, expected in ((study.linearized, linear), (study.infinite, wide)):
        gap = np.sqrt(np.mean((end - expected) ** 2))
        assert scaling.values[1, 0] == pytest.approx(gap, rel=1e-9)


@pytest.mark.parametrize(
    ("settings", "kind", "words"),
    [
        ({"widths": (8, 8)}, ValueError, "at least two different widths"),
        ({"widths": ()}, ValueError, r"widths is \[\]; expected at least two"),
        ({"x_test": X[:0]}, ValueError, r"x_test has shape \(0, 2\)"),
        ({"widths": (8, 0)}, ValueError, "widths is 0"),
        ({"seeds": 0}, ValueError, "seeds is 0"),
        ({"seeds": []}, ValueError, "seeds is empty"),
        ({"seeds": [1.5]}, TypeError, "seeds is 1.5"),
        ({"steps": None}, ValueError, "neither of them"),
        ({"learning_rate": 30.0}, ValueError, "does not converge"),
    ],
)
def test_refusals(settings, kind, words):
    given = {"widths": (8, 16), "seeds": 1, "steps": 2, "learning_rate": 0.01, **settings}
    with pytest.raises(kind, match=words):
        nk.finite.drift_study(NET, X, Y, **{"x_test": X_TEST, **given})


@pytest.mark.parametrize("x", [X[:0], np.zeros((3, 2))])
def test_errors_relative_to_nothing_are_refused(x):
    with pytest.raises(ValueError, match="errors are relative"):
        nk.finite.width_study(nk.mlp(1), x, widths=(4, 8), seeds=1)


def test_a_narrow_network_that_diverges_is_an_error():
    rate = 0.98 * nk.theory.max_learning_rate(NET.ntk(X))
    with pytest.raises(nk.NumericalError, match="did not complete: diverged at step"):
        nk.finite.drift_study(
            NET, X, 50 * Y, X_TEST, widths=(1, 2), seeds=20, steps=200, learning_rate=rate
        )
