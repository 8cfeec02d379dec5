"""Training by products with operators, against eigendecompositions and matrix exponentials."""

import pickle
import warnings

import numpy as np
import pytest
import scipy.linalg
import scipy.sparse.linalg
import scipy.stats

import ntkfast as nk
from catalogue import NETWORKS, build
from ntkfast.operators import Operator

RNG = np.random.default_rng(8)
X, X_TEST = RNG.normal(size=(300, 6)), RNG.normal(size=(40, 6))
Y = np.stack([np.sin(X[:, 0]), X[:, 1] * X[:, 2], np.ones(300)], axis=1)
NET = nk.mlp(2, b_std=0.5)
THETA = NET.ntk(X)
CROSS = NET.ntk(X_TEST, X)
LARGEST = float(np.linalg.eigvalsh(THETA)[-1])
# Times in units of 1/λ_max, from nearly untrained to converged.
TIMES = np.array([0.0, 1e-3, 0.5, 3.0, 40.0, 1e3, 1e4, 1e5])


def distance(found, expected, size):
    """Largest distance of a column, over all times, relative to the size of the column."""
    norms = np.linalg.norm(found - expected, axis=-2)
    return float((norms / np.linalg.norm(size, axis=0)).max())


def operator(theta=THETA, dtype=None):
    return nk.as_operator(theta.astype(dtype or theta.dtype))


@pytest.mark.parametrize("reduction", ["sum", "mean"])
@pytest.mark.parametrize("ridge", [0.0, 0.3])
@pytest.mark.parametrize("c", [None, 1, 3])
def test_all_results_are_those_of_the_matrix(c, ridge, reduction):
    y = Y[:, 1] if c is None else Y[:, :c]
    count = y.size if reduction == "mean" else 1
    settings = {"learning_rate": 0.3, "reduction": reduction, "diag_reg": ridge}
    dense = nk.GradientFlow(THETA, y, **settings)
    flow = nk.GradientFlow(nk.KernelOperator(NET, X), y, tol=1e-9, **settings)
    t = TIMES[:-1].reshape(1, 7) * count / (0.3 * LARGEST)
    shape = np.abs(y).max()
    for f0, f0_test in ((0.0, 0.0), (0.2 * y + 0.1, 0.3)):
        for name in ("predict_train", "residual"):
            found, expected = (getattr(f, name)(f0, t=t) for f in (flow, dense))
            np.testing.assert_allclose(found, expected, atol=1e-7 * shape)
            assert found.shape == expected.shape
            assert found.dtype == expected.dtype
        np.testing.assert_allclose(flow.loss(f0, t=t), dense.loss(f0, t=t), rtol=1e-6)
        expected = dense.coefficients(f0, t=t)
        np.testing.assert_allclose(
            flow.coefficients(f0, t=t), expected, atol=1e-7 * np.abs(expected).max()
        )
        expected = dense.predict(CROSS, f0, f0_test, t=t)
        for kernel in (CROSS, nk.KernelOperator(NET, X_TEST, X), nk.as_operator(CROSS)):
            found = flow.predict(kernel, f0, f0_test, t=t)
            np.testing.assert_allclose(found, expected, atol=1e-7 * shape)
            np.testing.assert_allclose(
                dense.predict(kernel, f0, f0_test, t=t), expected, atol=1e-12 * shape
            )
            np.testing.assert_allclose(
                flow.initial_gradient(kernel, f0),
                dense.initial_gradient(CROSS, f0),
                rtol=1e-9,
                atol=1e-12,
            )


@pytest.mark.parametrize("name", sorted(NETWORKS))
def test_every_network_of_the_catalogue(name):
    network, x = build(NETWORKS[name]), X[:60]
    theta = network.ntk(x)
    size = max(float(np.linalg.norm(theta, 2)), 1e-3)
    dense = nk.GradientFlow(theta, Y[:60])
    flow = nk.GradientFlow(nk.KernelOperator(network, x), Y[:60])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of rounding at long times, which both give
        for t in (1.0 / size, 1e2 / size, 1e4 / size):
            gap = distance(flow.predict_train(t=t), dense.predict_train(t=t), Y[:60])
            assert gap <= 2 * flow.prepared.report.error + 1e-9


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("time", [0.3, 7.0, 90.0, 400.0])
def test_the_action_of_the_matrix_exponential(time, dtype):
    """Against SciPy's Taylor series, and its Padé approximation, of the same entries."""
    op = nk.KernelOperator(NET, X, dtype=dtype)
    theta, t = op.to_array().astype(np.float64), time / LARGEST
    left = nk.GradientFlow(op, Y, tol=1e-10).residual(t=t)
    assert left.dtype == np.float64
    exact = scipy.sparse.linalg.expm_multiply(-t * theta, Y)
    np.testing.assert_allclose(left, exact, atol=1e-9)
    np.testing.assert_allclose(left, scipy.linalg.expm(-t * theta) @ Y, atol=1e-9)


def test_types_are_those_of_the_matrix():
    x, y = X.astype(np.float32), Y.astype(np.float32)
    flow, dense = nk.GradientFlow(nk.KernelOperator(NET, x), y), nk.GradientFlow(NET.ntk(x), y)
    t = 20 / LARGEST
    assert flow.predict_train(t=t).dtype == dense.predict_train(t=t).dtype == np.float32
    assert flow.loss(t=t).dtype == dense.loss(t=t).dtype == np.float32
    cross = nk.KernelOperator(NET, X_TEST.astype(np.float32), x)
    assert flow.predict(cross, t=t).dtype == np.float32
    assert dense.predict(cross, t=t).dtype == np.float32
    np.testing.assert_allclose(flow.predict_train(t=t), dense.predict_train(t=t), atol=1e-5)


@pytest.mark.parametrize("n", [0, 1, 2, 255, 257])
def test_numbers_of_points(n):
    op, theta, y = nk.KernelOperator(NET, X[:n]), THETA[:n, :n], Y[:n]
    dense, flow = nk.GradientFlow(theta, y), nk.GradientFlow(op, y)
    t = TIMES[:6] / LARGEST
    np.testing.assert_allclose(flow.predict_train(t=t), dense.predict_train(t=t), atol=1e-5)
    np.testing.assert_allclose(flow.loss(t=t), dense.loss(t=t), rtol=1e-4)
    np.testing.assert_allclose(
        flow.predict(CROSS[:, :n], t=t), dense.predict(CROSS[:, :n], t=t), atol=1e-5
    )
    assert flow.predict_train(t=np.inf).shape == y.shape
    assert flow.predict(CROSS[:0, :n], t=t).shape == (6, 0, 3)


# Spectra chosen to mislead estimates.


def matrix(values, seed=0):
    """Return a matrix with given eigenvalues, and its eigenvectors."""
    vectors = scipy.stats.ortho_group.rvs(len(values), random_state=seed)
    theta = vectors * values @ vectors.T
    return (theta + theta.T) / 2, vectors


N = 200
SPECTRA = {
    "geometric": np.geomspace(1e-9, 1.0, N),
    "algebraic": 1.0 / np.arange(1, N + 1) ** 2,
    "uniform": np.linspace(1e-3, 1.0, N),
    "two clusters": np.r_[np.linspace(1.0, 1.1, 100), np.linspace(1e-4, 1.1e-4, 100)],
    "one outlier": np.r_[1.0, np.linspace(1e-5, 2e-5, N - 1)],
    "singular": np.r_[np.zeros(150), np.linspace(0.01, 1, 50)],
    "chebyshev": (1 + np.cos(np.pi * (np.arange(N) + 0.5) / N)) / 2,
    "identity": np.ones(N),
}


def right_sides(vectors):
    """Return targets in all modes, in slow ones alone, and with fast ones and a trace of slow."""
    generator = np.random.default_rng(1)
    all_modes = generator.normal(size=N)
    order = np.arange(N)
    slow = np.where(order < 20, all_modes, 0)
    trace = np.where(order < 20, 1e-5 * all_modes, np.where(order >= N - 20, all_modes, 0))
    return vectors @ np.stack([all_modes, slow, trace], axis=1)


@pytest.mark.parametrize("tol", [1e-3, 1e-6, 1e-10])
@pytest.mark.parametrize("columns", ["one by one", "together"])
@pytest.mark.parametrize("name", sorted(SPECTRA))
def test_estimates_are_honest(name, columns, tol):
    """The true error of a result is not larger than what the report estimates."""
    values = np.sort(SPECTRA[name])
    theta, vectors = matrix(values)
    targets = right_sides(vectors)
    blocks = [targets] if columns == "together" else [targets[:, i : i + 1] for i in range(3)]
    op, kernel = nk.as_operator(theta), vectors[::7] @ np.diag(values) @ vectors.T
    for y in blocks:
        flow = nk.GradientFlow(op, y, tol=tol)
        for t in (0.0, 1.0, 1e1, 1e2, 1e3, 1e4, 1e5):
            if tol < 1e-9 and t > 1e3:
                continue  # rounding of products is no smaller
            rounding = 1e-12 + 50 * np.finfo(float).eps * t  # of theta itself
            decay = vectors @ (np.exp(-values * t)[:, None] * (vectors.T @ y))
            gap = distance(flow.residual(t=t), decay, y)
            assert gap <= 2 * flow.prepared.report.error + rounding, (t, flow.prepared.report)
            assert flow.prepared.report.error <= tol
            safe = np.where(values > 0, values, 1)
            gathered = np.where(values > 0, -np.expm1(-values * t) / safe, t)
            exact = kernel @ (vectors @ (gathered[:, None] * (vectors.T @ y)))
            found = flow.predict(kernel, t=t)
            scale = np.linalg.norm(y, axis=0) * np.sqrt(len(kernel) / N)
            gap = (np.linalg.norm(found - exact, axis=0) / scale).max()
            assert gap <= 2 * flow.prepared.report.error + rounding, (t, flow.prepared.report)


@pytest.mark.parametrize("t", [0.0, 2.0, 1e3, 1e5, np.inf])
@pytest.mark.parametrize("ridge", [0.0, 1e-2])
def test_duplicate_points(ridge, t):
    """Equal and contradictory targets: what a matrix gives, at all times."""
    x, y = np.concatenate([X[:100], X[:30]]), np.concatenate([Y[:100], Y[:30]])
    y[110:] += 1.0
    dense = nk.GradientFlow(NET.ntk(x), y, diag_reg=ridge)
    flow = nk.GradientFlow(nk.KernelOperator(NET, x), y, diag_reg=ridge)
    np.testing.assert_allclose(
        flow.predict_train(t=t / LARGEST), dense.predict_train(t=t / LARGEST), atol=2e-5
    )
    np.testing.assert_allclose(
        flow.predict(CROSS[:, [*range(100), *range(30)]], t=t / LARGEST),
        dense.predict(CROSS[:, [*range(100), *range(30)]], t=t / LARGEST),
        atol=2e-5,
    )


def test_the_limit_is_kernel_regression():
    op = nk.KernelOperator(NET, X)
    flow = nk.GradientFlow(op, Y, diag_reg=0.1, tol=1e-9)
    regression = nk.KernelRegression(op, Y, diag_reg=0.1)
    found = flow.predict(CROSS, t=[np.inf, 1e9])
    np.testing.assert_allclose(found[0], regression.predict(CROSS), atol=1e-7)
    np.testing.assert_array_equal(found[0], found[1])  # decayed to rounding at a ridge of 0.1
    np.testing.assert_allclose(flow.residual(t=np.inf), 0.1 * regression.coefficients, atol=1e-7)
    np.testing.assert_allclose(
        flow.loss(t=np.inf), 0.005 * np.sum(regression.coefficients**2), rtol=1e-5
    )
    before = flow.prepared.report.products
    flow.coefficients(t=np.inf)
    assert flow.prepared.report.products == before  # the solution is kept


def test_dependent_columns_cost_nothing():
    """Zeros, copies and sums of columns give no further directions."""
    y = np.stack([Y[:, 0], Y[:, 0], np.zeros(300), Y[:, 1], Y[:, 0] + Y[:, 1], 1e-9 * Y[:, 1]], 1)
    flow, dense = nk.GradientFlow(operator(), y), nk.GradientFlow(THETA, y)
    t = 200 / LARGEST
    found = flow.predict_train(t=t)
    np.testing.assert_allclose(found, dense.predict_train(t=t), atol=1e-5)
    np.testing.assert_allclose(found[:, 5], dense.predict_train(t=t)[:, 5], atol=1e-14)
    np.testing.assert_array_equal(found[:, 2], 0)
    assert flow.prepared.report.dimension <= 2 * flow.prepared.report.products


def test_many_outputs_are_trained_in_groups(monkeypatch):
    monkeypatch.setattr("ntkfast.dynamics._products._OUTPUTS", 2)
    y = np.concatenate([Y, 3 * Y[:, :2] ** 2], axis=1)
    flow, dense = nk.GradientFlow(operator(), y), nk.GradientFlow(THETA, y)
    t = np.array([3.0, 100.0, np.inf]) / LARGEST
    np.testing.assert_allclose(flow.residual(t=t), dense.residual(t=t), atol=1e-4)
    np.testing.assert_allclose(flow.predict(CROSS, t=t), dense.predict(CROSS, t=t), atol=1e-4)
    np.testing.assert_allclose(flow.loss(t=t[:2]), dense.loss(t=t[:2]), rtol=1e-5)
    assert flow.prepared.report.dimension < 2 * flow.prepared.report.products


def test_columns_of_very_different_sizes():
    y = Y * np.array([1e150, 1.0, 1e-150])
    flow = nk.GradientFlow(operator(), y)
    expected = nk.GradientFlow(THETA, Y).residual(t=1.0)
    np.testing.assert_allclose(flow.residual(t=1.0) / [1e150, 1, 1e-150], expected, atol=1e-5)


class Counted(Operator):
    """An operator that counts its products."""

    def __init__(self, of):
        self.of, self.products, self.columns = of, 0, 0

    shape = property(lambda self: self.of.shape)
    dtype = property(lambda self: self.of.dtype)
    symmetric = property(lambda self: True)

    def _multiply(self, vectors, *, transposed):
        self.products += 1
        self.columns += vectors.shape[1]
        return self.of._multiply(vectors, transposed=transposed)

    def _entries(self, rows, columns):
        return self.of._entries(rows, columns)

    def _diagonal(self):
        return self.of._diagonal()


def test_products_are_few_and_the_basis_is_kept():
    op = Counted(operator())
    flow = nk.GradientFlow(op, Y)
    assert op.products == 0  # nothing before it is needed
    counts = []
    for time in (1.0, 1e2, 1e4):
        flow.predict_train(t=time / LARGEST)
        counts.append(op.products)
        assert flow.prepared.report.products == op.products
    assert 0 < counts[0] < counts[1] < counts[2] < 60
    flow.residual(t=np.geomspace(1.0, 1e4, 100) / LARGEST)
    flow.loss(t=3.0 / LARGEST)
    assert op.products == counts[2]
    flow.predict_train(0.1, t=1.0 / LARGEST)  # other initial outputs, another basis
    assert op.products > counts[2]
    assert flow.prepared.report.products == op.products


def test_many_times_through_a_kernel_are_one_pass():
    kernel = Counted(nk.as_operator(CROSS))
    kernel.__class__ = type("Rectangular", (Counted,), {"symmetric": property(lambda _: False)})
    flow = nk.GradientFlow(operator(), Y)
    flow.predict(kernel, t=np.linspace(0, 5, 30) / LARGEST)
    assert kernel.products == 1


def test_an_interrupted_product_changes_nothing():
    op = Counted(operator())
    flow, t = nk.GradientFlow(op, Y), 1e3 / LARGEST
    expected = nk.GradientFlow(operator(), Y).predict_train(t=t)
    inner, op.of = op.of, None
    for after in (0, 3, 7):
        op.of, left = inner, [after]

        def multiply(vectors, *, transposed, left=left):
            left[0] -= 1
            if left[0] < 0:
                raise KeyboardInterrupt
            return inner._multiply(vectors, transposed=transposed)

        op._multiply = multiply
        with pytest.raises(KeyboardInterrupt):
            flow.predict_train(t=t)
        del op._multiply
    np.testing.assert_array_equal(flow.predict_train(t=t), expected)


def test_progress_is_in_digits():
    calls = []
    flow = nk.GradientFlow(operator(), Y, progress=lambda done, total: calls.append((done, total)))
    flow.predict_train(t=1e3 / LARGEST)
    assert calls[-1] == (60, 60)
    assert all(0 <= done <= total == 60 for done, total in calls)
    assert len(calls) > 3


def test_descent_and_momentum():
    """Steps are polynomials of Θ: k steps are exact after k products."""
    op = Counted(operator())
    rate = 1.5 / LARGEST
    for momentum in (0.0, 0.8):
        settings = {"learning_rate": rate, "momentum": momentum}
        descent = nk.GradientDescent(op, Y, **settings)
        dense = nk.GradientDescent(THETA, Y, **settings)
        for steps in (0, 1, 5, 100, 3000):
            np.testing.assert_allclose(
                descent.predict_train(t=steps), dense.predict_train(t=steps), atol=1e-5
            )
    with pytest.raises(ValueError, match="does not converge"):
        nk.GradientDescent(op, Y, learning_rate=2.2 / LARGEST).predict_train(t=3)


def test_parameters_of_a_linearised_network():
    jacobian = RNG.normal(size=(300, 40)) / 20
    theta, start = jacobian @ jacobian.T, RNG.normal(size=(40, 3))
    arguments = (jacobian, start, jacobian @ start)
    found = nk.GradientFlow(nk.as_operator(theta), Y, tol=1e-9).parameters(*arguments, t=3.0)
    expected = nk.GradientFlow(theta, Y).parameters(*arguments, t=3.0)
    np.testing.assert_allclose(found, expected, atol=1e-7)


# Messages.


def test_what_needs_all_eigenvalues_says_so():
    flow = nk.GradientFlow(nk.KernelOperator(NET, X), Y)
    with pytest.raises(ValueError, match=r"made from an operator.*op\.to_array\(\)"):
        _ = flow.spectrum
    with pytest.raises(ValueError, match="made from an operator"):
        _ = flow._filters
    assert "tol=1e-06" in repr(flow)


def test_too_few_products_warn(monkeypatch):
    monkeypatch.setattr("ntkfast.dynamics._products._LARGEST", 40)
    flow = nk.GradientFlow(operator(), Y)
    with pytest.warns(RuntimeWarning, match=r"products give an estimated error of .*tol=1e-06"):
        found = flow.predict_train(t=1e5 / LARGEST)
    exact = nk.GradientFlow(THETA, Y).predict_train(t=1e5 / LARGEST)
    assert distance(found, exact, Y) <= 2 * flow.prepared.report.error


def test_rounding_that_shows_warns():
    x = np.concatenate([X[:100], X[:100]]).astype(np.float32)
    op = nk.KernelOperator(NET, x)
    with pytest.warns(RuntimeWarning, match="rounding of theta shows"):
        nk.GradientFlow(op, Y[:200]).predict_train(t=2e5 / LARGEST)


@pytest.mark.parametrize(
    ("arguments", "settings", "message"),
    [
        ((nk.as_operator(CROSS), Y), {}, r"theta has shape \(40, 300\); expected a square"),
        ((operator(), Y[:20]), {}, r"y has shape \(20, 3\)"),
        ((operator(), Y), {"tol": 0.0}, "tol is 0.0"),
        ((operator(), Y), {"tol": 2.0}, "tol is 2"),
        ((operator(), Y), {"diag_reg": -1.0}, "diag_reg is -1"),
        ((nk.as_operator(np.triu(THETA)), Y), {}, "symmetric"),
    ],
)
def test_refusals(arguments, settings, message):
    with pytest.raises(ValueError, match=message):
        nk.GradientFlow(*arguments, **settings)


def test_refusals_of_products():
    flow = nk.GradientFlow(operator(), Y)
    with pytest.raises(ValueError, match=r"k_test_train has shape \(40, 20\); expected"):
        flow.predict(nk.KernelOperator(NET, X_TEST, X[:20]), t=1.0)
    with pytest.raises(ValueError, match="not positive semi-definite"):
        nk.GradientFlow(operator(-THETA), Y).predict_train(t=1.0)
    with pytest.raises(nk.NumericalError, match="exceed the range of float64"):
        nk.GradientFlow(operator(np.ones((300, 300)) * 1e307), Y).predict_train(t=1.0)


def test_pickles_have_the_recipe_alone(tmp_path):
    flow, t = nk.GradientFlow(nk.KernelOperator(NET, X), Y), 1e2 / LARGEST
    expected = flow.predict_train(t=t)
    again = pickle.loads(pickle.dumps(flow))
    assert again.prepared.report.products == 0
    np.testing.assert_array_equal(again.predict_train(t=t), expected)
    with pytest.raises(TypeError, match="operators"):
        nk.save(tmp_path / "flow.npz", flow)


def test_memory_is_checked(monkeypatch):
    monkeypatch.setattr("ntkfast._memory.LARGE", 1)
    flow = nk.GradientFlow(operator(), Y)
    flow.predict_train(t=1.0 / LARGEST)
    monkeypatch.setattr("ntkfast._memory.available", lambda: 1e5)
    with pytest.raises(MemoryError, match=r"Lanczos basis.*use a shorter time"):
        flow.predict_train(t=1e4 / LARGEST)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_the_limit_of_a_singular_kernel_is_that_of_its_eigenvectors(dtype):
    """Targets outside the range of Θ, which conjugate gradients cannot solve for."""
    rng = np.random.default_rng(4)
    x = rng.normal(size=(120, 10)).astype(dtype)
    y, f0 = rng.normal(size=(2, 120, 3))
    flow = nk.GradientFlow(nk.KernelOperator(nk.Serial(nk.Dense()), x), y)
    inside = np.linalg.svd(x.astype(np.float64), full_matrices=False)[0]
    exact = f0 + inside @ (inside.T @ (y - f0))
    with pytest.warns(RuntimeWarning, match="no coefficients give these targets"):
        found = flow.predict_train(f0, t=np.inf)
    np.testing.assert_allclose(found, exact, atol=1e-5 if dtype == np.float32 else 1e-9)
    assert flow.prepared.report.error < 1e-6
