"""The argument `progress` of everything that computes Gram matrices or factorises them."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import ntkfast as nk

RNG = np.random.default_rng(0)
X, X_TEST, Y = RNG.normal(size=(600, 3)), RNG.normal(size=(2000, 3)), RNG.normal(size=600)
NET = nk.mlp(1, nk.Erf(), b_std=0.3)
THETA = NET.ntk(X) + np.eye(600)

Reports = list[tuple[int, int]]
Call = Callable[[Any], object]

STEP = [(0, 1), (1, 1)]

FACTORISATIONS: dict[str, Call] = {
    "eigh": lambda progress: nk.eigh(THETA, progress=progress),
    "cholesky": lambda progress: nk.cholesky(THETA, progress=progress),
    "KernelRegression": lambda progress: nk.KernelRegression(THETA, Y, progress=progress),
    "GradientFlow": lambda progress: nk.GradientFlow(THETA, Y, progress=progress),
    "GradientDescent": lambda progress: nk.GradientDescent(
        THETA, Y, learning_rate=1e-4, progress=progress
    ),
}
MODELS: dict[str, Call] = {
    "Posterior": lambda progress: nk.Posterior(NET, X, Y, progress=progress),
}
POSTERIOR, ENSEMBLE = nk.Posterior(NET, X, Y), nk.Ensemble(NET, X, Y)
PREDICTIONS: dict[str, tuple[Call, Reports]] = {
    "Ensemble": (
        lambda progress: ENSEMBLE.predict(X_TEST, t=1.0, progress=progress),
        [(0, 2), (1, 2), (2, 2)],
    ),
    "Ensemble, trajectory": (
        lambda progress: ENSEMBLE.trajectory(
            X_TEST, t=[1.0, 2.0], covariance="diagonal", progress=progress
        ),
        [(0, 2), (1, 2), (2, 2)],
    ),
    "Ensemble, training points": (lambda progress: ENSEMBLE.predict(progress=progress), STEP),
    "Posterior": (
        lambda progress: POSTERIOR.predict(X_TEST, progress=progress),
        [(0, 2), (1, 2), (2, 2)],
    ),
    "Posterior, full": (
        lambda progress: POSTERIOR.predict(X_TEST[:9], covariance="full", progress=progress),
        STEP,
    ),
    "Posterior, training points": (lambda progress: POSTERIOR.predict(progress=progress), STEP),
}
ALL: dict[str, Call] = {
    **FACTORISATIONS,
    **MODELS,
    **{f"predict: {name}": call for name, (call, _) in PREDICTIONS.items()},
}


def reports_of(call: Call) -> Reports:
    reports: Reports = []
    call(lambda done, total: reports.append((done, total)))
    return reports


@pytest.mark.parametrize("name", FACTORISATIONS)
def test_factorisations_are_one_step(name: str) -> None:
    assert reports_of(FACTORISATIONS[name]) == STEP


@pytest.mark.parametrize("trained", ["all", "readout"])
def test_an_ensemble_reports_its_kernel(trained: Any) -> None:
    reports = reports_of(lambda bar: nk.Ensemble(NET, X, Y, trained=trained, progress=bar))
    done, total = reports[-1]
    assert done == total > 1


@pytest.mark.parametrize("name", MODELS)
def test_models_report_their_kernel_and_then_their_factorisation(name: str) -> None:
    *tiles, before, after = reports_of(MODELS[name])
    assert [before, after] == STEP
    assert tiles[-1] == (6, 6)  # of 256 points each
    assert tiles == sorted(tiles)


@pytest.mark.parametrize("name", PREDICTIONS)
def test_predictions_report_their_blocks(name: str) -> None:
    call, expected = PREDICTIONS[name]
    assert reports_of(call) == expected


@pytest.mark.parametrize("name", ALL)
def test_an_exception_stops_the_work(name: str) -> None:
    def refuse(done: int, total: int) -> None:
        raise KeyError(done, total)

    with pytest.raises(KeyError):
        ALL[name](refuse)


@pytest.mark.parametrize("name", ALL)
def test_there_is_a_bar(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("tqdm")
    ALL[name](True)
    assert "100%" in capsys.readouterr().err
    ALL[name](False)
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("name", ALL)
def test_other_values_are_refused(name: str) -> None:
    with pytest.raises(TypeError, match="progress is 3; expected True"):
        ALL[name](3)


def test_results_do_not_depend_on_it() -> None:
    def watch(done: int, total: int) -> None:
        pass

    quiet, watched = POSTERIOR.predict(X_TEST), POSTERIOR.predict(X_TEST, progress=watch)
    np.testing.assert_array_equal(quiet.mean, watched.mean)
    found = nk.Posterior(NET, X, Y, progress=watch).predict(X_TEST)
    np.testing.assert_allclose(quiet.mean, found.mean, rtol=1e-10)
