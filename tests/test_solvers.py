"""Solvers: their prepared systems, and the interface that the rest of the package uses."""

import pickle
from dataclasses import dataclass

import numpy as np
import pytest

import ntkfast as nk
from contract import same_bits
from ntkfast.solvers import (
    CholeskySolver,
    EigenSolver,
    Prepared,
    PreparedCholesky,
    PreparedEigen,
    PreparedRefined,
    RefinedSolver,
    Solver,
)

SOLVERS = [CholeskySolver(), RefinedSolver(), EigenSolver()]


def gram(n, seed=0, dtype=np.float64):
    """A Gram matrix with a condition number of about 100, and right-hand sides."""
    rng = np.random.default_rng(seed)
    vectors = np.linalg.qr(rng.normal(size=(n, n)))[0]
    theta = (vectors * np.linspace(0.1, 10.0, n)) @ vectors.T
    return ((theta + theta.T) / 2).astype(dtype), rng.normal(size=(n, 2)).astype(dtype)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("n", [1, 7, 520])
@pytest.mark.parametrize("solver", SOLVERS, ids=lambda solver: type(solver).__name__)
def test_every_solver_tells_the_same_as_numpy(solver, n, dtype):
    theta, b = gram(n, dtype=dtype)
    whole = theta.astype(np.float64) + 0.3 * np.eye(n)
    close = {"rtol": 1e-9 if dtype == np.float64 else 1e-3, "atol": 0}
    prepared, x = solver.solve(theta, 0.3, b)
    expected = np.linalg.solve(whole, b.astype(np.float64))
    size = np.abs(expected).max()
    accuracy = 1e-12 if dtype == np.float64 else 1e-4
    for found in (x, prepared.solve(b), solver.prepare(theta, 0.3).solve(b)):
        assert found.dtype == dtype
        np.testing.assert_allclose(found, expected, rtol=0, atol=accuracy * size)
    one = prepared.solve(b[:, 0])
    np.testing.assert_allclose(one, expected[:, 0], rtol=0, atol=accuracy * size)
    assert prepared.n == n
    assert prepared.dtype == dtype
    assert prepared.jitter == 0
    assert prepared.seconds >= 0
    np.testing.assert_allclose(prepared.log_determinant, np.linalg.slogdet(whole)[1], **close)
    np.testing.assert_allclose(prepared.trace, np.trace(whole), **close)
    np.testing.assert_allclose(prepared.inverse_diagonal, np.linalg.inv(whole).diagonal(), **close)
    np.testing.assert_array_equal(prepared.diagonal, np.full(n, 0.3, dtype))
    condition = np.linalg.cond(whole)
    assert 1 - 1e-6 <= prepared.condition_estimate <= condition * (1 + close["rtol"])
    if isinstance(prepared, PreparedEigen):
        np.testing.assert_allclose(prepared.condition_estimate, condition, **close)
        with pytest.raises(ValueError, match=r"no Cholesky factor; use nk\.cholesky\(theta\)"):
            _ = prepared.cholesky
    else:
        np.testing.assert_allclose(
            np.abs(prepared.cholesky.factor @ prepared.cholesky.factor.T - whole).max(),
            0,
            atol=20 * accuracy,
        )
    twin = pickle.loads(pickle.dumps(prepared))
    assert same_bits(twin.solve(b), prepared.solve(b))
    assert repr(twin) == repr(prepared)
    assert repr(prepared).startswith(f"{type(prepared).__name__}(n={n}, ridge=0.3, jitter=0, ")


@pytest.mark.parametrize("solver", [CholeskySolver(), RefinedSolver()])
@pytest.mark.parametrize("n", [7, 520])
def test_a_ridge_for_each_point(solver, n):
    theta, b = gram(n)
    ridge = np.linspace(0.0, 2.0, n)
    prepared, x = solver.solve(theta, ridge, b)
    np.testing.assert_allclose(x, np.linalg.solve(theta + np.diag(ridge), b), rtol=0, atol=1e-12)
    np.testing.assert_array_equal(prepared.diagonal, ridge)
    np.testing.assert_array_equal(prepared.ridge, ridge)


def test_which_solver_prepares_what():
    small, large = gram(511), gram(512)
    kinds = [type(RefinedSolver().solve(theta, 0.0, b)[0]) for theta, b in (small, large)]
    assert kinds == [PreparedCholesky, PreparedRefined]
    assert type(RefinedSolver().prepare(large[0])) is PreparedCholesky
    assert type(CholeskySolver().solve(*gram(512)[:1], 0.0, large[1])[0]) is PreparedCholesky
    single = [array.astype(np.float32) for array in large]
    assert type(RefinedSolver().solve(single[0], 0.0, single[1])[0]) is PreparedCholesky


def test_one_decomposition_serves_every_ridge():
    theta, b = gram(20)
    spectrum = nk.eigh(theta)
    prepared = EigenSolver().prepare(spectrum)
    assert prepared.spectrum is spectrum
    assert prepared.seconds == 0
    for ridge in (0.0, 0.5, 100.0):
        moved = prepared.with_ridge(ridge)
        assert moved.spectrum is spectrum
        np.testing.assert_allclose(
            moved.solve(b), np.linalg.solve(theta + ridge * np.eye(20), b), rtol=0, atol=1e-12
        )
    assert prepared.ridge == 0


def test_singular_systems_by_eigenvectors_have_the_solution_of_minimum_norm():
    rng = np.random.default_rng(3)
    factor = rng.normal(size=(9, 4))
    theta, b = factor @ factor.T, rng.normal(size=(9, 2))
    prepared, x = EigenSolver().solve(theta, 0.0, b)
    np.testing.assert_allclose(x, np.linalg.pinv(theta) @ b, rtol=0, atol=1e-10)
    assert prepared.singular
    with pytest.raises(nk.NumericalError, match="has no inverse; increase diag_reg"):
        _ = prepared.inverse_diagonal
    mended = prepared.with_ridge(1e-3)
    assert not mended.singular
    inverse = np.linalg.inv(theta + 1e-3 * np.eye(9))
    np.testing.assert_allclose(mended.inverse_diagonal, inverse.diagonal(), rtol=1e-9)
    with pytest.warns(RuntimeWarning, match="theta is singular .*; increase the regularisation"):
        assert CholeskySolver().prepare(theta).jitter > 0


def test_empty_systems():
    for solver in SOLVERS:
        prepared, x = solver.solve(np.empty((0, 0)), 0.0, np.empty((0, 3)))
        assert x.shape == (0, 3)
        assert prepared.n == prepared.inverse_diagonal.size == prepared.log_determinant == 0
        assert np.isnan(prepared.condition_estimate)


@pytest.mark.parametrize("solver", SOLVERS, ids=lambda solver: type(solver).__name__)
def test_what_is_no_system_is_refused(solver):
    theta, _ = gram(4)
    for wrong, message in (
        (theta[:3], r"K has shape \(3, 4\)"),
        (np.triu(theta), "must be symmetric within rounding"),
        (-theta, "K is not positive semi-definite"),
        (np.where(np.eye(4), np.nan, theta), "has a NaN"),
    ):
        with pytest.raises((ValueError, nk.NumericalError), match=message):
            solver.prepare(wrong, name="K")
    with pytest.raises(ValueError, match="ridge is -1; expected >= 0"):
        solver.prepare(theta, -1.0)
    with pytest.raises(ValueError, match=r"ridge has shape \(3,\)"):
        solver.prepare(theta, np.ones(3))
    with pytest.raises(TypeError, match="ridge"):
        solver.prepare(theta, "much")
    with pytest.raises(ValueError, match=r"b has shape \(5,\); expected \(4,\) or \(4, c\)"):
        solver.prepare(theta).solve(np.ones(5))
    with pytest.raises(ValueError, match="b has a NaN"):
        solver.prepare(theta).solve([1.0, np.nan, 0.0, 0.0])


def test_eigenvectors_take_one_ridge():
    with pytest.raises(
        ValueError, match=r"regularisation .* has shape \(4,\); expected one number"
    ):
        EigenSolver().prepare(gram(4)[0], np.ones(4))


@dataclass(frozen=True, eq=False, repr=False)
class PreparedInverse(Prepared):
    """The inverse itself, by NumPy."""

    inverse: np.ndarray

    @property
    def n(self):
        return len(self.inverse)

    @property
    def dtype(self):
        return self.inverse.dtype

    def solve(self, b):
        return self.inverse @ b

    @property
    def log_determinant(self):
        return -np.linalg.slogdet(self.inverse)[1]

    @property
    def trace(self):
        return np.trace(np.linalg.inv(self.inverse))

    @property
    def inverse_diagonal(self):
        return self.inverse.diagonal()

    @property
    def condition_estimate(self):
        return np.linalg.cond(self.inverse)

    @property
    def cholesky(self):
        raise ValueError("there is none")


@dataclass(frozen=True)
class InverseSolver(Solver):
    """A solver that the package has never seen."""

    def prepare(self, theta, ridge=0.0, *, name="theta", remedy=""):
        inverse = np.linalg.inv(theta + np.diag(np.broadcast_to(ridge, len(theta))))
        return PreparedInverse(np.asarray(ridge), 0.0, 0.0, inverse)


def test_the_package_asks_a_solver_for_nothing_but_the_protocol():
    """A posterior, its evidence, and leave-one-out through a solver made here."""
    rng = np.random.default_rng(4)
    x, x_test, y = rng.normal(size=(9, 2)), rng.normal(size=(4, 2)), rng.normal(size=(9, 2))
    net = nk.mlp(1, nk.Erf(), b_std=0.3)

    def told(solver):
        posterior = nk.Posterior(net, x, y, noise_variance=0.1, solver=solver)
        normals = [posterior.leave_one_out()]
        normals += [
            posterior.predict(points, covariance=kind)
            for points in (None, x_test)
            for kind in ("none", "diagonal", "full")
        ]
        fit = posterior.regression
        return [
            posterior.log_marginal_likelihood(),
            *(array for normal in normals for array in (normal.mean, normal.covariance)),
            *(fit.coefficients, fit.leave_one_out(), fit.predict_train(), fit.diagonal),
        ]

    usual = told("auto")
    fit = nk.Posterior(net, x, y, solver=InverseSolver()).regression
    assert isinstance(fit.solver, InverseSolver)
    assert isinstance(fit.prepared, PreparedInverse)
    for found, expected in zip(told(InverseSolver()), usual, strict=True):
        if expected is not None:
            np.testing.assert_allclose(found, expected, rtol=0, atol=1e-11)


def test_what_was_learnt_can_be_learnt_again_with_more_points():
    """Public attributes hold all that conditioning on further points takes."""
    rng = np.random.default_rng(5)
    x, y = rng.normal(size=(12, 2)), rng.normal(size=12)
    x_test, net = rng.normal(size=(3, 2)), nk.mlp(1, nk.Erf(), b_std=0.3)

    old = nk.Posterior(net, x[:8], y[:8], noise_variance=0.1)
    assert old.network is not None
    again = nk.Posterior(
        old.network,
        np.concatenate([old.x, x[8:]]),
        np.concatenate([old.regression.y, y[8:]]),
        noise_variance=old.noise_variance,
    )
    assert isinstance(old.regression.solver, CholeskySolver)
    whole = nk.Posterior(net, x, y, noise_variance=0.1)
    assert same_bits(again.predict(x_test).mean, whole.predict(x_test).mean)

    ensemble = nk.Ensemble(net, x[:8], y[:8], diag_reg=0.1, learning_rate=0.5, reduction="mean")
    assert ensemble.network is not None
    flow = ensemble.flow
    again = nk.Ensemble(
        ensemble.network,
        np.concatenate([ensemble.x, x[8:]]),
        np.concatenate([flow.y, y[8:]]),
        learning_rate=flow.learning_rate,
        reduction=flow.reduction,
        diag_reg=flow.diag_reg,
        relative_diag_reg=flow.relative_diag_reg,
        trained=ensemble.trained,
    )
    assert isinstance(flow.solver, EigenSolver)
    assert flow.prepared.spectrum is flow.spectrum
    whole = nk.Ensemble(net, x, y, diag_reg=0.1, learning_rate=0.5, reduction="mean")
    assert same_bits(again.predict(x_test, t=2.0).mean, whole.predict(x_test, t=2.0).mean)

    # A factor grows by a block: [L, 0; B, C] with B = k·L⁻ᵀ and C·Cᵀ = c − B·Bᵀ.
    theta = net.ntk(x)
    fit = nk.KernelRegression(theta[:8, :8], y[:8], diag_reg=0.1)
    assert isinstance(fit.solver, RefinedSolver)
    lower = fit.prepared.cholesky.factor
    below = np.linalg.solve(lower, theta[:8, 8:]).T
    corner = np.linalg.cholesky(theta[8:, 8:] + 0.1 * np.eye(4) - below @ below.T)
    factor = nk.Cholesky(np.block([[lower, np.zeros((8, 4))], [below, corner]]))
    grown = factor.solve(np.concatenate([fit.y, y[8:]]))
    expected = nk.KernelRegression(theta, y, diag_reg=fit.diag_reg).coefficients
    np.testing.assert_allclose(grown, expected, rtol=0, atol=1e-12)


def test_each_result_keeps_its_solver():
    x = np.random.default_rng(6).normal(size=(10, 2))
    model = nk.sklearn.NTKRegressor(1).fit(x, x[:, 0])
    assert isinstance(model.training_.solver, RefinedSolver)
    stopped = nk.sklearn.NTKRegressor(1, t=1.0).fit(x, x[:, 0])
    assert isinstance(stopped.training_.solver, EigenSolver)
    process = nk.sklearn.NNGPRegressor(1).fit(x, x[:, 0])
    assert isinstance(process.posterior_.regression.solver, CholeskySolver)
    assert CholeskySolver() == CholeskySolver() != RefinedSolver()
