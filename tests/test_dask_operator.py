"""Kernels over Dask: entries, products and solutions are those of one process."""

import os
import pickle
import random
import signal
import threading
import time

import numpy as np
import pytest

import ntkfast as nk
from ntkfast.operators import DistributedKernelOperator

dask = pytest.importorskip("dask", reason="needs the extra dask")
da = pytest.importorskip("dask.array", reason="needs the extra dask")
distributed = pytest.importorskip("distributed", reason="needs the extra dask")

RNG = np.random.default_rng(5)
X = RNG.standard_normal((2500, 6))
Y = np.stack([np.sin(2 * X[:, 0]), X[:, 1] * X[:, 2]], axis=1)
V = RNG.standard_normal((2500, 3))
NET = nk.mlp(2, b_std=1.0)
NETWORKS = {
    "relu": NET,
    "fitted": nk.mlp(1, nk.Elementwise(np.tanh), w_std=1.4, b_std=0.1),
}


def lazy(x):
    return da.from_array(x, chunks=(700, *x.shape[1:]))


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


class TestWithoutACluster:
    @pytest.mark.parametrize("dtype", [np.float64, np.float32])
    @pytest.mark.parametrize("net", NETWORKS.values(), ids=NETWORKS)
    def test_entries_have_the_bits_of_the_matrix(self, net, dtype):
        x = X[:1500].astype(dtype)
        op = nk.KernelOperator(net, lazy(x))
        assert isinstance(op, DistributedKernelOperator)
        whole = net.ntk(x)
        np.testing.assert_array_equal(op.to_array(), whole)
        np.testing.assert_array_equal(op.diagonal(), whole.diagonal())
        np.testing.assert_allclose(op.rows([0, 7, -1]), whole[[0, 7, -1]], rtol=1e-4, atol=1e-5)

    @pytest.mark.parametrize("memory", [0, 2e7, None])
    def test_products_are_those_of_the_matrix(self, memory):
        op = nk.KernelOperator(NET, lazy(X), memory=memory)
        whole = NET.ntk(X)
        for _ in range(2):  # from computed and from kept blocks
            np.testing.assert_allclose(op @ V, whole @ V, rtol=1e-11, atol=1e-9)
        np.testing.assert_array_equal(op @ V, nk.KernelOperator(NET, lazy(X), memory=0) @ V)
        assert (op.kept == 0) == (memory == 0)
        op.release()
        assert op.kept == 0
        np.testing.assert_allclose(op @ V[:, 0], whole @ V[:, 0], rtol=1e-11, atol=1e-9)

    @pytest.mark.parametrize("x2", [None, X[:1100]], ids=["symmetric", "cross"])
    def test_bits_do_not_depend_on_who_does_what(self, x2, monkeypatch):
        """Nor on what is kept, or on how many shares return to this process."""
        monkeypatch.setattr("ntkfast.operators.kernel._ROWS", 128)
        v = V if x2 is None else V[: len(x2)]
        whole = NET.ntk(X, x2)
        expected = None
        for workers, returned in [
            ({None: (0, 1)}, 1 << 25),
            ({None: (1e9, 1)}, 1 << 25),
            ({None: (1e9, 1)}, 0),
            ({None: (9e6, 3)}, 0),
            ({"one": (1e9, 1), "two": (1e9, 1)}, 1 << 25),
            ({"one": (1e9, 3), "two": (1e9, 2), "three": (1e6, 1)}, 0),
            ({f"worker {i}": (1e9, 2) for i in range(40)}, 0),
        ]:
            monkeypatch.setattr(
                "ntkfast.operators.distributed._workers", lambda _, found=workers: found
            )
            monkeypatch.setattr("ntkfast.operators.distributed._SMALL", returned)
            op = nk.KernelOperator(NET, lazy(X), x2)
            products = op @ v, op.T @ V
            expected = expected or products
            for product, before in zip(products, expected, strict=True):
                np.testing.assert_array_equal(product, before)
        np.testing.assert_allclose(expected[0], whole @ v, rtol=1e-11, atol=1e-9)
        np.testing.assert_allclose(expected[1], whole.T @ V, rtol=1e-11, atol=1e-9)

    @pytest.mark.parametrize("threads", [(1, 1), (1, 2), (2, 2, 2), (4, 1, 1), (1,) * 16])
    def test_workers_get_as_much_as_they_have_threads(self, threads, monkeypatch):
        monkeypatch.setattr("ntkfast.operators.kernel._ROWS", 64)
        workers = {f"worker {i}": (1e9, count) for i, count in enumerate(threads)}
        monkeypatch.setattr("ntkfast.operators.distributed._workers", lambda _: workers)
        op = nk.KernelOperator(NET, lazy(X))
        assert op.fits
        sizes = dict.fromkeys(workers, 0)
        for run, keeper in op._groups():
            sizes[keeper] += sum(map(op._size, op._batches()[slice(*run)]))
        each = sum(sizes.values()) / sum(threads)
        for share, count in zip(sizes.values(), threads, strict=True):
            assert 0.75 * count * each < share < 1.3 * count * each

    def test_no_worker_gets_more_than_it_has_room_for(self, monkeypatch):
        workers = {"small": (15e6, 1), "large": (40e6, 1)}
        monkeypatch.setattr("ntkfast.operators.distributed._workers", lambda _: workers)
        op = nk.KernelOperator(NET, lazy(X))  # 37.5 MB in four batches
        sizes = dict.fromkeys(workers, 0)
        for run, keeper in op._groups():
            sizes[keeper] += sum(map(op._size, op._batches()[slice(*run)]))
        assert 0 < sizes["small"] <= 15e6
        assert op.fits
        workers["large"] = 10e6, 1
        assert not op.fits

    def test_products_between_two_sets(self):
        op = nk.KernelOperator(NET, lazy(X), X[:1100])
        whole = NET.ntk(X, X[:1100])
        np.testing.assert_allclose(op @ V[:1100], whole @ V[:1100], rtol=1e-11, atol=1e-9)
        np.testing.assert_allclose(op.T @ V, whole.T @ V, rtol=1e-11, atol=1e-9)

    def test_no_points(self):
        op = nk.KernelOperator(NET, lazy(X[:0]), X[:3])
        assert (op @ np.ones((3, 2))).shape == (0, 2)
        np.testing.assert_array_equal(np.ones((2, 0)) @ op, np.zeros((2, 3)))

    def test_images(self):
        images = RNG.standard_normal((300, 4, 4, 2))
        net = nk.cntk(1)
        op = nk.KernelOperator(net, lazy(images))
        np.testing.assert_array_equal(op.to_array(), net.ntk(images))
        np.testing.assert_allclose(op @ V[:300], net.ntk(images) @ V[:300], rtol=1e-11)

    def test_more_rows_than_one_process_should_compute(self, monkeypatch):
        monkeypatch.setattr("ntkfast.operators.distributed._ENTRIES", 1000)
        op = nk.KernelOperator(NET, lazy(X))
        np.testing.assert_allclose(op.rows(range(20)), NET.ntk(X)[:20], rtol=1e-10)

    def test_copies_begin_without_blocks(self):
        op = nk.KernelOperator(NET, lazy(X))
        product = op @ V
        again = pickle.loads(pickle.dumps(op))
        assert again.kept == 0
        np.testing.assert_array_equal(again @ V, product)

    @pytest.mark.parametrize("targets", [Y, lazy(Y)], ids=["array", "dask"])
    def test_points_on_centres(self, targets):
        fit = nk.NystroemRegression(NET, lazy(X).rechunk((700, 3)), targets, centres=30, diag_reg=1)
        own = nk.NystroemRegression(NET, X, Y, centres=30, diag_reg=1)
        np.testing.assert_allclose(fit.predict(X[:40]), own.predict(X[:40]), atol=1e-8)
        with pytest.raises(ValueError, match="expected one row of y for each"):
            nk.NystroemRegression(NET, lazy(X), Y[:9], centres=30, diag_reg=1)

    def test_arrays_of_numpy_need_no_dask(self):
        assert type(nk.KernelOperator(NET, X)) is nk.KernelOperator

    def test_no_estimates(self):
        with pytest.raises(ValueError, match="estimates are for one machine"):
            nk.KernelOperator(NET, lazy(X)).estimate()


@pytest.mark.alone
class TestOnACluster:
    def test_products_have_the_bits_of_any_other_scheduler(self, client):
        found = nk.KernelOperator(NET, lazy(X)) @ V
        with client.as_current(), dask.config.set(scheduler="threads"):
            own = nk.KernelOperator(NET, lazy(X), memory=1e9) @ V
        np.testing.assert_array_equal(found, own)

    def test_regression_is_that_of_one_process(self, client):
        op = nk.KernelOperator(NET, lazy(X))
        solver = nk.solvers.ConjugateGradients(tol=1e-10)
        fit = nk.KernelRegression(op, Y, diag_reg=1e-2, solver=solver)
        own = nk.KernelRegression(NET.ntk(X), Y, diag_reg=1e-2)
        np.testing.assert_allclose(fit.coefficients, own.coefficients, atol=1e-6)
        assert fit.prepared.report.residuals.max() <= 1e-10
        test = RNG.standard_normal((50, 6))
        outputs = fit.predict(nk.KernelOperator(NET, lazy(test), X, memory=0))
        np.testing.assert_allclose(outputs, own.predict(NET.ntk(test, X)), atol=1e-6)

    def test_large_points_are_sent_without_advice(self, client):
        points = da.random.default_rng(0).standard_normal((700, 2000), chunks=(350, 2000))  # 11 MB
        op = nk.KernelOperator(NET, points)
        vectors = RNG.standard_normal((700, 2000))
        np.testing.assert_allclose(op @ vectors, op.to_array() @ vectors, rtol=1e-9, atol=1e-7)

    def test_variances(self, client):
        x = X[:600]
        kernels = nk.KernelOperator(NET, lazy(x), kernel="nngp")
        posterior = nk.Posterior.from_kernels(kernels, Y[:600], noise_variance=0.1, solver="cg")
        own = nk.Posterior(NET, x, Y[:600], noise_variance=0.1)
        test = RNG.standard_normal((40, 6))
        found = posterior.predict_kernels(
            NET.nngp(test, x), NET.nngp(test, diagonal=True), covariance="diagonal"
        )
        expected = own.predict(test, covariance="diagonal")
        np.testing.assert_allclose(found.mean, expected.mean, atol=1e-5)
        low, high = found.variance_bounds
        assert (low <= expected.variance).all()
        assert (expected.variance <= high).all()

    def test_workers_of_another_version_are_refused(self, client, monkeypatch):
        monkeypatch.setattr("ntkfast.dask.tasks.VERSION", "0.0.1")
        with pytest.raises(RuntimeError, match=r"the client has ntkfast 0\.0\.1"):
            nk.KernelOperator(NET, lazy(X)) @ V

    def test_another_client_computes_again(self, cluster):
        with distributed.Client(cluster):
            op = nk.KernelOperator(NET, lazy(X))
            expected = op @ V
        np.testing.assert_array_equal(op @ V, expected)  # in this process
        with distributed.Client(cluster) as client:
            client.wait_for_workers(2)
            np.testing.assert_array_equal(op @ V, expected)
            assert client.who_has()

    def test_a_killed_worker_costs_its_blocks_alone(self, client, cluster):
        op = nk.KernelOperator(NET, lazy(X))
        expected = op @ V
        for seed in range(3):
            source = random.Random(seed)
            victim = source.choice([worker.pid for worker in cluster.workers.values()])
            delay = source.uniform(0.0, 0.3)

            def kill(pid=victim, delay=delay):
                time.sleep(delay)
                os.kill(pid, signal.SIGKILL)

            killer = threading.Thread(target=kill)
            killer.start()
            products = [op @ V for _ in range(8)]
            killer.join()
            products.append(op @ V)
            for product in products:
                np.testing.assert_array_equal(product, expected)
            client.wait_for_workers(2)

    def test_blocks_are_computed_again_after_a_restart(self, client):
        op = nk.KernelOperator(NET, da.from_array(X, chunks=(64, X.shape[1])))
        before = op @ np.ones(len(X))
        client.restart()
        np.testing.assert_array_equal(op @ np.ones(len(X)), before)

    def test_what_takes_points(self, client):
        x, y = X[:800], Y[:800]
        test = RNG.standard_normal((30, 6))
        posterior = nk.Posterior(NET, lazy(x), y, noise_variance=0.1, solver="cg")
        own = nk.Posterior(NET, x, y, noise_variance=0.1, solver="cg")
        assert isinstance(posterior.regression.prepared.op, DistributedKernelOperator)
        np.testing.assert_allclose(
            posterior.predict(test, covariance="none").mean,
            own.predict(test, covariance="none").mean,
            atol=1e-5,
        )
        ensemble = nk.Ensemble(NET, lazy(x), y, diag_reg=0.1, solver="cg")
        assert isinstance(ensemble.nngp, DistributedKernelOperator)
        expected = nk.Ensemble(NET, x, y, diag_reg=0.1).predict(test, t=np.inf)
        np.testing.assert_allclose(ensemble.predict(test, t=np.inf).mean, expected.mean, atol=1e-4)
        flow = nk.GradientFlow(nk.KernelOperator(NET, lazy(x)), y)
        expected = nk.GradientFlow(NET.ntk(x), y).predict(NET.ntk(test, x), t=0.1)
        np.testing.assert_allclose(flow.predict(NET.ntk(test, x), t=0.1), expected, atol=1e-4)

    def test_estimators(self, client):
        sk = pytest.importorskip("ntkfast.sklearn")
        x, y = X[:800], Y[:800]
        model = sk.NTKRegressor(relative_diag_reg=1e-2, solver="cg").fit(lazy(x), lazy(y))
        assert isinstance(model.training_.prepared.op, DistributedKernelOperator)
        own = sk.NTKRegressor(relative_diag_reg=1e-2, solver="cg").fit(x, y)
        np.testing.assert_allclose(model.predict(X[800:830]), own.predict(X[800:830]), atol=1e-5)
        labels = (Y[:800, 0] > 0).astype(int)
        found = sk.NTKClassifier(relative_diag_reg=1e-2, solver="cg").fit(lazy(x), labels)
        assert isinstance(found.training_.prepared.op, DistributedKernelOperator)
        again = found.fit(x, labels)
        assert not isinstance(again.training_.prepared.op, DistributedKernelOperator)
