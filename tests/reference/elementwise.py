"""Functions that tests of fitted activations apply to every neuron, the rows, and the values."""

import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import special

from reference import elementwise_exact as exact
from reference import elementwise_functions as functions
from reference.elementwise_exact import Exact
from reference.elementwise_functions import SELU_ALPHA, SELU_SCALE, TRIANGLE

Function = Callable[[NDArray[np.float64]], NDArray[np.float64]]

# Rows by set: the standard deviations of the neurons, and the correlation that each row has with
# the row before.
NEAR = 1 - 1e-7
SETS: dict[str, tuple[tuple[float, float, float], tuple[float, float]]] = {
    "one norm": ((1, 1, 1), (NEAR, 0.5)),
    "mixed": ((0.5, 1, 2), (0.97, -0.3)),
    "four decades": ((1e-2, 1, 1e2), (1, -0.99)),
    "six decades": ((1e-3, 1, 1e3), (0.97, NEAR)),
    "from one": ((1, 30, 1e3), (NEAR, -0.3)),
    "up to one": ((1e-2, 0.1, 1), (0.97, NEAR)),
    "variance 100": ((10, 10, 10), (0.97, -0.99)),
    "tiny": ((1e-6, 2e-6, 1), (0.5, -0.3)),
}
ALL = ("one norm", "mixed", "four decades", "six decades")
FROM_ONE = ("one norm", "mixed", "from one")  # of functions that vanish around 0
UP_TO_ONE = ("one norm", "mixed", "up to one")  # of functions that grow or oscillate fast


def rows(name: str) -> NDArray[np.float64]:
    """Return the rows of a set, (3, 2), whose norms are those standard deviations times √2."""
    scales, correlations = SETS[name]
    angles = np.cumsum([0.0, *map(math.acos, correlations)])
    directions = np.column_stack([np.cos(angles), np.sin(angles)])
    return np.asarray(directions * math.sqrt(2) * np.array(scales)[:, None])


@dataclass(frozen=True)
class Case:
    """One function: how NumPy computes it, what it is, and where it is not smooth.

    Attributes
    ----------
    splits
        Kinks and steps. The function is analytic up to them from either side.
    features
        Centre and width of what is smooth but narrow: half the distance to the poles, or the
        standard deviation of a bump.
    singular
        The function is not analytic up to 0, which is one of `splits`.
    frequency
        The fastest oscillation, in radians per unit of z.
    growth
        The function and its derivative are below e^(growth·|z|), times a power.
    reach
        Standard deviations that matter in the integrals.
    rough
        E[φ'(u)²] is infinite.
    """

    name: str
    fn: Function
    exact: Exact
    sets: tuple[str, ...] = ALL
    splits: tuple[float, ...] = ()
    features: tuple[tuple[float, float], ...] = ()
    singular: bool = False
    frequency: float = 0
    growth: float = 0
    reach: float = 13
    rough: bool = False


FLOORS = [n / 2 for n in range(-6, 6)]
FLOORED = tuple(FLOORS[1:])
ROUNDS = [n / 4 for n in range(-8, 9)]
ROUNDED = tuple(value - 0.125 for value in ROUNDS[1:])
WAVES = [(0, 0), (3, 1), (-1, -1), (1, 1), (1, -1), (-1, 1), (3, -1), (0, 0)]
POLE = math.pi / 2


def _case(name: str, definition: Exact, fn: Function | None = None, **where: Any) -> Case:
    return Case(name, fn or getattr(functions, name), definition, **where)


SINGULAR: dict[str, Any] = {"splits": (0,), "singular": True}
BUMP: dict[str, Any] = {"features": ((0, POLE), (1, 7e-4))}
FAST = (*UP_TO_ONE, "tiny")
OSCILLATING = (*FAST, "four decades")
CASES = [
    # Steps and kinks.
    _case("step", exact.steps([0], [0, 1]), splits=(0,)),
    _case("sign", exact.steps([0], [-1, 1]), np.sign, splits=(0,)),
    _case("step_at_0_3", exact.steps([0.3], [0, 1]), splits=(0.3,), sets=FROM_ONE),
    _case(
        "staircase_floor",
        exact.steps(FLOORED, [n / 2 for n in range(-6, 6)]),
        splits=tuple(FLOORED),
    ),
    _case(
        "staircase_rounded",
        exact.steps(ROUNDED, ROUNDS),
        splits=ROUNDED,
        sets=FROM_ONE,
    ),
    _case("hardtanh", exact.pieces([-1, 1], [(-1, 0), (0, 1), (1, 0)]), splits=(-1, 1)),
    _case("relu6", exact.pieces([0, 6], [(0, 0), (0, 1), (6, 0)]), splits=(0, 6)),
    _case("hinge_at_6", exact.pieces([6], [(0, 0), (-6, 1)]), splits=(6,), sets=FROM_ONE, reach=24),
    _case("hinge_at_0_5", exact.pieces([0.5], [(0, 0), (-0.5, 1)]), splits=(0.5,), sets=FROM_ONE),
    _case(
        "softshrink",
        exact.pieces([-0.5, 0.5], [(0.5, 1), (0, 0), (-0.5, 1)]),
        splits=(-0.5, 0.5),
        sets=FROM_ONE,
    ),
    _case(
        "hardsigmoid",
        exact.scaled(exact.pieces([-3, 3], [(0, 0), (3, 1), (6, 0)]), outer=1 / 6),
        splits=(-3, 3),
    ),
    _case("hardswish", exact.hardswish, splits=(-3, 3)),
    _case(
        "triangle_wave",
        exact.pieces(
            TRIANGLE, [(0, 0), (3, 1), (-1, -1), (1, 1), (1, -1), (-1, 1), (3, -1), (0, 0)]
        ),
        splits=TRIANGLE,
    ),
    _case("abs_at_1", exact.pieces([1], [(1, -1), (-1, 1)]), splits=(1,)),
    _case(
        "leaky_relu_at_minus_0_5",
        lambda m, z: (z + 0.5, 1 + 0 * z) if z > -0.5 else (0.1 * (z + 0.5), 0.1 * (1 + 0 * z)),
        splits=(-0.5,),
    ),
    # Oscillation.
    _case("sin_3", exact.sine(3), frequency=3, sets=OSCILLATING),
    _case("sin_10", exact.sine(10), frequency=10, sets=FAST),
    _case("cos_10", exact.cosine(10), frequency=10, sets=FAST),
    # Of other rows the integrals take too long; the closed form has them.
    _case("sin_40", exact.sine(40), frequency=40, sets=("up to one", "tiny")),
    _case("cos", exact.cosine(1), np.cos, frequency=1, sets=OSCILLATING),
    _case("z_sin_5", exact.z_sine(5), frequency=5, sets=FAST),
    _case("sinc", exact.sinc, frequency=1, sets=(*UP_TO_ONE, "variance 100")),
    # Narrow features.
    _case("tanh_and_bump_100", lambda m, z: exact.tanh_and_bump(m, z, 100), **BUMP),
    _case("tanh_and_bump_1e4", lambda m, z: exact.tanh_and_bump(m, z, 1e4), **BUMP),
    _case("tanh_and_bump_1e6", lambda m, z: exact.tanh_and_bump(m, z, 1e6), **BUMP),
    _case(
        "bump_1e4",
        lambda m, z: exact.gaussian(m, z - 1, 1e4, 1e4),
        features=((1, 7e-3),),
        sets=FROM_ONE,
    ),
    _case("gaussian_narrow", lambda m, z: exact.gaussian(m, z, 1, 1e4), features=((0, 7e-3),)),
    _case("gaussian", exact.gaussian, features=((0, 0.7),)),
    # Small, large, far.
    _case("tanh_1e_310", exact.scaled(exact.tanh, outer=1e-310), features=((0, POLE),)),
    _case("tanh_1e_150", exact.scaled(exact.tanh, outer=1e-150), features=((0, POLE),)),
    _case("tanh_1e100", exact.scaled(exact.tanh, outer=1e100), features=((0, POLE),)),
    _case("tanh_plus_1e6", exact.scaled(exact.tanh, shift=1e6), features=((0, POLE),)),
    _case("sin_plus_1e3", exact.sine(1, 1e3), frequency=1, sets=FAST),
    _case("tanh_from_minus_10", exact.moved(exact.tanh, -10), features=((-10, POLE),)),
    _case("tanh_from_5", exact.moved(exact.tanh, 5), features=((5, POLE),)),
    _case("sigmoid_from_20", exact.moved(exact.sigmoid, 20), features=((20, 2 * POLE),), reach=24),
    # Singular at 0.
    _case("sqrt_abs", exact.power(0.5), rough=True, **SINGULAR),
    _case("power_0_55", exact.power(0.55), **SINGULAR),
    _case("power_0_75", exact.power(0.75), **SINGULAR),
    _case("signed_sqrt", exact.power(0.5, odd=True), rough=True, **SINGULAR),
    _case("power_1_5", exact.power(1.5), **SINGULAR),
    _case("z_log_abs", exact.z_log_abs, **SINGULAR),
    # Steep.
    _case(
        "arctan_100",
        lambda m, z: (m.atan(100 * z), 100 / (1 + 10000 * z * z)),
        features=((0, 0.01),),
        sets=(*ALL, "variance 100"),
    ),
    _case("erf_1000", exact.scaled(exact.erf, inner=1000), features=((0, 7e-4),)),
    _case("tanh_1000", exact.scaled(exact.tanh, inner=1000), features=((0, POLE / 1000),)),
    _case("softplus_50", exact.scaled(exact.softplus, 50, 1 / 50), features=((0, POLE / 25),)),
    # Smooth.
    _case("tanh", exact.tanh, np.tanh, features=((0, POLE),), sets=(*ALL, "tiny")),
    _case("sigmoid", exact.sigmoid, features=((0, 2 * POLE),)),
    _case("softplus", exact.softplus, features=((0, 2 * POLE),)),
    _case("swish", exact.swish, features=((0, 2 * POLE),)),
    _case("mish", exact.mish, features=((0, 2),)),
    _case("elu_0_7", lambda m, z: exact.elu(m, z, 0.7), splits=(0,), features=((0, 1),)),
    _case(
        "selu",
        lambda m, z: exact.elu(m, z, SELU_ALPHA, SELU_SCALE),
        splits=(0,),
        features=((0, 1),),
    ),
    _case("gelu", exact.gelu, features=((0, 1),)),
    _case("normal", exact.normal, special.ndtr, features=((0, 1),)),
    _case("erf", exact.erf, special.erf, features=((0, 0.7),)),
    _case("arctan", lambda m, z: (m.atan(z), 1 / (1 + z * z)), np.arctan, features=((0, 1),)),
    _case("square", lambda m, z: (z * z, 2 * z)),
    _case("cube", lambda m, z: (z * z * z, 3 * z * z)),
    _case("exp", lambda m, z: (m.exp(z), m.exp(z)), np.exp, growth=1, sets=UP_TO_ONE),
    _case("expm1", lambda m, z: (m.expm1(z), m.exp(z)), np.expm1, growth=1, sets=UP_TO_ONE),
    _case("sinh", lambda m, z: (m.sinh(z), m.cosh(z)), np.sinh, growth=1, sets=UP_TO_ONE),
    _case(
        "lorentzian",
        lambda m, z: (1 / (1 + z * z), -2 * z / (1 + z * z) ** 2),
        features=((0, 1),),
    ),
    _case(
        "log_one_plus_square",
        lambda m, z: (m.log1p(z * z), 2 * z / (1 + z * z)),
        features=((0, 1),),
    ),
    _case("sech", exact.sech, features=((0, POLE),)),
    _case("softsign", exact.softsign, splits=(0,), features=((0, 1),)),
    _case(
        "z_gaussian",
        lambda m, z: (z * m.exp(-z * z / 2), (1 - z * z) * m.exp(-z * z / 2)),
        features=((0, 1),),
    ),
    _case(
        "sqrt_one_plus_square",
        lambda m, z: (m.sqrt(1 + z * z), z / m.sqrt(1 + z * z)),
        features=((0, 1),),
    ),
]


def committed(name: str) -> dict[str, Any]:
    """Return the values of a function by set: points, and `nngp` and `slope` of pairs i ≤ j."""
    path = Path(__file__).parent / "values" / "elementwise" / f"{name}.json"
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found
