"""Training rules: objects that a training has, each correct for a single mode."""

from dataclasses import dataclass, fields

import numpy as np
import pytest
import scipy.integrate

import ntkfast as nk
from contract import same_bits
from ntkfast.dynamics.rules import ContinuousTime, HeavyBall, Rule
from ntkfast.dynamics.spectral import SpectralTraining

VALUES = np.array([0.0, 1e-3, 0.4, 2.0])


@pytest.mark.parametrize("ridge", [0.0, 0.1])
def test_continuous_time_solves_the_equation_of_a_mode(ridge):
    """g' = η·(1 − (λ + r)·g) from g = 0, integrated by SciPy."""
    t, rate = np.array([0.0, 0.5, 3.0]), 0.7
    rule = ContinuousTime()
    found = rule.gathered(VALUES, t, rate=rate, ridge=ridge, tolerance=0.0)
    course = scipy.integrate.solve_ivp(
        lambda _, g: rate * (1 - (VALUES + ridge) * g),
        (0.0, 3.0),
        np.zeros(4),
        t_eval=t,
        rtol=1e-10,
        atol=1e-12,
    )
    np.testing.assert_allclose(found, course.y.T, rtol=0, atol=1e-8)
    decay = rule.decay(VALUES, t, rate=rate, ridge=ridge)
    np.testing.assert_allclose(decay, 1 - (VALUES + ridge) * course.y.T, rtol=0, atol=1e-8)
    assert rule.speed(rate) == rate
    assert rule.limit == np.inf
    assert list(rule.facts()) == []


@pytest.mark.parametrize("momentum", [0.0, 0.6])
@pytest.mark.parametrize("ridge", [0.0, 0.1])
def test_the_heavy_ball_takes_the_steps_of_a_mode(momentum, ridge):
    rate, shifted = 0.3, VALUES + ridge
    rule = HeavyBall(momentum)
    weight, velocity = np.zeros(4), np.zeros(4)
    steps = [weight]
    for _ in range(9):
        velocity = momentum * velocity + rate * (1 - shifted * weight)
        weight = weight + velocity
        steps.append(weight)
    t = np.arange(10.0)
    found = rule.gathered(VALUES, t, rate=rate, ridge=ridge, tolerance=0.0)
    np.testing.assert_allclose(found, steps, rtol=1e-12, atol=1e-14)
    decay = rule.decay(VALUES, t, rate=rate, ridge=ridge)
    np.testing.assert_allclose(decay, 1 - shifted * np.array(steps), rtol=0, atol=1e-13)
    assert rule.speed(rate) == rate / (1 - momentum)
    assert rule.limit == 2 * (1 + momentum)
    end = rule.gathered(VALUES[2:], np.array([np.inf]), rate=rate, ridge=ridge, tolerance=0.0)
    np.testing.assert_allclose(end[0], 1 / shifted[2:], rtol=1e-15)


def test_rules_are_data_and_refuse_what_is_none():
    assert HeavyBall(0.5) == HeavyBall(0.5) != HeavyBall(0.0)
    assert repr(HeavyBall(0.5)) == "HeavyBall(momentum=0.5)"
    assert {ContinuousTime(), ContinuousTime()} == {ContinuousTime()}
    with pytest.raises(ValueError, match=r"momentum is 1\.0; expected 0 <= momentum < 1"):
        HeavyBall(1.0)
    with pytest.raises(TypeError, match="momentum is 'much'"):
        HeavyBall("much")
    with pytest.raises(ValueError, match="a whole number of steps"):
        HeavyBall().times([0.5])


@dataclass(frozen=True)
class Implicit(Rule):
    """Implicit Euler steps, w ← w − η·∇L(w at the end of the step), which are always stable."""

    def gathered(self, values, t, *, rate, ridge, tolerance):
        shifted = np.where(values + ridge > 0, values + ridge, 1.0)
        learnt = (1 - self.decay(values, t, rate=rate, ridge=ridge)) / shifted
        return np.where(values + ridge > 0, learnt, rate * t[:, None])

    def decay(self, values, t, *, rate, ridge):
        return (1 + rate * (values + ridge)) ** -t[:, None]


@pytest.mark.parametrize("reduction", ["sum", "mean"])
def test_a_training_takes_any_rule(reduction):
    rng = np.random.default_rng(8)
    x, x_test, y = rng.normal(size=(6, 2)), rng.normal(size=(3, 2)), rng.normal(size=(6, 2))
    net = nk.mlp(1, nk.Erf(), b_std=0.3)
    theta, k_test = net.ntk(x), net.ntk(x_test, x)
    f0, f0_test = rng.normal(size=(6, 2)), rng.normal(size=(3, 2))
    rate = 5.0 / (y.size if reduction == "mean" else 1)
    settings = {"diag_reg": 0.05, "relative_diag_reg": 0.0}
    training = SpectralTraining(
        theta, y, Implicit(), learning_rate=5.0, reduction=reduction, **settings
    )
    alpha = np.zeros((6, 2))
    for step in range(4):
        f = f0 + theta @ alpha
        close = {"rtol": 0, "atol": 1e-11}
        np.testing.assert_allclose(training.coefficients(f0, t=step), alpha, **close)
        np.testing.assert_allclose(training.predict_train(f0, t=step), f, **close)
        np.testing.assert_allclose(training.residual(f0, t=step), y - f, **close)
        on_test = f0_test + k_test @ alpha
        np.testing.assert_allclose(training.predict(k_test, f0, f0_test, t=step), on_test, **close)
        # (1 + η(Θ + r))·α' = α + η·(y − f_0)
        matrix = np.eye(6) + rate * (theta + 0.05 * np.eye(6))
        alpha = np.linalg.solve(matrix, alpha + rate * (y - f0))


def test_the_public_trainings_are_one_class_with_their_rules():
    theta, y = np.diag([1.0, 2.0]), [1.0, 1.0]
    flow = nk.GradientFlow(theta, y)
    descent = nk.GradientDescent(theta, y, learning_rate=0.1, momentum=0.9)
    assert (flow.rule, descent.rule) == (ContinuousTime(), HeavyBall(0.9))
    assert descent.momentum == 0.9
    for training, class_ in ((flow, nk.GradientFlow), (descent, nk.GradientDescent)):
        assert class_.__bases__ == (SpectralTraining,)
        # A constructor; and what the rule says, by name.
        own = {name for name, value in vars(class_).items() if callable(value)} - {"__class__"}
        inherited = {name for name in own if name.startswith("__")} - {"__init__"}
        assert own - inherited == {"__init__"}
        same = SpectralTraining(
            theta,
            y,
            training.rule,
            **{
                field.name: getattr(training, field.name)
                for field in fields(training)
                if field.name not in ("rule", "solver", "prepared", "y")
            },
        )
        assert same_bits(
            same.predict_train(t=[0, 3, np.inf]), training.predict_train(t=[0, 3, np.inf])
        )


def test_files_hold_the_rule_of_their_training(tmp_path):
    descent = nk.GradientDescent(np.eye(2), [1.0, 1.0], learning_rate=0.1, momentum=0.9)
    nk.save(tmp_path / "a.npz", descent)
    assert nk.load(tmp_path / "a.npz").rule == HeavyBall(0.9)
    with np.load(tmp_path / "a.npz") as file:
        arrays = dict(file)
    text = arrays["header"].tobytes().decode()
    for old, new, message in (
        ('"momentum": 0.9', '"momentum": 1.5', "damaged: momentum is 1.5"),
        (
            '"momentum": 0.9',
            '"momentum": "0.9"',
            "HeavyBall has momentum = '0.9', which has the wrong type",
        ),
        (
            '{"object": "HeavyBall", "fields": {"momentum": 0.9}}',
            '{"object": "ContinuousTime", "fields": {}}',
            "GradientDescent has rule = .*, which has the wrong type",
        ),
    ):
        assert old in text
        arrays["header"] = np.frombuffer(text.replace(old, new).encode(), np.uint8)
        np.savez(tmp_path / "a.npz", **arrays)
        with pytest.raises(ValueError, match=message):
            nk.load(tmp_path / "a.npz")
