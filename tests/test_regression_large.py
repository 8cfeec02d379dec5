"""Kernel regression of large systems, which are solved with a factor in float32 and refined."""

import functools
import pickle

import numpy as np
import pytest
import scipy.linalg

import ntkfast as nk
from ntkfast.solvers import ConjugateGradients, RefinedSolver

EPS = np.finfo(float).eps


@functools.cache
def rotation():
    """An orthogonal matrix of an order that is large, just so."""
    return np.linalg.qr(np.random.default_rng(5).normal(size=(520, 520)))[0]


def spread(condition):
    """A matrix of norm 1 and this condition number, and targets."""
    vectors = rotation()
    gram = (vectors * np.logspace(0, -np.log10(condition), len(vectors))) @ vectors.T
    return (gram + gram.T) / 2, np.random.default_rng(6).normal(size=(len(vectors), 3))


@pytest.mark.parametrize(
    ("condition", "size"),
    [(1e1, 1.0), (1e3, 1e150), (1e4, 1e-150), (1e5, 1.0), (1e7, 1.0), (1e10, 1.0)],
)
def test_large_systems_leave_the_residual_of_a_direct_solve(condition, size):
    theta, y = spread(condition)
    fit = nk.KernelRegression(size * theta, y)
    direct = scipy.linalg.cho_solve(scipy.linalg.cho_factor(theta), y)

    def residual(x):
        return np.linalg.norm(theta @ x - y) / np.linalg.norm(x)

    alpha = fit.coefficients * size
    assert residual(alpha) <= 2 * EPS
    assert np.linalg.norm(alpha - direct) <= 2 * EPS * condition * np.linalg.norm(direct)
    assert fit.jitter == 0
    pivots = np.linalg.cholesky(theta).diagonal()
    estimate = (pivots.max() / pivots.min()) ** 2
    np.testing.assert_allclose(fit.condition_estimate, estimate, rtol=1e-3)
    assert fit.condition_estimate <= condition
    # A factor of float64 was made where float32 does not resolve the matrix, and there only.
    factorised = isinstance(fit.prepared, nk.solvers.PreparedCholesky)
    assert factorised == (condition >= 1e7)
    assert isinstance(fit.prepared, nk.solvers.PreparedRefined) != factorised


def test_large_systems_with_rows_of_any_size_and_a_ridge():
    theta, y = spread(1e3)
    scale = np.logspace(-120, 120, len(y))
    ridge = np.linspace(0.0, 2.0, len(y)) * scale**2
    fit = nk.KernelRegression(theta * scale * scale[:, None], y * scale[:, None], diag_reg=ridge)
    expected = np.linalg.solve(theta + np.diag(ridge / scale**2), y)
    np.testing.assert_allclose(
        fit.coefficients * scale[:, None], expected, rtol=0, atol=1e-12 * np.abs(expected).max()
    )


def test_the_factor_of_a_large_system_is_of_float64():
    theta, y = spread(1e2)
    inverse = np.linalg.inv(theta)
    expected = np.linalg.cholesky(theta)
    fit = nk.KernelRegression(theta, y)
    np.testing.assert_allclose(fit.cholesky.factor, expected, rtol=0, atol=1e-13)
    np.testing.assert_allclose(fit.inverse_diagonal, inverse.diagonal(), rtol=1e-12)
    left_out = y - fit.coefficients / inverse.diagonal()[:, None]
    np.testing.assert_allclose(fit.leave_one_out(), left_out, rtol=0, atol=1e-11)
    twin = pickle.loads(pickle.dumps(fit))
    np.testing.assert_array_equal(twin.coefficients, fit.coefficients)
    changed = nk.KernelRegression(theta, y)
    theta[5, 5] += 0.1
    with pytest.raises(ValueError, match=r"theta has changed.*theta\.copy\(\)"):
        changed.leave_one_out()


def test_large_systems_are_refused_and_mended_as_small_ones(threads):
    theta, y = spread(1e2)
    fits = []
    for count in (1, 2, 3):
        nk.set_num_threads(count)
        fits.append(nk.KernelRegression(theta, y).coefficients)
    assert all(np.array_equal(fits[0], other) for other in fits[1:])
    theta[510] = theta[:, 510] = theta[3]
    theta[3, 510] = theta[510, 3] = theta[510, 510] = theta[3, 3]
    with pytest.warns(RuntimeWarning, match="theta is singular"):
        assert nk.KernelRegression(theta, y).jitter > 0
    theta[7, 7] = -1.0
    with pytest.raises(nk.NumericalError, match="theta is not positive semi-definite"):
        nk.KernelRegression(theta, y)
    theta[400, 500] += 1.0
    with pytest.raises(ValueError, match=r"theta must be symmetric.*\[400, 500\]"):
        nk.KernelRegression(theta, y)
    theta[1, 2] = np.inf
    with pytest.raises(ValueError, match="theta has an infinity at index 1, 2"):
        nk.KernelRegression(theta, y)


@pytest.mark.parametrize("solver", ["cholesky", "eigen", "cg", "auto", ConjugateGradients(1e-12)])
@pytest.mark.parametrize("as_matrix", [np.asarray, lambda op: op])
def test_every_solver_gives_one_regression(solver, as_matrix):
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(300, 5)), rng.normal(size=(300, 2))
    net = nk.mlp(2, b_std=0.5)
    theta = as_matrix(nk.KernelOperator(net, x))
    found = nk.KernelRegression(theta, y, diag_reg=0.1, relative_diag_reg=0.1, solver=solver)
    dense = net.ntk(x)
    ridge = 0.1 + 0.1 * dense.diagonal().mean()
    expected = np.linalg.solve(dense + ridge * np.eye(300), y)
    tolerance = 1e-4 if solver == "cg" else 1e-10
    np.testing.assert_allclose(found.coefficients, expected, atol=tolerance)
    x_test = rng.normal(size=(20, 5))
    outputs = net.ntk(x_test, x) @ found.coefficients
    np.testing.assert_allclose(found.predict(net.ntk(x_test, x)), outputs, rtol=1e-10)
    streamed = found.predict(nk.KernelOperator(net, x_test, x, memory=0))
    np.testing.assert_allclose(streamed, outputs, rtol=1e-10, atol=1e-12)


def test_what_does_not_fit_is_solved_by_products(monkeypatch):
    x = np.random.default_rng(1).normal(size=(600, 5))
    op = nk.KernelOperator(nk.mlp(1), x)
    assert isinstance(nk.KernelRegression(op, x[:, 0]).solver, RefinedSolver)
    monkeypatch.setattr("ntkfast.dynamics._solvers._FACTORED", 500)
    found = nk.KernelRegression(op, x[:, 0], diag_reg=0.1)
    assert isinstance(found.solver, ConjugateGradients)
    assert "solved by ConjugateGradients in" in str(found)
    report = found.prepared.report
    assert f"residual {report.residuals.max():.2g} after {report.products} prod" in str(found)
    each = nk.KernelRegression(op, x[:, 0], diag_reg=np.full(600, 0.1))  # which products refuse
    assert isinstance(each.solver, RefinedSolver)
    np.testing.assert_allclose(each.coefficients, found.coefficients, atol=1e-4)


@pytest.mark.parametrize("kind", [ConjugateGradients, nk.solvers.SingleCholeskySolver])
def test_progress_beside_a_solver_of_ones_own(kind):
    x, seen, own = np.random.default_rng(1).normal(size=(300, 5)), [], []
    op = nk.KernelOperator(nk.mlp(1), x)
    found = nk.KernelRegression(
        op, x[:, 0], diag_reg=0.1, solver=kind(), progress=lambda *at: seen.append(at)
    )
    assert seen
    assert found.solver == kind()
    seen.clear()
    solver = kind(progress=lambda *at: own.append(at))
    nk.KernelRegression(
        op, x[:, 0], diag_reg=0.1, solver=solver, progress=lambda *at: seen.append(at)
    )
    assert own
    assert not seen  # nothing is reported twice


def test_solvers_that_are_none_are_refused():
    with pytest.raises(ValueError, match="solver is 'lu'; expected 'auto' or 'cholesky' or"):
        nk.KernelRegression(np.eye(2), [1.0, 2.0], solver="lu")
    for solver in ("lu", None):
        with pytest.raises((TypeError, ValueError), match=r"or 'cg' or a solver of nk\.solvers"):
            nk.KernelRegression(np.eye(2), [1.0, 2.0], solver=solver)
    with pytest.raises(TypeError, match="an Ensemble solves several systems and takes a name"):
        nk.Ensemble(nk.mlp(1), np.eye(2), [1.0, 2.0], solver=ConjugateGradients())
    with pytest.raises(ValueError, match=r"shape \(2, 3\); expected a square operator"):
        nk.KernelRegression(nk.as_operator(np.ones((2, 3))), [1.0, 2.0])
