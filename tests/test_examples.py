"""The scripts in examples/: there is one for each figure, they run, and the page shows them."""

import runpy
from pathlib import Path
from unittest.mock import create_autospec

import pytest
from matplotlib.figure import Figure

from ntkfast.plots.figures import FIGURES
from small_figures import RESULTS

EXAMPLES = Path(__file__).parents[1] / "examples"
NAMES = {module.__name__.rpartition(".")[2]: letter for letter, module in FIGURES.items()}


def test_every_figure_has_an_example_and_a_page() -> None:
    assert {path.stem for path in EXAMPLES.glob("*.py")} == NAMES.keys()
    docs = EXAMPLES.parent / "docs"
    page = (docs / "figures.md").read_text(encoding="utf-8")
    for name, letter in NAMES.items():
        image = f"images/{letter}-{name.replace('_', '-')}.png"
        assert f"]({image})" in page
        assert (docs / image).stat().st_size < 300_000  # at 150 dpi
        assert f"`{name}.compute(" in page


@pytest.mark.parametrize("name", NAMES)
def test_examples_run(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    letter = NAMES[name]
    # With few numbers, whatever it asks for, which has to be what the function takes.
    compute = create_autospec(FIGURES[letter].compute, return_value=RESULTS[letter]())
    monkeypatch.setattr(FIGURES[letter], "compute", compute)
    monkeypatch.setattr(Figure, "savefig", lambda _, path, dpi: Path(path).write_text(f"{dpi}"))
    monkeypatch.chdir(tmp_path)
    runpy.run_path(str(EXAMPLES / f"{name}.py"))
    compute.assert_called_once()
    assert [path.name for path in tmp_path.iterdir()] == [f"{name}.png"]
