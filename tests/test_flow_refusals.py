"""Arguments that gradient flow rejects, with messages that name them."""

import numpy as np
import pytest

import ntkfast as nk
from refusals import assert_refused

GRAM = np.eye(3)
INDEFINITE = np.diag([1.0, 2.0, -0.5])


@pytest.mark.parametrize(
    ("build", "error", "words"),
    [
        (lambda: nk.GradientFlow(GRAM, [1, 2]), ValueError, ["y has shape (2,)", "(3,)"]),
        (lambda: nk.GradientFlow(GRAM, np.ones((2, 3))), ValueError, ["y has shape (2, 3)"]),
        (lambda: nk.GradientFlow(GRAM, 1.0), ValueError, ["y has shape ()"]),
        (
            lambda: nk.GradientFlow(GRAM, np.ones((3, 0))),
            ValueError,
            ["y has shape (3, 0)", "c >= 1"],
        ),
        (lambda: nk.GradientFlow(GRAM, [1, np.nan, 2]), ValueError, ["y has a NaN at index 1"]),
        (
            lambda: nk.GradientFlow(GRAM, [[1, 2], [3, np.inf], [4, 5]]),
            ValueError,
            ["y has an infinity at index 1, 1"],
        ),
        (lambda: nk.GradientFlow(GRAM, ["a", "b", "c"]), TypeError, ["y has dtype <U1"]),
        (lambda: nk.GradientFlow(GRAM, [1j, 2, 3]), TypeError, ["y has dtype complex128"]),
        (
            lambda: nk.GradientFlow(np.ones((3, 2)), [1, 2, 3]),
            ValueError,
            ["theta has shape (3, 2)"],
        ),
        (lambda: nk.GradientFlow(GRAM * 1j, [1, 2, 3]), TypeError, ["theta has dtype complex128"]),
        (
            lambda: nk.GradientFlow(nk.mlp(1), [1, 2, 3]),
            TypeError,
            ["theta is a network, of type Serial", "net.ntk(x)"],
        ),
        (
            lambda: nk.GradientFlow(nk.mlp(1).kernels(GRAM), [1, 2, 3]),
            TypeError,
            ["theta is both kernels, of type Kernels", "net.ntk(x)"],
        ),
        (lambda: nk.GradientFlow([1, 2, 3], [1, 2, 3]), ValueError, ["theta has shape (3,)"]),
        (
            lambda: nk.GradientFlow(np.triu(np.ones((3, 3))), [1, 2, 3]),
            ValueError,
            ["theta", "symmetric"],
        ),
        (lambda: nk.GradientFlow(GRAM * np.nan, [1, 2, 3]), ValueError, ["theta", "NaN"]),
        (
            lambda: nk.GradientFlow(INDEFINITE, [1, 2, 3]),
            ValueError,
            ["theta is not positive semi-definite", "-0.5", "2", "Gram"],
        ),
        (
            lambda: nk.GradientFlow(GRAM, [1, 2, 3], learning_rate=0),
            ValueError,
            ["learning_rate is 0.0", "> 0"],
        ),
        (
            lambda: nk.GradientFlow(GRAM, [1, 2, 3], learning_rate=np.inf),
            ValueError,
            ["learning_rate is inf", "finite"],
        ),
        (
            lambda: nk.GradientFlow(GRAM, [1, 2, 3], learning_rate="fast"),
            TypeError,
            ["learning_rate is 'fast'"],
        ),
        (lambda: nk.GradientFlow(GRAM, [1, 2, 3], diag_reg=-1), ValueError, ["diag_reg is -1.0"]),
        (
            lambda: nk.GradientFlow(GRAM, [1, 2, 3], relative_diag_reg=np.nan),
            ValueError,
            ["relative_diag_reg is nan"],
        ),
        (
            lambda: nk.GradientFlow(GRAM, [1, 2, 3], reduction="average"),
            ValueError,
            ["reduction is 'average'", "'sum'", "'mean'"],
        ),
        (
            lambda: nk.GradientFlow(GRAM, [1, 2, 3], reduction=np.array(["sum", "mean"])),
            TypeError,
            ["reduction is of type ndarray", "'sum'", "'mean'"],
        ),
        (
            lambda: nk.GradientFlow(GRAM, [1, 2, 3], learning_rate=10**400),
            ValueError,
            ["learning_rate is outside the range of a float"],
        ),
        (
            lambda: nk.GradientFlow(GRAM, [1, 2, 3], diag_reg=1e308, relative_diag_reg=1e308),
            ValueError,
            ["diag_reg is 1e+308", "relative_diag_reg is 1e+308", "inf"],
        ),
        (
            lambda: nk.GradientFlow(GRAM * 1e308, [1, 2, 3], diag_reg=1e308),
            ValueError,
            ["diag_reg is 1e+308", "range of a float"],
        ),
    ],
)
def test_bad_problems_are_refused_by_name(build, error, words):
    assert_refused(build, error, words)


FLOW = nk.GradientFlow(GRAM, np.ones((3, 2)))


@pytest.mark.parametrize(
    ("ask", "error", "words"),
    [
        (lambda: FLOW.loss(t=-1), ValueError, ["t is -1.0", "0 <= t <= inf"]),
        (lambda: FLOW.predict_train(t=[0.0, -1e-9]), ValueError, ["t is -1e-09 at index 1"]),
        (lambda: FLOW.loss(t=[[0, 1], [2, np.nan]]), ValueError, ["t is nan at index 1, 1"]),
        (lambda: FLOW.residual(t=-np.inf), ValueError, ["t is -inf"]),
        (lambda: FLOW.coefficients(t="soon"), TypeError, ["t has dtype"]),
        (lambda: FLOW.predict_train(np.ones(3), t=1), ValueError, ["f0 has shape (3,)", "(3, 2)"]),
        (lambda: FLOW.loss(np.nan, t=1), ValueError, ["f0 has a NaN"]),
        (lambda: FLOW.loss("a", t=1), TypeError, ["f0 has dtype"]),
        (
            lambda: FLOW.predict(np.ones((5, 2)), t=1),
            ValueError,
            ["k_test_train has shape (5, 2)", "(n_test, 3)"],
        ),
        (
            lambda: FLOW.predict(np.ones((3, 5)), t=1),
            ValueError,
            ["k_test_train has shape (3, 5)", "net.ntk(x_test, x)", "k_test_train.T"],
        ),
        (
            lambda: FLOW.predict(nk.mlp(1), t=1),
            TypeError,
            ["k_test_train is a network", "net.ntk(x_test, x)"],
        ),
        (
            lambda: FLOW.initial_gradient(np.ones(3)),
            ValueError,
            ["k_test_train has shape (3,)", "k_test_train[None, :]"],
        ),
        (
            lambda: FLOW.predict(np.full((5, 3), np.inf), t=1),
            ValueError,
            ["k_test_train has an infinity at index 0, 0"],
        ),
        (
            lambda: FLOW.predict(np.ones((5, 3)), np.ones((2, 3)), t=1),
            ValueError,
            ["f0_train has shape (2, 3)"],
        ),
        (
            lambda: FLOW.predict(np.ones((5, 3)), 0.0, np.ones(3), t=1),
            ValueError,
            ["f0_test has shape (3,)", "(5, 2)"],
        ),
    ],
)
def test_bad_questions_are_refused_by_name(ask, error, words):
    assert_refused(ask, error, words)
