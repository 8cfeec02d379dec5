"""The scripts in examples/derivatives/: small runs do what the scripts say."""

import runpy
from pathlib import Path
from typing import Any

import numpy as np
import pytest

EXAMPLES = Path(__file__).parents[1] / "examples" / "derivatives"


def script(name: str) -> dict[str, Any]:
    return runpy.run_path(str(EXAMPLES / f"{name}.py"), run_name="example")


@pytest.mark.parametrize("network", ["mlp", "conv"])
def test_distillation(
    network: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Ten learned images are worth more than ten training images."""
    monkeypatch.chdir(tmp_path)
    size = ["--steps", "2", "--batch", "200" if network == "mlp" else "50"]
    found = script("distillation")["main"](["--network", network, *size])
    assert len(found) == 3
    assert found[-1] > found[0] + 0.1
    assert (tmp_path / "distillation.png").exists()
    assert f"accuracy {found[0]:.3f} of training images" in capsys.readouterr().out


def test_design() -> None:
    """The search finds what it is for, with gradients that are those of the bound."""
    names = script("design")
    found = names["main"](["--rounds", "8"])
    assert found[-1] > found[0] + 0.5
    rng = np.random.default_rng(0)
    x = rng.uniform(-1, 1, (20, 6))
    surrogate = names["Surrogate"](names["nk"].mlp(1, b_std=0.3), x, names["hartmann"](x))
    points, move = rng.uniform(-1, 1, (2, 3, 6))
    ends = [surrogate.bound(points + step * move)[0].sum() for step in (1e-6, -1e-6)]
    expected = (surrogate.bound(points)[1] * move).sum()
    assert (ends[0] - ends[1]) / 2e-6 == pytest.approx(expected, rel=1e-6)
    centre = 2 * np.array([[0.20169, 0.150011, 0.476874, 0.275332, 0.311652, 0.6573]]) - 1
    assert names["hartmann"](centre)[0] == pytest.approx(3.32237, abs=1e-4)


def test_the_error_of_poisson_s_equation_falls() -> None:
    names = script("poisson")
    at = np.random.default_rng(1).random((100, 2))
    errors = [abs(names["solve"](n, at) - names["exact"](at)).max() for n in (4, 8, 14)]
    np.testing.assert_array_less(errors, [0.2, 5e-3, 5e-5])


def test_the_example_of_poisson_s_equation_runs(capsys: pytest.CaptureFixture[str]) -> None:
    runpy.run_path(str(EXAMPLES / "poisson.py"), run_name="__main__")
    lines = capsys.readouterr().out.splitlines()
    assert [line[:7] for line in lines[1:]] == [f"{n:>2} × {n:<2}" for n in (4, 6, 8, 12, 16)]
