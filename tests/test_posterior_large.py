"""Posteriors without a factor in float64, against formulae of NumPy."""

import pickle

import numpy as np
import pytest

import ntkfast as nk
from ntkfast.solvers import CholeskySolver, ConjugateGradients, SingleCholeskySolver

RNG = np.random.default_rng(3)
X = RNG.normal(size=(400, 5))
Y = np.sin(X[:, 0]) + 0.1 * RNG.normal(size=400)
TEST = RNG.normal(size=(300, 5))
NET = nk.mlp(2, b_std=0.5)
NOISE = 0.01
SOLVERS = ["cholesky", "cg", SingleCholeskySolver()]


class Exact:
    """The formulae of Gaussian process regression, in float64."""

    def __init__(self, noise=NOISE):
        self.k = NET.nngp(X) + np.diag(np.broadcast_to(noise, len(X)))
        cross = NET.nngp(TEST, X)
        self.alpha = np.linalg.solve(self.k, Y)
        self.mean = cross @ self.alpha
        self.covariance = NET.nngp(TEST) - cross @ np.linalg.solve(self.k, cross.T)
        self.evidence = -0.5 * (
            Y @ self.alpha + np.linalg.slogdet(self.k)[1] + len(X) * np.log(2 * np.pi)
        )
        self.left_out = Y - self.alpha / np.linalg.inv(self.k).diagonal()


@pytest.mark.parametrize("solver", SOLVERS, ids=["cholesky", "cg", "single"])
@pytest.mark.parametrize("memory", [0, None])
def test_means_variances_and_evidence(solver, memory):
    exact = Exact()
    posterior = nk.Posterior(NET, X, Y, noise_variance=NOISE, solver=solver, memory=memory)
    found = posterior.predict(TEST, covariance="diagonal")
    np.testing.assert_allclose(found.mean, exact.mean, atol=2e-5)
    variance = exact.covariance.diagonal()
    if solver == "cholesky":
        assert found.variance_bounds is None
        np.testing.assert_allclose(found.variance, variance, atol=1e-10)
    else:
        lower, upper = found.variance_bounds
        assert (lower <= variance).all()
        assert (variance <= upper).all()
        assert (upper - lower <= 0.02 * variance).all()
        np.testing.assert_array_equal(found.variance, upper)
        assert "variances known to" in repr(found)
    value, error = posterior.log_marginal_likelihood(return_std=True)
    assert abs(value - exact.evidence) < 4 * error + 0.01
    assert error == 0 if solver == "cholesky" else error > 0
    full = posterior.predict(TEST[:20], covariance="full").covariance
    np.testing.assert_allclose(full, exact.covariance[:20, :20], atol=1e-5)


def test_an_evidence_with_a_large_error_warns():
    posterior = nk.Posterior(NET, X, Y, noise_variance=1e-4, solver=ConjugateGradients(probes=4))
    with pytest.warns(RuntimeWarning, match="standard error of .* pass return_std=True"):
        posterior.log_marginal_likelihood()


@pytest.mark.parametrize("solver", [ConjugateGradients(), SingleCholeskySolver()])
def test_leave_one_out(solver):
    exact = Exact()
    posterior = nk.Posterior(NET, X, Y, noise_variance=NOISE, solver=solver)
    found = posterior.leave_one_out()
    if isinstance(solver, SingleCholeskySolver):
        np.testing.assert_allclose(found.mean, exact.left_out, atol=1e-3)
    errors = [np.sqrt(np.mean((Y - mean) ** 2)) for mean in (found.mean, exact.left_out)]
    assert errors[0] == pytest.approx(errors[1], rel=0.03)


def test_training_points_need_a_factor_for_their_variances():
    exact = NET.nngp(X) - NET.nngp(X) @ np.linalg.solve(Exact().k, NET.nngp(X))
    single = nk.Posterior(NET, X, Y, noise_variance=NOISE, solver=SingleCholeskySolver())
    found = single.predict(covariance="diagonal")
    np.testing.assert_allclose(found.variance, exact.diagonal(), rtol=1e-3, atol=1e-6)
    posterior = nk.Posterior(NET, X, Y, noise_variance=NOISE, solver="cg")
    np.testing.assert_allclose(posterior.predict().mean, single.predict().mean, atol=1e-5)
    with pytest.raises(ValueError, match=r"pass some of them, such as predict\(x\[:1000\]"):
        posterior.predict(covariance="diagonal")
    some = posterior.predict(X[:7], covariance="diagonal")
    assert (some.variance_bounds[0] <= exact.diagonal()[:7]).all()


def test_the_choice_follows_memory_and_the_noise(monkeypatch):
    kinds = []
    for free in (1e9, 1.5e6, 1e5):  # two matrices in float64 take 2.6 MB, one in float32 0.6 MB
        monkeypatch.setattr("ntkfast.dynamics._solvers.available", lambda free=free: free)
        posterior = nk.Posterior(NET, X, Y, noise_variance=NOISE)
        kinds.append(type(posterior.regression.solver))
        assert f"solved by {kinds[-1].__name__} in" in str(posterior)
    assert kinds == [CholeskySolver, SingleCholeskySolver, ConjugateGradients]
    each = np.linspace(NOISE, 0.1, len(X))  # which conjugate gradients refuse
    posterior = nk.Posterior(NET, X, Y, noise_variance=each)
    assert isinstance(posterior.regression.solver, SingleCholeskySolver)
    np.testing.assert_allclose(posterior.predict(TEST).mean, Exact(each).mean, atol=1e-7)


def test_operators_in_place_of_matrices():
    op = nk.KernelOperator(NET, X, kernel="nngp")
    exact, cross = Exact(), NET.nngp(TEST, X)
    for given, solver in ((op, "auto"), (op, "cg"), (nk.as_operator(op.to_array()), "cg")):
        posterior = nk.Posterior.from_kernels(given, Y, noise_variance=NOISE, solver=solver)
        found = posterior.predict_kernels(
            cross, NET.nngp(TEST, diagonal=True), covariance="diagonal"
        )
        np.testing.assert_allclose(found.mean, exact.mean, atol=2e-5)
        np.testing.assert_allclose(found.variance, exact.covariance.diagonal(), rtol=0.01)
    with pytest.raises(ValueError, match="not symmetric"):
        nk.Posterior.from_kernels(nk.KernelOperator(NET, X, TEST[:300].repeat(2, 0)[:400]), Y)


def test_arguments_of_solvers():
    with pytest.raises(TypeError, match=r"solver is the class ConjugateGradients; pass one"):
        nk.Posterior(NET, X, Y, solver=ConjugateGradients)
    with pytest.raises(ValueError, match="give it to the solver"):
        nk.Posterior(NET, X, Y, solver=ConjugateGradients(), tol=1e-3)
    posterior = nk.Posterior(NET, X, Y, noise_variance=NOISE, solver="cg", tol=1e-12)
    np.testing.assert_allclose(posterior.regression.coefficients, Exact().alpha, atol=1e-9)
    twin = pickle.loads(pickle.dumps(posterior))
    np.testing.assert_array_equal(twin.predict(TEST).mean, posterior.predict(TEST).mean)


def test_progress_can_be_pickled_away():
    calls = []
    posterior = nk.Posterior(
        NET, X, Y, noise_variance=NOISE, solver="cg", progress=lambda *report: calls.append(report)
    )
    assert calls
    assert pickle.loads(pickle.dumps(posterior)).regression.solver.progress is None


@pytest.mark.parametrize("solver", ["cg", SingleCholeskySolver()], ids=["cg", "single"])
@pytest.mark.parametrize("noise", [1e-8, 1e-4, 1e-1])
def test_bounds_of_points_in_float32_contain_the_exact_variance(solver, noise):
    x, test = X.astype(np.float32), np.concatenate([X[:20], TEST[:40]]).astype(np.float32)
    x64, test64 = x.astype(np.float64), test.astype(np.float64)
    values, vectors = np.linalg.eigh(NET.nngp(x64))
    parts = (NET.nngp(test64, x64) @ vectors).astype(np.longdouble)
    exact = NET.nngp(test64, diagonal=True) - (parts**2 / (values + noise)).sum(axis=1)
    posterior = nk.Posterior(NET, x, Y.astype(np.float32), noise_variance=noise, solver=solver)
    found = posterior.predict(test, covariance="diagonal")
    assert found.mean.dtype == np.float32
    kernels = NET.nngp(test, x), NET.nngp(test, diagonal=True)  # whose own rounding counts
    wider = posterior.predict_kernels(*kernels, covariance="diagonal")
    for lower, upper in (found.variance_bounds, wider.variance_bounds):
        assert (lower <= exact).all()
        assert (exact <= upper).all()
    if noise > 1e-8:
        lower, upper = found.variance_bounds
        assert (upper - lower <= 0.02 * exact).all()


@pytest.mark.parametrize("solver", ["cg", "eigen"])
@pytest.mark.parametrize("c", [None, 2])
def test_targets_that_a_singular_kernel_does_not_reach_have_no_evidence(solver, c):
    x, y = X[:60], Y[:60] if c is None else np.stack([Y[:60], 1 - Y[:60]], axis=1)
    copies = np.r_[x, x[:3]]
    alone = nk.Posterior(NET, x, y, noise_variance=0.0, solver=solver)
    equal = nk.Posterior(NET, copies, np.r_[y, y[:3]], noise_variance=0.0, solver=solver)
    other = nk.Posterior(NET, copies, np.r_[y, y[:3] + 1e-3], noise_variance=0.0, solver=solver)
    found = [each.log_marginal_likelihood(return_std=True)[0] for each in (other, alone, equal)]
    assert found[0] == -np.inf
    assert np.isfinite(found[1])
    assert found[2] > found[1]


def test_a_point_with_a_kernel_of_zero_has_the_target_zero():
    net, x = nk.mlp(1), np.r_[X[:30], np.zeros((1, X.shape[1]))]
    for solver in ("cg", "eigen"):
        posterior = nk.Posterior(net, x, Y[:31], noise_variance=0.0, solver=solver)
        assert posterior.log_marginal_likelihood() == -np.inf


def test_leave_one_out_warns_where_float32_does_not_resolve_the_noise():
    x = X[:, :2]
    posterior = nk.Posterior(NET, x, Y, noise_variance=1e-9, solver=SingleCholeskySolver(tol=1e-8))
    with pytest.warns(RuntimeWarning, match=r"has errors of \d+%, because float32"):
        posterior.leave_one_out()


@pytest.mark.parametrize(
    ("name", "value", "error", "message"),
    [
        ("tol", 0, ValueError, "tol is 0.0; expected a finite number > 0"),
        ("tol", 2, ValueError, "tol is 2; expected a number > 0 and < 1"),
        ("tol", "small", TypeError, "tol is 'small'"),
        ("memory", -1, ValueError, "memory is -1.0"),
        ("memory", "4 GB", TypeError, "memory is '4 GB'"),
    ],
)
def test_arguments_are_checked_also_where_a_factor_does_not_use_them(name, value, error, message):
    for model in (nk.Posterior, nk.Ensemble):
        with pytest.raises(error, match=message):
            model(NET, X[:50], Y[:50], **{name: value})


def test_leave_one_out_by_products_says_how_exact_it_is():
    posterior = nk.Posterior(NET, X, Y, noise_variance=NOISE, solver="cg")
    error = posterior.regression.prepared.inverse_diagonal_error
    assert error > 0
    found = str(posterior.leave_one_out())
    assert f"leave-one-out estimated by products, variances of observations to {error:.2g}" in found
    factor = nk.Posterior(NET, X, Y, noise_variance=NOISE)
    assert "estimated" not in str(factor.leave_one_out())
