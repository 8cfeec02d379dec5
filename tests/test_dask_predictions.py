"""Predictions at points in dask arrays by what was trained with all points."""

import numpy as np
import pytest

import ntkfast as nk

dask = pytest.importorskip("dask", reason="needs the extra dask")
da = pytest.importorskip("dask.array", reason="needs the extra dask")
distributed = pytest.importorskip("distributed", reason="needs the extra dask")

RNG = np.random.default_rng(9)
X = RNG.standard_normal((300, 4))
Y = np.stack([np.sin(2 * X[:, 0]), X[:, 1]], axis=1)
NEW = RNG.standard_normal((130, 4))
NET = nk.mlp(2, b_std=0.5)
MODELS = {
    "posterior": nk.Posterior(NET, X, Y, noise_variance=0.1),
    "posterior of one output": nk.Posterior(NET, X, Y[:, 0], noise_variance=0.1),
    "posterior by products": nk.Posterior(NET, X, Y, noise_variance=0.1, solver="cg"),
    "posterior in single": nk.Posterior(
        NET, X, Y, noise_variance=0.1, solver=nk.solvers.SingleCholeskySolver()
    ),
    "ensemble": nk.Ensemble(NET, X, Y, diag_reg=0.1),
    "ensemble by products": nk.Ensemble(NET, X[:60], Y[:60], diag_reg=1.0, solver="cg"),
    "readout": nk.Ensemble(NET, X, Y, diag_reg=0.1, trained="readout"),
}
models = pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)


def lazy(x, rows=50):
    return da.from_array(x, chunks=(rows, *x.shape[1:]))


def close(found, expected):
    for name in ("mean", "covariance", "variance_bounds"):
        one, other = getattr(found, name), getattr(expected, name)
        assert (one is None) == (other is None)
        if one is not None:
            assert isinstance(one, np.ndarray)
            np.testing.assert_allclose(one, other, atol=1e-5)
    assert found.about == expected.about


@models
@pytest.mark.parametrize("covariance", ["none", "diagonal", "full"])
def test_distributions(model, covariance):
    found = model.predict(lazy(NEW), covariance=covariance)
    close(found, model.predict(NEW, covariance=covariance))


@pytest.mark.parametrize("name", ["ensemble", "readout"])
def test_several_times(name):
    times = [0.0, 0.5, np.inf]
    model = MODELS[name]
    found = model.trajectory(lazy(NEW), t=times, covariance="diagonal", noise_variance=0.2)
    expected = model.trajectory(NEW, t=times, covariance="diagonal", noise_variance=0.2)
    for one, other in zip(found, expected, strict=True):
        close(one, other)


@models
def test_refusals(model):
    with pytest.raises(ValueError, match=r"expected \(m, 4\)"):
        model.predict(lazy(NEW[:, :3]))
    broken = NEW.copy()
    broken[70, 0] = np.nan
    with pytest.raises(ValueError, match="x_test"):
        model.predict(lazy(broken))
    for name in ("posterior", "ensemble"):
        with pytest.raises(ValueError, match=r"index 20, .* x_test that begins at row 50"):
            MODELS[name].predict(lazy(broken, 50))


def test_progress_is_one_step():
    seen = []
    MODELS["posterior"].predict(lazy(NEW), progress=lambda done, total: seen.append((done, total)))
    assert seen == [(0, 1), (1, 1)]


@pytest.mark.parametrize("y", [Y, Y[:, 0]], ids=["two", "one"])
def test_kernels_in_dask_arrays(y):
    fit = nk.KernelRegression(NET.ntk(X), y, diag_reg=0.1)
    found = fit.predict(NET.ntk(lazy(NEW, 64), X))
    expected = fit.predict(NET.ntk(NEW, X))
    assert isinstance(found, da.Array)
    assert found.shape == expected.shape
    assert found.dtype == expected.dtype == found.compute().dtype
    np.testing.assert_allclose(found, expected, atol=1e-10)
    with pytest.raises(ValueError, match=r"If this is net\.ntk\(x, x_test\), use k_test_train\.T"):
        fit.predict(NET.ntk(X, lazy(NEW, 64)))


@pytest.mark.parametrize("t", [0.5, np.inf, [0.0, 2.0], [[0.1], [1.0], [9.0]]], ids=str)
@pytest.mark.parametrize("y", [Y, Y[:, 0]], ids=["two", "one"])
def test_flows(y, t):
    flow, kernel = nk.GradientFlow(NET.ntk(X), y), NET.ntk(lazy(NEW, 64), X)
    other = RNG.standard_normal((130, *y.shape[1:]))
    for f0_test in (0.0, 1, other, other[:1]):
        found = flow.predict(kernel, 0.5, f0_test, t=t)
        expected = flow.predict(NET.ntk(NEW, X), 0.5, f0_test, t=t)
        assert isinstance(found, da.Array)
        assert found.shape == expected.shape
        assert found.dtype == expected.dtype
        np.testing.assert_allclose(found, expected, atol=1e-9)
    with pytest.raises(ValueError, match="f0_test has shape"):
        flow.predict(kernel, 0.0, other[:7], t=t)
    with pytest.raises(ValueError, match=r"use k_test_train\.T"):
        flow.predict(NET.ntk(X, lazy(NEW, 64)), t=t)


def test_operators_between_dask_arrays_and_points():
    op = nk.KernelOperator(NET, lazy(NEW), X, memory=0)
    regression = nk.KernelRegression(NET.ntk(X), Y, diag_reg=0.1)
    np.testing.assert_allclose(regression.predict(op), regression.predict(NET.ntk(NEW, X)))
    flow = nk.GradientFlow(NET.ntk(X), Y)
    np.testing.assert_allclose(
        flow.predict(op, t=2.0), flow.predict(NET.ntk(NEW, X), t=2.0), atol=1e-10
    )


@pytest.mark.alone
def test_on_a_cluster():
    options = {"n_workers": 2, "threads_per_worker": 1, "silence_logs": 50}
    with (
        distributed.LocalCluster(dashboard_address="127.0.0.1:0", **options) as cluster,
        distributed.Client(cluster),
    ):
        for model in MODELS.values():
            close(
                model.predict(lazy(NEW), covariance="diagonal"),
                model.predict(NEW, covariance="diagonal"),
            )
