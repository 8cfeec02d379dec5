"""Shapes, types and memory of the results of gradient flow, and the object itself."""

import dataclasses
import math
import pickle
import tracemalloc

import numpy as np
import pytest

import ntkfast as nk
from linear_model import problem


@pytest.mark.parametrize("y_shape", [(7,), (7, 1), (7, 3), (7, 2, 2)])
@pytest.mark.parametrize("t_shape", [(), (1,), (4,), (2, 3), (0,)])
def test_shapes(t_shape, y_shape):
    j, j_test, _, _ = problem(n=7)
    rng = np.random.default_rng(1)
    y, t = rng.normal(size=y_shape), rng.uniform(size=t_shape)
    theta, k_test = j @ j.T, j_test @ j.T
    flow = nk.GradientFlow(theta, y)
    assert flow.loss(t=t).shape == t_shape
    assert flow.predict(k_test, t=t).shape == (*t_shape, 5, *y_shape[1:])
    assert flow.predict(k_test[:0], t=t).shape == (*t_shape, 0, *y_shape[1:])
    assert flow.initial_gradient(k_test).shape == (5, *y_shape[1:])
    for answer in (flow.predict_train, flow.residual, flow.coefficients):
        assert answer(t=t).shape == t_shape + y_shape
        for index in np.ndindex(t_shape):
            np.testing.assert_allclose(answer(t=t)[index], answer(t=t[index]), atol=1e-13, rtol=0)
    for index in np.ndindex(y_shape[1:]):  # every output for itself
        one = nk.GradientFlow(theta, y[(slice(None), *index)])
        np.testing.assert_allclose(
            flow.predict_train(t=0.5)[(slice(None), *index)],
            one.predict_train(t=0.5),
            atol=1e-13,
            rtol=0,
        )


def test_initial_outputs_broadcast():
    j, j_test, y, _ = problem()
    flow = nk.GradientFlow(j @ j.T, y)
    row = np.arange(3.0)
    np.testing.assert_array_equal(
        flow.predict_train(row, t=1.0), flow.predict_train(np.tile(row, (12, 1)), t=1.0)
    )
    np.testing.assert_array_equal(
        flow.predict_train(2, t=1.0), flow.predict_train(2 * np.ones((12, 3)), t=1.0)
    )
    k_test = j_test @ j.T
    np.testing.assert_allclose(
        flow.predict(k_test, row, row, t=1.0), row + flow.predict(k_test, row, t=1.0), rtol=1e-14
    )


@pytest.mark.parametrize(
    ("theta", "y", "f0", "expected"),
    [
        (np.float32, np.float32, 0.5, np.float32),
        (np.float32, np.float64, 0.5, np.float64),
        (np.float64, np.float32, 0.5, np.float64),
        (np.float32, np.int64, 0.5, np.float64),
        (np.float32, np.float32, np.full(4, 0.5), np.float64),
        (np.float32, np.float32, np.full(4, 0.5, np.float32), np.float32),
    ],
)
def test_results_take_the_wider_type(theta, y, f0, expected):
    flow = nk.GradientFlow(np.eye(4, dtype=theta), np.arange(4).astype(y))
    for t in (1.0, np.array([0.5, np.inf])):
        assert flow.predict_train(f0, t=t).dtype == expected
        assert flow.residual(f0, t=t).dtype == expected
        assert flow.coefficients(f0, t=t).dtype == expected
        assert flow.loss(f0, t=t).dtype == expected
        assert flow.predict(np.eye(4, dtype=theta), f0, t=t).dtype == expected
        assert flow.predict(np.eye(4), f0, t=t).dtype == np.float64


def test_single_precision_is_as_good_as_it_can_be():
    j, j_test, y, w0 = problem()
    theta, k_test, f0 = j @ j.T, j_test @ j.T, j @ w0
    double = nk.GradientFlow(theta, y)
    single = nk.GradientFlow(theta.astype(np.float32), y.astype(np.float32))
    f0_single, k_single = f0.astype(np.float32), k_test.astype(np.float32)
    # Rounding Θ moves its smallest eigenvalue by ε·‖Θ‖, so that the condition number comes in.
    bound = 20 * float(np.finfo(np.float32).eps) * double.spectrum.condition_number
    for t in (0.0, 0.3, 10.0, np.inf):
        np.testing.assert_allclose(
            single.predict(k_single, f0_single, t=t),
            double.predict(k_test, f0, t=t),
            atol=bound,
            rtol=0,
        )


def test_a_spectrum_does_as_well_as_a_gram_matrix():
    j, _, y, _ = problem()
    theta = j @ j.T
    np.testing.assert_array_equal(
        nk.GradientFlow(nk.eigh(theta), y).predict_train(t=1.0),
        nk.GradientFlow(theta, y).predict_train(t=1.0),
    )


def test_one_and_no_training_point():
    one = nk.GradientFlow([[2.0]], [3.0])
    np.testing.assert_allclose(one.predict_train(t=0.5), [3 * -math.expm1(-1)], rtol=1e-14)
    for reduction in ("sum", "mean"):
        none = nk.GradientFlow(np.empty((0, 0)), np.empty((0, 2)), reduction=reduction)
        assert none.loss(t=1.0) == 0.0
        assert none.predict_train(t=[1.0, np.inf]).shape == (2, 0, 2)
        np.testing.assert_array_equal(
            none.predict(np.empty((4, 0)), t=np.inf, f0_test=1.5), np.full((4, 2), 1.5)
        )


def test_many_times_need_no_memory_of_their_own():
    n, k = 200, 20_000
    j, _, y, _ = problem(n=n, c=1, p=300)
    flow = nk.GradientFlow(j @ j.T, y)
    t = np.linspace(0, 10, k)
    tracemalloc.start()
    try:
        f = flow.predict_train(t=t)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    # One n × n matrix a time would take 6.4 GB, all times in one product 32 MB and more.
    assert peak < 2 * f.nbytes + 20e6
    np.testing.assert_allclose(f[4321], flow.predict_train(t=t[4321]), atol=1e-13, rtol=0)


def test_a_flow_keeps_its_targets_to_itself():
    y = np.ones(2)
    flow = nk.GradientFlow(np.eye(2), y)
    y[:] = np.nan
    np.testing.assert_allclose(flow.predict_train(t=np.inf), [1, 1], rtol=1e-14)


def test_a_flow_is_frozen_picklable_and_prints_a_summary():
    flow = nk.GradientFlow(np.diag([1.0, 4.0]), [1.0, 2.0], learning_rate=0.5, diag_reg=0.25)
    for fact in ("GradientFlow(", "n=2", "(2,)", "learning_rate=0.5", "'sum'", "ridge=0.25"):
        assert fact in repr(flow)
    twin = pickle.loads(pickle.dumps(flow))
    np.testing.assert_array_equal(twin.predict_train(t=0.5), flow.predict_train(t=0.5))
    with pytest.raises(dataclasses.FrozenInstanceError):
        flow.learning_rate = 1.0
