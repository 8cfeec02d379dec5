"""Programs in the style of public ones, each with a number that tells whether it works."""

import runpy
import sys
from pathlib import Path
from typing import Any

import pytest

EXAMPLES = Path(__file__).parents[1] / "examples" / "neural_tangents"

# The least and the largest result.
PLAIN = {
    "bandit": (0.0, 0.5),
    "classification": (0.9, 1.0),
    "composition": (0.0, 1e-14),
    "elementwise_numerical": (0.0, 1e-9),
    "learning_rate": (1e3, float("inf")),
    "losses_over_time": (0.0, 1e-3),
    "myrtle": (0.6, 1.0),
    "phase_diagram": (0.1, 1.0),
    "posterior": (0.7, 1.0),
    "regression": (0.0, 0.1),
    "residual": (1e8, 1e11),
    "uncertainty": (0.0, 0.5),
    "wide_resnet": (0.0, 1.0),
}
IN_JAX = {
    "active_learning": (1.0, 100.0),
    "distillation": (0.1, 1.0),
    "empirical_kernel": (0.0, 0.2),
    "linearized_training": (0.0, 0.3),
    "marginal_likelihood": (5.0, 1000.0),
    "momentum": (0.6, 1.0),
    "monte_carlo": (0.0, 0.15),
}


def run(name: str) -> float:
    main: Any = runpy.run_path(str(EXAMPLES / f"{name}.py"), run_name="example")["main"]
    return float(main())


def test_all_programs_are_here() -> None:
    assert {path.stem for path in EXAMPLES.glob("*.py")} == {*PLAIN, *IN_JAX}
    assert len({*PLAIN, *IN_JAX}) == 20


@pytest.mark.parametrize("name", PLAIN)
def test_programs_without_jax(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in [each for each in sys.modules if each.split(".")[0] in ("jax", "jaxlib")]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, "jax", None)
    least, largest = PLAIN[name]
    assert least <= run(name) <= largest


@pytest.mark.parametrize("name", IN_JAX)
def test_programs_in_jax(name: str) -> None:
    jax = pytest.importorskip("jax")
    before = jax.config.jax_enable_x64
    jax.config.update("jax_enable_x64", True)
    try:
        least, largest = IN_JAX[name]
        assert least <= run(name) <= largest
    finally:
        jax.config.update("jax_enable_x64", before)
