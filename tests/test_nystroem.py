"""Nyström regression against literal normal equations, exact regression and refits."""

import itertools
import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import ntkfast as nk
from ntkfast.nystroem import _matrix
from ntkfast.nystroem._passes import Passes
from ntkfast.nystroem._problem import Problem, Settings

RNG = np.random.default_rng(11)
X = RNG.standard_normal((400, 5))
Y = np.stack([np.sin(2 * X[:, 0]), X[:, 1] * X[:, 2]], axis=1) + 0.2 * RNG.standard_normal((400, 2))
X_TEST = RNG.standard_normal((60, 5))
NET = nk.mlp(2, nk.Relu(), w_std=1.4, b_std=0.1)
NETWORKS = {
    "relu": NET,
    "erf": nk.mlp(1, nk.Erf(), w_std=1.4, b_std=0.1),
    "fitted": nk.mlp(2, nk.Elementwise(np.tanh), w_std=1.4, b_std=0.1),
    "residual": nk.Serial(nk.Dense(), nk.Residual(nk.Serial(nk.Relu(), nk.Dense())), nk.Dense()),
}


@pytest.fixture
def sketched(monkeypatch):
    """A sketch of 4·m rows also for few centres."""
    monkeypatch.setattr(_matrix, "_FEW", 10)


def kernel(net, name, *points):
    return getattr(net, name)(*points)


def literal(net, name, centres, ridge, weights=1.0, x=X, y=Y):
    """The coefficients by least squares: no normal equations, no Cholesky factor."""
    cross, own = kernel(net, name, x, centres), kernel(net, name, centres)
    values, vectors = np.linalg.eigh(own)
    root = vectors * np.sqrt(np.maximum(values, 0.0))
    w = np.sqrt(np.broadcast_to(weights, len(x)))[:, None]
    stacked = np.vstack([w * cross, np.sqrt(ridge) * root.T])
    targets = np.vstack([w * y, np.zeros((len(own), y.shape[1]))])
    return np.linalg.lstsq(stacked, targets, rcond=None)[0]


@pytest.mark.parametrize("ridge", [1e-2, 3.0])
@pytest.mark.parametrize("name", ["ntk", "nngp"])
@pytest.mark.parametrize("net", NETWORKS.values(), ids=NETWORKS)
def test_predictions_are_those_of_literal_least_squares(net, name, ridge):
    fit = nk.NystroemRegression(net, X, Y, centres=50, kernel=name, diag_reg=ridge, tol=1e-11)
    beta = literal(net, name, fit.centres, ridge)
    expected = kernel(net, name, X_TEST, fit.centres) @ beta
    np.testing.assert_allclose(fit.predict(X_TEST), expected, atol=1e-8)
    assert fit.report.residuals.max() <= 1e-11
    assert fit.n == 400
    assert 0 < fit.unexplained < 1


def test_a_sketch_gives_the_same_solution_in_more_passes(sketched):
    whole = nk.NystroemRegression(NET, X, Y, centres=20, diag_reg=0.1, tol=1e-11)
    beta = literal(NET, "ntk", whole.centres, 0.1)
    expected = NET.ntk(X_TEST, whole.centres) @ beta
    np.testing.assert_allclose(whole.predict(X_TEST), expected, atol=1e-8)
    assert whole.report.rank == 120  # rows of the sketch
    assert 5 < whole.report.products < 60
    assert whole.report.residuals.max() <= 1e-11


@pytest.mark.parametrize("few", [10, 2048])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("ridge", [1e-4, 1e-1])
def test_kernels_of_centres_that_are_nearly_singular(ridge, dtype, few, monkeypatch):
    # Eigenvalues of the kernel of the centres go down to rounding.
    monkeypatch.setattr(_matrix, "_FEW", few)
    net = nk.mlp(1, nk.Erf(), w_std=2.0, b_std=0.5)
    x = np.random.default_rng(0).uniform(-1, 1, (3000, 2)).astype(dtype)
    truth = np.sin(4 * x[:, 0]) * x[:, 1]
    y = truth + 0.1 * np.random.default_rng(1).standard_normal(3000)
    fit = nk.NystroemRegression(net, x, y, centres=200, diag_reg=ridge)
    assert fit.report.residuals.max() <= 1e-4
    centres = fit.centres.astype(float)
    assert np.linalg.cond(net.ntk(centres)) > 1e8
    beta = literal(net, "ntk", centres, ridge, x=x.astype(float), y=y[:, None])
    expected = (net.ntk(x.astype(float), centres) @ beta)[:, 0]
    error, least = np.std(fit.predict(x) - truth), np.std(expected - truth)
    assert error <= 1.02 * least
    assert np.isfinite(fit.variance(x[:9])).all()
    assert fit.leave_one_out(500).rmse == pytest.approx(0.1, rel=0.1)


def test_the_sketch_keeps_lengths():
    # The sketch is unbiased: the mean of many of them is the complete matrix.
    settings = Settings(8, "uniform", "ntk", 0, None, None, None)
    problem = Problem.of(NET, X, Y[:, 0], None, settings)
    complete = problem.gather(0).matrix
    passes = problem.passes
    sketches = [_matrix.gather(passes, 400, 64, seed, None).matrix for seed in range(300)]
    spread = np.std(sketches, axis=0) / 300**0.5
    assert (abs(np.mean(sketches, axis=0) - complete) <= 5 * spread + 1e-12).all()
    assert spread.max() < 0.1 * complete.max()


@pytest.mark.parametrize("ridge", [1e-3, 1.0])
def test_with_all_points_as_centres_it_is_exact_regression(ridge):
    exact = nk.KernelRegression(NET.ntk(X), Y, diag_reg=ridge)
    for centres in (400, X):
        fit = nk.NystroemRegression(NET, X, Y, centres=centres, diag_reg=ridge, tol=1e-12)
        np.testing.assert_allclose(
            fit.predict(X_TEST), exact.predict(NET.ntk(X_TEST, X)), atol=1e-6
        )


def test_a_relative_regularisation_is_in_units_of_the_mean_diagonal():
    mean = NET.ntk(X, diagonal=True).mean()
    fit = nk.NystroemRegression(NET, X, Y, centres=30, diag_reg=0.5, relative_diag_reg=2.0)
    np.testing.assert_allclose(fit.diag_reg, 0.5 + 2.0 * mean, rtol=1e-12)


def test_weights_act_as_copies():
    weights = RNG.integers(0, 4, len(X)).astype(float)
    copies = np.repeat(np.arange(len(X)), weights.astype(int))
    centres = X[:40]
    weighted = nk.NystroemRegression(
        NET, X, Y, centres=centres, diag_reg=0.3, sample_weight=weights, tol=1e-11
    )
    repeated = nk.NystroemRegression(
        NET, X[copies], Y[copies], centres=centres, diag_reg=0.3, tol=1e-11
    )
    np.testing.assert_allclose(weighted.predict(X_TEST), repeated.predict(X_TEST), atol=1e-8)
    beta = literal(NET, "ntk", centres, 0.3, weights)
    np.testing.assert_allclose(weighted.predict(X_TEST), NET.ntk(X_TEST, centres) @ beta, atol=1e-8)
    np.testing.assert_allclose(weighted.variance(X_TEST), repeated.variance(X_TEST), rtol=1e-8)


@settings(max_examples=10)
@given(st.lists(st.integers(1, 399), max_size=6), st.sampled_from([None, 0, 3e5]))
def test_chunks_and_memory_do_not_change_a_bit(cuts, memory):
    edges = [0, *sorted(set(cuts)), 400]
    chunks = nk.data.Chunks([(X[i:j], Y[i:j]) for i, j in itertools.pairwise(edges)])
    net = NETWORKS["fitted"]
    whole = nk.NystroemRegression(net, X, Y, centres=30, diag_reg=0.1)
    found = nk.NystroemRegression(net, chunks, centres=30, diag_reg=0.1, memory=memory)
    np.testing.assert_array_equal(found.coefficients, whole.coefficients)
    np.testing.assert_array_equal(found.centres, whole.centres)


def test_bands_of_many_rows_meet_in_the_same_sums(monkeypatch):
    # 400 points are one band; smaller bands, kept or not, give the same numbers to rounding.
    whole = nk.NystroemRegression(NET, X, Y, centres=30, diag_reg=0.1, tol=1e-11)
    monkeypatch.setattr("ntkfast.nystroem._passes._ENTRIES", 30 * 64)
    monkeypatch.setattr("ntkfast.nystroem._passes._LEAST", 64)
    for memory in (0, None):
        found = nk.NystroemRegression(
            NET, X, Y, centres=whole.centres, diag_reg=0.1, tol=1e-11, memory=memory
        )
        np.testing.assert_allclose(found.predict(X_TEST), whole.predict(X_TEST), atol=1e-9)


def test_a_pass_that_was_broken_off_is_not_complete(monkeypatch):
    monkeypatch.setattr("ntkfast.nystroem._passes._ENTRIES", 8 * 64)
    monkeypatch.setattr("ntkfast.nystroem._passes._LEAST", 64)
    settings = Settings(X[:8], "pivots", "ntk", 0, 3 * 64 * (8 * 8 + 3 * 8), None, None)
    passes = Problem.of(NET, X, Y, None, settings, again=True).passes
    assert len(list(passes.bands())) == 7
    assert len(list(itertools.islice(passes.bands(), 3))) == 3  # as many as are kept
    assert [len(block) for _, block in passes.bands()] == [64] * 6 + [16]


def test_points_may_be_memory_mapped_and_of_any_type(tmp_path):
    np.save(tmp_path / "x.npy", X.astype(np.float32))
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    fit = nk.NystroemRegression(NET, mapped, Y, centres=50, diag_reg=0.1)
    double = nk.NystroemRegression(NET, X, Y, centres=fit.centres, diag_reg=0.1)
    assert fit.centres.dtype == np.float32
    np.testing.assert_allclose(fit.predict(X_TEST), double.predict(X_TEST), atol=2e-3)
    integers = RNG.integers(-3, 4, X.shape)
    found = nk.NystroemRegression(NET, integers, Y, centres=50, diag_reg=0.1)
    np.testing.assert_array_equal(
        found.coefficients,
        nk.NystroemRegression(
            NET, integers.astype(float), Y, centres=50, diag_reg=0.1
        ).coefficients,
    )


def test_images_of_a_convolution():
    images = RNG.standard_normal((60, 4, 4, 2))
    net = nk.cntk(1)
    fit = nk.NystroemRegression(net, images, Y[:60], centres=20, diag_reg=0.1, tol=1e-11)
    beta = literal(net, "ntk", fit.centres, 0.1, x=images, y=Y[:60])
    np.testing.assert_allclose(
        fit.predict(images[:9]), net.ntk(images[:9], fit.centres) @ beta, atol=1e-8
    )


def test_targets_of_any_shape():
    one = nk.NystroemRegression(NET, X, Y[:, 0], centres=20, diag_reg=0.1)
    three = nk.NystroemRegression(NET, X, Y.reshape(400, 1, 2), centres=20, diag_reg=0.1)
    assert one.predict(X_TEST).shape == (60,)
    assert three.predict(X_TEST).shape == (60, 1, 2)
    np.testing.assert_allclose(three.predict(X_TEST)[:, 0, 0], one.predict(X_TEST), atol=1e-3)
    assert one.predict(X_TEST[:0]).shape == (0,)


@pytest.mark.parametrize("scale", [1e-300, 1e-140, 1e140, 1e300])
def test_targets_of_any_size(scale):
    one = nk.NystroemRegression(NET, X, Y, centres=20, diag_reg=0.1, tol=1e-10)
    other = nk.NystroemRegression(NET, X, scale * Y, centres=20, diag_reg=0.1, tol=1e-10)
    np.testing.assert_allclose(other.predict(X_TEST) / scale, one.predict(X_TEST), rtol=1e-6)
    assert 0 < other.report.residuals.max() < 1e-10
    left = one.leave_one_out().rmse
    np.testing.assert_allclose(other.leave_one_out().rmse / scale, left, rtol=1e-6)


@pytest.mark.parametrize("few", [10, 2048])
def test_weights_of_any_size_in_float32(few, monkeypatch):
    monkeypatch.setattr(_matrix, "_FEW", few)
    x, centres = X.astype(np.float32), X[:30]
    weights = np.linspace(0.5, 2.0, 400)
    one, other = (
        nk.NystroemRegression(
            NET, x, Y, centres=centres, diag_reg=0.1 * w, sample_weight=w * weights, tol=1e-10
        )
        for w in (1.0, 2.0**-280)  # roots that float32 rounds to few digits
    )
    np.testing.assert_allclose(other.predict(X_TEST), one.predict(X_TEST), rtol=1e-7)
    if few == 10:
        with pytest.raises(ValueError, match="the range of float32; scale sample_weight down"):
            nk.NystroemRegression(NET, x, Y, centres=centres, sample_weight=np.full(400, 1e80))


@pytest.mark.parametrize("few", [10, 2048])
def test_sums_beyond_the_range_are_refused(few, monkeypatch):
    monkeypatch.setattr(_matrix, "_FEW", few)
    light, heavy = np.ones(400), np.full(400, 1e100)
    for y, weights in ((1e307 * Y, None), (1e250 * Y, heavy)):
        with pytest.raises(ValueError, match="exceed the range of float64; scale targets down"):
            nk.NystroemRegression(NET, X, y, centres=20, diag_reg=0.1, sample_weight=weights)
    with pytest.raises(ValueError, match="scale targets down"):
        nk.NystroemPath(NET, X, 1e307 * Y, centres=20, diag_reg=[0.1], sample_weight=light)
    for more in ({"diag_reg": 1e308, "relative_diag_reg": 1e308}, {"relative_diag_reg": 1e308}):
        with pytest.raises(ValueError, match=r"relative_diag_reg=1e.308 .* exceed the range"):
            nk.NystroemRegression(NET, X * 10, Y, centres=20, **more)
    with pytest.raises(ValueError, match="with weights of sum inf exceed the range"):
        nk.NystroemRegression(NET, X, Y, centres=20, sample_weight=np.full(400, 1e308))


def test_copies_and_no_regularisation_are_no_fault():
    x = np.repeat(X[:50], 4, axis=0)
    y = np.repeat(Y[:50], 4, axis=0)
    fit = nk.NystroemRegression(NET, x, y, centres=200, diag_reg=0.0)
    assert np.isfinite(fit.predict(X_TEST)).all()
    assert len(fit.centres) == 50
    np.testing.assert_allclose(fit.predict(X[:50]), Y[:50], atol=1e-4)
    twice = nk.NystroemRegression(NET, x, y, centres=np.repeat(X[:20], 2, axis=0), diag_reg=1e-3)
    once = nk.NystroemRegression(NET, x, y, centres=X[:20], diag_reg=1e-3)
    np.testing.assert_allclose(twice.predict(X_TEST), once.predict(X_TEST), atol=1e-3)


class TestCentres:
    def test_a_share_takes_as_many_as_it_needs(self):
        few = nk.NystroemRegression(NET, X, Y, centres=0.3, diag_reg=0.1)
        many = nk.NystroemRegression(NET, X, Y, centres=0.05, diag_reg=0.1)
        assert len(few.centres) < len(many.centres) < 400
        for fit, share in ((few, 0.3), (many, 0.05)):
            cross, own = NET.ntk(X, fit.centres), NET.ntk(fit.centres)
            rest = NET.ntk(X, diagonal=True).sum() - np.trace(np.linalg.solve(own, cross.T @ cross))
            np.testing.assert_allclose(
                fit.unexplained, rest / NET.ntk(X, diagonal=True).sum(), rtol=1e-6
            )
            assert fit.unexplained <= share

    def test_uniform_centres_are_points_that_a_seed_draws(self):
        fits = [
            nk.NystroemRegression(
                NET, X, Y, centres=30, diag_reg=0.1, sampling="uniform", seed=seed
            )
            for seed in (0, 0, 1)
        ]
        rows = {row.tobytes() for row in X}
        assert all(centre.tobytes() in rows for centre in fits[0].centres)
        assert len({centre.tobytes() for centre in fits[0].centres}) == 30
        np.testing.assert_array_equal(fits[0].centres, fits[1].centres)
        assert not np.array_equal(fits[0].centres, fits[2].centres)

    def test_what_uniform_centres_leave_is_known_of_all_points_alone(self):
        for count, expected in ((30, np.nan), (400, 0.0)):
            fit = nk.NystroemRegression(NET, X, Y, centres=count, diag_reg=0.1, sampling="uniform")
            np.testing.assert_equal(fit.unexplained, expected)

    def test_uniform_draws_are_uniform(self):
        counts = np.zeros(20)
        x = X[:20]
        for seed in range(300):
            fit = nk.NystroemRegression(
                NET, x, Y[:20], centres=5, diag_reg=0.1, sampling="uniform", seed=seed
            )
            for centre in fit.centres:
                counts[np.flatnonzero((x == centre).all(axis=1))[0]] += 1
        # 300·5/20 = 75 each, standard deviation 7.5.
        assert abs(counts - 75).max() < 4 * 7.5

    def test_more_than_there_are_points(self):
        with pytest.warns(RuntimeWarning, match="centres is 500, and there are only 400 points"):
            fit = nk.NystroemRegression(NET, X, Y, centres=500, diag_reg=0.1)
        assert len(fit.centres) == 400


class TestErrors:
    def test_variances_are_the_two_parts(self):
        fit = nk.NystroemRegression(NET, X, Y, centres=50, kernel="nngp", diag_reg=0.2)
        cross, own = NET.nngp(X, fit.centres), NET.nngp(fit.centres)
        test = NET.nngp(X_TEST, fit.centres)
        open_ = NET.nngp(X_TEST, diagonal=True) - np.einsum(
            "ij,ji->i", test, np.linalg.solve(own, test.T)
        )
        rest = 0.2 * np.einsum(
            "ij,ji->i", test, np.linalg.solve(cross.T @ cross + 0.2 * own, test.T)
        )
        np.testing.assert_allclose(fit.variance(X_TEST), open_ + rest, rtol=1e-6)

    def test_variances_with_all_points_are_those_of_the_posterior(self):
        fit = nk.NystroemRegression(NET, X, Y, centres=X, kernel="nngp", diag_reg=0.2)
        posterior = nk.Posterior(NET, X, Y, noise_variance=0.2)
        expected = posterior.predict(X_TEST, covariance="diagonal").variance
        np.testing.assert_allclose(fit.variance(X_TEST), expected, rtol=1e-6)

    def test_variances_do_not_vanish_far_from_the_data(self):
        net = nk.Serial(nk.Dense(w_std=3.0, b_std=1.0), nk.Gaussian(), nk.Dense())
        fit = nk.NystroemRegression(net, X, Y, centres=30, kernel="nngp", diag_reg=1e-3)
        far = 50 * X_TEST
        prior = net.nngp(far, diagonal=True)
        assert (fit.variance(far) > 0.5 * prior).all()

    @pytest.mark.parametrize("weighted", [False, True])
    def test_leave_one_out_is_that_of_refits(self, weighted):
        weights = RNG.uniform(0.5, 2.0, len(X)) if weighted else None
        centres = X[:40]
        fit = nk.NystroemRegression(
            NET, X, Y, centres=centres, diag_reg=0.2, sample_weight=weights, tol=1e-12
        )
        left = fit.leave_one_out(points=25)
        assert len(left.rows) == 25
        assert (left.rows >= 40).all()  # no centres
        np.testing.assert_array_equal(left.targets, Y[left.rows])
        for row, found in zip(left.rows, left.predictions, strict=True):
            kept = np.arange(len(X)) != row
            own = 1.0 if weights is None else weights[kept]
            beta = literal(NET, "ntk", centres, 0.2, own, X[kept], Y[kept])
            np.testing.assert_allclose(found, NET.ntk(X[[row]], centres)[0] @ beta, atol=1e-8)
        errors = left.targets - left.predictions
        np.testing.assert_allclose(left.rmse, np.sqrt(np.mean(errors**2)))

    def test_a_sketch_has_the_same_errors(self, sketched):
        fit = nk.NystroemRegression(NET, X, Y, centres=20, diag_reg=0.2, tol=1e-12)
        assert fit.report.products > 2
        whole = nk.NystroemPath(NET, X, Y, centres=fit.centres, diag_reg=[0.2]).regression()
        np.testing.assert_allclose(fit.variance(X_TEST), whole.variance(X_TEST), rtol=1e-8)
        np.testing.assert_allclose(
            fit.leave_one_out().predictions, whole.leave_one_out().predictions, atol=1e-8
        )

    def test_variances_after_a_sketch_are_those_without_it(self, monkeypatch):
        # Conjugate gradients need a jitter as large as the kernel at this regularisation.
        whole = nk.NystroemRegression(NET, X, Y, centres=20, diag_reg=1e-11)
        monkeypatch.setattr(_matrix, "_FEW", 10)
        fit = nk.NystroemRegression(NET, X, Y, centres=whole.centres, diag_reg=1e-11)
        assert fit.report.products > 2
        np.testing.assert_allclose(fit.variance(X_TEST), whole.variance(X_TEST), rtol=1e-6)

    def test_points_that_determine_a_direction_alone_are_left_out(self):
        # Leverages round to 1: nothing else says what one point says.
        for seed in range(40):
            source = np.random.default_rng(seed)
            x, centres = source.normal(size=(1, 2)), source.normal(size=(2, 2))
            net = nk.mlp(2, b_std=1.0)
            fit = nk.NystroemRegression(net, x, np.ones(1), centres=centres)
            path = nk.NystroemPath(net, x, np.ones(1), centres=centres, diag_reg=[1e-300])
            assert abs(fit.leave_one_out().predictions) < 10
            assert path.errors < 10

    def test_nothing_can_be_left_out_of_centres(self):
        fit = nk.NystroemRegression(NET, X, Y, centres=X, diag_reg=0.2)
        with pytest.raises(ValueError, match="every point is a centre"):
            fit.leave_one_out()


class TestPath:
    def test_each_regression_is_a_fit_of_its_own(self):
        ridges = np.logspace(-4, 2, 7)
        path = nk.NystroemPath(NET, X, Y, centres=40, diag_reg=ridges, points=400)
        for i in (0, 3, 6):
            fit = nk.NystroemRegression(NET, X, Y, centres=40, diag_reg=ridges[i], tol=1e-12)
            np.testing.assert_allclose(
                path.regression(i).predict(X_TEST), fit.predict(X_TEST), atol=1e-7
            )
            np.testing.assert_allclose(
                path.errors[i], fit.leave_one_out(points=400).rmse, rtol=1e-7
            )
        assert path.best == path.errors.argmin()
        assert path.regression().diag_reg == ridges[path.best]
        assert 0 < path.regression().report.residuals.max() < 1e-12
        again = pickle.loads(pickle.dumps(path.regression()))
        np.testing.assert_array_equal(again.variance(X_TEST), path.regression().variance(X_TEST))

    def test_relative_units(self):
        mean = NET.ntk(X, diagonal=True).mean()
        path = nk.NystroemPath(NET, X, Y, centres=10, diag_reg=[0.1, 1.0], units="relative")
        np.testing.assert_allclose(path.diag_reg, [0.1 * mean, mean])

    @pytest.mark.parametrize("scale", [1e-300, 1e300])
    def test_targets_of_any_size(self, scale):
        one, other = (
            nk.NystroemPath(NET, X, y, centres=20, diag_reg=[1e3, 1e-3, 1.0])
            for y in (Y, scale * Y)
        )
        np.testing.assert_allclose(other.errors / scale, one.errors, rtol=1e-9)
        assert other.best == one.best == 1

    def test_bad_paths(self):
        for wrong in (1.0, [], [0.0, 1.0], [np.nan]):
            with pytest.raises(ValueError, match="diag_reg has shape"):
                nk.NystroemPath(NET, X, Y, centres=10, diag_reg=wrong)


def test_one_pass_keeps_no_kernel_values(sketched, monkeypatch):
    kept = []
    release = Passes.release
    monkeypatch.setattr(Passes, "release", lambda own: kept.append(own.kept) or release(own))
    nk.NystroemRegression(NET, X, Y, centres=10, diag_reg=0.1)
    fit = nk.NystroemRegression(NET, X, Y, centres=20, diag_reg=0.1)
    assert kept == [0, 400 * 20 * 8]
    fit.variance(X_TEST)
    assert fit._problem.passes.kept == 0


class TestRefusals:
    @pytest.mark.parametrize("value", [np.nan, np.inf])
    def test_a_row_that_is_not_finite_is_named(self, value):
        for name in ("points", "targets"):
            x, y = X.copy(), Y.copy()
            (x if name == "points" else y)[317, 1] = value
            chunks = nk.data.Chunks([(x[:300], y[:300]), (x[300:], y[300:])])
            for data in ((x, y), (chunks, None)):
                with pytest.raises(ValueError, match=f"row 317 of the {name} has a NaN"):
                    nk.NystroemRegression(NET, *data, centres=10, diag_reg=0.1)

    def test_arguments(self):
        def fit(**changes):
            return nk.NystroemRegression(
                NET, **{"x": X, "y": Y, "centres": 10, "diag_reg": 0.1, **changes}
            )

        for changes, error, message in (
            ({"y": None}, TypeError, "y is None.*pass arrays x and y, or nk.data.Chunks"),
            ({"x": iter([X]), "y": None}, TypeError, "can be read once"),
            ({"x": nk.data.Chunks([(X, Y)])}, TypeError, "y was passed beside Chunks"),
            (
                {"x": nk.data.Chunks([(X, np.empty((400, 0)))]), "y": None},
                ValueError,
                "the chunks have no targets",
            ),
            ({"y": Y[:9]}, ValueError, r"x has shape \(400, 5\) and y has shape \(9, 2\)"),
            ({"centres": 0}, ValueError, "centres is 0"),
            ({"centres": True}, TypeError, "centres is True, of type bool; expected an integer"),
            ({"centres": 1.5}, ValueError, "a share of the trace below 1"),
            ({"centres": X[:3, :2]}, ValueError, r"centres have shape \(2,\) each"),
            ({"centres": 0.1, "sampling": "uniform"}, ValueError, "expected an integer"),
            ({"centres": X[:3] * np.nan}, ValueError, "centres has a NaN at index 0, 0"),
            ({"sampling": "random"}, ValueError, "sampling is 'random'"),
            ({"kernel": "rbf"}, ValueError, "kernel is 'rbf'"),
            ({"diag_reg": -1.0}, ValueError, "diag_reg is -1.0"),
            ({"tol": 2.0}, ValueError, "tol is 2.0"),
            ({"dtype": "int8"}, ValueError, "dtype is int8"),
            ({"sample_weight": np.ones(3)}, ValueError, "sample_weight has shape"),
            ({"sample_weight": -np.ones(400)}, ValueError, "sample_weight has to consist of"),
            ({"x": X[:0], "y": Y[:0]}, ValueError, "there are no points"),
            ({"x": X[:, 0]}, ValueError, r"x has shape|shape \(400,\)"),
        ):
            with pytest.raises(error, match=message):
                fit(**changes)

    def test_chunks_that_are_shuffled_anew(self):
        source = np.random.default_rng(0)

        def read():
            rows = source.permutation(len(X))
            yield X[rows], Y[rows]

        for kind, more in ((nk.NystroemRegression, 0.1), (nk.NystroemPath, [0.1])):
            with pytest.raises(ValueError, match="other points, or another order"):
                kind(NET, nk.data.Chunks(read), centres=10, diag_reg=more)

    def test_arguments_of_results(self):
        fit = nk.NystroemRegression(NET, X, Y, centres=10, diag_reg=0.1)
        for call in (fit.predict, fit.variance):
            with pytest.raises(ValueError, match=r"x has shape \(60, 4\); expected \(k, 5\)"):
                call(X_TEST[:, :4])
        with pytest.raises(ValueError, match="seed is -1"):
            fit.leave_one_out(seed=-1)
        path = nk.NystroemPath(NET, X, Y, centres=10, diag_reg=[0.1])
        with pytest.raises(TypeError, match=r"cannot be copied or pickled; pickle path.regression"):
            pickle.dumps(path)

    def test_too_few_passes_warn(self, sketched):
        with pytest.warns(RuntimeWarning, match="after 3 products, instead of 1e-12"):
            nk.NystroemRegression(NET, X, Y, centres=20, diag_reg=1e-3, tol=1e-12, most_products=2)


def test_a_stopped_fit_goes_on_to_the_same_bits(tmp_path, sketched):
    def fit(read=lambda: [(X, Y)], **more):
        return nk.NystroemRegression(
            NET, nk.data.Chunks(read), centres=20, diag_reg=1e-3, tol=1e-10, memory=0, **more
        )

    passes = []

    def counted():
        passes.append(1)
        return [(X, Y)]

    whole = fit(counted)
    for last in (8, len(passes)):  # in a step, and where the true residual is computed
        passes.clear()

        def fails(last=last):
            if len(passes) == last - 1:
                raise OSError("the disk is gone")
            return counted()

        path = tmp_path / "state.npz"
        with pytest.raises(OSError, match="the disk is gone"):
            fit(fails, checkpoint=path)
        assert path.exists()
        found = fit(checkpoint=path)
        np.testing.assert_array_equal(found.coefficients, whole.coefficients)
        assert found.report.products == whole.report.products
        assert not path.exists()


def test_copies_and_files_keep_what_predicts(tmp_path):
    fit = nk.NystroemRegression(NET, X, Y, centres=20, diag_reg=0.1)
    nk.save(tmp_path / "fit.npz", fit)
    for copy in (pickle.loads(pickle.dumps(fit)), nk.load(tmp_path / "fit.npz")):
        np.testing.assert_array_equal(copy.predict(X_TEST), fit.predict(X_TEST))
        assert repr(copy) == repr(fit)
        with pytest.raises(ValueError, match="leave-one-out predictions need the training points"):
            copy.leave_one_out()
    np.testing.assert_allclose(
        pickle.loads(pickle.dumps(fit)).variance(X_TEST), fit.variance(X_TEST)
    )


def test_errors_fall_with_the_number_of_centres():
    x = np.random.default_rng(0).uniform(-1, 1, (2000, 2))
    y = np.sin(4 * x[:, 0]) * x[:, 1]
    test = np.random.default_rng(1).uniform(-1, 1, (500, 2))
    errors = []
    for m in (10, 40, 160):
        fit = nk.NystroemRegression(NET, x, y, centres=m, diag_reg=1e-6)
        truth = np.sin(4 * test[:, 0]) * test[:, 1]
        errors.append(np.sqrt(np.mean((fit.predict(test) - truth) ** 2)))
    assert errors[0] > 1.5 * errors[1] > 2.25 * errors[2]
