"""The preconditioner of conjugate gradients: its memory, and the matrix it stands for."""

import sys

import numpy as np
import pytest

import ntkfast as nk
from contract import same_bits
from ntkfast.solvers._orthonormal import orthonormal
from ntkfast.solvers._preconditioner import Preconditioner
from processes import run

RNG = np.random.default_rng(8)
NET = nk.mlp(2, b_std=0.5)


def tall(condition, dtype):
    left = np.linalg.qr(RNG.normal(size=(600, 40)))[0] * np.geomspace(1, 1 / condition, 40)
    return (left @ np.linalg.qr(RNG.normal(size=(40, 40)))[0]).astype(dtype)


@pytest.mark.parametrize("condition", [1e3, 1e6, 1e9, 1e15])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_columns_are_orthonormal_to_their_rounding(dtype, condition):
    matrix = tall(condition, dtype)
    product = matrix.astype(np.float64) @ matrix.T.astype(np.float64)
    vectors, squares = orthonormal(matrix)
    assert np.shares_memory(vectors, matrix)
    own = vectors.astype(np.float64)
    rounding = 40 * np.finfo(dtype).eps
    np.testing.assert_allclose(own.T @ own, np.eye(len(squares)), rtol=0, atol=rounding)
    rest = np.linalg.eigvalsh(product - (own * squares) @ own.T)
    # Rounding, also what is left out.
    assert -3 * rounding <= rest[0] <= rest[-1] <= 3 * rounding + 1e-13
    assert len(squares) == 40 or squares.min() < 1e-10


def test_nothing_is_orthonormal():
    for shape in ((5, 0), (0, 0)):
        vectors, squares = orthonormal(np.zeros(shape))
        assert vectors.shape == shape
        assert squares.shape == (0,)
    assert orthonormal(np.zeros((7, 3)))[0].shape == (7, 0)


def test_pieces_do_not_change_the_space(monkeypatch):
    matrix = tall(1e3, np.float64)
    whole, squares = orthonormal(matrix.copy())
    monkeypatch.setattr("ntkfast._memory._PIECE", 1)  # 64 rows
    parts, again = orthonormal(matrix.copy())
    np.testing.assert_allclose(squares, again, rtol=1e-10)
    np.testing.assert_allclose(whole @ whole.T, parts @ parts.T, atol=1e-11)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_the_kernel_is_at_least_the_low_rank_part(dtype):
    """By which the smallest eigenvalue of P⁻¹·A is at least ridge/ρ."""
    x = RNG.normal(size=(500, 6)).astype(dtype)
    op = nk.KernelOperator(NET, x)
    ridge = 1e-2
    found = Preconditioner.of(op, ridge, 60, 0)
    vectors = np.asarray(found.vectors).astype(np.float64)
    low = (vectors * (found.shift * found.kept / (1 - found.kept))) @ vectors.T
    dense = NET.ntk(x).astype(np.float64)
    rounding = 1e2 * np.finfo(dtype).eps * np.trace(dense)
    assert np.linalg.eigvalsh(dense - low)[0] >= -rounding
    values = np.linalg.eigvals(
        np.linalg.solve(low + found.shift * np.eye(500), dense + ridge * np.eye(500))
    )
    assert values.real.min() >= (ridge / found.shift) * (1 - 1e-3)


def test_bits_do_not_depend_on_threads():
    op, before, found = nk.KernelOperator(NET, RNG.normal(size=(900, 6))), nk.num_threads(), []
    try:
        for threads in (1, 2, 3):
            nk.set_num_threads(threads)
            found.append(Preconditioner.of(op, 1e-3, 80, 0).solve(np.eye(900)[:, :3]))
    finally:
        nk.set_num_threads(before)
    assert same_bits(found[0], found[1])
    assert same_bits(found[0], found[2])


PEAK = """
    from pathlib import Path
    import numpy as np
    import ntkfast as nk
    from ntkfast.solvers._preconditioner import Preconditioner

    def high_water_mark():
        (line,) = (s for s in Path("/proc/self/status").read_text().splitlines() if "VmHWM" in s)
        return 1024 * int(line.split()[1])

    x = np.random.default_rng(0).standard_normal((50_000, 18)).astype(np.float32)
    op = nk.KernelOperator(nk.mlp(2), x, memory=0)
    before = high_water_mark()
    assert Preconditioner.of(op, 1e-2, 600, 0).rank == 600
    print(high_water_mark() - before)
"""


@pytest.mark.alone
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="memory is counted by /proc")
def test_the_peak_is_the_factor_and_some_pieces():
    """It was nine times the factor: copies in float64."""
    result = run(PEAK)
    assert result.returncode == 0, result.stderr
    factor = 4 * 50_000 * 600
    assert factor <= int(result.stdout) <= 1.1 * factor + (96 << 20)
