"""Conjugate gradients against dense solves: residuals, copies, refinement, checkpoints, faults."""

import subprocess
import sys
import textwrap
import time

import numpy as np
import pytest

import ntkfast as nk
from catalogue import NETWORKS, build
from contract import same_bits
from ntkfast.solvers import ConjugateGradients

RNG = np.random.default_rng(6)
X = RNG.normal(size=(700, 6))
Y = np.stack([np.sin(X[:, 0]), X[:, 1] * X[:, 2], np.ones(len(X))], axis=1)
NET = nk.mlp(2, b_std=0.5)


def residuals(matrix, x, y):
    return np.linalg.norm(matrix @ x - y, axis=0) / np.linalg.norm(y, axis=0)


@pytest.mark.parametrize("mixed", [True, False])
@pytest.mark.parametrize("tolerance", [1e-3, 1e-6, 1e-11])
@pytest.mark.parametrize("ridge", [0.0, 1e-3, 0.1])
def test_every_column_reaches_the_tolerance(ridge, tolerance, mixed):
    dense = NET.ntk(X) + ridge * np.eye(len(X))
    solver = ConjugateGradients(tol=tolerance, mixed=mixed)
    prepared = solver.prepare(nk.KernelOperator(NET, X), ridge)
    solution = prepared.solve(Y)
    assert (residuals(dense, solution, Y) <= tolerance * (1 + 1e-3) + 1e-14).all()
    report = prepared.report
    np.testing.assert_allclose(report.residuals, residuals(dense, solution, Y), atol=1e-14)
    assert 0 < report.products < 400
    assert report.rank == 70  # n/10
    assert "products=" in repr(report)


@pytest.mark.parametrize("name", sorted(NETWORKS))
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_every_network_of_the_catalogue(name, dtype):
    network, x = build(NETWORKS[name]), X[:60].astype(dtype)
    dense = network.ntk(x).astype(np.float64)
    ridge = 1e-3 * max(dense.diagonal().mean(), 1e-2)
    dense += ridge * np.eye(60)
    solution = ConjugateGradients(tol=1e-9).prepare(nk.KernelOperator(network, x), ridge)
    found = solution.solve(Y[:60])
    np.testing.assert_allclose(found, np.linalg.solve(dense, Y[:60]), rtol=0, atol=_error(dense))


def _error(dense):
    return 1e-9 * np.linalg.cond(dense) * np.abs(np.linalg.solve(dense, Y[:60])).max()


@pytest.mark.parametrize("n", [0, 1, 2, 255, 257])
def test_numbers_of_points(n):
    prepared = ConjugateGradients().prepare(nk.KernelOperator(NET, X[:n]), 0.1)
    expected = np.linalg.solve(NET.ntk(X[:n]) + 0.1 * np.eye(n), Y[:n]) if n else Y[:0]
    np.testing.assert_allclose(prepared.solve(Y[:n]), expected, atol=1e-4)
    assert prepared.solve(Y[:n, 0]).shape == (n,)


@pytest.mark.parametrize("gap", [0.0, 2.0])
def test_copies_at_a_ridge_of_zero_have_predictions_of_minimum_norm(gap):
    """Equal and contradictory targets, against the pseudo-inverse."""
    x, y = np.concatenate([X[:200], X[:50]]), np.concatenate([Y[:200], Y[:50] + gap])
    solver = ConjugateGradients(tol=1e-10)
    found = solver.prepare(nk.KernelOperator(NET, x)).solve(y)
    cross = NET.ntk(X[300:320], x)
    expected = cross @ np.linalg.pinv(NET.ntk(x), rcond=1e-11, hermitian=True) @ y
    np.testing.assert_allclose(cross @ found, expected, atol=1e-7)


def test_copies_under_dropout_are_points_of_their_own():
    network = nk.Serial(nk.Dense(), nk.Relu(), nk.Dropout(keep=0.7), nk.Dense())
    x = np.concatenate([X[:40], X[:10]])
    found = ConjugateGradients(tol=1e-10).prepare(nk.KernelOperator(network, x)).solve(Y[:50])
    np.testing.assert_allclose(network.ntk(x) @ found, Y[:50], atol=1e-8)


def test_arrays_and_sums_are_systems():
    dense = NET.ntk(X) + NET.nngp(X)
    for op in (dense, nk.KernelOperator(NET, X) + nk.KernelOperator(NET, X, kernel="nngp")):
        found = ConjugateGradients(tol=1e-8).prepare(op, 0.01).solve(Y)
        assert residuals(dense + 0.01 * np.eye(700), found, Y).max() <= 1.01e-8


def test_zeros_and_columns_that_converge_early():
    y = np.stack([np.zeros(700), NET.ntk(X)[3], Y[:, 0]], axis=1)
    prepared = ConjugateGradients(tol=1e-9).prepare(nk.KernelOperator(NET, X))
    found = prepared.solve(y)
    np.testing.assert_array_equal(found[:, 0], 0)
    np.testing.assert_allclose(found[:, 1], np.eye(700)[3], atol=1e-4)
    assert prepared.report.residuals[0] == 0


def test_the_preconditioner_pays():
    op = nk.KernelOperator(NET, X)
    products = []
    for rank in (0, 50, 200):
        prepared = ConjugateGradients(rank=rank).prepare(op, 1e-3)
        prepared.solve(Y)
        products.append(prepared.report.products)
    assert products[0] > 2 * products[1] > 2 * products[2] > 0


def test_the_spectrum_is_bounded_from_inside():
    prepared = ConjugateGradients(rank=30, mixed=False).prepare(nk.KernelOperator(NET, X), 0.01)
    prepared.solve(Y)
    dense = NET.ntk(X) + 0.01 * np.eye(700)
    inverse = prepared.preconditioner.solve(np.eye(700)) / prepared.preconditioner.shift
    values = np.sort(np.linalg.eigvals(inverse @ dense).real)
    report = prepared.report
    assert values[0] * (1 - 1e-6) <= report.smallest <= 3 * values[0]
    assert values[-1] / 2 <= report.largest <= values[-1] * (1 + 1e-6)


def test_stagnation_has_a_name():
    """Rounding of a singular system in float32 ends what products can reach."""
    vectors = np.linalg.qr(RNG.normal(size=(300, 300)))[0]
    dense = ((vectors * np.geomspace(1e-13, 1, 300)) @ vectors.T).astype(np.float32)
    dense = (dense + dense.T) / 2 + 3e-7 * np.eye(300, dtype=np.float32)
    prepared = ConjugateGradients(tol=1e-14, rank=0).prepare(dense)
    with pytest.warns(RuntimeWarning, match=r"reached a residual of .* instead of 1e-14"):
        prepared.solve(Y[:300])
    assert prepared.report.residuals.max() > 1e-14
    prepared = ConjugateGradients(most_products=3).prepare(nk.KernelOperator(NET, X))
    with pytest.warns(
        RuntimeWarning,
        match="after 4 products, .* most_products, which is 3, or the regularisation or rank",
    ):
        prepared.solve(Y)


def test_a_matrix_that_is_not_semi_definite_is_named():
    dense = np.diag(np.r_[np.ones(50), -0.5])
    with pytest.raises(ValueError, match=r"-0\.5 on its diagonal"):
        ConjugateGradients().prepare(dense)
    hidden = np.eye(51)
    hidden[0, 1] = hidden[1, 0] = 2.0
    with pytest.raises(nk.NumericalError, match="theta is not positive semi-definite: v·A·v is -"):
        ConjugateGradients(rank=0).prepare(hidden).solve(RNG.normal(size=51))


def test_what_products_cannot_give_is_refused():
    prepared = ConjugateGradients().prepare(nk.KernelOperator(NET, X[:30]), 0.1)
    with pytest.raises(ValueError, match="no exact Cholesky factor; use CholeskySolver"):
        _ = prepared.cholesky
    with pytest.raises(ValueError, match="without regularisation, products do not give the diag"):
        _ = ConjugateGradients().prepare(nk.KernelOperator(NET, X[:30])).inverse_diagonal
    assert prepared.trace == pytest.approx(NET.ntk(X[:30]).trace() + 3)
    with pytest.raises(ValueError, match=r"b has shape \(3,\); expected \(30,\)"):
        prepared.solve([1.0, 2.0, 3.0])
    with pytest.raises(
        ValueError, match=r"regularisation .* has shape \(30,\); expected one number"
    ):
        ConjugateGradients().prepare(nk.KernelOperator(NET, X[:30]), np.ones(30))
    with pytest.raises(ValueError, match="expected a square operator"):
        ConjugateGradients().prepare(np.ones((2, 3)))
    for tolerance in (0.0, 1.0):
        with pytest.raises(ValueError, match=f"tol is {tolerance}"):
            ConjugateGradients(tol=tolerance).prepare(np.eye(3))


def test_bits_do_not_depend_on_memory_and_threads(monkeypatch):
    monkeypatch.setattr("ntkfast.operators.kernel._ROWS", 128)  # 21 blocks
    before, found = nk.num_threads(), []
    try:
        for threads, memory in ((1, 0), (2, None), (3, 5e5)):
            nk.set_num_threads(threads)
            op = nk.KernelOperator(NET, X, memory=memory)
            found.append(ConjugateGradients(tol=1e-9).prepare(op, 1e-3).solve(Y))
    finally:
        nk.set_num_threads(before)
    assert same_bits(found[0], found[1])
    assert same_bits(found[0], found[2])


@pytest.mark.parametrize("copies", [0, 300])
@pytest.mark.parametrize("mixed", [True, False])
def test_a_solve_takes_no_more_than_the_memory_of_the_operator(mixed, copies, monkeypatch):
    """Blocks in float32, and of distinct points, were kept in addition to those in float64."""
    monkeypatch.setattr("ntkfast.operators.kernel._ROWS", 128)
    x, y = (np.concatenate([a, a[:copies]]) for a in (X, Y))
    triangle = 8 * len(x) * (len(x) + 128) / 2
    for share in (0.3, 0.6, 1.1, 3.0):
        op = nk.KernelOperator(NET, x, memory=share * triangle)
        op @ y
        before = op.kept
        assert before > 0
        totals = []

        def watch(done, total, totals=totals, op=op):
            totals.append(sum(len(s.blocks) * s.size for s in op._store.room.stores))

        solver = ConjugateGradients(tol=1e-8, mixed=mixed, progress=watch)
        prepared = solver.prepare(op, 0.0 if copies else 1e-3)
        prepared.solve(y)
        assert 0 < max(totals) <= op.memory
        # What is released is computed again; what fits beside the rest is not released.
        if mixed or copies:
            assert op.kept == (before if share == 3.0 else 0)
        prepared.release()
        assert prepared.inner.kept == 0


def test_a_fit_releases_what_it_made():
    op = nk.KernelOperator(NET, X)
    fit = nk.KernelRegression(op, Y, diag_reg=1e-3, solver="cg")
    assert fit.prepared.report.memory > 4 * 700 * 700 / 2
    assert fit.prepared.inner.kept == fit.prepared.op.kept == op.kept == 0
    single = nk.KernelOperator(NET, X.astype(np.float32))
    fit = nk.KernelRegression(single, Y, diag_reg=1e-3, solver="cg")
    assert single.kept > 0  # the operator of the caller
    model = nk.sklearn.NTKRegressor(diag_reg=1e-3, solver="cg").fit(X, Y)
    assert model.training_.prepared.op.kept == model.training_.prepared.inner.kept == 0
    model.predict(X[:3], return_std=True)
    assert model.training_.prepared.op.kept == model.training_.prepared.inner.kept == 0


@pytest.mark.parametrize("scale", [1e-300, 1e-170, 1e170, 1e300])
def test_targets_of_any_size(scale):
    """Squares of such targets vanish or overflow: zeros were returned, with a residual of 0."""
    dense = NET.ntk(X[:100]) + np.eye(100)
    prepared = ConjugateGradients(tol=1e-10).prepare(NET.ntk(X[:100]), 1.0)
    y = np.stack([scale * Y[:100, 0], Y[:100, 1]], axis=1)
    found = prepared.solve(y) / [scale, 1.0]
    np.testing.assert_allclose(found, np.linalg.solve(dense, Y[:100, :2]), atol=1e-8)
    assert (prepared.report.residuals > 0).all()


@pytest.mark.parametrize("scale", [1e-60, 1e30, 1e60, 1e150])
def test_kernels_beyond_float32_are_solved_in_float64(scale):
    network, x = nk.mlp(2), X[:100] * scale
    dense = network.ntk(X[:100]) + np.eye(100)
    solver = ConjugateGradients(tol=1e-10)
    found = solver.prepare(nk.KernelOperator(network, x), scale**2).solve(Y[:100])
    np.testing.assert_allclose(found * scale**2, np.linalg.solve(dense, Y[:100]), atol=1e-8)


@pytest.mark.parametrize("ridge", [1e-3, 1e-5, 1e-7])
def test_kernels_of_low_rank_in_float32_take_few_products(ridge):
    """Pivots in float32 ended at its rounding: 250 products, and no solution."""
    network, x = nk.mlp(2, nk.Erf(), b_std=0.3), X[:, :1]
    dense = network.ntk(x) + ridge * np.eye(700)
    prepared = ConjugateGradients().prepare(nk.KernelOperator(network, x), ridge)
    found = prepared.solve(Y)
    assert residuals(dense, found, Y).max() <= 1.01e-6
    assert prepared.report.products <= 10


def test_points_with_a_kernel_of_zero_are_left_out():
    """They made the iteration diverge at a ridge of 0."""
    network, x = nk.mlp(2), np.concatenate([X[:100], np.zeros((3, 6)), X[:5]])
    y = RNG.normal(size=(108, 2))
    op = nk.KernelOperator(network, x)
    found = ConjugateGradients(tol=1e-10).prepare(op).solve(y)
    expected = np.linalg.pinv(network.ntk(x), rcond=1e-11, hermitian=True) @ y
    np.testing.assert_allclose(found, expected, atol=1e-6)
    zero = ConjugateGradients().prepare(np.zeros((5, 5)))
    np.testing.assert_array_equal(zero.solve(np.ones(5)), 0)


@pytest.mark.parametrize("copies", [X[:50], 2 * X[:50]])
def test_a_system_without_a_solution_is_not_made_worse(copies):
    """Contradictory targets, where no copies are merged: the iteration diverges."""
    network = nk.mlp(2)
    op = 1.0 * nk.KernelOperator(network, np.concatenate([X[:100], copies]))
    prepared = ConjugateGradients().prepare(op)
    y = RNG.normal(size=(150, 2))
    with pytest.warns(RuntimeWarning, match="theta is singular to rounding, and no coefficients"):
        found = prepared.solve(y)
    assert (residuals(np.asarray(op), found, y) <= 1 + 1e-12).all()
    assert (prepared.report.residuals <= 1 + 1e-12).all()


def test_what_is_not_symmetric_or_finite_is_refused():
    dense = NET.ntk(X[:80])
    dense[3, 4] += 0.1
    with pytest.raises(ValueError, match=r"kernel must be symmetric.*\[3, 4\]"):
        ConjugateGradients().prepare(dense, 0.1, name="kernel")
    dense[3, 4] = np.nan
    with pytest.raises(ValueError, match="theta has a NaN at index 3, 4"):
        ConjugateGradients().prepare(dense, 0.1)
    other = nk.KernelOperator(NET, X[:80], X[80:160])
    for op in (other, other.T, other + nk.KernelOperator(NET, X[:80])):
        with pytest.raises(ValueError, match="theta is an operator that is not symmetric"):
            ConjugateGradients().prepare(op, 0.1)
    same = nk.KernelOperator(NET, X[:80], X[:80].copy())
    assert ConjugateGradients().prepare(same, 0.1).solve(Y[:80]).shape == (80, 3)


def test_the_report_tells_what_was_seen():
    prepared = ConjugateGradients().prepare(nk.KernelOperator(NET, X[:90]), 0.1)
    prepared.solve(np.zeros(90))
    assert np.isnan(prepared.report.smallest)
    assert np.isnan(prepared.report.largest)
    prepared.solve(Y[:90, :2])
    expected = prepared.report
    prepared.solve(np.c_[np.zeros(90), Y[:90, :2]])  # the first column takes no step
    assert prepared.report.smallest == expected.smallest
    assert prepared.report.largest == expected.largest


@pytest.mark.parametrize("rank", [0, 20, 90])
@pytest.mark.parametrize("ridge", [1e-4, 0.1, 1e3])
def test_the_condition_number_is_bounded_from_below(rank, ridge):
    for mixed in (True, False):
        solver = ConjugateGradients(rank=rank, mixed=mixed)
        estimate = solver.prepare(nk.KernelOperator(NET, X[:90]), ridge).condition_estimate
        condition = np.linalg.cond(NET.ntk(X[:90]) + ridge * np.eye(90))
        assert 1 <= estimate <= condition * (1 + 1e-3)
        assert rank < 90 or estimate >= condition * (1 - 1e-3)
    assert np.isnan(solver.prepare(np.empty((0, 0))).condition_estimate)


def test_the_trace_counts_copies():
    x = np.concatenate([X[:30], X[:10], X[:5]])
    prepared = ConjugateGradients().prepare(nk.KernelOperator(NET, x))
    assert prepared.trace == pytest.approx(NET.ntk(x).trace())


SCRIPT = """
import sys, time
import numpy as np, ntkfast as nk
from ntkfast.solvers import ConjugateGradients, _checkpoint
_checkpoint._INTERVAL = 0.0
x = np.random.default_rng(0).normal(size=(400, 5))
y = np.stack([np.sin(x[:, 0]), x[:, 1]], axis=1)
slow = float(sys.argv[3])
report = lambda done, total: time.sleep(slow)
solver = ConjugateGradients(tol=1e-10, rank=10, checkpoint=sys.argv[1], progress=report)
np.save(sys.argv[2], solver.prepare(nk.KernelOperator(nk.mlp(2), x), 1e-3).solve(y))
"""


@pytest.mark.alone
def test_a_killed_solve_goes_on_to_the_same_result(tmp_path):
    script = tmp_path / "solve.py"
    script.write_text(textwrap.dedent(SCRIPT))
    state, out = tmp_path / "state.npz", tmp_path / "x.npy"
    whole = tmp_path / "whole.npy"
    command = [sys.executable, str(script)]
    subprocess.run(
        [*command, str(tmp_path / "other.npz"), str(whole), "0"], check=True, timeout=120
    )
    for _ in range(3):  # killed three times, each time a little later
        process = subprocess.Popen([*command, str(state), str(out), "0.05"])
        before = state.stat().st_mtime_ns if state.exists() else 0
        deadline = time.monotonic() + 60
        while not (state.exists() and state.stat().st_mtime_ns > before):
            assert process.poll() is None, "it ended before it was killed"
            assert time.monotonic() < deadline
            time.sleep(0.02)
        time.sleep(0.2)
        process.kill()
        process.wait()
        assert not out.exists()
    subprocess.run([*command, str(state), str(out), "0"], check=True, timeout=120)
    assert same_bits(np.load(out), np.load(whole))
    assert not state.exists()


def test_a_checkpoint_of_another_system_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("ntkfast.solvers._checkpoint._INTERVAL", 0.0)
    path = tmp_path / "state.npz"

    def stop(done, total):
        if path.exists():
            raise KeyboardInterrupt

    solver = ConjugateGradients(checkpoint=path, progress=stop)
    op = nk.KernelOperator(NET, X)
    with pytest.raises(KeyboardInterrupt):
        solver.prepare(op, 1e-3).solve(Y)
    with pytest.raises(ValueError, match=r"state\.npz belongs to another system"):
        ConjugateGradients(checkpoint=path).prepare(op, 2e-3).solve(Y)
    with pytest.raises(ValueError, match="belongs to another system"):
        ConjugateGradients(checkpoint=path).prepare(op, 1e-3).solve(3 * Y)
    found = ConjugateGradients(checkpoint=path).prepare(op, 1e-3).solve(Y)
    assert same_bits(found, ConjugateGradients().prepare(op, 1e-3).solve(Y))


def test_a_checkpoint_without_a_folder_is_refused_at_once(tmp_path):
    for path in (tmp_path / "none" / "state.npz", tmp_path):
        with pytest.raises(ValueError, match="expected a file in a folder that exists"):
            ConjugateGradients(checkpoint=path).prepare(np.eye(3), 0.1)
    with pytest.raises(
        TypeError, match="checkpoint is 3, of type int; expected the name of a file"
    ):
        ConjugateGradients(checkpoint=3).prepare(np.eye(3), 0.1)
    with pytest.raises(TypeError, match="mixed is 'no', of type str; expected True or False"):
        ConjugateGradients(mixed="no").prepare(np.eye(3), 0.1)


def test_a_damaged_checkpoint_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("ntkfast.solvers._checkpoint._INTERVAL", 0.0)
    path = tmp_path / "state.npz"

    def stop(done, total):
        if path.exists():
            raise KeyboardInterrupt

    op = nk.KernelOperator(NET, X)
    with pytest.raises(KeyboardInterrupt):
        ConjugateGradients(checkpoint=path, progress=stop).prepare(op, 1e-3).solve(Y)
    whole = path.read_bytes()
    prepared = ConjugateGradients(checkpoint=path).prepare(op, 1e-3)
    for size in (0, 10, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:size])
        with pytest.raises(ValueError, match=r"state\.npz .*; remove it, or choose another file"):
            prepared.solve(Y)
        assert path.read_bytes() == whole[:size]


def test_a_checkpoint_of_a_network_with_a_function(tmp_path):
    network = nk.Serial(nk.Dense(), nk.Elementwise(np.tanh), nk.Dense())
    op = nk.KernelOperator(network, X[:50])
    found = ConjugateGradients(checkpoint=tmp_path / "state.npz").prepare(op, 0.1).solve(Y[:50])
    assert same_bits(found, ConjugateGradients().prepare(op, 0.1).solve(Y[:50]))
    other = nk.KernelOperator(nk.Serial(nk.Dense(), nk.Elementwise(np.sin), nk.Dense()), X[:50])
    assert op.fingerprint() == nk.KernelOperator(network, X[:50]).fingerprint()
    assert op.fingerprint() != other.fingerprint()
