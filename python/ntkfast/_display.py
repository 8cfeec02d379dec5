"""The display of objects: a line of facts, and in notebooks a table of the same facts."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from html import escape
from typing import TypeAlias

__all__ = ["Displayed", "Fact", "table"]

Fact: TypeAlias = tuple[str, object]
"""A name and a value: ("n=", 3) is "n=3", ("rank", 3) is "rank 3", ("", "float64") is "float64"."""

# A part with more characters than this becomes a table within the table.
_ONE_LINE = 60


class Displayed(ABC):
    """Mixin with a `repr` made of facts; `print` adds remarks, one per line.

    Notebooks call `_repr_html_`, which shows the same as `print`.
    """

    @abstractmethod
    def _facts(self) -> Iterable[Fact]:
        """Return the properties of the object, most important first."""

    def _remarks(self) -> Iterator[str]:
        """Yield remarks on cost, unusual properties, and remedies."""
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
    """Return an HTML table, all content escaped; the last cell of a short row spans the rest."""
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
