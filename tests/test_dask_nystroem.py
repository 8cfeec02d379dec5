"""Nyström regression on dask arrays: the results of one process, by passes on workers."""

import os
import signal
import threading
import time

import numpy as np
import pytest

import ntkfast as nk
from ntkfast.nystroem import _distributed
from ntkfast.nystroem._problem import Problem, Settings
from ntkfast.nystroem._system import WhitenedNormal

dask = pytest.importorskip("dask", reason="needs the extra dask")
da = pytest.importorskip("dask.array", reason="needs the extra dask")
distributed = pytest.importorskip("distributed", reason="needs the extra dask")

RNG = np.random.default_rng(8)
X = RNG.standard_normal((3000, 5))
Y = np.stack([np.sin(2 * X[:, 0]), X[:, 1] * X[:, 2]], axis=1) + 0.1 * RNG.standard_normal(
    (3000, 2)
)
WEIGHTS = RNG.integers(0, 4, 3000).astype(float)
X_TEST = RNG.standard_normal((70, 5))
NET = nk.mlp(2, b_std=0.5)


def lazy(x, rows=700):
    return da.from_array(x, chunks=(rows, *x.shape[1:]))


@pytest.fixture(params=[2048, 10], ids=["complete", "sketch"])
def system(request, monkeypatch):
    """The complete normal equations, or conjugate gradients after a sketch."""
    monkeypatch.setattr("ntkfast.nystroem._matrix._FEW", request.param)


def fitted(x, y, **settings):
    settings = {"centres": 30, "diag_reg": 0.1, "tol": 1e-10, **settings}
    return nk.NystroemRegression(NET, x, y, **settings)


@pytest.mark.usefixtures("system")
class TestWithoutACluster:
    @pytest.mark.parametrize("memory", [0, 5e5, None])
    def test_results_are_those_of_one_process(self, memory):
        fit, own = fitted(lazy(X), lazy(Y), memory=memory), fitted(X, Y)
        np.testing.assert_array_equal(fit.centres, own.centres)
        np.testing.assert_allclose(fit.predict(X_TEST), own.predict(X_TEST), atol=1e-7)
        np.testing.assert_allclose(fit.variance(X_TEST), own.variance(X_TEST), rtol=1e-6)
        assert fit.n == 3000
        assert fit.diag_reg == own.diag_reg
        assert fit.unexplained == own.unexplained
        assert fit.report.products == own.report.products
        assert fit.report.residuals.max() <= 1e-10
        left, expected = fit.leave_one_out(500), own.leave_one_out(500)
        np.testing.assert_array_equal(left.rows, expected.rows)
        np.testing.assert_allclose(left.predictions, expected.predictions, atol=1e-6)

    def test_bits_depend_neither_on_chunks_nor_on_memory(self):
        one = fitted(lazy(X), lazy(Y))
        for rows, memory, y in ((3000, 0, Y), (64, 1e6, lazy(Y, 999)), (411, None, Y)):
            again = fitted(lazy(X, rows).rechunk({1: 2}), y, memory=memory)
            np.testing.assert_array_equal(again.coefficients, one.coefficients)

    @pytest.mark.parametrize("weights", [WEIGHTS, da.from_array(WEIGHTS)], ids=["array", "dask"])
    def test_weights(self, weights):
        fit = fitted(lazy(X), Y, sample_weight=weights)
        own = fitted(X, Y, sample_weight=WEIGHTS)
        np.testing.assert_array_equal(fit.centres, own.centres)
        np.testing.assert_allclose(fit.predict(X_TEST), own.predict(X_TEST), atol=1e-7)

    @pytest.mark.parametrize("dtype", [None, np.float32])
    def test_float32(self, dtype):
        x = X if dtype else X.astype(np.float32)
        fit, own = fitted(lazy(x), Y, dtype=dtype, tol=1e-6), fitted(x, Y, dtype=dtype, tol=1e-6)
        assert fit.centres.dtype == np.float32
        np.testing.assert_allclose(fit.predict(X_TEST), own.predict(X_TEST), atol=1e-3)


def test_images():
    images = RNG.standard_normal((600, 4, 4, 2))
    net, y = nk.cntk(1), images[:, 0, 0, 0]
    fit = nk.NystroemRegression(net, lazy(images), y, centres=20, diag_reg=0.1)
    own = nk.NystroemRegression(net, images, y, centres=20, diag_reg=0.1)
    np.testing.assert_allclose(fit.predict(images[:9]), own.predict(images[:9]), atol=1e-9)


def test_many_regularisations():
    settings = {"centres": 30, "diag_reg": [1e-3, 1e-1, 10.0]}
    path = nk.NystroemPath(NET, lazy(X), Y, **settings)
    own = nk.NystroemPath(NET, X, Y, **settings)
    np.testing.assert_allclose(path.errors, own.errors, rtol=1e-8)
    best = path.regression()
    np.testing.assert_allclose(best.predict(X_TEST), own.regression().predict(X_TEST), atol=1e-8)


def test_a_pass_needs_only_pieces_of_the_points():
    # Nothing but the pieces is ever read, and none in one piece of all points.
    sizes = []

    def read(block):
        sizes.append(len(block))
        return block

    x = lazy(X, 500).map_blocks(read, dtype=X.dtype, meta=np.empty((0, 0)))
    fitted(x, Y, memory=0)
    assert set(sizes) == {500}


def test_divisions_depend_on_the_numbers_alone():
    points = _distributed.DistributedPoints(NET, lazy(X), Y)
    assert points.rows == 256
    assert len(points.pieces) == 12
    assert _distributed._rows_of_pieces(10**6, 20) == 16_384
    assert _distributed._rows_of_pieces(10**8, 20) == 65_536
    assert _distributed._rows_of_pieces(10**6, 3072) == 1024
    settings = Settings(X[:2100], "pivots", "ntk", 0, 1e6, None, None)
    passes = Problem.of(NET, lazy(X), Y, None, settings, again=True).passes
    assert passes.rows == 256
    assert len(passes._parts) == 12


def test_tasks_of_fewer_rows_than_pieces(monkeypatch):
    # As for so many centres that the kernel of a piece would be large.
    monkeypatch.setattr(_distributed, "_LEAST", 1024)
    monkeypatch.setattr(_distributed, "_ENTRIES", 30 * 256)
    monkeypatch.setattr("ntkfast.nystroem._passes._ENTRIES", 30 * 256)
    monkeypatch.setattr("ntkfast.nystroem._matrix._FEW", 10)
    settings = Settings(X[:30], "pivots", "ntk", 0, 5 * 256 * 30 * 8, None, None)
    passes = Problem.of(NET, lazy(X), Y, None, settings, again=True).passes
    assert passes.points.rows == 1024
    assert [rows.stop - rows.start for _, rows in passes._parts] == [256] * 11 + [184]
    fit = fitted(lazy(X), Y, memory=5 * 256 * 30 * 8)
    np.testing.assert_allclose(fit.predict(X_TEST), fitted(X, Y).predict(X_TEST), atol=1e-7)
    passes._distribute()
    assert passes.kept == 5 * 256 * 30 * 8
    passes.release()
    assert passes.kept == 0


def test_more_centres_than_rows_of_a_piece():
    # Tasks of the normal equations take several pieces each.
    fit, own = fitted(lazy(X), Y, centres=600), fitted(X, Y, centres=600)
    np.testing.assert_allclose(fit.predict(X_TEST), own.predict(X_TEST), atol=1e-7)


def test_a_fit_that_was_stopped_goes_on(tmp_path, monkeypatch):
    monkeypatch.setattr("ntkfast.nystroem._matrix._FEW", 10)
    path = tmp_path / "state"
    whole = fitted(lazy(X), Y)

    def stop(done, total):
        if total != 3000 and done > 40:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fitted(lazy(X), Y, checkpoint=path, progress=stop)
    assert path.exists()
    again = fitted(lazy(X, 999), Y, checkpoint=path)
    assert again.report.products == whole.report.products
    np.testing.assert_array_equal(again.coefficients, whole.coefficients)


class TestRefusals:
    def test_points_and_targets(self):
        broken = X.copy()
        broken[1234, 1] = np.nan
        with pytest.raises(ValueError, match="row 1234 of the points has a NaN"):
            fitted(lazy(broken), Y)
        with pytest.raises(ValueError, match="row 1234 of the targets has a NaN"):
            fitted(lazy(X), broken[:, 1])
        with pytest.raises(ValueError, match="expected one row of y for each"):
            fitted(lazy(X), Y[:9])
        with pytest.raises(ValueError, match="no outputs"):
            fitted(lazy(X), Y[:, :0])
        with pytest.raises(TypeError, match="y is None"):
            fitted(lazy(X), None)
        with pytest.raises(ValueError, match="there are no points"):
            fitted(lazy(X)[:0], Y[:0])
        with pytest.raises(TypeError, match="expected real numbers"):
            fitted(lazy(X.astype(str)), Y)

    def test_sizes(self):
        unknown = lazy(X)[lazy(X)[:, 0] > 0]
        with pytest.raises(ValueError, match=r"x\.compute_chunk_sizes\(\)"):
            fitted(unknown, Y)
        with pytest.raises(ValueError, match=r"y\.compute_chunk_sizes\(\)"):
            fitted(lazy(X), lazy(Y)[lazy(X)[:, 0] > 0])

    def test_weights(self):
        with pytest.raises(ValueError, match=r"sample_weight has shape \(9,\)"):
            fitted(lazy(X), Y, sample_weight=WEIGHTS[:9])
        with pytest.raises(ValueError, match="exceed the range of float64; scale"):
            fitted(lazy(X), Y, sample_weight=np.full(3000, 1e304))


@pytest.fixture(scope="module")
def cluster():
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, dashboard_address="127.0.0.1:0", silence_logs=50
    ) as cluster:
        yield cluster


@pytest.fixture
def client(cluster):
    with distributed.Client(cluster) as client:
        client.wait_for_workers(2)
        yield client


@pytest.mark.alone
@pytest.mark.usefixtures("system")
class TestOnACluster:
    def test_the_bits_of_any_other_scheduler(self, client):
        fit = fitted(lazy(X), lazy(Y), memory=4e5)
        with client.as_current(), dask.config.set(scheduler="threads"):
            own = fitted(lazy(X, 300), Y)
        np.testing.assert_array_equal(fit.coefficients, own.coefficients)

    def test_points_stay_on_the_workers(self, client):
        # The client never holds all points: only workers can make them.
        def made(block_info=None):
            (start, stop), _ = block_info[None]["array-location"]
            return np.random.default_rng(start).standard_normal((stop - start, 5))

        pid = os.getpid()

        def elsewhere(block):
            assert os.getpid() != pid
            return block

        x = da.map_blocks(made, chunks=((500,) * 6, (5,)), dtype=float)
        x = x.map_blocks(elsewhere, dtype=float, meta=np.empty((0, 0)))
        y = x[:, 0] * x[:, 1]
        fit = fitted(x, y)
        assert fit.report.residuals.max() <= 1e-10
        whole = x.compute()
        own = fitted(whole, whole[:, 0] * whole[:, 1])
        np.testing.assert_allclose(fit.predict(X_TEST), own.predict(X_TEST), atol=1e-7)

    def test_workers_of_another_version_are_refused(self, client, monkeypatch):
        monkeypatch.setattr("ntkfast.dask.tasks.VERSION", "0.0.1")
        with pytest.raises(RuntimeError, match=r"the client has ntkfast 0\.0\.1"):
            fitted(lazy(X), Y)


@pytest.mark.alone
def test_a_killed_worker_costs_its_pieces_alone(client, cluster, monkeypatch):
    monkeypatch.setattr("ntkfast.nystroem._matrix._FEW", 10)
    x, y = (np.tile(a, (5, 1)) + 1e-3 for a in (X, Y))
    settings = {"centres": X[:200], "diag_reg": 0.1, "tol": 1e-6}
    begun = time.monotonic()
    expected = nk.NystroemRegression(NET, lazy(x, 5000), y, **settings)
    usual = time.monotonic() - begun
    victim = next(iter(cluster.workers.values())).pid
    killer = threading.Timer(usual / 3, os.kill, (victim, signal.SIGKILL))
    killer.start()
    fit = nk.NystroemRegression(NET, lazy(x, 5000), y, **settings)
    assert not killer.is_alive()
    np.testing.assert_array_equal(fit.coefficients, expected.coefficients)
    client.wait_for_workers(2)


def test_predictions_name_the_chunk_and_refuse_types_at_once():
    fit, wrong = fitted(X, Y), X_TEST.copy()
    wrong[45, 2] = np.nan
    with pytest.raises(ValueError, match=r"row 15, .*chunk of x that begins at row 30"):
        fit.predict(lazy(wrong, 30)).compute()
    for function in (fit.predict, fit.variance):
        with pytest.raises(TypeError, match="x has dtype <U32; expected real numbers"):
            function(lazy(X_TEST).astype(str))


@pytest.mark.alone
def test_passes_go_on_after_a_restart(client):
    problem = fitted(lazy(X), lazy(Y))._problem
    op = WhitenedNormal(problem.passes, problem.known)
    before = op @ np.ones(len(op))
    client.restart()
    np.testing.assert_array_equal(op @ np.ones(len(op)), before)


@pytest.mark.alone
def test_points_are_read_again_after_a_restart(client):
    fit = fitted(lazy(X), lazy(Y))
    before = fit.leave_one_out(200).predictions
    client.restart()
    np.testing.assert_array_equal(fit.leave_one_out(200).predictions, before)
