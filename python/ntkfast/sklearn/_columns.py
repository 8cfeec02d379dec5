"""Columns of tables as numbers: categories as codes, and codes as one-hot blocks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt
from sklearn.preprocessing import OrdinalEncoder
from sklearn.utils import check_array

from ntkfast._arrays import FloatArray

__all__ = [
    "ADVICE",
    "CategoricalFeatures",
    "blocks_of",
    "categorical",
    "coded",
    "found",
    "one_hot_blocks",
    "seen",
]

CategoricalFeatures: TypeAlias = npt.ArrayLike | Literal["from_dtype"] | None
Mask: TypeAlias = npt.NDArray[np.bool_]

ADVICE = "name columns of categories in categorical_features, or give them a categorical type"

# Types of columns with categories, in pandas and Polars.
_TYPES = ("category", "categorical", "enum")
# The code of values that are missing, or that no training sample has.
_UNSEEN = -1


def categorical(given: CategoricalFeatures, X: Any) -> Mask | None:
    """Return which columns of X are categories, shape (n_features,); None if there are none.

    Raises TypeError and ValueError for columns that X does not have.
    """
    if given is None:
        return None
    names = [str(name) for name in X.columns] if _is_table(X) else None
    if isinstance(given, str):
        if given != "from_dtype":
            raise ValueError(
                f"categorical_features is {given!r}; expected 'from_dtype', None, or a list of "
                "column names, of indices, or of booleans"
            )
        if names is None:
            return None
        mask = np.array([str(dtype).lower().startswith(_TYPES) for dtype in X.dtypes])
    else:
        count = len(names) if names is not None else np.shape(_as_array(X))[1]
        mask = _as_mask(np.asarray(given), names, count)
    return mask if mask.any() else None


def _as_mask(given: npt.NDArray[Any], names: list[str] | None, count: int) -> Mask:
    if given.ndim != 1:
        raise ValueError(
            f"categorical_features has shape {given.shape}; expected a list of columns"
        )
    mask = np.zeros(count, bool)
    if given.size == 0:
        return mask
    if given.dtype == bool:
        if given.size != count:
            raise ValueError(
                f"categorical_features has {given.size} booleans; expected {count}, one for each "
                "column of X"
            )
        return given
    if given.dtype.kind in "iu":
        if not (given >= 0).all() or not (given < count).all():
            raise ValueError(
                f"categorical_features has the index {given[(given < 0) | (given >= count)][0]}; "
                f"expected 0 to {count - 1}, as X has {count} columns"
            )
        mask[given] = True
        return mask
    if not all(isinstance(name, str) for name in given.tolist()):
        raise TypeError(
            f"categorical_features is {given.tolist()!r}; expected column names, indices or "
            "booleans"
        )
    if names is None:
        raise ValueError(
            f"categorical_features has the name {given.tolist()[0]!r}, but X has no column names; "
            "pass a DataFrame, or indices of columns"
        )
    for name in given.tolist():
        if name not in names:
            raise ValueError(
                f"categorical_features has the name {name!r}; the columns of X are "
                f"{', '.join(map(repr, names))}"
            )
        mask[names.index(name)] = True
    return mask


def found(X: Any, mask: Mask) -> list[npt.NDArray[Any]]:
    """Return the categories of each column of categories, sorted, without missing values."""
    every = []
    for k in np.flatnonzero(mask):
        values = OrdinalEncoder().fit(_column(X, int(k))[:, None]).categories_[0]
        every.append(np.array([v for v in values if v is not None and v == v], values.dtype))
    return every


def coded(X: Any, mask: Mask, categories: Sequence[npt.NDArray[Any]]) -> FloatArray:
    """Return X as numbers, shape (n, n_features): categories as codes, −1 where unseen or missing.

    Raises ValueError for text in a column of numbers.
    """
    columns, sought = [], iter(categories)
    for k, is_category in enumerate(mask):
        column = _column(X, k)
        if is_category:
            columns.append(_codes(column, next(sought)))
            continue
        try:
            columns.append(column.astype(np.float64))
        except (TypeError, ValueError) as error:
            name = repr(str(X.columns[k])) if _is_table(X) else str(k)
            raise ValueError(
                f"X has entries in column {name} that are not numbers ({error}); {ADVICE}"
            ) from None
    return np.stack(columns, axis=1)


def _codes(column: npt.NDArray[Any], categories: npt.NDArray[Any]) -> FloatArray:
    if len(categories) == 0:  # all missing
        return np.full(len(column), float(_UNSEEN))
    encoder = OrdinalEncoder(
        categories=[categories], handle_unknown="use_encoded_value", unknown_value=_UNSEEN
    )
    codes: FloatArray = encoder.fit(categories[:, None]).transform(column[:, None])[:, 0]
    return codes


def seen(
    codes: FloatArray, mask: Mask, categories: Sequence[npt.NDArray[Any]]
) -> tuple[FloatArray, list[npt.NDArray[Any]]]:
    """Return codes among the categories that some sample has, and these categories."""
    codes, kept = codes.copy(), []
    for k, every in zip(np.flatnonzero(mask), categories, strict=True):
        column = codes[:, k].astype(int)
        some = np.unique(column[column != _UNSEEN])
        kept.append(every[some])
        codes[:, k] = np.where(column == _UNSEEN, _UNSEEN, np.searchsorted(some, column))
    return codes, kept


def blocks_of(mask: Mask | None, sizes: Sequence[int], count: int) -> list[slice]:
    """Return the columns that each of `count` given columns has among those of one-hot blocks."""
    widths = np.ones(count, int)
    if mask is not None:
        widths[mask] = sizes
    ends = np.cumsum(widths)
    return [slice(end - width, end) for end, width in zip(ends.tolist(), widths, strict=True)]


def one_hot_blocks(codes: FloatArray, mask: Mask | None, sizes: Sequence[int]) -> FloatArray:
    """Return codes as one-hot blocks; −1 as a block of zeros."""
    if mask is None:
        return codes
    parts, rest = [], iter(sizes)
    for k, is_category in enumerate(mask):
        column = codes[:, k, None]
        parts.append(column == np.arange(next(rest)) if is_category else column)
    return np.concatenate(parts, axis=1).astype(codes.dtype)


def _column(X: Any, k: int) -> npt.NDArray[Any]:
    if hasattr(X, "iloc"):
        return np.asarray(X.iloc[:, k])
    if _is_table(X):
        return np.asarray(X[X.columns[k]])
    column: npt.NDArray[Any] = _as_array(X)[:, k]
    if column.dtype == object:  # OrdinalEncoder has one type for text, and one for numbers
        narrow = np.array(column.tolist())
        return narrow if narrow.dtype.kind in "iuf" and narrow.ndim == 1 else column
    return column


def _as_array(X: Any) -> npt.NDArray[Any]:
    if isinstance(X, np.ndarray) and X.ndim == 2:
        return X
    if isinstance(X, (list, tuple)):
        X = np.array(X, dtype=object)
    array: npt.NDArray[Any] = check_array(X, dtype=None, ensure_all_finite=False)
    return array


def _is_table(X: Any) -> bool:
    return hasattr(X, "columns") and hasattr(X, "dtypes")
