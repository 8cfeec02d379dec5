"""The panels of a figure: new axes of a size that suits the fonts, or axes of the caller."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np

from ntkfast._optional import MissingExtraError

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

__all__ = ["FigSize", "GivenAxes", "Panels", "entry", "legend_beside", "legend_under", "panels"]

GivenAxes: TypeAlias = "Axes | Sequence[Axes] | Mapping[str, Axes] | None"

FigSize: TypeAlias = "tuple[float, float | None] | None"

_WIDTH, _FONT = 6.75, 8.0  # inches and points for which the figures are laid out
_NARROW = 0.75  # share of this width below which panels are stacked


@dataclass(frozen=True)
class Panels:
    """A figure and its axes, in reading order."""

    figure: Figure
    axes: list[Axes]
    new: bool
    share: float = 1.0  # the width, relative to the usual one

    def legend(self, entries: Sequence[Artist], columns: int) -> None:
        """Explain all panels: below them in a new figure, in the last of the caller's axes."""
        labels = [str(each.get_label()) for each in entries]
        if self.new:
            across = max(1, int(columns * min(1.0, self.share)))
            self.figure.legend(entries, labels, loc="outside lower center", ncols=across)
        else:
            self.axes[-1].legend(entries, labels)


def panels(
    n: int,
    axes: GivenAxes,
    figsize: FigSize,
    title: str | None,
    *,
    default: str,
    height: float,
    columns: int,
    layout: Literal["constrained", "compressed"] = "constrained",
    **shared: Any,
) -> Panels:
    """Return n panels, with a title.

    Parameters
    ----------
    n
        Number of panels.
    axes
        Axes of the caller, n of them; they keep their figure and its title.
    figsize
        Width and height of a new figure, in inches. Without a height, it follows from the width.
    title
        The title; empty for none.
    default
        The title of a new figure, unless `title` is given.
    height
        Height of a new figure that is 6.75 inches wide and has text of 8 points. With larger text
        the figure is larger in proportion.
    columns
        Panels side by side; fewer in a narrow figure.
    layout
        The engine of Matplotlib; "compressed" for square panels.
    **shared
        Keywords of ``Figure.subplots``.
    """
    try:
        from matplotlib import rcParams
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingExtraError("a figure", "Matplotlib", "plots") from error
    if axes is not None:
        given = _given(axes, n)
        if figsize is not None:
            raise TypeError("figsize and axes are both given; axes have the size of their figure")
        if title:
            given[0].figure.suptitle(title)
        return Panels(given[0].figure.figure, given, new=False)
    scale = rcParams["font.size"] / _FONT
    width, tall = (scale * _WIDTH, None) if figsize is None else figsize
    share = width / (scale * _WIDTH)
    across = max(1, round(columns * share)) if share < _NARROW else columns
    down, usual = -(-n // across), -(-n // columns)
    if tall is None:
        # In proportion to the width of a panel, but neither flat nor, if stacked, taller.
        wide = min(max(_NARROW, share * columns / across), max(1.0, share))
        tall = scale * height * down / usual * wide
    figure = Figure(figsize=(width, tall), layout=layout)
    if heading := default if title is None else title:
        figure.suptitle(heading, wrap=True)
    made = figure.subplots(down, across, squeeze=False, **shared).ravel().tolist()
    for ax in made[n:]:
        ax.remove()
    return Panels(figure, made[:n], new=True, share=share)


def _given(axes: Any, n: int) -> list[Axes]:
    """Return the caller's axes as a list of the right length."""
    from matplotlib.axes import Axes

    values = list(axes.values()) if isinstance(axes, Mapping) else axes
    flat: list[Any] = np.array(values, dtype=object).ravel().tolist()
    if not all(isinstance(each, Axes) for each in flat):
        raise TypeError(f"axes is {axes!r}; expected {n} Matplotlib Axes, or None for a new figure")
    if len(flat) != n:
        raise ValueError(
            f"axes has {len(flat)} Axes; expected {n}, one for each panel of this figure"
        )
    return flat


def entry(label: str, **style: Any) -> Line2D:
    """Return an entry of a legend."""
    from matplotlib.lines import Line2D

    return Line2D([], [], label=label, **style)


def legend_beside(ax: Axes, entries: Sequence[Artist] | None = None) -> None:
    """Explain the lines of one panel on its right, where it covers none of them."""
    named = {} if entries is None else {"handles": entries}
    ax.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), borderaxespad=0.3, **named)


def legend_under(ax: Axes, entries: Sequence[Artist]) -> None:
    """Explain the lines of one panel under the label of its x-axis."""
    from matplotlib import rcParams
    from matplotlib.transforms import ScaledTranslation

    # Ticks, their labels and the label of the axis take the height of three to four lines.
    down = ScaledTranslation(0, -4 * rcParams["font.size"] / 72, ax.figure.dpi_scale_trans)
    ax.legend(
        handles=entries,
        loc="upper center",
        bbox_to_anchor=(0.5, 0.0),
        bbox_transform=ax.transAxes + down,
        borderaxespad=0,
    )
