"""Ensembles of many points, by products with operators, against those with matrices."""

import pickle
import tracemalloc
import warnings

import numpy as np
import pytest

import ntkfast as nk
from contract import same_bits
from ntkfast.operators import Operator

RNG = np.random.default_rng(12)
X, X_TEST = RNG.normal(size=(100, 4)), RNG.normal(size=(9, 4))
Y = np.stack([np.sin(2 * X[:, 0]), X[:, 1] * X[:, 2]], axis=1)
NET = nk.mlp(2, nk.Erf(), w_std=1.5, b_std=0.3)


def both(**settings):
    """Return an ensemble by products and one by matrices."""
    return (
        nk.Ensemble(NET, X, Y, solver="cg", tol=1e-9, **settings),
        nk.Ensemble(NET, X, Y, **settings),
    )


@pytest.mark.parametrize("trained", ["all", "readout"])
@pytest.mark.parametrize(("ridge", "noise"), [(0.1, 0.0), (0.01, 0.2)])
@pytest.mark.parametrize("points", ["test", "training"])
def test_distributions_are_those_of_the_matrix(trained, ridge, noise, points):
    found, expected = both(diag_reg=ridge, trained=trained)
    x_test = X_TEST if points == "test" else None
    times = [0.0, 3.0, np.inf]
    for kind in ("none", "diagonal", "full"):
        arguments = {"t": times, "covariance": kind, "noise_variance": noise}
        for a, b in zip(
            found.trajectory(x_test, **arguments),
            expected.trajectory(x_test, **arguments),
            strict=True,
        ):
            np.testing.assert_allclose(a.mean, b.mean, atol=1e-7)
            if kind == "none":
                assert a.covariance is None
            else:
                np.testing.assert_allclose(a.covariance, b.covariance, atol=1e-7)
                assert a.covariance.shape == b.covariance.shape
            if kind == "full":
                np.testing.assert_array_equal(a.covariance, a.covariance.T)
    assert isinstance(found.nngp, Operator)


def test_without_regularisation():
    x, y = RNG.normal(size=(100, 12)), Y
    network = nk.mlp(2, nk.Relu(), b_std=0.1)
    found = nk.Ensemble(network, x, y, solver="cg", tol=1e-10)
    expected = nk.Ensemble(network, x, y)
    x_test = RNG.normal(size=(9, 12))
    a, b = (e.predict(x_test, covariance="full") for e in (found, expected))
    np.testing.assert_allclose(a.mean, b.mean, atol=1e-7)
    np.testing.assert_allclose(a.covariance, b.covariance, atol=1e-8)


def test_float32_and_one_output():
    x, y, x_test = (a.astype(np.float32) for a in (X, Y[:, 0], X_TEST))
    found = nk.Ensemble(NET, x, y, solver="cg", relative_diag_reg=0.01)
    expected = nk.Ensemble(NET, x, y, relative_diag_reg=0.01)
    for t in (5.0, np.inf):
        a, b = (e.predict(x_test, t=t, covariance="diagonal") for e in (found, expected))
        np.testing.assert_allclose(a.mean, b.mean, atol=2e-5)
        np.testing.assert_allclose(a.variance, b.variance, atol=2e-5)
        assert a.mean.shape == (9,)
        assert a.mean.dtype == a.variance.dtype == np.float32


@pytest.mark.parametrize("n", [0, 1, 2])
@pytest.mark.parametrize("m", [0, 1, 300])
def test_small_numbers_of_points(n, m):
    x_test = RNG.normal(size=(m, 4))
    found = nk.Ensemble(NET, X[:n], Y[:n], solver="cg", diag_reg=0.1, tol=1e-10)
    expected = nk.Ensemble(NET, X[:n], Y[:n], diag_reg=0.1)
    for t in (1.0, np.inf):
        for kind in ("none", "diagonal", "full"):
            a, b = (e.predict(x_test, t=t, covariance=kind) for e in (found, expected))
            np.testing.assert_allclose(a.mean, b.mean, atol=1e-8)
            if kind != "none":
                np.testing.assert_allclose(a.covariance, b.covariance, atol=1e-8)
        a, b = (e.predict(t=t, covariance="diagonal") for e in (found, expected))
        np.testing.assert_allclose(a.variance, b.variance, atol=1e-8)


def test_blocks_of_test_points_have_the_values_of_the_whole():
    x_test = RNG.normal(size=(300, 4))  # three blocks of 128
    ensemble = both(diag_reg=0.1)[0]
    calls = []
    whole = ensemble.predict(
        x_test, covariance="diagonal", progress=lambda done, total: calls.append((done, total))
    )
    part = ensemble.predict(x_test[130:140], covariance="diagonal")
    np.testing.assert_allclose(whole.variance[130:140], part.variance, atol=1e-7)
    assert calls[-1][0] == calls[-1][1]


def test_the_mean_is_solved_once():
    ensemble = both(diag_reg=0.1)[0]
    ensemble.predict(X_TEST, covariance="diagonal")
    before = ensemble.flow.prepared.report.products
    ensemble.predict(X_TEST[:3], covariance="diagonal")
    assert ensemble.flow.prepared.report.products == before > 0


def test_auto_chooses_by_size(monkeypatch):
    small = nk.Ensemble(NET, X, Y, diag_reg=0.1)
    assert isinstance(small.nngp, np.ndarray)
    monkeypatch.setattr("ntkfast.dynamics._solvers._FACTORED", 50)
    large = nk.Ensemble(NET, X, Y, diag_reg=0.1)
    assert isinstance(large.nngp, nk.KernelOperator)
    assert "solved by products with operators to 1e-06 (solver='auto'" in str(large)
    assert "by products" not in str(small)
    assert isinstance(nk.Ensemble(NET, X, Y, solver="cholesky").nngp, np.ndarray)


def test_eigenvectors_on_request():
    ensemble = nk.Ensemble(NET, X, Y, solver="eigen", diag_reg=0.1)
    flow = nk.GradientFlow(NET.ntk(X), Y, diag_reg=0.1)
    expected = nk.Ensemble.from_kernels(NET.nngp(X), flow)
    found = ensemble.predict(X_TEST, covariance="full")
    other = expected.predict_kernels(NET.kernels(X_TEST, X), NET.nngp(X_TEST), covariance="full")
    assert same_bits(found.mean, other.mean)
    assert same_bits(found.covariance, other.covariance)


def test_from_operators_of_any_kind():
    """A sum of kernels has no network; its ensemble predicts from kernels."""
    ntk = nk.KernelOperator(NET, X) + nk.KernelOperator(NET, X, kernel="nngp")
    nngp = 2 * nk.KernelOperator(NET, X, kernel="nngp")
    found = nk.Ensemble.from_kernels(nngp, nk.GradientFlow(ntk, Y, diag_reg=0.1, tol=1e-9))
    dense = nk.GradientFlow(ntk.to_array(), Y, diag_reg=0.1)
    expected = nk.Ensemble.from_kernels(nngp.to_array(), dense)
    k = NET.kernels(X_TEST, X)
    kernels = nk.Kernels(nngp=2 * k.nngp, ntk=k.ntk + k.nngp)
    for t in (1.0, np.inf):
        a, b = (
            e.predict_kernels(kernels, 2 * NET.nngp(X_TEST), t=t, covariance="full")
            for e in (found, expected)
        )
        np.testing.assert_allclose(a.mean, b.mean, atol=1e-7)
        np.testing.assert_allclose(a.covariance, b.covariance, atol=1e-7)
    with pytest.raises(ValueError, match=r"nngp has shape \(2, 2\); expected \(100, 100\)"):
        nk.Ensemble.from_kernels(np.eye(2), nk.GradientFlow(ntk, Y))


def test_there_is_no_square_array():
    x = RNG.normal(size=(2200, 4)).astype(np.float32)
    y = np.sin(x[:, 0])
    tracemalloc.start()
    try:
        settings = {"memory": 0, "relative_diag_reg": 0.1, "tol": 1e-3}
        ensemble = nk.Ensemble(NET, x, y, solver="cg", **settings)
        ensemble.predict(X_TEST.astype(np.float32), covariance="diagonal")
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 0.8 * x.itemsize * len(x) ** 2


def test_memory_of_covariances_is_checked(monkeypatch):
    ensemble = both(diag_reg=0.1)[0]
    monkeypatch.setattr("ntkfast._memory.LARGE", 1 << 20)
    monkeypatch.setattr("ntkfast._memory.available", lambda: 2e6)
    with pytest.raises(MemoryError, match="use fewer test points"):
        ensemble.predict(RNG.normal(size=(500, 4)), covariance="full")


def test_pickles_and_files(tmp_path):
    ensemble = both(diag_reg=0.1)[0]
    expected = ensemble.predict(X_TEST, covariance="diagonal")
    again = pickle.loads(pickle.dumps(ensemble)).predict(X_TEST, covariance="diagonal")
    np.testing.assert_array_equal(again.variance, expected.variance)
    with pytest.raises(TypeError, match="operators"):
        nk.save(tmp_path / "ensemble.npz", ensemble)
    dense = nk.Ensemble(NET, X, Y, solver="cholesky", tol=1e-4)
    nk.save(tmp_path / "ensemble.npz", dense)
    loaded = nk.load(tmp_path / "ensemble.npz")
    assert (loaded.solver, loaded.tol) == ("cholesky", 1e-4)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"solver": "lu"}, "solver is 'lu'"),
        ({"tol": 0.0}, "tol is 0.0"),
        ({"tol": 1.5}, "tol is 1.5"),
        ({"solver": "cg", "memory": -1.0}, "memory is -1"),
    ],
)
def test_refusals(settings, message):
    with pytest.raises(ValueError, match=message):
        nk.Ensemble(NET, X, Y, **settings)


def test_points_that_do_not_belong_are_rejected():
    ensemble = both(diag_reg=0.1)[0]
    with pytest.raises(ValueError, match="x_test has shape"):
        ensemble.predict(np.ones((2, 3)))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        kernels = nk.mlp(1).kernels(X_TEST, X)
        with pytest.raises(ValueError, match="do not belong to one network"):
            ensemble.predict_kernels(
                nk.Kernels(100 * kernels.nngp, kernels.ntk), np.ones(9), covariance="diagonal"
            )


def test_covariances_of_operators_are_checked():
    rng = np.random.default_rng(8)
    x, net = rng.normal(size=(20, 3)), nk.mlp(1)
    op = nk.KernelOperator(net, x, kernel="nngp")
    flow = nk.GradientFlow(op, x[:, 0], tol=1e-4)
    matrix = op.to_array()
    matrix[0, 1] = 7.0
    with pytest.raises(ValueError, match="nngp must be symmetric"):
        nk.Ensemble.from_kernels(matrix, flow)
    matrix[0, 1] = np.nan
    with pytest.raises(ValueError, match="nngp has a NaN"):
        nk.Ensemble.from_kernels(matrix, flow)
    with pytest.raises(ValueError, match="nngp is an operator that is not symmetric"):
        nk.Ensemble.from_kernels(nk.KernelOperator(net, x, x + 1), flow)
    ensemble = nk.Ensemble.from_kernels(op, flow)
    assert (ensemble.solver, ensemble.tol) == ("cg", 1e-4)
