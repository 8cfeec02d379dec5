"""Measured tables inside pages of the documentation."""

from __future__ import annotations

from collections.abc import Iterable


def fill(page: str, measured: str, name: str = "measured") -> str:
    """Put Markdown between the marks of this name of a page, in the place of what was there."""
    begin, end = f"<!-- {name}: begin -->\n", f"<!-- {name}: end -->"
    before, found, rest = page.partition(begin)
    if not found:
        raise SystemExit(f"the page has no mark {begin.strip()}")
    return f"{before}{begin}\n{measured.strip()}\n\n{end}{rest.partition(end)[2]}"


def line(cells: Iterable[str]) -> str:
    """Return a line of a Markdown table."""
    return f"| {' | '.join(cells)} |"
