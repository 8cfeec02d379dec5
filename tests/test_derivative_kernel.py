"""Kernels of derivatives, against differences of the textbook formulae at 160 digits."""

from itertools import product

import numpy as np
import pytest
from mpmath import mpf, workdps

import ntkfast as nk
from catalogue import KINKED, NETWORKS, build, kinds
from ntkfast import NumericalError
from reference import evaluator

RNG = np.random.default_rng(5)
BASE = RNG.standard_normal((6, 2))
PAIRS = {
    "ordinary": (BASE[0], BASE[1]),
    "unequal": (0.3 * BASE[1], 2.0 * BASE[2]),
    **{f"{e:.0e} apart": (BASE[3], BASE[3] + e * BASE[4]) for e in (1e-2, 1e-4, 1e-8, 1e-12)},
    "equal": (BASE[5], BASE[5].copy()),
    "parallel": (BASE[4], 2.0 * BASE[4]),
    "antipodal": (BASE[3], -BASE[3]),
    "along an axis": (np.array([1.5, 0.0]), np.array([-0.7, 0.0])),
    "short": (1e-6 * BASE[0], BASE[1]),
    "short and equal": (1e-3 * BASE[0], 1e-3 * BASE[0]),
    "zero": (BASE[2], np.zeros(2)),
    "both zero": (np.zeros(2), np.zeros(2)),
}
OPERATORS = ["value", ("d", 0), ("d", 1), ("d2", 0), ("d2", 1)]
# Rows of the table above whose sizes count as one: those of a gradient, and of a Laplacian.
TOGETHER = [[0], [1, 2], [3, 4]]
STEP = mpf(10) ** -20

ACTIVATIONS = [
    ["erf", 1.0, 1.0, 0.0],
    ["gelu"],
    ["sin", 1.2, 0.9, 0.3],
    ["cos", 1.0, 1.1, 0.0],
    ["rbf", 0.5],
    ["gaussian", 1.2, -0.7],
    ["gabor"],
    ["sigmoid_like"],
    ["abrelu", 0.7, 0.7],
    ["polynomial", 0.2, 0.7, -0.1, 0.05],
    ["hermite", 3],
    ["exp_normalized", 0.8, -0.9],
    ["exp", 0.8, 0.3],
]


def deep(activation, depth, training="ntk"):
    """Return a multilayer perceptron of ordinary size."""
    width = 32 if training == "standard" else None
    first, last = (["dense", w_std, 0.3, width, training] for w_std in (1.2, 1.1))
    # Powers of powers grow beyond all bounds.
    middle = ["dense", 0.6, 0.3, width, training]
    layers = [first, *[part for _ in range(depth - 1) for part in (activation, middle)]]
    return ["serial", *layers, activation, last]


SMOOTH = {
    name: description
    for name, description in NETWORKS.items()
    if not {*KINKED, "dropout"} & set(kinds(description))
}
for number, each in enumerate(ACTIVATIONS):
    for levels, way in ((1, "ntk"), (2 + number % 4, "standard")):
        SMOOTH[f"{each[0]}, {levels} layers, {way}"] = deep(each, levels, way)
ERF, GELU, DENSE = ["erf", 1.0, 1.0, 0.0], ["gelu"], ["dense", 1.1, 0.2]
SMOOTH |= {
    "smooth sum": [
        "serial",
        DENSE,
        ["sum", ["serial", ERF, DENSE], ["serial", GELU, ["dense", 0.8, None, None, "frozen"]]],
        ["sin", 1.0, 1.0, 0.4],
        DENSE,
    ],
    "smooth product": [
        "serial",
        DENSE,
        ["product", ["serial", ERF, DENSE], ["serial", GELU, DENSE]],
        DENSE,
        GELU,
        DENSE,
    ],
    "smooth joins": [
        "serial",
        DENSE,
        [
            "residual",
            ["layer_norm", 0.1],
            ["concatenate", ERF, ["product", ["serial", GELU, DENSE], ["identity"]]],
            DENSE,
        ],
        ["dropout", 1.0],
        DENSE,
    ],
}


def differences(operator):
    """Return the weights of values at steps from a point."""
    if operator == "value":
        return {(0, 0): mpf(1)}
    kind, axis = operator
    ahead = tuple(int(axis == k) for k in range(2))
    back = tuple(-step for step in ahead)
    if kind == "d":
        return {ahead: 1 / (2 * STEP), back: -1 / (2 * STEP)}
    return {ahead: 1 / STEP**2, (0, 0): -2 / STEP**2, back: 1 / STEP**2}


def textbook(description, x, z):
    """Return the NNGP and the NTK between all operators at a pair of points."""
    steps = [(0, 0), (1, 0), (-1, 0), (0, 1), (0, -1)]

    def moved(row, step):
        return [mpf(float(value)) + STEP * k for value, k in zip(row, step, strict=True)]

    with workdps(evaluator.WORKING_DIGITS):
        values = {
            (a, b): evaluator.kernels(description, moved(x, a), moved(z, b))
            for a in steps
            for b in steps
        }
        return np.array(
            [
                [
                    [
                        float(
                            sum(
                                u * v * values[a, b][kernel]
                                for a, u in differences(left).items()
                                for b, v in differences(right).items()
                            )
                        )
                        for right in OPERATORS
                    ]
                    for left in OPERATORS
                ]
                for kernel in (0, 1)
            ]
        )


def errors(description, x, z):
    """Return errors of both kernels, relative to the sizes of values, gradients or Laplacians."""
    network, pairs = build(description), np.arange(len(x))
    truth = np.array([textbook(description, *pair) for pair in zip(x, z, strict=True)])
    for index, kernel in enumerate(("nngp", "ntk")):

        def table(a, b=None, kernel=kernel):
            return np.array(
                [
                    [
                        nk.derivative_kernel(network, a, b, left=left, right=right, kernel=kernel)
                        for right in OPERATORS
                    ]
                    for left in OPERATORS
                ]
            )[:, :, pairs, pairs]

        sizes = []
        for points in (x, z):
            own = np.einsum("aan->an", table(points))
            for rows in TOGETHER:
                own[rows] = own[rows].max(axis=0)
            # Where kernels are linear, second derivatives are 0.
            sizes.append(np.sqrt(np.maximum(own, 1e-2 * own.max(axis=0))))
        got = np.moveaxis(table(x, z), -1, 0)
        size = np.einsum("an,bn->nab", *sizes)
        yield abs(got - truth[:, index]) / np.maximum(size, 1e-300)


X, Z = (np.array([pair[side] for pair in PAIRS.values()]) for side in (0, 1))
# They divide by the length of a row, or all that they are made of vanishes at zero.
WITHOUT_SHORT = {
    *("layer norm, zero", "exp, normalised", "polynomial of zero rows", "monomial"),
}


@pytest.mark.parametrize("name", SMOOTH)
def test_derivatives_are_those_of_the_formulae(name):
    """Within 1e-13 of their size, however close points are; steep functions within 1e-11."""
    some = slice(0, 10 if name in WITHOUT_SHORT else None)
    for found in errors(SMOOTH[name], X[some], Z[some]):
        assert found.max() < (1e-11 if "steep" in name else 1e-13)


@pytest.mark.parametrize("activation", [ERF, GELU, ["gabor"], ["sin", 1.0, 1.0, 0.3]])
@pytest.mark.parametrize("scale", [1e-9, 1e-3, 0.1, 10.0, 1000.0])
def test_errors_grow_as_the_variance(activation, scale):
    x, z = scale * X[:10], scale * Z[:10]
    variance = 1.2**2 * max((x**2).mean(axis=1).max(), (z**2).mean(axis=1).max())
    for found in errors(deep(activation, 3), x, z):
        assert found.max() < 1e-14 * (2.0 + variance)


ORDERS = {"value": 0, "gradient": 1, "laplacian": 2}


def test_one_feature():
    """There is no direction across a point, and derivatives along it keep their digits."""
    description, steps = deep(ERF, 2), dict(zip(ORDERS, (0, 1, 3), strict=True))
    network = build(description)

    def own(left, a, right, b):
        found = nk.derivative_kernel(network, [[a]], [[b]], left=left, right=right)
        return found.item()

    for a, b in ((0.1, 0.11), (1.0, 1.1), (-0.7, 2.0), (30.0, 33.0), (-20.0, 60.0)):
        # In two features, of which one is 0, variances are half as large.
        truth = textbook(description, *(np.sqrt(2) * np.array([each, 0.0]) for each in (a, b)))[1]
        for left, right in product(ORDERS, ORDERS):
            factor = np.sqrt(2) ** (ORDERS[left] + ORDERS[right])
            error = abs(own(left, a, right, b) - factor * truth[steps[left], steps[right]])
            size = np.sqrt(own(left, a, left, a) * own(right, b, right, b))
            assert error < 1e-14 * (5.0 + 1.2**2 * max(a * a, b * b)) * size


NETWORK = nk.mlp(2, nk.Gelu(), w_std=1.2, b_std=0.3)
P, Q = RNG.standard_normal((7, 3)), RNG.standard_normal((5, 3))


def kernel(left, right, x=P, x2=Q, network=NETWORK, **keywords):
    return nk.derivative_kernel(network, x, x2, left=left, right=right, **keywords)


@pytest.mark.parametrize("name", ["ntk", "nngp"])
def test_values_and_gradients_are_those_of_other_functions(name):
    values = getattr(NETWORK, name)(P, Q)
    np.testing.assert_allclose(kernel("value", "value", kernel=name), values, rtol=1e-13)
    by_p, by_q = kernel("gradient", "value", kernel=name), kernel("value", "gradient", kernel=name)
    assert (by_p.shape, by_q.shape) == ((7, 3, 5), (7, 5, 3))
    for i in range(7):
        for j in range(5):
            g = np.zeros((7, 5))
            g[i, j] = 1.0
            first, second = getattr(NETWORK, f"{name}_vjp")(P, Q, g)
            np.testing.assert_allclose(by_p[i, :, j], first[i], rtol=1e-11, atol=1e-13)
            np.testing.assert_allclose(by_q[i, j], second[j], rtol=1e-11, atol=1e-13)


def test_sums_of_operators():
    both = kernel("gradient", "gradient")
    assert both.shape == (7, 3, 5, 3)
    for i in range(3):
        np.testing.assert_allclose(kernel(("d", i), "gradient"), both[:, i], rtol=1e-13)
        np.testing.assert_allclose(kernel("gradient", ("d", i)), both[..., i], rtol=1e-13)
    seconds = [("d2", k) for k in range(3)]
    for other in ("value", ("d", 1), ("d2", 2), "laplacian"):
        total = sum(kernel(each, other) for each in seconds)
        np.testing.assert_allclose(kernel("laplacian", other), total, rtol=1e-12, atol=1e-13)
        np.testing.assert_allclose(
            kernel(dict.fromkeys(seconds, 1.0), other), total, rtol=1e-12, atol=1e-13
        )
    weighted = kernel({"value": 2.0, ("d", 0): -1.0}, {"laplacian": 3.0})
    expected = 3.0 * (2.0 * kernel("value", "laplacian") - kernel(("d", 0), "laplacian"))
    np.testing.assert_allclose(weighted, expected, rtol=1e-12, atol=1e-13)


def test_points_in_blocks_and_in_any_number_of_threads(monkeypatch):
    """Blocks of rows differ by rounding alone, and threads not at all."""
    x, z = RNG.standard_normal((300, 2)), RNG.standard_normal((150, 2))
    whole, threads = kernel("laplacian", "gradient", x, z), nk.num_threads()
    for rows, columns in ((slice(0, 1), slice(149, 150)), (slice(250, 300), slice(60, 70))):
        part = kernel("laplacian", "gradient", x[rows], z[columns])
        np.testing.assert_allclose(part, whole[rows, columns], rtol=1e-12, atol=1e-13)
    try:
        nk.set_num_threads(1)
        np.testing.assert_array_equal(kernel("laplacian", "gradient", x, z), whole)
    finally:
        nk.set_num_threads(threads)
    monkeypatch.setattr("ntkfast.differential.kernel._NUMBERS", 1 << 16)
    told = []
    blocks = kernel("laplacian", "gradient", x, z, progress=lambda *done: told.append(done))
    assert len(told) > 10
    assert told[-1] == (300, 300)
    np.testing.assert_allclose(blocks, whole, rtol=1e-12, atol=1e-13)


def test_types_and_no_points():
    single = kernel("gradient", "value", P.astype(np.float32), Q.astype(np.float32))
    assert single.dtype == np.float32
    double = kernel(
        "gradient", "value", *(each.astype(np.float32).astype(float) for each in (P, Q))
    )
    np.testing.assert_array_equal(single, double.astype(np.float32))
    assert kernel("gradient", "laplacian", P[:0], Q).shape == (0, 3, 5)
    assert kernel("gradient", "gradient", P, Q[:0]).shape == (7, 3, 0, 3)
    np.testing.assert_array_equal(
        kernel("laplacian", "value", P, None), kernel("laplacian", "value", P, P)
    )
    told = []
    kernel("value", "gradient", progress=lambda *done: told.append(done))
    assert told[-1] == (7, 7)


GRAM = [("value", P), ("gradient", P[:4]), ("laplacian", Q), ({"value": 1.0, ("d2", 0): -1.0}, Q)]


def test_the_matrix_of_observations_has_the_kernels_as_blocks():
    matrix = nk.derivative_gram(NETWORK, GRAM)
    assert matrix.shape == (7 + 12 + 5 + 5,) * 2
    np.testing.assert_array_equal(matrix, matrix.T)
    ends = np.cumsum([0, 7, 12, 5, 5])
    for i, (left, x) in enumerate(GRAM):
        for j, (right, z) in enumerate(GRAM):
            block = matrix[ends[i] : ends[i + 1], ends[j] : ends[j + 1]]
            expected = kernel(left, right, x, z).reshape(block.shape)
            np.testing.assert_allclose(block, expected, rtol=1e-12, atol=1e-13)
    cross = nk.derivative_gram(NETWORK, GRAM[:2], GRAM)
    np.testing.assert_allclose(cross, matrix[:19], rtol=1e-12, atol=1e-13)
    told = []
    nk.derivative_gram(NETWORK, GRAM, progress=lambda *done: told.append(done))
    assert told[-1][0] == told[-1][1]
    assert told == sorted(told)
    single = [("value", P.astype(np.float32))]
    assert nk.derivative_gram(NETWORK, single).dtype == np.float32


@pytest.mark.parametrize(
    "activation", [nk.Erf(), nk.Gelu(), nk.Sin(c=0.3), nk.Gaussian()], ids=repr
)
def test_the_matrix_is_positive(activation):
    """Also where points coincide, or nearly so."""
    network = nk.mlp(3, activation, w_std=1.2, b_std=0.3)
    x = np.vstack([np.zeros((1, 2)), RNG.standard_normal((20, 2))])
    x = np.vstack([x, x[:5], x[5:10] + 1e-6])
    for name in ("ntk", "nngp"):
        observed = [("value", x), ("gradient", x), ("laplacian", x)]
        matrix = nk.derivative_gram(network, observed, kernel=name)
        roots = np.sqrt(matrix.diagonal())
        assert np.linalg.eigvalsh(matrix / np.outer(roots, roots)).min() > -1e-13 * len(matrix)


SHIFTED = nk.Sin(c=0.3)


def shifted(x):
    return np.sin(x + 0.3)


def bell(x):
    return np.exp(-0.5 * x * x)


def error_function(x):
    return pytest.importorskip("scipy.special").erf(x)


@pytest.mark.parametrize(
    ("activation", "function"),
    [(SHIFTED, shifted), (nk.Gaussian(1.0, -0.5), bell), (nk.Erf(), error_function)],
    ids=["sin", "gaussian", "erf"],
)
@pytest.mark.parametrize("depth", [1, 3])
@pytest.mark.parametrize("scale", [1e-3, 0.5, 1.0])
def test_functions_have_the_derivatives_of_their_closed_forms(activation, function, depth, scale):
    """Within 1e-10 of their size, wherever polynomials resolve them."""
    exact, expanded = (
        nk.mlp(depth, each, w_std=1.2, b_std=0.3) for each in (activation, nk.Elementwise(function))
    )
    x = scale * np.vstack([BASE, BASE[:2], -BASE[2:3], BASE[3:4] + 1e-6, np.zeros((1, 2))])
    operators = ["value", ("d", 0), ("d", 1), ("d2", 0), ("d2", 1)]
    for name in ("ntk", "nngp"):
        observed = [(each, x) for each in operators]
        matrix = nk.derivative_gram(exact, observed, kernel=name)
        sizes = np.sqrt(np.maximum(matrix.diagonal().reshape(5, -1), 1e-2))
        error = abs(nk.derivative_gram(expanded, observed, kernel=name) - matrix)
        assert (error / np.outer(sizes, sizes)).max() < 1e-10


@pytest.mark.parametrize(
    "activation", [nk.Tanh(), nk.Sigmoid(), nk.Softplus(), nk.Swish()], ids=repr
)
def test_gradients_of_functions_are_those_of_products_with_vectors(activation):
    network, x = nk.mlp(2, activation, w_std=1.2, b_std=0.3), 0.5 * P
    by_x = kernel("gradient", "value", x, Q[:1], network)
    expected = network.ntk_vjp(x, Q[:1], np.ones((7, 1)))[0]
    np.testing.assert_allclose(by_x[..., 0], expected, atol=1e-8)
    both = kernel("gradient", ("d", 1), x, Q[:1], network)[..., 0]
    move = 1e-3 * np.eye(3)[1]
    ends = [network.ntk_vjp(x, Q[:1] + sign * move, np.ones((7, 1)))[0] for sign in (1, -1)]
    np.testing.assert_allclose(both, (ends[0] - ends[1]) / 2e-3, atol=1e-4)


def test_functions_that_fail_or_of_rows_without_a_variance():
    def fails(x):
        raise ZeroDivisionError("in the function")

    with pytest.raises(ZeroDivisionError, match="in the function"):
        kernel("gradient", "value", network=nk.mlp(1, nk.Elementwise(fails), b_std=0.3))
    with pytest.raises(ValueError, match=r"sample 1 has no derivatives.*nearly zero.*b_std > 0"):
        kernel("gradient", "value", np.array([[1.0], [0.0]]), None, nk.mlp(1, nk.Tanh()))
    with pytest.raises(ValueError, match=r"layer 2 \(Tanh\).*scale the features or w_std down"):
        kernel("gradient", "value", 50.0 * P, Q, nk.mlp(1, nk.Tanh(), b_std=0.3))


@pytest.mark.parametrize(
    ("layer", "words"),
    [
        (nk.Relu(), ["layer 2 (Relu)", "kink at 0", "such as Erf or Gelu"]),
        (nk.LeakyRelu(), ["layer 2 (LeakyRelu)", "kink at 0"]),
        (nk.Abs(), ["layer 2 (Abs)", "kink at 0"]),
        (nk.Sign(), ["layer 2 (Sign)", "jumps"]),
        (nk.RectifiedMonomial(2), ["layer 2 (RectifiedMonomial)", "not smooth"]),
        (nk.Dropout(keep=0.5), ["layer 2 (Dropout)", "leave it out"]),
        (nk.Elu(), ["layer 2 (Elu)", "no polynomials resolve it", "scale the features"]),
        (nk.Hardtanh(), ["layer 2 (Hardtanh)", "derivative jumps"]),
        (nk.Elementwise(np.sign), ["layer 2 (Elementwise", "no polynomials resolve it"]),
    ],
)
def test_networks_that_are_not_smooth_are_refused(layer, words):
    network = nk.Serial(nk.Dense(), layer, nk.Dense())
    for call in (
        lambda: kernel("gradient", "value", network=network),
        lambda: nk.derivative_gram(network, [("gradient", P)]),
    ):
        with pytest.raises(ValueError, match="need a smooth network") as caught:
            call()
        for word in words:
            assert word in str(caught.value)


def test_rows_without_derivatives_are_refused():
    x = np.vstack([P, np.zeros((1, 3))])
    for layer in (nk.LayerNorm(eps=0.0), nk.ExpNormalized()):
        network = nk.Serial(nk.Dense(), layer, nk.Dense())
        with pytest.raises(ValueError, match=r"sample 7 has no derivatives.*layer 2.*b_std > 0"):
            kernel("gradient", "value", x, network=network)
    with pytest.raises(NumericalError, match="sample 1 grows"):
        kernel("value", "value", np.array([[1.0], [1e200]]), np.ones((1, 1)))
    tiny = np.full((1, 1), 1e-3, np.float32)
    with pytest.raises(NumericalError, match="exceed the range of float32"):
        kernel({"laplacian": 1e300}, "value", tiny, tiny)


def test_other_refusals():
    with pytest.raises(ValueError, match=r"left is 'hessian'; expected \"value\", \"gradient\""):
        kernel("hessian", "value")
    with pytest.raises(TypeError, match="right is of type int"):
        kernel("value", 2)
    with pytest.raises(ValueError, match=r"left is \('d3', 0\)"):
        kernel(("d3", 0), "value")
    with pytest.raises(
        ValueError, match="left: the coordinate is 3; expected an integer >= 0 and <= 2"
    ):
        kernel(("d", 3), "value")
    with pytest.raises(ValueError, match='"gradient" in a sum'):
        kernel({"gradient": 1.0}, "value")
    with pytest.raises(ValueError, match="empty dictionary"):
        kernel({}, "value")
    with pytest.raises(TypeError, match=r"right\['laplacian'\] is 'a'"):
        kernel("value", {"laplacian": "a"})
    with pytest.raises(ValueError, match="kernel is 'ntkk'"):
        kernel("value", "value", kernel="ntkk")
    with pytest.raises(ValueError, match="takes images"):
        kernel("value", "value", np.ones((2, 4, 4, 1)), None, nk.cntk(2))
    with pytest.raises(ValueError, match="x2 has 2 features; expected 3, as x has"):
        kernel("value", "value", P, Q[:, :2])
    with pytest.raises(
        TypeError, match="observations is of type ndarray; expected a list of pairs"
    ):
        nk.derivative_gram(NETWORK, P)
    with pytest.raises(ValueError, match="observations is empty"):
        nk.derivative_gram(NETWORK, [])
    with pytest.raises(TypeError, match=r"observations\[0\] is no pair, but of type ndarray"):
        nk.derivative_gram(NETWORK, [P])
    with pytest.raises(ValueError, match=r"the points of others\[0\] have 2 features; expected 3"):
        nk.derivative_gram(NETWORK, GRAM, [("value", Q[:, :2])])
    with pytest.raises(ValueError, match=r"the operator of observations\[0\] is 'hessian'"):
        nk.derivative_gram(NETWORK, [("hessian", P)])
