"""Gradient descent and momentum against literal loops, 50 digits, and training a linear model."""

import itertools
import math

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import ntkfast as nk
from linear_model import problem

EPS = np.finfo(float).eps


def loop(theta, y, f0, steps, rate, momentum=0.0, ridge=0.0):
    """α_k by the definition: v ← m·v − η·∇L, one step at a time."""
    alpha, v, seen = np.zeros_like(y), np.zeros_like(y), []
    for _ in range(steps + 1):
        seen.append(alpha)
        v = momentum * v - rate * (f0 + theta @ alpha - y + ridge * alpha)
        alpha = alpha + v
    return np.array(seen)


@pytest.mark.parametrize("reduction", ["sum", "mean"])
@pytest.mark.parametrize("ridge", [0.0, 0.3])
@pytest.mark.parametrize("momentum", [0.0, 0.3, 0.9, 0.999])
def test_descent_is_its_loop(momentum, ridge, reduction):
    j, j_test, y, w0 = problem()
    theta, k_test, f0, f0_test = j @ j.T, j_test @ j.T, j @ w0, j_test @ w0
    scale = y.size if reduction == "mean" else 1
    rate = 0.9 * nk.theory.max_learning_rate(theta, momentum=momentum, diag_reg=ridge)
    descent = nk.GradientDescent(
        theta,
        y,
        learning_rate=rate * scale,
        momentum=momentum,
        reduction=reduction,
        diag_reg=ridge,
    )
    alpha = loop(theta, y, f0, 60, rate, momentum, ridge)
    f = f0 + theta @ alpha
    k = np.array([[0, 1, 2], [7, 31, 60]])
    close = {"rtol": 1e-10, "atol": 1e-11}
    np.testing.assert_allclose(descent.coefficients(f0, t=k), alpha[k], **close)
    np.testing.assert_allclose(descent.predict_train(f0, t=k), f[k], **close)
    np.testing.assert_allclose(descent.residual(f0, t=k), (y - f)[k], **close)
    np.testing.assert_allclose(
        descent.predict(k_test, f0, f0_test, t=k), f0_test + k_test @ alpha[k], **close
    )
    loss = 0.5 * np.sum((y - f) ** 2, axis=(1, 2)) / scale
    np.testing.assert_allclose(descent.loss(f0, t=k), loss[k], **close)


@pytest.mark.parametrize("momentum", [0.0, 0.8])
def test_descent_trains_the_weights_of_a_linear_model(momentum):
    j, j_test, y, w0 = problem()
    rate, ridge, w, v = 0.4, 0.05, w0.copy(), np.zeros_like(w0)
    for _ in range(25):
        v = momentum * v - rate * (j.T @ (j @ w - y) + ridge * (w - w0))
        w = w + v
    descent = nk.GradientDescent(j @ j.T, y, learning_rate=rate, momentum=momentum, diag_reg=ridge)
    close = {"rtol": 1e-11, "atol": 1e-12}
    np.testing.assert_allclose(descent.parameters(j, w0, j @ w0, t=25), w, **close)
    np.testing.assert_allclose(descent.predict_train(j @ w0, t=25), j @ w, **close)
    np.testing.assert_allclose(
        descent.predict(j_test @ j.T, j @ w0, j_test @ w0, t=25), j_test @ w, **close
    )


# Each mode against 50 digits and more, with U = 1.


def recurrence(x, momentum, k):
    """(1 − ρ_k)/x and ρ_k by powers of the recurrence's matrix."""
    step = mpmath.matrix([[1 + momentum - x, -momentum, 1], [1, 0, 0], [0, 0, 1]]) ** k
    return step[0, 2], step[0, 0] + step[0, 1]


def condition(x, momentum, k):
    """What a relative change of x and m by ε does to both, in units of ε, and both."""
    tiny = mpmath.mpf(2) ** -80
    exact = recurrence(x, momentum, k)
    others = [recurrence(x * (1 + tiny), momentum, k), recurrence(x, momentum * (1 + tiny), k)]
    moved = [
        sum(abs(other[i] - exact[i]) for other in others) / tiny / (abs(exact[i]) or 1)
        for i in (0, 1)
    ]
    return exact, [1 + float(size) for size in moved]


@pytest.mark.parametrize("momentum", [0.0, 1e-12, 0.5, 0.99, 1 - 1e-9])
def test_every_regime_of_momentum_to_the_accuracy_of_its_condition(momentum):
    root = math.sqrt(momentum)
    low, high, limit = ((1 - momentum) / (1 + root)) ** 2, (1 + root) ** 2, 2 * (1 + momentum)
    beside = [0.0, 1e-15, -1e-12, 1e-6]
    rates = [1e-300, 1e-20, 1e-8, 1e-3, 0.3, 1.0, 1.7, limit * (1 - 1e-8)]
    rates += [low * (1 + d) for d in beside] + [high * (1 + d) for d in beside]
    rates = np.sort([x for x in rates if 0 < x < limit])
    steps = np.array([1, 10, 101, 10**5])
    for x in rates:  # each by itself: beside large modes small ones may be left untrained
        descent = nk.GradientDescent([[x]], [1.0], learning_rate=1.0, momentum=momentum)
        gathered, left = descent.coefficients(t=steps)[:, 0], descent.residual(t=steps)[:, 0]
        with mpmath.workdps(130):
            for i, k in enumerate(steps):
                exact, sensitivity = condition(mpmath.mpf(x), mpmath.mpf(momentum), int(k))
                for found, value, size in zip(
                    (gathered[i], left[i]), exact, sensitivity, strict=True
                ):
                    if abs(value) > 1e-80:
                        assert abs(float(mpmath.mpf(float(found)) / value - 1)) < 8 * EPS * size


def test_a_spread_of_1e16_against_50_digits():
    rng = np.random.default_rng(3)
    values = np.geomspace(1e-16, 1.0, 9)
    u, _ = np.linalg.qr(rng.normal(size=(9, 9)))
    y, rate, momentum, k = rng.normal(size=9), 1.1, 0.7, 10**6
    descent = nk.GradientDescent(nk.Spectrum(values, u), y, learning_rate=rate, momentum=momentum)
    with mpmath.workdps(60):
        basis = mpmath.matrix(u)
        modes = basis.T * mpmath.matrix(y)
        pairs = [
            recurrence(mpmath.mpf(rate) * mpmath.mpf(v), mpmath.mpf(momentum), k) for v in values
        ]
        learnt = basis * mpmath.matrix([(1 - p[1]) * m for p, m in zip(pairs, modes, strict=True)])
        alpha = basis * mpmath.matrix([rate * p[0] * m for p, m in zip(pairs, modes, strict=True)])
    found = descent.predict_train(t=k)
    np.testing.assert_allclose(found, np.array(learnt, dtype=float).ravel(), rtol=1e-12, atol=1e-13)
    expected = np.array(alpha, dtype=float).ravel()
    np.testing.assert_allclose(
        descent.coefficients(t=k), expected, rtol=0, atol=1e-12 * np.abs(expected).max()
    )


# Limits.


def test_the_limit_is_that_of_the_flow():
    j, j_test, y, w0 = problem()
    theta, k_test, f0 = j @ j.T, j_test @ j.T, j @ w0
    for momentum, ridge in itertools.product([0.0, 0.9], [0.0, 0.25]):
        descent = nk.GradientDescent(theta, y, learning_rate=0.3, momentum=momentum, diag_reg=ridge)
        alpha = np.linalg.solve(theta + ridge * np.eye(len(y)), y - f0)
        for steps in (10**6, np.inf):
            np.testing.assert_allclose(
                descent.predict(k_test, f0, t=steps), k_test @ alpha, atol=1e-11, rtol=0
            )
        np.testing.assert_allclose(
            descent.residual(f0, t=np.inf), ridge * alpha, atol=1e-12, rtol=0
        )


def test_duplicates_and_a_kernel_of_rank_one():
    j, _, y, _ = problem(n=6, c=1)
    theta = j @ j.T
    doubled, targets = np.tile(theta, (2, 2)), np.vstack([y, y + 1])
    descent = nk.GradientDescent(doubled, targets, learning_rate=0.1, momentum=0.5)
    mean = np.vstack([y, y]) + 0.5
    for steps in (3000, np.inf):
        np.testing.assert_allclose(descent.predict_train(t=steps), mean, atol=1e-12, rtol=0)
    v = np.array([3.0, 4.0]) / 5
    one = nk.GradientDescent(np.outer(v, v), [1.0, 0.0], learning_rate=1.0)
    np.testing.assert_allclose(
        one.predict_train(t=[1, 5, np.inf]), [v * 0.6] * 3, atol=1e-15, rtol=0
    )
    single = nk.GradientDescent([[2.0]], [3.0], learning_rate=0.25)
    np.testing.assert_array_equal(single.residual(t=[0, 1, 2, np.inf])[:, 0], [3, 1.5, 0.75, 0])
    nothing = nk.GradientDescent(np.zeros((2, 2)), [1.0, 2.0], learning_rate=3.0, momentum=0.5)
    np.testing.assert_array_equal(nothing.residual(t=[5, np.inf]), [[1, 2], [1, 2]])
    # Without λ the weights would move all the same: η·Σ_{j ≤ k} (1 − m^j)/(1 − m).
    np.testing.assert_allclose(nothing.coefficients(t=3), np.array([1, 2]) * 3 * (1 + 1.5 + 1.75))


@pytest.mark.parametrize("exponent", [-498, 498])  # 1e∓150
def test_any_scale_of_the_kernel(exponent):
    j, j_test, y, w0 = problem()
    theta, k_test, f0 = j @ j.T, j_test @ j.T, j @ w0
    k = np.array([0, 1, 40, 10**6, np.inf])
    plain = nk.GradientDescent(theta, y, learning_rate=0.5, momentum=0.6, diag_reg=0.125)
    scaled = nk.GradientDescent(
        np.ldexp(theta, exponent),
        y,
        learning_rate=math.ldexp(0.5, -exponent),
        momentum=0.6,
        diag_reg=math.ldexp(0.125, exponent),
    )
    np.testing.assert_allclose(
        scaled.residual(f0, t=k), plain.residual(f0, t=k), atol=1e-12, rtol=0
    )
    np.testing.assert_allclose(
        scaled.predict(np.ldexp(k_test, exponent), f0, t=k),
        plain.predict(k_test, f0, t=k),
        atol=1e-12,
        rtol=0,
    )


@given(
    st.integers(1, 6),
    st.integers(0, 10_000),
    st.floats(0, 0.99),
    st.floats(0.01, 0.99),
    st.lists(st.integers(0, 400), min_size=1, max_size=4),
)
def test_any_stable_problem_is_its_loop(n, seed, momentum, share, steps):
    j, _, y, w0 = problem(n=n, c=2, p=5, seed=seed)
    theta, f0 = j @ j.T, j @ w0
    rate = share * nk.theory.max_learning_rate(theta, momentum=momentum)
    descent = nk.GradientDescent(theta, y, learning_rate=rate, momentum=momentum)
    f = f0 + theta @ loop(theta, y, f0, max(steps), rate, momentum)
    # Heavy balls overshoot before they settle, by some 1/(1 − m): so do errors.
    bound = 1e-11 * (np.abs(y - f0).max() + np.abs(f0).max()) / (1 - momentum)
    np.testing.assert_allclose(descent.predict_train(f0, t=steps), f[steps], atol=bound, rtol=0)


# Refusals and summaries.


@pytest.mark.parametrize(("momentum", "limit"), [(0.0, 0.5), (0.5, 0.75)])
@pytest.mark.parametrize("reduction", ["sum", "mean"])
def test_an_unstable_rate_is_refused_with_the_limit(momentum, limit, reduction):
    theta = np.diag([1.0, 4.0])
    limit *= 2 if reduction == "mean" else 1
    settings = {"momentum": momentum, "reduction": reduction}
    for rate in (limit, 2 * limit):
        with pytest.raises(ValueError, match=f"learning_rate is .* learning_rate < {limit:g} "):
            nk.GradientDescent(theta, [1, 1], learning_rate=rate, **settings)
    stable = nk.GradientDescent(theta, [1, 1], learning_rate=limit * (1 - 1e-9), **settings)
    assert stable.loss(t=10**12) < 1e-30


@pytest.mark.parametrize(
    ("settings", "error", "words"),
    [
        ({"learning_rate": 0.1, "momentum": 1.0}, ValueError, "momentum is 1.0; expected 0 <= mom"),
        ({"learning_rate": 0.1, "momentum": -0.1}, ValueError, "momentum is -0.1"),
        ({"learning_rate": 0.1, "momentum": "big"}, TypeError, "momentum is 'big'"),
        ({"learning_rate": 0.0}, ValueError, "learning_rate is 0.0"),
        ({"learning_rate": 0.1, "y": np.ones((2, 0))}, ValueError, "so it has no outputs"),
    ],
)
def test_bad_settings_are_refused_by_name(settings, error, words):
    with pytest.raises(error, match=words):
        nk.GradientDescent(np.eye(2), **{"y": [1, 1], **settings})


@pytest.mark.parametrize("k", [0.5, [1, 2.25], -1, np.nan])
def test_steps_are_whole_numbers(k):
    descent = nk.GradientDescent(np.eye(2), [1, 1], learning_rate=0.1)
    with pytest.raises(ValueError, match="t is "):
        descent.loss(t=k)


def test_summaries_say_what_is_off_and_what_to_do():
    good = nk.GradientDescent(np.eye(2), [1, 1], learning_rate=0.1, momentum=0.25)
    first, *others = str(good).splitlines()
    assert first == repr(good)
    assert others == [f"  eigendecomposition in {good.seconds:.3g} s"]
    assert "momentum=0.25" in repr(good)
    singular = nk.GradientFlow(nk.Spectrum([-1e-18, 1.0], np.eye(2)), [1, 1])
    assert "rank 1 of 2" in str(singular)
    assert "diag_reg" in str(singular)
    assert "-1e-18" in str(singular)
    ridged = nk.GradientFlow(nk.Spectrum([0.0, 1.0], np.eye(2)), [1, 1], diag_reg=0.1)
    assert str(ridged) == repr(ridged)
