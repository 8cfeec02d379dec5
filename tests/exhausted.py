"""Calls of the public functions under shrinking limits of memory: results or MemoryError alone.

Run as a program: ``python tests/exhausted.py [NAMES]``. It makes each call once without a limit,
and again in a child process under one limit after another, and prints every other outcome.
"""

from __future__ import annotations

import os
import resource
import signal
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

import ntkfast as nk

LIMITS = 32
SECONDS = 30  # for all limits of one call

RNG = np.random.default_rng(0)
X, X_TEST = RNG.standard_normal((150, 5)), RNG.standard_normal((40, 5))
Y = RNG.standard_normal((150, 2))
LABELS = (Y[:, 0] > 0).astype(int)
IMAGES = RNG.standard_normal((8, 6, 6, 2))
NET = nk.mlp(2, nk.Relu(), w_std=1.4, b_std=0.1)
SMOOTH = nk.mlp(2, nk.Erf(), b_std=0.1)
CONV = nk.cntk(2)
NNGP, NTK = NET.kernels(X)
CROSS = NET.ntk(X_TEST, X)
FINITE = nk.finite.init(nk.mlp(1, nk.Tanh()), (5,), seed=0, output_dim=1, width=64)
FOLDER = tempfile.mkdtemp()

Call = Callable[[], object]


def kernels() -> Iterator[tuple[str, Call]]:
    """Yield kernels of infinitely wide networks."""
    yield "ntk", lambda: NET.ntk(X)
    yield "nngp", lambda: NET.nngp(X.astype(np.float32))
    yield "kernels", lambda: NET.kernels(X, X_TEST)
    yield (
        "derivative_kernel",
        lambda: nk.derivative_kernel(SMOOTH, X, left="laplacian", right="gradient"),
    )
    yield (
        "derivative_kernel of a function",
        lambda: nk.derivative_kernel(
            nk.mlp(1, nk.Tanh(), b_std=0.1), X, left="value", right="value"
        ),
    )
    yield (
        "derivative_gram",
        lambda: nk.derivative_gram(SMOOTH, [("value", X), ("gradient", X_TEST)]),
    )
    yield "ntk of many points", lambda: NET.ntk(np.tile(X, (10, 1)))
    yield "diagonal", lambda: NET.ntk(X, diagonal=True)
    yield "small", lambda: NET.ntk(X[:3])
    yield "with progress", lambda: NET.ntk(X, progress=lambda done, total: None)
    for activation in (nk.Tanh(), nk.Swish(), nk.Elementwise(np.cos), nk.Gelu(), nk.Hermite(3)):
        name = type(activation).__name__
        yield name, lambda activation=activation: nk.mlp(1, activation).kernels(X[:50])
    yield "images", lambda: CONV.ntk(IMAGES)
    yield "pairs of images", lambda: nk.cntk(1, pooling=False).kernels(IMAGES, IMAGES[:3])
    yield "fitted images", lambda: NET_OF_IMAGES.ntk(IMAGES[:3])
    yield "by depth", lambda: nk.ntk_by_depth(NET, X)
    yield "nngp by depth", lambda: nk.nngp_by_depth(NET, X)
    yield "by frozen", lambda: nk.ntk_by_frozen(NET, X)
    yield "summary", lambda: nk.mlp(3, nk.Tanh()).summary()
    yield "estimate", lambda: NET.estimate(X[:20])
    yield "product", lambda: nk.KernelOperator(NET, X) @ Y
    yield "estimate of products", lambda: nk.KernelOperator(NET, X).estimate(2)
    yield "pivoted Cholesky", lambda: nk.pivoted_cholesky(nk.KernelOperator(NET, X), 20)
    yield "conjugate gradients", lambda: nk.KernelRegression(NTK, Y, diag_reg=0.1, solver="cg")
    yield "deep", lambda: nk.mlp(60, nk.Relu()).ntk(X[:10])
    yield "polynomial", lambda: nk.classic.polynomial_kernel(X, degree=3)
    yield "squared exponential", lambda: nk.classic.squared_exponential_kernel(X)


NET_OF_IMAGES = nk.Serial(
    nk.Conv((3, 3)),
    nk.Tanh(),
    nk.AvgPool((2, 2)),
    nk.Conv((3, 3)),
    nk.Relu(),
    nk.Flatten(),
    nk.Dense(),
)


def linear_algebra() -> Iterator[tuple[str, Call]]:
    """Yield decompositions and solvers."""
    factor = nk.cholesky(NTK)
    for n in (10, 60, 150):
        yield f"eigh {n}", lambda n=n: nk.eigh(NTK[:n, :n])
        yield f"cholesky {n}", lambda n=n: nk.cholesky(NTK[:n, :n])
    yield "eigh 500", lambda: nk.eigh(np.tile(NTK[:125, :125], (4, 4)))
    yield "eigh float32", lambda: nk.eigh(NTK.astype(np.float32))
    yield "cholesky 500", lambda: nk.cholesky(np.eye(500))
    yield "solve", lambda: factor.solve(np.ones((150, 80)))
    for solver in (
        nk.solvers.CholeskySolver(),
        nk.solvers.EigenSolver(),
        nk.solvers.RefinedSolver(),
    ):
        yield type(solver).__name__, lambda solver=solver: solver.solve(NTK, 0.1, Y)


def training() -> Iterator[tuple[str, Call]]:
    """Yield training in closed form, and its uncertainty."""
    flow, descent = nk.GradientFlow(NTK, Y), nk.GradientDescent(NTK, Y, learning_rate=1e-4)
    times = np.arange(5.0)
    yield "GradientFlow", lambda: nk.GradientFlow(NTK, Y).predict(CROSS, t=times)
    yield "coefficients", lambda: flow.coefficients(t=times)
    yield "loss", lambda: flow.loss(t=times)
    yield (
        "GradientDescent",
        lambda: nk.GradientDescent(NTK, Y, learning_rate=1e-4).predict(CROSS, t=9),
    )
    yield (
        "momentum",
        lambda: nk.GradientDescent(NTK, Y, learning_rate=1e-4, momentum=0.9).loss(t=times),
    )
    yield "residual", lambda: descent.residual(t=times)
    yield "KernelRegression", lambda: nk.KernelRegression(NTK, Y).predict(CROSS)
    yield "leave one out", lambda: nk.KernelRegression(NTK, Y, diag_reg=0.1).leave_one_out()
    yield "refined", lambda: nk.KernelRegression(np.eye(300) + 1, np.ones(300), diag_reg=0.1)
    yield "Posterior", lambda: nk.Posterior(NET, X, Y).predict(X_TEST, covariance="full")
    yield "evidence", lambda: nk.Posterior(NET, X, Y).log_marginal_likelihood()
    yield "maximize", lambda: nk.Posterior.maximize(NET, X[:30], Y[:30])
    yield (
        "sample",
        lambda: nk.Posterior(NET, X, Y).predict(X_TEST, covariance="full").sample(3, seed=0),
    )
    yield "Ensemble", lambda: nk.Ensemble(NET, X, Y).predict(X_TEST, t=3.0, covariance="full")
    op = nk.KernelOperator(NET, X)
    yield "flow of an operator", lambda: nk.GradientFlow(op, Y).predict(CROSS, t=times)
    yield (
        "Ensemble by products",
        lambda: nk.Ensemble(NET, X, Y, solver="cg", diag_reg=0.1).predict(
            X_TEST, t=3.0, covariance="diagonal"
        ),
    )
    fit = nk.KernelRegression(NTK[:140, :140], Y[:140], diag_reg=0.1)
    yield "append", lambda: fit.append(NTK[140:, :140], NTK[140:, 140:], Y[140:])
    products = nk.KernelRegression(op, Y, diag_reg=0.1, solver="cg")
    yield (
        "Nyström",
        lambda: nk.NystroemRegression(NET, X, Y, centres=40, diag_reg=0.1).variance(X_TEST),
    )
    yield "path", lambda: nk.NystroemPath(NET, X, Y, centres=40, diag_reg=[0.1, 1.0]).regression()
    yield "append points", lambda: products.append_points(X_TEST, Y[:40])
    yield "Posterior.append", lambda: nk.Posterior(NET, X, Y).append(X_TEST, Y[:40])
    yield (
        "LossFlow",
        lambda: nk.LossFlow(NTK[:20, :20], nk.data.one_hot(LABELS[:20])).integrate(t=[0.1]),
    )
    yield "LinearModel", lambda: nk.LinearModel(X, Y).predict(X_TEST, t=2.0)
    yield "distribution", lambda: nk.LinearModel(X, Y).distribution(X_TEST, covariance="full")


def theory() -> Iterator[tuple[str, Call]]:
    """Yield theory."""
    yield "mean field", lambda: nk.theory.mean_field(nk.mlp(1, nk.Tanh(), w_std=1.5, b_std=0.1))
    yield "edge of chaos", lambda: nk.theory.edge_of_chaos(nk.Tanh(), 0.1)
    yield "condition number", lambda: nk.theory.condition_number(NTK)
    yield "max learning rate", lambda: nk.theory.max_learning_rate(NTK)
    yield "label loss", lambda: nk.theory.label_loss(NTK, Y, t=1.0)
    yield "label projections", lambda: nk.theory.label_projections(NTK, Y)
    yield "generalization measure", lambda: nk.theory.generalization_measure(NTK, Y)
    yield "loss bound", lambda: nk.theory.loss_bound(NTK, 1.0, t=[1.0])


def finite() -> Iterator[tuple[str, Call]]:
    """Yield networks of finite width."""
    yield "init", lambda: nk.finite.init(NET, (5,), seed=0, output_dim=1, width=128)
    yield "forward", lambda: FINITE.forward(X)
    yield "jacobian", lambda: FINITE.jacobian(X)
    yield "finite ntk", lambda: FINITE.ntk(X)
    yield "finite nngp", lambda: FINITE.nngp(X)
    yield "linearized", lambda: FINITE.linearize().ntk(X)
    yield (
        "linearized training",
        lambda: FINITE.linearize().train(X, Y[:, :1]).predict(X_TEST, t=1.0),
    )
    yield "train", lambda: FINITE.train(X, Y[:, :1], steps=5, learning_rate=1e-3)
    yield (
        "monte carlo",
        lambda: nk.finite.monte_carlo_kernels(NET, X, n_samples=2, seed=0, width=32),
    )
    yield "width study", lambda: nk.finite.width_study(NET, X[:9], widths=[8, 16], seeds=2)


def data_and_files() -> Iterator[tuple[str, Call]]:
    """Yield data sets, and results in files."""
    path, spectrum = Path(FOLDER) / "spectrum.npz", nk.eigh(NTK)
    nk.save(path, spectrum)
    yield "digits", nk.data.load_digits
    yield "one hot", lambda: nk.data.one_hot(LABELS)
    yield "unit norm", lambda: nk.data.unit_norm(X)
    np.save(Path(FOLDER) / "points.npy", X)
    np.savetxt(Path(FOLDER) / "points.csv", X, delimiter=",")
    for name in ("points.npy", "points.csv"):
        file = Path(FOLDER) / name
        yield f"chunks of {name}", lambda file=file: list(nk.data.read_chunks(file, rows=64))
    yield "save", lambda: nk.save(path, spectrum)
    yield "load", lambda: nk.load(path)


def estimators() -> Iterator[tuple[str, Call]]:
    """Yield estimators of scikit-learn."""
    from ntkfast import sklearn as sk

    for name in ("NTKRegressor", "NNGPRegressor", "NTKRegressorCV"):
        yield name, lambda name=name: getattr(sk, name)().fit(X, Y).predict(X_TEST)
    for name in ("NTKClassifier", "NNGPClassifier", "NTKClassifierCV"):
        yield name, lambda name=name: getattr(sk, name)().fit(X, LABELS).predict(X_TEST)
    for name in ("RFMRegressor", "RFMClassifier"):
        yield name, lambda name=name: getattr(sk, name)(rounds=1).fit(X, LABELS).predict(X_TEST)
    for name in ("NystroemRegressor", "NystroemClassifier"):
        yield name, lambda name=name: getattr(sk, name)(centres=20).fit(X, LABELS).predict(X_TEST)
    logistic = sk.NystroemClassifier(centres=20, loss="log", diag_reg=1.0)
    yield "NystroemClassifier, log", lambda: logistic.fit(X, LABELS).predict_proba(X_TEST)
    yield "NystroemFeatures", lambda: sk.NystroemFeatures(centres=20).fit(X).transform(X_TEST)
    yield "NTKKernel", lambda: sk.NTKKernel()(X, eval_gradient=True)


def calls() -> Iterator[tuple[str, Call]]:
    """Yield all calls by name."""
    for group in (kernels, linear_algebra, training, theory, finite, data_and_files, estimators):
        yield from group()


def limited(call: Call, pipe: int) -> None:
    """Make a call under shrinking limits and write what is neither a result nor MemoryError."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    base, hard = pages * resource.getpagesize(), resource.getrlimit(resource.RLIMIT_AS)[1]
    for step in range(LIMITS):
        # From 400 MB down to what the process already has. New pools for most limits: their threads
        # need memory, too.
        more = int(4e8 * 0.7**step) if step < LIMITS - 1 else 0
        nk.set_num_threads(1 + step % 3)
        resource.setrlimit(resource.RLIMIT_AS, (base + more, hard))
        outcome: BaseException | None = None
        try:
            call()
        except MemoryError:
            os.write(pipe, b"!")
        except BaseException as error:
            outcome = error
        else:
            os.write(pipe, b".")
        resource.setrlimit(resource.RLIMIT_AS, (hard, hard))
        if outcome is not None:
            cause = outcome.__cause__ or outcome.__context__
            text = f"under {more:,} bytes more: {type(outcome).__name__}: {outcome} ({cause!r})"
            os.write(pipe, text.encode())
            return


def outcome(call: Call) -> str:
    """Return a sign per limit (``.`` for a result, ``!`` for MemoryError), and what went wrong."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        signal.alarm(SECONDS)
        try:
            os.close(reading)
            limited(call, writing)
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        said = pipe.read()
    _, status = os.waitpid(child, 0)
    return said if status == 0 else f"{said} ended by signal {os.WTERMSIG(status)}"


def main(names: list[str]) -> int:
    """Run the calls with these names, or all, and count failures."""
    warnings.simplefilter("ignore")
    failures = 0
    chosen = [(name, call) for name, call in calls() if not names or name in names]
    for _, call in chosen:
        call()  # imports, and what libraries keep for later calls
    signs = ""
    for name, call in chosen:
        said = outcome(call)
        signs += said
        if len(said) != LIMITS or set(said) - set(".!"):
            failures += 1
            sys.stdout.write(f"{name}: {said}\n")
        elif names:
            sys.stdout.write(f"{name}: {said}\n")
    sys.stdout.write(
        f"{len(chosen)} calls, {signs.count('.')} results, {signs.count('!')} errors\n"
    )
    return failures


if __name__ == "__main__":
    sys.exit(min(main(sys.argv[1:]), 100))
