"""Figures at the size of print: nothing covered, nothing cut, and the style of the caller."""

import itertools
from functools import cache
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import pytest
from cycler import cycler
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.transforms import Bbox

import ntkfast as nk
from ntkfast.plots.figures import FIGURES
from small_figures import RESULTS

LETTERS = [*RESULTS]
COUNTS = dict(zip(LETTERS, (4, 4, 6, 3, 6, 3, 6, 4, 4, 2, 3, 2), strict=True))


@cache
def result(letter: str) -> Any:
    return RESULTS[letter]()


def paper(letter: str, **how: Any) -> Figure:
    """Return a figure with 8-point text."""
    with matplotlib.rc_context(nk.plots.PAPER):
        figure = FIGURES[letter].draw(result(letter), **how)
        assert isinstance(figure, Figure)
    return figure


def legends(figure: Figure) -> list[Any]:
    return [*figure.legends, *(each for ax in figure.axes if (each := ax.get_legend()))]


def texts(figure: Figure) -> list[Text]:
    """Return every text that is shown; ticks outside the limits are not."""
    hidden = {
        text
        for ax in figure.axes
        for axis in (ax.xaxis, ax.yaxis)
        for tick in (*axis.get_major_ticks(), *axis.get_minor_ticks())
        if not within(tick.get_loc(), axis.get_view_interval()) or not axis.get_visible()
        for text in (tick.label1, tick.label2)
    }
    return [
        text
        for text in figure.findobj(Text)
        if text.get_visible() and text.get_text() and text not in hidden and text.figure is not None
    ]


def within(value: float, limits: tuple[float, float]) -> bool:
    low, high = sorted(limits)
    return low - 1e-9 * abs(low) <= value <= high + 1e-9 * abs(high)


@pytest.mark.parametrize("letter", LETTERS)
def test_figures_at_the_size_of_print(letter: str) -> None:
    figure = paper(letter)
    with matplotlib.rc_context(nk.plots.PAPER):
        figure.draw_without_rendering()
    assert figure.get_figwidth() == 6.75
    legends_cover_no_panel(figure)
    no_text_is_cut(figure)
    no_text_covers_another_one(figure)
    no_curve_is_cut(figure)
    assert min(text.get_fontsize() for text in texts(figure)) >= 8


@pytest.mark.parametrize("letter", LETTERS)
def test_a_narrow_figure_is_complete(letter: str) -> None:
    figure = paper(letter, figsize=(3.3, None))
    with matplotlib.rc_context(nk.plots.PAPER):
        figure.draw_without_rendering()  # warns if a panel has no space
    assert figure.get_figwidth() == 3.3
    no_text_is_cut(figure)
    no_text_covers_another_one(figure)


def legends_cover_no_panel(figure: Figure) -> None:
    assert legends(figure)
    for legend in legends(figure):
        box = legend.get_window_extent()
        for ax in figure.axes:
            assert not Bbox.intersection(box, ax.get_window_extent().padded(-1)), ax.get_title()


def no_text_is_cut(figure: Figure) -> None:
    page = figure.bbox.padded(0.5)
    assert texts(figure)
    for text in texts(figure):
        box = text.get_window_extent()
        assert page.x0 <= box.x0 < box.x1 <= page.x1, text.get_text()
        assert page.y0 <= box.y0 < box.y1 <= page.y1, text.get_text()


def no_text_covers_another_one(figure: Figure) -> None:
    boxes = [(text.get_text(), text.get_window_extent()) for text in texts(figure)]
    for (name, box), (other, second) in itertools.combinations(boxes, 2):
        common = Bbox.intersection(box, second)
        # Boxes are larger than letters: a pixel does not count.
        assert common is None or min(common.width, common.height) < 2, (name, other)


def no_curve_is_cut(figure: Figure) -> None:
    for ax in figure.axes:
        for line in ax.lines:
            if line.get_transform() != ax.transData or line.get_path_effects():
                continue  # lines across the axes, and 6 ξ_c, which leaves the map
            x, y = line.get_xydata().T
            finite = np.isfinite(y) & ((y > 0) | (ax.get_yscale() == "linear"))
            assert all(within(value, ax.get_ylim()) for value in y[finite]), ax.get_title()
            assert all(within(value, ax.get_xlim()) for value in x[finite]), ax.get_title()


@pytest.mark.parametrize("letter", ["j", "l"])
def test_curves_differ_without_colours(letter: str) -> None:
    for legend in legends(paper(letter)):
        kinds = {(line.get_linestyle(), line.get_marker()) for line in legend.get_lines()}
        assert len(kinds) == len(legend.get_lines()) == 3
        assert len({line for line, _ in kinds}) == len({marker for _, marker in kinds}) == 3
    for ax in paper(letter).axes:
        shown = {line.get_marker() for line in ax.lines} - {"None"}
        assert len(shown) == 3


def test_targets_are_visible() -> None:
    for ax in paper("g").axes:
        (dots,) = (line for line in ax.lines if line.get_marker() == "o")
        assert dots.get_zorder() > max(each.get_zorder() for each in ax.collections)
        assert np.array_equal(dots.get_ydata(), result("g").y)
    # Late panels are not on the scale of the prior, on which the targets are a line.
    early, late = paper("g").axes[0], paper("g").axes[-1]
    assert np.ptp(late.get_ylim()) < 0.6 * np.ptp(early.get_ylim())


def test_legends_explain_the_band_and_the_reach() -> None:
    words = {
        letter: [text.get_text() for legend in legends(paper(letter)) for text in legend.texts]
        for letter in "gik"
    }
    assert "± 1 std" in words["g"]
    assert "NNGP: ± 1 std" in words["i"]
    assert r"$6\,\xi_c$: depth that signals reach" in words["k"]


def test_error_bars_are_intervals_of_the_error() -> None:
    low, high = 100 * (1 - result("l").interval[::-1])
    for j, ax in enumerate(paper("l").axes):
        for i, bars in enumerate(ax.collections):
            ends = np.array([bar[:, 1] for bar in bars.get_segments()])
            np.testing.assert_allclose(ends, np.stack([low[i, j], high[i, j]], axis=1), rtol=1e-9)


OWN = {
    "font.size": 13.0,
    "font.family": ["serif"],
    "axes.titlesize": 13.0,
    "axes.labelsize": 13.0,
    "xtick.labelsize": 13.0,
    "ytick.labelsize": 13.0,
    "legend.fontsize": 13.0,
    "figure.titlesize": 13.0,
    "lines.linewidth": 3.0,
    "axes.prop_cycle": cycler(color=["#123456", "#654321", "#336699"]),
    "axes.edgecolor": "#112233",
    "image.cmap": "magma",
    "axes.grid": False,
}


@pytest.mark.parametrize("letter", LETTERS)
def test_a_figure_has_the_style_of_the_caller(letter: str) -> None:
    with matplotlib.rc_context(OWN):
        figure = FIGURES[letter].draw(result(letter))
    assert {text.get_fontsize() for text in texts(figure)} == {13.0}
    assert {tuple(text.get_fontfamily()) for text in texts(figure)} == {("serif",)}
    assert figure.get_figwidth() == 6.75 * 13 / 8  # the same layout with larger text
    lines = [line for ax in figure.axes for line in ax.lines]
    assert {line.get_linewidth() for line in lines} <= {3.0, 0.65 * 3.0}
    shades = matplotlib.colormaps["magma"](np.linspace(0, 1, 1001))
    for line in lines:
        colour = line.get_color()
        if isinstance(colour, str):
            assert colour in ("#123456", "#654321", "#336699", "#112233", "white")
        else:
            assert np.abs(shades - colour).max(axis=1).min() < 0.02
    grids = [line for ax in figure.axes for line in ax.get_xgridlines()]
    assert not any(line.get_visible() for line in grids)


@pytest.mark.parametrize("letter", LETTERS)
def test_a_figure_on_own_axes(letter: str) -> None:
    own, draw = Figure(figsize=(12, 9)), FIGURES[letter].draw
    own.suptitle("mine")
    axes = own.subplots(1, COUNTS[letter], squeeze=False)
    assert draw(result(letter), axes) is own
    assert own.get_suptitle() == "mine"
    assert not own.legends
    assert all(ax.lines or ax.collections for ax in axes.flat)
    assert draw(result(letter), list(own.subplots(1, COUNTS[letter])), title="new") is own
    assert own.get_suptitle() == "new"


def test_axes_by_name_and_of_a_part_of_a_figure() -> None:
    whole = Figure(figsize=(8, 4))
    left, right = whole.subfigures(1, 2)
    axes = left.subplot_mosaic([["ntk"], ["nngp"]])
    assert FIGURES["j"].draw(result("j"), axes, title="left") is whole
    assert left.get_suptitle() == "left"
    assert not right.axes


@pytest.mark.parametrize("letter", LETTERS)
def test_size_and_title(letter: str) -> None:
    draw = FIGURES[letter].draw
    figure = draw(result(letter), figsize=(9.0, 8.0), title="Mine")
    assert figure.get_size_inches().tolist() == [9.0, 8.0]
    assert figure.get_suptitle() == "Mine"
    assert draw(result(letter), title="").get_suptitle() == ""


def test_wrong_axes_are_refused() -> None:
    ax: Axes = Figure().subplots()
    draw = FIGURES["j"].draw
    with pytest.raises(ValueError, match="axes has 1 Axes; expected 2, one for each panel"):
        draw(result("j"), ax)
    with pytest.raises(TypeError, match="expected 2 Matplotlib Axes"):
        draw(result("j"), ["left", "right"])
    with pytest.raises(TypeError, match="figsize and axes are both given"):
        draw(result("j"), Figure().subplots(1, 2), figsize=(3, 2))


def test_docs_have_pictures_for_print() -> None:
    image = pytest.importorskip("PIL.Image")
    folder = Path(__file__).parents[1] / "docs" / "images"
    for path in folder.glob("*.png"):
        with image.open(path) as picture:
            assert picture.info["dpi"][0] > 149.9, path.name
            assert picture.width >= 6.7 * 150, path.name
