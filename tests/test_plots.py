"""Plots show the numbers that they are given."""

import numpy as np
import pytest
from matplotlib import pyplot
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import ntkfast as nk


@pytest.fixture
def ax() -> Axes:
    return Figure().subplots()


@pytest.fixture
def flow(rng: np.random.Generator) -> nk.GradientFlow:
    features = rng.standard_normal((8, 12))
    return nk.GradientFlow(features @ features.T, rng.standard_normal(8))


def test_loss_is_drawn_on_logarithmic_axes(flow: nk.GradientFlow, ax: Axes) -> None:
    t = np.geomspace(1e-2, 1e2, 9)
    assert nk.plots.loss(flow, ax, t=t, label="wide") is ax
    (line,) = ax.lines
    assert np.array_equal(line.get_xdata(), t)
    assert np.array_equal(line.get_ydata(), flow.loss(t=t))
    assert (ax.get_xscale(), ax.get_yscale(), line.get_label()) == ("log", "log", "wide")
    assert ax.get_xlabel()
    assert ax.get_ylabel()


def test_accuracy_is_drawn_in_percent(ax: Axes) -> None:
    nk.plots.accuracy([1, 10], [0.5, 0.75], ax)
    (line,) = ax.lines
    assert np.array_equal(line.get_ydata(), [50, 75])
    assert "%" in ax.get_ylabel()


def test_eigenvalues_descend_and_leave_out_what_is_not_positive(ax: Axes) -> None:
    nk.plots.eigenvalues(nk.Spectrum(np.array([-1e-17, 2.0, 5.0]), np.eye(3)), ax, color="black")
    (line,) = ax.lines
    assert np.array_equal(line.get_xdata(), [1, 2])
    assert np.array_equal(line.get_ydata(), [5, 2])
    assert line.get_color() == "black"


def test_projections_are_shares_of_the_labels(ax: Axes) -> None:
    spectrum = nk.Spectrum(np.array([1.0, 2.0]), np.eye(2))
    nk.plots.projections(spectrum, [3.0, -1.0], ax, label="true")
    (line,) = ax.lines
    assert np.array_equal(line.get_xdata(), [1, 2])
    np.testing.assert_allclose(line.get_ydata(), [0.1, 0.9], rtol=1e-15)
    assert line.get_label() == "true"
    with pytest.raises(ValueError, match=r"y has shape \(2, 1\); expected \(2,\)"):
        nk.plots.projections(spectrum, [[3.0], [1.0]], ax)


def test_band_is_one_standard_deviation_around_the_mean(ax: Axes) -> None:
    normal = nk.Normal(np.array([1.0, 2.0]), np.array([4.0, 9.0]))
    nk.plots.band(normal, [0.0, 0.5], ax, color="black")
    (line,) = ax.lines
    assert np.array_equal(line.get_ydata(), [1, 2])
    (band,) = ax.collections
    corners = {tuple(corner) for corner in band.get_paths()[0].vertices}
    assert corners == {(0, -1), (0, 3), (0.5, -1), (0.5, 5)}
    with pytest.raises(ValueError, match=r"x has shape \(3,\) and the mean \(2,\)"):
        nk.plots.band(normal, [0.0, 0.5, 1.0], ax)
    with pytest.raises(ValueError, match="needs a covariance"):
        nk.plots.band(nk.Normal(np.zeros(2)), [0.0, 0.5], ax)


@pytest.mark.parametrize(("columns", "places"), [(None, 1), (2, 2)])
def test_images_stand_side_by_side_with_captions(
    ax: Axes, columns: int | None, places: int
) -> None:
    pixels = np.arange(3 * 4 * 2, dtype=float).reshape(3, 4, 2)
    nk.plots.images(pixels, ["a", "b", "c"], ax, columns=columns)
    assert [text.get_text() for text in ax.texts] == ["a", "b", "c"]
    assert all(np.array_equal(i.get_array(), p) for i, p in zip(ax.images, pixels, strict=True))
    extents = [image.get_extent() for image in ax.images]
    assert len({top for _, _, _, top in extents}) == places
    # Every image and caption lies within the axes.
    assert min(left for left, *_ in extents) >= ax.get_xlim()[0]
    assert max(right for _, right, *_ in extents) <= ax.get_xlim()[1]
    assert max(text.get_position()[1] for text in ax.texts) < max(ax.get_ylim())


def test_images_may_be_none_or_black(ax: Axes) -> None:
    nk.plots.images(np.zeros((0, 2, 2)), [], ax)
    nk.plots.images(np.zeros((1, 2, 2)), ["paper"], ax)
    assert len(ax.images) == 1


def test_images_refuse_what_is_no_image(ax: Axes) -> None:
    with pytest.raises(ValueError, match=r"pixels has shape \(2, 2\); expected \(k, height, width"):
        nk.plots.images(np.zeros((2, 2)), ["a", "b"], ax)
    with pytest.raises(ValueError, match="captions has 1 texts; expected 2"):
        nk.plots.images(np.zeros((2, 2, 2)), ["a"], ax)


def test_what_is_no_result_is_refused_by_name(ax: Axes) -> None:
    with pytest.raises(TypeError, match=r"training is of type list; expected .* nk"):
        nk.plots.loss([1.0], ax, t=[1.0])  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"normal is of type list; expected .* nk"):
        nk.plots.band([1.0], [1.0], ax)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="measured is of type Relu; expected a Scaling"):
        nk.plots.scaling(nk.Relu(), ax)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"shape \(2, 3\)"):
        nk.plots.eigenvalues(np.ones((2, 3)), ax)
    assert not ax.lines


def test_a_gram_matrix_is_as_good_as_its_spectrum(ax: Axes) -> None:
    theta, y = np.diag([1.0, 4.0]), [3.0, 4.0]
    nk.plots.eigenvalues(theta, ax)
    nk.plots.projections(theta, y, ax)
    values, shares = (line.get_ydata() for line in ax.lines)
    np.testing.assert_allclose(values, [4, 1], rtol=1e-15)
    np.testing.assert_allclose(shares, [0.64, 0.36], rtol=1e-15)


def test_without_axes_pyplot_has_some(flow: nk.GradientFlow) -> None:
    pyplot.switch_backend("agg")
    figure = pyplot.figure()
    try:
        assert nk.plots.eigenvalues(flow.spectrum) is figure.axes[0]
    finally:
        pyplot.close(figure)
