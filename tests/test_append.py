"""More training points: results are those of a fit of all points."""

import warnings

import numpy as np
import pytest

import ntkfast as nk
from contract import same_bits
from ntkfast.solvers import CholeskySolver, ConjugateGradients, PreparedCholesky

RNG = np.random.default_rng(21)
X, X_TEST = RNG.normal(size=(700, 6)), RNG.normal(size=(20, 6))
Y = np.stack([np.sin(X[:, 0]), X[:, 1] * X[:, 2]], axis=1)
NET = nk.mlp(2, b_std=0.5)
THETA, CROSS = NET.ntk(X), NET.ntk(X_TEST, X)


def parts(n, b, theta=THETA):
    """Return the kernel of n points, that of b further ones with them, and their own."""
    return theta[:n, :n], theta[n : n + b, :n], theta[n : n + b, n : n + b]


def assert_same(found, expected, k_test, tolerance=1e-10):
    np.testing.assert_allclose(
        found.coefficients,
        expected.coefficients,
        rtol=tolerance,
        atol=tolerance * np.abs(expected.coefficients).max(initial=1e-300),
    )
    np.testing.assert_allclose(
        found.predict(k_test), expected.predict(k_test), rtol=tolerance, atol=tolerance
    )
    np.testing.assert_array_equal(found.y, expected.y)
    np.testing.assert_array_equal(found.diagonal, expected.diagonal)
    assert found.coefficients.dtype == expected.coefficients.dtype


@pytest.mark.parametrize("c", [None, 1, 2])
@pytest.mark.parametrize("b", [0, 1, 7])
@pytest.mark.parametrize("n", [0, 1, 127, 129, 300, 600])
def test_a_factor_grows_to_that_of_all_points(n, b, c):
    y = Y[:, 0] if c is None else Y[:, :c]
    theta, cross, own = parts(n, b)
    fit = nk.KernelRegression(theta, y[:n], diag_reg=0.05)
    found = fit.append(cross, own, y[n : n + b])
    expected = nk.KernelRegression(THETA[: n + b, : n + b], y[: n + b], diag_reg=0.05)
    assert_same(found, expected, CROSS[:, : n + b])
    if n + b:
        np.testing.assert_allclose(
            found.leave_one_out(), expected.leave_one_out(), rtol=1e-9, atol=1e-9
        )
        factor = expected.cholesky.factor
        np.testing.assert_allclose(found.cholesky.factor, factor, atol=1e-12 * factor.max())
        np.testing.assert_array_equal(np.triu(found.cholesky.factor, 1), 0)
    assert len(fit.y) == n  # as it was


def test_without_regularisation_and_many_times():
    fit = nk.KernelRegression(THETA[:50, :50], Y[:50])
    for n in range(50, 80, 3):
        _, cross, own = parts(n, 3)
        fit = fit.append(cross, own, Y[n : n + 3])
    assert_same(fit, nk.KernelRegression(THETA[:80, :80], Y[:80]), CROSS[:, :80])
    assert isinstance(fit.prepared, PreparedCholesky)


def test_one_regularisation_per_point():
    ridge = RNG.uniform(0.1, 1.0, 40)
    theta, cross, own = parts(33, 7)
    fit = nk.KernelRegression(theta, Y[:33], diag_reg=ridge[:33])
    expected = nk.KernelRegression(THETA[:40, :40], Y[:40], diag_reg=ridge)
    assert_same(fit.append(cross, own, Y[33:40], diag_reg=ridge[33:]), expected, CROSS[:, :40])
    same = nk.KernelRegression(THETA[:40, :40], Y[:40], diag_reg=np.r_[ridge[:33], [0.3] * 7])
    assert_same(fit.append(cross, own, Y[33:40], diag_reg=0.3), same, CROSS[:, :40])
    with pytest.raises(ValueError, match="one number per point; pass it for the 7 new points"):
        fit.append(cross, own, Y[33:40])
    with pytest.raises(ValueError, match=r"diag_reg has shape \(3,\)"):
        fit.append(cross, own, Y[33:40], diag_reg=np.ones(3))
    with pytest.raises(ValueError, match=r"diag_reg is one number for all points, 0\.1"):
        nk.KernelRegression(theta, Y[:33], diag_reg=0.1).append(
            cross, own, Y[33:40], diag_reg=np.ones(7)
        )


def test_a_relative_regularisation_must_not_change():
    theta, cross, own = parts(40, 5)
    fit = nk.KernelRegression(theta, Y[:40], relative_diag_reg=0.1)
    with pytest.raises(ValueError, match=r"which the new points change from .*; fit all points"):
        fit.append(cross, own, Y[40:45])
    x = X / np.linalg.norm(X, axis=1, keepdims=True)  # a constant diagonal
    theta = NET.ntk(x)
    fit = nk.KernelRegression(theta[:40, :40], Y[:40], relative_diag_reg=0.1, diag_reg=0.01)
    found = fit.append(*parts(40, 5, theta)[1:], Y[40:45])
    expected = nk.KernelRegression(theta[:45, :45], Y[:45], relative_diag_reg=0.1, diag_reg=0.01)
    np.testing.assert_allclose(found.coefficients, expected.coefficients, rtol=1e-10, atol=1e-12)
    again = found.append(*parts(45, 5, theta)[1:], Y[45:50])
    assert len(again.y) == 50


def test_float32():
    theta = THETA.astype(np.float32)
    y = Y.astype(np.float32)
    fit = nk.KernelRegression(theta[:90, :90], y[:90], diag_reg=0.5)
    found = fit.append(*parts(90, 10, theta)[1:], y[90:100])
    expected = nk.KernelRegression(theta[:100, :100], y[:100], diag_reg=0.5)
    assert_same(found, expected, CROSS[:, :100].astype(np.float32), 2e-5)
    assert found.coefficients.dtype == np.float32
    with pytest.raises(ValueError, match="are float64, and the factor of theta is float32"):
        fit.append(*parts(90, 10)[1:], y[90:100])


def test_copies_of_points_need_a_fit_of_all():
    theta = NET.ntk(np.concatenate([X[:30], X[:2]]))
    fit = nk.KernelRegression(theta[:30, :30], Y[:30])
    with pytest.raises(nk.NumericalError, match=r"singular to working precision.*fit all points"):
        fit.append(theta[30:, :30], theta[30:, 30:], Y[:2])
    regular = nk.KernelRegression(theta[:30, :30], Y[:30], diag_reg=0.1)
    y = np.concatenate([Y[:30], Y[:2]])
    expected = nk.KernelRegression(theta, y, diag_reg=0.1)
    found = regular.append(theta[30:, :30], theta[30:, 30:], Y[:2])
    assert_same(found, expected, CROSS[:, [*range(30), 0, 1]])
    with pytest.warns(RuntimeWarning, match="singular"):
        with_jitter = nk.KernelRegression(theta, y)
    with pytest.raises(nk.NumericalError, match="jitter"):
        with_jitter.append(NET.ntk(X[40:41], np.concatenate([X[:30], X[:2]])), [[9.0]], Y[:1])


# Products.


@pytest.mark.parametrize("ridge", [0.0, 0.1])
@pytest.mark.parametrize("b", [0, 1, 30])
def test_products_begin_with_the_old_solution(b, ridge):
    solver = ConjugateGradients(tol=1e-9)
    settings = {"diag_reg": ridge, "solver": solver}
    n = 400
    fit = nk.KernelRegression(nk.KernelOperator(NET, X[:n]), Y[:n], **settings)
    found = fit.append_points(X[n : n + b], Y[n : n + b])
    op = nk.KernelOperator(NET, X[: n + b])
    expected = nk.KernelRegression(op, Y[: n + b], **settings)
    k_test = CROSS[:, : n + b]
    np.testing.assert_allclose(found.predict(k_test), expected.predict(k_test), atol=1e-6)
    report = found.prepared.report
    assert report.residuals.max() <= 1e-9
    left = op @ found.coefficients + ridge * found.coefficients - Y[: n + b]
    assert (np.linalg.norm(left, axis=0) <= 1.01e-9 * np.linalg.norm(Y[: n + b], axis=0)).all()
    assert report.products <= expected.prepared.report.products + 1
    if b == 0:
        assert report.products == 1  # the residual is there already
    if b == 1:
        assert report.products < expected.prepared.report.products


def test_a_start_saves_products():
    op = nk.KernelOperator(NET, X)
    prepared = ConjugateGradients(tol=1e-8).prepare(op, 0.01)
    whole = prepared.solve(Y)
    taken = prepared.report.products
    again = prepared.solve(Y, start=whole * (1 + 1e-5))
    assert prepared.report.products < 0.7 * taken
    np.testing.assert_allclose(again, whole, atol=1e-5 * np.abs(whole).max())
    far = prepared.solve(Y, start=1e6 * np.ones_like(Y))  # is not used
    assert same_bits(far, whole)
    with pytest.raises(ValueError, match="start has shape"):
        prepared.solve(Y, start=Y[:3])


def test_copies_among_new_points_without_regularisation():
    n = 100
    fit = nk.KernelRegression(
        nk.KernelOperator(NET, np.concatenate([X[:n], X[:5]])),
        np.concatenate([Y[:n], Y[:5] + 1]),
        solver=ConjugateGradients(tol=1e-10),
    )
    found = fit.append_points(X[3:8], Y[3:8] - 1)
    x = np.concatenate([X[:n], X[:5], X[3:8]])
    y = np.concatenate([Y[:n], Y[:5] + 1, Y[3:8] - 1])
    expected = nk.GradientFlow(NET.ntk(x), y).predict(NET.ntk(X_TEST, x), t=np.inf)
    np.testing.assert_allclose(found.predict(NET.ntk(X_TEST, x)), expected, atol=1e-6)


def test_matrices_solved_by_products():
    theta, cross, own = parts(200, 9)
    fit = nk.KernelRegression(theta, Y[:200], relative_diag_reg=0.1, solver="cg")
    found = fit.append(cross, own, Y[200:209])
    expected = nk.KernelRegression(THETA[:209, :209], Y[:209], relative_diag_reg=0.1)
    k_test = CROSS[:, :209]
    np.testing.assert_allclose(found.predict(k_test), expected.predict(k_test), atol=1e-4)


def test_checkpoints_know_the_start(tmp_path):
    solver = ConjugateGradients(checkpoint=tmp_path / "solve.npz")
    fit = nk.KernelRegression(nk.KernelOperator(NET, X[:300]), Y[:300], diag_reg=0.1, solver=solver)
    found = fit.append_points(X[300:310], Y[300:310])
    assert found.prepared.report.residuals.max() <= 1e-6
    assert not (tmp_path / "solve.npz").exists()


# Posteriors.


@pytest.mark.parametrize("noise", [0.01, "each"])
@pytest.mark.parametrize(("n", "b"), [(0, 5), (1, 1), (60, 1), (60, 7), (60, 0)])
def test_posteriors(n, b, noise):
    each = RNG.uniform(0.01, 0.1, n + b)
    old, new, whole = (noise, None, noise) if noise != "each" else (each[:n], each[n:], each)
    posterior = nk.Posterior(NET, X[:n], Y[:n], noise_variance=old)
    found = posterior.append(X[n : n + b], Y[n : n + b], noise_variance=new)
    expected = nk.Posterior(NET, X[: n + b], Y[: n + b], noise_variance=whole)
    a, e = (p.predict(X_TEST, covariance="full") for p in (found, expected))
    np.testing.assert_allclose(a.mean, e.mean, rtol=1e-10, atol=1e-10)
    np.testing.assert_allclose(a.covariance, e.covariance, rtol=1e-10, atol=1e-10)
    evidence = expected.log_marginal_likelihood()
    np.testing.assert_allclose(found.log_marginal_likelihood(), evidence, rtol=1e-10, atol=1e-10)
    np.testing.assert_array_equal(found.noise_variance, expected.noise_variance)
    np.testing.assert_array_equal(found.x, expected.x)
    assert len(posterior.x) == n


@pytest.mark.parametrize("solver", ["cg", nk.solvers.SingleCholeskySolver()], ids=["cg", "single"])
def test_posteriors_by_products(solver):
    x, y, noise = X[:300], np.sin(X[:300, 0]), 0.1
    first = nk.Posterior(NET, x[:280], y[:280], noise_variance=noise, solver=solver, tol=None)
    found = first.append(x[280:], y[280:])
    exact = nk.Posterior(NET, x, y, noise_variance=noise).predict(X_TEST, covariance="diagonal")
    again = found.predict(X_TEST, covariance="diagonal")
    np.testing.assert_allclose(again.mean, exact.mean, atol=1e-4)
    np.testing.assert_allclose(again.variance, exact.variance, rtol=0.01)
    assert type(found.regression.solver) is type(first.regression.solver)


def test_posteriors_that_are_computed_afresh():
    """With a relative noise, a jitter, or wider points, all values are those of all points."""
    narrow = X[:40].astype(np.float32)
    cases = [
        (nk.Posterior(NET, X[:40], Y[:40], relative_diag_reg=0.1), X[40:44], X[:44]),
        (nk.Posterior(NET, narrow, Y[:40]), X[40:44], np.concatenate([narrow, X[40:44]])),
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        copies = np.concatenate([X[:40], X[:2]])
        cases.append((nk.Posterior(NET, X[:40], Y[:40], noise_variance=0.0), X[:2], copies))
        for posterior, x_new, x in cases:
            found = posterior.append(x_new, Y[: len(x_new)])
            y = np.concatenate([Y[:40], Y[: len(x_new)]])
            expected = nk.Posterior(
                NET,
                x,
                y,
                noise_variance=posterior.noise_variance,
                relative_diag_reg=posterior.relative_diag_reg,
            )
            assert same_bits(found.predict(X_TEST).mean, expected.predict(X_TEST).mean)
            assert found.relative_diag_reg == posterior.relative_diag_reg


def test_a_posterior_in_an_eigenbasis_is_computed_afresh():
    posterior = nk.Posterior(NET, X[:40], Y[:40], solver="eigen").append(X[40:44], Y[40:44])
    assert isinstance(posterior.regression.solver, nk.solvers.EigenSolver)
    expected = nk.Posterior(NET, X[:44], Y[:44]).predict(X_TEST).mean
    np.testing.assert_allclose(posterior.predict(X_TEST).mean, expected, rtol=1e-9, atol=1e-11)


def test_results_can_be_saved(tmp_path):
    theta, cross, own = parts(40, 5)
    found = nk.KernelRegression(theta, Y[:40], diag_reg=0.1).append(cross, own, Y[40:45])
    nk.save(tmp_path / "fit.npz", found)
    loaded = nk.load(tmp_path / "fit.npz")
    assert same_bits(loaded.coefficients, found.coefficients)
    more = loaded.append(*parts(45, 2)[1:], Y[45:47])
    assert len(more.y) == 47
    posterior = nk.Posterior(NET, X[:40], Y[:40]).append(X[40:42], Y[40:42])
    nk.save(tmp_path / "posterior.npz", posterior)
    assert nk.load(tmp_path / "posterior.npz").x.shape == (42, 6)


@pytest.mark.parametrize("b", [4, 40])
def test_the_cost_is_that_of_new_rows(monkeypatch, b):
    """n²·b operations in products, and no work on the old factor, which is copied as it is."""
    n, count = 600, [0]

    def counted(left, right):
        count[0] += 2 * left.shape[0] * left.shape[1] * right.shape[1]
        return nk.linalg.matmul(left, right)

    theta, cross, own = parts(n, b)
    fit = nk.KernelRegression(theta, Y[:n], diag_reg=0.1, solver=CholeskySolver())
    solve = nk.Cholesky.solve_lower

    def counted_solve(factor, right):
        count[0] += factor.n**2 * right.shape[1]
        return solve(factor, right)

    monkeypatch.setattr("ntkfast.dynamics._append.matmul", counted)
    monkeypatch.setattr(nk.Cholesky, "solve_lower", counted_solve)
    found = fit.append(cross, own, Y[n : n + b])
    assert same_bits(found.cholesky.factor[:n, :n], fit.cholesky.factor)
    assert n**2 * b <= count[0] <= n**2 * b + 2 * n * b**2


# Messages.


def test_refusals():
    theta, cross, own = parts(40, 5)
    fit = nk.KernelRegression(theta, Y[:40], diag_reg=0.1)
    for arguments, message in (
        ((cross[:, :30], own, Y[40:45]), r"k_new_train has shape \(5, 30\); expected"),
        ((cross, own[:3, :3], Y[40:45]), r"k_new has shape \(3, 3\) and k_new_train \(5, 40\)"),
        ((cross, np.triu(own), Y[40:45]), "k_new must be symmetric"),
        ((cross, own, Y[40:44]), r"y_new has shape \(4, 2\); expected \(5, 2\)"),
        ((cross, own, Y[40:45, 0]), r"y_new has shape \(5,\); expected \(5, 2\)"),
        ((cross, own, np.full((5, 2), np.nan)), "y_new"),
    ):
        with pytest.raises(ValueError, match=message):
            fit.append(*arguments)
    with pytest.raises(ValueError, match=r"knows no points.*use append\(k_new_train"):
        fit.append_points(X[:2], Y[:2])
    eigen = nk.KernelRegression(theta, Y[:40], diag_reg=0.1, solver="eigen")
    with pytest.raises(ValueError, match="eigendecomposition cannot be extended; fit all points"):
        eigen.append(cross, own, Y[40:45])
    op = nk.KernelOperator(NET, X[:40])
    products = nk.KernelRegression(op, Y[:40], diag_reg=0.1, solver="cg")
    with pytest.raises(ValueError, match="use append_points"):
        products.append(cross, own, Y[40:45])
    with pytest.raises(ValueError, match=r"x_new has shape \(2, 5\); expected \(b, 6\)"):
        products.append_points(X[:2, :5], Y[:2])
    posterior = nk.Posterior(NET, X[:40], Y[:40])
    with pytest.raises(ValueError, match=r"x_new has shape \(6,\)"):
        posterior.append(X[0], Y[0])
    with pytest.raises(ValueError, match="noise_variance is one number for all points"):
        posterior.append(X[:1], Y[:1], noise_variance=0.1)
    from_kernels = nk.Posterior.from_kernels(theta, Y[:40])
    with pytest.raises(ValueError, match=r"made from kernels.*Posterior\.from_kernels"):
        from_kernels.append(X[:1], Y[:1])


def test_memory_is_checked(monkeypatch):
    theta, cross, own = parts(200, 5)
    fit = nk.KernelRegression(theta, Y[:200], diag_reg=0.1)
    monkeypatch.setattr("ntkfast._memory.LARGE", 1)
    monkeypatch.setattr("ntkfast._memory.available", lambda: 2e5)
    with pytest.raises(MemoryError, match="the Cholesky factor of all points"):
        fit.append(cross, own, Y[200:205])
