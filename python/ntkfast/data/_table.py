"""What the files of points have in common: rows of numbers, read in pieces."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ntkfast._arrays import FloatArray

__all__ = ["Group", "Pieces", "Table"]

Group: TypeAlias = Sequence[int] | None
"""Columns by their index; None for complete rows, in the shape that the file gives them."""

Pieces: TypeAlias = Iterator[tuple[FloatArray, ...]]
"""One array per group, all with the same rows."""


@dataclass(frozen=True)
class Table(ABC):
    """A file whose beginning has been read and checked.

    `row` is the shape of one row. `names` are those of the columns, if the file has any. `types`
    are the types of what comes out, one per column, object for no numbers; or a single one for rows
    of several axes.
    """

    path: Path
    row: tuple[int, ...]
    names: tuple[str, ...]
    types: tuple[np.dtype[Any], ...]

    @abstractmethod
    def pieces(self, groups: Sequence[Group], rows: int) -> Pieces:
        """Yield the groups of columns, at most `rows` rows at a time, in new arrays.

        Raises ValueError, with the file and the row, where there is no number.
        """

    def pick(self, block: NDArray[Any], group: Group) -> NDArray[Any]:
        """Return a copy of some columns of some rows."""
        if group is None:
            return np.array(block, order="C")
        return np.asarray(np.take(block, group, axis=1))
