"""Notebook display: the facts of the text, in tables of well-formed HTML."""

import io
import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ntkfast as nk
from ntkfast._display import Displayed

X = np.random.default_rng(0).normal(size=(6, 2))
Y = X[:, 0]
NET = nk.Serial(nk.Dense(w_std=1.5, b_std=0.1), nk.Residual(nk.Erf(), nk.Dense()), nk.Dense())
FINITE = nk.finite.init(NET, 2, 0, width=8)
FLOW = nk.GradientFlow(NET.ntk(X), Y)

SHOWN = [
    nk.Relu(),
    nk.Dense(w_std=1.4),
    NET,
    nk.Elementwise(np.abs, derivative=np.sign, kinks=(0.0,)),
    NET.kernels(X),
    FLOW.spectrum,
    nk.eigh(np.empty((0, 0))),
    nk.cholesky(np.eye(3)),
    FLOW,
    nk.GradientFlow(NET.ntk(X[[0, 0, 1]]), Y[:3]),  # singular, which is worth a remark
    nk.GradientDescent(NET.ntk(X), Y, learning_rate=1e-3, momentum=0.5),
    nk.KernelRegression(NET.ntk(X), Y),
    nk.LinearModel(X, Y),
    nk.LossFlow(NET.ntk(X), Y, loss="mse", momentum=0.5),
    nk.LossFlow(NET.ntk(X), Y, loss="mse").integrate(NET.ntk(X[:2], X), t=[0.1, 1.0]),
    nk.LossFlow(NET.ntk(X), Y, loss="mse", max_steps=1).integrate(t=[0.1, 1.0]),
    nk.Ensemble(NET, X, Y),
    nk.Ensemble(NET, X, Y).predict(X, t=1.0, covariance="full"),
    nk.Posterior(NET, X, Y, noise_variance=0.1),
    nk.Posterior.from_kernels(NET.nngp(X), Y, noise_variance=0.1),
    nk.Normal(Y),
    nk.theory.mean_field(nk.Erf(), w_std=1.5),
    FINITE,
    FINITE.train(X, Y, t=[0.1]),
    FINITE.linearize(),
    FINITE.linearize().train(X, Y),
    nk.finite.monte_carlo_kernels(NET, X, n_samples=2, seed=0, width=8),
    nk.finite.width_study(nk.mlp(1), X, widths=(4, 8), seeds=2),
    nk.finite.drift_study(nk.mlp(1), X, Y, X, widths=(4, 8), seeds=1, t=[0.01]),
]


class Cells(HTMLParser):
    """Collects what the cells hold; tags have to be closed in the order in which they opened."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.cells: list[str] = []
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        assert tag in ("table", "tr", "th", "td")
        self.open.append(tag)
        if tag in ("th", "td"):
            self.cells.append("")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] in ("th", "td"):
            self.cells[-1] += data
        else:
            assert data.strip() == ""


def characters(text: str) -> str:
    """Return the text without what separates its facts."""
    return re.sub(r"[\s(),=:]", "", text)


@pytest.mark.parametrize("shown", SHOWN, ids=lambda shown: repr(shown)[:40])
def test_html_says_what_text_says(shown: Any) -> None:
    cells = Cells(shown._repr_html_()).cells
    assert cells[0] == type(shown).__name__
    assert characters("".join(cells)) == characters(str(shown))


def test_the_text() -> None:
    spectrum = nk.eigh(np.diag([1.0, 4.0]))
    text = "Spectrum(n=2, eigenvalues from 1 to 4, condition number 4, rank 2, float64)"
    assert repr(spectrum) == text
    assert repr(nk.GradientFlow(spectrum, [0.0, 1.0])) == (
        f"GradientFlow({text}, y of shape (2,), learning_rate=1, reduction='sum', ridge=0)"
    )
    assert repr(nk.Normal(np.zeros(2), np.ones(2), "prior")) == (
        "Normal(prior: 2 points, 1 output, variances, std from 1 to 1, float64)"
    )


def test_the_table() -> None:
    cells = Cells(nk.eigh(np.diag([1.0, 4.0]))._repr_html_()).cells
    facts = ["n", "2", "eigenvalues", "from 1 to 4", "condition number", "4", "rank", "2"]
    assert cells == ["Spectrum", *facts, "float64"]
    # Short layers stay in one cell; the longer branch is a table in a cell of its own.
    branch = nk.Residual(nk.Dense(w_std=1.25, b_std=0.25), nk.LeakyRelu(0.125), nk.Dense())
    assert Cells(nk.Serial(nk.Dense(), branch)._repr_html_()).cells == [
        *("Serial", "Dense()", ""),
        *("Residual", "Dense(w_std=1.25, b_std=0.25)", "LeakyRelu(alpha=0.125)", "Dense()"),
    ]


def test_remarks_are_shown_once() -> None:
    ensemble = nk.Ensemble(NET, X[[0, 0, 1]], Y[:3])
    ensemble.predict()  # at t = ∞, which needs the spectrum if the kernel is singular
    assert ensemble._repr_html_().count("singular to working precision") == 1


def test_everything_is_escaped() -> None:
    class Wicked(Displayed):
        def _facts(self) -> Any:
            return [("<script>=", "</table>&amp;"), ("", '"<img>"')]

        def _remarks(self) -> Any:
            yield "<b>"

    html = Wicked()._repr_html_()
    assert Cells(html).cells == ["Wicked", "<script>", "</table>&amp;", '"<img>"', "<b>"]
    assert set(re.findall(r"<(/?\w+)", html)) == {
        *("table", "/table", "tr", "/tr", "th", "/th", "td", "/td")
    }
    assert "&lt;float64 array" in NET.kernels(X)._repr_html_()


def test_the_summary_of_a_network_is_a_table_for_each_norm() -> None:
    summary = NET.summary([1.0, 2.0])
    html = summary._repr_html_()
    cells = Cells(html).cells
    assert html.count("<table>") == 2
    assert cells[:5] == ["norm 1", "variance", "chi", "NTK", "share of NTK"]
    assert characters("".join(cells)) == characters(str(summary))


NOTEBOOK = """
import sys, types

# A notebook as tqdm recognises it, without ipywidgets.
shell = types.SimpleNamespace(config={"IPKernelApp": {}})
sys.modules["IPython"] = types.ModuleType("IPython")
sys.modules["IPython"].get_ipython = lambda: shell
sys.modules["IPython"].version_info = (9,)
sys.modules["ipykernel.zmqshell"] = types.ModuleType("ipykernel.zmqshell")
sys.modules["ipywidgets"] = None
import ntkfast as nk
nk.mlp(1).ntk([[1.0]], progress=True)
"""


def test_a_notebook_without_widgets_has_the_bar_of_a_terminal() -> None:
    command = [sys.executable, "-W", "always", "-c", NOTEBOOK]  # errors tqdm would catch
    source = str(Path(nk.__file__).parents[1])
    environment = {**os.environ, "PYTHONPATH": source}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "NTK: 100%" in done.stderr
    assert "Warning" not in done.stderr


def test_a_bar_learns_its_total_as_those_of_notebooks_can(monkeypatch: pytest.MonkeyPatch) -> None:
    import tqdm.auto

    bars = []

    class Bar(tqdm.auto.tqdm):  # type: ignore[misc]
        """Shows a total only where it was told by `reset`, as the widget of a notebook does."""

        def __init__(self, **settings: Any) -> None:
            super().__init__(**settings, file=io.StringIO())
            self.shown, self.begun = [], self.start_t
            bars.append(self)

        def reset(self, total: float | None = None) -> None:
            self.shown.append(total)
            super().reset(total)

    monkeypatch.setattr(tqdm.auto, "tqdm", Bar)
    nk.mlp(1).ntk(np.ones((600, 3)), progress=True)
    (bar,) = bars
    assert bar.shown == [bar.total]
    assert bar.n == bar.total > 1
    assert bar.start_t == bar.begun
