"""The columns of a file that are features, and those that are targets."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np

from ntkfast.data._table import Group, Table

__all__ = ["Column", "check_numbers", "feature_columns", "target_columns"]

Column: TypeAlias = int | str


def target_columns(target: Column | Sequence[Column] | None, table: Table) -> list[int]:
    """Return the indices of one column, of several, or of none."""
    if target is None:
        return []
    several: Any = [target] if np.ndim(target) == 0 else target
    return [_index(column, table, "target") for column in several]


def feature_columns(columns: Sequence[Column] | None, targets: list[int], table: Table) -> Group:
    """Return the columns with the features; None for arrays with more axes than columns."""
    if len(table.row) in (2, 3) and columns is None and not targets:
        return None
    if columns is None:
        features = [column for column in range(_width(table)) if column not in targets]
    elif np.ndim(columns) == 0:
        raise TypeError(f"columns is {columns!r}; expected a list of columns: [{columns!r}]")
    else:
        features = [_index(column, table, "columns") for column in columns]
    if not features:
        raise ValueError(
            f"{table.path} has {len(targets)} target columns among {_width(table)}, so there are "
            "no features; choose others with target= and columns="
        )
    both = sorted({*features} & {*targets})
    if both:
        raise ValueError(f"column {_column(both[0], table)} is both a target and a feature")
    check_numbers([*features, *targets], table)
    return features


def _width(table: Table) -> int:
    if len(table.row) != 1:
        shape = ", ".join(map(str, ("n", *table.row))) + ("" if table.row else ",")
        raise ValueError(
            f"{table.path} has shape ({shape}); expected (n, n_columns). For points in one file "
            "and targets in another use target_path="
        )
    return table.row[0]


def _index(column: Column, table: Table, name: str) -> int:
    """Return the index of a column, from 0."""
    width = _width(table)
    if isinstance(column, str):
        if not table.names:
            raise ValueError(
                f"{name} has {column!r}, but {table.path} has no column names; use indices from 0 "
                f"to {width - 1}"
            )
        if table.names.count(column) != 1:
            count = table.names.count(column)
            raise ValueError(
                f"{name} has {column!r}, and {table.path} has {count or 'no'} columns of that "
                f"name; it has {', '.join(map(repr, table.names[:20]))}"
            )
        return table.names.index(column)
    if isinstance(column, (bool, np.bool_)) or not hasattr(column, "__index__"):
        raise TypeError(
            f"{name} has {column!r}, of type {type(column).__name__}; expected the index or the "
            "name of a column"
        )
    index = operator.index(column)
    if not -width <= index < width:
        raise ValueError(
            f"{name} has {index}, but {table.path} has {width} columns; expected an index from "
            f"{-width} to {width - 1}"
        )
    return index % width


def _column(index: int, table: Table) -> str:
    return repr(table.names[index]) if table.names else str(index)


def check_numbers(columns: Sequence[int], table: Table) -> None:
    """Reject columns that hold no real numbers."""
    for column in columns:
        if table.types[column].kind == "O":
            raise ValueError(
                f"{table.path}: column {_column(column, table)} holds no real numbers; encode it "
                "as numbers, or leave it out, with columns="
            )
