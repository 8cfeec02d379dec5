"""How objects show themselves: as a line of facts, and in notebooks as a table of the same."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from html import escape
from typing import TypeAlias

__all__ = ["Displayed", "Fact", "table"]

Fact: TypeAlias = tuple[str, object]
"""A name and a value: ("n=", 3) is "n=3", ("rank", 3) is "rank 3", ("", "float64") is "float64"."""

# A part that takes more characters than this is a table within the table.
_ONE_LINE = 60


class Displayed(ABC):
    """Has a `repr` made of facts; `print` adds remarks to it, a line for each.

    Notebooks ask for `_repr_html_`, which says what `print` does.
    """

    @abstractmethod
    def _facts(self) -> Iterable[Fact]:
        """Return what the object is, most important first."""

    def _remarks(self) -> Iterator[str]:
        """Yield what it took, what is out of the ordinary, and what can be done about that."""
        yield from ()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(map(_text, self._facts()))})"

    def __str__(self) -> str:
        return "\n  ".join((repr(self), *self._remarks()))

    def _repr_html_(self) -> str:
        return self._table(*((remark,) for remark in self._remarks()))

    def _table(self, *more: Sequence[object]) -> str:
        facts = ((name.rstrip("=:"), value) if name else (value,) for name, value in self._facts())
        return table((type(self).__name__,), (*facts, *more))


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return a table of HTML, everything in it escaped; the last cell of a short row is wider."""
    body = list(rows)
    n_columns = max(map(len, (head, *body)))
    lines = [_row("th", head, n_columns), *(_row("td", row, n_columns) for row in body)]
    return f"<table>\n{chr(10).join(lines)}\n</table>"


def _row(tag: str, cells: Sequence[object], n_columns: int) -> str:
    written = []
    for i, cell in enumerate(cells, start=1):
        span = n_columns - i + 1 if i == len(cells) else 1
        wide = f' colspan="{span}"' if span > 1 else ""
        written.append(f'<{tag}{wide} style="text-align: left">{_html(cell)}</{tag}>')
    return f"<tr>{''.join(written)}</tr>"


def _html(value: object) -> str:
    if isinstance(value, Displayed):
        text = repr(value)
        return escape(text) if len(text) <= _ONE_LINE else value._table()
    return escape(str(value))


def _text(fact: Fact) -> str:
    name, value = fact
    gap = " " if name and not name.endswith("=") else ""
    return f"{name}{gap}{repr(value) if isinstance(value, Displayed) else value}"
