"""The notebooks in examples/notebooks: they run from top to bottom and contain no results.

Their code cells are plain Python. They are run one after another in one namespace, without Jupyter,
which would need thirty more packages.
"""

import json
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import pytest

FOLDER = Path(__file__).parents[1] / "examples" / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
BY_NAME = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def cells(path: Path, kind: str) -> list[dict[str, Any]]:
    notebook = json.loads(path.read_text(encoding="utf-8"))
    assert (notebook["nbformat"], notebook["nbformat_minor"]) == (4, 5)
    assert {cell["cell_type"] for cell in notebook["cells"]} == {"markdown", "code"}
    return [cell for cell in notebook["cells"] if cell["cell_type"] == kind]


def test_there_are_two() -> None:
    assert [path.stem for path in NOTEBOOKS] == ["own_data", "start"]


@BY_NAME
def test_notebooks_run(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(plt, "show", lambda: None)
    namespace: dict[str, Any] = {"__name__": "__main__"}
    with plt.rc_context({"backend": "agg"}):
        for number, cell in enumerate(cells(path, "code"), start=1):
            source = "".join(cell["source"])
            exec(compile(source, f"{path.name}, code cell {number}", "exec"), namespace)
            for figure in map(plt.figure, plt.get_fignums()):  # as Jupyter draws them
                figure.canvas.draw()
            plt.close("all")


@BY_NAME
def test_notebooks_are_stored_without_results(path: Path) -> None:
    for cell in cells(path, "code"):
        assert (cell["outputs"], cell["execution_count"]) == ([], None)


@BY_NAME
def test_notebooks_name_files_that_are_there(path: Path) -> None:
    words = " ".join("".join(cell["source"]) for cell in cells(path, "markdown")).split("`")[1::2]
    named = {word for word in words if word.endswith((".ipynb", ".md")) or word.startswith("docs/")}
    places = (FOLDER, FOLDER.parents[1])
    assert [name for name in named if not any((place / name).exists() for place in places)] == []
