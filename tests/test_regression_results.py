"""Kernel regression: shapes, types, summaries, and rejected arguments."""

import dataclasses
import math
import pickle

import numpy as np
import pytest

import ntkfast as nk
from gaussian_processes import Problem
from refusals import assert_refused

EPS = np.finfo(float).eps


@pytest.mark.parametrize("outputs", [(), (1,), (3,), (2, 2)])
def test_shapes(outputs):
    p = Problem(n=7)
    theta, k_test, _ = p.blocks("ntk")
    y = np.random.default_rng(1).normal(size=(7, *outputs))
    fit = nk.KernelRegression(theta, y, diag_reg=0.1)
    for answer in (fit.coefficients, fit.predict_train(), fit.leave_one_out()):
        assert answer.shape == y.shape
    assert fit.predict(k_test).shape == (5, *outputs)
    for index in np.ndindex(outputs):
        alone = nk.KernelRegression(theta, y[(slice(None), *index)], diag_reg=0.1)
        here = (slice(None), *index)
        np.testing.assert_allclose(fit.predict(k_test)[here], alone.predict(k_test), atol=1e-13)
        np.testing.assert_allclose(fit.leave_one_out()[here], alone.leave_one_out(), atol=1e-13)


@pytest.mark.parametrize(
    ("theta", "y", "expected"),
    [
        (np.float32, np.float32, np.float32),
        (np.float32, np.float64, np.float64),
        (np.float64, np.float32, np.float64),
        (np.int64, np.int64, np.float64),
    ],
)
def test_results_take_the_wider_type(theta, y, expected):
    fit = nk.KernelRegression(2 * np.eye(4, dtype=theta), np.arange(4).astype(y), diag_reg=1.0)
    assert fit.coefficients.dtype == fit.predict_train().dtype == expected
    assert fit.predict(np.eye(4, dtype=theta)).dtype == expected
    assert fit.leave_one_out().dtype == expected


def test_one_and_no_training_point():
    one = nk.KernelRegression([[2.0]], [3.0])
    np.testing.assert_allclose(one.predict([[2.0], [1.0]]), [3.0, 1.5], rtol=4 * EPS)
    np.testing.assert_allclose(one.leave_one_out(), [0.0], atol=4 * EPS)
    none = nk.KernelRegression(np.empty((0, 0)), np.empty((0, 2)))
    np.testing.assert_array_equal(none.predict(np.empty((4, 0))), np.zeros((4, 2)))
    assert none.leave_one_out().shape == (0, 2)
    assert math.isnan(none.condition_estimate)


def test_it_is_frozen_picklable_and_prints_a_summary():
    y = np.array([1.0, 2.0])
    fit = nk.KernelRegression(np.diag([1.0, 4.0]), y, diag_reg=0.25)
    assert repr(fit) == (
        "KernelRegression(n=2, y of shape (2,), diag_reg=0.25, jitter=0, "
        "condition number >= 3.4, float64)"
    )
    by_point = nk.KernelRegression(np.eye(2), y, diag_reg=[0.0, 1.0])
    assert "diag_reg=<array of shape (2,)>" in repr(by_point)
    twin = pickle.loads(pickle.dumps(fit))
    np.testing.assert_array_equal(twin.predict(np.eye(2)), fit.predict(np.eye(2)))
    with pytest.raises(dataclasses.FrozenInstanceError):
        fit.jitter = 1.0
    y[:] = np.nan
    assert np.isfinite(fit.leave_one_out()).all()


@pytest.mark.parametrize(
    ("build", "error", "words"),
    [
        (lambda: nk.KernelRegression(np.ones((2, 3)), [1, 2]), ValueError, ["theta has shape"]),
        (
            lambda: nk.KernelRegression([[1, 2], [3, 4]], [1, 2]),
            ValueError,
            ["symmetric", "[0, 1]"],
        ),
        (lambda: nk.KernelRegression(np.eye(2) * np.nan, [1, 2]), ValueError, ["theta has a NaN"]),
        (lambda: nk.KernelRegression(nk.mlp(1), [1, 2]), TypeError, ["a network", "net.ntk(x)"]),
        (lambda: nk.KernelRegression(np.eye(2), [1]), ValueError, ["y has shape (1,)", "(2,)"]),
        (lambda: nk.KernelRegression(np.eye(2), np.ones((2, 0))), ValueError, ["c >= 1"]),
        (
            lambda: nk.KernelRegression(np.eye(2), [1, 2], diag_reg=-1),
            ValueError,
            ["diag_reg is -1", ">= 0"],
        ),
        (
            lambda: nk.KernelRegression(np.eye(2), [1, 2], diag_reg=[1, 2, 3]),
            ValueError,
            ["diag_reg has shape (3,)", "(2,)"],
        ),
        (
            lambda: nk.KernelRegression(np.eye(2) * 1e308, [1, 2], diag_reg=1e308),
            ValueError,
            ["diagonal of theta", "range of float64"],
        ),
        (
            lambda: nk.KernelRegression(np.eye(2), [1, 2]).predict(np.ones((2, 3))),
            ValueError,
            ["k_test_train has shape (2, 3)", "k_test_train.T"],
        ),
    ],
)
def test_bad_arguments_are_refused_by_name(build, error, words):
    assert_refused(build, error, words)
