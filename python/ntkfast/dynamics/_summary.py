"""What `print` shows of results: a line of facts, then what is worth a remark."""

from __future__ import annotations

from collections.abc import Iterator

__all__ = ["Summary"]


class Summary:
    """Prints its `repr`, and a line for each remark."""

    def __str__(self) -> str:
        return "\n  ".join((repr(self), *self._remarks()))

    def _remarks(self) -> Iterator[str]:
        """Yield what it took, what is out of the ordinary, and what can be done about that."""
        yield from ()
