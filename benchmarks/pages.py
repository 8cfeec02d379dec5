"""Measured tables inside pages of the documentation."""

from __future__ import annotations

from collections.abc import Iterable

BEGIN, END = "<!-- measured: begin -->\n", "<!-- measured: end -->"


def fill(page: str, measured: str) -> str:
    """Put Markdown between the marks of a page, in the place of what was there."""
    before, _, rest = page.partition(BEGIN)
    return f"{before}{BEGIN}\n{measured.strip()}\n\n{END}{rest.partition(END)[2]}"


def line(cells: Iterable[str]) -> str:
    """Return a line of a Markdown table."""
    return f"| {' | '.join(cells)} |"
