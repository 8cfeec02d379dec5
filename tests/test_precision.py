"""Errors against 50 digits, through the public interface."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mpmath import mp, mpf, workdps

import ntkfast as nk
from catalogue import KINKED, Description, build, kink_after_smooth
from contract import KERNELS, Points
from reference import evaluator
from reference.cases import CASES, Pairs, errors, read_points, references
from strategies import activations, dense, networks, point_sets
from tolerances import CORRELATED, KINK_AFTER_SMOOTH, contract, worst

# Multiplying by a power of two is exact, so the references scale with it; these are near 1e±150.
SCALES = {"1e150": 498, "1e-150": -498}


@pytest.fixture(scope="module")
def points() -> dict[str, Any]:
    return read_points()


def assert_within(found: dict[str, float], tolerance: float) -> None:
    beyond = {pair: error for pair, error in found.items() if not error <= tolerance}
    assert not beyond


@pytest.mark.parametrize(
    ("name", "key"), [(name, key) for name, case in CASES.items() for key in case["values"]]
)
def test_references(name: str, key: str, points: dict[str, Any]) -> None:
    dtype, which = key.split("/")
    network = build(CASES[name]["network"])
    x = points[which].astype(dtype)
    assert_within(errors(network, x, references(name, key, points)), contract(dtype))


@pytest.mark.parametrize("name", ["relu_3", "relu_50", "abs_10", "abrelu_opposite_sign_3"])
@pytest.mark.parametrize("power", SCALES.values(), ids=SCALES.keys())
def test_inputs_of_extreme_size(name: str, power: int, points: dict[str, Any]) -> None:
    # The squares of what is tiny or huge before scaling leave the range of the format.
    ordinary = {
        i for i, label in enumerate(points["names"]) if not label.startswith(("tiny", "hug"))
    }
    x = np.ldexp(points["d3"], power)
    x[[i for i in range(len(x)) if i not in ordinary]] = 0.0
    expected = references(name, "float64/d3", points)
    expected = {pair: values for pair, values in expected.items() if ordinary.issuperset(pair)}
    found = errors(build(CASES[name]["network"]), x, expected, power)
    assert_within(found, contract(np.float64))


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@given(description=networks(smooth=False), x=point_sets(min_n=1, max_n=5, max_d=4))
def test_random_homogeneous_networks(dtype: str, description: Description, x: Points) -> None:
    x = x.astype(dtype)
    expected = evaluator.every_pair(description, x)
    assert_within(errors(build(description), x, expected), contract(dtype))


@given(data=st.data(), x=point_sets(min_n=1, max_n=2, max_d=3))
def test_random_networks_of_many_layers(data: st.DataObject, x: Points) -> None:
    description = data.draw(networks(smooth=False, min_blocks=20, max_blocks=20))
    expected = evaluator.every_pair(description, x)
    assert_within(errors(build(description), x, expected), contract(x.dtype))


@settings(max_examples=settings().max_examples // 3)  # each costs 0.3 s
@given(description=networks(min_blocks=20, max_blocks=20), x=point_sets(min_n=2, max_n=2, max_d=3))
def test_random_networks_of_many_layers_of_any_kind(description: Description, x: Points) -> None:
    assert_random_network(description, x)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@given(description=networks(), x=point_sets(min_n=1, max_n=4, max_d=3))
def test_random_networks(dtype: str, description: Description, x: Points) -> None:
    assert_random_network(description, x.astype(dtype))


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@given(
    before=networks(smooth=False, max_blocks=2),
    after=activations(),
    layers=st.tuples(dense(), dense(), dense()),
    x=point_sets(min_n=1, max_n=4, max_d=3),
)
def test_sign_followed_by_anything(
    dtype: str, before: Description, after: Description, layers: tuple[Any, ...], x: Points
) -> None:
    first, second, last = layers
    description = ["serial", before, first, ["sign"], second, after, last]
    assert_random_network(description, x.astype(dtype))


def assert_random_network(description: Description, x: Points) -> None:
    """Within the contract, but for what the rounding of points and weights does."""
    dtype = x.dtype.name
    expected = evaluator.every_pair(description, x)
    slack = conditioning(description, x, expected)
    found = errors(build(description), x, expected)
    beyond = {pair: error - 4 * slack[pair] for pair, error in found.items()}
    near = {(i, j) for i, j in expected if meets_a_kink_nearly_coincident(description, x[i], x[j])}
    if kink_after_smooth(description):
        loose = {f"{name} {i}, {j}" for name in KERNELS for i, j in near}
        assert_within({p: beyond[p] for p in loose}, KINK_AFTER_SMOOTH[dtype])
        beyond = {p: error for p, error in beyond.items() if p not in loose}
    assert_within(beyond, contract(dtype))


def meets_a_kink_nearly_coincident(description: Description, x: Points, y: Points) -> bool:
    """Whether two different points are nearly equal or opposite where a kinked activation acts."""
    near = []

    def visit(kind: str, m: evaluator.Moments) -> None:
        if kind in KINKED:
            near.append(abs(m.k12) > CORRELATED * mp.sqrt(m.k11 * m.k22))

    with workdps(evaluator.WORKING_DIGITS):
        evaluator.propagate(description, evaluator.moments(x, y), visit)
    return any(near) and not np.array_equal(x, y)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize(
    ("a", "b"),
    [
        *((-1.0, 1.0), (-1.5, 1.5), (3.0, -3.0), (-0.7, 0.7), (-1.0, 1.0000001), (-0.3, 0.3001)),
        *((1.0, 1.0000001), (0.3, 0.3), (1e-9, 1.0), (-1e-9, 1.0), (1e4, 1.0), (0.0, 0.0)),
    ],
)
def test_slopes_that_nearly_cancel(a: float, b: float, dtype: str) -> None:
    # At antipodal points 1 − ρ behind the activation is (a + b)²/(a² + b²): its rounding counts.
    row, shift = np.array([1.0, 2.0, 3.0]), np.array([0.0, 1.0, 0.0])
    near = [row + 1e-9 * shift, -row + 1e-7 * shift]
    x = np.array([row, -row, -0.3 * row, *near, [3.0, -1.0, 2.0]], dtype)
    layers = [["dense", 1.0, None], ["abrelu", a, b]]
    description = ["serial", *layers * 3, ["dense", 1.0, None]]
    expected = evaluator.every_pair(description, x)
    assert_within(errors(build(description), x, expected), contract(dtype))


@pytest.mark.parametrize(("dtype", "depth"), [("float32", 10), ("float64", 60)])
def test_nothing_overflows_on_the_way_to_a_result(dtype: str, depth: int) -> None:
    x = np.array([[1.0, 2.0], [1.0, 2.0], [-2.0, 1.0], [0.0, 0.0]], dtype)
    up, down = [["dense", 1e3, None], ["relu"]], [["dense", 1e-3, None], ["relu"]]
    description = ["serial", *up * depth, *down * depth]
    expected = evaluator.every_pair(description, x)
    assert_within(errors(build(description), x, expected), contract(dtype))
    with pytest.raises(nk.NumericalError, match=rf"(?s)sample 0 .*layer \d+ .*{dtype}"):
        build(["serial", *up * depth]).ntk(x)


def test_a_deep_network_that_only_float64_can_hold() -> None:
    x = np.array([[1.0, 2.0], [1.0, 2.0 + 1e-7], [-2.0, 1.0]])
    description = ["serial", *[["dense", 3.0, None], ["relu"]] * 100, ["dense", 3.0, None]]
    expected = evaluator.every_pair(description, x)
    assert_within(errors(build(description), x, expected), contract(np.float64))
    with pytest.raises(nk.NumericalError, match=r"(?s)layer \d+ .*float32.*float64"):
        build(description).ntk(x.astype(np.float32))


def conditioning(description: Description, x: Points, expected: Pairs) -> dict[str, float]:
    """Return how far each kernel moves when the numbers that were given move by their rounding.

    A chaotic network (χ > 1) amplifies it, and no program can know better than its input.
    """
    epsilon = float(np.finfo(x.dtype).eps)
    moved = {
        (i, j): evaluator.kernels(
            jiggle(description, epsilon), jiggled(x[i], epsilon), x[j], same=i == j
        )
        for i, j in expected
    }
    gaps = {}
    with workdps(evaluator.DIGITS):
        for which, name in enumerate(KERNELS):
            for (i, j), values in expected.items():
                scale = mp.sqrt(mpf(expected[i, i][which]) * mpf(expected[j, j][which]))
                gap = abs(moved[i, j][which] - mpf(values[which]))
                gaps[f"{name} {i}, {j}"] = float(gap / scale) if scale else 0.0
    return gaps


def jiggle(description: Description, epsilon: float) -> Description:
    """Move the weights of a network by one part in 1/ε."""
    kind, *parts = description
    if kind == "dense":
        return [kind, parts[0] * (1 + epsilon), *parts[1:]]
    return [kind, *(jiggle(p, epsilon) if isinstance(p, (list, tuple)) else p for p in parts)]


def jiggled(row: Points, epsilon: float) -> list[Any]:
    """Move the coordinates of a point by one part in 1/ε, to and fro."""
    with workdps(evaluator.DIGITS):
        return [mpf(float(v)) * (1 + (-1) ** k * mpf(epsilon)) for k, v in enumerate(row)]


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize(
    "activation",
    [
        ["erf", 1.0, 1.0, 0.0],
        ["gelu"],
        ["sin", 1.0, 1.0, 0.0],
        ["sin", 1.0, 1.0, 0.4],
        ["cos", 1.0, 1.0, 0.0],
        ["sigmoid_like"],
        ["rbf", 1.0],
        ["exp", 1.0, 5e-4],
        ["exp_normalized", 1.0, -1.0],
        ["gaussian", 1.0, -1.0],
        ["gabor"],
    ],
    ids=str,
)
def test_parallel_points_of_any_norm(activation: list[Any], dtype: str) -> None:
    # What a smooth activation makes of them, from the linear to the saturated, is 1 − ρ alone.
    powers = (-30, -12, -8, -5, -3, -2, -1, 0, 1, 2, 4, 8, 12)
    x = np.array([np.ldexp([1.0, 2.0], power) for power in powers], dtype)
    layer = ["dense", 1.0, None]
    description = ["serial", layer, activation, layer]
    expected = evaluator.every_pair(description, x)
    assert_within(errors(build(description), x, expected), contract(dtype))
    description += [["relu"], layer]
    expected = evaluator.every_pair(description, x)
    assert_within(errors(build(description), x, expected), KINK_AFTER_SMOOTH[dtype])


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("size", [1e-6, 1.0, 1e6])
@pytest.mark.parametrize(
    "activation",
    [
        *(["relu"], ["abs"], ["sign"], ["erf", 1.0, 1.0, 0.0], ["sigmoid_like"], ["gelu"]),
        *(["sin", 1.0, 1.0, 0.0], ["rbf", 1.0], ["exp", 1.0, 1.0], ["exp_normalized", 1.0, -1.0]),
        *(["cos", 1.0, 1.0, 0.4], ["gaussian", 1.0, -1.0], ["gabor"]),
    ],
    ids=str,
)
def test_tiny_and_huge_variances(activation: list[Any], size: float, dtype: str) -> None:
    if activation[0] == "exp" and size > 1.0:
        pytest.skip("no value that can be held")
    near = math.sqrt(2e-12)  # ρ = 1 − 1e-12
    angles = np.array([0.0, 0.0, near, math.pi / 2, math.pi - near])
    x = size * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    x = np.concatenate([x, -x[:1], np.zeros((1, 2))]).astype(dtype)
    layer = ["dense", 1.0, None]
    assert_random_network(["serial", layer, activation, layer], x)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_phases_beyond_what_float32_can_hold(dtype: str) -> None:
    # Only equal and opposite rows have anything in common: E[sin(u + c) sin(−u + c)] = −cos(2c)/2.
    x = np.array([[1.0, 2.0], [1.0, 2.0], [-1.0, -2.0], [2.0, 4.0], [-1.0, 3.0]], dtype)
    up = nk.Dense(w_std=1e25)
    got = nk.Serial(up, nk.Identity(), up, nk.Sin(c=0.4), nk.Dense()).nngp(x)
    opposite = -math.cos(0.8) / 2
    expected = np.diag([0.5] * 5)
    expected[0, 1] = expected[1, 0] = 0.5
    expected[:2, 2] = expected[2, :2] = opposite
    assert worst(got, expected, np.full((5, 5), 0.5)) <= contract(dtype)


def test_a_bias_that_starts_at_zero_is_no_bias(points: dict[str, Any]) -> None:
    with_zero = nk.mlp(2, nk.Relu(), w_std=1.4, b_std=0.0)
    without = nk.mlp(2, nk.Relu(), w_std=1.4)
    for a, b in zip(with_zero.kernels(points["d3"]), without.kernels(points["d3"]), strict=True):
        np.testing.assert_array_equal(a, b)
