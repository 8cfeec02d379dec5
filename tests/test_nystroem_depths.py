"""Nyström regression at every depth in one pass."""

import numpy as np
import pytest

import ntkfast as nk

RNG = np.random.default_rng(5)
X = RNG.standard_normal((300, 4))
Y = np.sin(2 * X[:, :2]) + 0.1 * RNG.standard_normal((300, 2))
WEIGHTS = RNG.uniform(0.5, 2.0, 300)
RIDGES = [1e-3, 1e-1, 10.0]


def by_hand(activation, depth):
    return nk.mlp(depth, activation, w_std=1.4, b_std=0.3)


@pytest.mark.parametrize("activation", [nk.Relu(), nk.Tanh(), nk.Elementwise(np.tanh)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("kernel", ["ntk", "nngp"])
def test_each_depth_is_a_path_of_its_own(activation, dtype, kernel):
    arguments = {"diag_reg": RIDGES, "kernel": kernel, "sample_weight": WEIGHTS, "dtype": dtype}
    paths = nk.nystroem_by_depth(by_hand(activation, 3), X, Y, centres=30, points=100, **arguments)
    assert len(paths) == 4
    for depth, path in enumerate(paths):
        assert path.network == by_hand(activation, depth)
        centres = path.regression(0).centres
        one = nk.NystroemPath(path.network, X, Y, centres=centres, points=100, **arguments)
        np.testing.assert_array_equal(path.errors, one.errors)
        np.testing.assert_array_equal(path.diag_reg, one.diag_reg)
        fit, own = path.regression(1), one.regression(1)
        np.testing.assert_array_equal(fit.coefficients, own.coefficients)
        np.testing.assert_array_equal(fit.predict(X), own.predict(X))
        np.testing.assert_array_equal(fit.variance(X[:5]), own.variance(X[:5]))
        np.testing.assert_array_equal(
            fit.leave_one_out(50).predictions, own.leave_one_out(50).predictions
        )
        assert fit.network == path.network


def test_the_coefficients_solve_the_normal_equations_of_their_depth():
    for path in nk.nystroem_by_depth(by_hand(nk.Relu(), 2), X, Y, centres=20, diag_reg=[0.5]):
        fit = path.regression()
        cross, square = (
            path.network.ntk(points, fit.centres.copy()) for points in (X, fit.centres)
        )
        left = cross.T @ cross + 0.5 * square
        np.testing.assert_allclose(
            fit.predict(X), cross @ np.linalg.lstsq(left, cross.T @ Y)[0], atol=1e-6
        )


def test_relative_units_are_those_of_each_depth():
    paths = nk.nystroem_by_depth(
        by_hand(nk.Relu(), 2), X, Y, centres=20, diag_reg=[0.1, 1.0], units="relative"
    )
    for path in paths:
        mean = path.network.ntk(X, diagonal=True).mean()
        np.testing.assert_allclose(path.diag_reg, [0.1 * mean, mean])


def test_points_are_read_as_often_as_for_one_depth():
    def count(fit):
        reads = []

        def read():
            reads.append(1)
            yield from ((X[i : i + 70], Y[i : i + 70]) for i in range(0, 300, 70))

        found = fit(nk.data.Chunks(read))
        return len(reads), found

    network, arguments = by_hand(nk.Relu(), 2), {"centres": 20, "diag_reg": RIDGES}
    reads, paths = count(lambda chunks: nk.nystroem_by_depth(network, chunks, **arguments))
    for_one, _ = count(lambda chunks: nk.NystroemPath(network, chunks, **arguments))
    assert reads == for_one
    for path, other in zip(paths, nk.nystroem_by_depth(network, X, Y, **arguments), strict=True):
        np.testing.assert_array_equal(path.errors, other.errors)


def test_nested_chains_and_progress():
    told = []
    inner = nk.Serial(nk.Dense(w_std=1.3), nk.Relu())
    network = nk.Serial(inner, nk.Serial(inner, nk.Identity()), nk.Dense(w_std=1.1, b_std=0.2))
    paths = nk.nystroem_by_depth(
        network, X, Y, centres=10, diag_reg=[0.1], progress=lambda *done: told.append(done)
    )
    assert paths[0].network == nk.Serial(nk.Dense(w_std=1.1, b_std=0.2))
    assert paths[1].network == nk.Serial(
        nk.Dense(w_std=1.3), nk.Relu(), nk.Dense(w_std=1.1, b_std=0.2)
    )
    np.testing.assert_array_equal(paths[2].network.ntk(X), network.ntk(X))
    assert (300, 300) in told


@pytest.mark.parametrize(
    ("network", "message"),
    [
        (nk.Serial(nk.Dense(), nk.Residual(nk.Relu(), nk.Dense()), nk.Dense()), "has a Residual"),
        (nk.Serial(nk.Relu(), nk.Dense()), "begins with Relu"),
        (nk.Conv((3,)), "has a Conv"),
    ],
)
def test_networks_that_are_no_chain_are_refused(network, message):
    with pytest.raises(ValueError, match=message):
        nk.nystroem_by_depth(network, X, Y, centres=10, diag_reg=[0.1])


def test_bad_arguments():
    network = by_hand(nk.Relu(), 1)
    with pytest.raises(TypeError, match="network is"):
        nk.nystroem_by_depth(X, network, centres=10, diag_reg=[0.1])
    with pytest.raises(ValueError, match="units"):
        nk.nystroem_by_depth(network, X, Y, centres=10, diag_reg=[0.1], units="percent")
    with pytest.raises(ValueError, match="diag_reg has shape"):
        nk.nystroem_by_depth(network, X, Y, centres=10, diag_reg=0.1)


def test_points_in_a_dask_array():
    array = pytest.importorskip("dask.array")
    network, arguments = by_hand(nk.Tanh(), 2), {"centres": 20, "diag_reg": RIDGES}
    lazy = array.from_array(X, chunks=(70, 4))
    found = nk.nystroem_by_depth(network, lazy, Y, **arguments)
    for path, other in zip(found, nk.nystroem_by_depth(network, X, Y, **arguments), strict=True):
        assert path.network == other.network
        np.testing.assert_allclose(path.errors, other.errors, rtol=1e-6)
        np.testing.assert_array_equal(path.regression(0).centres, other.regression(0).centres)
