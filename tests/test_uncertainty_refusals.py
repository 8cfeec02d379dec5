"""Arguments that ensembles and posteriors reject, with messages that name them."""

import math

import numpy as np
import pytest

import ntkfast as nk
from refusals import assert_refused

NET = nk.mlp(1, b_std=0.5)
X, Y, X_TEST = np.arange(6.0).reshape(3, 2), np.ones((3, 2)), np.ones((4, 2))
MAKERS = [nk.Ensemble, nk.Posterior]


@pytest.mark.parametrize("make", MAKERS)
@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ((nk.Relu, X, Y), TypeError, ["network is the class Relu"]),
        ((X, X, Y), TypeError, ["network", "ndarray"]),
        ((nk.Serial(nk.Dense(), nk.Relu()), X, Y), ValueError, ["not Gaussian", "Dense"]),
        ((NET, X, Y[:2]), ValueError, ["y has shape (2, 2)", "(3,)", "row of x"]),
        ((NET, X, np.ones((3, 0))), ValueError, ["y has shape (3, 0)", "c >= 1"]),
        ((NET, X, Y * np.nan), ValueError, ["y has a NaN"]),
        ((NET, X[0], Y[0]), ValueError, ["x has shape (2,)", "rows"]),
        ((NET, X + np.inf, Y), ValueError, ["x "]),
        ((NET, "x", Y), TypeError, ["x has dtype"]),
    ],
)
def test_bad_problems(make, arguments, error, words):
    assert_refused(lambda: make(*arguments), error, words)


@pytest.mark.parametrize("make", MAKERS)
@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"x_test": np.ones((4, 3))}, ValueError, ["x_test has shape (4, 3)", "(m, 2)"]),
        ({"x_test": np.ones(2)}, ValueError, ["x_test has shape (2,)", "(m, 2)"]),
        ({"x_test": X_TEST * np.nan}, ValueError, ["x_test has a NaN at index 0, 0"]),
        ({"x_test": "points"}, TypeError, ["x_test has dtype"]),
        ({"covariance": "diag"}, ValueError, ["covariance is 'diag'", "'diagonal'"]),
        ({"covariance": True}, TypeError, ["covariance is of type bool"]),
    ],
)
def test_bad_questions(make, arguments, error, words):
    assert_refused(lambda: make(NET, X, Y).predict(**arguments), error, words)


FLOW = nk.GradientFlow(np.eye(3), Y)
ENSEMBLE = nk.Ensemble.from_kernels(np.eye(3), FLOW)
POSTERIOR = nk.Posterior.from_kernels(np.eye(3), Y)
CROSS = np.zeros((4, 3))
PAIR = nk.Kernels(nngp=CROSS, ntk=CROSS)


@pytest.mark.parametrize(
    ("ask", "error", "words"),
    [
        (lambda: nk.Ensemble(NET, X, Y, trained="last"), ValueError, ["trained is 'last'"]),
        (lambda: nk.Ensemble(NET, X, Y, learning_rate=0), ValueError, ["learning_rate is 0.0"]),
        (lambda: nk.Ensemble(NET, X, Y, diag_reg=-1), ValueError, ["diag_reg is -1.0"]),
        (lambda: nk.Ensemble(NET, X, Y, reduction="all"), ValueError, ["reduction is 'all'"]),
        (lambda: nk.Ensemble(NET, X, Y).predict(t=-1), ValueError, ["t is -1.0"]),
        (lambda: ENSEMBLE.predict(t=[1, 2]), ValueError, ["t has shape (2,)", "trajectory"]),
        (lambda: ENSEMBLE.trajectory(None, t=1.0), ValueError, ["t has shape ()", "(k,)"]),
        (
            lambda: ENSEMBLE.predict(noise_variance=-1),
            ValueError,
            ["noise_variance is -1.0", ">= 0"],
        ),
        (lambda: ENSEMBLE.predict(X_TEST), ValueError, ["from kernels", "predict_kernels"]),
        (lambda: POSTERIOR.predict(X_TEST), ValueError, ["from kernels", "predict_kernels"]),
        (
            lambda: nk.Ensemble.from_kernels(np.eye(3), np.eye(3)),
            TypeError,
            ["flow is of type ndarray", "GradientFlow"],
        ),
        (
            lambda: nk.Ensemble.from_kernels(np.eye(2), FLOW),
            ValueError,
            ["nngp has shape (2, 2)", "(3, 3)"],
        ),
        (
            lambda: nk.Ensemble.from_kernels(NET, FLOW),
            TypeError,
            ["nngp is a network", "net.nngp(x)"],
        ),
        (
            lambda: nk.Ensemble.from_kernels(np.triu(np.ones((3, 3))), FLOW),
            ValueError,
            ["nngp must be symmetric"],
        ),
        (
            lambda: nk.Posterior.from_kernels(NET.kernels(X), Y),
            TypeError,
            ["nngp is both kernels", "net.nngp(x)"],
        ),
        (
            lambda: nk.Posterior.from_kernels(np.eye(3), Y[:2]),
            ValueError,
            ["y has shape (2, 2)", "row of nngp"],
        ),
        (
            lambda: nk.Posterior(NET, X, Y, noise_variance=[1, 2]),
            ValueError,
            ["noise_variance has shape (2,)", "(3,)"],
        ),
        (
            lambda: nk.Posterior(NET, X, Y, noise_variance=-1e-3),
            ValueError,
            ["noise_variance is -0.001"],
        ),
        (
            lambda: nk.Posterior.from_kernels(np.diag([1.0, -1.0]), [1, 2]),
            nk.NumericalError,
            ["not positive semi-definite", "noise_variance"],
        ),
        (
            lambda: ENSEMBLE.predict_kernels(CROSS),
            TypeError,
            ["kernels is of type ndarray", "net.kernels", "Kernels(nngp"],
        ),
        (
            lambda: ENSEMBLE.predict_kernels(nk.Kernels(CROSS, CROSS[:2])),
            ValueError,
            ["kernels.nngp has shape (4, 3)", "kernels.ntk has shape (2, 3)"],
        ),
        (
            lambda: ENSEMBLE.predict_kernels(nk.Kernels(CROSS, CROSS.T)),
            ValueError,
            ["kernels.ntk has shape (3, 4)", "(n_test, 3)", "kernels.ntk.T"],
        ),
        (
            lambda: POSTERIOR.predict_kernels(CROSS.T),
            ValueError,
            ["nngp_test_train has shape (3, 4)", "net.nngp(x_test, x)", "nngp_test_train.T"],
        ),
        (
            lambda: POSTERIOR.predict_kernels(CROSS, covariance="full"),
            ValueError,
            ["nngp_test is needed", "net.nngp(x_test)"],
        ),
        (
            lambda: POSTERIOR.predict_kernels(CROSS, np.ones(4), covariance="full"),
            ValueError,
            ["nngp_test has shape (4,)", "(4, 4)"],
        ),
        (
            lambda: POSTERIOR.predict_kernels(CROSS, np.ones(3), covariance="diagonal"),
            ValueError,
            ["nngp_test has shape (3,)", "(4,) or (4, 4)"],
        ),
        (
            lambda: POSTERIOR.predict_kernels(CROSS, [1, 2, 3, math.nan], covariance="diagonal"),
            ValueError,
            ["nngp_test has a NaN at index 3"],
        ),
        (
            lambda: POSTERIOR.predict_kernels(CROSS + 1, np.ones(4), covariance="diagonal"),
            ValueError,
            ["variance at test point 0", "do not belong to one network"],
        ),
        (
            lambda: ENSEMBLE.predict_kernels(
                nk.Kernels(CROSS + 1, CROSS + 1), np.eye(4), covariance="full"
            ),
            ValueError,
            ["variance at test point 0", "do not belong to one network"],
        ),
        (
            lambda: nk.Posterior.maximize(NET, X, Y, noise_variance=0.0),
            ValueError,
            ["noise_variance has a 0"],
        ),
        (lambda: nk.Posterior.maximize(NET, X, Y, span=1), ValueError, ["span is 1.0", "> 1"]),
        (
            lambda: nk.Posterior.maximize(nk.mlp(60, w_std=1e6), X, Y),
            nk.NumericalError,
            ["grows to", "w_std"],
        ),
    ],
)
def test_bad_calls(ask, error, words):
    assert_refused(ask, error, words)
