"""What products tell beside solutions, and factors in float32, against dense formulae of NumPy."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import ntkfast as nk
from catalogue import NETWORKS, build
from ntkfast.solvers import ConjugateGradients, SingleCholeskySolver

RNG = np.random.default_rng(11)
X = RNG.normal(size=(500, 6))
Y = np.stack([np.sin(X[:, 0]), X[:, 1] * X[:, 2]], axis=1)
TEST = RNG.normal(size=(30, 6))
NET = nk.mlp(2, b_std=0.5)
SOLVERS = [SingleCholeskySolver(), ConjugateGradients(tol=1e-8)]


def system(ridge, dtype=np.float64, n=500):
    """Return an operator, and the matrix of the exact kernel of the same points."""
    x = X[:n].astype(dtype)
    return nk.KernelOperator(NET, x, dtype=dtype), NET.ntk(x.astype(np.float64)) + ridge * np.eye(n)


@pytest.mark.parametrize("solver", SOLVERS, ids=["single", "cg"])
@pytest.mark.parametrize("ridge", [1e-1, 1e-3])
def test_log_determinants_have_their_standard_error(solver, ridge):
    op, dense = system(ridge)
    prepared = solver.prepare(op, ridge)
    exact = np.linalg.slogdet(dense)[1]
    error = prepared.log_determinant_error
    assert abs(prepared.log_determinant - exact) < 4 * error + 1e-3
    assert error < (0.02 if isinstance(solver, SingleCholeskySolver) else 10)


def test_standard_errors_are_as_wide_as_the_estimates_differ():
    op, dense = system(1e-2, n=200)
    exact = np.linalg.slogdet(dense)[1]
    found = [ConjugateGradients(seed=s, probes=8, rank=20).prepare(op, 1e-2) for s in range(60)]
    units = [(p.log_determinant - exact) / p.log_determinant_error for p in found]
    # Eight probes: Student's t with seven degrees of freedom, of variance 7/5.
    assert 0.5 < np.std(units) / np.sqrt(7 / 5) < 1.5
    assert abs(np.mean(units)) < 4 * np.sqrt(7 / 5 / 60)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("ridge", [1e-1, 1e-4, 0.0])
def test_a_factor_in_float32_gives_exact_solutions(ridge, dtype):
    op, dense = system(ridge, dtype)
    prepared = SingleCholeskySolver().prepare(op, ridge)
    solution = prepared.solve(Y)
    matrix = op.to_array().astype(np.float64) + ridge * np.eye(len(X))
    residual = np.linalg.norm(matrix @ solution - Y, axis=0) / np.linalg.norm(Y, axis=0)
    assert residual.max() < 1.1e-10
    assert prepared.report.products < 12
    inverse = np.linalg.inv(dense).diagonal()
    error = np.abs(prepared.inverse_diagonal / inverse - 1).max()
    assert error < 5 * prepared.inverse_diagonal_error + 1e-5
    assert prepared.inverse_diagonal_error < 0.02
    assert prepared.trace == pytest.approx(dense.trace(), rel=1e-6)


@pytest.mark.parametrize("name", sorted(NETWORKS))
def test_factors_in_float32_of_every_network(name):
    network, x = build(NETWORKS[name]), X[:60]
    dense = network.ntk(x)
    ridge = 1e-3 * max(dense.diagonal().mean(), 1e-2)
    dense += ridge * np.eye(60)
    found = SingleCholeskySolver().prepare(nk.KernelOperator(network, x), ridge).solve(Y[:60])
    exact = np.linalg.solve(dense, Y[:60])
    np.testing.assert_allclose(found, exact, atol=1e-10 * np.linalg.cond(dense) * exact.max())


@pytest.mark.parametrize("n", [0, 1, 2, 255, 257])
def test_numbers_of_points(n):
    op, dense = system(0.1, n=n)
    prepared = SingleCholeskySolver().prepare(op, 0.1)
    np.testing.assert_allclose(prepared.solve(Y[:n]), np.linalg.solve(dense, Y[:n]), atol=1e-8)
    np.testing.assert_allclose(prepared.log_determinant, np.linalg.slogdet(dense)[1], atol=0.01)
    assert prepared.inverse_diagonal.shape == (n,)


def test_a_ridge_for_each_point_and_other_operators():
    ridges = np.linspace(0.05, 2.0, len(X))
    op, dense = system(0.0)
    exact = np.linalg.solve(dense + np.diag(ridges), Y)
    double = op + op
    for theta, factor in ((op, 1.0), (dense, 1.0), (double, 2.0), (nk.as_operator(dense), 1.0)):
        found = SingleCholeskySolver().prepare(theta, factor * ridges).solve(factor * Y)
        np.testing.assert_allclose(found, exact, atol=1e-8)


def test_matrices_without_a_factor_are_refused_by_name():
    with pytest.raises(nk.NumericalError, match="gram is not positive semi-definite: even with"):
        SingleCholeskySolver().prepare(np.diag([1.0, -0.5]), 0.1, name="gram")
    with pytest.raises(ValueError, match="beyond the range of float32"):
        SingleCholeskySolver().prepare(np.diag([1e300, 1.0]))
    with pytest.raises(ValueError, match="beyond the range of float32"):
        SingleCholeskySolver().prepare(1e-40 * np.eye(2))
    with pytest.raises(ValueError, match="symmetric"):
        SingleCholeskySolver().prepare([[1.0, 0.5], [0.0, 1.0]])
    with pytest.raises(ValueError, match="tol is 2"):
        SingleCholeskySolver(tol=2).prepare(np.eye(2))
    with pytest.raises(ValueError, match="probes"):
        ConjugateGradients(probes=1).prepare(np.eye(2))


def test_memory_for_the_factor_is_checked(monkeypatch):
    monkeypatch.setattr("ntkfast._memory.available", lambda: 1e9)
    op = nk.KernelOperator(nk.mlp(1), np.ones((20_000, 2)), memory=0)
    with pytest.raises(MemoryError, match=r'takes 1\.6 GB, but 1 GB of memory is free.*"cg"'):
        SingleCholeskySolver().prepare(op, 0.1)


@settings(max_examples=150, deadline=None)
@given(
    seed=st.integers(0, 2**31),
    n=st.integers(1, 60),
    features=st.integers(1, 4),
    exponent=st.floats(-6, 1),
    dtype=st.sampled_from([np.float32, np.float64]),
    single=st.booleans(),
    near=st.booleans(),
)
def test_bounds_contain_the_exact_variance(seed, n, features, exponent, dtype, single, near):
    """Seven test points each, a thousand in all: near the training points, and far from them."""
    rng = np.random.default_rng(seed)
    x, ridge = rng.normal(size=(n, features)).astype(dtype), 10.0**exponent
    test = rng.normal(size=(7, features)) + (x[rng.integers(0, n, 7)] if near else 0.0)
    x64 = x.astype(np.float64)
    k, prior = NET.ntk(x64, test), NET.ntk(test, diagonal=True)
    solver = SingleCholeskySolver() if single else ConjugateGradients()
    bounds = solver.prepare(nk.KernelOperator(NET, x), ridge).quadratic_bounds(k, prior)
    exact = exact_quadratic(NET.ntk(x64), ridge, k)
    assert (bounds.lower <= exact).all()
    assert (exact <= bounds.upper).all()
    assert (bounds.upper - bounds.lower <= 0.02 * (prior - exact) + 1e-7 * prior).all()


def exact_quadratic(gram, ridge, k):
    """Compute kᵀ·(A + r)⁻¹·k in extended precision where the platform has it."""
    values, vectors = np.linalg.eigh(gram)
    parts = (vectors.T @ k).astype(np.longdouble)
    return (parts**2 / (np.maximum(values, 0.0) + np.longdouble(ridge))[:, None]).sum(axis=0)


@pytest.mark.parametrize("solver", SOLVERS, ids=["single", "cg"])
def test_bounds_without_a_ridge_have_one_side(solver):
    op, dense = system(0.0, n=80)
    k, prior = NET.ntk(X[:80], TEST), NET.ntk(TEST, diagonal=True)
    bounds = solver.prepare(op).quadratic_bounds(k, prior)
    exact = np.einsum("ij,ij->j", k, np.linalg.solve(dense, k))
    assert (bounds.lower <= exact + 1e-12).all()
    assert np.isinf(bounds.upper).all()
    np.testing.assert_allclose(bounds.lower, exact, rtol=1e-6)


@pytest.mark.parametrize("solver", SOLVERS, ids=["single", "cg"])
def test_copies_without_a_ridge_count_as_one_point(solver):
    """With contradictory targets, which have their mean, and an evidence of -inf."""
    op = nk.KernelOperator(NET, np.concatenate([X[:50], X[:20]]))
    y = np.concatenate([Y[:50], Y[:20] + 1])
    prepared = solver.prepare(op)
    k = NET.ntk(op.x, TEST)
    exact = np.linalg.solve(NET.ntk(X[:50]), k[:50])
    bounds = prepared.quadratic_bounds(k, NET.ntk(TEST, diagonal=True))
    np.testing.assert_allclose(bounds.lower, np.einsum("ij,ij->j", k[:50], exact), rtol=1e-6)
    means = np.concatenate([Y[:20] + 0.5, Y[20:50]])
    np.testing.assert_allclose(k.T @ prepared.solve(y), exact.T @ means, atol=1e-5)
    assert prepared.log_determinant == -np.inf
    assert prepared.log_determinant_error == 0
    assert not prepared.reaches(y)
    assert prepared.reaches(np.concatenate([Y[:50], Y[:20]]))
    with pytest.raises(ValueError, match="without regularisation"):
        _ = prepared.inverse_diagonal


def test_leave_one_out_by_probes_has_the_error_of_refits():
    n, ridge = 300, 0.05
    x, y = X[:n], Y[:n, 0] + 0.2 * RNG.normal(size=n)
    regression = nk.KernelRegression(
        nk.KernelOperator(NET, x), y, diag_reg=ridge, solver=ConjugateGradients(tol=1e-8)
    )
    dense = NET.ntk(x)
    refits = np.empty(n)
    for i in range(n):
        rest = np.arange(n) != i
        system_ = dense[np.ix_(rest, rest)] + ridge * np.eye(n - 1)
        refits[i] = dense[i, rest] @ np.linalg.solve(system_, y[rest])
    exact = np.sqrt(np.mean((y - refits) ** 2))
    found = np.sqrt(np.mean((y - regression.leave_one_out()) ** 2))
    assert found == pytest.approx(exact, rel=0.03)
    assert 0.01 < regression.prepared.inverse_diagonal_error < 0.15


@pytest.mark.parametrize("solver", SOLVERS, ids=["single", "cg"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("ridge", [1e-6, 1e-9])
def test_log_determinants_of_what_float32_does_not_resolve(solver, dtype, ridge):
    """A kernel of rank 150: all other eigenvalues are the ridge, below rounding of float32."""
    network, x = nk.Serial(nk.Dense()), RNG.normal(size=(500, 150)).astype(dtype)
    values = np.linalg.svd(x.astype(np.float64), compute_uv=False) ** 2 / 150
    exact = np.log(values + ridge).sum() + 350 * np.log(ridge)
    prepared = solver.prepare(nk.KernelOperator(network, x), ridge)
    error = prepared.log_determinant_error
    assert abs(prepared.log_determinant - exact) < 4 * error
    assert error < 60


def test_log_determinants_whose_quadrature_has_not_converged():
    network, x = nk.mlp(2, activation=nk.Erf(), b_std=0.1), X[:400, :3]
    op, ridge = nk.KernelOperator(network, x), 1e-8
    exact = np.log(np.maximum(np.linalg.eigvalsh(network.ntk(x)), 0) + ridge).sum()
    prepared = ConjugateGradients(rank=20).prepare(op, ridge)
    assert abs(prepared.log_determinant - exact) < 4 * prepared.log_determinant_error


@pytest.mark.parametrize("solver", SOLVERS, ids=["single", "cg"])
def test_the_log_determinant_of_zeros(solver):
    prepared = ConjugateGradients().prepare(np.zeros((3, 3)))
    assert prepared.log_determinant == -np.inf
    prepared = solver.prepare(np.zeros((3, 3)), 1.0)
    assert prepared.log_determinant == pytest.approx(0.0, abs=1e-6)


@pytest.mark.parametrize("solver", SOLVERS, ids=["single", "cg"])
def test_messages_name_the_argument(solver):
    prepared = solver.prepare(*system(0.1, n=20)[:1], 0.1)
    with pytest.raises(ValueError, match=r"start has shape \(20, 2\); expected \(20,\)"):
        prepared.solve(np.ones(20), np.ones((20, 2)))
    with pytest.raises(ValueError, match=r"start has shape \(19,\)"):
        prepared.solve(np.ones(20), np.ones(19))
    with pytest.raises(ValueError, match=r"k has shape \(20, 2\) and least has shape \(3,\)"):
        prepared.quadratic_bounds(np.ones((20, 2)), np.ones(3))
    with pytest.raises(ValueError, match=r"k has shape \(20,\)"):
        prepared.quadratic_bounds(np.ones(20), np.ones(1))
    with pytest.raises(ValueError, match=r"least has the entry -1\.0"):
        prepared.quadratic_bounds(np.ones((20, 1)), [-1.0])
    with pytest.raises(ValueError, match="seed is -1"):
        type(solver)(seed=-1).prepare(np.eye(2))


def test_advice_names_parameters_that_the_solver_has():
    x = np.concatenate([np.eye(20), np.eye(20)[:2]])
    gram, y = nk.mlp(1).ntk(x), np.arange(22.0)  # two targets for one point
    prepared = nk.solvers.SingleCholeskySolver(most_products=2).prepare(gram)
    with pytest.warns(RuntimeWarning, match="reached a residual") as warned:
        prepared.solve(y)
    assert "rank" not in str(warned[0].message)
