"""Results in files: the same bits after a round trip, and rejected values and files."""

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ntkfast as nk
from contract import same_bits
from ntkfast._saved import CLASSES, ESTIMATORS

RNG = np.random.default_rng(11)
X, X_TEST = RNG.standard_normal((24, 3)), RNG.standard_normal((5, 3))
Y, Y2 = np.sin(X[:, 0]), np.stack([np.sin(X[:, 0]), np.cos(X[:, 1])], axis=1)
FINITE = nk.Serial(
    nk.Dense(trainable=False), nk.Relu(), nk.Dropout(keep=0.5), nk.Residual(nk.Dense(b_std=0.1))
)
NET = nk.Serial(nk.Dense(w_std=1.4, b_std=0.2), nk.Erf(), nk.Dense(w_std=1.4, b_std=0.2))
THETA, CROSS = NET.ntk(X), NET.ntk(X_TEST, X)
LABELS = np.array(["zwei", "eins", "drei"])[np.arange(24) % 3]
TABLE = [[name, *row] for name, row in zip(LABELS.tolist(), X.tolist(), strict=True)]
TIMES = [0.0, 0.7, 30.0, np.inf]


def refined() -> nk.KernelRegression:
    """Return a regression of which float32 was enough, so that its factor is still to come."""
    x = RNG.standard_normal((600, 8))
    return nk.KernelRegression(nk.mlp(1).ntk(x), x[:, 0], diag_reg=1.0)


def asked(prepared: nk.solvers.Prepared) -> tuple[Any, ...]:
    """Return what a prepared system can tell."""
    b = np.sin(np.arange(2.0 * prepared.n)).reshape(prepared.n, 2)
    told = (prepared.log_determinant, prepared.trace, prepared.condition_estimate, prepared.jitter)
    return (prepared.solve(b), prepared.inverse_diagonal, prepared.diagonal, *told)


# What is saved, and all that it is asked before and after.
CASES: dict[str, tuple[Callable[[], Any], Callable[[Any], Any]]] = {
    "network": (lambda: NET, lambda net: net.ntk(X)),
    "Kernels": (lambda: NET.kernels(X_TEST, X), tuple),
    "Spectrum": (lambda: nk.eigh(THETA), lambda s: (s.eigenvalues, s.eigenvectors, s.rank)),
    "Cholesky": (
        lambda: nk.cholesky(THETA + np.eye(24)),
        lambda c: (c.solve(Y2), c.log_determinant),
    ),
    "GradientFlow": (
        lambda: nk.GradientFlow(THETA, Y2, learning_rate=0.3, diag_reg=1e-3),
        lambda f: (f.predict(CROSS, t=TIMES), f.loss(t=TIMES), f.residual(t=TIMES)),
    ),
    "GradientFlow, float32": (
        lambda: nk.GradientFlow(THETA.astype(np.float32), Y.astype(np.float32), reduction="mean"),
        lambda f: (f.predict(CROSS.astype(np.float32), t=TIMES), f.loss(t=TIMES)),
    ),
    "GradientDescent": (
        lambda: nk.GradientDescent(THETA, Y, learning_rate=1e-3, momentum=0.9),
        lambda f: (f.predict(CROSS, t=[0, 10, np.inf]), f.loss(t=[3, 10**12])),
    ),
    "KernelRegression": (
        lambda: nk.KernelRegression(THETA, Y2, diag_reg=np.linspace(0.1, 1.0, 24)),
        lambda r: (r.predict(CROSS), r.predict_train(), r.leave_one_out(), r.condition_estimate),
    ),
    "NystroemRegression": (
        lambda: nk.NystroemRegression(NET, X, Y2, centres=5, diag_reg=0.1),
        lambda r: (r.predict(X_TEST), r.report.residuals),
    ),
    "KernelRegression, refined": (
        refined,
        lambda r: (r.coefficients, r.condition_estimate, r.leave_one_out()),
    ),
    "PreparedCholesky": (
        lambda: nk.KernelRegression(THETA, Y, diag_reg=0.1).prepared,
        asked,
    ),
    "PreparedRefined": (lambda: refined().prepared, asked),
    "PreparedEigen": (lambda: nk.GradientFlow(THETA, Y, diag_reg=0.1).prepared, asked),
    "LinearModel": (
        lambda: nk.LinearModel(X, Y2, diag_reg=0.1),
        lambda m: (
            m.predict(X_TEST, t=TIMES),
            m.loss(t=TIMES),
            m.distribution(X_TEST, t=1.0, covariance="full"),
        ),
    ),
    "LossFlow": (
        lambda: nk.LossFlow(THETA, np.sign(Y), loss="logistic", momentum=0.5, learning_rate=0.1),
        lambda f: f.integrate(CROSS, t=[0.5, 1.0]).test,
    ),
    "Trajectory": (
        lambda: nk.LossFlow(THETA, np.sign(Y), loss="logistic").integrate(t=[0.1, 0.2]),
        lambda t: (t.train, t.test, t.loss, t.completed, t.reason),
    ),
    "Ensemble": (
        lambda: nk.Ensemble(NET, X, Y, reduction="mean"),
        lambda e: [e.predict(X_TEST, t=t, covariance="full") for t in TIMES],
    ),
    "Ensemble from kernels": (
        lambda: nk.Ensemble.from_kernels(NET.nngp(X), nk.GradientFlow(THETA, Y)),
        lambda e: e.predict_kernels(
            NET.kernels(X_TEST, X), NET.nngp(X_TEST), t=2.0, covariance="full"
        ),
    ),
    "Posterior": (
        lambda: nk.Posterior(NET, X, Y2, noise_variance=0.1),
        lambda p: (
            p.predict(X_TEST, covariance="full"),
            p.log_marginal_likelihood(),
            p.leave_one_out(),
        ),
    ),
    "Posterior, scales": (
        lambda: nk.Posterior(NET, X, Y, feature_scales=[1.0, 0.5, 0.0], feature_center=0.1),
        lambda p: (p.predict(X_TEST, covariance="diagonal"), p.feature_scales, p.feature_center),
    ),
    "Normal": (
        lambda: nk.Posterior(NET, X, Y).predict(X_TEST, covariance="diagonal"),
        lambda n: (n, n.std, n.sample(3, seed=1), n.log_density(np.zeros(5))),
    ),
    "Normal, mean alone": (lambda: nk.Normal([1.0, 2.0], about="μ ± σ"), lambda n: n),
    "MonteCarloKernels": (
        lambda: nk.finite.monte_carlo_kernels(nk.mlp(1, width=8), X, n_samples=3, seed=0),
        lambda m: (m.ntk, m.ntk_error, m.n_samples),
    ),
    "WidthStudy": (
        lambda: nk.finite.width_study(nk.mlp(1), X[:3], widths=[4, 8], seeds=2),
        lambda s: (s.ntk.values, s.ntk.slope, s.nngp.widths, s.nngp.name),
    ),
    "FiniteNetwork": (
        lambda: nk.finite.init(FINITE, 3, 0, output_dim=2, width=5, zero_output=True),
        lambda net: (net.forward(X), net.ntk(X_TEST), net.parameters, net.output_shape),
    ),
    "FiniteNetwork, one output": (
        lambda: nk.finite.init(nk.Serial(nk.Dense(6), nk.Relu(), nk.Dense()), 3, 1),
        lambda net: (net.forward(X), net.parameters.flags.writeable),
    ),
    "FiniteTrajectory": (
        lambda: nk.finite.init(nk.mlp(1), 3, 0, width=9).train(
            X, Y, learning_rate=0.01, steps=5, x_test=X_TEST
        ),
        lambda t: (
            *(t.times, t.train, t.test, t.loss, t.kernel_drift, t.end.forward(X_TEST)),
            *t.group_distance.values(),
            *t.group_distance,
        ),
    ),
    "LinearizedNetwork": (
        lambda: nk.finite.init(nk.mlp(1), 3, 0, width=9).linearize(),
        lambda net: (net.forward(X, np.ones(net.parameters.size)), net.ntk(X_TEST)),
    ),
    "LinearizedTraining": (
        lambda: nk.finite.init(nk.mlp(1), 3, 0, width=9).linearize().train(X, Y),
        lambda training: (training.predict(X_TEST, t=2.0), training.parameters(t=np.inf)),
    ),
    "DriftStudy": (
        lambda: nk.finite.drift_study(
            nk.mlp(1), X[:3], Y[:3], X_TEST, widths=[4, 8], seeds=2, steps=2, learning_rate=0.01
        ),
        lambda s: (s.kernel.values, s.infinite.values, s.trajectories[1][0].train),
    ),
    "MeanField": (
        lambda: nk.theory.mean_field(nk.mlp(2, nk.Relu(), w_std=2.0)),
        lambda m: (m.variance, m.chi_1, m.variance_map(1.5)),
    ),
    "EdgeOfChaos": (
        lambda: nk.theory.edge_of_chaos(nk.Erf(), [0.0, 0.3]),
        lambda e: (e.b_std, e.w_std, e.variance, e.variance_slope),
    ),
    "NTKRegressor": (
        lambda: nk.sklearn.NTKRegressor(1, "erf", normalize_y=True).fit(X, Y2),
        lambda model: model.predict(X_TEST, return_std=True),
    ),
    "NTKRegressor, stopped": (
        lambda: nk.sklearn.NTKRegressor(network=NET, t=3.0, reduction="mean", normalize_y=True).fit(
            X.astype(np.float32), Y
        ),
        lambda model: (model.predict(X_TEST), model.training_.loss(t=TIMES), model.n_features_in_),
    ),
    "NTKRegressor, unfitted": (
        lambda: nk.sklearn.NTKRegressor(activation=nk.LeakyRelu(0.1), b_std=None),
        lambda model: sorted(model.get_params().items()),
    ),
    "NTKRegressorCV": (
        lambda: nk.sklearn.NTKRegressorCV([0, 2], relative_diag_regs=np.array([1e-3, 0.1])).fit(
            X, Y
        ),
        lambda model: (model.predict(X_TEST), *model.cv_results_.values(), model.best_depth_),
    ),
    "NTKClassifier": (
        lambda: nk.sklearn.NTKClassifier(w_std=1.5).fit(X, LABELS),
        lambda model: (model.predict(X_TEST), model.predict_proba(X_TEST), model.classes_),
    ),
    "NTKClassifier, labels as objects": (
        lambda: nk.sklearn.NTKClassifier(1).fit(X, LABELS.astype(object)),
        lambda model: (model.predict(X_TEST).tolist(), model.classes_.tolist()),
    ),
    "NTKClassifierCV": (
        lambda: nk.sklearn.NTKClassifierCV().fit(X, Y > 0),
        lambda model: (model.predict(X_TEST), model.score(X, Y > 0), model.best_score_),
    ),
    "NNGPRegressor": (
        lambda: nk.sklearn.NNGPRegressor(noise_variance="auto").fit(X, Y, np.arange(1.0, 25.0)),
        lambda model: (model.predict(X_TEST, return_std=True), model.log_marginal_likelihood()),
    ),
    "NNGPClassifier": (
        lambda: nk.sklearn.NNGPClassifier(noise_variance=1).fit(X, LABELS),
        lambda model: (model.predict(X_TEST), model.predict_proba(X_TEST)),
    ),
    "NystroemRegressor": (
        lambda: nk.sklearn.NystroemRegressor(centres=9, normalize_y=True).fit(X, Y2),
        lambda model: (model.predict(X_TEST), model.report_, model.unexplained_),
    ),
    "NystroemClassifier": (
        lambda: nk.sklearn.NystroemClassifier(1, centres=X[:9], loss="log").fit(X, LABELS),
        lambda model: (model.predict(X_TEST), model.predict_proba(X_TEST), model.loss_),
    ),
    "NystroemFeatures": (
        lambda: nk.sklearn.NystroemFeatures(centres=9, kernel="nngp").fit(X.astype("f")),
        lambda model: (model.transform(X_TEST.astype("f")), model.get_feature_names_out().tolist()),
    ),
    "RFMRegressor": (
        lambda: nk.sklearn.RFMRegressor(rounds=2, diagonal=False).fit(X, Y2),
        lambda model: (model.predict(X_TEST, return_std=True), model.metric_, model.best_round_),
    ),
    "RFMClassifier, categories": (
        lambda: nk.sklearn.RFMClassifier(1, categorical_features=[0]).fit(TABLE, LABELS),
        lambda model: (
            model.predict(TABLE),
            model.predict_proba(TABLE),
            model.categories_[0].tolist(),
        ),
    ),
    "NTKKernel": (
        lambda: nk.sklearn.NTKKernel(3, amplitude=0.5, b_std_bounds="fixed"),
        lambda kernel: (kernel(X), kernel.theta, kernel.bounds),
    ),
    "NNGPKernel": (lambda: nk.sklearn.NNGPKernel(network=NET), lambda kernel: kernel(X)),
}


def same(a: Any, b: Any) -> bool:
    """Tell whether two answers have the same bits."""
    if isinstance(a, nk.Normal):
        return same((a.mean, a.covariance, a.about), (b.mean, b.covariance, b.about))
    if isinstance(a, (tuple, list)):
        return len(a) == len(b) and all(same(x, y) for x, y in zip(a, b, strict=True))
    if isinstance(a, np.ndarray):
        return a.dtype == b.dtype and same_bits(a, b)
    return type(a) is type(b) and repr(a) == repr(b)


@pytest.mark.parametrize("name", CASES)
def test_what_comes_back_says_the_same_to_the_last_bit(name: str, tmp_path: Path) -> None:
    make, ask = CASES[name]
    first = make()
    nk.save(tmp_path / "result.npz", first)
    again = nk.load(str(tmp_path / "result.npz"))
    assert type(again) is type(first)
    assert repr(again) == repr(first)
    assert same(ask(again), ask(first))
    assert [path.name for path in tmp_path.iterdir()] == ["result.npz"]
    # A file of a result that was asked, and of one that was loaded, serves as well.
    nk.save(tmp_path / "result.npz", first)
    assert same(ask(nk.load(tmp_path / "result.npz")), ask(first))
    nk.save(tmp_path / "result.npz", again)
    assert same(ask(nk.load(tmp_path / "result.npz")), ask(first))


def test_every_class_that_can_be_saved_is_tried() -> None:
    tried = {name.partition(",")[0].partition(" ")[0] for name in CASES}
    parts = {"Modes", "SquaredSingularValues", "Scaling"}  # of LinearModel and WidthStudy
    parts |= {"CholeskySolver", "RefinedSolver", "EigenSolver"}  # of regressions and trainings
    parts |= {"ContinuousTime", "HeavyBall", "SolveReport"}  # of trainings and Nyström regression
    assert tried | parts == {*CLASSES, *ESTIMATORS, "network"}
    assert {*nk.sklearn.__all__} == ESTIMATORS


def test_what_searches_and_tables_leave_in_estimators(tmp_path: Path) -> None:
    """Grids set NumPy's numbers; columns with names leave these as objects."""
    model = nk.sklearn.NTKRegressor(np.int64(1), w_std=np.float32(1.5)).fit(X, Y)
    model.feature_names_in_ = np.array(["length", "Breite", "µ"], dtype=object)
    nk.save(tmp_path / "a.npz", model)
    again = nk.load(tmp_path / "a.npz")
    assert repr(again) == "NTKRegressor(depth=1, w_std=1.5)"
    assert again.feature_names_in_.dtype == object
    assert again.feature_names_in_.tolist() == ["length", "Breite", "µ"]
    with pytest.warns(UserWarning, match="X does not have valid feature names"):
        assert same_bits(
            again.predict(X_TEST), nk.sklearn.NTKRegressor(1, w_std=1.5).fit(X, Y).predict(X_TEST)
        )


def test_numpy_reads_the_arrays(tmp_path: Path) -> None:
    flow = nk.GradientFlow(THETA, Y)
    nk.save(tmp_path / "flow", flow)
    with np.load(tmp_path / "flow", allow_pickle=False) as arrays:
        assert same_bits(arrays["prepared.spectrum.eigenvalues"], flow.spectrum.eigenvalues)
        header = json.loads(arrays["header"].tobytes())
    assert (header["format"], header["format_version"]) == ("ntkfast", 2)
    assert header["version"] == nk.__version__


class Subclass(nk.sklearn.NTKRegressor):
    """An estimator that is not the package's own."""


def labelled(labels: list[object]) -> nk.sklearn.NTKClassifier:
    model = nk.sklearn.NTKClassifier()
    model.classes_ = np.array(labels, dtype=object)
    return model


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (object(), r"value is <object .*> of type object; expected"),
        (THETA.astype(object), "of type ndarray; expected a network or a result"),
        (
            nk.LossFlow(THETA, Y, loss=lambda f, y: (0.0, f)),
            r"loss is .* functions cannot be saved",
        ),
        (
            nk.Posterior(nk.mlp(1, nk.Elementwise(np.tanh)), X, Y),
            r"numpy\.tanh.* functions cannot be saved",
        ),
        (
            nk.sklearn.NTKRegressor(t=np.tanh),
            r"t is .* of type ufunc; functions cannot be saved",
        ),
        (
            nk.KernelRegression(THETA, Y, diag_reg=1.0, solver="cg"),
            r"products solved cannot be saved; save the coefficients",
        ),
        (
            nk.sklearn.NTKRegressor(relative_diag_reg=0.1, solver="cg").fit(X, Y),
            r"products solved cannot be saved; .*mean_only\(\), .* or use pickle",
        ),
        (Subclass(), "of type Subclass; expected a network or a result"),
        (
            labelled([None, True]),
            "classes_ is array.* of type ndarray; expected a network or a result",
        ),
        (nk.Normal([1.0]).sample, "of type method; functions cannot be saved"),
    ],
    ids=[
        *(
            "object",
            "objects",
            "loss",
            "activation",
            "parameter",
            "iterative",
            "estimator by cg",
        ),
        *("subclass", "labels", "method"),
    ],
)
def test_what_has_no_form_leaves_the_old_file_alone(
    value: Any, message: str, tmp_path: Path
) -> None:
    nk.save(tmp_path / "a.npz", NET)
    with pytest.raises(TypeError, match=message.replace("> of", ">, of")):
        nk.save(tmp_path / "a.npz", value)
    assert nk.load(tmp_path / "a.npz") == NET
    assert [path.name for path in tmp_path.iterdir()] == ["a.npz"]


def test_nothing_half_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nk.save(tmp_path / "a.npz", NET)

    def full(file: io.BufferedWriter, **_: object) -> None:
        file.write(b"PK half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez", full)
    with pytest.raises(OSError, match="No space left"):
        nk.save(tmp_path / "a.npz", nk.eigh(THETA))
    assert nk.load(tmp_path / "a.npz") == NET
    assert [path.name for path in tmp_path.iterdir()] == ["a.npz"]


def test_places_where_no_file_can_be_are_called_as_they_were_given(tmp_path: Path) -> None:
    for path, refusal in ((tmp_path / "none" / "a.npz", FileNotFoundError), (tmp_path, OSError)):
        with pytest.raises(refusal) as raised:
            nk.save(path, NET)
        assert raised.value.filename == str(path)
    assert not list(tmp_path.iterdir())
