"""Flow on any loss: early stopping, summaries, and rejected arguments."""

import builtins
import dataclasses
import pickle

import numpy as np
import pytest

import ntkfast as nk
from ntkfast.data import one_hot
from refusals import assert_refused


def test_a_stiff_problem_stops_with_advice_and_keeps_what_it_has():
    theta = np.diag([1e6, 1.0])
    flow = nk.LossFlow(theta, [1.0, 1.0], loss="mse", max_steps=50)
    result = flow.integrate(t=[0.0, 1e-6, 1.0])
    assert not result.completed
    np.testing.assert_array_equal(result.times, [0.0, 1e-6])
    assert result.train.shape == (2, 2)
    assert result.train[1, 0] == pytest.approx(-np.expm1(-1.0), rel=1e-5)
    for word in ("INCOMPLETE", "max_steps=50", "method='LSODA'"):
        assert word in repr(result)
    stiff = nk.LossFlow(theta, [1.0, 1.0], loss="mse", method="LSODA", max_steps=500)
    assert stiff.integrate(t=[0.0, 1e-6, 1.0]).completed


def test_a_loss_that_blows_up_stops_with_the_reason():
    def runaway(f, y):
        return -np.sum(np.exp(f)), -np.exp(f)  # f reaches infinity at t = 1

    with np.errstate(all="ignore"):
        result = nk.LossFlow([[1.0]], [0.0], loss=runaway).integrate(t=[0.5, 2.0])
        bad = nk.LossFlow([[1.0]], [0.0], loss=lambda f, y: (0.0, f * np.nan)).integrate(t=[1.0])
    assert not result.completed
    np.testing.assert_allclose(result.train, [[np.log(2)]], rtol=1e-4)  # −log(1 − t)
    assert "t = 1" in result.reason or "t = 0.99" in result.reason
    assert not bad.completed
    assert "not finite at t = 0" in bad.reason


@pytest.mark.parametrize("method", ["DOP853", "LSODA", "BDF"])
def test_a_loss_without_a_bottom_stops_where_time_stands_still(method):
    """f' = 1 + f³ reaches infinity before t = 1.21."""

    def fall(f, _y):
        return -float(np.sum(f + f**4 / 4)), -1 - f**3

    flow = nk.LossFlow([[1.0]], [0.0], loss=fall, method=method, max_steps=3000)
    with np.errstate(over="ignore"):
        result = flow.integrate(t=[0.0, 0.5, 2.0])
    assert not result.completed
    np.testing.assert_array_equal(result.times, [0.0, 0.5])
    for words in ("at t = 1.209", "falls without bound", "shorter time"):
        assert words in result.reason


def test_progress_rises_to_the_end():
    seen = []
    nk.LossFlow(np.eye(3), one_hot([0, 1, 0])).integrate(
        t=[1.0, 50.0], progress=lambda done, total: seen.append(done / total)
    )
    assert seen == sorted(seen)
    assert seen[-1] == 1.0


def test_results_are_frozen_picklable_and_print_a_summary():
    flow = nk.LossFlow(np.eye(3), one_hot([0, 1, 0]), momentum=0.5)
    result = flow.integrate(np.ones((4, 3)), t=[0.0, 1.0])
    for fact in ("2 times", "t from 0 to 1", "loss from 2.079", "4 test points", "DOP853"):
        assert fact in repr(result)
    for fact in ("'cross_entropy'", "momentum=0.5", "n=3"):
        assert fact in repr(flow)
    twin = pickle.loads(pickle.dumps(flow)).integrate(t=[0.0, 1.0])
    np.testing.assert_array_equal(twin.train, result.train)
    with pytest.raises(dataclasses.FrozenInstanceError):
        result.steps = 0


def test_without_scipy_the_extra_is_named(monkeypatch):
    real = builtins.__import__

    def missing(name, *args, **kwargs):
        if name.startswith("scipy"):
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", missing)
    with pytest.raises(ImportError, match=r"ntkfast\[scipy\]"):
        nk.LossFlow(np.eye(2), np.eye(2)).integrate(t=1.0)


GRAM, LABELS = np.eye(3), one_hot([0, 1, 0])


@pytest.mark.parametrize(
    ("build", "error", "words"),
    [
        (lambda: nk.LossFlow(GRAM, [0, 1, 0]), ValueError, ["y has shape (3,)", "one_hot"]),
        (lambda: nk.LossFlow(GRAM, 2 * LABELS), ValueError, ["sum to 1", "one_hot"]),
        (lambda: nk.LossFlow(GRAM, np.ones((3, 0))), ValueError, ["so it has no outputs"]),
        (lambda: nk.LossFlow(GRAM, [0, 1, 1], loss="logistic"), ValueError, ["2*y - 1"]),
        (lambda: nk.LossFlow(GRAM, LABELS, loss="hinge"), ValueError, ["loss is 'hinge'"]),
        (lambda: nk.LossFlow(GRAM, LABELS, loss=3), TypeError, ["loss is of type int"]),
        (lambda: nk.LossFlow(GRAM, LABELS, momentum=1), ValueError, ["momentum is 1.0"]),
        (lambda: nk.LossFlow(GRAM, LABELS, method="Euler"), ValueError, ["method is 'Euler'"]),
        (lambda: nk.LossFlow(GRAM, LABELS, rtol=-1), ValueError, ["rtol is -1.0"]),
        (lambda: nk.LossFlow(GRAM, LABELS, atol=0), ValueError, ["atol is 0.0"]),
        (lambda: nk.LossFlow(GRAM, LABELS, max_steps=0), ValueError, ["max_steps is 0"]),
        (lambda: nk.LossFlow(np.triu(np.ones((3, 3))), LABELS), ValueError, ["theta[0, 1] = 1"]),
        (lambda: nk.LossFlow(-GRAM, LABELS), ValueError, ["theta has -1 on its diagonal"]),
        (lambda: nk.LossFlow(GRAM * np.nan, LABELS), ValueError, ["theta has a NaN"]),
        (lambda: nk.LossFlow(nk.mlp(1), LABELS), TypeError, ["theta is a network"]),
        (lambda: nk.LossFlow(GRAM, LABELS).integrate(t=[2, 1]), ValueError, ["np.sort(t)"]),
        (lambda: nk.LossFlow(GRAM, LABELS).integrate(t=np.inf), ValueError, ["t is inf"]),
        (
            lambda: nk.LossFlow(GRAM, LABELS).integrate(t=[[1.0]]),
            ValueError,
            ["t has shape (1, 1)"],
        ),
        (
            lambda: nk.LossFlow(GRAM, LABELS, learning_rate=1e300).integrate(t=1e10),
            ValueError,
            ["learning_rate is 1e+300", "range of a float"],
        ),
        (
            lambda: nk.LossFlow(GRAM, LABELS, loss=lambda f, y: (0.0, f[0])).integrate(t=1.0),
            ValueError,
            ["gradient of shape (2,)", "(3, 2)"],
        ),
        (
            lambda: nk.LossFlow(GRAM, LABELS, loss=lambda f, y: 1.0).integrate(t=1.0),
            TypeError,
            ["loss returned float", "(value, gradient with respect to f)"],
        ),
        (
            lambda: nk.LossFlow(GRAM, LABELS).integrate(np.ones((3, 4)), t=1.0),
            ValueError,
            ["k_test_train has shape (3, 4)"],
        ),
    ],
)
def test_bad_arguments_are_refused_by_name(build, error, words):
    assert_refused(build, error, words)
