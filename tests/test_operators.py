"""Operators against dense kernels: products, rows, transposes, sums; the same bits in every way."""

import pickle
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from scipy.sparse.linalg import aslinearoperator

import ntkfast as nk
from catalogue import NETWORKS, build
from contract import same_bits

RNG = np.random.default_rng(2)
X, X2 = RNG.normal(size=(2100, 5)), RNG.normal(size=(300, 5))
V = RNG.normal(size=(2100, 3))
NET = nk.mlp(2, b_std=0.5)
IMAGES = RNG.normal(size=(150, 4, 4, 2))
CONV = nk.Serial(nk.Conv((3, 3), b_std=0.1), nk.Relu(), nk.Flatten(), nk.Dense())


@pytest.mark.parametrize("kernel", ["ntk", "nngp"])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_products_are_those_of_the_dense_kernel(kernel, dtype):
    x, x2 = X.astype(dtype), X2.astype(dtype)
    for second in (None, x2):
        dense = getattr(NET, kernel)(x, second).astype(np.float64)
        op = nk.KernelOperator(NET, x, second, kernel=kernel)
        v = V[: dense.shape[1]]
        assert op.shape == dense.shape
        assert op.dtype == dtype
        np.testing.assert_allclose(op @ v, dense @ v, atol=1e-10)
        np.testing.assert_allclose(op @ v[:, 0], dense @ v[:, 0], atol=1e-10)
        np.testing.assert_allclose(op.T @ V, dense.T @ V, atol=1e-10)
        np.testing.assert_allclose(V.T @ op, V.T @ dense, atol=1e-10)
        assert (op @ v).dtype == np.float64


@pytest.mark.parametrize("name", sorted(NETWORKS))
def test_every_network_of_the_catalogue(name):
    network = build(NETWORKS[name])
    op, dense = nk.KernelOperator(network, X[:70]), network.ntk(X[:70])
    assert same_bits(op.to_array(), dense)
    assert same_bits(op.diagonal(), network.ntk(X[:70], diagonal=True))
    np.testing.assert_allclose(op.rows([3, -1]), dense[[3, -1]], rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(op @ V[:70], dense @ V[:70], rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("n", [0, 1, 255, 257, 1024, 1025])
def test_numbers_of_points_at_the_ends_of_blocks(n):
    op = nk.KernelOperator(NET, X[:n], memory=0)
    np.testing.assert_allclose(op @ V[:n], NET.ntk(X[:n]) @ V[:n], atol=1e-10)
    assert op.rows([]).shape == (0, n)


@pytest.mark.parametrize(("network", "x"), [(NET, X), (CONV, IMAGES), (nk.mlp(2, nk.Tanh()), X)])
def test_bits_do_not_depend_on_memory_threads_or_process(network, x):
    v = V[: len(x)]
    expected = nk.KernelOperator(network, x, memory=0) @ v
    before = nk.num_threads()
    try:
        for threads in (1, 2, 3):
            nk.set_num_threads(threads)
            for memory in (0, 10 * 1024**2, None):
                op = nk.KernelOperator(network, x, memory=memory)
                assert same_bits(op @ v, expected)
                assert same_bits(op @ v, expected)  # with the blocks that were kept
                assert op.kept <= (np.inf if memory is None else memory)
    finally:
        nk.set_num_threads(before)
    assert same_bits(pickle.loads(pickle.dumps(op)) @ v, expected)


@pytest.mark.parametrize("memory", [0, 64 * 64 * 8 * 70, None])
def test_many_small_blocks(memory, monkeypatch):
    """More blocks than one call of the core takes, some of them kept."""
    monkeypatch.setattr("ntkfast.operators.kernel._ROWS", 64)
    op = nk.KernelOperator(NET, X[:1000], memory=memory)
    assert len(op._places) == 136
    expected = nk.KernelOperator(NET, X[:1000], memory=0) @ V[:1000]
    np.testing.assert_allclose(expected, NET.ntk(X[:1000]) @ V[:1000], atol=1e-10)
    for _ in range(2):
        assert same_bits(op @ V[:1000], expected)
    assert len(op._store.blocks) == {0: 0, None: 136}.get(memory, 70)


def test_memory_holds_what_it_may():
    op = nk.KernelOperator(NET, X, memory=3 * 8 * 1024**2)
    assert op.kept == 0
    op @ V
    assert op.kept == 2 * 8 * 1024**2 + 8 * 1024 * 52  # of a row of blocks, the third is narrow
    assert "3 of 6 blocks in memory" in str(op)


def test_blocks_can_be_released():
    op = nk.KernelOperator(NET, X)
    expected = op @ V
    for one in (op, op.T, 2.0 * op, nk.as_operator(np.eye(2100)) + op):
        op @ V
        assert op.kept > 0
        one.release()
        assert op.kept == 0
    assert same_bits(op @ V, expected)
    nk.as_operator(np.eye(3)).release()


def test_a_product_survives_a_release(monkeypatch):
    monkeypatch.setattr("ntkfast.operators.kernel._ROWS", 256)
    expected = nk.KernelOperator(NET, X, memory=0) @ V
    op = nk.KernelOperator(NET, X, progress=lambda done, total: op.release())
    for _ in range(2):
        assert same_bits(op @ V, expected)


def test_a_cast_shares_the_memory(monkeypatch):
    monkeypatch.setattr("ntkfast.operators.kernel._ROWS", 128)
    block, number = 128 * 128 * 8, 153
    op = nk.KernelOperator(NET, X, memory=number * block)
    single = op.cast(np.float32)
    single @ V
    op @ V
    assert len(single._store.blocks) == number
    assert len(op._store.blocks) == number // 2
    assert single.fits
    assert not op.fits
    assert op.kept + single.kept <= op.memory
    op.release()
    single.release()
    op @ V
    single @ V
    assert op.kept > 0.8 * op.memory
    assert single.kept == 0
    own = op.cast(np.float32, memory=op.memory)
    own @ V
    assert own.fits
    assert single.kept == 0
    assert len(own._store.blocks) == number


class TestEstimate:
    """The expected time and memory of products."""

    @pytest.mark.parametrize("memory", [0, 3 * 8 * 1024**2, None])
    @pytest.mark.parametrize("second", [None, X2])
    def test_memory_is_that_of_a_product(self, memory, second):
        op = nk.KernelOperator(NET, X, second, memory=memory)
        for columns in (1, 3):
            estimate = op.estimate(columns)
            op @ V[: op.shape[1], :columns]
            assert estimate.kept_bytes == op.kept
            assert estimate.point_bytes == X.nbytes + (0 if second is None else X2.nbytes)
            assert estimate.bytes > op.kept + estimate.point_bytes + 8 * columns * 2100
            assert estimate.shape == op.shape
            assert estimate.columns == columns
            op.release()

    def test_blocks_that_are_there_cost_no_kernel(self):
        op = nk.KernelOperator(NET, X)
        new = op.estimate()
        assert new.first > 2 * new.later
        op @ V
        assert op.estimate().first < new.first
        none = nk.KernelOperator(NET, X, memory=0).estimate()
        assert none.first == none.later > 2 * new.later
        assert none.kept_bytes == 0
        assert "first product" in repr(new)
        assert "kept blocks 26 MB" in str(new)

    @pytest.mark.alone
    @pytest.mark.parametrize("dtype", [np.float32, np.float64])
    @pytest.mark.parametrize(("memory", "columns"), [(0, 1), (None, 10)])
    def test_times_are_those_of_products(self, memory, columns, dtype):
        x = RNG.normal(size=(9000, 20)).astype(dtype)
        v = np.ones((9000, columns))
        for _ in range(3):  # another process may take the processor
            op = nk.KernelOperator(NET, x, memory=memory)
            estimate = op.estimate(columns)
            seconds = []
            for _ in range(3):
                begun = time.perf_counter()
                op @ v
                seconds.append(time.perf_counter() - begun)
            ratios = estimate.first / seconds[0], estimate.later / min(seconds[1:])
            if all(1 / 2.5 <= ratio <= 2.5 for ratio in ratios):
                return
        pytest.fail(f"estimates are {ratios} of the times")

    def test_images_and_numbers_of_points(self):
        assert nk.KernelOperator(CONV, IMAGES).estimate().first > 0
        for n in (1, 5, 1024, 1025):
            assert nk.KernelOperator(NET, X[:n]).estimate(2).later > 0

    def test_wrong_arguments_are_refused(self):
        op = nk.KernelOperator(NET, X[:9])
        with pytest.raises(ValueError, match="columns is 0"):
            op.estimate(0)
        with pytest.raises(TypeError, match=r"columns is 1\.5"):
            op.estimate(1.5)
        with pytest.raises(ValueError, match=r"shape \(0, 0\), so there is nothing to measure"):
            nk.KernelOperator(NET, X[:0]).estimate()


def test_blocks_are_kept_in_their_order(monkeypatch):
    expected = nk.KernelOperator(NET, X, memory=0) @ V
    op = nk.KernelOperator(NET, X)
    free = iter([1e12, 5e6, 1e12, 5e6] * 10)  # comes and goes
    monkeypatch.setattr("ntkfast.operators._store.available", lambda: next(free))
    for _ in range(4):
        assert same_bits(op @ V, expected)


def test_threads_share_an_operator():
    """Blocks that two threads computed were kept twice, in the places of others."""
    expected = nk.KernelOperator(NET, X, memory=0) @ V
    op = nk.KernelOperator(NET, X)
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: op @ V, range(8)))
    assert all(same_bits(one, expected) for one in [*found, op @ V])


def test_operators_share_what_is_free(monkeypatch):
    """Each keeps half of what the others left, not half of what was free in the beginning."""
    operators = [nk.KernelOperator(NET, X, kernel=kernel) for kernel in ("ntk", "nngp")]
    total = 8 * 8 * 1024**2
    monkeypatch.setattr(
        "ntkfast.operators._store.available", lambda: total - sum(op.kept for op in operators)
    )
    operators[0] @ V
    assert 0.2 * total < operators[0].kept <= total / 2
    operators[1] @ V
    assert 0 < operators[1].kept <= (total - operators[0].kept) / 2


def test_images_of_one_call():
    op = nk.KernelOperator(CONV, IMAGES)
    dense = CONV.ntk(IMAGES)
    np.testing.assert_allclose(op @ V[:150], dense @ V[:150], rtol=1e-12)
    other = nk.KernelOperator(CONV, IMAGES[:9], IMAGES)
    np.testing.assert_allclose(other @ V[:150], dense[:9] @ V[:150], rtol=1e-10)


@pytest.mark.parametrize("size", [(1, 1), (3, 2)])
def test_blocks_of_images_have_the_bits_of_one_call(size, monkeypatch):
    monkeypatch.setattr("ntkfast.operators.kernel._IMAGES", 64)
    network = nk.Serial(nk.Conv((1, 1)), nk.Relu(), nk.Conv((1, 1)), nk.Tanh(), nk.Flatten())
    images = RNG.normal(size=(150, *size, 3))
    op, dense = nk.KernelOperator(network, images), network.ntk(images)
    op @ np.ones(150)
    for block, (rows, columns) in zip(op._store.blocks, op._places, strict=True):
        np.testing.assert_array_equal(block, dense[rows, columns])


def test_arrays_are_operators(tmp_path):
    matrix = RNG.normal(size=(70, 90))
    np.save(tmp_path / "k.npy", matrix)
    for array in (matrix, np.load(tmp_path / "k.npy", mmap_mode="r"), np.asfortranarray(matrix)):
        op = nk.as_operator(array)
        np.testing.assert_allclose(op @ V[:90], matrix @ V[:90], atol=1e-12)
        np.testing.assert_allclose(op.T @ V[:70], matrix.T @ V[:70], atol=1e-12)
        np.testing.assert_array_equal(op.rows([5, 2]), matrix[[5, 2]])
        np.testing.assert_array_equal(op.T.rows([5]), matrix.T[[5]])
    assert nk.as_operator(op) is op


def test_operators_add_and_scale():
    a, b = NET.ntk(X[:80]), NET.nngp(X[:80])
    op = 2.0 * nk.KernelOperator(NET, X[:80]) + nk.as_operator(b) * 0.5 + nk.as_operator(b)
    dense = 2 * a + 1.5 * b
    np.testing.assert_allclose(op @ V[:80], dense @ V[:80], atol=1e-12)
    np.testing.assert_allclose(op.diagonal(), dense.diagonal())
    np.testing.assert_allclose(op.rows([7]), dense[[7]])
    np.testing.assert_allclose(np.asarray(op), dense)
    assert not op.symmetric
    assert (op + op).shape == (80, 80)
    combined = -(op - nk.as_operator(b)) / 4.0
    np.testing.assert_allclose(combined @ V[:80], (b - dense) @ V[:80] / 4, atol=1e-12)
    with pytest.raises(ZeroDivisionError):
        op / 0
    with pytest.raises(ValueError, match=r"\(80, 80\) and \(70, 90\) cannot be added"):
        op + nk.as_operator(np.ones((70, 90)))
    for add in (lambda: op + b, lambda: b + op):
        with pytest.raises(TypeError, match="use as_operator"):
            add()


def test_scipy_takes_operators():
    dense = NET.ntk(X[:90], X2[:60])
    linear = aslinearoperator(nk.KernelOperator(NET, X[:90], X2[:60]))
    np.testing.assert_allclose(linear @ V[:60], dense @ V[:60], atol=1e-12)
    np.testing.assert_allclose(linear.rmatvec(V[:90, 0]), dense.T @ V[:90, 0], atol=1e-12)
    np.testing.assert_allclose(linear.T @ V[:90], dense.T @ V[:90], atol=1e-12)


def test_points_are_copied():
    x = X[:50].copy()
    op = nk.KernelOperator(NET, x, memory=0)
    x[:] = 0
    np.testing.assert_allclose(op @ V[:50], NET.ntk(X[:50]) @ V[:50], atol=1e-12)


def test_progress_and_its_exceptions():
    calls = []
    op = nk.KernelOperator(NET, X, memory=0, progress=lambda *call: calls.append(call))
    op @ V
    assert calls[-1] == (6, 6)

    def stop(done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        nk.KernelOperator(NET, X, progress=stop) @ V


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda op: op @ V[:7], ValueError, r"\(50, 50\) and the other factor \(7, 3\)"),
        (lambda op: op @ np.full(50, np.nan), ValueError, "v has a NaN"),
        (lambda op: op.rows([50]), IndexError, r"indices go from 50 to 50; expected -50 to 49"),
        (lambda op: op.rows([0.5]), TypeError, "expected integers"),
        (lambda op: op + 0.1, TypeError, r"a number cannot be added; .* op @ v \+ diag_reg \* v"),
        (lambda op: np.float32(2) + op, TypeError, "a number cannot be added"),
        (lambda op: op - 1, TypeError, "a number cannot be added"),
        (lambda op: op * "a", TypeError, "the factor of an operator"),
        (
            lambda op: nk.KernelOperator(NET, X[:3], X[:4]).diagonal(),
            ValueError,
            "only square ones",
        ),
        (lambda op: nk.KernelOperator(NET, X, kernel="both"), ValueError, "'ntk' or 'nngp'"),
        (lambda op: nk.KernelOperator(NET, X, dtype=np.int64), ValueError, "dtype is int64"),
        (lambda op: nk.KernelOperator(NET, X, memory=-1), ValueError, "memory is -1"),
        (lambda op: nk.KernelOperator(NET, X, memory=np.inf), ValueError, "memory is inf"),
        (lambda op: nk.KernelOperator(NET, X, memory="1GB"), TypeError, "memory is '1GB'"),
        (
            lambda op: nk.KernelOperator(NET, X * 1e60, dtype=np.float32),
            ValueError,
            "x has entries beyond the range of float32",
        ),
        (lambda op: nk.KernelOperator(NET, X, X2[:, :3]), ValueError, "features"),
        (lambda op: nk.as_operator(np.ones(3)), ValueError, r"shape \(3,\); expected \(n, m\)"),
    ],
)
def test_wrong_arguments_are_refused(call, error, message):
    with pytest.raises(error, match=message):
        call(nk.KernelOperator(NET, X[:50]))


def test_a_matrix_beyond_memory_is_not_made(monkeypatch):
    monkeypatch.setattr("ntkfast._memory.available", lambda: 1e6)
    op = nk.KernelOperator(NET, np.resize(X, (8000, 5)), memory=0)
    with pytest.raises(MemoryError, match=r"0\.512 GB, but 0\.001 GB of memory is free"):
        np.asarray(op)


class TestPivotedCholesky:
    """Randomly pivoted Cholesky."""

    @pytest.mark.parametrize("dtype", [np.float64, np.float32])
    def test_pivots_are_reproduced(self, dtype):
        op = nk.KernelOperator(NET, X[:600].astype(dtype))
        found = nk.pivoted_cholesky(op, 80, seed=1)
        dense = NET.ntk(X[:600])
        product = found.factor.T.astype(np.float64) @ found.factor
        rounding = 1e-11 if dtype == np.float64 else 3e-4
        assert len(set(found.pivots.tolist())) == found.rank == 80
        np.testing.assert_allclose(product[found.pivots], dense[found.pivots], atol=rounding)
        rest = dense - product
        assert found.residual_trace == pytest.approx(np.trace(rest), abs=1e3 * rounding)
        assert np.linalg.eigvalsh(rest).min() > -rounding * 100
        assert found.factor.dtype == dtype

    def test_the_rest_is_as_small_as_the_theorem_says(self):
        """E[tr rest] ≤ (1 + ε)·tr(A − A_r) for k ≥ r/ε + r·log(1/(ε·η)) (Chen et al. 2023)."""
        dense = NET.ntk(X[:400])
        values = np.linalg.eigvalsh(dense)[::-1]
        r, epsilon = 10, 1.0
        best = values[r:].sum()
        eta = best / values.sum()
        k = int(np.ceil(r / epsilon + r * np.log(1 / (epsilon * eta))))
        rests = [nk.pivoted_cholesky(dense, k, seed=s).residual_trace for s in range(10)]
        assert np.mean(rests) <= (1 + epsilon) * best

    def test_blocks_draw_as_single_pivots_do(self):
        """The first two pivots have the probabilities of one-by-one draws."""
        matrix = np.array([[4.0, 1.0, 0.0], [1.0, 2.0, 1.0], [0.0, 1.0, 2.0]])
        counts = np.zeros((3, 3))
        draws = 4000
        for seed in range(draws):
            i, j = nk.pivoted_cholesky(matrix, 2, seed=seed).pivots
            counts[i, j] += 1
        expected = np.zeros((3, 3))
        for i in range(3):
            left = np.maximum(matrix.diagonal() - matrix[i] ** 2 / matrix[i, i], 0)
            expected[i] = matrix[i, i] / 8 * left / left.sum()
        np.testing.assert_allclose(counts / draws, expected, atol=4 * 0.5 / draws**0.5)

    def test_low_rank_ends_early(self):
        low = RNG.normal(size=(60, 4))
        found = nk.pivoted_cholesky(low @ low.T, 30)
        assert found.rank == 4
        assert found.residual_trace < 1e-10 * found.trace
        assert nk.pivoted_cholesky(np.zeros((5, 5)), 3).rank == 0
        assert nk.pivoted_cholesky(np.empty((0, 0)), 3).rank == 0
        copies = np.concatenate([X[:20], X[:20]])
        assert nk.pivoted_cholesky(nk.KernelOperator(NET, copies), 40).rank == 20

    def test_the_same_seed_gives_the_same_bits(self):
        op = nk.KernelOperator(NET, X[:500])
        first, second = (nk.pivoted_cholesky(op, 50, seed=3) for _ in range(2))
        assert same_bits(first.factor, second.factor)
        assert (nk.pivoted_cholesky(op, 50, seed=4).pivots != first.pivots).any()

    def test_wrong_arguments_are_refused(self):
        with pytest.raises(ValueError, match=r"shape \(2, 3\); expected a square"):
            nk.pivoted_cholesky(np.ones((2, 3)), 1)
        with pytest.raises(ValueError, match="-1 on its diagonal"):
            nk.pivoted_cholesky(-np.eye(2), 1)
        with pytest.raises(ValueError, match="rank is -1"):
            nk.pivoted_cholesky(np.eye(2), -1)


@pytest.mark.parametrize("n", [1, 100, 1500])
def test_coarse_products_have_the_digits_of_float32(n):
    op = nk.KernelOperator(nk.mlp(2), RNG.normal(size=(n, 5)), dtype=np.float32, memory=1e7)
    vectors = RNG.normal(size=(n, 40)) * np.geomspace(1e-200, 1e200, 40)
    exact = op.to_array().astype(np.float64) @ vectors
    coarse = nk.operators.CoarseOperator(op)
    sizes = np.abs(exact).max(axis=0)
    for _ in range(2):  # with blocks that are new, and kept
        np.testing.assert_allclose((coarse @ vectors) / sizes, exact / sizes, atol=3e-6)
    np.testing.assert_array_equal(coarse.diagonal(), op.diagonal())
    np.testing.assert_array_equal(coarse.rows([0]), op.rows([0]))


def test_coarse_products_need_a_symmetric_kernel_and_release_its_blocks():
    rng = np.random.default_rng(2)
    x = rng.normal(size=(30, 3)).astype(np.float32)
    with pytest.raises(ValueError, match="without x2"):
        nk.operators.CoarseOperator(nk.KernelOperator(nk.mlp(1), x, x + 1))
    op = nk.KernelOperator(nk.mlp(1), x)
    coarse = nk.operators.CoarseOperator(op)
    coarse @ np.ones(30)
    assert op.kept > 0
    coarse.release()
    assert op.kept == 0


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_arrays_in_any_layout(dtype):
    """Row after row, column after column, and every other entry; wider and taller than blocks."""
    for shape in ((300, 4200), (5000, 3)):
        whole = RNG.normal(size=(2 * shape[0], 2 * shape[1])).astype(dtype)
        for matrix in (
            np.ascontiguousarray(whole[: shape[0], : shape[1]]),
            np.asfortranarray(whole[: shape[0], : shape[1]]),
            whole[::2, ::2],
            whole.T[: shape[1], ::2].T[: shape[0]],
        ):
            op, exact = nk.as_operator(matrix), matrix.astype(np.float64)
            right, left = RNG.normal(size=(shape[1], 2)), RNG.normal(size=(matrix.shape[0], 70))
            np.testing.assert_allclose(op @ right, exact @ right, rtol=1e-9, atol=1e-9)
            np.testing.assert_allclose(op.T @ left, exact.T @ left, rtol=1e-9, atol=1e-9)
