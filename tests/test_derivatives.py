"""Derivatives of kernels by points, against differences of the textbook formulae at 160 digits."""

import numpy as np
import pytest
from mpmath import mpf, workdps

import ntkfast as nk
from catalogue import NETWORKS, build
from ntkfast import NumericalError
from reference import evaluator

RNG = np.random.default_rng(11)
BASE = RNG.standard_normal((5, 4))


def turned(x, angle):
    """Return a row of the same norm at an angle."""
    side = RNG.standard_normal(len(x))
    side -= side @ x / (x @ x) * x
    return np.cos(angle) * x + np.sin(angle) * np.linalg.norm(x) / np.linalg.norm(side) * side


PAIRS = {
    "ordinary": (BASE[0], BASE[1]),
    "unequal": (0.3 * BASE[1], 2.0 * BASE[2]),
    **{f"angle {a:.0e}": (BASE[0], turned(BASE[0], a)) for a in (1e-2, 1e-4, 1e-8, 1e-12)},
    "angle 1e-04, longer": (BASE[3], 1.5 * turned(BASE[3], 1e-4)),
    "equal": (BASE[4], BASE[4].copy()),
    "parallel": (BASE[4], 2.0 * BASE[4]),
    "antipodal": (BASE[3], -BASE[3]),
    "nearly antipodal": (BASE[3], -turned(BASE[3], 1e-6)),
    "zero": (BASE[2], np.zeros(4)),
}
X, Z = (np.array([pair[side] for pair in PAIRS.values()]) for side in (0, 1))
MOVE = RNG.standard_normal(X.shape)
STEP = mpf(10) ** -40
ANGLES = np.array(
    [
        np.arctan2(np.linalg.norm(u - (u @ v) / (v @ v) * v), abs(u @ v) / np.linalg.norm(v))
        if v.any()
        else 1.0
        for u, v in zip(X, Z, strict=True)
    ]
)


def textbook(description, x, z, moves):
    """Return how fast the NNGP and the NTK change where both rows move, by central differences."""
    with workdps(evaluator.WORKING_DIGITS):
        ends = [
            evaluator.kernels(
                description,
                *(
                    [mpf(a) + sign * STEP * mpf(b) for a, b in zip(row, move, strict=True)]
                    for row, move in zip((x, z), moves, strict=True)
                ),
            )
            for sign in (1, -1)
        ]
        return [float((a - b) / (2 * STEP)) for a, b in zip(*ends, strict=True)]


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("side", ["x", "x2"])
def test_derivatives_by_points_are_those_of_the_formulae(name, side):
    """Within 1e-13·(1 + 1/φ) of their size, for rows at an angle φ."""
    network = build(NETWORKS[name])
    # Rows of zeros, which have no direction, stay where they are.
    moved = X if side == "x" else Z
    move = np.where(moved.any(axis=1)[:, None], MOVE, 0.0)
    moves = [move, np.zeros_like(Z)] if side == "x" else [np.zeros_like(X), move]
    points = zip(X, Z, zip(*moves, strict=True), strict=True)
    expected = np.array([textbook(NETWORKS[name], *pair) for pair in points]).T
    norms = np.maximum(np.linalg.norm(moved, axis=1), 1e-300)
    for kernel, truth in zip(("nngp", "ntk"), expected, strict=True):
        value = getattr(network, kernel)
        got = getattr(network, f"{kernel}_jvp")(X, Z, *moves).diagonal()
        size = np.sqrt(value(X, diagonal=True) * value(Z, diagonal=True)) / norms
        bound = 1e-13 * np.maximum(np.where(moved.any(axis=1), size, 0.0), abs(truth))
        # The error of a cosine, divided by the angle.
        error = abs(got - truth) / np.where(ANGLES > 0, 1 + 1 / np.maximum(ANGLES, 1e-300), 1.0)
        np.testing.assert_array_less(error, bound + 1e-300)


SOME = [
    nk.mlp(3, b_std=0.3),
    nk.mlp(2, nk.Gelu(), b_std=0.1),
    nk.mlp(1, nk.Tanh(), w_std=1.3, b_std=0.2),
    build(NETWORKS["joins in joins"]),
    build(NETWORKS["concatenate, widths"]),
]


@pytest.mark.parametrize("network", SOME, ids=repr)
@pytest.mark.parametrize("kernel", ["ntk", "nngp"])
@pytest.mark.parametrize("features", [3, 50])
def test_products_with_vectors_are_adjoint(network, kernel, features):
    """Σ g∘J(v) = Σ v∘Jᵀ(g), for two sets and for one, whole or as thin factors."""
    rng = np.random.default_rng(1)
    x, z, v, w = (rng.standard_normal((k, features)) for k in (300, 70, 300, 70))
    x[:4] = z[:4]
    u, t = rng.standard_normal((300, 2)), rng.standard_normal((70, 2))
    g, square = u @ t.T, rng.standard_normal((300, 300))
    vjp, jvp = getattr(network, f"{kernel}_vjp"), getattr(network, f"{kernel}_jvp")
    by_x, by_z = vjp(x, z, g)
    assert (by_x.shape, by_z.shape) == (x.shape, z.shape)
    total = (g * jvp(x, z, v, w)).sum()
    assert (by_x * v).sum() + (by_z * w).sum() == pytest.approx(total, rel=1e-10)
    for got, expected in zip(vjp(x, z, (u, t)), (by_x, by_z), strict=True):
        np.testing.assert_allclose(got, expected, rtol=1e-10, atol=1e-10 * abs(expected).max())
    total = (square * jvp(x, None, v)).sum()
    assert (vjp(x, None, square) * v).sum() == pytest.approx(total, rel=1e-10)
    assert (vjp(x, x, square) * v).sum() == pytest.approx(total, rel=1e-10)


@pytest.mark.parametrize("name", ["dropout", "relu, deep, bias", "erf"])
def test_a_row_with_itself_is_a_function_of_one_point(name):
    network, x = build(NETWORKS[name]), BASE[:2]
    g = np.eye(2)
    with workdps(evaluator.WORKING_DIGITS):
        for kernel, index in (("nngp", 0), ("ntk", 1)):
            got = getattr(network, f"{kernel}_vjp")(x, None, g)
            for row in range(2):
                for k in range(4):
                    ends = []
                    for sign in (1, -1):
                        point = [mpf(value) for value in x[row]]
                        point[k] += sign * STEP
                        both = evaluator.kernels(NETWORKS[name], point, point, same=True)
                        ends.append(both[index])
                    expected = float((ends[0] - ends[1]) / (2 * STEP))
                    assert got[row, k] == pytest.approx(expected, rel=1e-12, abs=1e-12)


@pytest.mark.parametrize(
    "name", ["relu, deep, bias", "joins in joins", "standard", "sum", "frozen"]
)
def test_derivatives_by_scales_are_those_of_the_formulae(name):
    """Tied, and layer by layer, against differences at 160 digits."""
    description, network = NETWORKS[name], build(NETWORKS[name])
    x, z = X[[0, 1, 3, 8]], Z[[0, 1, 3, 8]]
    count = len(list(dense_layers(description)))

    def truth(which, layer, i, j, kernel):
        with workdps(evaluator.WORKING_DIGITS):
            ends = [
                evaluator.kernels(moved(description, which, layer, sign * STEP), x[i], z[j])[kernel]
                for sign in (1, -1)
            ]
            return float((ends[0] - ends[1]) / (2 * STEP))

    for index, kernel in enumerate(("nngp", "ntk")):
        tied = nk.kernel_gradients(network, x, z, kernel=kernel)
        each = nk.kernel_gradients(network, x, z, kernel=kernel, tied=False)
        assert each["w_std"].shape == (count, 4, 4)
        size = abs(getattr(network, kernel)(x, z)).max() + abs(tied["w_std"]).max()
        for which in ("w_std", "b_std"):
            for i, j in ((0, 0), (1, 3), (2, 2), (3, 3)):
                expected = truth(which, None, i, j, index)
                assert tied[which][i, j] == pytest.approx(expected, abs=1e-12 * size)
                for layer in range(count):
                    expected = truth(which, layer, i, j, index)
                    assert each[which][layer, i, j] == pytest.approx(expected, abs=1e-12 * size)


def dense_layers(description):
    kind, *rest = description
    if kind == "dense":
        yield description
    for part in rest:
        if isinstance(part, list):
            yield from dense_layers(part)


def moved(description, which, layer, step):
    """Return the network with one of its dense layers changed, or all of them."""
    count = 0

    def change(part):
        nonlocal count
        kind, *rest = part
        if kind != "dense":
            return [kind, *(change(p) if isinstance(p, list) else p for p in rest)]
        w_std, b_std, *more = rest
        if layer in (None, count):
            if which == "w_std":
                w_std = mpf(w_std) + step
            elif b_std is not None:
                b_std = mpf(b_std) + step
        count += 1
        return [kind, w_std, b_std, *more]

    return change(description)


def test_fitted_activations_have_the_derivatives_of_their_closed_forms():
    special = pytest.importorskip("scipy.special")
    rng = np.random.default_rng(2)
    x, z, g = (rng.standard_normal(shape) for shape in ((30, 5), (20, 5), (30, 20)))
    alike = x / np.linalg.norm(x, axis=1)[:, None]
    for points in (x, alike):
        fitted, exact = nk.Elementwise(special.erf), nk.Erf()
        networks = [nk.mlp(2, each, w_std=1.4, b_std=0.3) for each in (fitted, exact)]
        for name in ("ntk_vjp", "nngp_vjp"):
            got, expected = (getattr(network, name)(points, z, g) for network in networks)
            for one, other in zip(got, expected, strict=True):
                np.testing.assert_allclose(one, other, atol=3e-9 * abs(other).max())
        got, expected = (nk.kernel_gradients(network, points, z) for network in networks)
        for which in got:
            size = abs(expected[which]).max()
            np.testing.assert_allclose(got[which], expected[which], atol=1e-9 * size)


def test_single_precision_is_that_of_the_points():
    x, z = X.astype(np.float32), Z.astype(np.float32)
    g = np.ones((len(x), len(z)), np.float32)
    for one, other in zip(
        SOME[0].ntk_vjp(x, z, g), SOME[0].ntk_vjp(x.astype(float), z.astype(float), g), strict=True
    ):
        assert one.dtype == np.float32
        np.testing.assert_array_equal(one, other.astype(np.float32))
    assert SOME[0].ntk_jvp(x, None, x).dtype == np.float32
    assert nk.kernel_gradients(SOME[0], x)["w_std"].dtype == np.float32


@pytest.mark.parametrize("scale", [1e-300, 1e-160, 1e150])
def test_rows_of_any_size(scale):
    """A network without biases is homogeneous: its NTK of degree one in each row."""
    x, z, g = scale * BASE[:2], BASE[2:], np.ones((2, 3))
    by_x, by_z = nk.mlp(2).ntk_vjp(x, z, g)
    expected_x, expected_z = nk.mlp(2).ntk_vjp(BASE[:2], z, g)
    np.testing.assert_allclose(by_x, expected_x, rtol=1e-12)
    np.testing.assert_allclose(by_z / scale, expected_z, rtol=1e-12)


def test_no_rows_and_progress():
    told = []
    network, x = SOME[0], np.ones((3, 2))
    network.ntk_vjp(x, None, np.ones((3, 3)), progress=lambda *done: told.append(done))
    assert told[-1] == (3, 3)
    by_x, by_z = network.ntk_vjp(np.empty((0, 2)), x, np.empty((0, 3)))
    assert by_x.shape == (0, 2)
    np.testing.assert_array_equal(by_z, np.zeros((3, 2)))
    assert network.ntk_jvp(x, np.empty((0, 2)), x).shape == (3, 0)


def test_two_arguments_that_are_the_same_points():
    """Each has its gradient and its direction; the result has the form that copies would give."""
    network, g = nk.mlp(2, nk.Gelu(), b_std=0.3), np.arange(len(X) ** 2.0).reshape(len(X), -1)
    by_first, by_second = network.ntk_vjp(X, X, g)
    for got, expected in zip((by_first, by_second), network.ntk_vjp(X, X.copy(), g), strict=True):
        np.testing.assert_allclose(got, expected, rtol=1e-10, atol=1e-10 * abs(expected).max())
    np.testing.assert_allclose(by_first + by_second, network.ntk_vjp(X, None, g), rtol=1e-12)
    other = X[::-1]
    for moves in ((X,), (X, other), (None, other)):
        got, expected = (network.ntk_jvp(X, points, *moves) for points in (X, X.copy()))
        np.testing.assert_allclose(got, expected, rtol=1e-10, atol=1e-10 * abs(expected).max())


def test_results_beyond_the_range_are_errors():
    x = np.float32(1e38) * BASE.astype(np.float32)
    with pytest.raises(NumericalError, match="or pass points in float64"):
        nk.mlp(2, w_std=2.0).ntk_jvp(x, None, BASE)
    with pytest.raises(NumericalError, match="range of float64; scale g or the directions"):
        nk.mlp(2, w_std=2.0).ntk_vjp(BASE, None, np.full((len(BASE), len(BASE)), 1e308))


def test_refusals():
    network, x = SOME[0], np.ones((3, 2))
    for wrong in (np.ones((3, 2)), np.ones(3)):
        with pytest.raises(ValueError, match=r"g has shape .*expected \(3, 3\)"):
            network.ntk_vjp(x, None, wrong)
    with pytest.raises(ValueError, match="g has a NaN"):
        network.ntk_vjp(x, None, np.full((3, 3), np.nan))
    with pytest.raises(ValueError, match="factors of shapes"):
        network.ntk_vjp(x, None, (np.ones((3, 2)), np.ones((3, 1))))
    with pytest.raises(ValueError, match="direction has shape"):
        network.ntk_jvp(x, None, np.ones((2, 2)))
    with pytest.raises(ValueError, match="direction2 has shape"):
        network.ntk_jvp(x, np.ones((4, 2)), None, x)
    with pytest.raises(ValueError, match="direction2 is given without x2"):
        network.ntk_jvp(x, None, x, x)
    with pytest.raises(ValueError, match="parameters is 'width'"):
        nk.kernel_gradients(network, x, parameters=["width"])
    with pytest.raises(TypeError, match="parameters is of type int"):
        nk.kernel_gradients(network, x, parameters=3)
    with pytest.raises(TypeError, match="tied is 'no'"):
        nk.kernel_gradients(network, x, tied="no")
    step = nk.mlp(1, nk.Elementwise(np.sign))
    with pytest.raises(ValueError, match="not differentiated"):
        step.ntk_vjp(x, None, np.ones((3, 3)))
