"""The demo, from images to test accuracy."""

from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure

from ntkfast.cli import _digits, _figure, main

# What an independent NumPy program gives, to the digits it printed.
ACCURACY = {0.1: 0.945, 1: 0.989, 10: 0.991, 100: 0.991, np.inf: 0.991}
LOSS = {0.1: (97.92, 0.005), 1: (21.14, 0.005), 10: (0.147, 0.0005)}


@pytest.fixture(scope="module")
def digits() -> _digits.Digits:
    return _digits.run()


@pytest.fixture(scope="module")
def figure(digits: _digits.Digits) -> Figure:
    return _figure.draw(digits)


def test_accuracies_are_those_of_an_independent_program(digits: _digits.Digits) -> None:
    found = dict(zip(digits.t, digits.accuracy, strict=True))
    assert {t: round(found[t], 3) for t in ACCURACY} == ACCURACY


def test_losses_are_those_of_an_independent_program(digits: _digits.Digits) -> None:
    found = dict(zip(digits.t, digits.loss, strict=True))
    for t, (loss, half_a_digit) in LOSS.items():
        assert found[t] == pytest.approx(loss, abs=half_a_digit)
    assert found[np.inf] == 0


def test_the_digits_are_split_in_halves(digits: _digits.Digits) -> None:
    assert digits.x_test.shape == (899, 64)
    assert digits.k_test_train.shape == (899, 898)
    assert digits.spectrum.eigenvectors.shape == (898, 898)
    # Stratified: each digit is there as often as in the whole.
    assert np.bincount(digits.y_test).min() >= 87


def test_the_spectrum_is_that_of_a_positive_matrix(digits: _digits.Digits) -> None:
    assert digits.spectrum.rank == 898
    # By textbook formulae and LAPACK instead of the package.
    values = np.linalg.eigvalsh(textbook_ntk(_digits._load()[0]))
    assert digits.spectrum.condition_number == pytest.approx(values[-1] / values[0], rel=1e-8)


def textbook_ntk(x):
    """σ_w² = 2, σ_b² = 0.01, three hidden ReLU layers: arc-cosine kernels (Cho, Saul 2009)."""
    ntk = nngp = 2 * x @ x.T / x.shape[1] + 0.01
    for _ in range(3):
        norms = np.sqrt(np.multiply.outer(np.diag(nngp), np.diag(nngp)))
        angle = np.arccos(np.clip(nngp / norms, -1, 1))
        np.fill_diagonal(angle, 0)
        even = (np.pi - angle) / np.pi
        nngp = norms * (np.sin(angle) / np.pi + even * np.cos(angle)) + 0.01
        ntk = nngp + even * ntk
    return ntk


def test_every_step_is_reported_as_it_is_done() -> None:
    seen: list[_digits.Stage] = []
    begun: list[str] = []

    def done(stage: _digits.Stage) -> None:
        seen.append(stage)
        assert [stage.name for stage in seen] == begun

    digits = _digits.run(done, on_start=begun.append)
    assert tuple(seen) == digits.stages
    assert len({stage.name for stage in seen}) == len(seen) == 5
    assert all(stage.seconds > 0 for stage in seen)


def test_progress_reaches_the_kernels() -> None:
    calls: list[tuple[int, int]] = []
    _digits.run(progress=lambda done, total: calls.append((done, total)))
    assert sum(done == total for done, total in calls) == 2


def test_the_figure_shows_the_numbers(digits: _digits.Digits, figure: Figure) -> None:
    loss, accuracy, spectrum, images = figure.axes
    t = loss.lines[0].get_xdata()
    np.testing.assert_allclose(loss.lines[0].get_ydata(), digits.flow.loss(t=t))
    assert accuracy.lines[0].get_ydata()[-1] == pytest.approx(100 * digits.accuracy[-1])
    assert np.array_equal(spectrum.lines[0].get_ydata(), digits.spectrum.eigenvalues[::-1])
    assert round((1 - digits.accuracy[-1]) * 899) == 8
    assert "8 of 899 are misclassified" in images.get_title()
    assert sum("read as" in text.get_text() for text in images.texts) == 8


@pytest.mark.parametrize(("name", "start"), [("a.png", b"\x89PNG"), ("b.PDF", b"%PDF")])
def test_the_command_prints_and_draws(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, start: bytes
) -> None:
    assert main(["demo", "--output", str(tmp_path / name)]) == 0
    assert (tmp_path / name).read_bytes().startswith(start)
    printed, errors = capsys.readouterr()
    assert "Serial(Dense(w_std=1.414" in printed
    assert "condition number 1.126e+04" in printed
    assert "0.1            97.92           94.5%" in printed
    assert "inf                0           99.1%" in printed
    assert printed.endswith(f"figure: {tmp_path / name}\n")
    assert errors == ""
