"""Estimators on dask arrays: what they learn and predict is what they do of arrays."""

import numpy as np
import pytest

import ntkfast as nk
from ntkfast.nystroem._distributed import DistributedPoints
from ntkfast.operators import DistributedKernelOperator

dask = pytest.importorskip("dask", reason="needs the extra dask")
da = pytest.importorskip("dask.array", reason="needs the extra dask")
distributed = pytest.importorskip("distributed", reason="needs the extra dask")
sk = pytest.importorskip("ntkfast.sklearn", reason="needs the extra sklearn")

RNG = np.random.default_rng(4)
X = RNG.standard_normal((600, 4))
Y = np.sin(2 * X[:, 0]) + 0.1 * RNG.standard_normal(600)
BOTH = np.stack([Y, X[:, 1]], axis=1)
LABELS = np.array(["low", "middle", "high"])[np.digitize(Y, [-0.5, 0.5])]
NEW = RNG.standard_normal((130, 4))
CENTRES = {"centres": 40, "random_state": 1}
REGRESSORS = {
    "NTKRegressor": sk.NTKRegressor(relative_diag_reg=1e-2),
    "NTKRegressor at a finite time": sk.NTKRegressor(t=3.0),
    "NTKRegressorCV": sk.NTKRegressorCV(depths=(1, 2)),
    "NNGPRegressor": sk.NNGPRegressor(normalize_y=True),
    "RFMRegressor": sk.RFMRegressor(rounds=1),
    "RFMRegressor with a given ridge": sk.RFMRegressor(rounds=1, relative_diag_reg=1e-2),
    "NystroemRegressor": sk.NystroemRegressor(**CENTRES),
    "NystroemRegressor that chooses": sk.NystroemRegressor(
        relative_diag_reg="auto", normalize_y=True, **CENTRES
    ),
}
CLASSIFIERS = {
    "NTKClassifier": sk.NTKClassifier(relative_diag_reg=1e-2),
    "NTKClassifierCV": sk.NTKClassifierCV(depths=(1, 2)),
    "NNGPClassifier": sk.NNGPClassifier(),
    "RFMClassifier": sk.RFMClassifier(rounds=1),
    "NystroemClassifier": sk.NystroemClassifier(**CENTRES),
    "NystroemClassifier of the logistic loss": sk.NystroemClassifier(
        loss="log", relative_diag_reg=1e-3, **CENTRES
    ),
}
regressors = pytest.mark.parametrize("model", REGRESSORS.values(), ids=REGRESSORS)
classifiers = pytest.mark.parametrize("model", CLASSIFIERS.values(), ids=CLASSIFIERS)
everything = pytest.mark.parametrize(
    "model",
    [*REGRESSORS.values(), *CLASSIFIERS.values(), sk.NystroemFeatures(**CENTRES)],
    ids=[*REGRESSORS, *CLASSIFIERS, "NystroemFeatures"],
)


def lazy(x, rows=250):
    return da.from_array(x, chunks=(rows, *x.shape[1:]))


def targets_of(model):
    return LABELS if "Classifier" in type(model).__name__ else Y


def fitted(model, x, y):
    """Return the model, which is shared with other tests, fitted to these samples."""
    return type(model)(**model.get_params(deep=False)).fit(x, y)


def close(found, expected):
    """Compare a lazy result of `NEW` with that of an array."""
    assert isinstance(found, da.Array)
    assert found.chunks[0] == (50, 50, 30)
    assert found.shape == expected.shape
    assert found.dtype == expected.dtype
    value = found.compute()
    assert value.dtype == expected.dtype
    if expected.dtype.kind == "f":
        np.testing.assert_allclose(value, expected, atol=1e-6)
    else:
        np.testing.assert_array_equal(value, expected)


def test_all_estimators_are_tested():
    tested = {type(m).__name__ for m in (*REGRESSORS.values(), *CLASSIFIERS.values())}
    assert tested | {"NystroemFeatures", "NTKKernel", "NNGPKernel"} == set(sk.__all__)


@regressors
@pytest.mark.parametrize("y", [Y, BOTH], ids=["one", "two"])
def test_regressors(model, y):
    found, own = fitted(model, lazy(X), lazy(y)), fitted(model, X, y)
    assert found.n_features_in_ == 4
    close(found.predict(lazy(NEW, 50)), own.predict(NEW))
    for noise in (False, True):
        results = found.predict(lazy(NEW, 50), return_std=True, noise=noise)
        expected = own.predict(NEW, return_std=True, noise=noise)
        for result, array in zip(results, expected, strict=True):
            close(result, array)
    np.testing.assert_allclose(found.predict(NEW), own.predict(NEW), atol=1e-6)
    assert found.score(lazy(X), lazy(y)) == pytest.approx(own.score(X, y), abs=1e-6)


@classifiers
def test_classifiers(model):
    found, own = fitted(model, lazy(X), lazy(LABELS)), fitted(model, X, LABELS)
    np.testing.assert_array_equal(found.classes_, own.classes_)
    close(found.predict(lazy(NEW, 50)), own.predict(NEW))
    close(found.predict_proba(lazy(NEW, 50)), own.predict_proba(NEW))
    assert found.score(lazy(X), lazy(LABELS)) == pytest.approx(own.score(X, LABELS))


def test_features():
    found, own = (sk.NystroemFeatures(**CENTRES).fit(x) for x in (lazy(X), X))
    np.testing.assert_array_equal(found.centres_, own.centres_)
    close(found.transform(lazy(NEW, 50)), own.transform(NEW))
    assert isinstance(found.fit_transform(lazy(X)), da.Array)


@everything
def test_types(model):
    x, y = X.astype(np.float32), targets_of(model)
    found, own = fitted(model, lazy(x), y), fitted(model, x, y)
    method = "transform" if hasattr(own, "transform") else "predict"
    for new in (NEW.astype(np.float32), NEW):
        result, expected = getattr(found, method)(lazy(new, 50)), getattr(own, method)(new)
        assert result.dtype == expected.dtype == result.compute().dtype
    whole = RNG.integers(-3, 4, (90, 4))
    assert getattr(found, method)(lazy(whole, 50)).dtype == getattr(own, method)(whole).dtype


@everything
def test_refusals(model):
    fit, y = fitted(model, lazy(X), targets_of(model)), targets_of(model)
    method = fit.transform if hasattr(fit, "transform") else fit.predict
    with pytest.raises(ValueError, match=r"3 features, but .* is expecting 4 features"):
        method(lazy(NEW[:, :3]))
    with pytest.raises(ValueError, match=r"X\.compute_chunk_sizes\(\)"):
        method(lazy(NEW)[lazy(NEW)[:, 0] > 0])
    with pytest.raises(ValueError, match="Expected 2D array"):
        method(lazy(NEW)[:, 0])
    broken = NEW.copy()
    broken[70, 0] = np.nan
    with pytest.raises(ValueError, match="contains NaN"):
        method(lazy(broken)).compute()
    with pytest.raises(ValueError, match=r"in the chunk of X that begins at row 50\)"):
        method(lazy(broken, 50)).compute()
    with pytest.raises(ValueError, match=r"0 sample\(s\)"):
        method(lazy(NEW[:0]))
    new = type(model)()
    with pytest.raises(ValueError, match="not fitted yet"):
        getattr(new, method.__name__)(lazy(NEW))
    broken = X.copy()
    broken[400, 0] = np.inf
    with pytest.raises(ValueError, match=r"infinity"):
        fitted(model, lazy(broken), y)
    with pytest.raises(ValueError, match="Expected 2D array"):
        fitted(model, lazy(X)[:, 0], y)
    if not hasattr(fit, "transform"):
        with pytest.raises(ValueError, match="inconsistent numbers of samples"):
            fitted(model, lazy(X), y[:9])


@everything
def test_empty_chunks(model):
    """These come from a choice of samples."""
    x, new = lazy(X).rechunk({0: (0, 250, 0, 350)}), lazy(NEW).rechunk({0: (0, 50, 0, 80)})
    found, own = fitted(model, x, targets_of(model)), fitted(model, X, targets_of(model))
    for method in ("predict", "predict_proba", "transform"):
        if hasattr(own, method):
            result, expected = getattr(found, method)(new), getattr(own, method)(NEW)
            assert result.chunks[0] == (0, 50, 0, 80)
            if expected.dtype.kind == "f":
                np.testing.assert_allclose(result.compute(), expected, atol=1e-6)
            else:
                np.testing.assert_array_equal(result.compute(), expected)


@pytest.mark.parametrize(
    "model", [REGRESSORS["NystroemRegressor"], CLASSIFIERS["NystroemClassifier"]], ids=type
)
@pytest.mark.parametrize("least", [0.0, 0.5])
def test_weights(model, least):
    weights, y = np.maximum(RNG.integers(0, 3, 600), least), targets_of(model)
    params = model.get_params(deep=False)
    found = type(model)(**params).fit(lazy(X), y, sample_weight=lazy(weights))
    own = type(model)(**params).fit(X, y, sample_weight=weights)
    np.testing.assert_array_equal(found.centres_, own.centres_)
    np.testing.assert_allclose(found.dual_coef_, own.dual_coef_, atol=1e-6)


@everything
def test_sparse_matrices_in_dask_arrays(model):
    sparse = pytest.importorskip("scipy.sparse")
    fit, y = fitted(model, X, targets_of(model)), targets_of(model)
    method = fit.transform if hasattr(fit, "transform") else fit.predict
    chunks = lazy(X).map_blocks(sparse.csr_matrix)
    with pytest.raises(TypeError, match=r"X is a dask array with chunks of type csr_matrix"):
        method(chunks)
    with pytest.raises(TypeError, match=r"pass X\.map_blocks\(lambda chunk: chunk\.toarray"):
        fitted(model, chunks, y)


@pytest.mark.parametrize("name", ["NTKRegressor", "NNGPRegressor"])
def test_kernels_in_dask_arrays(name):
    kernel = nk.mlp(1).ntk if name.startswith("NTK") else nk.mlp(1).nngp
    model = getattr(sk, name)(kernel="precomputed").fit(kernel(lazy(X)), Y)
    own = getattr(sk, name)(kernel="precomputed").fit(kernel(X), Y)
    found = model.predict(kernel(lazy(NEW, 64), X))
    assert isinstance(found, da.Array)
    np.testing.assert_allclose(found, own.predict(kernel(NEW, X)), atol=1e-9)
    with pytest.raises(ValueError, match='kernel="precomputed"'):
        model.predict(kernel(lazy(NEW, 64), X), return_std=True)


def test_deviations_by_products_on_workers_are_refused():
    for model in (sk.NTKRegressor(solver="cg"), sk.NNGPRegressor(solver="cg")):
        fit = model.fit(lazy(X), Y)
        trained = fit.posterior_.regression if hasattr(fit, "posterior_") else fit.training_
        assert isinstance(trained.prepared.op, DistributedKernelOperator)
        with pytest.raises(ValueError, match=r"pass X\.compute\(\)"):
            fit.predict(lazy(NEW), return_std=True)
        mean, std = fit.predict(NEW, return_std=True)
        close(fit.predict(lazy(NEW, 50)), mean)
        assert (std >= 0).all()


@pytest.mark.filterwarnings("ignore:solver='auto' is approximate")
def test_many_samples_are_learnt_on_centres(monkeypatch):
    monkeypatch.setattr("ntkfast.sklearn._many.MANY", 500)
    monkeypatch.setattr("ntkfast.sklearn._many.CENTRES", 30)
    model, own = (sk.NTKRegressor(relative_diag_reg=1e-2).fit(x, Y) for x in (lazy(X), X))
    assert isinstance(model.training_._problem.points, DistributedPoints)
    close(model.predict(lazy(NEW, 50)), own.predict(NEW))
    with pytest.raises(ValueError, match="learnt from 600 samples with 30 centres"):
        model.predict(lazy(NEW), return_std=True)


def test_what_means_alone_cannot_do():
    fit = sk.NystroemRegressor(**CENTRES).fit(lazy(X), Y).mean_only()
    close(fit.predict(lazy(NEW, 50)), fit.predict(NEW))
    with pytest.raises(ValueError, match="which mean_only"):
        fit.predict(lazy(NEW), return_std=True)


class TestNystroemRegression:
    @pytest.mark.parametrize("y", [Y, BOTH], ids=["one", "two"])
    def test_predictions(self, y):
        fit = nk.NystroemRegression(nk.mlp(1), X, y, centres=30, diag_reg=0.1)
        close(fit.predict(lazy(NEW, 50).rechunk({1: 3})), fit.predict(NEW))
        close(fit.variance(lazy(NEW, 50)), fit.variance(NEW))

    def test_refusals(self):
        fit = nk.NystroemRegression(nk.mlp(1), X, Y, centres=30, diag_reg=0.1)
        with pytest.raises(ValueError, match=r"x has shape \(130, 3\); expected \(k, 4\)"):
            fit.predict(lazy(NEW[:, :3]))
        with pytest.raises(TypeError, match="so the result is lazy; drop progress"):
            fit.variance(lazy(NEW), progress=True)
        broken = NEW.copy()
        broken[70, 1] = np.nan
        for method in (fit.predict, fit.variance):
            with pytest.raises(
                ValueError,
                match=r"row 20, column 1.*in the chunk of x that begins at row 50\)",
            ):
                method(lazy(broken, 50)).compute()


@pytest.mark.alone
class TestOnACluster:
    def test_results_come_from_the_workers(self):
        options = {"n_workers": 2, "threads_per_worker": 1, "silence_logs": 50}
        with (
            distributed.LocalCluster(dashboard_address="127.0.0.1:0", **options) as cluster,
            distributed.Client(cluster),
        ):
            for model in (*REGRESSORS.values(), *CLASSIFIERS.values()):
                y = targets_of(model)
                fit, own = fitted(model, lazy(X), lazy(y)), fitted(model, X, y)
                close(fit.predict(lazy(NEW, 50)), own.predict(NEW))
                if y is LABELS:
                    close(fit.predict_proba(lazy(NEW, 50)), own.predict_proba(NEW))
                else:
                    std = own.predict(NEW, return_std=True)[1]
                    close(fit.predict(lazy(NEW, 50), return_std=True)[1], std)
